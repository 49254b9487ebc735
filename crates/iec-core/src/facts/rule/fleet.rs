//! Rules that compare the hosts of a site with each other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Subject;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Clocks further apart than this (in milliseconds) are worth a word: events and leases get out of order.
const APART_MILLIS: i64 = 5_000;
/// Kubernetes dates its certificates back by five minutes; beyond that a new one is not valid on a host behind.
const TOO_FAR_APART_MILLIS: i64 = 240_000;

pub(super) fn machine_ids(subjects: &[Subject<'_>], problems: &mut Diagnostics) {
    let mut hosts: BTreeMap<&str, Vec<&Subject<'_>>> = BTreeMap::new();
    for subject in subjects
        .iter()
        .filter(|subject| !subject.facts.identity.is_assumed())
    {
        hosts
            .entry(subject.facts.identity.machine_id.as_str())
            .or_default()
            .push(subject);
    }
    for (id, same) in hosts {
        let cure = "on all but one, run `rm /etc/machine-id && systemd-machine-id-setup`, then reboot";
        if id.is_empty() {
            for subject in same {
                problems.push(
                    subject
                        .error("IEC1871", format!("{} has no machine-id", subject.name()))
                        .evidence("/etc/machine-id is empty or missing")
                        .hint("run `systemd-machine-id-setup`, then reboot"),
                );
            }
        } else if same.len() > 1 {
            let message = format!(
                "{} have the same machine-id, as clones of one image do",
                names(&same)
            );
            problems.push(
                with_labels(same[0].error("IEC1871", message), &same)
                    .evidence(id)
                    .hint(cure),
            );
        }
    }
}

pub(super) fn hardware_addresses(subjects: &[Subject<'_>], problems: &mut Diagnostics) {
    let mut hosts: BTreeMap<&str, Vec<&Subject<'_>>> = BTreeMap::new();
    for subject in subjects
        .iter()
        .filter(|subject| !subject.facts.network.is_assumed())
    {
        let interface = subject
            .facts
            .network
            .interface_of(IpAddr::V4(subject.host.node_address()));
        if let Some(mac) = interface.and_then(|interface| interface.mac.as_deref()) {
            hosts.entry(mac).or_default().push(subject);
        }
    }
    for (mac, same) in hosts.into_iter().filter(|(_, same)| same.len() > 1) {
        problems.push(
            with_labels(
                same[0].error(
                    "IEC1872",
                    format!("{} have the same hardware address", names(&same)),
                ),
                &same,
            )
            .evidence(mac)
            .hint("give each machine its own, as one network cannot hold two of the same"),
        );
    }
}

/// An address that the site gives to one host and that another one has.
pub(super) fn foreign_addresses(subjects: &[Subject<'_>], problems: &mut Diagnostics) {
    for owner in subjects {
        for other in subjects
            .iter()
            .filter(|other| other.name() != owner.name() && !other.facts.network.is_assumed())
        {
            for address in [owner.host.address(), owner.host.node_address()] {
                let Some(interface) = other.facts.network.interface_of(IpAddr::V4(address)) else {
                    continue;
                };
                problems.push(
                    owner
                        .error(
                            "IEC1873",
                            format!(
                                "{address}, the address of {}, is on {} too",
                                owner.name(),
                                other.name()
                            ),
                        )
                        .label(other.host.place(), "the other host")
                        .evidence(format!("interface {} of {}", interface.name, other.name()))
                        .hint("give each host an address of its own"),
                );
            }
        }
    }
}

pub(super) fn clocks(subjects: &[Subject<'_>], problems: &mut Diagnostics) {
    let skews = subjects
        .iter()
        .filter_map(|subject| Some((subject.facts.clock.skew_millis?, subject)));
    let mut skews: Vec<(i64, &Subject<'_>)> = skews.collect();
    skews.sort_by_key(|(skew, _)| *skew);
    let (Some((least, behind)), Some((most, ahead))) = (skews.first(), skews.last()) else {
        return;
    };
    let apart = most.saturating_sub(*least);
    if apart <= APART_MILLIS {
        return;
    }
    let message = format!(
        "the clocks of {} and {} are {} s apart",
        behind.name(),
        ahead.name(),
        apart / 1000
    );
    let problem = if apart > TOO_FAR_APART_MILLIS {
        behind.error("IEC1853", message)
    } else {
        behind.warning("IEC1853", message)
    };
    let problem = problem.label(ahead.host.place(), "the other host").hint(
        "let a time service keep all of them; certificates are not valid on a host whose clock is behind",
    );
    problems.push(skews.iter().fold(problem, |problem, (skew, subject)| {
        let sign = if *skew < 0 { '-' } else { '+' };
        let millis = skew.unsigned_abs();
        problem.evidence(format!(
            "{}: {sign}{}.{:03} s from this machine",
            subject.name(),
            millis / 1000,
            millis % 1000
        ))
    }));
}

fn names(subjects: &[&Subject<'_>]) -> String {
    subjects
        .iter()
        .map(|subject| subject.name())
        .collect::<Vec<_>>()
        .join(" and ")
}

fn with_labels(problem: Diagnostic, subjects: &[&Subject<'_>]) -> Diagnostic {
    subjects.iter().skip(1).fold(problem, |problem, subject| {
        problem.label(subject.host.place(), subject.name())
    })
}
