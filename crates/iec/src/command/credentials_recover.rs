//! `iec credentials recover`: the secrets file of a site, rebuilt from a control plane.

use std::collections::BTreeMap;

use iec_core::credentials::{Credentials, KeyPair, ServiceAccountKeys};
use iec_core::secret::Secret;
use iec_core::site::{Site, SiteHost};
use iec_host::Fleet;
use iec_sh::{Cmd, Expr, Program};
use serde_json::json;

use super::reach::{block_on, fleet};
use super::{control_plane, site_file};
use crate::cli::RecoverCredentials;
use crate::credentials;
use crate::error::{CliError, Kind, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui};

/// What is read: the file on the host.
const FILES: [&str; 9] = [
    "/etc/iec/site",
    "/etc/kubernetes/pki/ca.crt",
    "/etc/kubernetes/pki/ca.key",
    "/etc/kubernetes/pki/etcd/ca.crt",
    "/etc/kubernetes/pki/etcd/ca.key",
    "/etc/kubernetes/pki/front-proxy-ca.crt",
    "/etc/kubernetes/pki/front-proxy-ca.key",
    "/etc/kubernetes/pki/sa.pub",
    "/etc/kubernetes/pki/sa.key",
];
/// What is read too where Calico has an etcd of its own.
const CALICO_ETCD_FILES: [&str; 2] = [
    "/etc/kubernetes/pki/calico-etcd/etcd/ca.crt",
    "/etc/kubernetes/pki/calico-etcd/etcd/ca.key",
];
/// The line before each file in the host's answer. No PEM text and no mark of a site has it.
const HEAD: &str = "iec-file ";

/// Reads them and writes the secrets file.
pub(super) fn run(arguments: &RecoverCredentials, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    let site = &file.site;
    let place = file.secrets();
    if !arguments.force && credentials::load(&place)?.is_some() {
        let cause = format!("the site has its secrets file: {}", place.path.display());
        return Err(CliError::refused("IEC3910", cause).next(format!(
            "iec credentials recover --force {} replaces it",
            file.word()
        )));
    }
    let fleet = fleet(site, &arguments.reach, settings)?;
    let (host, answer) = block_on(ask(site, &fleet))?;
    let host = host.name().as_str();
    let found = credentials_of(site, host, &answer)?;
    credentials::replace(&place, &found)?;
    let value = json!({ "host": host, "secrets": place.path, "siteId": found.site_id });
    ui.result(Document::Credentials, &value, || {
        format!(
            "The credentials of the site {} are rebuilt from {host}: {}.",
            site.name(),
            place.path.display()
        )
    });
    Ok(Outcome::Done)
}

/// The files that a control plane of this site has.
fn files(site: &Site) -> impl Iterator<Item = &'static str> {
    let more = CALICO_ETCD_FILES
        .into_iter()
        .filter(|_| site.network().has_calico_etcd());
    FILES.into_iter().chain(more)
}

/// The answer of the first control plane that has all of the files.
async fn ask(site: &Site, fleet: &Fleet) -> Result<(SiteHost, Secret<String>), CliError> {
    let steps = files(site).map(|path| {
        Expr::all([
            Cmd::new(Program::Printf).words(["%s%s\\n", HEAD, path]),
            Cmd::new(Program::Cat).words(["--", path]),
        ])
    });
    control_plane::ask(site, fleet, &Expr::all(steps), |said| {
        let cause = "no control plane of the site has its credentials";
        let mut error = CliError::new(Kind::CouldNotTell, "IEC3911", cause);
        error.evidence = said;
        error.next("compare the site file with the hosts: is this the right site?")
    })
    .await
}

/// The credentials in an answer, with a new token.
fn credentials_of(site: &Site, host: &str, answer: &Secret<String>) -> Result<Credentials, CliError> {
    let files = split(answer);
    let damaged = |cause: String| {
        CliError::new(
            Kind::CouldNotTell,
            "IEC3912",
            format!("the credentials on {host} cannot be used: {cause}"),
        )
    };
    let get = |path: &str| {
        files
            .get(path)
            .cloned()
            .ok_or_else(|| damaged(format!("{path} was not in its answer")))
    };
    let mark = get("/etc/iec/site")?;
    let (name, site_id) = mark
        .expose()
        .trim()
        .split_once(' ')
        .ok_or_else(|| damaged("its mark is none".to_owned()))?;
    if name != site.name().as_str() {
        return Err(damaged(format!("it belongs to the site {name}")));
    }
    let pair = |path: &str| -> Result<KeyPair, CliError> {
        Ok(KeyPair {
            certificate_pem: get(&format!("/etc/kubernetes/pki/{path}.crt"))?.expose().clone(),
            key_pem: get(&format!("/etc/kubernetes/pki/{path}.key"))?,
        })
    };
    let (token_id, token) = credentials::new_token().map_err(|error| damaged(error.to_string()))?;
    let found = Credentials {
        site_id: site_id.to_owned(),
        generation: 1,
        cluster_ca: pair("ca")?,
        etcd_ca: pair("etcd/ca")?,
        front_proxy_ca: pair("front-proxy-ca")?,
        calico_etcd_ca: site
            .network()
            .has_calico_etcd()
            .then(|| pair("calico-etcd/etcd/ca"))
            .transpose()?,
        service_account: ServiceAccountKeys {
            public_pem: get("/etc/kubernetes/pki/sa.pub")?.expose().clone(),
            private_pem: get("/etc/kubernetes/pki/sa.key")?,
        },
        token,
        token_id,
        discovery_hash: String::new(),
    };
    credentials::checked(name, &found).map_err(damaged)
}

