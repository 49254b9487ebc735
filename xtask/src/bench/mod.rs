//! `cargo xtask bench`: `iec apply` against the shortest script that makes the same cluster, and what else it costs.

mod content;
mod control_planes;
mod figures;
mod stages;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

pub(crate) use self::control_planes::run as control_planes;
pub(crate) use self::figures::run as figures;
use crate::e2e::{self, Host, Lab, Machine};
use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::{record, terminal};

/// The cipher that IEC asks for first where the processor has AES instructions.
const CIPHER: &str = "aes128-gcm@openssh.com";
const READY: &str = include_str!("../../../bench/ready.sh");
/// Where the figures are kept.
const DOCUMENT: &str = "docs/benchmarks.md";

/// What one run took, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    /// The released program.
    iec: f64,
    /// The bare script.
    bare: f64,
}

/// Runs so many alternating pairs, each run on fresh hosts, and writes the figures into the document.
///
/// # Errors
/// When a run fails.
pub(crate) fn run(root: &Path, hosts: usize, pairs: usize) -> anyhow::Result<bool> {
    ensure!(hosts > 0 && pairs > 0, "there must be hosts and pairs");
    let bench = Bench::prepare(root, hosts, 1)?;
    let measured = bench.pairs(pairs)?;
    bench.finish("", &table(hosts, &measured))?;
    Ok(true)
}

/// What all measurements need.
struct Bench {
    root: PathBuf,
    machine: Machine,
    /// The bundle as the bare script sends it.
    trees: PathBuf,
    hosts: usize,
    control_planes: usize,
}

impl Bench {
    /// Builds the program and the bundle, and lays the bundle out for the bare script.
    fn prepare(root: &Path, hosts: usize, control_planes: usize) -> anyhow::Result<Self> {
        let interrupt = Interrupt::watch()?;
        e2e::prepare(root, &interrupt)?;
        let machine = e2e::machine(root, "bench", &interrupt)?;
        let bundle = machine.bundle_folder()?;
        let trees = machine.logs.join("content");
        content::lay_out(&bundle, &trees)?;
        Ok(Self {
            root: root.to_owned(),
            machine,
            trees,
            hosts,
            control_planes,
        })
    }

    /// Prints a text, and adds it to the document under a heading of this run.
    fn finish(&self, what: &str, text: &str) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.trees)?;
        terminal::line(format_args!("\n{text}"));
        let run = record::Run::now(&self.root)?;
        let heading = format!("## {}{}, {}", run.date, what, run.commit);
        let section = format!("{heading}\n\n{}\n\n{text}", run.machine);
        record::append(&self.root, DOCUMENT, &section)
    }

    /// So many alternating pairs.
    fn pairs(&self, pairs: usize) -> anyhow::Result<Vec<Pair>> {
        let mut measured = Vec::new();
        for number in 1..=pairs {
            // Whoever comes second finds warmer caches, so they take turns.
            let pair = if number % 2 == 1 {
                let iec = self.iec(number)?;
                Pair {
                    iec,
                    bare: self.bare(number)?,
                }
            } else {
                let bare = self.bare(number)?;
                Pair {
                    iec: self.iec(number)?,
                    bare,
                }
            };
            terminal::line(format_args!(
                "pair {number}: iec {:.1} s, bare {:.1} s",
                pair.iec, pair.bare
            ));
            measured.push(pair);
        }
        Ok(measured)
    }

    /// Bare hosts.
    fn lab(&self) -> anyhow::Result<Lab> {
        let control_planes = self.control_planes.to_string();
        Lab::up_with(
            &self.machine,
            "bench",
            self.hosts,
            &["--control-planes", &control_planes],
        )
    }

    fn iec(&self, number: usize) -> anyhow::Result<f64> {
        let lab = self.lab()?;
        // Credentials are made beforehand: not a part of the installation, and the bare script makes none.
        let words = ["plan", lab.site(), "--brief"];
        self.machine.iec_done(&format!("plan-{number}"), &words)?;
        self.timed(&lab, || {
            self.machine
                .iec_done(&format!("apply-{number}"), &["apply", lab.site(), "-o", "json"])
                .map(drop)
        })
    }

    fn bare(&self, number: usize) -> anyhow::Result<f64> {
        let lab = self.lab()?;
        let log = self.machine.logs.join(format!("bare-{number}.log"));
        let text = |path: &Path| path.display().to_string();
        let mut words = vec![
            text(&self.trees),
            text(&lab.identity),
            text(&lab.known_hosts),
            CIPHER.to_owned(),
        ];
        words.extend(
            lab.hosts
                .iter()
                .filter_map(|host| host.addresses.first().cloned()),
        );
        self.timed(&lab, || {
            let script = self.root.join("bench/bare.sh");
            let bare = Program::new(&self.root, script, &words, &self.machine.interrupt);
            let bare = bare.variable("CONTROL_PLANES", self.control_planes.to_string());
            let ended = bare.logged(&log)?;
            ensure!(ended.succeeded(), "bench/bare.sh failed, see {}", log.display());
            Ok(())
        })
    }

    /// From the first byte until every node and every system pod is Ready.
    fn timed(&self, lab: &Lab, install: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
        let control_plane = control_plane(lab)?;
        let began = Instant::now();
        install()?;
        let script = format!("set -- {} {}\n{READY}", self.hosts, self.control_planes);
        lab.run(
            control_plane,
            &format!("timeout 300 sh -c '{}'", script.replace('\'', r"'\''")),
            "",
        )?;
        let took = began.elapsed();
        self.machine.interrupt.check()?;
        Ok(Duration::as_secs_f64(&took))
    }
}

