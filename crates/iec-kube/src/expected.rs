//! What the site file and the release say the cluster should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::Value;

use iec_core::architecture::Architecture;
use iec_core::facts::{Facts, HostAnswer};
use iec_core::plan::{corefile, felix_settings};
use iec_core::release::Release;
use iec_core::report::Warning;
use iec_core::site::{Cni, Datastore, Encapsulation, HelmRelease, Role, Site, SiteHost};

/// The key of the taint and of the label that mark a control plane.
pub const CONTROL_PLANE_KEY: &str = "node-role.kubernetes.io/control-plane";

/// What a verified cluster must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The site's name.
    pub site: String,
    /// The release's name, such as `1.36`.
    pub release: String,
    /// The nodes, in the order of the site file. Hosts that the site declares absent are not among them.
    pub nodes: Vec<ExpectedNode>,
    /// The port of the API server on every control plane.
    pub api_port: u16,
    /// The address that moves between control planes, where the site has one.
    pub virtual_address: Option<Ipv4Addr>,
    /// What every kubelet reports as its version, such as `v1.36.3`.
    pub kubelet: String,
    /// What every kubelet reports as its runtime, such as `containerd://2.4.2`.
    pub runtime: String,
    /// Addresses of pods.
    pub pods: Ipv4Net,
    /// The address of the service through which pods reach the API server.
    pub api_service: Ipv4Addr,
    /// An address that no service ever gets: the last one of their network.
    pub no_service: Ipv4Addr,
    /// The domain of service names.
    pub cluster_domain: String,
    /// How Calico is set up.
    pub calico: ExpectedCalico,
    /// The Helm releases that the site asks for.
    pub releases: Vec<ExpectedRelease>,
    /// What the site decides of the cluster's DNS.
    pub dns: ExpectedDns,
    /// Standing warnings, such as pairs of versions that upstream has not tested together.
    pub warnings: Vec<Warning>,
}

/// What one node must be.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedNode {
    /// The name of the host and of its node.
    pub name: String,
    /// Whether it runs the control plane.
    pub role: Role,
    /// The node's InternalIP.
    pub address: Ipv4Addr,
    /// The address at which the operator reaches the host.
    pub operator_address: Ipv4Addr,
    /// The architecture of its processor, where the host was asked.
    pub architecture: Option<Architecture>,
    /// Labels that it must carry.
    pub labels: BTreeMap<String, String>,
    /// Taints that it must carry, as `key[=value]:effect`, with the control-plane taint where it applies.
    pub taints: BTreeSet<String>,
    /// Whether the site says that the host cannot be reached now.
    pub unreachable: bool,
    /// Whether the host did not answer when it was asked before the verification.
    pub silent: bool,
}

/// A Helm release that must be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedRelease {
    /// The namespace into which it is installed.
    pub namespace: String,
    /// Its name there.
    pub name: String,
}

impl ExpectedRelease {
    fn from_site(release: &HelmRelease) -> Self {
        Self {
            namespace: release.namespace().to_string(),
            name: release.name().to_string(),
        }
    }
}

impl fmt::Display for ExpectedRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// How Calico must be set up.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedCalico {
    /// Where it keeps its data; with etcd of its own, the Kubernetes API shows neither pools nor addresses.
    pub datastore: Datastore,
    /// When pods' packets are wrapped in VXLAN.
    pub encapsulation: Encapsulation,
    /// The prefix length of the blocks of addresses that nodes take.
    pub block_size: u8,
    /// The settings of Felix that the site decides, as fields of its FelixConfiguration.
    pub felix: Value,
}

/// What the site decides of the cluster's DNS; nothing where it leaves that to whoever runs the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedDns {
    /// CoreDNS' configuration.
    pub corefile: Option<String>,
    /// How many pods of CoreDNS there are.
    pub replicas: Option<u16>,
}

