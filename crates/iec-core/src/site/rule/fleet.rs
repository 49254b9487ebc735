//! Rules about all hosts together: no two alike, and a control plane that can agree with itself.

use std::collections::BTreeMap;

use super::counted;
use super::host::Seen;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::site::Role;

/// How many control planes this version of IEC can install.
/// More voters make each change of the cluster slower, and five survive the loss of two
/// (<https://etcd.io/docs/v3.6/faq/#what-is-maximum-cluster-size>).
const SUPPORTED_CONTROL_PLANES: usize = 5;

/// The port of an SSH server for which nobody names one.
const USUAL_PORT: u16 = 22;

/// Reports names and addresses that two hosts share. `usual_port` is that of hosts that have none of their own.
pub(in crate::site) fn check_unique(hosts: &[Seen<'_>], usual_port: Option<u16>, problems: &mut Diagnostics) {
    let names = hosts
        .iter()
        .filter_map(|host| host.name.as_ref().map(|(name, place)| (name.to_string(), *place)));
    report_repeated(names, problems, |name| {
        Diagnostic::error("IEC0201", format!("two hosts are called `{name}`"))
            .hint("give each host a name of its own")
    });
    // A host that is gone for good may have left its address to its successor.
    let reachable = || hosts.iter().filter(|host| host.unreachable != Some(true));
    let addresses = reachable().filter_map(|host| {
        let (address, place) = host.address?;
        let port = host.port.flatten().or(usual_port).unwrap_or(USUAL_PORT);
        Some(((address, port), place))
    });
    report_repeated(addresses, problems, |(address, _)| {
        Diagnostic::error("IEC0202", format!("two hosts have the address {address}")).hint(
            "correct one of them; behind one address, give each host a `port` and a `nodeAddress` of its own",
        )
    });
    let node_addresses = reachable().filter_map(|host| host.node_address);
    let mut repeated = Diagnostics::new();
    report_repeated(node_addresses, &mut repeated, |address| {
        Diagnostic::error("IEC0203", format!("two hosts have the node address {address}"))
            .hint("correct one of them; nodes find each other by this address")
    });
    // A node address that is only the default repeats the address, which has been reported already.
    let reported = |problem: &Diagnostic| {
        problems
            .iter()
            .any(|known| known.code == "IEC0202" && known.place == problem.place)
    };
    let new: Vec<Diagnostic> = repeated
        .into_iter()
        .filter(|problem| !reported(problem))
        .collect();
    problems.extend(new);
}

/// Reports each value that was there before, with the place of the first.
fn report_repeated<'s, T: Ord>(
    values: impl Iterator<Item = (T, &'s Place)>,
    problems: &mut Diagnostics,
    problem: impl Fn(&T) -> Diagnostic,
) {
    let mut first: BTreeMap<T, &Place> = BTreeMap::new();
    for (value, place) in values {
        match first.get(&value) {
            Some(earlier) => problems.push(problem(&value).at(place).label(*earlier, "the first one")),
            None => {
                first.insert(value, place);
            }
        }
    }
}

/// Whether the control planes can be installed, and can agree with themselves.
///
/// `complete` says that every entry of the list of hosts could be read; else nothing is counted.
pub(in crate::site) fn check_quorum(
    hosts: &[Seen<'_>],
    complete: bool,
    schedulable: Option<bool>,
    place: &Place,
    problems: &mut Diagnostics,
) {
    if !complete
        || hosts
            .iter()
            .any(|host| host.role.is_none() || host.state.is_none())
    {
        return;
    }
    if hosts.is_empty() {
        let problem = Diagnostic::error("IEC0208", "the site has no hosts").at(place);
        problems.push(problem.hint("add at least one host with `role: control-plane`"));
        return;
    }
    let control_planes = present(hosts, Role::ControlPlane).count();
    if let Some(problem) = count_problem(control_planes, hosts) {
        let second = present(hosts, Role::ControlPlane)
            .nth(1)
            .map_or_else(|| place.head(), |host| host.place.clone());
        problems.push(problem.at(&second));
        return;
    }
    if let Some(schedulable) = schedulable {
        check_room(hosts, schedulable, place, problems);
    }
}

/// The hosts of this role that should be part of the cluster.
pub(super) fn present<'h, 's>(hosts: &'h [Seen<'s>], role: Role) -> impl Iterator<Item = &'h Seen<'s>> {
    hosts
        .iter()
        .filter(move |host| host.is_present() && host.role == Some(role))
}

/// Whether a pod without tolerations finds a host, such as those of the cluster's DNS on a site that has no worker.
fn check_room(hosts: &[Seen<'_>], schedulable: bool, place: &Place, problems: &mut Diagnostics) {
    let candidates = || {
        hosts
            .iter()
            .filter(|host| host.is_present() && (schedulable || host.role == Some(Role::Worker)))
    };
    if candidates().any(|host| !matches!(host.closed_by, Some(Some(_)))) {
        return;
    }
    let closed: Vec<_> = candidates()
        .filter_map(|host| Some((host, host.closed_by.as_ref()?.as_ref()?)))
        .collect();
    let Some((_, (_, first))) = closed.first() else {
        problems.push(
            Diagnostic::error(
                "IEC0212",
                "no host may run workloads: there is no worker, and control planes are not schedulable",
            )
            .at(&place.head())
            .hint("add a worker, or remove `schedulable: false`"),
        );
        return;
    };
    let besides = if schedulable {
        ""
    } else {
        ", and control planes are not schedulable"
    };
    let mut problem = Diagnostic::error(
        "IEC0212",
        format!("no host may run workloads: taints keep them away{besides}"),
    )
    .at(*first)
    .hint("leave one host without a taint of NoSchedule or NoExecute, or write `PreferNoSchedule`");
    for (host, (taint, place)) in closed.iter().take(4) {
        problem = problem.label(*place, format!("{} has {taint}", host.called()));
    }
    problems.push(problem);
}

fn count_problem(control_planes: usize, hosts: &[Seen<'_>]) -> Option<Diagnostic> {
    let problem = refused_control_planes(control_planes)?;
    let gone = hosts.iter().any(|host| host.role == Some(Role::ControlPlane));
    Some(if control_planes == 0 && gone {
        problem.hint("to take the whole site back, run `iec reset`")
    } else {
        problem
    })
}

/// How many control planes a site gets where somebody has so many: etcd gains nothing by an even one, nor by more than five.
#[must_use]
pub fn fitting_control_planes(wanted: usize) -> usize {
    let odd = wanted.saturating_sub(usize::from(wanted.is_multiple_of(2)));
    odd.clamp(1, SUPPORTED_CONTROL_PLANES)
}

/// Why a site with so many control planes is refused; `None` when it is not.
#[must_use]
pub fn refused_control_planes(control_planes: usize) -> Option<Diagnostic> {
    if control_planes == 0 {
        let hint = "set `role: control-plane` on one host";
        return Some(Diagnostic::error("IEC0209", "the site has no control plane").hint(hint));
    }
    if control_planes.is_multiple_of(2) {
        let majority = control_planes / 2 + 1;
        let (tolerated, fewer) = (control_planes - majority, control_planes - 1);
        let cause = if tolerated == 0 {
            "etcd then needs both, and the loss of either stops the site, as with one".to_owned()
        } else {
            format!(
                "etcd then needs {majority} of them and survives the loss of {tolerated}, as with {fewer}"
            )
        };
        // One less may still be more than can be installed: what the hint says must be true of the next try.
        let possible = fewer.min(SUPPORTED_CONTROL_PLANES);
        let hint = match control_planes - possible {
            1 => format!(
                "make one of them a worker; {} will do the same",
                counted(possible, "control plane")
            ),
            more => format!(
                "make {more} of them workers: {} survive the loss of two",
                counted(possible, "control plane")
            ),
        };
        let message = format!("the site has {control_planes} control planes: {cause}");
        return Some(Diagnostic::error("IEC0210", message).hint(hint));
    }
    if control_planes > SUPPORTED_CONTROL_PLANES {
        let message = format!(
            "the site has {control_planes} control planes; with more than five, each change waits for too many"
        );
        let hint = format!(
            "make {} of them workers: {} survive the loss of two",
            control_planes - SUPPORTED_CONTROL_PLANES,
            counted(SUPPORTED_CONTROL_PLANES, "control plane")
        );
        return Some(Diagnostic::error("IEC0211", message).hint(hint));
    }
    None
}
