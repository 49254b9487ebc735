//! The runs that the journals of a site's hosts know: whose they were, when, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::journal::{Journal, Record};
use crate::plan::StepId;

/// One run, as far as the journals have it. A host on which a run changed nothing has no record of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its name.
    pub run: String,
    /// Whose it was; older journals do not say it.
    pub by: Option<String>,
    /// The first record of it, by the clock of the host that wrote it (RFC 3339, UTC).
    pub began: String,
    /// The last record of it.
    pub ended: String,
    /// What it did on each host.
    pub hosts: BTreeMap<String, HostWork>,
}

/// What a run did on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HostWork {
    /// How many steps it did.
    pub changed: usize,
    /// How many it recorded only.
    pub adopted: usize,
    /// How many it took back.
    pub undone: usize,
    /// The step that failed, if one did.
    pub failed: Option<FailedStep>,
    /// A step that it began and that has no outcome: it is at work, or was cut off there.
    pub unfinished: Option<StepId>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedStep {
    /// The step.
    pub step: StepId,
    /// The exit code of its commands; 0 where they succeeded and nothing came of it.
    pub code: i64,
}

/// The runs of these journals, oldest first.
///
/// Hosts' clocks differ: the order of runs is as good as they are.
#[must_use]
pub fn runs(journals: &BTreeMap<String, Journal>) -> Vec<Run> {
    let mut runs: BTreeMap<&str, Run> = BTreeMap::new();
    for (host, journal) in journals {
        for record in &journal.records {
            let run = runs.entry(&record.run).or_insert_with(|| Run {
                run: record.run.clone(),
                by: None,
                began: record.time.clone(),
                ended: record.time.clone(),
                hosts: BTreeMap::new(),
            });
            if record.time < run.began {
                run.began.clone_from(&record.time);
            }
            if record.time > run.ended {
                run.ended.clone_from(&record.time);
            }
            run.by = run
                .by
                .take()
                .or_else(|| record.by.as_deref().map(|by| owner(by, &record.run)));
            run.hosts.entry(host.clone()).or_default().note(record);
        }
    }
    let mut runs: Vec<Run> = runs.into_values().collect();
    runs.sort_by(|one, other| (&one.began, &one.run).cmp(&(&other.began, &other.run)));
    runs
}

/// An owner names its run too, for the lock of a host.
fn owner(by: &str, run: &str) -> String {
    by.strip_suffix(&format!(" (run {run})")).unwrap_or(by).to_owned()
}

impl HostWork {
    fn note(&mut self, record: &Record) {
        if record.intent.is_some() {
            self.unfinished = Some(record.step.clone());
            return;
        }
        if self.unfinished.as_ref() == Some(&record.step) {
            self.unfinished = None;
        }
        let failed_before = self
            .failed
            .as_ref()
            .is_some_and(|failed| failed.step == record.step);
        match record.outcome.as_deref() {
            Some("failed") => {
                self.failed = Some(FailedStep {
                    step: record.step.clone(),
                    code: record.code.unwrap_or(0),
                });
            }
            Some(outcome) => {
                if failed_before {
                    self.failed = None;
                }
                match outcome {
                    "changed" => self.changed += 1,
                    "adopted" => self.adopted += 1,
                    "undone" => self.undone += 1,
                    _ => {}
                }
            }
            None => {}
        }
    }
}

/// The records of one attempt of a step on a host: from its intent to its outcome, as far as the journal has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The run that made it.
    pub run: &'a str,
    /// What was to be done.
    pub intent: Option<&'a Record>,
    /// What came of it.
    pub outcome: Option<&'a Record>,
}

/// What the journal has of this step, oldest first.
#[must_use]
pub fn attempts<'a>(journal: &'a Journal, step: &StepId) -> Vec<Attempt<'a>> {
    let mut attempts: Vec<Attempt<'a>> = Vec::new();
    for record in journal.records.iter().filter(|record| record.step == *step) {
        let open = attempts
            .last_mut()
            .filter(|last| last.outcome.is_none() && last.run == record.run);
        match (record.intent.is_some(), open) {
            (false, Some(open)) => open.outcome = Some(record),
            (is_intent, _) => attempts.push(Attempt {
                run: &record.run,
                intent: is_intent.then_some(record),
                outcome: (!is_intent).then_some(record),
            }),
        }
    }
    attempts
}

