//! Makes keys, certificates and tokens from the randomness of the operating system.

use iec_core::credentials::{Credentials, KeyPair, ServiceAccountKeys};
use iec_core::secret::Secret;
use jiff::ToSpan;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
};
use sha2::{Digest, Sha256};

/// How long a certificate authority is valid, as kubeadm makes them.
const AUTHORITY_YEARS: i32 = 10;
/// What a bootstrap token is made of, and how long its two parts are, as Kubernetes wants them.
const TOKEN_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const TOKEN_ID_LENGTH: usize = 6;
const TOKEN_SECRET_LENGTH: usize = 16;

/// Why credentials could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes")]
    Randomness(#[source] getrandom::Error),
    /// A key or a certificate could not be made.
    #[error("a key or certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// The date lies outside what a certificate can say.
    #[error("{0} is no date that a certificate can begin at")]
    Date(Date),
    /// The authority's certificate cannot be read.
    #[error("the authority's certificate cannot be read")]
    Authority,
    /// The authority is not valid any more.
    #[error("the certificate of the site's authority has ended")]
    Ended,
}

/// Makes a whole set of credentials.
///
/// `source_date` is the date of the bundle's content. Certificates begin a day before it: a host whose clock is
/// right is later than that, and a host whose clock is a little slow still accepts them.
///
/// # Errors
/// When the operating system gives no randomness, or the date is beyond all bounds.
pub fn generate(site_id: String, generation: u32, source_date: Date) -> Result<Credentials, GenerateError> {
    let (cluster_ca, discovery_hash) = authority("kubernetes", source_date)?;
    let (etcd_ca, _) = authority("etcd-ca", source_date)?;
    let (front_proxy_ca, _) = authority("front-proxy-ca", source_date)?;
    let (token_id, token) = new_token()?;
    Ok(Credentials {
        site_id,
        generation,
        cluster_ca,
        etcd_ca,
        front_proxy_ca,
        calico_etcd_ca: None,
        service_account: service_account_keys()?,
        token,
        token_id,
        discovery_hash,
    })
}

/// The certificate authority of Calico's own etcd, for a site that wants one.
///
/// # Errors
/// When the operating system gives no randomness, or the date is beyond all bounds.
pub fn calico_etcd_authority(source_date: Date) -> Result<KeyPair, GenerateError> {
    authority("calico-etcd-ca", source_date).map(|(pair, _)| pair)
}

/// A new random id for a site: 16 hexadecimal digits.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn new_site_id() -> Result<String, GenerateError> {
    Ok(random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A new bootstrap token, `<id>.<secret>`, and its public part.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn new_token() -> Result<(String, Secret<String>), GenerateError> {
    let id = token_part(TOKEN_ID_LENGTH)?;
    let secret = Secret::new(token_part(TOKEN_SECRET_LENGTH)?);
    let token = secret.map(|secret| format!("{id}.{secret}"));
    Ok((id, token))
}

/// A certificate authority as kubeadm makes it, and the hash of its public key that joining hosts check.
fn authority(common_name: &str, source_date: Date) -> Result<(KeyPair, String), GenerateError> {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    // kubeadm also names an authority after itself as an alternative name.
    let mut parameters = CertificateParams::new(vec![common_name.to_owned()])?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    parameters.serial_number = Some(serial_number()?);
    let begin = source_date
        .yesterday()
        .map_err(|_| GenerateError::Date(source_date))?;
    let end = begin
        .checked_add(AUTHORITY_YEARS.years())
        .map_err(|_| GenerateError::Date(source_date))?;
    let midnight = |date: Date| {
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    parameters.not_before = midnight(begin);
    parameters.not_after = midnight(end);
    let certificate = parameters.self_signed(&key)?;
    let pair = KeyPair {
        certificate_pem: certificate.pem(),
        key_pem: Secret::new(key.serialize_pem()),
    };
    Ok((pair, discovery_hash(&key)))
}

fn service_account_keys() -> Result<ServiceAccountKeys, GenerateError> {
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok(ServiceAccountKeys {
        public_pem: key.public_key_pem(),
        private_pem: Secret::new(key.serialize_pem()),
    })
}

/// What kubeadm checks a cluster's authority by: the SHA-256 of its SubjectPublicKeyInfo.
pub(super) fn discovery_hash(key: &rcgen::KeyPair) -> String {
    let digest = Sha256::digest(key.subject_public_key_info());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

pub(super) fn serial_number() -> Result<SerialNumber, GenerateError> {
    let mut bytes = random::<16>()?;
    // Positive, and of full length.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn token_part(length: usize) -> Result<String, GenerateError> {
    let mut part = String::with_capacity(length);
    while part.len() < length {
        // 252 is the largest multiple of 36 in a byte: what lies above would favour the first letters.
        let [byte] = random::<1>()?;
        if byte < 252 {
            part.push(char::from(
                TOKEN_ALPHABET[usize::from(byte) % TOKEN_ALPHABET.len()],
            ));
        }
    }
    Ok(part)
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], GenerateError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(GenerateError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn a_set_is_complete_and_no_two_are_alike() {
        let make = || generate(new_site_id().unwrap(), 1, date(2026, 9, 1)).unwrap();
        let (one, other) = (make(), make());
        assert_ne!(one.site_id, other.site_id);
        assert_ne!(one.cluster_ca.key_pem, other.cluster_ca.key_pem);
        assert_ne!(one.cluster_ca.key_pem, one.etcd_ca.key_pem);
        assert_ne!(one.token, other.token);
        assert!(
            one.cluster_ca
                .key_pem
                .expose()
                .starts_with("-----BEGIN PRIVATE KEY-----")
        );
        assert!(
            one.service_account
                .public_pem
                .starts_with("-----BEGIN PUBLIC KEY-----")
        );
        assert_eq!(one.discovery_hash.len(), "sha256:".len() + 64);
    }

    #[test]
    fn tokens_have_the_form_that_kubernetes_wants() {
        let (id, token) = new_token().unwrap();
        let (first, second) = token.expose().split_once('.').unwrap();
        assert_eq!((first, first.len(), second.len()), (id.as_str(), 6, 16));
        assert!(
            format!("{first}{second}")
                .bytes()
                .all(|byte| TOKEN_ALPHABET.contains(&byte))
        );
    }

    #[test]
    fn an_authority_begins_a_day_before_the_content() {
        let (pair, _) = authority("kubernetes", date(2026, 9, 1)).unwrap();
        let der = CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap();
        let has = |needle: &[u8]| der.windows(needle.len()).any(|window| window == needle);
        assert!(has(b"260831000000Z") && has(b"360831000000Z"));
        assert!(has(b"kubernetes"));
    }
}
