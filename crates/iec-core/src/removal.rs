//! What a run never takes back by itself, whatever the site file no longer asks for: a cluster and its data.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::journal::Recorded;
use crate::observed::{Observed, State};
use crate::plan::{HostPart, Plan};
use crate::site::{Role, Site, SiteHost};

/// The step whose undo takes a control plane away, and with it the data of etcd.
const CONTROL_PLANE: &str = "control-plane.preflight";
/// The step by which a control plane has the cluster's data.
const MEMBER: &str = "control-plane.etcd";
/// The step whose undo takes a worker's node away.
const WORKER: &str = "join.preflight";

/// Why what was found on the hosts must not be taken back by a run that keeps the site. Empty where it may.
#[must_use]
pub fn refuse(site: &Site, plan: &Plan, observed: &Observed) -> Diagnostics {
    let has = |recorded: &[Recorded], step: &str| recorded.iter().any(|one| one.step.as_str() == step);
    let mut problems = Diagnostics::default();
    for part in &plan.hosts {
        let (Some(host), Some(found)) = (site.host(&part.host), observed.hosts.get(part.host.as_str()))
        else {
            continue;
        };
        if has(&found.leftovers, CONTROL_PLANE) {
            problems.push(other_role(host, Role::ControlPlane));
        } else if has(&found.leftovers, WORKER) {
            problems.push(other_role(host, Role::Worker));
        }
    }
    for host in site.hosts() {
        let recorded = observed.leaving.get(host.name().as_str());
        let leaves = recorded.is_some_and(|recorded| has(recorded, CONTROL_PLANE));
        if leaves && !stays(plan, observed) {
            problems.push(control_plane_leaves(host));
        }
    }
    problems
}

/// Whether the cluster stays without the control planes that leave: one that stays has all of its data.
fn stays(plan: &Plan, observed: &Observed) -> bool {
    let member = |part: &&HostPart| {
        let found = observed.hosts.get(part.host.as_str());
        let step = part.steps.iter().find(|step| step.id.as_str() == MEMBER);
        step.is_some_and(|step| {
            found.is_some_and(|found| {
                let seen = found.steps.get(&step.id);
                seen.is_some_and(|seen| seen.recorded || seen.state == State::Done)
            })
        })
    };
    plan.hosts.iter().any(|part| member(&part))
}

fn other_role(host: &SiteHost, role: Role) -> Diagnostic {
    let name = host.name();
    let problem = Diagnostic::error(
        "IEC3021",
        format!(
            "{name} is a {role} of the cluster, and the site makes a {} of it",
            host.role()
        ),
    )
    .at(host.place());
    match role {
        Role::ControlPlane => problem.hint(format!(
            "give {name} the role control-plane again; where others have the cluster too, let it leave first: `state: absent`, and `iec apply`; then give it its new role"
        )),
        Role::Worker => problem.hint(
            "let it leave first: role worker with `state: absent`, and `iec apply`; then give it its new role",
        ),
    }
}

fn control_plane_leaves(host: &SiteHost) -> Diagnostic {
    Diagnostic::error(
        "IEC3022",
        format!(
            "{} is the last control plane of the cluster, and the site says that it is absent",
            host.name()
        ),
    )
    .at(host.place())
    .hint("remove `state: absent`; no other host has the cluster's data, and only `iec reset` removes them")
}
