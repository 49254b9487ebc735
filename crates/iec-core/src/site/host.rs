//! One host of a site.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::hardware::Hardware;
use crate::architecture::Architecture;
use crate::diagnostic::Place;
use crate::facts::CgroupVersion;
use crate::name::{HostName, LabelKey, LabelValue, UserName};

/// One host of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteHost {
    pub(in crate::site) name: HostName,
    pub(in crate::site) address: Ipv4Addr,
    pub(in crate::site) node_address: Ipv4Addr,
    pub(in crate::site) role: Role,
    pub(in crate::site) labels: BTreeMap<LabelKey, LabelValue>,
    pub(in crate::site) taints: Vec<Taint>,
    pub(in crate::site) host_key: Option<HostKey>,
    pub(in crate::site) state: HostState,
    pub(in crate::site) unreachable: bool,
    pub(in crate::site) user: Option<UserName>,
    pub(in crate::site) port: Option<u16>,
    pub(in crate::site) assume: Assumed,
    #[serde(skip_serializing_if = "Hardware::is_empty")]
    pub(in crate::site) hardware: Hardware,
    #[serde(skip)]
    pub(in crate::site) place: Place,
}

impl SiteHost {
    /// The name of the host and of its Kubernetes node.
    #[must_use]
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// The address at which IEC reaches the host.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The address that kubelet, API server and Calico use; the same as [`Self::address`] unless the site says otherwise.
    #[must_use]
    pub fn node_address(&self) -> Ipv4Addr {
        self.node_address
    }

    /// What the host is in the cluster.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The labels of the node that the site asks for.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<LabelKey, LabelValue> {
        &self.labels
    }

    /// The taints of the node that the site asks for, in the order of the site file.
    #[must_use]
    pub fn taints(&self) -> &[Taint] {
        &self.taints
    }

    /// The SSH host key that the host must show; without one, the user's `known_hosts` decides.
    #[must_use]
    pub fn host_key(&self) -> Option<&HostKey> {
        self.host_key.as_ref()
    }

    /// Whether the host should be part of the cluster.
    #[must_use]
    pub fn state(&self) -> HostState {
        self.state
    }

    /// Whether the site says that the host cannot be reached now.
    #[must_use]
    pub fn unreachable(&self) -> bool {
        self.unreachable
    }

    /// The account to log in with, where it differs from [`super::Access::user`].
    #[must_use]
    pub fn user(&self) -> Option<&UserName> {
        self.user.as_ref()
    }

    /// The port of the SSH server, where it differs from [`super::Access::port`].
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// What the site says about the host for a plan that is made without looking at it.
    #[must_use]
    pub fn assume(&self) -> &Assumed {
        &self.assume
    }

    /// What the site says about the machine, for installers of whole machines.
    #[must_use]
    pub fn hardware(&self) -> &Hardware {
        &self.hardware
    }

    /// Where the site file speaks about the host, for later diagnostics.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// What a host is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs etcd, the API server, the controller manager and the scheduler.
    ControlPlane,
    /// Runs workloads only.
    Worker,
}

impl Role {
    /// Every role with the word that a site file uses for it.
    pub const WORDS: [(&'static str, Self); 2] =
        [("control-plane", Self::ControlPlane), ("worker", Self::Worker)];

    /// The word that a site file uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        }
    }

    /// Bytes of memory with which a host of this role is known to work: docs/requirements.md has the runs.
    #[must_use]
    pub const fn least_memory(self) -> u64 {
        match self {
            // kubeadm refuses a control plane with less.
            Self::ControlPlane => 1700 << 20,
            Self::Worker => 700 << 20,
        }
    }

    /// Processors with which a host of this role is known to work.
    #[must_use]
    pub const fn least_processors(self) -> u32 {
        match self {
            // kubeadm refuses a control plane with fewer.
            Self::ControlPlane => 2,
            Self::Worker => 1,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Whether a host should be part of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// It should be.
    Present,
    /// It should be drained, removed from the cluster and reset.
    Absent,
}

impl HostState {
    /// Every state with the word that a site file uses for it.
    pub const WORDS: [(&'static str, Self); 2] = [("present", Self::Present), ("absent", Self::Absent)];
}

/// A taint of a node: pods that do not tolerate it stay away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Taint {
    pub(in crate::site) key: LabelKey,
    pub(in crate::site) value: LabelValue,
    pub(in crate::site) effect: TaintEffect,
}

impl Taint {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &LabelKey {
        &self.key
    }

    /// The value, often empty.
    #[must_use]
    pub fn value(&self) -> &LabelValue {
        &self.value
    }

    /// What happens to pods that do not tolerate it.
    #[must_use]
    pub fn effect(&self) -> TaintEffect {
        self.effect
    }
}

/// As kubectl and kubelet write a taint: `key=value:Effect`, or `key:Effect`.
impl fmt::Display for Taint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value == "" {
            write!(formatter, "{}:{}", self.key, self.effect)
        } else {
            write!(formatter, "{}={}:{}", self.key, self.value, self.effect)
        }
    }
}

/// What happens to pods that do not tolerate a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum TaintEffect {
    /// New ones are not placed here.
    NoSchedule,
    /// New ones are placed elsewhere if possible.
    PreferNoSchedule,
    /// Running ones are removed too.
    NoExecute,
}

impl TaintEffect {
    /// Every effect with the word that a site file uses for it.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("NoSchedule", Self::NoSchedule),
        ("PreferNoSchedule", Self::PreferNoSchedule),
        ("NoExecute", Self::NoExecute),
    ];

    /// The word that Kubernetes uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

impl fmt::Display for TaintEffect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// An SSH host key as in `known_hosts`: algorithm and base64 text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct HostKey(pub(in crate::site) String);

impl HostKey {
    /// `ssh-ed25519 AAAA…`, without a comment.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The algorithm, such as `ssh-ed25519`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0.split_once(' ').map_or("", |(algorithm, _)| algorithm)
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a site says about a host for a plan that is made without looking at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Assumed {
    pub(in crate::site) architecture: Option<Architecture>,
    pub(in crate::site) distribution: Option<String>,
    pub(in crate::site) cgroup: Option<CgroupVersion>,
    pub(in crate::site) container: Option<bool>,
    pub(in crate::site) cpus: Option<u16>,
    pub(in crate::site) memory_mib: Option<u32>,
    pub(in crate::site) slowness: Option<u8>,
    pub(in crate::site) nameservers: Vec<Ipv4Addr>,
}

impl Assumed {
    /// The processor architecture.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        self.architecture
    }

    /// The distribution and its version as `/etc/os-release` has them, such as `debian-12` or `ubuntu-24.04`.
    #[must_use]
    pub fn distribution(&self) -> Option<&str> {
        self.distribution.as_deref()
    }

    /// The layout of control groups.
    #[must_use]
    pub fn cgroup(&self) -> Option<CgroupVersion> {
        self.cgroup
    }

    /// Whether the host is itself a container.
    #[must_use]
    pub fn container(&self) -> Option<bool> {
        self.container
    }

    /// The number of processors that are online.
    #[must_use]
    pub fn cpus(&self) -> Option<u16> {
        self.cpus
    }

    /// The memory in MiB.
    #[must_use]
    pub fn memory_mib(&self) -> Option<u32> {
        self.memory_mib
    }

    /// How many times slower the processor is than that of an ordinary server.
    #[must_use]
    pub fn slowness(&self) -> Option<u8> {
        self.slowness
    }

    /// The name servers that pods ask for names outside the cluster.
    #[must_use]
    pub fn nameservers(&self) -> &[Ipv4Addr] {
        &self.nameservers
    }
}
