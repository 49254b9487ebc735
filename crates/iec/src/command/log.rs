//! `iec log`: the runs that the hosts' journals know, and their steps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use iec_core::journal::{Journal, Record};
use iec_core::name::HostName;
use iec_core::runs::{HostWork, Run, runs};
use iec_host::{Fleet, journals};
use serde_json::json;

use super::log_show;
use super::reach::{HostTrouble, block_on, fleet, unanswered};
use super::site_file::{self, SiteFile};
use crate::cli::{Log, LogCommand};
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui, count, duration};

/// Prints the runs, oldest first, or the steps of those that are asked for.
pub(super) fn run(arguments: &Log, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    if let Some(LogCommand::Show(arguments)) = &arguments.command {
        return log_show::run(arguments, settings, ui);
    }
    let file = site_file::read(&arguments.site)?;
    let left_out = all_but(&file, arguments.host.as_deref())?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?.without(&left_out);
    let (journals, silent) = block_on(async { Ok(read(&fleet).await) })?;
    name_damaged(&journals, ui);
    let is_asked = |run: &str| arguments.run.as_deref().is_none_or(|name| name == run);
    let records = records(&journals, is_asked);
    for (host, record) in &records {
        ui.event(Document::Log, &json!({ "host": host, "record": record }));
    }
    let mut runs = runs(&journals);
    runs.retain(|run| is_asked(&run.run));
    for run in &runs {
        ui.event(Document::LogRun, run);
    }
    if !ui.is_json() {
        let with_steps = arguments.steps || arguments.run.is_some();
        let steps: &[_] = if with_steps { &records } else { &[] };
        ui.raw(&table(&runs, steps, silent.is_none()));
    }
    silent.map_or(Ok(Outcome::Done), Err)
}

/// The hosts of the site but this one.
///
/// # Errors
/// When the site has no such host.
pub(super) fn all_but(file: &SiteFile, host: Option<&str>) -> Result<BTreeSet<HostName>, CliError> {
    let Some(wanted) = host else {
        return Ok(BTreeSet::new());
    };
    let names = || file.site.hosts().iter().map(|host| host.name());
    if names().all(|name| name.as_str() != wanted) {
        return Err(CliError::refused(
            "IEC0908",
            format!("the site has no host {wanted}"),
        ));
    }
    Ok(names().filter(|name| name.as_str() != wanted).cloned().collect())
}

/// Names the lines of journals that cannot be read.
pub(super) fn name_damaged(journals: &BTreeMap<String, Journal>, ui: &Ui) {
    for (host, journal) in journals {
        for line in &journal.damaged {
            ui.warn(
                "IEC4905",
                &format!("a line of {host}'s journal cannot be read: {line}"),
            );
        }
    }
}

/// The records of the runs that are asked for, oldest first. Within a host it is the journal's own order; across hosts it
/// is as good as their clocks.
fn records(journals: &BTreeMap<String, Journal>, is_asked: impl Fn(&str) -> bool) -> Vec<(&str, &Record)> {
    let records = journals
        .iter()
        .flat_map(|(host, journal)| journal.records.iter().map(move |record| (host.as_str(), record)));
    let mut records: Vec<_> = records.filter(|(_, record)| is_asked(&record.run)).collect();
    records.sort_by(|(_, one), (_, other)| one.time.cmp(&other.time));
    records
}

/// The journals of the hosts that answered, and why the others did not.
pub(super) async fn read(fleet: &Fleet) -> (BTreeMap<String, Journal>, Option<CliError>) {
    let mut read = BTreeMap::new();
    let mut failures = BTreeMap::new();
    for (host, answer) in journals(fleet).await {
        match answer {
            Ok(journal) => drop(read.insert(host, journal)),
            Err(error) => drop(failures.insert(host, HostTrouble::from(&error))),
        }
    }
    let error = unanswered(
        failures
            .iter()
            .map(|(host, trouble)| (host.as_str(), trouble.clone())),
    );
    (read, error)
}