/// Every step that the journals name.
#[must_use]
pub fn steps(journals: &BTreeMap<String, Journal>) -> BTreeSet<&StepId> {
    let records = journals.values().flat_map(|journal| &journal.records);
    records.map(|record| &record.step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(lines: &[&str]) -> Journal {
        let lines = lines.iter().map(|line| format!("{{\"v\":1,{line}}}\n"));
        let journal = Journal::parse(&lines.collect::<String>());
        assert!(journal.damaged.is_empty(), "{journal:?}");
        journal
    }

    fn two_hosts() -> BTreeMap<String, Journal> {
        let first = journal(&[
            r#""time":"2026-11-30T10:00:00Z","run":"b","step":"system.swap","digest":"1","intent":"apply","by":"alice (run b)""#,
            r#""time":"2026-11-30T10:00:05Z","run":"b","step":"system.swap","outcome":"changed","milliseconds":5000"#,
            r#""time":"2026-11-30T10:00:06Z","run":"b","step":"system.time","outcome":"adopted""#,
            r#""time":"2026-11-30T11:00:00Z","run":"a","step":"system.swap","digest":"2","intent":"apply","by":"bob""#,
        ]);
        let second = journal(&[
            r#""time":"2026-11-30T09:59:59Z","run":"b","step":"system.swap","digest":"1","intent":"apply""#,
            r#""time":"2026-11-30T10:00:09Z","run":"b","step":"system.swap","outcome":"failed","code":7"#,
        ]);
        BTreeMap::from([("edge-1".to_owned(), first), ("edge-2".to_owned(), second)])
    }

    #[test]
    fn a_run_has_its_owner_its_time_and_its_ends_on_each_host() {
        let runs = runs(&two_hosts());
        let names: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let first = &runs[0];
        assert_eq!(first.by.as_deref(), Some("alice"));
        assert_eq!(
            (first.began.as_str(), first.ended.as_str()),
            ("2026-11-30T09:59:59Z", "2026-11-30T10:00:09Z")
        );
        let one = &first.hosts["edge-1"];
        assert_eq!((one.changed, one.adopted, &one.failed), (1, 1, &None));
        let failed = first.hosts["edge-2"].failed.as_ref().expect("it failed");
        assert_eq!((failed.step.as_str(), failed.code), ("system.swap", 7));
        let cut = runs[1].hosts["edge-1"].unfinished.as_ref();
        assert_eq!(cut.map(StepId::as_str), Some("system.swap"));
    }

    #[test]
    fn a_step_that_failed_and_was_done_after_all_has_not_failed() {
        let again = journal(&[
            r#""time":"1","run":"a","step":"a.b","digest":"1","intent":"apply""#,
            r#""time":"2","run":"a","step":"a.b","outcome":"failed","code":1"#,
            r#""time":"3","run":"a","step":"a.b","digest":"1","intent":"apply""#,
            r#""time":"4","run":"a","step":"a.b","outcome":"changed""#,
        ]);
        let runs = runs(&BTreeMap::from([("edge-1".to_owned(), again)]));
        assert_eq!(runs[0].hosts["edge-1"].failed, None);
    }

    #[test]
    fn each_attempt_of_a_step_goes_from_its_intent_to_its_outcome() {
        let journals = two_hosts();
        let found = attempts(&journals["edge-1"], &StepId::from_record("system.swap"));
        let told: Vec<(&str, bool, bool)> = found
            .iter()
            .map(|attempt| (attempt.run, attempt.intent.is_some(), attempt.outcome.is_some()))
            .collect();
        assert_eq!(told, [("b", true, true), ("a", true, false)]);
        let adopted = attempts(&journals["edge-1"], &StepId::from_record("system.time"));
        assert!(matches!(
            adopted.as_slice(),
            [Attempt {
                intent: None,
                outcome: Some(_),
                ..
            }]
        ));
    }
}
