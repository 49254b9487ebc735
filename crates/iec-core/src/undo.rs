//! What a run has done, taken back: which steps, on which hosts, in which order, and what has to stay.
//!
//! A host keeps what was there before a step's first change. So the first run of a step can be taken back, and nothing that
//! changed the step again: what was there in between is not kept. A former version of a file would be the smaller half of
//! such a change anyway; what runs by it has to come up again with its gates, which only a plan of the former site knows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::journal::{Journal, Recorded};
use crate::nearest::nearest;
use crate::plan::{Phase, StepId};
use crate::reset::{Stage, leave};
use crate::runs::runs;
use crate::site::{Role, Site};

/// What is to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// What the last run has done of which something is left.
    LastRun,
    /// What the run of this name has done.
    Run(&'a str),
    /// Everything that was begun after this step, on the hosts that have it.
    To(&'a str),
}

/// What is taken back, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoing {
    /// The run that is taken back, where it is one.
    pub run: Option<String>,
    /// What is done, in order.
    pub stages: Vec<Stage>,
    /// What stays as it is.
    pub stays: Vec<Stays>,
}

/// A step that is not taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stays {
    /// The host.
    pub host: String,
    /// The step.
    pub step: StepId,
    /// What it did, for people.
    pub title: String,
    /// Why it stays.
    pub why: Why,
}

/// Why a step is not taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Why {
    /// It was done by an earlier run first: what this one found there is not kept, only what the first one found.
    ChangedAgain {
        /// The run that did it first.
        first: String,
    },
    /// A later run has changed it again, and what that made would be lost.
    ChangedLater {
        /// The last run that did.
        run: String,
    },
    /// Something stands on it that was done later and stays.
    StoodUpon {
        /// The first of these steps.
        by: StepId,
    },
    /// Only the undo of another step takes it back, and that one stays.
    Covered {
        /// The other step.
        by: String,
    },
    /// It cannot be taken back.
    Never {
        /// The reason.
        because: String,
    },
}

/// Why nothing is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoUndo {
    /// No run has left anything that could be.
    Nothing,
    /// No journal has this run.
    UnknownRun(String),
    /// No host has this step.
    UnknownStep {
        /// The name.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// The cluster itself would go, with the control planes that have it.
    WholeCluster {
        /// These control planes.
        hosts: Vec<String>,
    },
}

/// By these steps a host becomes a node of the cluster; their undo takes all of it back.
const NODES: [&str; 2] = ["control-plane.preflight", "join.preflight"];
/// The step by which releases are installed.
const HELM_PROGRAM: &str = "helm.program";
/// Steps of a control plane that nothing stands on.
const FREE: [&str; 6] = [
    "control-plane.schedulable",
    "control-plane.kubeconfig",
    "control-plane.kubeconfig-root",
    "control-plane.no-super-admin",
    "control-plane.token",
    "control-plane.no-token",
];

/// Steps that only bring what others use. What they have brought for a run is in nobody's way afterwards, and goes with all
/// else of them: that it stays keeps nobody from taking the run back.
const STOCK: [&str; 2] = ["content.store", "runtime.images"];

/// A step that was begun on a host and not taken back since.
#[derive(Debug, Clone)]
struct Live {
    recorded: Recorded,
    covered: Option<String>,
    never: Option<String>,
    /// The run that began it.
    first: String,
    /// The last run that did something for it.
    last: String,
    /// All runs that did something for it.
    runs: BTreeSet<String>,
}

/// What of a host is asked for, and what of that is taken back, each in the order in which it was begun.
#[derive(Debug, Default)]
struct HostUndo {
    live: Vec<Live>,
    /// For each of them whether it is taken back.
    back: Vec<bool>,
    stays: Vec<Stays>,
}

/// Finds out what is to be done to take this back.
///
/// # Errors
/// When there is nothing to take back, or when it is the cluster itself: that is what a reset is for.
pub fn undoing(
    site: &Site,
    journals: &BTreeMap<String, Journal>,
    target: Target<'_>,
) -> Result<Undoing, NoUndo> {
    let live: BTreeMap<&str, Vec<Live>> = journals
        .iter()
        .map(|(host, journal)| (host.as_str(), live(journal)))
        .collect();
    let run = match target {
        Target::To(step) => {
            check_step(step, &live)?;
            None
        }
        Target::Run(name) => {
            let known = runs(journals);
            if known.iter().all(|run| run.run != name) {
                return Err(NoUndo::UnknownRun(name.to_owned()));
            }
            Some(name.to_owned())
        }
        Target::LastRun => Some(last_run(journals, &live).ok_or(NoUndo::Nothing)?),
    };
    let mut hosts: BTreeMap<&str, HostUndo> = BTreeMap::new();
    for (host, live) in live {
        let undo = match (target, &run) {
            (Target::To(step), _) => HostUndo::back_to(host, live, step),
            (_, Some(run)) => HostUndo::of_run(host, live, run),
            (_, None) => HostUndo::default(),
        };
        hosts.insert(host, undo);
    }
    refuse_whole_cluster(site, &hosts)?;
    let stays = hosts.values().flat_map(|host| host.stays.clone());
    let stays: Vec<Stays> = stays
        .filter(|stays| !STOCK.contains(&stays.step.as_str()))
        .collect();
    let stages = stages(site, &hosts);
    if stages.is_empty() && stays.is_empty() {
        return Err(NoUndo::Nothing);
    }
    Ok(Undoing { run, stages, stays })
}

