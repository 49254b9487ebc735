//! A plan that somebody has looked at: what it would do, step by step, and what has become different since.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::content::Digest;
use crate::observed::{Action, Change, Changes};
use crate::plan::{Plan, StepId, lower};
use crate::selection::StepSelection;

/// The form of a saved plan that this program writes and reads.
const VERSION: u32 = 1;

/// A plan as it is kept in a file. It holds digests of what would be written, never the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedPlan {
    /// What kind of file it is.
    #[serde(rename = "type")]
    kind: Kind,
    /// Its form.
    version: u32,
    /// Who made it, when, for which file.
    pub origin: Origin,
    /// The hosts that it is about; empty for all.
    pub limit: BTreeSet<String>,
    /// The steps that it is about, by what was typed.
    #[serde(default, skip_serializing_if = "StepSelection::is_everything")]
    pub selection: StepSelection,
    /// What it would do, in the order of the plan.
    steps: Vec<SavedStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "iec-plan")]
    Plan,
}

/// Where a saved plan comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The site's name.
    pub site: String,
    /// The site file, as an absolute path.
    pub site_file: PathBuf,
    /// The digest of the site file.
    pub site_digest: Digest,
    /// When it was made, in UTC.
    pub made: String,
    /// By whom.
    pub by: String,
}

/// A step that the plan would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedStep {
    host: String,
    step: StepId,
    title: String,
    action: Action,
    /// The digest of its commands; none where something is taken back, whose commands are in the host's journal.
    digest: Option<Digest>,
    /// The files that it would write, and the digest of what was there.
    files: BTreeMap<String, Digest>,
}

impl SavedPlan {
    /// What this plan would do, of what was found.
    #[must_use]
    pub fn new(
        origin: Origin,
        (limit, selection): (BTreeSet<String>, StepSelection),
        plan: &Plan,
        changes: &Changes,
    ) -> Self {
        let digests: BTreeMap<_, _> = plan
            .steps()
            .map(|step| ((step.host.as_str(), &step.id), step))
            .collect();
        let saved = |change: &Change| SavedStep {
            host: change.host.clone(),
            step: change.step.clone(),
            title: change.title.clone(),
            action: change.action,
            digest: digests
                .get(&(change.host.as_str(), &change.step))
                .map(|step| lower(step).digest()),
            files: change
                .files
                .iter()
                .map(|file| {
                    let before = serde_json::to_vec(&file.before).unwrap_or_default();
                    (file.path.clone(), Digest::of(&before))
                })
                .collect(),
        };
        let pending = changes
            .steps
            .iter()
            .filter(|change| change.action != Action::Keep);
        Self {
            kind: Kind::Plan,
            version: VERSION,
            origin,
            limit,
            selection,
            steps: pending.map(saved).collect(),
        }
    }

    /// Reads the text of a file; none if it is no saved plan at all.
    ///
    /// # Errors
    /// When it is one that this program cannot read.
    pub fn parse(text: &str) -> Option<Result<Self, InvalidPlan>> {
        #[derive(Deserialize)]
        struct Form {
            #[serde(rename = "type")]
            _kind: Kind,
            version: u32,
        }
        let form: Form = serde_json::from_str(text).ok()?;
        if form.version != VERSION {
            return Some(Err(InvalidPlan::Version(form.version)));
        }
        Some(serde_json::from_str(text).map_err(|error| InvalidPlan::Content(error.to_string())))
    }

    /// What is different now, one line for each thing. What is done already is no difference: a run that was cut off goes
    /// on by the plan that it began with.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.origin.site_digest != now.origin.site_digest {
            found.push(format!("{} is another text", self.origin.site_file.display()));
        }
        let key = |step: &SavedStep| (step.host.clone(), step.step.clone());
        let saved: BTreeMap<_, _> = self.steps.iter().map(|step| (key(step), step)).collect();
        found.extend(now.steps.iter().flat_map(|step| match saved.get(&key(step)) {
            None => vec![format!("{step} has come")],
            Some(before) => step.differences(before),
        }));
        found
    }
}

impl SavedStep {
    fn differences(&self, before: &Self) -> Vec<String> {
        // A step that was cut off has done a part of what it was to do.
        let goes_on = before.action == Action::Create && self.action == Action::Change;
        if self.action != before.action && !goes_on {
            return vec![format!(
                "{self} was `{}` and is `{}`",
                before.action.mark(),
                self.action.mark()
            )];
        }
        if self.digest != before.digest {
            return vec![format!("{self} would do something else")];
        }
        let changed = self.files.iter().filter(|(path, digest)| {
            let shown = before.files.get(*path);
            !goes_on && shown != Some(digest)
        });
        changed
            .map(|(path, _)| format!("{self}: {path} is not as it was there"))
            .collect()
    }
}

