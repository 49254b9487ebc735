//! Until when certificates are valid: the one that the API server shows on the wire, and those in the files of hosts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use iec_core::report::{Row, Scope, Warning};
use k8s_openapi::jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::check;
use crate::cluster::{Cluster, Server};

/// With fewer days left than these, a certificate fails its row.
const DAYS_LEFT: i64 = 14;

/// When a certificate may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// From when on.
    pub(crate) not_before: Timestamp,
    /// Until when.
    pub(crate) not_after: Timestamp,
}

/// Reads the certificate of one API server, checked against the cluster's CA and the endpoint's name.
pub(crate) async fn read_certificate(cluster: &Cluster, server: &Server) -> Result<Validity, String> {
    let deadline = cluster.patient(Duration::from_secs(5));
    timeout(deadline, handshake(server, &cluster.server_name))
        .await
        .unwrap_or_else(|_| Err(format!("no TLS handshake within {} s", deadline.as_secs())))
}

async fn handshake(server: &Server, name: &str) -> Result<Validity, String> {
    let mut roots = RootCertStore::empty();
    for certificate in server.config.root_cert.iter().flatten() {
        roots
            .add(CertificateDer::from(certificate.clone()))
            .map_err(|error| error.to_string())?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let socket = TcpStream::connect(&server.address)
        .await
        .map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector
        .connect(name, socket)
        .await
        .map_err(|error| error.to_string())?;
    let (_, session) = stream.get_ref();
    let certificate = session
        .peer_certificates()
        .and_then(<[_]>::first)
        .ok_or("no certificate was shown")?;
    validity(certificate)
}

fn validity(certificate: &[u8]) -> Result<Validity, String> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let time = |seconds| Timestamp::from_second(seconds).map_err(|error| error.to_string());
    let validity = certificate.validity();
    Ok(Validity {
        not_before: time(validity.not_before.timestamp())?,
        not_after: time(validity.not_after.timestamp())?,
    })
}

/// A row on a certificate that was read, or could not be.
pub(crate) fn judge_certificate(scope: Scope, certificate: Result<Validity, String>, now: Timestamp) -> Row {
    let check = &check::API_CERTIFICATE;
    let validity = match certificate {
        Ok(validity) => validity,
        Err(reason) => return check.could_not_tell(scope, reason),
    };
    let days = days_left(validity.not_after, now);
    let until = validity.not_after.strftime("%Y-%m-%d");
    if days < DAYS_LEFT {
        let found = format!("valid until {until}, {days} more days");
        return check.failed(
            scope,
            format!("valid for at least {DAYS_LEFT} more days"),
            found,
            vec![],
        );
    }
    let mut row = check.passed(scope);
    row.note = Some(format!("valid until {until}, {days} more days"));
    row
}

/// With fewer days left than these, a certificate is warned of.
const DAYS_WARNED: i64 = 60;

/// When the certificates of a host end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostCertificates {
    /// The host.
    pub host: String,
    /// Each file, and the last moment at which its certificate is valid, as RFC 3339; none where it cannot be read.
    pub files: BTreeMap<String, Option<String>>,
    /// The same moments, as they are compared.
    #[serde(skip)]
    ends: Vec<(Timestamp, String)>,
}

impl HostCertificates {
    /// Reads the certificates of a host, PEM by path.
    #[must_use]
    pub fn read(host: &str, certificates: &BTreeMap<String, String>) -> Self {
        let mut files = BTreeMap::new();
        let mut ends = Vec::new();
        for (path, pem) in certificates {
            let until = CertificateDer::from_pem_slice(pem.as_bytes())
                .ok()
                .and_then(|der| validity(&der).ok())
                .map(|validity| validity.not_after);
            files.insert(path.clone(), until.map(|until| format!("{until:.0}")));
            ends.extend(until.map(|until| (until, path.clone())));
        }
        ends.sort();
        Self {
            host: host.to_owned(),
            files,
            ends,
        }
    }

    /// The certificate that ends first, in words: its file and its last day.
    #[must_use]
    pub fn first(&self) -> Option<String> {
        let (until, path) = self.ends.first()?;
        Some(format!("{path} until {}", until.strftime("%Y-%m-%d")))
    }

    /// A warning where one of them ends in less than two months, and no sooner than a row fails for it.
    #[must_use]
    pub fn warning(&self) -> Option<Warning> {
        self.warning_at(Timestamp::now())
    }

    fn warning_at(&self, now: Timestamp) -> Option<Warning> {
        let (until, path) = self.ends.first()?;
        let days = days_left(*until, now);
        let until = until.strftime("%Y-%m-%d");
        (DAYS_LEFT..DAYS_WARNED).contains(&days).then(|| Warning {
            code: Some("IEC5011".to_owned()),
            text: format!(
                "a certificate on {} ends on {until}, in {days} days: {path}",
                self.host
            ),
        })
    }

    /// A row on them.
    #[must_use]
    pub fn row(&self) -> Row {
        self.row_at(Timestamp::now())
    }

