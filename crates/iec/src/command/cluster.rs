//! The cluster of a site: the way to its API, and to services from its hosts.

use std::pin::Pin;
use std::time::Duration;

use iec_core::credentials::Credentials;
use iec_core::reach;
use iec_core::release::Release;
use iec_host::{Bounds, Fleet, Privilege, Script, ask};
use iec_kube::{Access, Cluster, Expected, HostAnswer, HostFetch, HostRequest, KubeError};
use iec_sh::{Cmd, Program};
use jiff::Timestamp;

use super::control_plane;
use super::site_file::SiteFile;
use crate::credentials;
use crate::error::{CliError, Kind};

/// A cluster, and what it should be.
pub(super) struct Reached {
    /// What the site file says it should be.
    pub(super) expected: Expected,
    /// The cluster.
    pub(super) cluster: Cluster,
}

/// The file by which a control plane shows that it has a cluster. It is not read: what is in it is the host's word.
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// How long the certificate is valid that a run of this program logs in with.
const LOGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens the way to the cluster with a certificate that the site's own authority issues for this run.
pub(super) async fn open(
    file: &SiteFile,
    release: &Release,
    fleet: &Fleet,
    slowness: f64,
) -> Result<Reached, CliError> {
    is_there(file, fleet).await?;
    let place = file.secrets();
    let Some(known) = credentials::load(&place)? else {
        let cause = format!(
            "there is no secrets file {}, by which the cluster lets you in",
            place.path.display()
        );
        return Err(CliError::refused("IEC3957", cause)
            .next(format!(
                "iec credentials recover {} rebuilds it from a control plane",
                file.word()
            ))
            .next("or put the secrets file beside the site file"));
    };
    connect(file, release, &known, slowness)
}

/// Prepares the way to the cluster with these credentials, and asks nobody whether there is one.
pub(super) fn connect(
    file: &SiteFile,
    release: &Release,
    known: &Credentials,
    slowness: f64,
) -> Result<Reached, CliError> {
    let identity =
        credentials::administrator(&known.cluster_ca, Timestamp::now(), LOGIN).map_err(|error| {
            CliError::refused("IEC3958", "the administrator's certificate cannot be issued").caused_by(&error)
        })?;
    let access = Access {
        authority: known.cluster_ca.certificate_pem.clone(),
        certificate: identity.certificate_pem,
        key: identity.key_pem,
        server_name: file.site.control_plane().endpoint().host().to_string(),
        slowness,
    };
    let expected = Expected::from_site(&file.site, release);
    let cluster = Cluster::new(&access, &expected).map_err(|error| failed(&error))?;
    Ok(Reached { expected, cluster })
}

/// Asks the control planes whether one of them has a cluster at all: where none has, the API's silence says less.
async fn is_there(file: &SiteFile, fleet: &Fleet) -> Result<(), CliError> {
    let question = Cmd::new(Program::Test).words(["-s", ADMIN]).into();
    let asked = control_plane::ask(&file.site, fleet, &question, |said| {
        let cause = "there is no cluster on the site's control planes";
        let mut error = CliError::new(Kind::CouldNotTell, "IEC4902", cause);
        error.evidence = said;
        error.next("iec apply installs one")
    });
    asked.await.map(drop)
}

fn failed(error: &KubeError) -> CliError {
    CliError::of(Kind::CouldNotTell, error.code(), error).next(error.next())
}

/// How long a host may take to begin with its fetches, beside the fetches themselves.
const START: Duration = Duration::from_secs(20);

/// Fetches from the hosts themselves, all that one host is asked for in one round trip.
pub(super) struct FromHosts<'a> {
    /// The hosts.
    pub(super) fleet: &'a Fleet,
}

impl HostFetch for FromHosts<'_> {
    fn fetch<'a>(
        &'a self,
        host: &'a str,
        requests: &'a [HostRequest],
    ) -> Pin<Box<dyn Future<Output = Vec<HostAnswer>> + Send + 'a>> {
        Box::pin(async move {
            let unknown = |reason: String| vec![HostAnswer::CouldNotTell { reason }; requests.len()];
            let Some(reached) = self.fleet.host(host) else {
                return unknown(format!("the site calls {host} unreachable"));
            };
            let bounds = Bounds {
                question: "the fetches of a verification",
                bytes: (64 << 10) + reach::LONGEST_LINE * requests.len() as u64,
                time: START + requests.iter().map(|request| request.deadline).sum::<Duration>(),
            };
            let script = Script::new(reach::script(requests), bounds);
            match ask(reached.as_ref(), &script, Privilege::Login).await {
                Ok(answer) => reach::read(&answer.text(), requests.len()),
                Err(error) => unknown(error.to_string()),
            }
        })
    }
}
