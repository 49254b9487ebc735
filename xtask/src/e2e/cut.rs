//! What happens to hosts at chosen moments of one `iec apply`, and the proof that none of it was done twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::lab::{Host, Lab};
use super::machine::Machine;
use crate::program::{Ended, Meanwhile, Program};

/// A moment: the host has begun this step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// The host.
    pub(super) host: String,
    /// The step.
    pub(super) step: String,
}

/// What happens at a moment.
pub(super) enum Happening<'a> {
    /// Something beside it, while the apply goes on.
    Beside(&'a dyn Fn() -> anyhow::Result<()>),
    /// The host loses its power and comes back. The apply waits for it and goes on.
    Blackout,
    /// The operator types Ctrl-C.
    Interrupt,
    /// The host loses its power and comes back, and the operator's program is killed with it.
    End,
}

/// Runs `iec apply` and lets things happen, each at its moment, in this order. Gives how it ended, or nothing where it was
/// killed.
///
/// # Errors
/// When something of it cannot be done, or a moment does not come.
pub(super) fn apply(
    lab: &Lab,
    machine: &Machine,
    log: &str,
    happenings: &[(Moment, Happening<'_>)],
) -> anyhow::Result<Option<Ended>> {
    run(
        lab,
        machine,
        log,
        &["apply", lab.site(), "-o", "json"],
        happenings,
    )
}

/// The same with another command that changes hosts.
///
/// # Errors
/// Those of [`apply`].
pub(super) fn run(
    lab: &Lab,
    machine: &Machine,
    log: &str,
    words: &[&str],
    happenings: &[(Moment, Happening<'_>)],
) -> anyhow::Result<Option<Ended>> {
    let path = machine.logs.join(format!("{log}.log"));
    let program = Program::new(&machine.logs, &machine.iec, words, &machine.interrupt);
    let (mut reading, mut left) = (Reading::default(), happenings.iter());
    let mut next = left.next();
    let ended = program.logged_until(&path, &mut || {
        let Some((moment, happening)) = next.filter(|(moment, _)| reading.has_come(&path, moment)) else {
            return Ok(Meanwhile::GoOn);
        };
        next = left.next();
        match happening {
            Happening::Beside(work) => work()?,
            Happening::Blackout => blackout(lab, &moment.host)?,
            Happening::Interrupt => return Ok(Meanwhile::Interrupt),
            Happening::End => return Ok(Meanwhile::Kill),
        }
        Ok(Meanwhile::GoOn)
    })?;
    if let Some((moment, _)) = next {
        let code = ended.and_then(|ended| ended.code);
        bail!(
            "iec ended ({code:?}) before {} began {}, see {log}.log",
            moment.host,
            moment.step
        );
    }
    if let (None, Some((moment, _))) = (&ended, happenings.last()) {
        blackout(lab, &moment.host)?;
    }
    Ok(ended)
}

/// The host loses its power and comes back.
fn blackout(lab: &Lab, name: &str) -> anyhow::Result<()> {
    let host = lab.host(name)?;
    lab.power_off(host)?;
    lab.power_on(host)
}

/// How much of the events was read.
#[derive(Default)]
struct Reading {
    at: usize,
}

impl Reading {
    /// Whether a whole line that was not read before says that the moment has come. What comes behind that line is for
    /// the next moment.
    fn has_come(&mut self, log: &Path, moment: &Moment) -> bool {
        // A log that is not there yet says nothing yet.
        let text = fs::read(log).unwrap_or_default();
        while let Some(length) = text[self.at.min(text.len())..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let line = String::from_utf8_lossy(&text[self.at..self.at + length]).into_owned();
            self.at += length + 1;
            if events(&line).any(|event| moment.is(&event)) {
                return true;
            }
        }
        false
    }
}

impl Moment {
    fn is(&self, event: &Value) -> bool {
        event["event"] == "started"
            && event["host"] == self.host.as_str()
            && event["step"] == self.step.as_str()
    }
}

/// What happened on hosts, by the lines of JSON that an apply printed.
pub(crate) fn events(lines: &str) -> impl Iterator<Item = Value> {
    lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|object| object["type"] == "run.event")
}

/// Fails when a step of kubeadm was done twice: then `init` or `join` was not resumed but repeated.
///
/// # Errors
/// That, or a journal that cannot be read.
pub(super) fn nothing_twice(lab: &Lab, host: &Host) -> anyhow::Result<()> {
    let text = lab.run(host, "cat /var/lib/iec/journal.jsonl", "")?;
    for (step, times) in changed(&text).with_context(|| format!("the journal of {}", host.name))? {
        let of_kubeadm = step.starts_with("control-plane.") || step.starts_with("join.");
        // Whoever waits changes nothing; the same is waited for again after a cut.
        let may = !of_kubeadm || step.ends_with(".wait");
        ensure!(may || times == 1, "{} did {step} {times} times", host.name);
    }
    Ok(())
}

/// Fails when a host did not come to the end of what it had begun.
///
/// # Errors
/// That, or a journal that cannot be read.
pub(super) fn ends_whole(lab: &Lab, host: &Host) -> anyhow::Result<()> {
    let text = lab.run(host, "tail -n 1 /var/lib/iec/journal.jsonl", "")?;
    let record: Value = serde_json::from_str(&text).with_context(|| format!("not a record: {text}"))?;
    ensure!(
        ["changed", "adopted"].iter().any(|end| record["outcome"] == *end),
        "the last record of {} is {text}",
        host.name
    );
    Ok(())
}

/// How often each step was done.
fn changed(journal: &str) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut changed = BTreeMap::new();
    for line in journal.lines() {
        // A line that a power cut tore has no end; the next one begins behind it on a line of its own.
        if !line.ends_with('}') {
            continue;
        }
        let record: Value = serde_json::from_str(line).with_context(|| format!("not a record: {line}"))?;
        if record["outcome"] == "changed" {
            let step = record["step"].as_str().context("a record names its step")?;
            *changed.entry(step.to_owned()).or_default() += 1;
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_once_and_with_a_whole_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let line = r#"{"type":"run.event","event":"started","step":"join.wait","host":"edge-2"}"#;
        let moment = |step: &str| Moment {
            host: "edge-2".to_owned(),
            step: step.to_owned(),
        };
        let mut reading = Reading::default();
        assert!(!reading.has_come(&log, &moment("join.wait")));
        fs::write(&log, line).expect("written");
        assert!(!reading.has_come(&log, &moment("join.wait")));
        let next = line.replace("join.wait", "join.preflight");
        fs::write(&log, format!("{line}\n{next}\n")).expect("written");
        assert!(reading.has_come(&log, &moment("join.wait")));
        assert!(reading.has_come(&log, &moment("join.preflight")));
        assert!(!reading.has_come(&log, &moment("join.wait")));
    }

    #[test]
    fn what_is_done_is_counted_and_torn_lines_are_not() {
        let record = |step: &str| format!("{{\"step\":\"{step}\",\"outcome\":\"changed\"}}\n");
        let journal = record("join.wait").repeat(2) + "{\"torn\n" + &record("control-plane.etcd") + "{\"to";
        let counted = changed(&journal).expect("it can be read");
        assert_eq!(
            counted.into_iter().collect::<Vec<_>>(),
            [("control-plane.etcd".to_owned(), 1), ("join.wait".to_owned(), 2)]
        );
        assert!(changed("{nonsense}\n").is_err());
    }
}
