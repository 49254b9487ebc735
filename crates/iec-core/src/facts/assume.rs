//! Facts of a host that nobody asked: what the site file assumes, else a bare Debian host.

use std::collections::BTreeMap;

use super::{
    Ability, Capacity, Cgroup, CgroupVersion, Clock, Cluster, Distribution, Environment, Fact, Facts,
    Features, Guards, HostAnswer, HostFacts, Identity, Kernel, Login, Network, Place, Previous, Privileges,
    Resolver, Software, Storage, Swap,
};
use crate::architecture::Architecture;
use crate::probe::{PLACES, TOOLS, TRIED};
use crate::site::{Site, SiteHost};

/// All capabilities up to `CAP_CHECKPOINT_RESTORE`, as root of a real host has them.
const ALL_CAPABILITIES: u64 = 0x1ff_ffff_ffff;

/// What an ordinary server takes to hash 8 MiB, in milliseconds: by it a slowness that a site file tells becomes a measurement.
const TEST_MACHINE_HASH_MILLIS: u64 = 25;

/// What the site file says about a host that is not asked. What it leaves out is as on a bare Debian 12 host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// The name that the host has of itself; empty takes the site's name for granted.
    pub hostname: String,
    /// The processor architecture.
    pub architecture: Option<Architecture>,
    /// The distribution as `ID-VERSION_ID`: `debian-12`, `ubuntu-24.04`.
    pub distribution: Option<String>,
    /// The layout of control groups.
    pub cgroup: Option<CgroupVersion>,
    /// Whether the host is itself a container.
    pub container: Option<bool>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// How many times slower it is than an ordinary server.
    pub slowness: Option<u8>,
    /// Name servers for pods.
    pub nameservers: Vec<String>,
    /// The account that IEC logs in with; empty for root.
    pub user: String,
}

