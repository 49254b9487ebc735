//! The text of a secrets file: written by hand so that a person can read it, parsed strictly.

use std::fmt::Write as _;

use iec_core::credentials::{Credentials, KeyPair, ServiceAccountKeys};
use iec_core::secret::Secret;
use rcgen::PublicKeyData;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::generate::discovery_hash;

/// The version of the file's form.
const VERSION: u32 = 1;

/// Why a text is no secrets file that can be used. None of these shows a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum DocumentError {
    /// Not YAML of this form.
    #[error("it is not YAML of the form that IEC writes ({0})")]
    Form(String),
    /// Written by another version of the program.
    #[error("it has version {0}, and this program knows version {VERSION} only")]
    Version(u32),
    /// A key and its certificate do not belong together.
    #[error("the {0} and its key do not belong together")]
    Pair(&'static str),
    /// A certificate that is none.
    #[error("the {0} is no certificate of an authority")]
    Certificate(&'static str),
    /// An identity of the site that IEC does not make.
    #[error("its siteId has other characters than hexadecimal digits, or too many")]
    SiteId,
    /// A key that is none.
    #[error("the {0} is no key")]
    Key(&'static str),
    /// A token that is none.
    #[error("the token is not of the form of a bootstrap token")]
    Token,
}

/// What a secrets file says.
#[derive(Debug)]
pub(super) struct Document {
    /// The name of the site that it belongs to.
    pub(super) site: String,
    /// The credentials.
    pub(super) credentials: Credentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    version: u32,
    site: String,
    site_id: String,
    generation: u32,
    token: Secret<String>,
    cluster_authority: Authority,
    etcd_authority: Authority,
    front_proxy_authority: Authority,
    /// Only in the files of sites that want it, and in none that older versions have written.
    #[serde(default)]
    calico_etcd_authority: Option<Authority>,
    service_account: Keys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authority {
    certificate: String,
    key: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    public: String,
    private: Secret<String>,
}

/// The text of the file.
pub(super) fn print(site: &str, credentials: &Credentials) -> Secret<String> {
    let mut text = format!(
        "# The secrets of the site {site}. Whoever has this file owns its cluster: keep it out of version control.\n\
         # Lost? Type `iec credentials recover` while a control plane is still there.\n\
         version: {VERSION}\n\
         site: {site}\n\
         siteId: \"{}\"\n\
         generation: {}\n\
         token: \"{}\"\n",
        credentials.site_id,
        credentials.generation,
        credentials.token.expose(),
    );
    let authorities = [
        ("clusterAuthority", Some(&credentials.cluster_ca)),
        ("etcdAuthority", Some(&credentials.etcd_ca)),
        ("frontProxyAuthority", Some(&credentials.front_proxy_ca)),
        ("calicoEtcdAuthority", credentials.calico_etcd_ca.as_ref()),
    ];
    for (name, pair) in authorities
        .into_iter()
        .filter_map(|(name, pair)| Some((name, pair?)))
    {
        let _ = writeln!(text, "{name}:");
        block(&mut text, "certificate", &pair.certificate_pem);
        block(&mut text, "key", pair.key_pem.expose());
    }
    text.push_str("serviceAccount:\n");
    block(&mut text, "public", &credentials.service_account.public_pem);
    block(
        &mut text,
        "private",
        credentials.service_account.private_pem.expose(),
    );
    Secret::new(text)
}

/// A field of an indented mapping whose value is a text of several lines.
fn block(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name}: |");
    for line in value.lines() {
        let _ = writeln!(text, "    {line}");
    }
}

/// Reads the text of a file and checks that everything in it belongs together.
pub(super) fn parse(text: &str) -> Result<Document, DocumentError> {
    let form: Form = serde_saphyr::from_str(text).map_err(|error| DocumentError::Form(place(&error)))?;
    if form.version != VERSION {
        return Err(DocumentError::Version(form.version));
    }
    if !is_site_id(&form.site_id) {
        return Err(DocumentError::SiteId);
    }
    let (cluster_ca, cluster_key) = pair("cluster authority", form.cluster_authority)?;
    let (etcd_ca, _) = pair("etcd authority", form.etcd_authority)?;
    let (front_proxy_ca, _) = pair("front-proxy authority", form.front_proxy_authority)?;
    let calico_etcd_ca = form
        .calico_etcd_authority
        .map(|authority| pair("authority of Calico's etcd", authority))
        .transpose()?
        .map(|(authority, _)| authority);
    let account_key = key("service account key", &form.service_account.private)?;
    if normal(&account_key.public_key_pem()) != normal(&form.service_account.public) {
        return Err(DocumentError::Pair("public service account key"));
    }
    let token_id = token_id(form.token.expose()).ok_or(DocumentError::Token)?;
    Ok(Document {
        site: form.site,
        credentials: Credentials {
            site_id: form.site_id,
            generation: form.generation,
            cluster_ca,
            etcd_ca,
            front_proxy_ca,
            calico_etcd_ca,
            service_account: ServiceAccountKeys {
                public_pem: form.service_account.public,
                private_pem: form.service_account.private,
            },
            token: form.token,
            token_id,
            discovery_hash: discovery_hash(&cluster_key),
        },
    })
}

/// Where a YAML error is. Its own text may quote the file, and so a secret.
fn place(error: &serde_saphyr::Error) -> String {
    error.location().map_or_else(
        || "at an unknown place".to_owned(),
        |location| format!("line {}, column {}", location.line(), location.column()),
    )
}

fn key(what: &'static str, pem: &Secret<String>) -> Result<rcgen::KeyPair, DocumentError> {
    rcgen::KeyPair::from_pem(pem.expose()).map_err(|_| DocumentError::Key(what))
}

fn pair(what: &'static str, authority: Authority) -> Result<(KeyPair, rcgen::KeyPair), DocumentError> {
    let key = key(what, &authority.key)?;
    let certificate = CertificateDer::from_pem_slice(authority.certificate.as_bytes())
        .map_err(|_| DocumentError::Certificate(what))?;
    let (rest, certificate) =
        x509_parser::parse_x509_certificate(&certificate).map_err(|_| DocumentError::Certificate(what))?;
    if !rest.is_empty() || !certificate.is_ca() {
        return Err(DocumentError::Certificate(what));
    }
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err(DocumentError::Pair(what));
    }
    Ok((
        KeyPair {
            certificate_pem: authority.certificate,
            key_pem: authority.key,
        },
        key,
    ))
}

/// A PEM text without what a YAML block or another program may have changed about its line ends.
fn normal(pem: &str) -> Vec<&str> {
    pem.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect()
}

/// Whether it can name files and fill a field of a journal: what the program makes is hexadecimal.
fn is_site_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The public part of a token, where it is one.
fn token_id(token: &str) -> Option<String> {
    let (id, secret) = token.split_once('.')?;
    let plain = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    (id.len() == 6 && secret.len() == 16 && plain(id) && plain(secret)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::generate::{calico_etcd_authority, generate};
    use super::*;

    fn credentials() -> Credentials {
        generate("0123456789abcdef".into(), 1, date(2026, 9, 1)).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let credentials = credentials();
        let document = parse(print("store-0417", &credentials).expose()).unwrap();
        assert_eq!(document.site, "store-0417");
        assert_eq!(document.credentials.discovery_hash, credentials.discovery_hash);
        assert_eq!(document.credentials.token, credentials.token);
        assert_eq!(document.credentials.site_id, credentials.site_id);
        assert_eq!(
            document.credentials,
            parse(print("x", &document.credentials).expose())
                .unwrap()
                .credentials
        );
    }

    #[test]
    fn the_authority_of_calicos_etcd_may_be_there() {
        let mut credentials = credentials();
        assert!(!print("a", &credentials).expose().contains("calicoEtcd"));
        credentials.calico_etcd_ca = Some(calico_etcd_authority(date(2026, 9, 1)).unwrap());
        let read = parse(print("a", &credentials).expose()).unwrap().credentials;
        let (read, written) = (
            read.calico_etcd_ca.unwrap(),
            credentials.calico_etcd_ca.as_ref().unwrap(),
        );
        assert_eq!(read.certificate_pem.trim(), written.certificate_pem.trim());
        assert_eq!(read.key_pem.expose().trim(), written.key_pem.expose().trim());
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let mut mixed = credentials();
        mixed.etcd_ca.key_pem = credentials().etcd_ca.key_pem;
        let error = parse(print("a", &mixed).expose()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the etcd authority and its key do not belong together"
        );
    }

    #[test]
    fn a_certificate_must_be_one_and_whole() {
        let mut damaged = credentials();
        // The key is in it all the same: only reading it as a certificate tells.
        let der = CertificateDer::from_pem_slice(damaged.cluster_ca.certificate_pem.as_bytes()).unwrap();
        let mut bytes = der.to_vec();
        bytes[4] ^= 0xff;
        damaged.cluster_ca.certificate_pem = pem(&bytes);
        let error = parse(print("a", &damaged).expose()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the cluster authority is no certificate of an authority"
        );
        damaged.cluster_ca.certificate_pem = pem(&[der.as_ref(), b"more"].concat());
        assert!(matches!(
            parse(print("a", &damaged).expose()).unwrap_err(),
            DocumentError::Certificate(_)
        ));
    }

    fn pem(der: &[u8]) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn a_site_id_of_another_form_is_refused() {
        for id in ["", "../../etc", "a b", "0123456789abcdeg"] {
            let mut other = credentials();
            other.site_id = id.to_owned();
            let error = parse(print("a", &other).expose()).unwrap_err();
            assert!(matches!(error, DocumentError::SiteId), "{id}: {error}");
        }
    }

    #[test]
    fn a_public_key_of_another_private_key_is_noticed() {
        let mut mixed = credentials();
        mixed.service_account.public_pem = credentials().service_account.public_pem;
        let error = parse(print("a", &mixed).expose()).unwrap_err();
        assert!(matches!(error, DocumentError::Pair("public service account key")));
    }

    #[test]
    fn errors_show_no_secret() {
        let credentials = credentials();
        let text = print("a", &credentials)
            .expose()
            .replace("token: \"", "token: [\"");
        let message = parse(&text).unwrap_err().to_string();
        assert!(!message.contains(credentials.token.expose()), "{message}");
        assert!(message.contains("line "), "{message}");
    }

    #[test]
    fn another_version_is_refused() {
        let text = print("a", &credentials())
            .expose()
            .replace("version: 1", "version: 9");
        assert!(matches!(parse(&text).unwrap_err(), DocumentError::Version(9)));
    }
}
