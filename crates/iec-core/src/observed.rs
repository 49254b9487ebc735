//! What the checks of a plan found on the hosts, and the difference to the plan.

use std::collections::BTreeMap;

use iec_sh::{OnFailure, UndoStep, events};
use serde::{Deserialize, Serialize};

use crate::content::Digest;
use crate::event::{MalformedLine, lines, text, words};
use crate::journal::{Journal, Recorded};
use crate::plan::{After, BLOB_QUESTION, HostPart, Phase, Plan, Shown, Step, StepId, is_done_once, lower};
use crate::said::said;

/// What a step's check said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing to do.
    Done,
    /// All of it is to do.
    Needed,
    /// Some of it is to do.
    Partial,
    /// The check could not tell; the host would stop here.
    Unknown,
}

/// What is at the path of a file step now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Present {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// `mode:user:group`.
        mode: String,
        /// Its content; `None` when it is not text.
        content: Option<String>,
    },
    /// A file that is too large to be shown.
    Large {
        /// Its length in bytes.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
    /// A folder, a socket or the like.
    Other,
}

/// What was found of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepObserved {
    /// What its check said.
    pub state: State,
    /// Whether the host's journal knows this very step as done.
    pub recorded: bool,
    /// What is missing, or what could not be answered, one thing an entry.
    pub missing: Vec<String>,
    /// What is at the paths that it would change.
    pub present: BTreeMap<String, Present>,
    /// How the objects of the cluster that it would change differ, a field an entry.
    pub differences: Vec<String>,
}

/// What was found on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostObserved {
    /// By step.
    pub steps: BTreeMap<StepId, StepObserved>,
    /// The steps that the host's journal has and the plan does not, in the order in which they are taken back.
    pub leftovers: Vec<Recorded>,
}

/// What was found on the hosts, or why there is no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The hosts of the cluster, by name.
    pub hosts: BTreeMap<String, HostObserved>,
    /// What is still recorded on the hosts that leave, by name, in the order in which it is taken back.
    pub leaving: BTreeMap<String, Vec<Recorded>>,
}

impl HostObserved {
    /// Reads the output of a host's script in [`iec_sh::Mode::Observe`].
    ///
    /// # Errors
    /// When a line of it cannot be read, or when it has no end: then the script did not come to its last line.
    pub fn parse(output: &str) -> Result<Self, MalformedLine> {
        let mut observed = Self::default();
        let mut ended = false;
        for line in output.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let malformed = || MalformedLine::of(line);
            match fields.as_slice() {
                ["iec", kind, rest @ ..] if *kind == events::OBSERVED => {
                    let (step, found) = observed_step(rest).ok_or_else(malformed)?;
                    observed.steps.insert(step, found);
                }
                ["iec", kind, rest @ ..] if *kind == events::PRESENT => {
                    let (step, path, present) = present_path(rest).ok_or_else(malformed)?;
                    observed
                        .steps
                        .get_mut(&step)
                        .ok_or_else(malformed)?
                        .present
                        .insert(path, present);
                }
                ["iec", kind, step, said] if *kind == events::DIFFERS => {
                    let said = lines(&words(said).ok_or_else(malformed)?);
                    let step = observed.steps.get_mut(&StepId::from_record(step));
                    step.ok_or_else(malformed)?.differences.extend(said);
                }
                ["iec", kind, journal] if *kind == events::JOURNAL => {
                    observed.leftovers = Journal::parse(&text(journal).ok_or_else(malformed)?).undo();
                }
                ["iec", kind, ..] if *kind == events::END => ended = true,
                _ => {}
            }
        }
        if ended {
            Ok(observed)
        } else {
            Err(MalformedLine {
                line: "(the answer has no end)".to_owned(),
            })
        }
    }

    /// The same without leftovers of what is done once for the cluster, unless this part is whose host does it: another
    /// control plane does it now, or still, and it stays.
    #[must_use]
    pub fn without_what_others_do(mut self, part: Option<&HostPart>) -> Self {
        let does_it = part.is_some_and(HostPart::does_what_is_done_once);
        self.leftovers
            .retain(|recorded| does_it || !is_done_once(&recorded.step));
        self
    }

    /// The leftovers that have something to take back, as the host's runner takes them; the first that fails stops it.
    #[must_use]
    pub fn removals(&self) -> Vec<UndoStep> {
        let removal = |recorded: &Recorded| UndoStep {
            id: recorded.step.to_string(),
            text: recorded.undo.clone(),
            on_failure: OnFailure::Stop,
        };
        self.leftovers
            .iter()
            .filter(|recorded| recorded.leaves_something())
            .map(removal)
            .collect()
    }

    /// The blobs that the host's store lacks, by its part of the plan.
    #[must_use]
    pub fn missing_blobs(&self, part: &HostPart) -> Vec<Digest> {
        let named: Vec<Digest> = self
            .steps
            .values()
            .flat_map(|step| &step.missing)
            .filter_map(|what| what.strip_prefix(BLOB_QUESTION)?.parse().ok())
            .collect();
        part.blobs
            .iter()
            .map(|blob| blob.digest)
            .filter(|digest| named.contains(digest))
            .collect()
    }

    /// Whether a step that needs a secret has work to do.
    #[must_use]
    pub fn needs_secrets(&self, part: &HostPart) -> bool {
        part.steps.iter().any(|step| {
            step.op.takes_secret()
                && self
                    .steps
                    .get(&step.id)
                    .is_none_or(|found| found.state != State::Done)
        })
    }
}

