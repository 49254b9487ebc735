//! Some steps of a plan only: which they are by name, and whether they can be done without the others.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::journal::Recorded;
use crate::nearest::nearest;
use crate::observed::{HostObserved, Observed, State};
use crate::plan::{HostPart, Op, Phase, Plan, Step, StepId};
use crate::silence::Held;

/// The steps that a run is about. A name is a step's id, with `@` and a host behind it or without, or a phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSelection {
    /// The first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// These steps only; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub only: BTreeSet<String>,
    /// Not these steps.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub skip: BTreeSet<String>,
}

/// Why a selection cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSelection {
    /// No host has a step of this name.
    Unknown {
        /// The name.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// On this host the last step comes before the first.
    Backwards {
        /// The host.
        host: String,
    },
    /// Steps that are neither done nor selected, and that selected steps need.
    Needed(Vec<Needed>),
}

/// A step that others need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Its host.
    pub host: String,
    /// The step.
    pub step: StepId,
    /// Whether its check could not tell if it is done.
    pub is_unknown: bool,
    /// Who needs it: the steps, with `@` and the host where that is another one.
    pub by: Vec<String>,
}

impl StepSelection {
    /// Whether it is every step.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses names that no host of the plan knows, neither as a step nor as one that is recorded.
    ///
    /// # Errors
    /// With the first of them.
    pub fn check_names(&self, plan: &Plan, observed: &Observed) -> Result<(), NoSelection> {
        let steps = plan
            .hosts
            .iter()
            .chain(&plan.after_joins)
            .flat_map(|part| &part.steps);
        let leftovers = observed.hosts.values().flat_map(|host| &host.leftovers);
        let known: BTreeSet<&str> = steps
            .map(|step| step.id.as_str())
            .chain(leftovers.map(|recorded| recorded.step.as_str()))
            .chain(Phase::ALL.iter().map(|phase| phase.as_str()))
            .collect();
        let hosts: BTreeSet<&str> = plan.hosts.iter().map(|part| part.host.as_str()).collect();
        let names = self
            .from
            .iter()
            .chain(&self.until)
            .chain(&self.only)
            .chain(&self.skip);
        for name in names {
            let (step, host) = parts(name);
            if known.contains(step) && host.is_none_or(|host| hosts.contains(host)) {
                continue;
            }
            let near = match host {
                Some(host) if known.contains(step) => {
                    nearest(host, hosts.iter().copied()).map(|near| format!("{step}@{near}"))
                }
                _ => nearest(step, known.iter().copied()).map(str::to_owned),
            };
            let name = name.clone();
            return Err(NoSelection::Unknown { name, near });
        }
        Ok(())
    }

    /// Takes everything else out of the plan, and gives what of that was to be done.
    ///
    /// Whether a host may be changed is asked all the same, and what was sent to it is removed again. Nothing that the site
    /// no longer asks for is taken back, unless it is named, or everything is selected that is not skipped.
    ///
    /// # Errors
    /// When selected steps need some that are neither selected nor done, or when the last one comes before the first.
    pub fn apply(&self, plan: &mut Plan, observed: &mut Observed) -> Result<Vec<Held>, NoSelection> {
        if self.is_everything() {
            return Ok(Vec::new());
        }
        let mut chosen = Vec::new();
        for part in &plan.hosts {
            let found = observed.hosts.entry(part.host.to_string()).or_default();
            chosen.push(self.of_part(part, found)?);
        }
        let needed = needed(plan, observed, &chosen);
        if !needed.is_empty() {
            return Err(NoSelection::Needed(needed));
        }
        let mut held = Vec::new();
        for (part, chosen) in plan.hosts.iter_mut().zip(&chosen) {
            let found = observed.hosts.entry(part.host.to_string()).or_default();
            held.extend(reduce(part, chosen, found));
            let host = part.host.as_str();
            found.leftovers.retain(|recorded| {
                let stays = self.names_leftover(host, &recorded.step);
                if !stays && recorded.leaves_something() {
                    let title = format!("Take back: {}", recorded.title());
                    held.push(not_selected(host, &recorded.step, title));
                }
                stays
            });
        }
        for (host, recorded) in std::mem::take(&mut observed.leaving) {
            let recorded = recorded.iter().filter(|recorded| recorded.leaves_something());
            held.extend(recorded.map(|recorded| {
                not_selected(&host, &recorded.step, format!("Take back: {}", recorded.title()))
            }));
        }
        self.reduce_rest(plan, &mut held);
        Ok(held)
    }

