//! kube-proxy and the cluster's DNS, as a site wants them.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Serialize, Serializer};

use crate::name::DnsName;

/// How kube-proxy makes services of pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KubeProxy {
    pub(in crate::site) mode: ProxyMode,
    pub(in crate::site) node_port_addresses: Vec<Ipv4Net>,
}

impl KubeProxy {
    /// By what it does so.
    #[must_use]
    pub fn mode(&self) -> ProxyMode {
        self.mode
    }

    /// The networks on whose addresses a host takes what is for node ports; none: on all of its addresses.
    #[must_use]
    pub fn node_port_addresses(&self) -> &[Ipv4Net] {
        &self.node_port_addresses
    }

    /// Whether the site leaves it as it is by default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for KubeProxy {
    fn default() -> Self {
        Self {
            mode: ProxyMode::Iptables,
            node_port_addresses: Vec::new(),
        }
    }
}

/// By what kube-proxy makes services of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// By rules of iptables, as Calico does.
    Iptables,
}

impl ProxyMode {
    /// Every mode with the word that a site file and kube-proxy use for it.
    pub const WORDS: [(&'static str, Self); 1] = [("iptables", Self::Iptables)];

    /// That word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
        }
    }
}

/// The cluster's DNS, as far as the site decides it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dns {
    pub(in crate::site) replicas: Option<u16>,
    pub(in crate::site) forwarders: Vec<Forwarder>,
    pub(in crate::site) zones: Vec<DnsZone>,
}

impl Dns {
    /// How many pods of CoreDNS there are; without it, whoever runs the cluster decides.
    #[must_use]
    pub fn replicas(&self) -> Option<u16> {
        self.replicas
    }

    /// The name servers for names outside the cluster; none: those of the host on which a pod of CoreDNS runs.
    #[must_use]
    pub fn forwarders(&self) -> &[Forwarder] {
        &self.forwarders
    }

    /// Domains with name servers of their own.
    #[must_use]
    pub fn zones(&self) -> &[DnsZone] {
        &self.zones
    }

    /// Whether the site decides what is in CoreDNS' configuration.
    #[must_use]
    pub fn decides_names(&self) -> bool {
        !self.forwarders.is_empty() || !self.zones.is_empty()
    }

    /// Whether the site decides nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A domain with name servers of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsZone {
    pub(in crate::site) name: DnsName,
    pub(in crate::site) forwarders: Vec<Forwarder>,
}

impl DnsZone {
    /// The domain.
    #[must_use]
    pub fn name(&self) -> &DnsName {
        &self.name
    }

    /// Its name servers.
    #[must_use]
    pub fn forwarders(&self) -> &[Forwarder] {
        &self.forwarders
    }
}

/// A name server that is asked for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forwarder {
    pub(in crate::site) address: Ipv4Addr,
    pub(in crate::site) port: u16,
}

impl Forwarder {
    /// The port of name servers.
    pub(in crate::site) const USUAL_PORT: u16 = 53;
}

/// As a site file and CoreDNS write it.
impl fmt::Display for Forwarder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == Self::USUAL_PORT {
            self.address.fmt(formatter)
        } else {
            write!(formatter, "{}:{}", self.address, self.port)
        }
    }
}

impl Serialize for Forwarder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
