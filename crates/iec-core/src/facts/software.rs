//! What is already installed: runtimes, Kubernetes, an earlier run of IEC, firewalls, proxies.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::pace::Pace;

/// Container runtimes and Kubernetes programs that are there already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Software {
    /// The programs that were found.
    pub binaries: Vec<Binary>,
    /// The packages that are installed.
    pub packages: Vec<Package>,
    /// The units that are known to systemd.
    pub units: Vec<Unit>,
    /// Whether tools of the host's own are there: `iptables`, `conntrack`, `modprobe`, `apt-get`. What IEC
    /// brought does not count, or a second plan would take it away again.
    pub tools: BTreeMap<String, bool>,
    /// How many containers Docker runs.
    pub docker_containers: u32,
    /// Containers that somebody made in IEC's containerd beside Kubernetes' own: `NAMESPACE/ID`.
    pub containers: Vec<String>,
    /// Lines by which somebody replaces what units of IEC run.
    pub overrides: Vec<Override>,
    /// Whether containerd has data of its own, such as images.
    pub runtime_data: bool,
    /// Arguments that somebody adds to the kubelet's: lines of `/etc/default/kubelet`.
    pub kubelet_arguments: Vec<String>,
}

/// A line of a drop-in that replaces what a unit runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Override {
    /// The unit.
    pub unit: String,
    /// The file of the drop-in.
    pub file: String,
    /// The line.
    pub line: String,
}

impl Software {
    /// The unit with this name, if systemd knows it.
    #[must_use]
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.name == name)
    }

    /// The package with this name, if it is installed.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Whether a tool is on the host.
    #[must_use]
    pub fn has_tool(&self, name: &str) -> bool {
        self.tools.get(name).copied().unwrap_or(false)
    }
}

/// A program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Binary {
    /// Its name: `containerd`.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// What it says its version is; empty if it was not asked or did not say.
    pub version: String,
}

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A systemd unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Unit {
    /// Its name with its suffix: `kubelet.service`.
    pub name: String,
    /// `active`, `inactive`, `failed`, `activating`.
    pub active: String,
    /// `enabled`, `disabled`, `masked`, `static`; empty if it has no file.
    pub enabled: String,
}

impl Unit {
    /// Whether it runs or is about to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading")
    }
}

/// Traces of a Kubernetes cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cluster {
    /// What is in `/etc/kubernetes`, `manifests` and `pki` below it: relative paths.
    pub kubernetes_files: Vec<String>,
    /// The certificate in `/etc/kubernetes/pki/ca.crt`, as PEM.
    pub ca_certificate: Option<String>,
    /// The SHA-256 of that certificate's bytes (DER), in lower-case hexadecimal.
    pub ca_sha256: Option<String>,
    /// The API server that `/etc/kubernetes/kubelet.conf` names.
    pub server: Option<String>,
    /// The network of pods that the controller manager of this host gives out.
    pub pod_range: Option<String>,
    /// The network of services that the API server of this host gives out.
    pub service_range: Option<String>,
    /// With what the host was installed: a key of the site file, a space, its value.
    pub installed_with: Vec<String>,
    /// The address by which the node has joined, as `/var/lib/kubelet/kubeadm-flags.env` has it.
    pub node_address: Option<IpAddr>,
    /// Whether `/var/lib/etcd` has data.
    pub etcd_data: bool,
    /// The files in `/etc/cni/net.d`.
    pub cni_files: Vec<String>,
    /// By what kube-proxy makes services of pods, as it says itself; nothing where none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_mode: Option<String>,
    /// What Calico makes its pool of, on a control plane that has its manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calico_pool: Option<CalicoPool>,
    /// Traces of other ways to run Kubernetes: `k3s /etc/rancher/k3s`.
    pub others: Vec<String>,
}

/// What Calico makes its pool of, as IEC last wrote it into Calico's manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CalicoPool {
    /// When packets are wrapped in VXLAN, in Calico's words: `Always`, `CrossSubnet`, `Never`.
    pub vxlan_mode: String,
    /// The prefix length of the blocks that hosts take.
    pub block_size: u8,
}

/// What an earlier run of IEC left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Previous {
    /// Whether there is a journal.
    pub journal: bool,
    /// The name of the site that the host belongs to.
    pub site: Option<String>,
    /// The random id of that site.
    pub site_id: Option<String>,
    /// Who holds the lock now.
    pub lock: Option<LockHolder>,
    /// Bytes in the store of content.
    pub store: u64,
    /// Whether a transfer has left something that no run has taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub transfer: bool,
    /// Whether it is a control plane that has joined a cluster of another one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
    /// How slow it was found when it was installed; nothing where it was found ordinary.
    pub pace: Option<Pace>,
}

/// Who works on the host now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockHolder {
    /// What the lock file says about its owner.
    pub owner: String,
    /// When the owner took it, in seconds since 1970 by the host's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}

/// Firewalls, security modules and services that change the host behind one's back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Guards {
    /// Whether ufw is switched on.
    pub ufw: bool,
    /// Whether firewalld runs.
    pub firewalld: bool,
    /// Whether the nftables service is active.
    pub nftables: bool,
    /// Whether AppArmor is on.
    pub apparmor: bool,
    /// SELinux: `enforcing`, `permissive`; `None` without it.
    pub selinux: Option<String>,
    /// Whether unattended-upgrades is installed.
    pub unattended_upgrades: bool,
    /// Whether needrestart is installed.
    pub needrestart: bool,
    /// Whether `NetworkManager` runs.
    pub network_manager: bool,
    /// Whether systemd-networkd runs.
    pub networkd: bool,
    /// Chains of the packet filter that end what no rule of theirs allows.
    pub closed_chains: Vec<ClosedChain>,
}

/// A chain of the packet filter that ends what no rule of its allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosedChain {
    /// Its table and name: `inet filter input`.
    pub name: String,
    /// What passes it.
    pub hook: Hook,
    /// What ends the rest: `policy drop`, or its last rule.
    pub end: String,
}

impl fmt::Display for ClosedChain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passes = match self.hook {
            Hook::Input => "what comes to the host",
            Hook::Forward => "what the host passes on",
        };
        write!(formatter, "chain `{}`, {passes}: {}", self.name, self.end)
    }
}

/// Where a chain stands on the way of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Before what the host itself takes.
    Input,
    /// Before what the host passes on, as between pods and other hosts.
    Forward,
}

/// Proxy variables and cloud-init.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Environment {
    /// The proxy variables that were found, passwords cut out.
    pub proxies: Vec<ProxyVariable>,
    /// Whether cloud-init is installed.
    pub cloud_init: bool,
    /// Whether cloud-init writes `/etc/hosts` anew at each boot.
    pub manages_hosts_file: bool,
}

/// A proxy variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyVariable {
    /// Its name as written: `https_proxy`.
    pub name: String,
    /// Its value without user and password.
    pub value: String,
    /// Where it is set.
    pub origin: String,
}
