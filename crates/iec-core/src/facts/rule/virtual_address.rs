//! Whether the address that moves between control planes can be on each of them, and nobody else has it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Subject;
use crate::diagnostic::Diagnostics;
use crate::site::rule::network::bounds;

/// The subnet of a control plane's node address must have it: elsewhere nobody would look for it on that link.
pub(super) fn subnet(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let network = &subject.facts.network;
    let Some(wanted) = subject.site.control_plane().virtual_address() else {
        return;
    };
    if network.is_assumed() || !subject.is_control_plane() {
        return;
    }
    let own = IpAddr::V4(subject.host.node_address());
    // Without one there is another complaint already.
    let Some(interface) = network.interface_of(own) else {
        return;
    };
    let subnets = interface.addresses.iter().filter_map(|address| match address {
        IpNet::V4(net) if IpAddr::V4(net.addr()) == own => Some(net.trunc()),
        _ => None,
    });
    for subnet in subnets {
        let cause = if subnet.contains(&wanted) {
            bounds(subnet)
                .and_then(|bounds| bounds.cause(wanted))
                .map(|cause| format!("which {cause}"))
        } else {
            Some(format!(
                "which is not in the subnet of {}'s node address",
                subject.name()
            ))
        };
        if let Some(cause) = cause {
            problems.push(
                subject
                    .error("IEC1849", format!("`virtualAddress` is {wanted}, {cause}"))
                    .evidence(format!("{own} is on {}, in {subnet}", interface.name))
                    .hint(
                        "give a free address of the subnet in which all control planes have their node addresses",
                    ),
            );
        }
    }
}

/// A host that is no control plane of this site, and has it.
pub(super) fn owner(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let network = &subject.facts.network;
    let Some(wanted) = subject.site.control_plane().virtual_address() else {
        return;
    };
    if network.is_assumed() || (subject.is_control_plane() && subject.is_known()) {
        return;
    }
    if let Some(interface) = network.interface_of(IpAddr::V4(wanted)) {
        let message = format!(
            "{} has {wanted}, the site's `virtualAddress`, already",
            subject.name()
        );
        problems.push(
            subject
                .error("IEC1850", message)
                .evidence(format!("it is on {}", interface.name))
                .hint("give a free address as `virtualAddress`, or take it off that host"),
        );
    }
}
