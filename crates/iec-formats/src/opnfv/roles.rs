//! Which node of descriptors becomes the control plane.

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::site::Role;

use super::idf::Idf;
use super::pdf::{Pdf, PdfNode};
use super::wanted::{HostChoice, Wanted, choice_of};

/// Roles that make a node a control plane, old and new.
const CONTROL_PLANE: [&str; 4] = ["kube-master", "kube_control_plane", "control-plane", "master"];

/// What each host is to be. IEC installs one control plane: the first one that is named, else the first node.
pub(super) fn roles(
    pdf: &Pdf,
    idf: &Idf,
    names: &[String],
    wanted: &Wanted<'_>,
    problems: &mut Diagnostics,
) -> Vec<Role> {
    let asked = |index: usize, node: &PdfNode| match choice_of(node, &names[index], wanted) {
        Some(HostChoice { role: Some(role), .. }) => role == Role::ControlPlane,
        _ => idf.roles.get(&node.name.value).is_some_and(|roles| {
            let mut roles = roles.value.iter();
            roles.any(|role| CONTROL_PLANE.contains(&role.as_str()))
        }),
    };
    let control_planes: Vec<usize> = (0..pdf.nodes.len())
        .filter(|index| asked(*index, &pdf.nodes[*index]))
        .collect();
    let chosen = control_planes.first().copied().unwrap_or(0);
    let note = match control_planes.len() {
        0 => "no node has the role of a control plane".to_owned(),
        1 => return roles_with(chosen, pdf.nodes.len()),
        count => format!("{count} nodes have the role of a control plane, IEC installs one"),
    };
    if let Some(name) = names.get(chosen) {
        let problem = Diagnostic::warning(
            "IEC0819",
            format!("{name} becomes the control plane, the others workers"),
        );
        problems.push(problem.at(&pdf.nodes_place.head()).evidence(note).hint(format!(
            "type --host {name}=ADDRESS:control-plane to choose, or change `role` in the site file"
        )));
    }
    roles_with(chosen, pdf.nodes.len())
}

fn roles_with(control_plane: usize, count: usize) -> Vec<Role> {
    let role = |index| {
        if index == control_plane {
            Role::ControlPlane
        } else {
            Role::Worker
        }
    };
    (0..count).map(role).collect()
}