fn control_plane(lab: &Lab) -> anyhow::Result<&Host> {
    let mut hosts = lab.hosts.iter();
    hosts
        .find(|host| host.role == "control-plane")
        .context("the lab has no control plane")
}

fn table(hosts: usize, pairs: &[Pair]) -> String {
    let mut text = String::from("| pair | `iec apply` | bare script | ratio |\n|---|---|---|---|\n");
    for (index, pair) in pairs.iter().enumerate() {
        let ratio = pair.iec / pair.bare;
        let _ = writeln!(
            text,
            "| {} | {:.1} s | {:.1} s | {ratio:.2} |",
            index + 1,
            pair.iec,
            pair.bare
        );
    }
    let figures = |of: fn(&Pair) -> f64| {
        let mut all: Vec<f64> = pairs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (iec, bare) = (figures(|pair| pair.iec), figures(|pair| pair.bare));
    let ratio = figures(|pair| pair.iec / pair.bare);
    let spread = |all: &[f64]| format!("{:.1}–{:.1} s", all[0], all[all.len() - 1]);
    let _ = writeln!(
        text,
        "| **median** | **{:.1} s** | **{:.1} s** | **{:.2}** |\n| spread | {} | {} | {:.2}–{:.2} |",
        median(&iec),
        median(&bare),
        median(&ratio),
        spread(&iec),
        spread(&bare),
        ratio[0],
        ratio[ratio.len() - 1],
    );
    let _ = writeln!(
        text,
        "\nUntil every node and system pod of {hosts} fresh lab hosts is Ready; the pairs take turns in who is first. \
         The bare script is `bench/bare.sh`, with the same content, keys and cipher ({CIPHER})."
    );
    text
}

/// The middle of figures in order; between the two in the middle where their number is even.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The number of pairs from the words of the command line.
///
/// # Errors
/// When a word is no number.
pub(crate) fn pairs(words: &[&str]) -> anyhow::Result<usize> {
    match words {
        [] => Ok(5),
        ["--pairs", number] => number.parse().with_context(|| format!("{number} is no number")),
        _ => bail!("type: cargo xtask bench main-job [--pairs N]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_spread_are_told() {
        let pairs = [
            Pair {
                iec: 66.0,
                bare: 60.0,
            },
            Pair {
                iec: 70.0,
                bare: 56.0,
            },
            Pair {
                iec: 63.0,
                bare: 60.0,
            },
        ];
        let table = table(3, &pairs);
        assert!(table.contains("| 2 | 70.0 s | 56.0 s | 1.25 |"), "{table}");
        assert!(
            table.contains("| **median** | **66.0 s** | **60.0 s** | **1.10** |"),
            "{table}"
        );
        assert!(
            table.contains("| spread | 63.0–70.0 s | 56.0–60.0 s | 1.05–1.25 |"),
            "{table}"
        );
        assert!((median(&[1.0, 3.0]) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn scripts_are_posix() {
        for script in ["bench/bare.sh", "bench/ready.sh"] {
            let path = crate::workspace::root().join(script);
            let checked = std::process::Command::new("sh").arg("-n").arg(path).status();
            assert!(checked.expect("a shell").success(), "{script}");
        }
    }
}
