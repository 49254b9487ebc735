//! The administrator's certificate: issued on this machine by the site's own authority, and never taken from a host.
//!
//! A host's kubeconfig is a program as much as a document: it can name commands to run and files to read. Whoever has
//! the secrets file needs nothing of it.

use std::time::Duration;

use iec_core::credentials::KeyPair;
use iec_core::secret::Secret;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::generate::{GenerateError, serial_number};

/// The group that kubeadm makes administrators of the cluster.
const GROUP: &str = "kubeadm:cluster-admins";
/// Who it is for the cluster, as in the kubeconfig that kubeadm writes on control planes.
const NAME: &str = "kubernetes-admin";

/// A certificate to log in with, and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// Its key, PEM.
    pub key_pem: Secret<String>,
}

/// Issues an administrator's certificate that is valid for this long from `now` on, or until its authority ends.
///
/// It begins with its authority: hosts whose clocks are slow accept it too.
///
/// # Errors
/// When the authority has ended or is none, or when there is no randomness.
pub fn administrator(authority: &KeyPair, now: Timestamp, life: Duration) -> Result<Identity, GenerateError> {
    let certificate = CertificateDer::from_pem_slice(authority.certificate_pem.as_bytes())
        .map_err(|_| GenerateError::Authority)?;
    let (begin, end) = validity(&certificate).ok_or(GenerateError::Authority)?;
    let now = now.as_second();
    let life = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
    let end = end.min(now.saturating_add(life));
    if end <= now {
        return Err(GenerateError::Ended);
    }
    let issuer = Issuer::from_ca_cert_der(
        &certificate,
        rcgen::KeyPair::from_pem(authority.key_pem.expose())?,
    )?;
    let key = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, GROUP);
    parameters.distinguished_name.push(DnType::CommonName, NAME);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    parameters.serial_number = Some(serial_number()?);
    let moment = |seconds: i64| {
        let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        rcgen::date_time_ymd(1970, 1, 1) + since
    };
    parameters.not_before = moment(begin);
    parameters.not_after = moment(end);
    Ok(Identity {
        certificate_pem: parameters.signed_by(&key, &issuer)?.pem(),
        key_pem: Secret::new(key.serialize_pem()),
    })
}

/// The moment until which a certificate is valid, in seconds since 1970, where this authority has signed it.
pub fn signed_until(certificate: &CertificateDer<'_>, authority_pem: &str) -> Option<i64> {
    let authority = CertificateDer::from_pem_slice(authority_pem.as_bytes()).ok()?;
    let (_, authority) = x509_parser::parse_x509_certificate(&authority).ok()?;
    let (rest, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    certificate.verify_signature(Some(authority.public_key())).ok()?;
    rest.is_empty()
        .then_some(certificate.validity().not_after.timestamp())
}

/// When a certificate may be used, in seconds since 1970.
fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::generate::generate;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn authority() -> KeyPair {
        generate("0123456789abcdef".into(), 1, date(2026, 9, 1))
            .expect("credentials")
            .cluster_ca
    }

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    #[test]
    fn the_certificate_is_of_the_sites_authority_and_for_clients() {
        let authority = authority();
        let now: Timestamp = "2026-11-29T12:00:00Z".parse().expect("a time");
        let identity = administrator(&authority, now, DAY).expect("issued");
        let certificate = der(&identity.certificate_pem);
        let until = signed_until(&certificate, &authority.certificate_pem);
        assert_eq!(until, Some(now.as_second() + 24 * 60 * 60));
        assert_eq!(
            signed_until(&certificate, &self::authority().certificate_pem),
            None
        );
        let (_, read) = x509_parser::parse_x509_certificate(&certificate).expect("read");
        assert_eq!(
            read.subject().to_string(),
            "O=kubeadm:cluster-admins, CN=kubernetes-admin"
        );
        let (_, own) = validity(&der(&authority.certificate_pem))
            .map(|(begin, end)| (end, begin))
            .expect("read");
        assert_eq!(read.validity().not_before.timestamp(), own);
        let usage = read.extended_key_usage().expect("read").expect("there").value;
        assert!(usage.client_auth && !usage.server_auth && !read.is_ca());
        let key = rcgen::KeyPair::from_pem(identity.key_pem.expose()).expect("a key");
        use rcgen::PublicKeyData as _;
        assert_eq!(read.public_key().raw, key.subject_public_key_info());
    }

    #[test]
    fn no_certificate_outlives_its_authority() {
        let authority = authority();
        let late: Timestamp = "2036-08-30T00:00:00Z".parse().expect("a time");
        let identity = administrator(&authority, late, DAY * 365).expect("issued");
        let (_, end) = validity(&der(&identity.certificate_pem)).expect("read");
        assert_eq!(end, validity(&der(&authority.certificate_pem)).expect("read").1);
        let over: Timestamp = "2036-09-01T00:00:00Z".parse().expect("a time");
        assert!(matches!(
            administrator(&authority, over, DAY),
            Err(GenerateError::Ended)
        ));
    }
}
