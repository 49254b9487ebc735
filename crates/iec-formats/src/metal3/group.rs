//! Hosts that are configured alike: what one template of machines can stand for.

use iec_core::plan::HostPart;
use iec_core::plan::kubeadm::PATCHES;
use iec_core::render::Subject;
use iec_core::site::Role;
use serde_json::{Value, json};

use super::kubeadm;
use super::network::{HostNetwork, Shape};
use crate::header::Description;
use crate::machine::Machine;

/// Hosts that one template of machines stands for.
pub(super) struct Group<'a> {
    /// What it is called: `control-plane`, `worker`, `worker-2`.
    pub(super) name: String,
    /// The hosts, in the order of the site; at least one.
    pub(super) members: Vec<Member<'a>>,
}

/// A host of a group.
pub(super) struct Member<'a> {
    /// What is to be done on it.
    pub(super) part: &'a HostPart,
    /// What it is made of.
    pub(super) machine: &'a Machine<'a>,
    /// Its cards, where the site says enough of them to configure them.
    pub(super) network: Option<HostNetwork>,
}

/// The groups, that of the control planes first. Control planes are one group however they differ: Cluster API has one
/// template for them.
pub(super) fn groups<'a>(
    subject: &Subject<'a>,
    machines: &'a [Machine<'a>],
    description: &mut Description<'_>,
) -> Vec<Group<'a>> {
    let (mut control_planes, mut workers): (Vec<Member<'a>>, Vec<(Value, Vec<Member<'a>>)>) =
        (Vec::new(), Vec::new());
    for part in &subject.plan.hosts {
        let Some(machine) = machines.iter().find(|machine| machine.host.name() == &part.host) else {
            continue;
        };
        let network = HostNetwork::of(subject, machine, description);
        let member = Member {
            part,
            machine,
            network,
        };
        match part.role {
            Role::ControlPlane => control_planes.push(member),
            Role::Worker => {
                let alike = alike(&member);
                match workers.iter_mut().find(|(known, _)| *known == alike) {
                    Some((_, members)) => members.push(member),
                    None => workers.push((alike, vec![member])),
                }
            }
        }
    }
    with_one_network(&mut control_planes, description);
    let one = workers.len() == 1;
    let name = |index: usize| match one {
        true => "worker".to_owned(),
        false => format!("worker-{}", index + 1),
    };
    let workers = workers
        .into_iter()
        .enumerate()
        .map(|(index, (_, members))| Group {
            name: name(index),
            members,
        });
    let control_planes = Group {
        name: "control-plane".to_owned(),
        members: control_planes,
    };
    let groups = std::iter::once(control_planes).chain(workers);
    groups.filter(|group| !group.members.is_empty()).collect()
}

/// What hosts of a group have in common: what kubeadm is told on them, the patches of their kubelets, the image that they
/// need, and how their cards are connected.
fn alike(member: &Member<'_>) -> Value {
    let patches: Vec<&str> = member
        .part
        .texts()
        .filter(|(_, file, _)| file.path.starts_with(PATCHES))
        .map(|(.., text)| text)
        .collect();
    let machine = member.machine;
    let architecture = machine.architecture.map(|known| known.to_string());
    let shape = member.network.as_ref().map(|network| network.shape.document());
    json!([
        kubeadm::join(member.part),
        patches,
        architecture,
        machine.distribution,
        shape
    ])
}

/// Leaves the cards of hosts that share a template and are connected differently to their image.
fn with_one_network(members: &mut [Member<'_>], description: &mut Description<'_>) {
    let shape = |member: &Member<'_>| member.network.as_ref().map(|network| network.shape.clone());
    let first = members.first().and_then(shape);
    if members.iter().any(|member| shape(member) != first) {
        description.note("the cards of control planes get their addresses by DHCP or by the image: they are connected differently, and Cluster API has one template for all of them");
        for member in members {
            member.network = None;
        }
    }
}

impl Group<'_> {
    /// Whether these are the control planes.
    pub(super) fn is_control_plane(&self) -> bool {
        self.members
            .first()
            .is_some_and(|member| member.part.role == Role::ControlPlane)
    }

    /// How the cards of its hosts are connected, where the site says it.
    pub(super) fn shape(&self) -> Option<&Shape> {
        let network = self.members.first()?.network.as_ref()?;
        Some(&network.shape)
    }

    /// Whether a host of it has labels.
    pub(super) fn has_labels(&self) -> bool {
        let mut members = self.members.iter();
        members.any(|member| !member.machine.host.labels().is_empty())
    }
}
