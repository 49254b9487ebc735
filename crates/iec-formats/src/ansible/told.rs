//! What is said about an inventory of which not everything could be taken over.

use std::collections::BTreeSet;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::render::ansible::{HOST_VARIABLE, SITE_VARIABLE};
use iec_core::site::printable;

use super::inventory::{Host, Inventory};
use super::letters::shown;
use super::variable::{Layers, Value};

/// Variables that hold a password.
const PASSWORDS: [&str; 7] = [
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
    "ansible_ssh_private_key_passphrase",
];

/// Variables of which the site has the meaning.
const TAKEN: [&str; 15] = [
    "ansible_host",
    "ansible_ssh_host",
    "ip",
    "ansible_user",
    "ansible_ssh_user",
    "ansible_port",
    "ansible_ssh_port",
    "ansible_ssh_private_key_file",
    "ansible_private_key_file",
    "ansible_group_priority",
    "kube_pods_subnet",
    "kube_service_addresses",
    "ansible_connection",
    SITE_VARIABLE,
    HOST_VARIABLE,
];

/// As many names as a person reads.
const SHOWN: usize = 24;

/// A part of the inventory that the site does not have.
pub(super) fn left_out(message: String) -> Diagnostic {
    Diagnostic::warning("IEC0833", message).hint("keep the inventory if another tool needs it")
}

/// The file and the line, for warnings: nothing is drawn there, since a line may hold a password.
pub(super) fn line(place: &Place) -> String {
    format!("{}, line {}", place.file.escape_debug(), place.line)
}

/// Says what the site will not have.
pub(super) fn tell(
    inventory: &Inventory,
    layers: &Layers<'_>,
    control_planes: &[String],
    problems: &mut Diagnostics,
) {
    let elsewhere = inventory.members(&["etcd"]);
    let elsewhere: Vec<&str> = elsewhere
        .iter()
        .filter(|name| !control_planes.contains(name))
        .map(String::as_str)
        .collect();
    if !elsewhere.is_empty() {
        problems.push(left_out(format!(
            "{} not used for etcd: IEC runs it on control planes",
            are(&elsewhere)
        )));
    }
    let with_password: Vec<&str> = inventory
        .hosts
        .iter()
        .filter(|host| PASSWORDS.iter().any(|name| layers.variable(host, name).is_some()))
        .map(|host| host.name.as_str())
        .collect();
    if !with_password.is_empty() {
        problems.push(left_out(format!(
            "the passwords of {} are left out: IEC logs in with a key, and asks for a password of sudo",
            named(&with_password)
        )));
    }
    tell_settings(inventory, problems);
}

/// Says which hosts the site will not have: `elsewhere` those that Ansible does not reach over SSH, with how it does.
pub(super) fn tell_without(
    without_group: &[&str],
    unused_groups: &[&str],
    elsewhere: &[(&str, &str)],
    problems: &mut Diagnostics,
) {
    if !without_group.is_empty() {
        let message = format!(
            "{} left out: in no group of control planes or nodes",
            are(without_group)
        );
        let mut problem = Diagnostic::warning("IEC0833", message)
            .hint("--host NAME=ADDRESS:worker takes one in; keep the inventory if another tool needs it");
        if !unused_groups.is_empty() {
            problem = problem.evidence(format!(
                "groups of such general names do not count beside those of the cluster: {}",
                named(unused_groups)
            ));
        }
        problems.push(problem);
    }
    for (host, plugin) in elsewhere {
        let message = format!(
            "{} is left out: Ansible reaches it by `{}`, IEC logs in over SSH",
            shown(host),
            printable(plugin)
        );
        problems.push(Diagnostic::warning("IEC0833", message).hint(format!(
            "--host {}=ADDRESS takes it in, with the address of its SSH server",
            shown(host)
        )));
    }
}

/// Names the variables that are not taken over; never their values.
fn tell_settings(inventory: &Inventory, problems: &mut Diagnostics) {
    let encrypted: Vec<&str> = inventory.encrypted.iter().map(String::as_str).collect();
    if !encrypted.is_empty() {
        problems.push(left_out(format!(
            "the encrypted values of {} are left out: IEC does not ask for a passphrase of ansible-vault",
            named(&encrypted)
        )));
    }
    let others: Vec<&str> = inventory
        .settings
        .iter()
        .map(String::as_str)
        .filter(|name| !TAKEN.contains(name) && !PASSWORDS.contains(name) && !encrypted.contains(name))
        .collect();
    if !others.is_empty() {
        problems.push(left_out(format!(
            "these settings are left out, IEC does as it does without them: {}",
            named(&others)
        )));
    }
}

/// Names the values of which the site would have the meaning, but that only Ansible can work out.
pub(super) fn tell_unknown(
    hosts: &[&Host],
    layers: &Layers<'_>,
    decided: &[&str],
    problems: &mut Diagnostics,
) {
    let mut told = BTreeSet::new();
    for name in TAKEN.iter().filter(|name| !decided.contains(name)) {
        let variables = hosts.iter().filter_map(|host| layers.variable(host, name));
        for variable in variables.filter(|variable| variable.text().is_none()) {
            // Encrypted ones are told by their names; these two are mappings.
            if !matches!(variable.value, Value::Encrypted) && ![SITE_VARIABLE, HOST_VARIABLE].contains(name) {
                told.insert((*name, variable.shown(name)));
            }
        }
    }
    for (name, shown) in told {
        let message = format!("{name} is left out: only Ansible can work out its value");
        problems.push(
            left_out(message)
                .evidence(shown)
                .hint("write it into the site file"),
        );
    }
}

/// Says which hosts that would be control planes become workers.
pub(super) fn tell_of_others(chosen: &[&str], others: &[&str], problems: &mut Diagnostics) {
    if others.is_empty() {
        return;
    }
    let count = others.len() + chosen.len();
    let are_chosen = if chosen.len() == 1 {
        "is the control plane"
    } else {
        "are the control planes"
    };
    let become_ = if others.len() == 1 {
        "becomes a worker"
    } else {
        "become workers"
    };
    problems.push(
        Diagnostic::warning(
            "IEC0819",
            format!("{} {are_chosen}, {} {become_}", named(chosen), named(others)),
        )
        .evidence(format!(
            "{count} hosts of the inventory are control planes, IEC installs one, three or five"
        ))
        .hint("change `role` in the site file to choose others"),
    );
}

fn are(names: &[&str]) -> String {
    match names {
        [one] => format!("{} is", shown(one)),
        some => format!("{} are", named(some)),
    }
}

pub(super) fn named(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