/// The runs, each with those of these records that are its own. That nothing was done can be said only where every host has
/// answered.
fn table(runs: &[Run], steps: &[(&str, &Record)], all_answered: bool) -> String {
    let mut text = String::new();
    let width = steps.iter().map(|(host, _)| host.len()).max().unwrap_or(0);
    for run in runs {
        let by = run.by.as_deref().unwrap_or("whose it was is not recorded");
        let took = took(&run.began, &run.ended).map_or(String::new(), |took| format!(", {took}"));
        let _ = writeln!(text, "run {}  {}{took}  {by}", run.run, run.began);
        for (host, work) in &run.hosts {
            let _ = writeln!(text, "  {host}: {}", came_of(work));
        }
        for (host, record) in steps.iter().filter(|(_, record)| record.run == run.run) {
            let _ = writeln!(text, "{}", step_line(host, width, record));
        }
    }
    if text.is_empty() && all_answered {
        text.push_str("Nothing was done by IEC on these hosts.\n");
    }
    text
}

/// What a run came to on a host, for people.
fn came_of(work: &HostWork) -> String {
    let counted = [
        (work.changed, "done"),
        (work.adopted, "recorded"),
        (work.undone, "taken back"),
    ];
    let counted = counted.into_iter().filter(|(number, _)| *number > 0);
    let mut parts: Vec<String> = counted
        .map(|(number, what)| format!("{} {what}", count(number, "step")))
        .collect();
    if let Some(failed) = &work.failed {
        parts.push(match failed.code {
            0 => format!("{} did not take effect", failed.step),
            code => format!("{} failed (exit code {code})", failed.step),
        });
    }
    if let Some(step) = &work.unfinished {
        parts.push(format!(
            "{step} was begun and has no end: it is at work, or was cut off"
        ));
    }
    parts.join(", ")
}

/// How much time is between two moments of a journal.
fn took(began: &str, ended: &str) -> Option<String> {
    let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let seconds = moment(ended)?.as_second() - moment(began)?.as_second();
    Some(duration(Duration::from_secs(u64::try_from(seconds).ok()?)))
}

fn step_line(host: &str, width: usize, record: &Record) -> String {
    let what = match (&record.outcome, &record.intent) {
        (Some(outcome), _) => outcome.as_str(),
        (None, Some(_)) => "begun",
        (None, None) => "noted",
    };
    let took = record
        .milliseconds
        .map(|took| format!("  {}", duration(Duration::from_millis(took))));
    let code = record
        .code
        .filter(|code| *code != 0)
        .map(|code| format!("  exit code {code}"));
    format!(
        "  {}  {host:width$}  {what:8}  {}{}{}",
        record.time,
        record.step,
        took.unwrap_or_default(),
        code.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_did_not_answer_may_have_done_anything() {
        assert_eq!(table(&[], &[], true), "Nothing was done by IEC on these hosts.\n");
        assert_eq!(table(&[], &[], false), "");
    }

    #[test]
    fn a_run_is_told_with_its_owner_its_time_and_what_came_of_it() {
        let journal = Journal::parse(concat!(
            r#"{"v":1,"time":"2026-11-30T10:00:00Z","run":"r-1","step":"system.swap","digest":"1","intent":"apply","by":"iec apply by alice@shed"}"#,
            "\n",
            r#"{"v":1,"time":"2026-11-30T10:01:05Z","run":"r-1","step":"system.swap","digest":"1","outcome":"failed","code":7}"#,
            "\n",
            r#"{"v":1,"time":"2026-11-30T11:00:00Z","run":"r-2","step":"system.swap","digest":"1","intent":"apply"}"#,
            "\n",
        ));
        let journals = BTreeMap::from([("edge-1".to_owned(), journal)]);
        let found = runs(&journals);
        assert_eq!(
            table(&found, &[], true),
            "run r-1  2026-11-30T10:00:00Z, 1 min 05 s  iec apply by alice@shed\n  \
             edge-1: system.swap failed (exit code 7)\n\
             run r-2  2026-11-30T11:00:00Z, 0.0 s  whose it was is not recorded\n  \
             edge-1: system.swap was begun and has no end: it is at work, or was cut off\n"
        );
        let steps = records(&journals, |run| run == "r-1");
        let text = table(&found[..1], &steps, true);
        assert!(
            text.ends_with("  2026-11-30T10:01:05Z  edge-1  failed    system.swap  exit code 7\n"),
            "{text}"
        );
    }
}