    /// What is left to do when all hosts have joined is for a run that does all of it, unless it is named.
    fn reduce_rest(&self, plan: &mut Plan, held: &mut Vec<Held>) {
        let Some(rest) = &mut plan.after_joins else {
            return;
        };
        let host = rest.host.as_str();
        let is_whole = held.is_empty();
        rest.steps.retain(|step| {
            let stays = if self.only.is_empty() {
                is_whole && self.until.is_none() && !has(&self.skip, host, &step.id)
            } else {
                has(&self.only, host, &step.id) && !has(&self.skip, host, &step.id)
            };
            if !stays {
                held.push(not_selected(host, &step.id, step.title.clone()));
            }
            stays
        });
        if rest.steps.is_empty() {
            plan.after_joins = None;
        }
    }

    fn names_leftover(&self, host: &str, step: &StepId) -> bool {
        let named = if self.only.is_empty() {
            self.from.is_none() && self.until.is_none()
        } else {
            has(&self.only, host, step)
        };
        named && !has(&self.skip, host, step)
    }

    /// For each step of a part whether it is selected. A host that has not the first or the last step does nothing.
    fn of_part(&self, part: &HostPart, found: &HostObserved) -> Result<Vec<bool>, NoSelection> {
        let host = part.host.as_str();
        let is = |name: &str, step: &Step| matches(name, host, &step.id);
        let first = match &self.from {
            None => Some(0),
            Some(name) => part.steps.iter().position(|step| is(name, step)),
        };
        let last = match &self.until {
            None => part.steps.len().checked_sub(1),
            Some(name) => part.steps.iter().rposition(|step| is(name, step)),
        };
        let range = match (first, last) {
            (Some(first), Some(last)) if last < first => {
                return Err(NoSelection::Backwards {
                    host: host.to_owned(),
                });
            }
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        };
        let mut chosen: Vec<bool> = part
            .steps
            .iter()
            .enumerate()
            .map(|(place, step)| {
                range.contains(&place)
                    && (self.only.is_empty() || has(&self.only, host, &step.id))
                    && !has(&self.skip, host, &step.id)
            })
            .collect();
        let changes_control_plane = part
            .steps
            .iter()
            .zip(&chosen)
            .any(|(step, chosen)| *chosen && matches!(step.op, Op::StaticPod(_)));
        // A host that does nothing is not asked whether it may be changed.
        let takes_back = |recorded: &Recorded| self.names_leftover(host, &recorded.step);
        if !chosen.contains(&true) && !found.leftovers.iter().any(takes_back) {
            return Ok(chosen);
        }
        for (step, chosen) in part.steps.iter().zip(&mut chosen) {
            *chosen |=
                is_kept(step) || (changes_control_plane && matches!(step.op, Op::TurnGivenBack { .. }));
        }
        Ok(chosen)
    }
}

/// Steps that no selection leaves out: whether the host may be changed, and that no secret stays on it.
fn is_kept(step: &Step) -> bool {
    matches!(step.op, Op::Require(_) | Op::Forget) && matches!(step.phase, Phase::Admission | Phase::Finish)
}

/// A name's step or phase, and its host.
fn parts(name: &str) -> (&str, Option<&str>) {
    match name.split_once('@') {
        Some((step, host)) => (step, Some(host)),
        None => (name, None),
    }
}

fn matches(name: &str, host: &str, step: &StepId) -> bool {
    let (wanted, of) = parts(name);
    of.is_none_or(|of| of == host) && (wanted == step.as_str() || wanted == Phase::of(step).as_str())
}

fn has(names: &BTreeSet<String>, host: &str, step: &StepId) -> bool {
    names.iter().any(|name| matches(name, host, step))
}

/// Leaves the selected steps in the part, and gives those others that were to be done.
fn reduce(part: &mut HostPart, chosen: &[bool], found: &HostObserved) -> Vec<Held> {
    let mut held = Vec::new();
    let mut chosen = chosen.iter();
    part.steps.retain(|step| {
        let stays = chosen.next().copied().unwrap_or(false);
        if !stays && !is_done(found, &step.id) {
            held.push(not_selected(step.host.as_str(), &step.id, step.title.clone()));
        }
        stays
    });
    // What no step takes into the store or uses up need not travel.
    let takes = |step: &Step| matches!(step.op, Op::Store { .. } | Op::Seed(_));
    if !part.steps.iter().any(takes) {
        part.blobs.clear();
    }
    held
}

fn not_selected(host: &str, step: &StepId, title: String) -> Held {
    Held {
        host: host.to_owned(),
        step: step.clone(),
        title,
        reason: "it is not selected".to_owned(),
    }
}

fn is_done(found: &HostObserved, step: &StepId) -> bool {
    found
        .steps
        .get(step)
        .is_some_and(|found| found.state == State::Done)
}

