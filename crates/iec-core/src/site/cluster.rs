//! What a site asks of its control planes, kubelets and container runtime, and what it accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::name::DnsName;

/// What the control planes of a site have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ControlPlane {
    pub(in crate::site) endpoint: Endpoint,
    pub(in crate::site) schedulable: bool,
    pub(in crate::site) certificate_names: BTreeSet<String>,
    pub(in crate::site) virtual_address: Option<Ipv4Addr>,
    pub(in crate::site) api_server: BTreeMap<String, String>,
    pub(in crate::site) controller_manager: BTreeMap<String, String>,
    pub(in crate::site) scheduler: BTreeMap<String, String>,
}

impl ControlPlane {
    /// Where every node finds the API server.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether workloads may run on control planes: their taint is removed.
    #[must_use]
    pub fn schedulable(&self) -> bool {
        self.schedulable
    }

    /// Further names and addresses in the API server's certificate.
    #[must_use]
    pub fn certificate_names(&self) -> &BTreeSet<String> {
        &self.certificate_names
    }

    /// The address that moves between the control planes, for clients outside the site.
    #[must_use]
    pub fn virtual_address(&self) -> Option<Ipv4Addr> {
        self.virtual_address
    }

    /// Arguments of the API server beyond kubeadm's own.
    #[must_use]
    pub fn api_server(&self) -> &BTreeMap<String, String> {
        &self.api_server
    }

    /// Arguments of the controller manager beyond kubeadm's own.
    #[must_use]
    pub fn controller_manager(&self) -> &BTreeMap<String, String> {
        &self.controller_manager
    }

    /// Arguments of the scheduler beyond kubeadm's own.
    #[must_use]
    pub fn scheduler(&self) -> &BTreeMap<String, String> {
        &self.scheduler
    }
}

/// Where every node finds the API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    pub(in crate::site) host: EndpointHost,
    pub(in crate::site) port: u16,
}

impl Endpoint {
    /// The name or address.
    #[must_use]
    pub fn host(&self) -> &EndpointHost {
        &self.host
    }

    /// The TCP port of the API server, on the endpoint and on every control plane.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// As kubeadm's `controlPlaneEndpoint` wants it: `host:port`.
impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// The name or address of the API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointHost {
    /// A name, written into every host's `/etc/hosts`.
    Name(DnsName),
    /// The address of a control plane.
    Address(Ipv4Addr),
}

impl fmt::Display for EndpointHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// What to do about the container runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Runtime {
    pub(in crate::site) take_over: bool,
}

impl Runtime {
    /// Whether a Docker or a distribution's containerd that is already there may be taken over;
    /// otherwise a host that has one is refused.
    #[must_use]
    pub fn take_over(self) -> bool {
        self.take_over
    }
}

/// What the site asks of every kubelet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kubelet {
    pub(in crate::site) max_pods: u16,
    pub(in crate::site) eviction_hard: BTreeMap<EvictionSignal, String>,
    pub(in crate::site) system_reserved: BTreeMap<ReservedResource, String>,
}

impl Kubelet {
    /// The most pods that a host may run.
    #[must_use]
    pub fn max_pods(&self) -> u16 {
        self.max_pods
    }

    /// Below what is left of a resource kubelet removes pods, as a Kubernetes quantity or percentage;
    /// what is not named here keeps kubelet's own threshold.
    #[must_use]
    pub fn eviction_hard(&self) -> &BTreeMap<EvictionSignal, String> {
        &self.eviction_hard
    }

    /// What is kept from pods for the host's own services, as Kubernetes quantities.
    #[must_use]
    pub fn system_reserved(&self) -> &BTreeMap<ReservedResource, String> {
        &self.system_reserved
    }
}

macro_rules! words {
    ($($(#[$documentation:meta])* $name:ident { $($(#[$variant_documentation:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name {
            $($(#[$variant_documentation])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value with the word that a site file uses for it.
            pub const WORDS: [(&'static str, Self); [$($word),+].len()] = [$(($word, Self::$variant)),+];

            /// The word that a site file uses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }
    )+};
}

words! {
    /// A resource whose shortage makes kubelet remove pods.
    EvictionSignal {
        /// Memory that is left.
        MemoryAvailable = "memory.available",
        /// Room on the file system of kubelet.
        NodefsAvailable = "nodefs.available",
        /// Inodes on the file system of kubelet.
        NodefsInodesFree = "nodefs.inodesFree",
        /// Room on the file system of the container runtime.
        ImagefsAvailable = "imagefs.available",
        /// Process ids that are left.
        PidAvailable = "pid.available",
    }

    /// A resource that can be kept from pods.
    ReservedResource {
        /// Processor time.
        Cpu = "cpu",
        /// Memory.
        Memory = "memory",
        /// Room on the file system of kubelet.
        EphemeralStorage = "ephemeral-storage",
        /// Process ids.
        Pid = "pid",
    }

    /// Something that lowers what upstream or IEC supports, and that a site must accept by name.
    Acceptance {
        /// The old cgroup hierarchy, which Kubernetes no longer develops.
        CgroupV1 = "cgroup-v1",
        /// A host that is itself a container.
        ContainerHost = "container-host",
        /// A host on which root lacks capabilities that the parts would use.
        RestrictedCapabilities = "restricted-capabilities",
        /// A host with less memory or fewer processors than its role is known to need.
        SmallHost = "small-host",
    }
}