impl From<&SiteHost> for Assumptions {
    fn from(host: &SiteHost) -> Self {
        let assume = host.assume();
        Self {
            hostname: host.name().as_str().to_owned(),
            architecture: assume.architecture(),
            distribution: assume.distribution().map(str::to_owned),
            cgroup: assume.cgroup(),
            container: assume.container(),
            cpus: assume.cpus().map(u32::from),
            memory: assume.memory_mib().map(|mebibytes| u64::from(mebibytes) << 20),
            slowness: assume.slowness(),
            nameservers: assume.nameservers().iter().map(ToString::to_string).collect(),
            user: host.user().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl Facts {
    /// The facts of a site whose hosts nobody asked: what its file assumes, else bare Debian hosts.
    #[must_use]
    pub fn assume(site: &Site) -> Self {
        let mut facts = Self::new(None);
        for host in site.present_hosts() {
            let mut assumptions = Assumptions::from(host);
            if assumptions.user.is_empty() {
                assumptions.user = site.access().user().to_string();
            }
            if assumptions.nameservers.is_empty() {
                assumptions.nameservers = nameservers(site, host);
            }
            let known = HostFacts::assume(&assumptions);
            facts.insert(host.name().as_str(), HostAnswer::Known(Box::new(known)));
        }
        facts
    }
}

/// The name servers that the site's networks have for a host of which the site file assumes none.
fn nameservers(site: &Site, host: &SiteHost) -> Vec<String> {
    let cards = host.hardware().interfaces.iter();
    let addresses = [host.address(), host.node_address()]
        .into_iter()
        .chain(cards.filter_map(|card| card.address.map(|known| known.address)));
    let servers = site.facility().nameservers_for(addresses);
    servers.iter().map(ToString::to_string).collect()
}

impl HostFacts {
    /// The facts of a host that nobody asked; every section is `Assumed`.
    #[must_use]
    pub fn assume(assumptions: &Assumptions) -> Self {
        let container = assumptions.container.unwrap_or(false);
        let (id, version) = assumptions
            .distribution
            .as_deref()
            .and_then(|name| name.split_once('-'))
            .unwrap_or(("debian", "12"));
        let memory = assumptions.memory.unwrap_or(8 << 30);
        Self {
            identity: Fact::Assumed(Identity {
                hostname: assumptions.hostname.clone(),
                ..Identity::default()
            }),
            distribution: Fact::Assumed(Distribution {
                id: id.to_owned(),
                version: version.to_owned(),
                codename: String::new(),
                name: format!("{id} {version}"),
            }),
            kernel: Fact::Assumed(assumed_kernel(
                assumptions.architecture.unwrap_or(Architecture::Amd64),
            )),
            capacity: Fact::Assumed(Capacity {
                cpus: assumptions.cpus.unwrap_or(4),
                memory_total: memory,
                memory_available: memory,
                hash_millis: assumptions
                    .slowness
                    .map(|times| u64::from(times) * TEST_MACHINE_HASH_MILLIS),
                disk_millis: None,
            }),
            storage: Fact::Assumed(assumed_storage()),
            swap: Fact::Assumed(Swap::default()),
            cgroup: Fact::Assumed(Cgroup {
                version: assumptions.cgroup.unwrap_or_default(),
                controllers: ["cpu", "cpuset", "memory", "pids"].map(str::to_owned).to_vec(),
                systemd: true,
            }),
            privileges: Fact::Assumed(Privileges {
                root: true,
                virtualisation: if container { "container-other" } else { "none" }.to_owned(),
                container,
                capabilities: ALL_CAPABILITIES,
                lower_oom_score: !container,
                open_files: None,
                processes: None,
            }),
            features: Fact::Assumed(assumed_features()),
            network: Fact::Assumed(Network::default()),
            listeners: Fact::Assumed(Vec::new()),
            resolver: Fact::Assumed(Resolver {
                nameservers: assumptions.nameservers.clone(),
                ..Resolver::default()
            }),
            clock: Fact::Assumed(Clock::default()),
            software: Fact::Assumed(Software {
                // A bare host has none: the plan then brings its own, which is right on every host.
                tools: TOOLS.iter().map(|tool| ((*tool).to_owned(), false)).collect(),
                ..Software::default()
            }),
            cluster: Fact::Assumed(Cluster::default()),
            previous: Fact::Assumed(Previous::default()),
            guards: Fact::Assumed(Guards::default()),
            environment: Fact::Assumed(Environment::default()),
            login: Fact::Assumed(assumed_login(&assumptions.user)),
        }
    }
}

fn assumed_login(user: &str) -> Login {
    let mut homes = BTreeMap::from([("root".to_owned(), "/root".to_owned())]);
    if !matches!(user, "" | "root") {
        homes.insert(user.to_owned(), format!("/home/{user}"));
    }
    Login {
        user: user.to_owned(),
        homes,
        ..Login::default()
    }
}

fn assumed_kernel(architecture: Architecture) -> Kernel {
    Kernel {
        release: "6.1.0".to_owned(),
        machine: architecture.uname().to_owned(),
        modules: Vec::new(),
        modprobe: true,
        module_files: true,
        config: BTreeMap::new(),
    }
}

fn assumed_storage() -> Storage {
    let place = Place {
        existing: "/".to_owned(),
        mount_point: "/".to_owned(),
        source: "/dev/root".to_owned(),
        file_system: "ext4".to_owned(),
        total: 64 << 30,
        free: 48 << 30,
        ..Place::default()
    };
    Storage {
        places: PLACES
            .iter()
            .map(|path| ((*path).to_owned(), place.clone()))
            .collect(),
        nowhere: BTreeMap::new(),
    }
}

fn assumed_features() -> Features {
    Features {
        tried: TRIED
            .iter()
            .map(|name| ((*name).to_owned(), Ability::Works))
            .collect(),
        sysctls: BTreeMap::new(),
        writable_sysctls: Vec::new(),
        boot_sysctls: Vec::new(),
        seccomp: true,
        shared_root: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_observed() {
        let facts = HostFacts::assume(&Assumptions::default());
        assert_eq!(facts.assumed(), HostFacts::SECTIONS);
        assert_eq!(facts.distribution.id, "debian");
        assert_eq!(facts.kernel.architecture(), Some(Architecture::Amd64));
    }

    #[test]
    fn a_site_is_assumed_host_by_host() {
        let text = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\nspec:\n  release: \"1.36\"\n  access: {user: e}\n  hosts:\n    - {name: one, address: 10.0.0.1, role: control-plane, assume: {architecture: arm64, cgroup: v1, memoryMib: 2048, nameservers: [10.0.0.53]}}\n    - {name: two, address: 10.0.0.2, role: worker}\n";
        let (site, _) = crate::site::load(text, "site.yaml").unwrap();
        let facts = Facts::assume(&site);
        let one = facts.host("one").unwrap();
        assert_eq!(one.kernel.architecture(), Some(Architecture::Arm64));
        assert_eq!(
            (one.cgroup.version, one.capacity.memory_total),
            (CgroupVersion::V1, 2 << 30)
        );
        assert_eq!(one.pod_resolver_file().as_deref(), Some("nameserver 10.0.0.53\n"));
        let two = facts.host("two").unwrap();
        assert_eq!(two.kernel.architecture(), Some(Architecture::Amd64));
        assert_eq!(facts.assumed().len(), 2 * HostFacts::SECTIONS.len());
    }

    #[test]
    fn name_servers_are_those_of_the_hosts_own_networks_where_nobody_assumes_others() {
        let site = |networks: &str| {
            format!(
                "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {{name: a}}\nspec:\n  release: \"1.36\"\n  access: {{user: e}}\n  facility: {{networks: [{networks}]}}\n  hosts:\n    - {{name: one, address: 10.1.0.1, nodeAddress: 10.2.0.1, role: control-plane}}\n    - {{name: two, address: 10.1.0.2, role: worker, assume: {{nameservers: [9.9.9.9]}}}}\n"
            )
        };
        let oob = "{name: oob, cidr: 10.9.0.0/24, nameservers: [10.9.0.53]}";
        let lan = "{name: lan, cidr: 10.1.0.0/24, interface: 0, nameservers: [10.1.0.53, 10.1.0.54]}";
        let cluster = "{name: cluster, cidr: 10.2.0.0/24, interface: 1, nameservers: [10.2.0.53]}";
        let far = "{name: far, cidr: 10.7.0.0/24, interface: 2, nameservers: [10.7.0.53]}";
        for (networks, one) in [
            (
                format!("{oob}, {cluster}, {lan}"),
                Some("nameserver 10.1.0.53\nnameserver 10.1.0.54\n"),
            ),
            (format!("{oob}, {far}, {cluster}"), Some("nameserver 10.2.0.53\n")),
            (format!("{oob}, {far}"), Some("nameserver 10.7.0.53\n")),
            (oob.to_owned(), Some("nameserver 10.9.0.53\n")),
            (
                "{name: lan, cidr: 10.1.0.0/24, gateway: 10.1.0.254}".to_owned(),
                None,
            ),
        ] {
            let (site, _) = crate::site::load(&site(&networks), "site.yaml").unwrap();
            let facts = Facts::assume(&site);
            let file = |name: &str| facts.host(name).unwrap().pod_resolver_file();
            assert_eq!(file("one").as_deref(), one, "{networks}");
            assert_eq!(file("two").as_deref(), Some("nameserver 9.9.9.9\n"));
        }
    }

    #[test]
    fn what_the_site_file_says_is_taken() {
        let facts = HostFacts::assume(&Assumptions {
            architecture: Some(Architecture::Arm64),
            distribution: Some("ubuntu-24.04".to_owned()),
            cgroup: Some(CgroupVersion::Hybrid),
            container: Some(true),
            cpus: Some(2),
            memory: Some(2 << 30),
            slowness: Some(20),
            ..Assumptions::default()
        });
        assert_eq!(facts.kernel.machine, "aarch64");
        assert_eq!(
            (
                facts.distribution.id.as_str(),
                facts.distribution.version.as_str()
            ),
            ("ubuntu", "24.04")
        );
        assert_eq!(facts.cgroup.version, CgroupVersion::Hybrid);
        assert!(facts.restrict_oom_score_adj());
        assert!(!facts.conntrack_sysctl_writable());
        assert_eq!(facts.capacity.hash_millis, Some(500));
        assert_eq!((facts.capacity.cpus, facts.capacity.memory_total), (2, 2 << 30));
    }
}