/// The steps of a host that were begun and not taken back, in the order in which they were begun.
fn live(journal: &Journal) -> Vec<Live> {
    let mut live: Vec<Live> = Vec::new();
    for record in &journal.records {
        if record.outcome.as_deref() == Some("undone") {
            live.retain(|live| live.recorded.step != record.step);
            continue;
        }
        let Some(undo) = &record.undo else {
            continue;
        };
        let recorded = Recorded {
            step: record.step.clone(),
            title: record.title.clone(),
            undo: undo.clone(),
        };
        let has_acted = record.intent.is_some();
        match live.iter_mut().find(|live| live.recorded.step == record.step) {
            Some(known) => {
                known.recorded = recorded;
                known.covered.clone_from(&record.covered);
                known.never.clone_from(&record.stays);
                if has_acted {
                    known.last.clone_from(&record.run);
                    known.runs.insert(record.run.clone());
                }
            }
            None => live.push(Live {
                recorded,
                covered: record.covered.clone(),
                never: record.stays.clone(),
                first: record.run.clone(),
                last: record.run.clone(),
                runs: BTreeSet::from([record.run.clone()]),
            }),
        }
    }
    live
}

/// The last run of which something is left.
fn last_run(journals: &BTreeMap<String, Journal>, live: &BTreeMap<&str, Vec<Live>>) -> Option<String> {
    let is_left = |run: &str| {
        let mut steps = live.values().flatten();
        steps.any(|live| live.runs.contains(run) && live.leaves_something())
    };
    let mut all = runs(journals).into_iter().rev().map(|run| run.run);
    all.find(|run| is_left(run))
}

fn check_step(name: &str, live: &BTreeMap<&str, Vec<Live>>) -> Result<(), NoUndo> {
    let known: BTreeSet<&str> = live
        .values()
        .flatten()
        .map(|live| live.recorded.step.as_str())
        .collect();
    if known.contains(name) {
        return Ok(());
    }
    Err(NoUndo::UnknownStep {
        name: name.to_owned(),
        near: nearest(name, known.iter().copied()).map(str::to_owned),
    })
}

impl Live {
    fn id(&self) -> &str {
        self.recorded.step.as_str()
    }

    /// Whether something would be left of it that is worth a word.
    fn leaves_something(&self) -> bool {
        self.recorded.leaves_something() || self.covered.is_some() || self.never.is_some()
    }

    fn stays(&self, host: &str, why: Why) -> Stays {
        Stays {
            host: host.to_owned(),
            step: self.recorded.step.clone(),
            title: self.recorded.title(),
            why,
        }
    }
}

impl HostUndo {
    /// What this run has done here.
    fn of_run(host: &str, live: Vec<Live>, run: &str) -> Self {
        let mut stays = Vec::new();
        let mut back = Vec::new();
        for step in &live {
            let why = match step {
                _ if !step.runs.contains(run) => None,
                _ if step.first != run => Some(Why::ChangedAgain {
                    first: step.first.clone(),
                }),
                _ if step.last != run => Some(Why::ChangedLater {
                    run: step.last.clone(),
                }),
                _ => None,
            };
            back.push(step.first == run && why.is_none());
            stays.extend(
                why.filter(|_| step.leaves_something())
                    .map(|why| step.stays(host, why)),
            );
        }
        Self { live, back, stays }.without_what_must_stay(host)
    }

    /// Everything after this step; nothing where the host does not have it.
    fn back_to(host: &str, live: Vec<Live>, step: &str) -> Self {
        let place = live.iter().position(|live| live.id() == step);
        let back = (0..live.len()).map(|at| place.is_some_and(|place| at > place));
        Self {
            back: back.collect(),
            live,
            stays: Vec::new(),
        }
        .without_what_must_stay(host)
    }

    /// Leaves what cannot be taken back, and what others stand on that stay.
    fn without_what_must_stay(mut self, host: &str) -> Self {
        for at in (0..self.live.len()).rev() {
            if !self.back[at] {
                continue;
            }
            let step = &self.live[at];
            let later = self.live[at + 1..].iter().zip(&self.back[at + 1..]);
            let mut standing = later.filter(|(later, back)| !**back && stands_on(later, step));
            let why = match (&step.never, standing.next()) {
                (Some(because), _) => Some(Why::Never {
                    because: because.clone(),
                }),
                (None, Some((later, _))) => Some(Why::StoodUpon {
                    by: later.recorded.step.clone(),
                }),
                (None, None) => self.uncovered(step),
            };
            if let Some(why) = why {
                let stays = step.stays(host, why);
                self.back[at] = false;
                self.stays.push(stays);
            }
        }
        self
    }