/// The steps that are neither done nor selected, and that selected steps with work to do need.
fn needed(plan: &Plan, observed: &Observed, chosen: &[Vec<bool>]) -> Vec<Needed> {
    let nothing = HostObserved::default();
    let found = |part: &HostPart| observed.hosts.get(part.host.as_str()).unwrap_or(&nothing);
    let mut needed = Vec::new();
    for (part, chosen_here) in plan.hosts.iter().zip(chosen) {
        let seen = found(part);
        for (place, step) in part.steps.iter().enumerate() {
            if chosen_here[place] || is_done(seen, &step.id) || is_kept(step) {
                continue;
            }
            let mut by = Vec::new();
            for (other, chosen_there) in plan.hosts.iter().zip(chosen) {
                let is_own = other.host == part.host;
                let works = |at: usize| chosen_there[at] && !is_done(found(other), &other.steps[at].id);
                let after = other.steps.iter().enumerate().filter(|(at, _)| works(*at));
                by.extend(after.filter_map(|(at, later)| {
                    let needs = if is_own {
                        at > place && needs(step, later)
                    } else {
                        part.does_what_is_done_once() && needs_of_cluster(step, other, at)
                    };
                    let of_host = || format!("{}@{}", later.id, other.host);
                    needs.then(|| if is_own { later.id.to_string() } else { of_host() })
                }));
            }
            if !by.is_empty() {
                let state = seen.steps.get(&step.id).map(|found| found.state);
                needed.push(Needed {
                    host: part.host.to_string(),
                    step: step.id.clone(),
                    is_unknown: state == Some(State::Unknown),
                    by,
                });
            }
        }
    }
    needed
}

/// Whether a later step of a host needs this one. What nobody is known to do without counts as needed.
fn needs(step: &Step, later: &Step) -> bool {
    if is_kept(later) {
        return false;
    }
    match &step.op {
        Op::Label { .. }
        | Op::Taint { .. }
        | Op::Drain { .. }
        | Op::Leave { .. }
        | Op::SpreadDns
        | Op::TurnGivenBack { .. }
        | Op::Schedulable { .. }
        | Op::Token { .. }
        | Op::NoToken { .. }
        | Op::NoSuperAdmin
        | Op::UserKubeconfig { .. }
        | Op::CalicoOnHost { .. }
        | Op::ProxyOnHost { .. }
        | Op::HelmRelease(_) => false,
        _ if step.phase == Phase::Helm => later.phase == Phase::Helm,
        _ if step.phase == Phase::System && later.phase == Phase::System => {
            needs_of_system(&step.op, &later.op)
        }
        _ => true,
    }
}

/// The same among the steps that prepare a host: most of these stand by themselves.
fn needs_of_system(op: &Op, later: &Op) -> bool {
    let is_in = |folders: &[&str]| match op {
        Op::File(file) => folders.iter().any(|folder| file.path.starts_with(folder)),
        _ => false,
    };
    match later {
        Op::Modules(_) => is_in(&["/etc/modules-load.d/"]),
        Op::Sysctls(_) => is_in(&["/etc/sysctl.d/"]) || matches!(op, Op::Modules(_)),
        Op::Unit(_) => {
            is_in(&["/etc/systemd/", "/usr/local/"]) || matches!(op, Op::Modules(_) | Op::Sysctls(_))
        }
        _ => false,
    }
}

/// Whether a step of another host needs this one of the control plane that makes the cluster: from its first wait on it is
/// the cluster that a host waits for.
fn needs_of_cluster(step: &Step, other: &HostPart, at: usize) -> bool {
    let Some(first_wait) = other.steps.iter().position(|step| matches!(step.op, Op::Wait(_))) else {
        return false;
    };
    let later = &other.steps[at];
    if at < first_wait || is_kept(later) {
        return false;
    }
    match step.phase {
        Phase::Network => matches!(later.phase, Phase::Network | Phase::Node | Phase::Helm),
        Phase::Node | Phase::Helm | Phase::Finish => false,
        // A token is made for those who join.
        _ if matches!(step.op, Op::Token { .. }) => later.phase == Phase::Join,
        _ => needs(step, later),
    }
}

impl fmt::Display for StepSelection {
    /// As it is typed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined =
            |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let options = [
            ("from", self.from.clone().unwrap_or_default()),
            ("until", self.until.clone().unwrap_or_default()),
            ("step", joined(&self.only)),
            ("skip", joined(&self.skip)),
        ];
        let given = options.iter().filter(|(_, names)| !names.is_empty());
        let given: Vec<String> = given
            .map(|(option, names)| format!("--{option} {names}"))
            .collect();
        formatter.write_str(&given.join(" "))
    }
}
