//! `iec log show`: what a step did on each host, from the host's journal and what it has kept of what was printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use iec_core::journal::{Journal, Record};
use iec_core::nearest::nearest;
use iec_core::output::{KeptOutput, OutputOf};
use iec_core::plan::StepId;
use iec_core::redact::Redaction;
use iec_core::runs::{Attempt, attempts, steps};
use iec_host::outputs;
use serde_json::{Value, json};

use super::log::{all_but, name_damaged, read};
use super::reach::{HostTrouble, block_on, fleet};
use super::site_file;
use crate::cli::LogShow;
use crate::credentials;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui, duration, size};

/// Prints what the step did, a host after the other.
pub(super) fn run(arguments: &LogShow, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    let left_out = all_but(&file, arguments.host.as_deref())?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?.without(&left_out);
    let step = StepId::from_record(&arguments.step);
    // A damaged secrets file must not keep anybody from seeing why a step failed.
    let redaction = match credentials::load(&file.secrets()) {
        Ok(known) => known.as_ref().map(Redaction::of).unwrap_or_default(),
        Err(error) => {
            ui.warn(&error.code, &error.cause);
            Redaction::default()
        }
    };
    let (journals, silent, kept) = block_on(async {
        let (journals, silent) = read(&fleet).await;
        Ok((journals, silent, outputs(&fleet, &step).await))
    })?;
    name_damaged(&journals, ui);
    let mut shown = Vec::new();
    for (host, journal) in &journals {
        let Some(last) = wanted(journal, &step, arguments.run.as_deref()) else {
            continue;
        };
        let kept = match kept.get(host) {
            Some(Ok(kept)) => kept.as_slice(),
            Some(Err(error)) => {
                let trouble = HostTrouble::from(error);
                ui.warn(
                    "IEC4906",
                    &format!("{host} does not tell what the step printed: {}", trouble.cause),
                );
                &[]
            }
            None => &[],
        };
        let of_host = Shown {
            host,
            step: &step,
            attempt: last,
            outputs: kept.iter().filter(|output| last.printed(output)).collect(),
        };
        ui.event(Document::LogStep, &of_host.json(&redaction));
        shown.push(of_host.text(&redaction));
    }
    if !ui.is_json() {
        ui.raw(&shown.join("\n"));
    }
    match silent {
        Some(error) => Err(error),
        None if shown.is_empty() => Err(unknown(&journals, &step, arguments.run.as_deref())),
        None => Ok(Outcome::Done),
    }
}

/// The last attempt of a step, in this run where one is named, and whether it is the last one of all.
#[derive(Debug, Clone, Copy)]
struct Last<'a> {
    run: &'a str,
    intent: Option<&'a Record>,
    outcome: Option<&'a Record>,
    is_last: bool,
}

fn wanted<'a>(journal: &'a Journal, step: &StepId, run: Option<&str>) -> Option<Last<'a>> {
    let found = attempts(journal, step);
    let place = found
        .iter()
        .rposition(|attempt| run.is_none_or(|run| attempt.run == run))?;
    let Attempt { run, intent, outcome } = found[place].clone();
    Some(Last {
        run,
        intent,
        outcome,
        is_last: place + 1 == found.len(),
    })
}

impl Last<'_> {
    /// Whether it printed this. A host keeps one output of each kind: it is of the last attempt, unless that is older, or
    /// printed nothing.
    fn printed(&self, output: &KeptOutput) -> bool {
        let ended = self.outcome.and_then(|record| record.outcome.as_deref());
        // What an undo prints comes before its record, which is all that the journal has of it.
        if ended == Some("undone") {
            return self.is_last && output.of == OutputOf::Undo;
        }
        let has_acted = self.intent.is_some() || ended == Some("failed");
        let began = self
            .intent
            .and_then(|record| record.time.parse::<jiff::Timestamp>().ok());
        let is_new = began.is_none_or(|began| output.seconds + 1 >= began.as_second());
        self.is_last && output.of != OutputOf::Undo && has_acted && is_new
    }
}

/// What there is to see of a step on one host.
struct Shown<'a> {
    host: &'a str,
    step: &'a StepId,
    attempt: Last<'a>,
    outputs: Vec<&'a KeptOutput>,
}

