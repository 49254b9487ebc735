//! The certificates on the hosts: read from each of them by root over SSH, for `verify` and `status`.

use std::time::Duration;

use futures::future::join_all;
use iec_core::probe::certificates::{LONGEST, SCRIPT, read};
use iec_core::report::{Report, Row};
use iec_core::site::Site;
use iec_host::{Bounds, Fleet, Host, Privilege, Script};
use iec_kube::{HostCertificates, certificates_unknown};

/// A host reads twenty small files.
const CERTIFICATES: Bounds = Bounds {
    question: "the certificates on the host",
    bytes: LONGEST as u64,
    time: Duration::from_secs(60),
};

/// What was found on the hosts of a site.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// What each host has that could be asked.
    pub(super) hosts: Vec<HostCertificates>,
    /// A row for every host.
    pub(super) rows: Vec<Row>,
}

impl Certificates {
    /// Adds the rows and warnings to a report.
    pub(super) fn complete(&self, report: &mut Report) {
        report.rows.extend(self.rows.iter().cloned());
        report
            .warnings
            .extend(self.hosts.iter().filter_map(HostCertificates::warning));
    }
}

/// Asks all hosts of the site that can be reached.
pub(super) async fn certificates(site: &Site, fleet: &Fleet) -> Certificates {
    let names = site.present_hosts().map(|host| host.name().as_str());
    let reached = names.filter_map(|name| Some((name, fleet.host(name)?)));
    let asked = reached.map(|(name, host)| async move { (name, ask(host.as_ref()).await) });
    let mut found = Certificates::default();
    for (name, answer) in join_all(asked).await {
        match answer {
            Ok(read) => {
                found.rows.push(read.row());
                found.hosts.push(read);
            }
            Err(reason) => found.rows.push(certificates_unknown(name, &reason)),
        }
    }
    found
}

async fn ask(host: &dyn Host) -> Result<HostCertificates, String> {
    let script = Script::new(SCRIPT, CERTIFICATES);
    let answer = iec_host::ask(host, &script, Privilege::Root).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status != 0 {
        return Err("the question did not end well".to_owned());
    }
    let files = read(&answer.text()).ok_or("the host's answer is not whole")?;
    Ok(HostCertificates::read(host.name(), &files))
}
