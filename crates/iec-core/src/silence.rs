//! Hosts that do not answer or are left out, and what may not be done without them: the rest of a plan goes on.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::journal::Recorded;
use crate::name::HostName;
use crate::observed::{HostObserved, Observed, State};
use crate::plan::{HostPart, Op, Phase, Plan, Step, StepId};
use crate::site::{Role, Site, SiteHost};

/// The hosts that a plan goes on without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Away {
    /// Those that do not answer.
    pub silent: BTreeSet<HostName>,
    /// Those that whoever plans has left out. They are well, for all that is known.
    pub left_out: BTreeSet<HostName>,
}

impl Away {
    /// All of them.
    #[must_use]
    pub fn hosts(&self) -> BTreeSet<HostName> {
        self.silent.union(&self.left_out).cloned().collect()
    }

    fn has(&self, host: &HostName) -> bool {
        self.silent.contains(host) || self.left_out.contains(host)
    }

    /// The host of this name, if it is away, with the reason.
    fn why(&self, name: &str) -> Option<&'static str> {
        let among = |hosts: &BTreeSet<HostName>| hosts.iter().any(|host| host.as_str() == name);
        match (among(&self.silent), among(&self.left_out)) {
            (true, _) => Some("does not answer"),
            (false, true) => Some("is left out"),
            (false, false) => None,
        }
    }
}

/// A step that is left as it is, because a host is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The host that would do it.
    pub host: String,
    /// The step.
    pub step: StepId,
    /// What it does.
    pub title: String,
    /// Why it may not be done without a host that is away.
    pub reason: String,
}

/// The steps whose content follows from the facts of all hosts.
const CALICO: [&str; 2] = ["network.calico-manifest", "network.calico"];
/// Writes `/etc/kubernetes/admin.conf`: since then there is a cluster.
const CLUSTER: &str = "control-plane.kubeconfigs";
/// By it a control plane is a voter of etcd.
const MEMBER: &str = "control-plane.etcd";
/// By it a control plane is a voter of Calico's own etcd.
const CALICO_MEMBER: &str = "network.calico-etcd";
/// Says that a worker has joined.
const JOINED: &str = "join.preflight";
/// Says that a node of the cluster is well.
const READY: &str = "node.ready";

/// Takes out of the plan what may not be done while these hosts are away, and gives it with the reasons. What is done
/// already is no matter. Nothing of it is taken back either.
pub fn hold(site: &Site, plan: &mut Plan, observed: &mut Observed, away: &Away) -> Vec<Held> {
    let hosts = away.hosts();
    if hosts.is_empty() {
        return Vec::new();
    }
    let silence = Silence {
        away,
        control_planes: ControlPlanes::of(site, away),
        first: First::of(site, plan, away),
        voters: Voters::of(site, plan, observed, away),
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
        let reason = format!("{} may still have to join by it", names(&hosts));
        // What is asked once more when all have joined is done now as far as it can be.
        let is_done_now = |step: &&Step| {
            let part = plan.host(step.host.as_str());
            part.is_some_and(|part| part.steps.iter().any(|other| other.id == step.id))
        };
        let left = after.steps.iter().filter(|step| !is_done_now(step));
        held.extend(left.map(|step| held_step(step, &reason)));
    }
    let first = silence.first.as_ref().map(|first| first.name);
    if let Some(names) = silence
        .control_planes
        .as_ref()
        .map(|all| all.names.as_str())
        .or(first)
    {
        for (host, recorded) in std::mem::take(&mut observed.leaving) {
            let reason = format!("{host} leaves the cluster first, which {names} would have to do");
            let recorded = recorded.iter().filter(|recorded| recorded.leaves_something());
            held.extend(recorded.map(|recorded| held_record(&host, recorded, &reason)));
        }
    }
    held
}

/// The control planes, where all of them are away.
struct ControlPlanes {
    names: String,
    /// Why, as in `edge-1 does not answer`.
    why: &'static str,
    /// Whether the cluster can be asked all the same: one of them was left out only.
    work: bool,
}

impl ControlPlanes {
    fn of(site: &Site, away: &Away) -> Option<Self> {
        if !site.control_planes().all(|host| away.has(host.name())) {
            return None;
        }
        let work = site
            .control_planes()
            .any(|host| away.left_out.contains(host.name()));
        Some(Self {
            names: names(site.control_planes().map(|host| host.name())),
            why: if work { "is left out" } else { "does not answer" },
            work,
        })
    }
}

/// The control plane that does what is done once for the cluster, where it is away.
struct First<'a> {
    name: &'a str,
    /// Why, as in `edge-1 does not answer`.
    why: &'static str,
}

impl<'a> First<'a> {
    fn of(site: &'a Site, plan: &Plan, away: &Away) -> Option<Self> {
        if plan.hosts.iter().any(HostPart::does_what_is_done_once) {
            return None;
        }
        site.control_planes().find_map(|host| {
            let name = host.name().as_str();
            away.why(name).map(|why| Self { name, why })
        })
    }
}

struct Silence<'a> {
    away: &'a Away,
    control_planes: Option<ControlPlanes>,
    first: Option<First<'a>>,
    voters: Voters,
}

/// The members of etcd as far as they are known: a control plane that does not answer is taken for one.
struct Voters {
    /// The names of those that do not answer.
    silent: BTreeSet<HostName>,
    /// How many stay: control planes whose etcd is a member or may be one.
    staying: usize,
    /// How many leave with this plan and answer.
    leaving: usize,
}

