//! What follows from a host's facts for its plan.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{CgroupVersion, HostFacts, Interface, Network, Resolver, Route};
use crate::site::Role;

/// What kubelet, CNI plugins, IEC's own steps, and whoever looks for a fault call on a host.
const PACKET_FILTER_TOOLS: [&str; 5] = ["iptables", "ip6tables", "ipset", "nft", "conntrack"];

/// The most name servers that resolvers read; the kubelet cuts after as many and complains.
const MOST_NAMESERVERS: usize = 3;

/// Who makes control groups: the setting that containerd and the kubelet must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupDriver {
    /// systemd makes them.
    Systemd,
    /// runc and the kubelet write to the cgroup file system.
    Cgroupfs,
}

impl fmt::Display for CgroupDriver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Systemd => "systemd",
            Self::Cgroupfs => "cgroupfs",
        })
    }
}

impl HostFacts {
    /// The cgroup driver for this host: systemd's where systemd owns a unified hierarchy.
    #[must_use]
    pub fn cgroup_driver(&self) -> CgroupDriver {
        if self.cgroup.version == CgroupVersion::V2 && self.cgroup.systemd {
            CgroupDriver::Systemd
        } else {
            CgroupDriver::Cgroupfs
        }
    }

    /// The kubelet's `failCgroupV1`: false where it would refuse to start (since Kubernetes 1.35).
    #[must_use]
    pub fn fail_cgroup_v1(&self) -> bool {
        self.cgroup.version == CgroupVersion::V2
    }

    /// Whether the host is smaller than its role is known to need.
    #[must_use]
    pub fn is_small_for(&self, role: Role) -> bool {
        !self.capacity.is_assumed()
            && (self.capacity.memory_total < role.least_memory()
                || self.capacity.cpus < role.least_processors())
    }

    /// Whether the host lacks a tool of the packet filter, so that the bundle's host tools must be installed.
    #[must_use]
    pub fn needs_host_tools(&self) -> bool {
        PACKET_FILTER_TOOLS
            .iter()
            .any(|tool| !self.software.has_tool(tool))
    }

    /// containerd's `restrict_oom_score_adj`: true where a process cannot lower its score.
    #[must_use]
    pub fn restrict_oom_score_adj(&self) -> bool {
        !self.privileges.lower_oom_score
    }

    /// Whether kube-proxy can set the size of the connection table; if not, its `conntrack.maxPerCore` must be 0.
    ///
    /// On a real host the parameter may appear with the module only, and can be written then.
    #[must_use]
    pub fn conntrack_sysctl_writable(&self) -> bool {
        let name = "net.netfilter.nf_conntrack_max";
        self.sysctl_writable(name) || !(self.privileges.container || self.features.sysctls.contains_key(name))
    }

    /// Whether root can write a kernel parameter.
    #[must_use]
    pub fn sysctl_writable(&self, name: &str) -> bool {
        self.features.writable_sysctls.iter().any(|known| known == name)
    }

    /// The resolver file for pods: the real name servers, without the host's search domains.
    /// `None` if the host has no name server that a pod could reach.
    #[must_use]
    pub fn pod_resolver_file(&self) -> Option<String> {
        let servers = self.resolver.pod_nameservers();
        if servers.is_empty() {
            return None;
        }
        Some(
            servers
                .iter()
                .map(|server| format!("nameserver {server}\n"))
                .collect(),
        )
    }
}

impl Resolver {
    /// The name servers that pods can use, at most three: without loopback stubs, which mean the pod itself there.
    #[must_use]
    pub fn pod_nameservers(&self) -> Vec<&str> {
        let direct = reachable(&self.nameservers);
        if direct.is_empty() {
            reachable(&self.upstream)
        } else {
            direct
        }
    }

    /// The loopback stubs in `/etc/resolv.conf`.
    pub fn loopback_stubs(&self) -> impl Iterator<Item = &str> {
        self.nameservers
            .iter()
            .map(String::as_str)
            .filter(|server| is_loopback(server))
    }
}

/// The first name servers that are not on the host itself.
fn reachable(servers: &[String]) -> Vec<&str> {
    let others = servers
        .iter()
        .map(String::as_str)
        .filter(|server| !is_loopback(server));
    others.take(MOST_NAMESERVERS).collect()
}

