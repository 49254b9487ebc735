//! The certificates on the hosts: read from each of them by root over SSH, for `verify` and `status`.

use std::time::Duration;

use futures::future::join_all;
use iec_core::probe::certificates::{LONGEST, SCRIPT, read};
use iec_core::report::{Report, Row};
use iec_core::site::Site;
use iec_host::{Ending, Fleet, Host, Privilege, Script};
use iec_kube::{HostCertificates, certificates_unknown};
use tokio::time::timeout;

/// How long a host may take: it reads twenty small files.
const LIMIT: Duration = Duration::from_secs(60);

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
    let mut answer = String::new();
    let mut keep = |line: &str| {
        if answer.len() < LONGEST {
            answer.push_str(line);
            answer.push('\n');
        }
    };
    let script = Script::new(SCRIPT);
    let outcome = timeout(LIMIT, host.run(&script, Privilege::Root, &mut keep)).await;
    let outcome = outcome.map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))?;
    match &outcome.ending {
        Ending::Exited(0) => {}
        Ending::NeverRan(error) | Ending::Lost(error) => return Err(error.to_string()),
        Ending::Exited(_) | Ending::Killed(_) => return Err("the question did not end well".to_owned()),
    }
    let files = read(&answer).ok_or("the host's answer is not whole")?;
    Ok(HostCertificates::read(host.name(), &files))
}
