//! Where the time of an installation goes: read from what `iec apply` and the bare script say while they work.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;

use crate::e2e::events;

/// A line of the program's log: what was said, and its fields.
pub(super) struct Said<'a> {
    /// Where the fields begin.
    text: &'a str,
}

impl<'a> Said<'a> {
    /// The lines of a log that say this.
    pub(super) fn all(log: &'a str, what: &str) -> Vec<Self> {
        let mark = format!(": {what} ");
        let lines = log.lines().filter(|line| line.contains(" DEBUG iec"));
        lines
            .filter_map(|line| Some(line.split_once(&mark)?.1))
            .map(|text| Self { text })
            .collect()
    }

    /// A field, as it is written.
    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        let mut words = self.text.split_whitespace();
        let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches('"'))
    }

    /// A field that is a number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.field(name)?.parse().ok()
    }
}

/// What one host's seconds went to, in the order in which it came up.
#[derive(Debug, Default)]
pub(super) struct Spent(Vec<(String, f64)>);

impl Spent {
    fn add(&mut self, what: &str, seconds: f64) {
        match self.0.iter_mut().find(|(known, _)| known == what) {
            Some((_, sum)) => *sum += seconds,
            None => self.0.push((what.to_owned(), seconds)),
        }
    }

    fn of(&self, what: &str) -> f64 {
        let found = self.0.iter().find(|(known, _)| known == what);
        found.map_or(0.0, |(_, seconds)| *seconds)
    }

    fn sum(&self) -> f64 {
        self.0.iter().map(|(_, seconds)| seconds).sum()
    }
}

/// What each host's seconds went to, from the log of an apply with `--verbose` and events.
pub(super) fn of_apply(log: &str) -> BTreeMap<String, Spent> {
    let seconds = |what: &str| {
        let said = Said::all(log, what);
        said.iter()
            .filter_map(|said| said.number("milliseconds"))
            .sum::<f64>()
            / 1000.0
    };
    let (asked, hashed) = (seconds("asked and planned"), seconds("hashed what is to be sent"));
    let mut hosts: BTreeMap<String, Spent> = BTreeMap::new();
    for said in Said::all(log, "content was sent") {
        if let (Some(host), Some(milliseconds)) = (said.field("host"), said.number("milliseconds")) {
            let spent = hosts.entry(host.to_owned()).or_default();
            spent.add("hosts are asked, the plan is made", asked);
            spent.add("what will be sent is hashed", hashed);
            spent.add("content is sent", milliseconds / 1000.0);
        }
    }
    for event in events(log).filter(|event| event["event"] == "changed") {
        let (Some(host), Some(step), Some(milliseconds)) = (
            event["host"].as_str(),
            event["step"].as_str(),
            event["milliseconds"].as_f64(),
        ) else {
            continue;
        };
        let what = match step {
            "content.store" => "`content.store`: digests are compared".to_owned(),
            "runtime.images" => "`runtime.images`: images are imported".to_owned(),
            "join.wait" => "`join.wait`: the control plane is waited for".to_owned(),
            "node.ready" => "`node.ready`: its network is waited for".to_owned(),
            _ => format!("steps of `{}`", step.split('.').next().unwrap_or(step)),
        };
        hosts
            .entry(host.to_owned())
            .or_default()
            .add(&what, milliseconds / 1000.0);
    }
    hosts
}

/// A table of what the control plane's and the slowest worker's seconds went to, of these in all.
pub(super) fn table(
    hosts: &BTreeMap<String, Spent>,
    control_plane: &str,
    total: f64,
) -> anyhow::Result<String> {
    let first = hosts
        .get(control_plane)
        .context("the log tells nothing of the control plane")?;
    let workers = hosts.iter().filter(|(name, _)| *name != control_plane);
    let worker = workers.max_by(|one, other| one.1.sum().total_cmp(&other.1.sum()));
    let nothing = Spent::default();
    let worker = worker.map_or(&nothing, |(_, spent)| spent);
    let mut text = String::from("| `iec apply` | control plane | slowest worker |\n|---|---|---|\n");
    let mut names: Vec<&str> = first.0.iter().map(|(name, _)| name.as_str()).collect();
    names.extend(
        worker
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| first.0.iter().all(|(known, _)| known != name)),
    );
    let counts = |name: &&str| first.of(name).max(worker.of(name)) >= SHOWN;
    for name in names.into_iter().filter(counts) {
        let _ = writeln!(
            text,
            "| {name} | {} | {} |",
            cell(first.of(name)),
            cell(worker.of(name))
        );
    }
    let _ = writeln!(
        text,
        "| checks of steps that were done, connections, until everything is Ready | {} | {} |\n\
         | **all of it** | **{total:.1} s** | **{total:.1} s** |",
        cell(total - first.sum()),
        cell(total - worker.sum()),
    );
    Ok(text)
}

