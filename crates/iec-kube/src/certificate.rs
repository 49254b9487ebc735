//! The API server's certificate, as it shows it on the wire.

use std::sync::Arc;
use std::time::Duration;

use iec_core::report::{Row, Scope};
use k8s_openapi::jiff::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
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
    let days = (validity.not_after.as_second() - now.as_second()).div_euclid(24 * 60 * 60);
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
}
