//! The networks of a cluster.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use super::addons::{Dns, KubeProxy};
use crate::diagnostic::Place;
use crate::name::DnsName;

/// The networks of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    pub(in crate::site) pods: Ipv4Net,
    pub(in crate::site) services: Ipv4Net,
    pub(in crate::site) cni: Cni,
    #[serde(skip_serializing_if = "KubeProxy::is_default")]
    pub(in crate::site) kube_proxy: KubeProxy,
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub(in crate::site) dns: Dns,
    #[serde(skip)]
    pub(in crate::site) pods_place: Option<Place>,
    #[serde(skip)]
    pub(in crate::site) services_place: Option<Place>,
}

impl Network {
    /// The network from which pods get their addresses.
    #[must_use]
    pub fn pods(&self) -> Ipv4Net {
        self.pods
    }

    /// The network from which services get their addresses.
    #[must_use]
    pub fn services(&self) -> Ipv4Net {
        self.services
    }

    /// The service address of the API server: the first of the service network.
    #[must_use]
    pub fn api_service_address(&self) -> Ipv4Addr {
        nth_address(self.services, 1)
    }

    /// The service address of the cluster's DNS: the tenth of the service network.
    #[must_use]
    pub fn dns_address(&self) -> Ipv4Addr {
        nth_address(self.services, 10)
    }

    /// What connects the pods.
    #[must_use]
    pub fn cni(&self) -> &Cni {
        &self.cni
    }

    /// How kube-proxy makes services of pods.
    #[must_use]
    pub fn kube_proxy(&self) -> &KubeProxy {
        &self.kube_proxy
    }

    /// The cluster's DNS, as far as the site decides it.
    #[must_use]
    pub fn dns(&self) -> &Dns {
        &self.dns
    }

    /// Whether Calico keeps its data in an etcd of its own.
    #[must_use]
    pub fn has_calico_etcd(&self) -> bool {
        self.cni
            .calico()
            .is_some_and(|calico| calico.datastore() == Datastore::Etcd)
    }

    /// Where the site file gives the pod network, unless it is the default.
    #[must_use]
    pub fn pods_place(&self) -> Option<&Place> {
        self.pods_place.as_ref()
    }

    /// Where the site file gives the service network, unless it is the default.
    #[must_use]
    pub fn services_place(&self) -> Option<&Place> {
        self.services_place.as_ref()
    }
}

/// The address that lies `offset` after the network's own; stays at the last one there is.
fn nth_address(network: Ipv4Net, offset: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(network.network().to_bits().saturating_add(offset))
}

/// What connects the pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cni {
    /// Project Calico.
    Calico(Calico),
}

impl Cni {
    /// The settings of Calico, if that is what connects the pods.
    #[must_use]
    pub fn calico(&self) -> Option<&Calico> {
        match self {
            Self::Calico(calico) => Some(calico),
        }
    }
}

/// The settings of Calico.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Calico {
    pub(in crate::site) encapsulation: Encapsulation,
    pub(in crate::site) datastore: Datastore,
    pub(in crate::site) node_address: NodeAddress,
    pub(in crate::site) mtu: Option<u16>,
    pub(in crate::site) block_size: u8,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::site) wireguard: bool,
    #[serde(skip_serializing_if = "Felix::is_default")]
    pub(in crate::site) felix: Felix,
}

impl Calico {
    /// How packets between pods of different hosts travel.
    #[must_use]
    pub fn encapsulation(&self) -> Encapsulation {
        self.encapsulation
    }

    /// Where Calico keeps its data.
    #[must_use]
    pub fn datastore(&self) -> Datastore {
        self.datastore
    }

    /// How Calico finds the address of a host.
    #[must_use]
    pub fn node_address(&self) -> &NodeAddress {
        &self.node_address
    }

    /// The size of the largest packet on pods' interfaces, in bytes; without one, Calico finds out.
    #[must_use]
    pub fn mtu(&self) -> Option<u16> {
        self.mtu
    }

    /// The prefix length of the blocks of pod addresses that hosts take, 26 (64 addresses) by default.
    #[must_use]
    pub fn block_size(&self) -> u8 {
        self.block_size
    }

    /// Whether packets between hosts are encrypted by WireGuard.
    #[must_use]
    pub fn wireguard(&self) -> bool {
        self.wireguard
    }

    /// Settings of Felix.
    #[must_use]
    pub fn felix(&self) -> &Felix {
        &self.felix
    }

    /// How many bytes of a packet between hosts are not the pod's own.
    #[must_use]
    pub fn overhead(&self) -> u32 {
        let wireguard = if self.wireguard { WIREGUARD_OVERHEAD } else { 0 };
        self.encapsulation.overhead().max(wireguard)
    }
}