impl Shown<'_> {
    fn text(&self, redaction: &Redaction) -> String {
        let Self {
            host, step, attempt, ..
        } = self;
        let title = self.field(|record| record.title.clone());
        let title = title.map_or(String::new(), |title| format!(": {title}"));
        let mut text = format!("{host}: {step}{title}\n  run {}\n", attempt.run);
        let _ = writeln!(text, "  {}", self.end());
        match self.field(|record| record.commands.clone()) {
            Some(commands) if commands.trim().is_empty() => {
                text.push_str("  It has no commands: it only asks.\n");
            }
            Some(commands) => section(&mut text, "commands", &redaction.text(&commands)),
            None => text.push_str("  The journal does not have its commands.\n"),
        }
        for output in &self.outputs {
            let name = match output.of {
                OutputOf::Apply => "output",
                OutputOf::Check => "errors of its check",
                OutputOf::Undo => "output of taking it back",
            };
            let whole = output.size <= u64::try_from(output.text.len()).unwrap_or(u64::MAX);
            let part = if whole {
                String::new()
            } else {
                format!(", the end of {}", size(output.size))
            };
            if !output.text.trim().is_empty() {
                section(&mut text, &format!("{name}{part}"), &redaction.text(&output.text));
            }
        }
        if self.outputs.iter().all(|output| output.text.trim().is_empty()) {
            let _ = writeln!(text, "  {}", self.silence());
        }
        match self.field(|record| record.undo.clone()) {
            Some(undo) if undo.trim().is_empty() => {
                text.push_str("  It leaves nothing that is taken back by itself.\n");
            }
            Some(undo) => section(&mut text, "takes it back", &redaction.text(&undo)),
            None => {}
        }
        text
    }

    fn json(&self, redaction: &Redaction) -> Value {
        let clean = |text: Option<String>| text.map(|text| redaction.text(&text));
        let outputs: Vec<Value> = self
            .outputs
            .iter()
            .map(|output| {
                json!({
                    "of": output.of, "seconds": output.seconds, "size": output.size,
                    "text": redaction.text(&output.text),
                })
            })
            .collect();
        json!({
            "host": self.host,
            "step": self.step,
            "run": self.attempt.run,
            "title": self.field(|record| record.title.clone()),
            "began": self.attempt.intent.map(|record| &record.time),
            "ended": self.attempt.outcome.map(|record| &record.time),
            "outcome": self.attempt.outcome.and_then(|record| record.outcome.as_ref()),
            "milliseconds": self.attempt.outcome.and_then(|record| record.milliseconds),
            "code": self.code(),
            "commands": clean(self.field(|record| record.commands.clone())),
            "undo": clean(self.field(|record| record.undo.clone())),
            "outputs": outputs,
        })
    }

    fn field(&self, of: impl Fn(&Record) -> Option<String>) -> Option<String> {
        let mut records = [self.attempt.intent, self.attempt.outcome].into_iter().flatten();
        records.find_map(of)
    }

    /// The exit code of its commands: a step is recorded as done only where all of them have ended with 0.
    fn code(&self) -> Option<i64> {
        let outcome = self.attempt.outcome?;
        match outcome.outcome.as_deref() {
            Some("changed") => Some(0),
            _ => outcome.code,
        }
    }

    /// When it began and how it ended, for people.
    fn end(&self) -> String {
        let began = self
            .attempt
            .intent
            .map_or(String::new(), |intent| format!("begun {}, ", intent.time));
        let Some(outcome) = self.attempt.outcome else {
            return format!("{began}without an end: it is at work, or was cut off");
        };
        let what = outcome.outcome.as_deref().unwrap_or("noted");
        let took = outcome.milliseconds.map_or(String::new(), |took| {
            format!(" after {}", duration(Duration::from_millis(took)))
        });
        let code = match (what, self.code()) {
            ("failed", Some(0)) => ", exit code 0: it did not take effect".to_owned(),
            (_, Some(code)) => format!(", exit code {code}"),
            (_, None) => String::new(),
        };
        format!("{began}{what} {}{took}{code}", outcome.time)
    }

    /// Why there is no output to see.
    fn silence(&self) -> &'static str {
        match (self.attempt.is_last, self.attempt.intent) {
            (false, _) => "What it printed then is not kept: the step was at work again later.",
            (true, None) => "It had nothing to do, so nothing was printed.",
            (true, Some(_)) => "It printed nothing, or handles secrets, so that nothing is kept of it.",
        }
    }
}

