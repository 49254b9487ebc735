//! Rules about addresses, routes, ports, names and firewalls.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Subject;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{Guards, Protocol};
use crate::packet_size;
use crate::site::{Calico, Datastore, Encapsulation, Role};

/// Interfaces that Calico and kube-proxy make, and the loopback: their networks are no obstacle.
const OWN_INTERFACES: [&str; 6] = [
    "lo",
    "cali",
    "vxlan.calico",
    "tunl0",
    "wireguard.cali",
    "kube-ipvs0",
];

/// Ports that a cluster listens on: protocol, port, who, and whether control planes only.
const PORTS: [(Protocol, u16, &str, bool); 11] = [
    (Protocol::Tcp, 2379, "etcd", true),
    (Protocol::Tcp, 2380, "etcd", true),
    (Protocol::Tcp, 2381, "etcd", true),
    (Protocol::Tcp, 10257, "the controller manager", true),
    (Protocol::Tcp, 10259, "the scheduler", true),
    (Protocol::Tcp, 9099, "Calico", false),
    (Protocol::Tcp, 10248, "the kubelet", false),
    (Protocol::Tcp, 10249, "kube-proxy", false),
    (Protocol::Tcp, 10250, "the kubelet", false),
    (Protocol::Tcp, 10256, "kube-proxy", false),
    (Protocol::Udp, VXLAN_PORT, "VXLAN", false),
];
const VXLAN_PORT: u16 = 4789;
const WIREGUARD_PORT: u16 = 51820;

fn is_own(interface: &str) -> bool {
    OWN_INTERFACES
        .iter()
        .any(|own| interface == *own || (*own == "cali" && interface.starts_with("cali")))
}

pub(super) fn overlaps(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let network = &subject.facts.network;
    if network.is_assumed() {
        return;
    }
    let mut known: Vec<(Ipv4Net, String)> = Vec::new();
    for interface in network
        .interfaces
        .iter()
        .filter(|interface| !is_own(&interface.name))
    {
        for address in &interface.addresses {
            if let IpNet::V4(net) = address {
                known.push((*net, format!("interface {} has {net}", interface.name)));
            }
        }
    }
    for route in network
        .routes
        .iter()
        .filter(|route| !matches!(route.kind.as_str(), "blackhole" | "unreachable" | "prohibit"))
    {
        let interface = route.interface.as_deref().unwrap_or_default();
        if let IpNet::V4(net) = route.destination
            && net.prefix_len() > 0
            && !is_own(interface)
        {
            known.push((net, format!("a route leads to {net} by {interface}")));
        }
    }
    let site = subject.site.network();
    for (what, wanted, place) in [
        ("pod", site.pods(), site.pods_place()),
        ("service", site.services(), site.services_place()),
    ] {
        let evidence: BTreeSet<&str> = known
            .iter()
            .filter(|(net, _)| net.contains(&wanted) || wanted.contains(net))
            .map(|(_, text)| text.as_str())
            .collect();
        if evidence.is_empty() {
            continue;
        }
        let message = format!(
            "the {what} network {wanted} overlaps with a network that {} knows",
            subject.name()
        );
        let mut problem = subject
            .error("IEC1831", message)
            .hint("choose another network in the site file");
        if place.is_some() {
            problem = problem.at(place);
        }
        problems.push(
            evidence
                .into_iter()
                .fold(problem, |problem, line| problem.evidence(line)),
        );
    }
}

pub(super) fn node_address(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let network = &subject.facts.network;
    let wanted = subject.host.node_address();
    if network.is_assumed() || network.interface_of(IpAddr::V4(wanted)).is_some() {
        return;
    }
    let addresses = network
        .interfaces
        .iter()
        .filter(|interface| !is_own(&interface.name))
        .flat_map(|interface| {
            let v4 = interface
                .addresses
                .iter()
                .filter(|address| address.addr().is_ipv4());
            v4.map(move |address| format!("{} on {}", address.addr(), interface.name))
        });
    problems.push(
        subject
            .error("IEC1832", format!("no interface of {} has its node address {wanted}", subject.name()))
            .evidence(format!("it has {}", addresses.collect::<Vec<_>>().join(", ")))
            .hint("write one of these as `nodeAddress`: where the host is behind address translation, `address` is not its own"),
    );
}

/// The MTU of an interface of which nobody has said more.
const USUAL_MTU: u32 = 1500;

