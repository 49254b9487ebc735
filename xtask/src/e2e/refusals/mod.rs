//! What `iec` refuses: hosts, keys, bundles and files that are not as they should be, each with one clear error.
//!
//! A case spoils one thing on bare hosts or on the operator's side, types a command, compares what is said, and puts
//! the thing right again. At the end the host is compared with what it was at the beginning.

mod access;
mod content;
pub(super) mod desk;
mod host;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use self::desk::Desk;
use super::lab::Lab;
use super::machine::Machine;
use super::main_job::{compare, inventories};
use super::steps::Steps;
use crate::program::Ended;

/// One thing that is not as it should be.
pub(super) struct Case {
    /// What, as the end of the sentence "IEC refuses …".
    pub(super) name: &'static str,
    /// How it comes about.
    pub(super) spoil: Spoil,
    /// What is typed: `apply`, or `plan` for what the plan takes into account.
    pub(super) command: &'static str,
    /// What comes of it.
    pub(super) expect: Expect,
}

/// How something comes not to be as it should be.
pub(super) enum Spoil {
    /// By a script that root runs on the control plane, and one that takes it back. The first ends when it has an effect.
    Host {
        /// Spoils.
        script: &'static str,
        /// Takes it back.
        restore: &'static str,
    },
    /// By what the operator has: a site file of his own, and what is beside it. Gives what the error must say besides.
    Desk(fn(&Desk) -> anyhow::Result<Vec<String>>),
    /// By a script on the operator's machine, in a mount namespace of its own; its words are the desk and then the
    /// command that it has to run.
    Around(&'static str),
    /// By the worker's power, which is off.
    Power,
}

/// One clear error.
pub(super) struct Refusal {
    /// The exit code.
    pub(super) exit: i32,
    /// The stable code: of the error, or of the only reason that it gives. Several, with blanks between them, where
    /// either may be right.
    pub(super) code: &'static str,
    /// What the error says, among other things.
    pub(super) says: &'static [&'static str],
}

/// What a command ends with.
pub(super) enum Expect {
    /// A refusal, and no trace on the hosts.
    Refused(Refusal),
    /// The same, of a run that had begun: what it left on the hosts, all of it in IEC's own folder, is for the next run.
    Resumable(Refusal),
    /// Success: what is not as it should be is told and taken into account. The answer says this, among other things.
    Adapted(&'static [&'static str]),
}

/// How long a refusal may take; more shows that something was begun.
const PATIENCE: Duration = Duration::from_secs(120);

/// IEC's own folder on a host.
const HOME: &str = "/var/lib/iec";

/// What IEC would make of a host, and must not be there after a refusal.
const TRACES: &str = "\
for path in /var/lib/iec /etc/iec /opt/iec /etc/kubernetes /usr/local/bin/kubeadm /etc/systemd/system/kubelet.service; do
    [ ! -e $path ] || echo $path
done";

/// All cases on two bare hosts.
///
/// # Errors
/// When hosts cannot be made, or what cases left on them; cases that failed, all together.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || Lab::up(machine, "e2e-refusals", 2))?;
    let mut before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    // The worker is switched off and on, after which it has other links and mounts.
    before.truncate(1);
    let cases = access::CASES.iter().chain(&host::CASES).chain(&content::CASES);
    let failed = each(cases, machine, &lab, steps)?;
    steps.run("the host is as it was", || {
        compare(&lab, machine, lab.hosts.iter().zip(&before))
    })?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// One case after the other. Gives what failed: one says nothing about the next, and all that fail are wanted in one run.
///
/// # Errors
/// When the user wants to stop.
pub(super) fn each<'a>(
    cases: impl IntoIterator<Item = &'a Case>,
    machine: &Machine,
    lab: &Lab,
    steps: &mut Steps,
) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    for case in cases {
        machine.interrupt.check()?;
        if let Err(error) = steps.run(case.name, || case.run(machine, lab)) {
            failed.push(format!("{error:#}"));
        }
    }
    Ok(failed)
}

impl Case {
    fn run(&self, machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
        let desk = Desk::new(machine, lab, &self.log())?;
        let control_plane = &lab.hosts[0];
        let worker = || lab.hosts.get(1).context("the case needs a worker");
        let mut also = Vec::new();
        match &self.spoil {
            Spoil::Host { script, .. } => drop(lab.run(control_plane, script, "")?),
            Spoil::Desk(spoil) => also = spoil(&desk)?,
            Spoil::Around(_) => {}
            Spoil::Power => lab.power_off(worker()?)?,
        }
        let result = self.judge(machine, lab, &desk, &also);
        match &self.spoil {
            Spoil::Host { restore, .. } => drop(lab.run(control_plane, restore, "")?),
            Spoil::Power => lab.power_on(worker()?)?,
            Spoil::Desk(_) | Spoil::Around(_) => {}
        }
        result
    }

    /// What the logs of the case are called.
    fn log(&self) -> String {
        let plain = |character: char| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        self.name.chars().map(plain).collect()
    }

    fn judge(&self, machine: &Machine, lab: &Lab, desk: &Desk, also: &[String]) -> anyhow::Result<()> {
        let log = self.log();
        if let Spoil::Host { .. } = self.spoil
            && lab.hosts.len() > 1
        {
            // The other host has nothing to do with it.
            desk.without_worker()?;
        }
        let words = [self.command, desk.site(), "-o", "json"];
        let ended = match &self.spoil {
            Spoil::Around(script) => desk.iec_inside(script, &log, &words)?,
            _ => machine.iec_within(PATIENCE, &log, &words)?,
        };
        let told = self.expect.is_met_by(&ended, also);
        told.with_context(|| machine.failure(&log, &words, &ended))?;
        match self.expect {
            Expect::Refused(_) => self.no_traces(lab),
            Expect::Resumable(_) => forget(lab),
            Expect::Adapted(_) => Ok(()),
        }
    }