/// Whether `server` (an address, perhaps with `%scope`) means the host itself.
fn is_loopback(server: &str) -> bool {
    let address = server.split('%').next().unwrap_or(server);
    address
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

impl Network {
    /// The interface that has this address.
    #[must_use]
    pub fn interface_of(&self, address: IpAddr) -> Option<&Interface> {
        let has = |interface: &&Interface| interface.addresses.iter().any(|net| net.addr() == address);
        self.interfaces.iter().find(has)
    }

    /// The largest packet on the interface that has this address, in bytes.
    #[must_use]
    pub fn mtu_of(&self, address: IpAddr) -> Option<u32> {
        self.interface_of(address).map(|interface| interface.mtu)
    }

    /// The IPv4 default route that wins: the one with the least metric.
    #[must_use]
    pub fn default_route(&self) -> Option<&Route> {
        self.routes
            .iter()
            .filter(|route| {
                route.kind == "unicast"
                    && route.destination.addr().is_ipv4()
                    && route.destination.prefix_len() == 0
            })
            .min_by_key(|route| route.metric)
    }

    /// The interface of the IPv4 default route.
    #[must_use]
    pub fn default_interface(&self) -> Option<&Interface> {
        let name = self.default_route()?.interface.as_deref()?;
        self.interfaces.iter().find(|interface| interface.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Assumptions, Fact};

    fn resolver(nameservers: &[&str], upstream: &[&str]) -> Resolver {
        let owned = |servers: &[&str]| servers.iter().map(|server| (*server).to_owned()).collect();
        Resolver {
            nameservers: owned(nameservers),
            upstream: owned(upstream),
            ..Resolver::default()
        }
    }

    #[test]
    fn the_driver_follows_hierarchy_and_first_process() {
        let mut facts = HostFacts::assume(&Assumptions::default());
        for (version, systemd, driver, fail) in [
            (CgroupVersion::V2, true, CgroupDriver::Systemd, true),
            (CgroupVersion::V2, false, CgroupDriver::Cgroupfs, true),
            (CgroupVersion::Hybrid, true, CgroupDriver::Cgroupfs, false),
            (CgroupVersion::V1, true, CgroupDriver::Cgroupfs, false),
        ] {
            let cgroup = facts.cgroup.value_mut();
            (cgroup.version, cgroup.systemd) = (version, systemd);
            assert_eq!(
                (facts.cgroup_driver(), facts.fail_cgroup_v1()),
                (driver, fail),
                "{version}"
            );
        }
    }

    #[test]
    fn pods_get_real_name_servers_without_search_domains() {
        let mut facts = HostFacts::assume(&Assumptions::default());
        for (nameservers, upstream, file) in [
            (&["10.0.0.1"][..], &[][..], Some("nameserver 10.0.0.1\n")),
            (&["127.0.0.53"], &["9.9.9.9"], Some("nameserver 9.9.9.9\n")),
            (&["127.0.0.53"], &[], None),
            (&["::1", "fe80::1%eth0"], &[], Some("nameserver fe80::1%eth0\n")),
            (
                &["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"],
                &[],
                Some("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n"),
            ),
            (&[], &[], None),
        ] {
            let mut value = resolver(nameservers, upstream);
            value.search = vec!["dns.podman".to_owned()];
            facts.resolver = Fact::Observed(value);
            assert_eq!(facts.pod_resolver_file().as_deref(), file, "{nameservers:?}");
        }
    }

    #[test]
    fn the_default_interface_is_that_of_the_least_metric() {
        let route = |metric, interface: &str| Route {
            destination: "0.0.0.0/0".parse().unwrap(),
            kind: "unicast".to_owned(),
            gateway: None,
            interface: Some(interface.to_owned()),
            metric,
        };
        let interface = |name: &str, mtu, address: &str| Interface {
            name: name.to_owned(),
            mtu,
            addresses: vec![address.parse().unwrap()],
            ..Interface::default()
        };
        let network = Network {
            interfaces: vec![
                interface("wlan0", 1400, "10.1.0.2/24"),
                interface("end0", 1500, "10.2.0.2/24"),
            ],
            routes: vec![route(600, "wlan0"), route(100, "end0")],
        };
        assert_eq!(
            network.default_interface().map(|found| found.name.as_str()),
            Some("end0")
        );
        assert_eq!(network.mtu_of("10.1.0.2".parse().unwrap()), Some(1400));
        assert_eq!(network.mtu_of("10.1.0.3".parse().unwrap()), None);
    }
}
