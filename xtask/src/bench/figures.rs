//! `cargo xtask bench figures`: what planning, memory and an apply with nothing to do cost, and where an apply's time goes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::stages::{self, Said};
use super::{Bench, control_plane, median};
use crate::e2e::Lab;
use crate::program::Ended;

/// How often an apply with nothing to do is measured.
const TIMES: usize = 5;

/// One apply of bare hosts, some with nothing to do, and one run of the bare script; the figures go into the document.
///
/// # Errors
/// When a run fails, or does not tell what it is asked for.
pub(crate) fn run(root: &Path, hosts: usize) -> anyhow::Result<bool> {
    let bench = Bench::prepare(root, hosts, 1)?;
    let lab = Lab::up(&bench.machine, "bench", hosts)?;
    let words = ["plan", lab.site(), "--brief"];
    bench.machine.iec_done("plan-figures", &words)?;
    let mut first = None;
    let total = bench.timed(&lab, || {
        first = Some(apply(&bench, &lab, "apply-figures")?);
        Ok(())
    })?;
    let first = first.context("it was applied")?;
    let settled = (0..TIMES)
        .map(|number| Settled::measure(&bench, &lab, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let name = control_plane(&lab)?.name.clone();
    drop(lab);
    let bare = bench.bare(0)?;
    let bare_log = fs::read_to_string(bench.machine.logs.join("bare-0.log"))?;

    let text = format!(
        "{}\nWhere the time of one apply of bare hosts goes, and that of one run of the bare script beside it:\n\n{}\n{}",
        table(hosts, &first, &settled)?,
        stages::table(&stages::of_apply(&first.stdout), &name, total)?,
        stages::table_of_bare(&bare_log, bare)?,
    );
    bench.finish(": figures", &text)?;
    Ok(true)
}

/// Applies, and keeps what goes on underneath.
fn apply(bench: &Bench, lab: &Lab, log: &str) -> anyhow::Result<Ended> {
    let words = ["apply", lab.site(), "-o", "json", "--verbose"];
    let ended = bench.machine.iec(log, &words)?;
    ensure!(
        ended.succeeded(),
        "{}",
        bench.machine.failure(log, &words, &ended)
    );
    Ok(ended)
}

/// What an apply with nothing to do cost.
struct Settled {
    seconds: f64,
    /// How long `plan()` took, in milliseconds.
    planned: f64,
    /// The bytes of scripts that went to the host that got most.
    script: f64,
    /// How many scripts and payloads went to the host that got most of them.
    round_trips: usize,
    /// The bytes of files that went to all hosts.
    content: f64,
    /// KiB.
    memory: u64,
}

impl Settled {
    fn measure(bench: &Bench, lab: &Lab, number: usize) -> anyhow::Result<Self> {
        let began = Instant::now();
        let ended = apply(bench, lab, &format!("apply-settled-{number}"))?;
        let seconds = began.elapsed().as_secs_f64();
        let mut settled = Self::read(&ended.stdout)?;
        (settled.seconds, settled.memory) = (seconds, ended.peak_memory);
        Ok(settled)
    }

    /// What the log of such an apply tells.
    fn read(log: &str) -> anyhow::Result<Self> {
        ensure!(log.contains("\"changed\":false"), "there was something to do");
        let (scripts, payloads) = (
            Said::all(log, "a script goes out"),
            Said::all(log, "content goes out"),
        );
        let mut bytes: BTreeMap<&str, f64> = BTreeMap::new();
        let mut trips: BTreeMap<&str, usize> = BTreeMap::new();
        for said in scripts.iter().chain(&payloads) {
            *trips
                .entry(said.field("host").context("it names a host")?)
                .or_default() += 1;
        }
        for said in &scripts {
            *bytes
                .entry(said.field("host").context("it names a host")?)
                .or_default() += said.number("bytes").context("it has a length")?;
        }
        Ok(Self {
            seconds: 0.0,
            planned: planned(log)?,
            script: bytes.into_values().fold(0.0, f64::max),
            round_trips: trips.into_values().max().context("no host was asked")?,
            // An empty sum of such numbers would be -0.
            content: payloads
                .iter()
                .filter_map(|said| said.number("bytes"))
                .fold(0.0, |all, bytes| all + bytes),
            memory: 0,
        })
    }
}

/// How long `plan()` took, in milliseconds.
fn planned(log: &str) -> anyhow::Result<f64> {
    let said = Said::all(log, "planned");
    let last = said.last().and_then(|said| said.number("milliseconds"));
    last.context("the log does not tell how long planning took")
}

fn table(hosts: usize, first: &Ended, settled: &[Settled]) -> anyhow::Result<String> {
    let figures = |of: &dyn Fn(&Settled) -> f64| {
        let mut all: Vec<f64> = settled.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let most = |of: &dyn Fn(&Settled) -> f64| figures(of).last().copied().unwrap_or_default();
    let mebibytes = |kibibytes: f64| format!("{:.0} MiB", kibibytes / 1024.0);
    let mut plans = figures(&|settled| settled.planned);
    plans.push(planned(&first.stdout)?);
    plans.sort_by(f64::total_cmp);
    let seconds = figures(&|settled| settled.seconds);
    let spread = |all: &[f64], unit: &str| format!("{:.1}–{:.1} {unit}", all[0], all[all.len() - 1]);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (first_memory, memory) = (first.peak_memory as f64, most(&|settled| settled.memory as f64));
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let trips = most(&|settled| settled.round_trips as f64);
    let mut text = format!("| figure, {hosts} hosts | goal | measured |\n|---|---|---|\n");
    let mut row = |what: &str, goal: &str, measured: String| {
        let _ = writeln!(text, "| {what} | {goal} | {measured} |");
    };
    row(
        "`plan()` from facts",
        "≤ 20 ms",
        format!("{:.1} ms ({})", median(&plans), spread(&plans, "ms")),
    );
    row(
        "peak memory of `iec apply` on bare hosts",
        "≤ 120 MB",
        mebibytes(first_memory),
    );
    row(
        "peak memory of `iec apply` with nothing to do",
        "≤ 120 MB",
        mebibytes(memory),
    );
    row(
        "`iec apply` with nothing to do",
        "≤ 2 s",
        format!("{:.2} s ({})", median(&seconds), spread(&seconds, "s")),
    );
    row("its round trips, for each host", "2", format!("{trips:.0}"));
    let script = format!("{:.1} KiB", most(&|settled| settled.script) / 1024.0);
    row("its scripts, for each host", "≤ 64 KiB", script);
    row(
        "its content, for all hosts",
        "0 bytes",
        format!("{:.0} bytes", most(&|settled| settled.content)),
    );
    let _ = writeln!(
        text,
        "\nMedian and spread; `plan()` is timed inside the released program, once in each run. Of memory, round trips, \
         scripts and content the worst of all runs is told."
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apply_with_nothing_to_do_is_read_from_its_log() {
        let log = "\
2026-11-24T02:00:00.1Z DEBUG iec_host::ssh::host: a script goes out host=\"edge-1\" bytes=2048
2026-11-24T02:00:00.1Z DEBUG iec_host::ssh::host: a script goes out host=\"edge-2\" bytes=2048
2026-11-24T02:00:00.1Z DEBUG iec::command::planning: planned milliseconds=12.5
2026-11-24T02:00:00.1Z DEBUG iec_host::ssh::host: a script goes out host=\"edge-1\" bytes=4096
{\"type\":\"apply\",\"changed\":false}
";
        let settled = Settled::read(log).expect("it tells all");
        assert_eq!(
            (settled.round_trips, settled.script, settled.planned),
            (2, 6144.0, 12.5)
        );
        assert!(settled.content.abs() < f64::EPSILON);
        let first = Ended {
            code: Some(0),
            stdout: log.to_owned(),
            peak_memory: 50 << 10,
        };
        let table = table(3, &first, &[settled]).expect("it tells all");
        for row in [
            "| 12.5 ms (12.5–12.5 ms) |",
            "| ≤ 120 MB | 50 MiB |",
            "| ≤ 64 KiB | 6.0 KiB |",
        ] {
            assert!(table.contains(row), "{row}\n{table}");
        }
        assert!(Settled::read("{\"changed\":true}").is_err());
    }
}
