//! The cluster of a site: the way to its API, and to services from its hosts.

use std::pin::Pin;
use std::time::Duration;

use iec_core::reach;
use iec_core::release::Release;
use iec_host::{Fleet, Privilege, Script};
use iec_kube::{Access, Cluster, Expected, HostAnswer, HostFetch, HostRequest, KubeError};
use tokio::time::timeout;

use super::kubeconfig;
use super::site_file::SiteFile;
use crate::error::{CliError, Kind};

/// A cluster, and what it should be.
pub(super) struct Reached {
    /// What the site file says it should be.
    pub(super) expected: Expected,
    /// The cluster.
    pub(super) cluster: Cluster,
}

/// Opens the way to the cluster with the administrator's kubeconfig of a control plane.
pub(super) async fn open(
    file: &SiteFile,
    release: &Release,
    fleet: &Fleet,
    slowness: f64,
) -> Result<Reached, CliError> {
    let (_, kubeconfig) = kubeconfig::read(&file.site, fleet).await?;
    let access = Access {
        kubeconfig,
        server_name: file.site.control_plane().endpoint().host().to_string(),
        slowness,
    };
    let expected = Expected::from_site(&file.site, release);
    let cluster = Cluster::new(&access, &expected)
        .await
        .map_err(|error| failed(&error))?;
    Ok(Reached { expected, cluster })
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
            let mut answer = String::new();
            let mut keep = |line: &str| {
                answer.push_str(line);
                answer.push('\n');
            };
            let script = Script::new(reach::script(requests));
            let limit = START + requests.iter().map(|request| request.deadline).sum::<Duration>();
            let outcome = timeout(limit, reached.run(&script, Privilege::Login, &mut keep)).await;
            match outcome {
                Ok(outcome) => match outcome.error() {
                    Some(error) => unknown(error.to_string()),
                    None => reach::read(&answer, requests.len()),
                },
                Err(_) => unknown(format!(
                    "{host} did not end its fetches within {} s",
                    limit.as_secs()
                )),
            }
        })
    }
}