fn section(text: &mut String, name: &str, content: &str) {
    let _ = writeln!(text, "  {name}:");
    for line in content.trim_end().lines() {
        let _ = writeln!(text, "    {line}");
    }
}

/// That no journal has the step.
fn unknown(journals: &BTreeMap<String, Journal>, step: &StepId, run: Option<&str>) -> CliError {
    let known = steps(journals);
    let names = known.iter().map(|step| step.as_str());
    let when = run.map_or(String::new(), |run| format!(" in the run {run}"));
    let error = CliError::refused("IEC4907", format!("no host has done the step {step}{when}"));
    if known.contains(step) {
        return error.next("iec log names the runs");
    }
    match nearest(step.as_str(), names) {
        Some(near) => error.next(format!("iec log show {near}")),
        None => error.next("iec log --steps names the steps"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: &str = concat!(
        r#"{"v":1,"time":"2026-11-30T10:00:00Z","run":"r-1","step":"a.b","digest":"1","intent":"apply","by":"alice","commands":"install /dev/stdin /x\n","title":"Write /x","undo":"rm -f /x\n"}"#,
        "\n",
        r#"{"v":1,"time":"2026-11-30T10:00:05Z","run":"r-1","step":"a.b","digest":"1","outcome":"failed","code":7}"#,
        "\n",
        r#"{"v":1,"time":"2026-11-30T11:00:00Z","run":"r-2","step":"a.b","digest":"1","intent":"apply","title":"Write /x","undo":"rm -f /x\n"}"#,
        "\n",
        r#"{"v":1,"time":"2026-11-30T11:00:02Z","run":"r-2","step":"a.b","digest":"1","outcome":"changed","milliseconds":1500}"#,
        "\n",
    );

    fn shown(run: Option<&str>, output: &KeptOutput) -> String {
        let journal = Journal::parse(JOURNAL);
        let step = StepId::from_record("a.b");
        let attempt = wanted(&journal, &step, run).expect("it is there");
        let of_host = Shown {
            host: "edge-1",
            step: &step,
            attempt,
            outputs: [output]
                .into_iter()
                .filter(|output| attempt.printed(output))
                .collect(),
        };
        of_host.text(&Redaction::default())
    }

    fn output(time: &str, text: &str) -> KeptOutput {
        KeptOutput {
            of: OutputOf::Apply,
            seconds: time.parse::<jiff::Timestamp>().expect("a time").as_second(),
            size: 4096,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_last_attempt_is_shown_with_its_output_and_without_secrets() {
        let kept = output("2026-11-30T11:00:01Z", "token abcdef.0123456789abcdef\n");
        assert_eq!(
            shown(None, &kept),
            "edge-1: a.b: Write /x\n  run r-2\n  \
             begun 2026-11-30T11:00:00Z, changed 2026-11-30T11:00:02Z after 1.5 s, exit code 0\n  \
             The journal does not have its commands.\n  \
             output, the end of 4.1 kB:\n    token [redacted]\n  \
             takes it back:\n    rm -f /x\n"
        );
    }

    #[test]
    fn an_earlier_attempt_has_its_commands_and_no_output_that_is_not_its_own() {
        let kept = output("2026-11-30T11:00:01Z", "later\n");
        assert_eq!(
            shown(Some("r-1"), &kept),
            "edge-1: a.b: Write /x\n  run r-1\n  \
             begun 2026-11-30T10:00:00Z, failed 2026-11-30T10:00:05Z, exit code 7\n  \
             commands:\n    install /dev/stdin /x\n  \
             What it printed then is not kept: the step was at work again later.\n  \
             takes it back:\n    rm -f /x\n"
        );
        let older = output("2026-11-30T10:00:04Z", "earlier\n");
        assert!(!shown(None, &older).contains("earlier"));
    }
}
