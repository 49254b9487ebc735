//! Whether two descriptors fit each other, and each machine and network of them the others.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::site::Inside;
use iec_core::site::printable;
use iec_core::site::{Facility, MacAddress};
use iec_core::site::{outside_networks, repeated_mac};
use ipnet::Ipv4Net;

use super::Dialect;
use super::form::deviation;
use super::idf::{Idf, IdfNetwork};
use super::pdf::{Pdf, PdfNode};

/// Reports lists of the IDF that are in the order of the PDF's nodes and have another length.
pub(super) fn counts(pdf: &Pdf, idf: &Idf, problems: &mut Diagnostics) {
    let nodes = pdf.nodes.len();
    for (way, count, place) in idf.counts.iter().filter(|(_, count, _)| *count != nodes) {
        let message = format!("`{way}` has {count} items, but the Pod Descriptor File has {nodes} nodes");
        problems.push(
            Diagnostic::error("IEC0815", message)
                .at(&place.head())
                .label(&pdf.nodes_place.head(), "the nodes")
                .hint("give every node an item, in the same order; or take the descriptors of the same pod"),
        );
    }
    let known = |name: &str| {
        pdf.nodes.iter().any(|node| node.name.value == name) || is_outside_cluster(name, pdf, idf)
    };
    let roles = idf
        .roles
        .iter()
        .map(|(name, roles)| (name, &roles.place, "nodes_roles"));
    let names = idf
        .hostnames
        .iter()
        .map(|(name, given)| (name, &given.place, "hostnames"));
    for (name, place, key) in roles.chain(names).filter(|(name, ..)| !known(name)) {
        let message = format!(
            "`{key}` has the node `{}`, which the Pod Descriptor File does not have",
            printable(name)
        );
        problems.push(
            Diagnostic::error("IEC0815", message)
                .at(place)
                .label(&pdf.nodes_place.head(), "the nodes")
                .hint("correct the name, or take the descriptors of the same pod"),
        );
    }
}

/// Roles of nodes that belong to a cluster, old and new names.
const ROLES: [&str; 11] = [
    "kube-master",
    "kube-node",
    "kube_control_plane",
    "kube_node",
    "k8s-cluster",
    "k8s_cluster",
    "control-plane",
    "master",
    "worker",
    "etcd",
    "vault",
];

/// What installers call the machine that they run on.
const DEPLOYMENT_HOSTS: [&str; 6] = [
    "opnfv",
    "localhost",
    "jumphost",
    "jumpserver",
    "deployment",
    "deployer",
];

/// Whether this is the jump host or the machine that an installer runs on, neither of which is a host of the cluster.
fn is_outside_cluster(name: &str, pdf: &Pdf, idf: &Idf) -> bool {
    if pdf.nodes.iter().any(|node| node.name.value == name) {
        return false;
    }
    let is_jumphost = pdf
        .jumphost
        .as_ref()
        .is_some_and(|jumphost| jumphost.name.value == name);
    let roles = idf.roles.get(name).map(|roles| &roles.value);
    let has_other_roles = roles.is_some_and(|roles| !roles.iter().any(|role| ROLES.contains(&role.as_str())));
    is_jumphost || has_other_roles || (roles.is_none() && DEPLOYMENT_HOSTS.contains(&name))
}

/// Says which machines of the IDF do not come into the site, because they are no hosts of the cluster.
pub(super) fn outside_cluster(pdf: &Pdf, idf: &Idf, problems: &mut Diagnostics) {
    let roles = idf.roles.iter().map(|(name, roles)| (name, &roles.place));
    let names = idf.hostnames.iter().map(|(name, given)| (name, &given.place));
    let mut told: Vec<&str> = Vec::new();
    for (name, place) in roles.chain(names) {
        if told.contains(&name.as_str()) || !is_outside_cluster(name, pdf, idf) {
            continue;
        }
        told.push(name);
        let message = format!(
            "the machine `{}` is left out: it deploys the cluster and is no host of it",
            printable(name)
        );
        problems.push(
            Diagnostic::warning("IEC0817", message)
                .at(place)
                .hint("keep the descriptor if another tool needs it"),
        );
    }
}