/// The files of an answer by their paths.
fn split(answer: &Secret<String>) -> BTreeMap<String, Secret<String>> {
    let mut files = BTreeMap::new();
    for part in answer.expose().split(HEAD).skip(1) {
        if let Some((path, content)) = part.split_once('\n') {
            files.insert(path.to_owned(), Secret::new(content.to_owned()));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use iec_core::site::load;
    use jiff::civil::date;

    use super::*;

    fn site() -> Site {
        load(
            include_str!("../../../../sites/three-hosts/site.yaml"),
            "site.yaml",
        )
        .unwrap()
        .0
    }

    fn site_with_etcd() -> Site {
        load(
            include_str!("../../../../sites/calico-etcd/site.yaml"),
            "site.yaml",
        )
        .unwrap()
        .0
    }

    fn answer(mark: &str, made: &Credentials) -> Secret<String> {
        let mut contents = vec![
            mark,
            &made.cluster_ca.certificate_pem,
            made.cluster_ca.key_pem.expose(),
            &made.etcd_ca.certificate_pem,
            made.etcd_ca.key_pem.expose(),
            &made.front_proxy_ca.certificate_pem,
            made.front_proxy_ca.key_pem.expose(),
            &made.service_account.public_pem,
            made.service_account.private_pem.expose(),
        ];
        if let Some(authority) = &made.calico_etcd_ca {
            contents.extend([&authority.certificate_pem, authority.key_pem.expose().as_str()]);
        }
        let parts = FILES.iter().chain(&CALICO_ETCD_FILES).zip(contents);
        Secret::new(
            parts
                .map(|(path, content)| format!("{HEAD}{path}\n{}\n", content.trim_end()))
                .collect(),
        )
    }

    #[test]
    fn what_was_put_there_comes_back_with_a_new_token() {
        let made = credentials::generate("0011223344556677".into(), 1, date(2026, 9, 1)).unwrap();
        let found = credentials_of(&site(), "edge-1", &answer("store-0417 0011223344556677", &made)).unwrap();
        assert_eq!(found.discovery_hash, made.discovery_hash);
        assert_eq!(found.site_id, made.site_id);
        assert_ne!(found.token, made.token);
    }

    #[test]
    fn the_authority_of_calicos_etcd_comes_back_where_the_site_has_one() {
        let mut made = credentials::generate("0011223344556677".into(), 1, date(2026, 9, 1)).unwrap();
        let site = site_with_etcd();
        let mark = format!("{} 0011223344556677", site.name());
        let error = credentials_of(&site, "edge-1", &answer(&mark, &made)).unwrap_err();
        assert!(error.cause.contains("calico-etcd/etcd/ca.crt"), "{error}");
        made.calico_etcd_ca = Some(credentials::calico_etcd_authority(date(2026, 9, 1)).unwrap());
        let found = credentials_of(&site, "edge-1", &answer(&mark, &made)).unwrap();
        let (found, made) = (found.calico_etcd_ca.unwrap(), made.calico_etcd_ca.unwrap());
        assert_eq!(found.key_pem.expose().trim(), made.key_pem.expose().trim());
        assert_eq!(files(&site).count(), files(&self::site()).count() + 2);
    }

    #[test]
    fn another_site_and_mixed_keys_are_refused() {
        let made = credentials::generate("0011223344556677".into(), 1, date(2026, 9, 1)).unwrap();
        let error =
            credentials_of(&site(), "edge-1", &answer("store-0418 0011223344556677", &made)).unwrap_err();
        assert!(
            error.cause.ends_with("it belongs to the site store-0418"),
            "{error}"
        );
        let mut mixed = made.clone();
        mixed.etcd_ca.key_pem = made.cluster_ca.key_pem.clone();
        let error =
            credentials_of(&site(), "edge-1", &answer("store-0417 0011223344556677", &mixed)).unwrap_err();
        assert!(error.cause.contains("do not belong together"), "{error}");
    }
}
