//! The cluster of a site: the way to its API, and to services from its hosts.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use iec_core::release::Release;
use iec_host::{Exchange, Fleet};
use iec_kube::{Access, Cluster, Expected, HostAnswer, HostFetch, HostRequest, KubeError};

use super::kubeconfig;
use super::site_file::SiteFile;
use crate::error::{CliError, Kind};

/// How many fetches one host makes at the same time.
const AT_ONCE: usize = 4;

/// A cluster, and what it should be.
pub(super) struct Reached {
    /// What the site file says it should be.
    pub(super) expected: Expected,
    /// The cluster.
    pub(super) cluster: Cluster,
}

/// Opens the way to the cluster with the administrator's kubeconfig of a control plane.
pub(super) async fn reach(
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

/// Fetches from the hosts themselves: each host's SSH server makes the connection.
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
            use futures::StreamExt as _;
            futures::stream::iter(requests.to_vec())
                .map(|request| self.one(host, request))
                .buffered(AT_ONCE)
                .collect()
                .await
        })
    }
}

impl FromHosts<'_> {
    async fn one(&self, host: &str, request: HostRequest) -> HostAnswer {
        let Some(reached) = self.fleet.host(host) else {
            return HostAnswer::CouldNotTell {
                reason: format!("the site calls {host} unreachable"),
            };
        };
        let to = SocketAddr::new(IpAddr::V4(request.address), request.port);
        let began = std::time::Instant::now();
        let exchange = reached
            .exchange(to, HostRequest::TEXT.as_bytes(), request.deadline)
            .await;
        let seconds = began.elapsed().as_secs_f64();
        match exchange {
            Exchange::Answer(raw) => HostAnswer::Response { raw, seconds },
            Exchange::NoAnswer(evidence) => HostAnswer::NoAnswer { evidence, seconds },
            Exchange::CouldNotTell(reason) => HostAnswer::CouldNotTell { reason },
        }
    }
}