/// Reports networks on an interface that nodes do not have.
pub(super) fn indices(pdf: &Pdf, idf: &Idf, problems: &mut Diagnostics) {
    for network in &idf.networks {
        let Some((index, place)) = network.network.interface.zip(network.interface_place.as_ref()) else {
            continue;
        };
        let lacking: Vec<&str> = pdf
            .nodes
            .iter()
            .filter(|node| node.hardware.interfaces.len() <= index)
            .map(|node| node.name.value.as_str())
            .collect();
        if lacking.is_empty() || pdf.nodes.is_empty() {
            continue;
        }
        let name = &network.network.name;
        let which = if lacking.len() == pdf.nodes.len() {
            "no node has".to_owned()
        } else {
            format!("these nodes do not have: {}", printable(&lacking.join(", ")))
        };
        let message = format!("network `{name}` is on interface {index}, which {which}");
        let hint = "interfaces are counted from 0, in the order of the Pod Descriptor File";
        let problem = Diagnostic::warning("IEC0815", message);
        problems.push(problem.at(place).hint(hint));
    }
}

/// The jump host and the nodes.
fn machines(pdf: &Pdf) -> impl Iterator<Item = &PdfNode> {
    pdf.jumphost.iter().chain(&pdf.nodes)
}

/// Reports hardware addresses that two machines share. One machine may have one twice: a card and its VLANs.
pub(super) fn hardware_addresses(pdf: &Pdf, problems: &mut Diagnostics) {
    let mut first: BTreeMap<MacAddress, (usize, &Place)> = BTreeMap::new();
    for (index, node) in machines(pdf).enumerate() {
        for mac in &node.macs {
            let (owner, earlier) = *first.entry(mac.value).or_insert((index, &mac.place));
            if owner != index {
                problems.push(repeated_mac(mac.value, &mac.place, earlier));
            }
        }
    }
}

/// Reports addresses that two machines share, and those that lie in no network.
pub(super) fn addresses(pdf: &Pdf, facility: &Facility, dialect: Dialect, problems: &mut Diagnostics) {
    let networks: Vec<Ipv4Net> = facility
        .networks
        .iter()
        .filter_map(|network| network.cidr)
        .collect();
    let mut first: BTreeMap<Ipv4Addr, (usize, &Place)> = BTreeMap::new();
    for (index, node) in machines(pdf).enumerate() {
        for given in node.addresses.iter().flatten() {
            let address = given.value.address;
            if let Some(mut problem) = outside_networks(address, &networks, &given.place) {
                problem.severity = deviation(dialect, problem.code, String::new()).severity;
                problems.push(problem);
            }
            let (owner, earlier) = *first.entry(address).or_insert((index, &given.place));
            if owner != index {
                problems.push(
                    deviation(
                        dialect,
                        "IEC0804",
                        format!("two machines have the address {address}"),
                    )
                    .at(&given.place)
                    .label(earlier, "the first one")
                    .hint("correct one of the two"),
                );
            }
        }
    }
}

/// Reports networks that are there twice, and gateways and ranges outside their network.
pub(super) fn networks(idf: &Idf, dialect: Dialect, problems: &mut Diagnostics) {
    let mut first: BTreeMap<Ipv4Net, &IdfNetwork> = BTreeMap::new();
    for given in &idf.networks {
        let network = &given.network;
        let Some(cidr) = network.cidr else { continue };
        let name = printable(&network.name);
        if let Some(place) = &given.cidr_place {
            let earlier = *first.entry(cidr).or_insert(given);
            if earlier.network.name != network.name {
                let message = format!(
                    "the networks `{}` and `{name}` are both {cidr}",
                    printable(&earlier.network.name)
                );
                let mut problem = deviation(dialect, "IEC0804", message).at(place);
                if let Some(earlier) = &earlier.cidr_place {
                    problem = problem.label(earlier, "the first one");
                }
                problems.push(problem.hint("correct one of the two, or make them one network"));
            }
        }
        // What a site would be refused for is no matter of the dialect.
        let inside = Inside {
            name: &network.name,
            gateway: network.gateway.zip(given.gateway_place.as_ref()),
            range: network.range.zip(given.range_place.as_ref()),
        };
        inside.check(cidr, "`network` or `mask`", problems);
    }
}