impl Expected {
    /// What `site`, installed from `release`, must be.
    #[must_use]
    pub fn from_site(site: &Site, release: &Release) -> Self {
        let schedulable = site.control_plane().schedulable();
        let containerd = release.part("containerd").map_or("", |part| part.plain_version());
        let Cni::Calico(calico) = site.network().cni();
        let dns = site.network().dns();
        Self {
            site: site.name().to_string(),
            release: release.name.clone(),
            nodes: site
                .present_hosts()
                .map(|host| ExpectedNode::from_host(host, schedulable))
                .collect(),
            api_port: site.control_plane().endpoint().port(),
            virtual_address: site.control_plane().virtual_address(),
            kubelet: release.kubernetes().to_owned(),
            runtime: format!("containerd://{containerd}"),
            pods: site.network().pods(),
            api_service: site.network().api_service_address(),
            no_service: site.network().services().broadcast(),
            cluster_domain: "cluster.local".to_owned(),
            calico: ExpectedCalico {
                datastore: calico.datastore(),
                encapsulation: calico.encapsulation(),
                block_size: calico.block_size(),
                felix: felix_settings(calico),
            },
            dns: ExpectedDns {
                corefile: dns.decides_names().then(|| corefile(dns)),
                replicas: dns.replicas(),
            },
            releases: site.helm().iter().map(ExpectedRelease::from_site).collect(),
            warnings: untested_pairs(release),
        }
    }

    /// The same, with what the hosts say of their processors, and which of them say nothing.
    #[must_use]
    pub fn with_answers(mut self, facts: &Facts) -> Self {
        for node in &mut self.nodes {
            node.silent = matches!(facts.answer(&node.name), Some(HostAnswer::Failed(_)));
            let known = facts.host(&node.name).filter(|host| !host.kernel.is_assumed());
            node.architecture = known.and_then(|host| host.kernel.architecture());
        }
        self
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&ExpectedNode> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The control planes.
    pub fn control_planes(&self) -> impl Iterator<Item = &ExpectedNode> {
        self.nodes.iter().filter(|node| node.role == Role::ControlPlane)
    }

    /// How many nodes take ordinary workloads.
    #[must_use]
    pub fn workload_nodes(&self) -> usize {
        self.nodes.iter().filter(|node| node.takes_workloads()).count()
    }

    /// The architectures of the nodes that take ordinary workloads, as far as they are known.
    #[must_use]
    pub fn workload_architectures(&self) -> BTreeSet<Architecture> {
        let nodes = self.nodes.iter().filter(|node| node.takes_workloads());
        nodes.filter_map(|node| node.architecture).collect()
    }
}

impl ExpectedNode {
    fn from_host(host: &SiteHost, schedulable: bool) -> Self {
        let mut taints: BTreeSet<String> = host.taints().iter().map(ToString::to_string).collect();
        if host.role() == Role::ControlPlane && !schedulable {
            taints.insert(format!("{CONTROL_PLANE_KEY}:NoSchedule"));
        }
        let labels = host
            .labels()
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        Self {
            name: host.name().to_string(),
            role: host.role(),
            address: host.node_address(),
            operator_address: host.address(),
            architecture: None,
            labels,
            taints,
            unreachable: host.unreachable(),
            silent: false,
        }
    }

    /// Whether its kubelet may be gone: then nothing can be expected of a pod there, and nobody else tidies it up.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.unreachable || self.silent
    }

    /// Whether pods without tolerations are placed on it.
    #[must_use]
    pub fn takes_workloads(&self) -> bool {
        !self
            .taints
            .iter()
            .any(|taint| taint.ends_with(":NoSchedule") || taint.ends_with(":NoExecute"))
    }
}

fn untested_pairs(release: &Release) -> Vec<Warning> {
    release
        .untested()
        .map(|pair| Warning {
            code: None,
            text: format!(
                "{} with {}: {} ({})",
                pair.parts[0], pair.parts[1], pair.reason, pair.source
            ),
        })
        .collect()
}