/// What WireGuard puts around a packet that travels by IPv4.
const WIREGUARD_OVERHEAD: u32 = 60;

/// Settings of Felix, Calico's agent on each host, as far as the site decides them; in Calico's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Felix {
    pub(in crate::site) log_severity: Option<&'static str>,
    pub(in crate::site) prometheus_metrics: Option<bool>,
    pub(in crate::site) chain_insert_mode: Option<&'static str>,
}

impl Felix {
    /// The severities of a log, the least first.
    pub(in crate::site) const SEVERITIES: [&'static str; 5] = ["Debug", "Info", "Warning", "Error", "Fatal"];
    /// Where its rules stand among those of others.
    pub(in crate::site) const CHAIN_INSERT_MODES: [&'static str; 2] = ["Insert", "Append"];

    /// The least severity of what it logs.
    #[must_use]
    pub fn log_severity(&self) -> Option<&'static str> {
        self.log_severity
    }

    /// Whether it offers its figures to Prometheus.
    #[must_use]
    pub fn prometheus_metrics(&self) -> Option<bool> {
        self.prometheus_metrics
    }

    /// Whether its rules come before those of others, or behind them.
    #[must_use]
    pub fn chain_insert_mode(&self) -> Option<&'static str> {
        self.chain_insert_mode
    }

    /// Whether the site decides nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How packets between pods of different hosts travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Encapsulation {
    /// Always in VXLAN.
    #[serde(rename = "VXLAN")]
    Vxlan,
    /// In VXLAN between subnets, as they are within one.
    #[serde(rename = "VXLANCrossSubnet")]
    VxlanCrossSubnet,
    /// As they are; for a site of one host.
    None,
}

impl Encapsulation {
    /// Every encapsulation that IEC can install, with the word that a site file uses for it.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("VXLAN", Self::Vxlan),
        ("VXLANCrossSubnet", Self::VxlanCrossSubnet),
        ("None", Self::None),
    ];

    /// How many bytes of a packet between hosts are not the pod's own.
    #[must_use]
    pub const fn overhead(self) -> u32 {
        match self {
            Self::Vxlan | Self::VxlanCrossSubnet => 50,
            Self::None => 0,
        }
    }

    /// The word that a site file uses for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter();
        words.find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }

    /// The one that an IP pool calls so.
    #[must_use]
    pub fn of_vxlan_mode(mode: &str) -> Option<Self> {
        let mut all = Self::WORDS.iter().map(|(_, one)| *one);
        all.find(|one| one.vxlan_mode() == mode)
    }

    /// What Calico's `CALICO_IPV4POOL_VXLAN` and an IP pool's `vxlanMode` call it.
    #[must_use]
    pub const fn vxlan_mode(self) -> &'static str {
        match self {
            Self::Vxlan => "Always",
            Self::VxlanCrossSubnet => "CrossSubnet",
            Self::None => "Never",
        }
    }
}

/// Where Calico keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Datastore {
    /// In the Kubernetes API.
    Kubernetes,
    /// In an etcd of its own.
    Etcd,
}

impl Datastore {
    /// Every datastore with the word that a site file uses for it.
    pub const WORDS: [(&'static str, Self); 2] = [("kubernetes", Self::Kubernetes), ("etcd", Self::Etcd)];

    /// The TCP ports of Calico's own etcd on a control plane: for Calico, for other members, for the kubelet's probes.
    pub const ETCD_PORTS: [u16; 3] = [6666, 6667, 6668];
}

/// How Calico finds the address of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeAddress {
    /// It is the address of the Kubernetes node.
    KubernetesInternalIp,
    /// The first one inside these networks.
    Cidr(Vec<Ipv4Net>),
    /// The first one on an interface whose name matches this regular expression.
    Interface(String),
    /// The one from which the host would reach this destination.
    CanReach(Destination),
}

/// As Calico's `IP_AUTODETECTION_METHOD` wants it.
impl fmt::Display for NodeAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KubernetesInternalIp => formatter.write_str("kubernetes-internal-ip"),
            Self::Cidr(networks) => {
                let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
                write!(formatter, "cidr={}", networks.join(","))
            }
            Self::Interface(pattern) => write!(formatter, "interface={pattern}"),
            Self::CanReach(destination) => write!(formatter, "can-reach={destination}"),
        }
    }
}

/// A name or address of something outside the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// A name.
    Name(DnsName),
    /// An address.
    Address(Ipv4Addr),
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}
