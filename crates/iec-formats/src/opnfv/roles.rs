//! Which nodes of descriptors become control planes.

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::site::{Role, fitting_control_planes};

use super::idf::Idf;
use super::pdf::{Pdf, PdfNode};
use super::wanted::{HostChoice, Wanted, choice_of};

/// Roles that make a node a control plane, old and new.
const CONTROL_PLANE: [&str; 4] = ["kube-master", "kube_control_plane", "control-plane", "master"];

/// What each host is to be: the first ones that are named are control planes, as many as make sense, else the first node.
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
    let fitting = fitting_control_planes(control_planes.len()).min(control_planes.len());
    let note = match control_planes.len() {
        0 => "no node has the role of a control plane".to_owned(),
        count if count == fitting => return roles_with(&control_planes, pdf.nodes.len()),
        count => {
            format!("{count} nodes have the role of a control plane, IEC installs one, three or five")
        }
    };
    let first = [0];
    let chosen = control_planes
        .get(..fitting)
        .filter(|chosen| !chosen.is_empty())
        .unwrap_or(&first);
    let chosen_names: Vec<&str> = chosen
        .iter()
        .filter_map(|index| names.get(*index))
        .map(String::as_str)
        .collect();
    if let [name, more @ ..] = chosen_names.as_slice() {
        let become_ = if more.is_empty() {
            "becomes the control plane"
        } else {
            "become control planes"
        };
        let problem = Diagnostic::warning(
            "IEC0819",
            format!("{} {become_}, the others workers", chosen_names.join(", ")),
        );
        problems.push(problem.at(&pdf.nodes_place.head()).evidence(note).hint(format!(
            "type --host {name}=ADDRESS:control-plane to choose, or change `role` in the site file"
        )));
    }
    roles_with(chosen, pdf.nodes.len())
}

fn roles_with(control_planes: &[usize], count: usize) -> Vec<Role> {
    let role = |index| {
        if control_planes.contains(&index) {
            Role::ControlPlane
        } else {
            Role::Worker
        }
    };
    (0..count).map(role).collect()
}