/// Whether the packets of pods pass the host's interface, with the header that they get between hosts.
pub(super) fn packet_size(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let Some(calico) = subject.site.network().cni().calico() else {
        return;
    };
    let Some(wanted) = calico.mtu().map(u32::from) else {
        return;
    };
    let overhead = calico.overhead();
    let network = &subject.facts.network;
    let node_address = IpAddr::V4(subject.host.node_address());
    let interface = network
        .interface_of(node_address)
        .filter(|_| !network.is_assumed());
    let has = interface.map_or(USUAL_MTU, |interface| interface.mtu);
    let fitting = has.saturating_sub(overhead);
    if wanted <= fitting || (interface.is_none() && !network.is_assumed()) {
        return;
    }
    let name = subject.name();
    let message =
        format!("`mtu` of Calico is {wanted}, more than the {fitting} bytes that {name} can send for a pod");
    let problem = match interface {
        // Between hosts of one subnet packets go as they are.
        Some(_) if calico.encapsulation() == Encapsulation::VxlanCrossSubnet && wanted <= has => {
            subject.warning("IEC1839", message)
        }
        Some(_) => subject.error("IEC1839", message),
        None => subject.warning("IEC1839", message),
    };
    let evidence = match interface {
        Some(interface) => format!("{} takes {has}, VXLAN {overhead} of them", interface.name),
        None => format!("nobody looked: most interfaces take {has}, VXLAN {overhead} of them"),
    };
    problems.push(
        problem
            .evidence(evidence)
            .hint(format!("remove `mtu`, or write at most {fitting}")),
    );
}

/// Links keep the packet size that they were made with.
pub(super) fn kept_packet_size(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let network = &subject.facts.network;
    let Some(wanted) = packet_size::of_pods(subject.site, subject.all).filter(|_| !network.is_assumed())
    else {
        return;
    };
    let links = packet_size::kept_links(subject.facts, wanted);
    if links.is_empty() || !subject.is_known() {
        return;
    }
    problems.push(
        subject
            .warning(
                "IEC1847",
                format!(
                    "the site gives pods packets of {wanted} bytes, and on {} some keep another size",
                    subject.name()
                ),
            )
            .evidence(packet_size::in_words(&links))
            .hint("`iec apply` gives it to Calico and to new pods; restart those that were there before"),
    );
}

/// A node keeps the address by which it has joined: certificates, etcd and the other hosts know it by that one.
pub(super) fn moved_node(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let cluster = &subject.facts.cluster;
    let wanted = subject.host.node_address();
    let moved = |found: &IpAddr| *found != IpAddr::V4(wanted);
    let Some(found) = cluster.node_address.filter(moved) else {
        return;
    };
    if cluster.is_assumed() || !subject.is_known() {
        return;
    }
    let name = subject.name();
    let hint = if subject.is_control_plane() {
        format!(
            "write `nodeAddress: {found}` again; only a site that was reset can have its control plane elsewhere"
        )
    } else {
        format!(
            "write `nodeAddress: {found}` again; or let the host leave (`state: absent` and `iec apply`), and join with the new address"
        )
    };
    problems.push(
        subject
            .error(
                "IEC1838",
                format!("{name} has joined as {found}, and the site now gives it the node address {wanted}"),
            )
            .evidence("--node-ip in /var/lib/kubelet/kubeadm-flags.env")
            .hint(hint),
    );
}

pub(super) fn ports(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let listeners = &subject.facts.listeners;
    if listeners.is_assumed() || subject.is_known() {
        return;
    }
    let control_plane = subject.is_control_plane();
    let vxlan = subject
        .site
        .network()
        .cni()
        .calico()
        .is_some_and(|calico| calico.encapsulation() != Encapsulation::None);
    let api = (
        Protocol::Tcp,
        subject.site.control_plane().endpoint().port(),
        "the API server",
        true,
    );
    let etcd = Datastore::ETCD_PORTS.map(|port| (Protocol::Tcp, port, "Calico's etcd", true));
    let etcd = etcd.iter().filter(|_| subject.site.network().has_calico_etcd());
    let wireguard = (Protocol::Udp, WIREGUARD_PORT, "Calico's WireGuard", false);
    let calico = subject.site.network().cni().calico();
    let wireguard = Some(&wireguard).filter(|_| calico.is_some_and(Calico::wireguard));
    let wanted = PORTS
        .iter()
        .chain(etcd)
        .chain(wireguard)
        .chain(std::iter::once(&api));
    let here = |(_, port, _, control_plane_only): &&(Protocol, u16, &str, bool)| {
        (control_plane || !control_plane_only) && (vxlan || *port != VXLAN_PORT)
    };
    for (protocol, port, user, _) in wanted.filter(here) {
        let Some(taken) = listeners
            .iter()
            .find(|listener| listener.port == *port && listener.protocol == *protocol)
        else {
            continue;
        };
        let protocol = match protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        let process = match (&taken.process, taken.pid) {
            (Some(process), Some(pid)) => format!("{process} (process {pid})"),
            (Some(process), None) => process.clone(),
            _ => "the kernel, or a process of another container".to_owned(),
        };
        problems.push(
            subject
                .error(
                    "IEC1833",
                    format!(
                        "{protocol} port {port} of {} is taken, and {user} needs it",
                        subject.name()
                    ),
                )
                .evidence(format!("{process} listens on {}:{port}", taken.address))
                .hint("stop that program, or let it use another port"),
        );
    }
}

