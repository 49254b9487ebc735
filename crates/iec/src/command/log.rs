//! `iec log`: what was done on the hosts, from their journals.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use iec_core::journal::{Journal, Record};
use iec_host::{Fleet, journals};
use serde_json::json;

use super::reach::{HostTrouble, block_on, fleet, unanswered};
use super::site_file;
use crate::cli::Log;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui, duration};

/// Prints the journals, oldest first.
pub(super) fn run(arguments: &Log, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    if let Some(name) = &arguments.host
        && !file.site.hosts().iter().any(|host| host.name().as_str() == name)
    {
        return Err(CliError::refused(
            "IEC0908",
            format!("the site has no host {name}"),
        ));
    }
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    let (journals, silent) = block_on(async { Ok(read(&fleet).await) })?;
    let wanted = |host: &str| arguments.host.as_deref().is_none_or(|name| name == host);
    let mut records: Vec<(&str, &Record)> = journals
        .iter()
        .filter(|(host, _)| wanted(host))
        .flat_map(|(host, journal)| journal.records.iter().map(move |record| (host.as_str(), record)))
        .filter(|(_, record)| arguments.run.as_deref().is_none_or(|run| record.run == run))
        .collect();
    // Hosts' clocks differ: the order across hosts is as good as they are. Within a host it is the journal's own.
    records.sort_by(|(_, one), (_, other)| one.time.cmp(&other.time));
    for (host, journal) in journals.iter().filter(|(host, _)| wanted(host)) {
        for line in &journal.damaged {
            ui.warn(
                "IEC4905",
                &format!("a line of {host}'s journal cannot be read: {line}"),
            );
        }
    }
    for (host, record) in &records {
        ui.event(Document::Log, &json!({ "host": host, "record": record }));
    }
    if !ui.is_json() {
        let all_answered = silent.is_none() || !wanted_is_silent(arguments, &journals);
        ui.raw(&table(&records, all_answered));
    }
    match silent {
        Some(error) if wanted_is_silent(arguments, &journals) => Err(error),
        _ => Ok(Outcome::Done),
    }
}

/// Whether a host that was asked for did not answer.
fn wanted_is_silent(arguments: &Log, journals: &BTreeMap<String, Journal>) -> bool {
    arguments
        .host
        .as_ref()
        .is_none_or(|name| !journals.contains_key(name))
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

/// The records as a table. That nothing was done can be said only where every host has answered.
fn table(records: &[(&str, &Record)], all_answered: bool) -> String {
    let mut text = String::new();
    let hosts = records.iter().map(|(host, _)| host.len()).max().unwrap_or(0);
    let mut run = "";
    for (host, record) in records {
        if record.run != run {
            run = &record.run;
            let _ = writeln!(text, "run {run}");
        }
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
        let _ = writeln!(
            text,
            "  {}  {host:hosts$}  {what:8}  {}{}{}",
            record.time,
            record.step,
            took.unwrap_or_default(),
            code.unwrap_or_default()
        );
    }
    if text.is_empty() && all_answered {
        text.push_str("Nothing was done by IEC on these hosts.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn hosts_that_did_not_answer_may_have_done_anything() {
        assert_eq!(table(&[], true), "Nothing was done by IEC on these hosts.\n");
        assert_eq!(table(&[], false), "");
    }
}