/// What a step does to the members of etcd.
#[derive(Debug, Clone, Copy)]
enum VoterChange {
    /// One starts again: it does not answer meanwhile.
    Restart,
    /// One more joins.
    Join,
    /// Those that leave have left.
    Leave,
}

impl Voters {
    fn of(site: &Site, plan: &Plan, observed: &Observed, away: &Away) -> Self {
        let silent: BTreeSet<HostName> = site
            .control_planes()
            .map(|host| host.name().clone())
            .filter(|name| away.silent.contains(name))
            .collect();
        let is_member = |host: &&SiteHost| {
            away.has(host.name()) || {
                let found = observed.hosts.get(host.name().as_str());
                found.is_some_and(|found| is_done(found, CLUSTER))
            }
        };
        let leaves = plan.steps().filter(|step| {
            matches!(&step.op, Op::Leave { node, reachable: true, member: Some(_) } if away.why(node).is_none())
        });
        Self {
            staying: site.control_planes().filter(is_member).count(),
            leaving: leaves.count(),
            silent,
        }
    }

    /// Why etcd would stand still after this change; nothing where enough of its members answer.
    fn would_stand_still(&self, change: VoterChange) -> Option<String> {
        let silent = self.silent.len();
        if silent == 0 {
            return None;
        }
        let before = self.staying + self.leaving;
        let (after, answer) = match change {
            VoterChange::Restart => (before, (before - silent).saturating_sub(1)),
            VoterChange::Join => (before + 1, before + 1 - silent),
            VoterChange::Leave => (self.staying, self.staying - silent),
        };
        let quorum = after / 2 + 1;
        (answer < quorum).then(|| {
            format!(
                "{} {} not answer, and etcd stands still while too few of its members vote: of {before} now {} \
                 answer, then {answer} of {after}, where {quorum} must",
                names(&self.silent),
                if silent == 1 { "does" } else { "do" },
                before - silent
            )
        })
    }
}

fn is_done(found: &HostObserved, id: &str) -> bool {
    let found = found.steps.get(&StepId::from_record(id));
    found.is_some_and(|found| found.state == State::Done)
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

    /// Why this step needs a host that is away.
    fn reason(&self, role: Role, step: &Step, found: &HostObserved) -> Option<String> {
        let is_done = |id: &str| is_done(found, id);
        match (&step.op, role, &self.control_planes) {
            (
                Op::Leave {
                    node,
                    reachable: true,
                    ..
                }
                | Op::Drain { node, .. },
                ..,
            ) if let Some(why) = self.away.why(node) => Some(format!(
                "{node} {why}, so nothing there could end in order; where it is gone for good, \
                 `unreachable: true` says so"
            )),
            (Op::Taint { node, .. }, ..) if let Some(why) = self.away.why(node) => {
                Some(format!("{node} {why}"))
            }
            _ if CALICO.contains(&step.id.as_str()) && is_done(CLUSTER) => Some(format!(
                "Calico's settings follow from what all hosts are, and {} did not say",
                names(&self.away.hosts())
            )),
            (
                Op::Leave {
                    reachable: true,
                    member: Some(_),
                    ..
                }
                | Op::Drain { votes: true, .. },
                ..,
            ) => self.voters.would_stand_still(VoterChange::Leave),
            (_, Role::ControlPlane, _)
                if matches!(step.phase, Phase::ControlPlane | Phase::Network | Phase::Node) =>
            {
                // Who asks it to take this one in, or out, is the first.
                let joins = match step.phase {
                    Phase::Network => !is_done(MEMBER) || !is_done(CALICO_MEMBER),
                    _ => !is_done(MEMBER),
                };
                match &self.first {
                    Some(First { name, why }) if joins => {
                        Some(format!("there is nothing to join while {name} {why}"))
                    }
                    _ if matches!(step.id.as_str(), MEMBER | CALICO_MEMBER) => {
                        self.voters.would_stand_still(match is_done(CLUSTER) {
                            true => VoterChange::Restart,
                            false => VoterChange::Join,
                        })
                    }
                    _ => None,
                }
            }
            (_, Role::Worker, None) if step.phase == Phase::Join && !is_done(JOINED) => {
                let First { name, why } = self.first.as_ref()?;
                Some(format!("{name} lets hosts join, and it {why}"))
            }
            (_, Role::Worker, Some(ControlPlanes { names, why, work })) => match step.phase {
                Phase::Join | Phase::Node if !is_done(JOINED) => {
                    Some(format!("there is nothing to join while {names} {why}"))
                }
                Phase::Node if !work && !is_done(READY) => {
                    Some(format!("the cluster is asked, and {names} {why}"))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Taints of hosts that are away, which the site no longer asks for.
    fn hold_taints(&self, host: &str, leftovers: &mut Vec<Recorded>) -> Vec<Held> {
        let mut held = Vec::new();
        leftovers.retain(|recorded| {
            let of = |node: &&HostName| recorded.step.as_str().starts_with(&format!("node.taint.{node}."));
            let hosts = self.away.hosts();
            let node = hosts.iter().find(of);
            let why = node.and_then(|node| Some(format!("{node} {}", self.away.why(node.as_str())?)));
            held.extend(why.iter().map(|why| held_record(host, recorded, why)));
            node.is_none()
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
