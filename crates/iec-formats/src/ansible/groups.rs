//! Which hosts of an inventory are control planes and which run workloads, by the names of their groups.

use iec_core::diagnostic::{Diagnostic, Diagnostics};

use super::inventory::Inventory;
use super::letters::look_alikes;

/// Names of groups that are used with each other.
struct Family {
    control_planes: &'static [&'static str],
    nodes: &'static [&'static str],
}

/// Names that mean a cluster's hosts and nothing else: where a host is in one, no other name counts.
const SPECIFIC: [Family; 2] = [
    Family {
        control_planes: &[OWN_CONTROL_PLANES],
        nodes: &["iec_workers"],
    },
    // Kubespray's, today's and yesterday's.
    Family {
        control_planes: &["kube_control_plane", "kube-master", "kube_master"],
        nodes: &["kube_node", "kube-node"],
    },
];

/// Names that others give their clusters, and other things too.
const MASTERS: Family = Family {
    control_planes: &[
        "control_plane",
        "control_planes",
        "controlplane",
        "masters",
        "master",
    ],
    nodes: &["nodes", "node", "workers", "worker"],
};
/// Names of k3s, which any site may have for its servers.
const SERVERS: Family = Family {
    control_planes: &["servers", "server"],
    nodes: &["agents", "agent"],
};

/// The group of control planes in inventories that IEC writes; they may run workloads and are in no other group.
pub(super) const OWN_CONTROL_PLANES: &str = "iec_control_planes";

/// The hosts of a cluster, each kind in the order of its groups.
pub(super) struct Roles {
    pub(super) control_planes: Vec<String>,
    pub(super) nodes: Vec<String>,
    /// The groups of other families that have hosts, and do not count.
    pub(super) unused: Vec<&'static str>,
}

impl Roles {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let members = |groups: &[&'static str]| inventory.members(groups);
        let specific = SPECIFIC.iter().find_map(|family| {
            let control_planes = members(family.control_planes);
            let nodes = members(family.nodes);
            (!control_planes.is_empty()).then_some((control_planes, nodes, vec![family]))
        });
        let kubespray = &SPECIFIC[1];
        let (control_planes, nodes, used) = specific.unwrap_or_else(|| {
            let nodes = members(kubespray.nodes);
            let masters = members(MASTERS.control_planes);
            if !nodes.is_empty() {
                return (masters, nodes, vec![kubespray]);
            }
            let (first, second) = if masters.is_empty() {
                (&SERVERS, &MASTERS)
            } else {
                (&MASTERS, &SERVERS)
            };
            let nodes = members(first.nodes);
            if nodes.is_empty() {
                (
                    members(first.control_planes),
                    members(second.nodes),
                    vec![first, second],
                )
            } else {
                (members(first.control_planes), nodes, vec![first])
            }
        });
        let counts = |group: &str| {
            used.iter()
                .any(|family| family.control_planes.contains(&group) || family.nodes.contains(&group))
        };
        let unused = known()
            .filter(|group| !counts(group) && !members(&[group]).is_empty())
            .collect();
        Self {
            control_planes,
            nodes,
            unused,
        }
    }
}

/// Every name of a group that means something.
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    SPECIFIC
        .iter()
        .chain([&MASTERS, &SERVERS])
        .flat_map(|family| family.control_planes.iter().chain(family.nodes))
        .copied()
}

/// Says which names of groups and hosts cannot be told from others.
pub(super) fn tell_look_alikes(inventory: &Inventory, problems: &mut Diagnostics) {
    let known: Vec<&str> = known().collect();
    let groups: Vec<Diagnostic> = look_alikes("groups", inventory.groups(), &known);
    problems.extend(groups);
    problems.extend(look_alikes("hosts", inventory.hosts(), &[]));
}