    /// Fails when something of IEC is on a host that is up.
    fn no_traces(&self, lab: &Lab) -> anyhow::Result<()> {
        let up = match self.spoil {
            Spoil::Power => &lab.hosts[..1],
            _ => &lab.hosts[..],
        };
        for host in up {
            let traces = lab.run(host, TRACES, "")?;
            // What a case itself has put there is none.
            let own =
                |path: &&str| matches!(&self.spoil, Spoil::Host { script, .. } if script.contains(*path));
            let left: Vec<&str> = traces.lines().filter(|path| !own(path)).collect();
            ensure!(left.is_empty(), "{} was touched: {}", host.name, left.join(", "));
        }
        Ok(())
    }
}

/// Fails when a run that was cut short left more than what the next one goes on with; removes that.
fn forget(lab: &Lab) -> anyhow::Result<()> {
    for host in &lab.hosts {
        let traces = lab.run(host, TRACES, "")?;
        let own = matches!(traces.trim(), "" | HOME);
        ensure!(own, "{} has more than its journal: {traces}", host.name);
        lab.run(host, "rm -rf /var/lib/iec/*", "")?;
        // A mount point stays until the case takes it back.
        lab.run(host, "rmdir /var/lib/iec 2>/dev/null || true", "")?;
    }
    Ok(())
}

impl Expect {
    fn is_met_by(&self, ended: &Ended, also: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Adapted(says) => {
                ensure!(ended.succeeded(), "it did not succeed");
                contains(&ended.stdout, says, also)
            }
            Self::Refused(refusal) | Self::Resumable(refusal) => refusal.is_met_by(ended, also),
        }
    }
}

impl Refusal {
    /// Fails unless a command ended with this error, and no other, and said what to do next.
    ///
    /// # Errors
    /// What is different.
    pub(super) fn is_met_by(&self, ended: &Ended, also: &[String]) -> anyhow::Result<()> {
        let Self { exit, code, says } = self;
        let error = only_error(&ended.stdout)?;
        let reasons = reasons(&error);
        let found = match reasons.as_slice() {
            [] => &error["code"],
            [only] => &only["code"],
            several => bail!("it gives {} reasons instead of one", several.len()),
        };
        let fits = code.split(' ').any(|code| found == code);
        ensure!(fits, "the code is {found}, not {code}");
        let named = error["exitCode"].as_i64();
        ensure!(
            ended.code == Some(*exit) && named == Some(i64::from(*exit)),
            "the exit code is {:?}, and the error names {named:?}; it should be {exit}",
            ended.code
        );
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let hint = reasons.first().is_some_and(|reason| is_text(&reason["hint"]));
        let next = error["next"].as_array().is_some_and(|next| !next.is_empty());
        ensure!(hint || next, "it does not say what to do next");
        contains(&plain(&error), says, also)
    }
}

/// The one error among the lines of JSON that a command printed.
pub(super) fn only_error(lines: &str) -> anyhow::Result<Value> {
    let objects = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors: Vec<Value> = objects.filter(|object| object["type"] == "error").collect();
    match <[Value; 1]>::try_from(errors) {
        Ok([error]) => Ok(error),
        Err(errors) => bail!("it printed {} errors instead of one", errors.len()),
    }
}

/// The errors among the problems that are behind an error.
fn reasons(error: &Value) -> Vec<&Value> {
    let all = error["diagnostics"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    all.iter()
        .filter(|problem| problem["severity"] == "error")
        .collect()
}

/// All texts in an object, as a person would read them.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => fields.values().map(plain).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

fn contains(text: &str, says: &[&str], also: &[String]) -> anyhow::Result<()> {
    for part in says.iter().copied().chain(also.iter().map(String::as_str)) {
        ensure!(text.contains(part), "it does not say {part:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i32, stdout: &str) -> Ended {
        Ended {
            code: Some(code),
            stdout: stdout.to_owned(),
            peak_memory: 0,
        }
    }

    const REFUSED: Refusal = Refusal {
        exit: 1,
        code: "IEC1811",
        says: &["20 MB"],
    };

    #[test]
    fn a_reason_with_a_hint_is_a_clear_error() {
        let line = r#"{"type":"error","exitCode":1,"code":"IEC3908","next":[],"diagnostics":[
            {"code":"IEC1811","severity":"error","evidence":["20 MB are free"],"hint":"free some"},
            {"code":"IEC1854","severity":"warning","evidence":[]}]}"#
            .replace('\n', " ");
        REFUSED.is_met_by(&ended(1, &line), &[]).expect("it is clear");
        assert!(REFUSED.is_met_by(&ended(2, &line), &[]).is_err());
        assert!(
            REFUSED
                .is_met_by(&ended(1, &line.replace("free some", "")), &[])
                .is_err()
        );
        assert!(
            REFUSED
                .is_met_by(&ended(1, &line.replace("20 MB", "30 MB")), &[])
                .is_err()
        );
        assert!(
            REFUSED
                .is_met_by(&ended(1, &line.replace("warning", "error")), &[])
                .is_err()
        );
        assert!(
            REFUSED
                .is_met_by(&ended(1, &format!("{line}\n{line}")), &[])
                .is_err()
        );
        assert!(REFUSED.is_met_by(&ended(1, "no JSON"), &[]).is_err());
    }

    #[test]
    fn names_of_cases_are_names_of_files_and_different() {
        let all = || access::CASES.iter().chain(&host::CASES).chain(&content::CASES);
        let names: std::collections::BTreeSet<String> = all().map(Case::log).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.iter().all(|name| !name.contains('/')));
    }
}
