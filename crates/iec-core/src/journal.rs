//! The journal of a host: what was intended, what came of it, and how it is taken back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::StepId;
use crate::said;

/// The version of the lines that this program writes. It reads all versions up to this one.
pub const VERSION: u32 = 1;

/// One line of `/var/lib/iec/journal.jsonl`. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the line.
    pub v: u32,
    /// When it was written, by the host's clock (RFC 3339, UTC).
    #[serde(deserialize_with = "said::read")]
    pub time: String,
    /// The run that wrote it.
    #[serde(deserialize_with = "said::read")]
    pub run: String,
    /// The step.
    pub step: StepId,
    /// The digest of what the step did.
    #[serde(default, deserialize_with = "said::read")]
    pub digest: String,
    /// `apply` before the first change.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub intent: Option<String>,
    /// `changed`, `adopted`, `failed` or `undone` afterwards.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub outcome: Option<String>,
    /// What the step does, for people; with an intent, or with the outcome `adopted`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub title: Option<String>,
    /// What takes it back, as shell text; with an intent, or with the outcome `adopted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// The step whose undo takes this one back too, where it has none of its own.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub covered: Option<String>,
    /// Why it cannot be taken back, where it cannot.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub stays: Option<String>,
    /// The commands of the step, as shell text that may be shortened; with an intent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub commands: Option<String>,
    /// Whose run it is; with the first record that each start of the runner writes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "said::read_some"
    )]
    pub by: Option<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// The exit code of what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
}

/// A step that was begun on a host and not taken back since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The step.
    pub step: StepId,
    /// What it did, for people, where the journal says it.
    pub title: Option<String>,
    /// What takes it back, as shell text; empty where it leaves nothing behind by itself.
    pub undo: String,
}

impl Recorded {
    /// Whether there is something to take back.
    #[must_use]
    pub fn leaves_something(&self) -> bool {
        !self.undo.trim().is_empty()
    }

    /// What it did, for people.
    #[must_use]
    pub fn title(&self) -> String {
        self.title
            .clone()
            .unwrap_or_else(|| "Done by an earlier run".to_owned())
    }
}

/// A host's journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// Its records, oldest first.
    pub records: Vec<Record>,
    /// Lines that could not be read. A line that a power cut tore has no end and is not among them: nothing was begun
    /// on its strength.
    pub damaged: Vec<String>,
}

impl Journal {
    /// Reads a journal. It never fails: what cannot be read is listed.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut journal = Self::default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let is_torn = |line: &&str| line.starts_with('{') && !line.ends_with('}');
        for line in whole
            .lines()
            .filter(|line| !line.trim().is_empty() && !is_torn(line))
        {
            match serde_json::from_str::<Record>(line) {
                Ok(record) if record.v <= VERSION => journal.records.push(record),
                Ok(_) | Err(_) => journal.damaged.push(said::said(line)),
            }
        }
        journal
    }

    /// The steps that were begun and not taken back since, in the order in which they must be taken back: the step
    /// that was begun last comes first.
    ///
    /// The first intent of a step says when it was begun, the last one how it is taken back.
    #[must_use]
    pub fn undo(&self) -> Vec<Recorded> {
        let mut order: Vec<StepId> = Vec::new();
        let mut steps: BTreeMap<StepId, Recorded> = BTreeMap::new();
        for record in &self.records {
            if record.outcome.as_deref() == Some("undone") {
                steps.remove(&record.step);
                order.retain(|step| *step != record.step);
            } else if let Some(undo) = &record.undo {
                if !steps.contains_key(&record.step) {
                    order.push(record.step.clone());
                }
                let recorded = Recorded {
                    step: record.step.clone(),
                    title: record.title.clone(),
                    undo: undo.clone(),
                };
                steps.insert(record.step.clone(), recorded);
            }
        }
        order
            .into_iter()
            .rev()
            .filter_map(|step| steps.remove(&step))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Journal;

    const LINES: &str = concat!(
        r#"{"v":1,"time":"2026-11-23T10:00:00Z","run":"a","step":"system.swap","digest":"1","intent":"apply","undo":"rm a\n"}"#,
        "\n",
        r#"{"v":1,"time":"2026-11-23T10:00:01Z","run":"a","step":"system.swap","digest":"1","outcome":"changed","milliseconds":3}"#,
        "\n",
        r#"{"v":1,"time":"2026-11-23T10:00:02Z","run":"a","step":"runtime.images","digest":"2","intent":"apply","undo":"rm b\n"}"#,
        "\n",
        r#"{"v":1,"time":"2026-11-23T10:00:02Z","run":"a","step":"torn"#,
    );

    #[test]
    fn a_torn_last_line_is_ignored() {
        let journal = Journal::parse(LINES);
        assert_eq!(journal.records.len(), 3);
        assert!(journal.damaged.is_empty());
    }

    #[test]
    fn what_follows_a_torn_line_is_read() {
        let text = format!(
            "{LINES}\n{}\n",
            r#"{"v":1,"time":"2026-11-23T10:00:03Z","run":"b","step":"node.labels","digest":"3","intent":"apply","undo":"rm c\n"}"#
        );
        let journal = Journal::parse(&text);
        assert_eq!((journal.records.len(), journal.damaged.len()), (4, 0));
    }

    #[test]
    fn what_was_begun_last_is_taken_back_first() {
        let undo = Journal::parse(LINES).undo();
        let steps: Vec<&str> = undo.iter().map(|recorded| recorded.step.as_str()).collect();
        assert_eq!(steps, ["runtime.images", "system.swap"]);
        assert_eq!(undo[0].undo, "rm b\n");
    }

    #[test]
    fn what_was_taken_back_is_not_taken_back_again() {
        let text = LINES.rsplit_once('\n').unwrap().0.to_owned()
            + "\n"
            + r#"{"v":1,"time":"2026-11-23T10:00:03Z","run":"b","step":"runtime.images","outcome":"undone"}"#
            + "\n";
        let undo = Journal::parse(&text).undo();
        assert_eq!(undo.len(), 1);
    }

    #[test]
    fn no_word_of_a_journal_acts_on_a_terminal() {
        let evil = "\\u001b[2J\\u009b31m\\u202e";
        let line = format!(
            "{{\"v\":1,\"time\":\"{evil}\",\"run\":\"{evil}\",\"step\":\"{evil}\",\"digest\":\"{evil}\",\"intent\":\"{evil}\",\
             \"outcome\":\"{evil}\",\"title\":\"{evil}\"}}\nnonsense\u{1b}[2J\n"
        );
        let journal = Journal::parse(&line);
        let [record] = journal.records.as_slice() else {
            panic!("{journal:?}")
        };
        let mut shown = vec![
            record.time.clone(),
            record.run.clone(),
            record.digest.clone(),
            record.step.to_string(),
        ];
        shown.extend(
            [&record.intent, &record.outcome, &record.title].map(|text| text.clone().unwrap_or_default()),
        );
        shown.extend(journal.damaged.clone());
        assert!(
            shown
                .iter()
                .all(|text| !text.is_empty() && !text.chars().any(crate::said::acts)),
            "{shown:?}"
        );
    }

    #[test]
    fn a_line_of_a_later_version_is_named_damaged() {
        let journal = Journal::parse("{\"v\":99,\"time\":\"\",\"run\":\"\",\"step\":\"a.b\"}\nnonsense\n");
        assert_eq!(journal.damaged.len(), 2);
    }
}