/// Less than this many seconds are not shown.
const SHOWN: f64 = 0.05;

fn cell(seconds: f64) -> String {
    if seconds < SHOWN {
        "–".to_owned()
    } else {
        format!("{seconds:.1} s")
    }
}

/// The marks of `bench/bare.sh`, and what each part took, of these seconds in all.
///
/// # Errors
/// When a mark is missing.
pub(super) fn table_of_bare(log: &str, total: f64) -> anyhow::Result<String> {
    // Of several hosts the last one counts.
    let mut at: BTreeMap<&str, f64> = BTreeMap::new();
    for line in log.lines() {
        if let ["mark", moment, name] = line.split_whitespace().collect::<Vec<_>>()[..]
            && let Ok(moment) = moment.parse()
        {
            at.insert(name, moment);
        }
    }
    let mark = |name: &str| {
        at.get(name)
            .copied()
            .with_context(|| format!("bare.sh has not marked {name}"))
    };
    let (begun, joined) = (mark("begun")?, mark("joined")?);
    let mut text = String::from("| bare script | seconds |\n|---|---|\n");
    let mut before = begun;
    for (name, what) in [
        ("sent", "content is sent and unpacked, until the last host has it"),
        (
            "prepared",
            "containerd is started and images are imported, until the last host is ready",
        ),
        ("initialised", "`kubeadm init`, Calico's manifest"),
        ("joined", "`kubeadm join`"),
    ] {
        let _ = writeln!(text, "| {what} | {} |", cell(mark(name)? - before));
        before = mark(name)?;
    }
    let _ = writeln!(
        text,
        "| until everything is Ready | {} |\n| **all of it** | **{total:.1} s** |",
        cell(total - (joined - begun))
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-24T02:00:00.1Z DEBUG iec::command::apply: asked and planned milliseconds=1500.0
2026-11-24T02:00:00.1Z DEBUG iec_host::ssh::host: a script goes out host=\"edge-1\" bytes=4096
2026-11-24T02:00:00.1Z DEBUG iec_host::execute::host_run: content was sent host=\"edge-1\" milliseconds=4000.0
2026-11-24T02:00:00.1Z DEBUG iec_host::execute::host_run: content was sent host=\"edge-2\" milliseconds=3000.0
{\"type\":\"run.event\",\"event\":\"changed\",\"host\":\"edge-1\",\"step\":\"system.hosts\",\"milliseconds\":250}
{\"type\":\"run.event\",\"event\":\"changed\",\"host\":\"edge-1\",\"step\":\"system.sysctls\",\"milliseconds\":250}
{\"type\":\"run.event\",\"event\":\"changed\",\"host\":\"edge-2\",\"step\":\"join.wait\",\"milliseconds\":9000}
";

    #[test]
    fn seconds_are_told_by_host_and_phase() {
        let table = table(&of_apply(LOG), "edge-1", 20.0).expect("it tells all");
        for row in [
            "| hosts are asked, the plan is made | 1.5 s | 1.5 s |",
            "| content is sent | 4.0 s | 3.0 s |",
            "| steps of `system` | 0.5 s | – |",
            "| `join.wait`: the control plane is waited for | – | 9.0 s |",
            "until everything is Ready | 14.0 s | 6.5 s |",
        ] {
            assert!(table.contains(row), "{row}\n{table}");
        }
        assert!(super::table(&of_apply(""), "edge-1", 1.0).is_err());
        assert_eq!(
            Said::all(LOG, "a script goes out")[0].number("bytes"),
            Some(4096.0)
        );
    }

    #[test]
    fn the_marks_of_the_bare_script_are_read() {
        let log = "mark 10.0 begun\nmark 12.0 sent\nmark 13.5 sent\nmark 20 prepared\nmark 30 initialised\nmark 31 joined\n";
        let table = table_of_bare(log, 40.0).expect("it tells all");
        assert!(table.contains("until the last host has it | 3.5 s |"), "{table}");
        assert!(
            table.contains("| until everything is Ready | 19.0 s |"),
            "{table}"
        );
        assert!(table_of_bare("mark 10.0 begun\n", 1.0).is_err());
        let script = include_str!("../../../bench/bare.sh");
        for mark in ["begun", "sent", "prepared", "initialised", "joined"] {
            assert!(script.contains(&format!("mark {mark}")), "{mark}");
        }
    }
}
