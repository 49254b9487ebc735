//! Hosts that do not answer, and what may not be done without them: the rest of a plan goes on.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::journal::Recorded;
use crate::name::HostName;
use crate::observed::{HostObserved, Observed, State};
use crate::plan::{HostPart, Op, Phase, Plan, Step, StepId};
use crate::site::{Role, Site};

/// A step that is left as it is, because a host does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The host that would do it.
    pub host: String,
    /// The step.
    pub step: StepId,
    /// What it does.
    pub title: String,
    /// Why it may not be done without a host that does not answer.
    pub reason: String,
}

/// The steps whose content follows from the facts of all hosts.
const CALICO: [&str; 2] = ["network.calico-manifest", "network.calico"];
/// Writes `/etc/kubernetes/admin.conf`: since then there is a cluster.
const CLUSTER: &str = "control-plane.kubeconfigs";
/// Says that a worker has joined.
const JOINED: &str = "join.preflight";
/// Says that a node of the cluster is well.
const READY: &str = "node.ready";

/// Takes out of the plan what may not be done while these hosts are silent, and gives it with the reasons. What is done
/// already is no matter. Nothing of it is taken back either.
pub fn hold(site: &Site, plan: &mut Plan, observed: &mut Observed, silent: &BTreeSet<HostName>) -> Vec<Held> {
    if silent.is_empty() {
        return Vec::new();
    }
    let silence = Silence {
        silent,
        control_planes: site
            .control_planes()
            .all(|host| silent.contains(host.name()))
            .then(|| names(site.control_planes().map(|host| host.name()))),
    };
    let mut held = Vec::new();
    for part in &mut plan.hosts {
        let Some(found) = observed.hosts.get_mut(part.host.as_str()) else {
            continue;
        };
        held.extend(silence.hold_steps(part, found));
        held.extend(silence.hold_taints(part.host.as_str(), &mut found.leftovers));
    }
    if let Some(after) = plan.after_joins.take() {
        let reason = format!("{} may still have to join by it", names(silent));
        held.extend(after.steps.iter().map(|step| held_step(step, &reason)));
    }
    if let Some(control_planes) = &silence.control_planes {
        for (host, recorded) in std::mem::take(&mut observed.leaving) {
            let reason = format!("{host} leaves the cluster first, which {control_planes} would have to do");
            let recorded = recorded.iter().filter(|recorded| recorded.leaves_something());
            held.extend(recorded.map(|recorded| held_record(&host, recorded, &reason)));
        }
    }
    held
}

struct Silence<'a> {
    silent: &'a BTreeSet<HostName>,
    /// The names of the control planes, where none of them answers.
    control_planes: Option<String>,
}

impl Silence<'_> {
    fn hold_steps(&self, part: &mut HostPart, found: &HostObserved) -> Vec<Held> {
        let mut held = Vec::new();
        part.steps.retain(|step| {
            let state = found.steps.get(&step.id).map(|found| found.state);
            let reason = match state {
                Some(State::Done) => None,
                _ => self.reason(part.role, step, found),
            };
            held.extend(reason.iter().map(|reason| held_step(step, reason)));
            reason.is_none()
        });
        held
    }

    /// Why this step needs a host that does not answer.
    fn reason(&self, role: Role, step: &Step, found: &HostObserved) -> Option<String> {
        let is_done = |id: &str| {
            let found = found.steps.get(&StepId::from_record(id));
            found.is_some_and(|found| found.state == State::Done)
        };
        let is_silent = |node: &str| self.silent.iter().any(|host| host.as_str() == node);
        match (&step.op, role, &self.control_planes) {
            (
                Op::Leave {
                    node,
                    reachable: true,
                },
                ..,
            ) if is_silent(node) => Some(format!(
                "{node} does not answer, so nothing there could end in order; where it is gone for good, \
                 `unreachable: true` says so"
            )),
            (Op::Taint { node, .. }, ..) if is_silent(node) => Some(format!("{node} does not answer")),
            _ if CALICO.contains(&step.id.as_str()) && is_done(CLUSTER) => Some(format!(
                "Calico's settings follow from what all hosts are, and {} did not say",
                names(self.silent)
            )),
            (_, Role::Worker, Some(control_planes)) => match step.phase {
                Phase::Join | Phase::Node if !is_done(JOINED) => Some(format!(
                    "there is nothing to join while {control_planes} does not answer"
                )),
                Phase::Node if !is_done(READY) => Some(format!(
                    "the cluster is asked, and {control_planes} does not answer"
                )),
                _ => None,
            },
            _ => None,
        }
    }

    /// Taints of silent hosts that the site no longer asks for.
    fn hold_taints(&self, host: &str, leftovers: &mut Vec<Recorded>) -> Vec<Held> {
        let mut held = Vec::new();
        leftovers.retain(|recorded| {
            let of = |node: &&HostName| recorded.step.as_str().starts_with(&format!("node.taint.{node}."));
            let silent = self.silent.iter().find(of);
            held.extend(silent.map(|node| held_record(host, recorded, &format!("{node} does not answer"))));
            silent.is_none()
        });
        held
    }
}

fn held_step(step: &Step, reason: &str) -> Held {
    Held {
        host: step.host.to_string(),
        step: step.id.clone(),
        title: step.title.clone(),
        reason: reason.to_owned(),
    }
}

fn held_record(host: &str, recorded: &Recorded, reason: &str) -> Held {
    Held {
        host: host.to_owned(),
        step: recorded.step.clone(),
        title: format!("Take back: {}", recorded.title()),
        reason: reason.to_owned(),
    }
}

fn names<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> String {
    let names: Vec<String> = hosts.into_iter().map(ToString::to_string).collect();
    names.join(" and ")
}