impl std::fmt::Display for SavedStep {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {} ({})", self.host, self.title, self.step)
    }
}

/// Why a saved plan cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlan {
    /// Another version of the program wrote it.
    #[error("it is of the form {0}, and this program reads the form {VERSION}")]
    Version(u32),
    /// Its content is not that of a saved plan.
    #[error("it is damaged: {0}")]
    Content(String),
}

#[cfg(test)]
mod tests {
    use crate::observed::{FileChange, Present};
    use crate::plan::Phase;

    use super::*;

    fn change(host: &str, action: Action) -> Change {
        Change {
            host: host.into(),
            phase: Phase::System,
            step: StepId::new(Phase::System, "hosts"),
            title: "Name the hosts".into(),
            action,
            missing: Vec::new(),
            files: vec![FileChange {
                path: "/etc/hosts".into(),
                before: Present::Absent,
                after: None,
            }],
            estimate_seconds: 1,
        }
    }

    fn saved(steps: Vec<Change>) -> SavedPlan {
        let origin = Origin {
            site: "shop".into(),
            site_file: "/home/edge/site.yaml".into(),
            site_digest: Digest::of(b"a site"),
            made: "2026-11-30 08:00 UTC".into(),
            by: "edge@laptop".into(),
        };
        let plan = Plan {
            site: "shop".into(),
            site_id: String::new(),
            release: "1.36".into(),
            token_id: String::new(),
            hosts: Vec::new(),
            after_joins: None,
            leaving: Vec::new(),
            warnings: Vec::new(),
            accepted: Vec::new(),
        };
        SavedPlan::new(
            origin,
            (BTreeSet::new(), StepSelection::default()),
            &plan,
            &Changes { steps },
        )
    }

    #[test]
    fn a_plan_survives_its_file() {
        let plan = saved(vec![
            change("edge-1", Action::Create),
            change("edge-2", Action::Keep),
        ]);
        assert_eq!(plan.steps.len(), 1);
        let text = serde_json::to_string(&plan).expect("it can be written");
        assert_eq!(SavedPlan::parse(&text), Some(Ok(plan)));
        assert_eq!(SavedPlan::parse("apiVersion: iec.dev/v1alpha1\n"), None);
        assert_eq!(
            SavedPlan::parse(&text.replace("\"version\":1", "\"version\":7")),
            Some(Err(InvalidPlan::Version(7)))
        );
        let damaged = SavedPlan::parse(&text.replace("\"steps\"", "\"stops\""));
        assert!(matches!(damaged, Some(Err(InvalidPlan::Content(_)))));
    }

    #[test]
    fn what_is_done_since_is_no_difference_and_all_else_is_named() {
        let plan = saved(vec![
            change("edge-1", Action::Create),
            change("edge-2", Action::Change),
        ]);
        assert_eq!(plan.differences(&plan), [""; 0]);
        assert_eq!(
            plan.differences(&saved(vec![change("edge-2", Action::Change)])),
            [""; 0]
        );
        assert_eq!(
            plan.differences(&saved(vec![change("edge-1", Action::Change)])),
            [""; 0],
            "a step that was cut off"
        );
        assert_eq!(
            plan.differences(&saved(vec![change("edge-3", Action::Create)])),
            ["edge-3: Name the hosts (system.hosts) has come"]
        );
        assert_eq!(
            plan.differences(&saved(vec![change("edge-2", Action::Remove)])),
            ["edge-2: Name the hosts (system.hosts) was `~` and is `-`"]
        );
        let mut edited = change("edge-2", Action::Change);
        edited.files[0].before = Present::Other;
        assert_eq!(
            plan.differences(&saved(vec![edited])),
            ["edge-2: Name the hosts (system.hosts): /etc/hosts is not as it was there"]
        );
        let mut other = plan.clone();
        other.origin.site_digest = Digest::of(b"another site");
        other.steps[1].digest = Some(Digest::of(b"another command"));
        assert_eq!(
            plan.differences(&other),
            [
                "/home/edge/site.yaml is another text",
                "edge-2: Name the hosts (system.hosts) would do something else"
            ]
        );
    }
}