fn observed_step(fields: &[&str]) -> Option<(StepId, StepObserved)> {
    let [id, state, recorded, missing] = fields else {
        return None;
    };
    let state = match *state {
        "done" => State::Done,
        "needed" => State::Needed,
        "partial" => State::Partial,
        "unknown" => State::Unknown,
        _ => return None,
    };
    let found = StepObserved {
        state,
        recorded: *recorded == "known",
        missing: lines(&words(missing)?),
        present: BTreeMap::new(),
        differences: Vec::new(),
    };
    Some((StepId::from_record(id), found))
}

fn present_path(fields: &[&str]) -> Option<(StepId, String, Present)> {
    let (id, path, form, rest) = match fields {
        [id, path, form, rest @ ..] => (id, text(path)?, *form, rest.first().copied().unwrap_or_default()),
        _ => return None,
    };
    let present = match form {
        "absent" => Present::Absent,
        "other" => Present::Other,
        "large" => Present::Large {
            size: rest.parse().ok()?,
        },
        "link" => Present::Link {
            target: words(rest)?.trim_end_matches('\n').to_owned(),
        },
        mode => {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
            Present::File {
                mode: said(mode),
                content: String::from_utf8(bytes).ok(),
            }
        }
    };
    Some((StepId::from_record(id), path, present))
}

/// What would happen to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `+` something that is not there yet.
    Create,
    /// `~` something that is there and differs.
    Change,
    /// `-` something that the site no longer asks for.
    Remove,
    /// `=` nothing.
    Keep,
    /// `=` nothing but an entry in the journal.
    Adopt,
    /// `?` the check could not tell.
    Unknown,
}

impl Action {
    /// Whether something would happen on the host beyond an entry in its journal.
    #[must_use]
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Keep | Self::Adopt)
    }

    /// Its mark in front of a line.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Remove => '-',
            Self::Keep | Self::Adopt => '=',
            Self::Unknown => '?',
        }
    }
}

/// One step of the difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The host.
    pub host: String,
    /// The phase.
    pub phase: Phase,
    /// The step.
    pub step: StepId,
    /// What it does.
    pub title: String,
    /// What would happen.
    pub action: Action,
    /// What is missing or differs, or what could not be answered.
    pub missing: Vec<String>,
    /// The files that it would write: path, what is there, what would be there.
    pub files: Vec<FileChange>,
    /// Seconds that it usually takes.
    pub estimate_seconds: u32,
}

/// A file that a step would write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// What is there.
    pub before: Present,
    /// What would be there; `None` where the step changes a part of it only.
    pub after: Option<String>,
}

/// The difference between a plan and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Every step of every host that answered, in the order of the plan.
    pub steps: Vec<Change>,
}

impl Changes {
    /// Whether nothing is to be done; entries in journals do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.steps.iter().any(|change| change.action.is_change())
    }

    /// Whether nothing at all is to be done, not even an entry in a journal.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.iter().all(|change| change.action == Action::Keep)
    }

    /// How many steps have this action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|change| change.action == action).count()
    }
}

/// What would have to be done.
#[must_use]
pub fn diff(plan: &Plan, observed: &Observed) -> Changes {
    let mut steps = Vec::new();
    for part in &plan.hosts {
        let Some(found) = observed.hosts.get(part.host.as_str()) else {
            continue;
        };
        steps.extend(removals(part.host.as_str(), &found.leftovers));
        for step in &part.steps {
            if let Some(seen) = found.steps.get(&step.id) {
                steps.push(change(step, seen));
            }
        }
    }
    for (host, recorded) in &observed.leaving {
        steps.extend(removals(host, recorded));
    }
    Changes { steps }
}

/// What of a host's journal would be taken back.
fn removals(host: &str, recorded: &[Recorded]) -> impl Iterator<Item = Change> {
    recorded
        .iter()
        .filter(|recorded| recorded.leaves_something())
        .map(move |recorded| Change {
            host: host.to_owned(),
            phase: Phase::of(&recorded.step),
            step: recorded.step.clone(),
            title: recorded.title(),
            action: Action::Remove,
            missing: Vec::new(),
            files: Vec::new(),
            estimate_seconds: 1,
        })
}

/// The end of what is said of an object that the cluster does not have.
const IS_NOT_THERE: &str = ": is not there";

fn change(step: &Step, seen: &StepObserved) -> Change {
    let is_new = seen.present.values().all(|present| *present == Present::Absent)
        && seen.differences.iter().all(|line| line.ends_with(IS_NOT_THERE));
    Change {
        host: step.host.to_string(),
        phase: step.phase,
        step: step.id.clone(),
        title: step.title.clone(),
        action: match seen.state {
            State::Done if seen.recorded => Action::Keep,
            State::Done => Action::Adopt,
            State::Needed | State::Partial if step.op.removes() => Action::Remove,
            State::Needed if is_new => Action::Create,
            State::Needed | State::Partial => Action::Change,
            State::Unknown => Action::Unknown,
        },
        missing: seen.missing.iter().chain(&seen.differences).cloned().collect(),
        files: lower(step)
            .shows
            .into_iter()
            .filter_map(|shown| file_change(shown, seen))
            .collect(),
        estimate_seconds: step.estimate_seconds,
    }
}

/// What a step makes of a file, where the host has said what is there.
fn file_change(shown: Shown, seen: &StepObserved) -> Option<FileChange> {
    let before = seen.present.get(&shown.path)?.clone();
    let after = match shown.after {
        After::Text(text) => Some(text),
        After::AsKept(copy) => match seen.present.get(&copy)? {
            Present::File { content, .. } => content.clone(),
            _ => None,
        },
        After::InPart => None,
    };
    Some(FileChange {
        path: shown.path,
        before,
        after,
    })
}
