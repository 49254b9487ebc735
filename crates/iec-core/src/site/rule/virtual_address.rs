//! Rules about the address that moves between control planes: it is nobody's own.

use std::net::Ipv4Addr;

use super::host::Seen;
use super::network;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::site::Network;
use crate::spec::Spanned;

/// The key, as a message calls it.
const KEY: &str = "virtualAddress";
/// What to do about an address that something else has.
const HINT: &str =
    "give an address of the control planes' subnet that nothing else has, and that no DHCP server hands out";

/// The address, if it can be one.
pub(in crate::site) fn virtual_address(
    given: &Spanned<String>,
    hosts: &[Seen<'_>],
    problems: &mut Diagnostics,
) -> Option<Ipv4Addr> {
    let address = network::address(given, KEY, problems)?;
    let has_it = |host: &&Seen<'_>| {
        [host.address, host.node_address]
            .into_iter()
            .flatten()
            .any(|(own, _)| own == address)
    };
    if let Some(owner) = hosts.iter().find(has_it) {
        let cause = format!(
            "it is the address of {}, and would move away from it",
            owner.called()
        );
        refuse(given, address, &cause, problems);
        return None;
    }
    Some(address)
}

/// Whether the address stays clear of the networks of the cluster. It was read before, or there is nothing to compare.
pub(in crate::site) fn check_networks(
    given: &Spanned<String>,
    network: &Network,
    problems: &mut Diagnostics,
) {
    let Ok(address) = given.value.trim().parse::<Ipv4Addr>() else {
        return;
    };
    for (key, range) in [("pods", network.pods()), ("services", network.services())] {
        if range.contains(&address) {
            let cause = format!("it is inside `{key}` {range}, where hosts look for pods and services");
            refuse(given, address, &cause, problems);
        }
    }
}

fn refuse(given: &Spanned<String>, address: Ipv4Addr, cause: &str, problems: &mut Diagnostics) {
    let message = format!("`{KEY}` cannot be {address}: {cause}");
    problems.push(Diagnostic::error("IEC0407", message).at(&given.place).hint(HINT));
}
