//! How Ansible reaches a host: the options of its SSH plugin, as far as an inventory and `ansible.cfg` say them.

use std::net::Ipv4Addr;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::site::printable;

use super::inventory::Host;
use super::letters::shown;
use super::literal;
use super::variable::{Layers, Variable};

/// The variables of an option; the last one counts that is there, as the plugin's documentation says.
const ADDRESS: [&str; 2] = ["ansible_host", "ansible_ssh_host"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
pub(super) const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
pub(super) const IDENTITY: [&str; 2] = ["ansible_private_key_file", "ansible_ssh_private_key_file"];

/// The variable that names the plugin, and the plugins that log in over SSH.
const CONNECTION: &str = "ansible_connection";
const SSH: [&str; 6] = ["ssh", "smart", "paramiko", "paramiko_ssh", "openssh", ""];

/// Kubespray's address by which the hosts of the cluster talk to each other.
const INNER: &str = "ip";

/// The port of an SSH server for which nobody names one.
const USUAL_PORT: u16 = 22;

/// The names of the variables that say where a host is.
pub(super) fn of_address() -> impl Iterator<Item = &'static str> {
    ADDRESS.into_iter()
}

/// How Ansible reaches a host that it does not reach over SSH.
pub(super) fn other_than_ssh<'i>(layers: &Layers<'i>, host: &Host) -> Option<&'i str> {
    let plugin = layers.variable(host, CONNECTION)?.text()?;
    let name = ["ansible.builtin.", "ansible.legacy."]
        .iter()
        .find_map(|collection| plugin.strip_prefix(collection))
        .unwrap_or(plugin);
    (!SSH.contains(&name)).then_some(plugin)
}

/// The address that Ansible connects to; Kubespray's `ip` where the host has a name only, which is told.
pub(super) fn address<'h>(
    layers: &Layers<'h>,
    host: &'h Host,
    name: &str,
    problems: &mut Diagnostics,
) -> Option<(&'h str, &'h Place)> {
    let called = shown(&host.name);
    let fault = |message: String, place: &Place| {
        let hint = format!("write ansible_host=ADDRESS, or iec init --host {name}=ADDRESS");
        Diagnostic::error("IEC0832", message).at(place).hint(hint)
    };
    if let Some((key, variable)) = layers.option(host, &ADDRESS) {
        let problem = match variable.text() {
            Some(text) if is_address(text) => return Some((text, &variable.place)),
            Some("") => fault(
                format!("{called} has no IPv4 address: its {key} is empty"),
                &variable.place,
            ),
            Some(text) => fault(
                format!("{called} has no IPv4 address: its {key} is {}", printable(text)),
                &variable.place,
            ),
            None => fault(
                format!("the address of {called} is known to Ansible only, which works out its {key}"),
                &variable.place,
            )
            .evidence(variable.shown(key)),
        };
        problems.push(problem);
        return None;
    }
    if is_address(&host.name) {
        return Some((&host.name, &host.place));
    }
    if let Some((inner, variable)) = given(layers, host, INNER)
        && is_address(inner)
    {
        problems.push(
            Diagnostic::warning(
                "IEC0819",
                format!(
                    "{called} has no ansible_host: IEC logs in at its {INNER}, {inner}, Ansible at its name"
                ),
            )
            .hint(format!(
                "type --host {name}=ADDRESS where that is another address"
            )),
        );
        return Some((inner, &variable.place));
    }
    problems.push(fault(
        format!("{called} has no IPv4 address: the inventory has no ansible_host for it"),
        &host.place,
    ));
    None
}

/// The address by which the hosts of the cluster talk to each other, if Kubespray has one.
pub(super) fn inner<'h>(
    layers: &Layers<'h>,
    host: &Host,
    problems: &mut Diagnostics,
) -> Option<(&'h str, &'h Place)> {
    let (text, variable) = given(layers, host, INNER)?;
    if is_address(text) {
        return Some((text, &variable.place));
    }
    let message = format!(
        "the {INNER} of {} is no IPv4 address: it is {}",
        shown(&host.name),
        printable(text)
    );
    problems.push(
        Diagnostic::error("IEC0838", message)
            .at(&variable.place)
            .hint("write an address such as 10.3.0.1, without a prefix; Kubespray's `ip` is the host's in the cluster's network"),
    );
    None
}

/// The port, unless it is the usual one or nobody but Ansible knows it.
pub(super) fn port(layers: &Layers<'_>, host: &Host, problems: &mut Diagnostics) -> Option<u16> {
    let (key, variable) = layers.option(host, &PORT)?;
    let text = variable.text()?;
    let Some(port) = literal::port(text) else {
        let is = if text.is_empty() {
            "empty".to_owned()
        } else {
            printable(text)
        };
        let message = format!("the {key} of {} is no port: it is {is}", shown(&host.name));
        problems.push(
            Diagnostic::error("IEC0838", message)
                .at(&variable.place)
                .hint("a port is a number from 1 to 65535; without one it is 22"),
        );
        return None;
    };
    (port != USUAL_PORT).then_some(port)
}

fn given<'h>(layers: &Layers<'h>, host: &Host, name: &str) -> Option<(&'h str, &'h Variable)> {
    let variable = layers.variable(host, name)?;
    Some((variable.text().filter(|text| !text.is_empty())?, variable))
}

fn is_address(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}