pub(super) fn hostname(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let identity = &subject.facts.identity;
    let found = identity.hostname.split('.').next().unwrap_or_default();
    if identity.is_assumed() || found == subject.name() {
        return;
    }
    problems.push(
        subject
            .warning("IEC1834", format!("the host that the site calls {} calls itself {}", subject.name(), identity.hostname))
            .evidence("`uname -n`")
            .hint("its node gets the site's name (the kubelet is told so); rename one of them if that confuses people"),
    );
}

pub(super) fn firewall(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let guards = &subject.facts.guards;
    let active: Vec<&str> = [("ufw", guards.ufw), ("firewalld", guards.firewalld)]
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| name)
        .collect();
    if guards.is_assumed() || active.is_empty() {
        return;
    }
    let message = format!(
        "a firewall is on at {}, and may cut pods and hosts off from each other",
        subject.name()
    );
    let problem = subject
        .warning("IEC1835", message)
        .evidence(format!("active: {}", active.join(", ")));
    problems.push(with_chains(problem, guards).hint(openings(subject)));
}

/// Chains that end what no rule of theirs allows: nobody can read from them what their rules allow, so it is told.
pub(super) fn closed_chains(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let guards = &subject.facts.guards;
    if guards.is_assumed() || guards.closed_chains.is_empty() || guards.ufw || guards.firewalld {
        return;
    }
    let message = format!(
        "the packet filter of {} ends what none of its rules allows, and may cut pods and hosts off from each other",
        subject.name()
    );
    let problem = subject.warning("IEC1840", message);
    problems.push(with_chains(problem, guards).hint(openings(subject)));
}

fn with_chains(problem: Diagnostic, guards: &Guards) -> Diagnostic {
    let chains = guards.closed_chains.iter().map(ToString::to_string);
    chains.fold(problem, Diagnostic::evidence)
}

/// What a firewall of this host must let pass.
fn openings(subject: &Subject<'_>) -> String {
    let network = subject.site.network();
    let api = subject.site.control_plane().endpoint().port();
    let mut ports = vec!["10250/tcp".to_owned(), "30000:32767/tcp".to_owned()];
    if subject.host.role() == Role::ControlPlane {
        ports.insert(0, format!("{api}/tcp"));
        if network.has_calico_etcd() {
            ports.insert(1, format!("{}/tcp", Datastore::ETCD_PORTS[0]));
            if subject.site.control_planes().count() > 1 {
                ports.insert(2, format!("{}/tcp", Datastore::ETCD_PORTS[1]));
            }
        }
    }
    let calico = network.cni().calico();
    if calico.is_some_and(|calico| calico.encapsulation() != Encapsulation::None) {
        ports.push(format!("{VXLAN_PORT}/udp"));
    }
    if subject.is_control_plane() && subject.site.control_plane().virtual_address().is_some() {
        ports.push("IP protocol 112 (VRRP)".to_owned());
    }
    format!(
        "open {} for the site's hosts, and all from {}; allow forwarding for {} and {}; or switch the firewall off and use network policies",
        ports.join(", "),
        network.pods(),
        network.pods(),
        network.services()
    )
}

pub(super) fn default_route(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let network = &subject.facts.network;
    if network.is_assumed() || network.default_route().is_some() {
        return;
    }
    problems.push(
        subject
            .warning("IEC1836", format!("{} has no default route, so its own programs cannot reach services", subject.name()))
            .evidence("`ip -4 route show` has no `default`")
            .hint("a route to nowhere does: `ip route add default via ADDRESS` with any address of a network of the host"),
    );
}

pub(super) fn network_manager(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let guards = &subject.facts.guards;
    if guards.is_assumed() || !guards.network_manager {
        return;
    }
    problems.push(
        subject
            .warning("IEC1837", format!("NetworkManager on {} may take Calico's interfaces for its own", subject.name()))
            .evidence("NetworkManager.service is active")
            .hint("write `[keyfile]` and `unmanaged-devices=interface-name:cali*;interface-name:vxlan.calico` into /etc/NetworkManager/conf.d/calico.conf, then `nmcli general reload`"),
    );
}