    fn row_at(&self, now: Timestamp) -> Row {
        let (check, scope) = (&check::HOST_CERTIFICATES, Scope::host(&self.host));
        let mut late: Vec<String> = self
            .ends
            .iter()
            .filter(|(until, _)| days_left(*until, now) < DAYS_LEFT)
            .map(|(until, path)| format!("{path} ends on {}", until.strftime("%Y-%m-%d")))
            .collect();
        let damaged = self.files.iter().filter(|(_, until)| until.is_none());
        late.extend(damaged.map(|(path, _)| format!("{path} has no certificate that can be read")));
        match (late.first().cloned(), self.first()) {
            (Some(found), _) => {
                let expected = format!("valid for at least {DAYS_LEFT} more days");
                check.failed(scope, expected, found, late)
            }
            (None, None) => check.could_not_tell(scope, "the host has none of the files"),
            (None, Some(first)) => {
                let mut row = check.passed(scope);
                row.note = Some(format!("the first to end: {first}"));
                row
            }
        }
    }
}

/// A row on a host whose certificates could not be asked for.
#[must_use]
pub fn certificates_unknown(host: &str, reason: &str) -> Row {
    check::HOST_CERTIFICATES.could_not_tell(Scope::host(host), reason)
}

fn days_left(until: Timestamp, now: Timestamp) -> i64 {
    (until.as_second() - now.as_second()).div_euclid(24 * 60 * 60)
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_certificate_must_last_another_fortnight() {
        let validity = Validity {
            not_before: time("2026-01-01T00:00:00Z"),
            not_after: time("2027-01-01T00:00:00Z"),
        };
        let row = |now: &str| judge_certificate(Scope::Cluster, Ok(validity), time(now));
        let passed = row("2026-11-23T00:00:00Z");
        assert_eq!(passed.outcome, Outcome::Passed);
        assert_eq!(
            passed.note.as_deref(),
            Some("valid until 2027-01-01, 39 more days")
        );
        assert_eq!(row("2026-12-18T00:00:00Z").outcome, Outcome::Passed);
        for now in ["2026-12-18T00:00:01Z", "2027-02-01T00:00:00Z"] {
            assert!(matches!(row(now).outcome, Outcome::Failed(_)), "{now}");
        }
        let unread = judge_certificate(
            Scope::Cluster,
            Err("no route".into()),
            time("2026-11-23T00:00:00Z"),
        );
        assert!(matches!(unread.outcome, Outcome::CouldNotTell { .. }));
    }

    #[test]
    fn the_dates_are_read_from_the_certificate_itself() {
        let mut parameters = rcgen::CertificateParams::new(vec!["api.test".to_owned()]).expect("parameters");
        parameters.not_before = rcgen::date_time_ymd(2026, 11, 23);
        parameters.not_after = rcgen::date_time_ymd(2027, 11, 23);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let read = validity(certificate.der()).expect("read");
        assert_eq!(read.not_before, time("2026-11-23T00:00:00Z"));
        assert_eq!(read.not_after, time("2027-11-23T00:00:00Z"));
        assert!(validity(b"not a certificate").is_err());
    }

    fn until(date: (i32, u8, u8)) -> String {
        let mut parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("parameters");
        parameters.not_after = rcgen::date_time_ymd(date.0, date.1, date.2);
        let key = rcgen::KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("a certificate").pem()
    }

    #[test]
    fn a_host_is_warned_of_before_a_certificate_ends_and_fails_when_it_is_about_to() {
        let files = [("/a.crt", until((2027, 6, 1))), ("/b.crt", until((2027, 2, 1)))];
        let files: BTreeMap<String, String> = files.map(|(path, pem)| (path.to_owned(), pem)).into();
        let read = HostCertificates::read("edge-1", &files);
        assert_eq!(read.first().as_deref(), Some("/b.crt until 2027-02-01"));
        assert_eq!(read.files["/a.crt"].as_deref(), Some("2027-06-01T00:00:00Z"));
        let row = |now: &str| read.row_at(time(now));
        let warned = |now: &str| read.warning_at(time(now)).is_some();
        let (early, near, late) = (
            "2026-11-23T00:00:00Z",
            "2026-12-23T00:00:00Z",
            "2027-01-23T00:00:00Z",
        );
        assert_eq!(
            row(early).note.as_deref(),
            Some("the first to end: /b.crt until 2027-02-01")
        );
        assert_eq!(
            (row(near).outcome, row(early).outcome),
            (Outcome::Passed, Outcome::Passed)
        );
        assert_eq!((warned(early), warned(near), warned(late)), (false, true, false));
        let Outcome::Failed(failure) = row(late).outcome else {
            panic!("it ends in nine days")
        };
        assert_eq!(failure.evidence, ["/b.crt ends on 2027-02-01"]);
    }

    #[test]
    fn a_damaged_file_fails_and_a_host_without_files_could_not_be_told() {
        let files = BTreeMap::from([("/a.crt".to_owned(), "none".to_owned())]);
        let now = time("2026-11-23T00:00:00Z");
        let damaged = HostCertificates::read("edge-1", &files).row_at(now);
        assert!(matches!(damaged.outcome, Outcome::Failed(_)));
        let none = HostCertificates::read("edge-1", &BTreeMap::new()).row_at(now);
        assert!(matches!(none.outcome, Outcome::CouldNotTell { .. }));
    }
}