    /// That the step goes only with another one, which stays.
    fn uncovered(&self, step: &Live) -> Option<Why> {
        let by = step.covered.as_ref()?;
        let place = self.live.iter().position(|live| live.id() == by)?;
        (!self.back[place]).then(|| Why::Covered { by: by.clone() })
    }

    /// Whether nothing is left on the host afterwards.
    fn is_all(&self) -> bool {
        !self.back.is_empty() && self.back.iter().all(|back| *back)
    }

    /// Whether the host has become a node by a step that is taken back.
    fn leaves_the_cluster(&self) -> bool {
        self.has_node(true)
    }

    fn has_node(&self, back: bool) -> bool {
        let mut steps = self.live.iter().zip(&self.back);
        steps.any(|(live, taken)| NODES.contains(&live.id()) && *taken == back)
    }

    /// What is taken back, the last first.
    fn steps(&self) -> impl Iterator<Item = &Recorded> {
        let steps = self.live.iter().zip(&self.back).rev();
        steps.filter(|(_, back)| **back).map(|(live, _)| &live.recorded)
    }
}

/// Whether a step that was begun later cannot do without this one. Where nothing else is known, it cannot.
fn stands_on(later: &Live, step: &Live) -> bool {
    if step.id() == HELM_PROGRAM {
        return Phase::of(&later.recorded.step) == Phase::Helm;
    }
    !is_free(&step.recorded.step) && !is_free(&later.recorded.step) && later.leaves_something()
}

/// Whether nothing stands on this step, and it stands on nothing that could be taken back below it.
fn is_free(step: &StepId) -> bool {
    matches!(Phase::of(step), Phase::Node | Phase::Helm) || FREE.contains(&step.as_str())
}

/// The cluster goes with the last control plane that has it. That is a reset: it also retires the site's secrets.
fn refuse_whole_cluster(site: &Site, hosts: &BTreeMap<&str, HostUndo>) -> Result<(), NoUndo> {
    let of = |host: &&crate::site::SiteHost| hosts.get(host.name().as_str());
    let goes = |back: bool| {
        let control_planes = site.control_planes();
        control_planes.filter(move |host| of(host).is_some_and(|host| host.has_node(back)))
    };
    let going: Vec<String> = goes(true).map(|host| host.name().to_string()).collect();
    if going.is_empty() || goes(false).next().is_some() {
        return Ok(());
    }
    Err(NoUndo::WholeCluster { hosts: going })
}

/// What is in the cluster first, then workers, then control planes, the one that is asked to let others go as the last.
fn stages(site: &Site, hosts: &BTreeMap<&str, HostUndo>) -> Vec<Stage> {
    let keeper = site
        .control_planes()
        .map(|host| host.name().as_str())
        .find(|name| hosts.get(name).is_some_and(|host| host.has_node(false)));
    let mut stages = Vec::new();
    for host in site.control_planes() {
        let name = host.name().as_str();
        let steps = hosts.get(name).into_iter().flat_map(HostUndo::steps);
        let steps: Vec<Recorded> = steps
            .filter(|recorded| is_free(&recorded.step))
            .cloned()
            .collect();
        stages.extend(stage(name, "what is in the cluster", steps));
    }
    for role in [Role::Worker, Role::ControlPlane] {
        let mut of_role: Vec<_> = site.hosts().iter().filter(|host| host.role() == role).collect();
        of_role.sort_by_key(|host| keeper == Some(host.name().as_str()));
        for host in of_role {
            let name = host.name().as_str();
            let Some(undo) = hosts.get(name) else {
                continue;
            };
            if undo.leaves_the_cluster()
                && let Some(keeper) = keeper
            {
                stages.push(Stage {
                    gives_up: false,
                    ..leave(site, keeper, host)
                });
            }
            let is_told = |recorded: &&Recorded| role == Role::Worker || !is_free(&recorded.step);
            let steps: Vec<Recorded> = undo.steps().filter(is_told).cloned().collect();
            stages.extend(stage(name, "what was done there", steps).map(|stage| Stage {
                last: undo.is_all(),
                // What a node had in the cluster is gone with it.
                gives_up: undo.leaves_the_cluster(),
                ..stage
            }));
        }
    }
    stages
}

fn stage(host: &str, what: &str, steps: Vec<Recorded>) -> Option<Stage> {
    (!steps.is_empty()).then(|| Stage {
        host: host.to_owned(),
        title: format!("Take back {what}"),
        steps,
        last: false,
        gives_up: false,
    })
}

/// The paths that the undo of a step puts back as they were, or removes where nothing was there before.
#[must_use]
pub fn put_back(recorded: &Recorded) -> Vec<String> {
    let kept = format!("cp -aT {}/before/{}/", crate::plan::HOME, recorded.step);
    let copies = recorded.undo.match_indices(&kept).filter_map(|(at, _)| {
        let words = &recorded.undo[at + kept.len()..];
        let path = words.split_whitespace().nth(1)?;
        Some(path.trim_matches(|end| end == ';' || end == '\'').to_owned())
    });
    let mut paths: Vec<String> = copies.collect();
    paths.dedup();
    paths
}
