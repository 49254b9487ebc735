//! The site as IEC accepts it: every rule holds, every default is filled in.

mod access;
mod addons;
mod cluster;
mod example;
mod hardware;
mod helm;
mod host;
mod network;
pub(crate) mod rule;
pub mod unwritten;
mod validate;
mod written;

use std::collections::BTreeSet;

use serde::Serialize;

pub use access::Access;
pub use addons::{Dns, DnsZone, Forwarder, KubeProxy, ProxyMode};
pub use cluster::{
    Acceptance, ControlPlane, Endpoint, EndpointHost, EvictionSignal, Kubelet, ReservedResource, Runtime,
};
pub use example::{Example, ExampleHost, example};
pub use hardware::{
    AddressRange, Disk, Facility, FacilityNetwork, Hardware, Interface, InterfaceAddress, MacAddress,
    Management, ManagementProtocol, ParseMacError, ParseRangeError, is_vlan,
};
pub use helm::{HelmRelease, ReleaseId};
pub use host::{Assumed, HostKey, HostState, Role, SiteHost, Taint, TaintEffect};
pub use network::{Calico, Cni, Datastore, Destination, Encapsulation, Felix, Network, NodeAddress};

pub use rule::addressing::{outside_networks, repeated_mac};
pub use rule::facility::Inside;
pub use rule::fleet::{fitting_control_planes, refused_control_planes};
pub use rule::hardware::is_size;
pub use rule::network::{free_network, overlap, parse_network, special_range};
pub use rule::{printable, tamed};
pub use validate::{load, validate};
pub use written::{further_of_host, further_of_site};

use crate::name::{HostName, SiteName};

/// A site that passed every rule that needs no look at its hosts.
///
/// Only [`validate`] makes one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Site {
    name: SiteName,
    release: String,
    content: Option<String>,
    access: Access,
    hosts: Vec<SiteHost>,
    control_plane: ControlPlane,
    network: Network,
    runtime: Runtime,
    kubelet: Kubelet,
    helm: Vec<HelmRelease>,
    #[serde(skip_serializing_if = "Facility::is_empty")]
    facility: Facility,
    accept: BTreeSet<Acceptance>,
}

impl Site {
    /// The name of the site.
    #[must_use]
    pub fn name(&self) -> &SiteName {
        &self.name
    }

    /// The release of IEC's content to install, a Kubernetes minor version such as `1.36`.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Where the bundle is, as the user wrote it: a path, relative to the site file; without one, it is
    /// the bundle that IEC keeps for the release.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        self.content.as_deref()
    }

    /// How IEC logs in to the hosts.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Every host in the order of the site file, absent ones included.
    #[must_use]
    pub fn hosts(&self) -> &[SiteHost] {
        &self.hosts
    }

    /// The hosts that should be part of the cluster, in the order of the site file.
    pub fn present_hosts(&self) -> impl Iterator<Item = &SiteHost> {
        self.hosts
            .iter()
            .filter(|host| host.state() == HostState::Present)
    }

    /// The hosts that are to leave the cluster or have left it, in the order of the site file.
    pub fn absent_hosts(&self) -> impl Iterator<Item = &SiteHost> {
        self.hosts.iter().filter(|host| host.state() == HostState::Absent)
    }

    /// The hosts that should be control planes, in the order of the site file; at least one.
    pub fn control_planes(&self) -> impl Iterator<Item = &SiteHost> {
        self.present_hosts()
            .filter(|host| host.role() == Role::ControlPlane)
    }

    /// The hosts that should be workers, in the order of the site file.
    pub fn workers(&self) -> impl Iterator<Item = &SiteHost> {
        self.present_hosts().filter(|host| host.role() == Role::Worker)
    }

    /// The host of that name.
    #[must_use]
    pub fn host(&self, name: &HostName) -> Option<&SiteHost> {
        self.hosts.iter().find(|host| host.name() == name)
    }

    /// What the control planes have in common.
    #[must_use]
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The networks of the cluster.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What to do about the container runtime.
    #[must_use]
    pub fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// What the site asks of every kubelet.
    #[must_use]
    pub fn kubelet(&self) -> &Kubelet {
        &self.kubelet
    }

    /// The Helm releases of the site, in the order in which they are installed.
    #[must_use]
    pub fn helm(&self) -> &[HelmRelease] {
        &self.helm
    }

    /// What the site says about the place where its hosts stand.
    #[must_use]
    pub fn facility(&self) -> &Facility {
        &self.facility
    }

    /// The degradations that the site accepts.
    #[must_use]
    pub fn accept(&self) -> &BTreeSet<Acceptance> {
        &self.accept
    }

    /// Whether the site accepts this degradation.
    #[must_use]
    pub fn accepts(&self, degradation: Acceptance) -> bool {
        self.accept.contains(&degradation)
    }
}
