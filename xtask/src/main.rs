//! The project's own tasks: what checks, tests, measures and proves it.

mod bench;
mod conformance;
mod e2e;
mod interrupt;
mod inventories;
mod packages;
mod program;
mod proof;
mod record;
mod requirements;
mod stage;
mod suite;
mod terminal;
mod tidy;
mod workspace;

use std::process::ExitCode;

use self::suite::Extent;

/// The tasks: how each is called, and what it does.
const TASKS: &[(&str, &str)] = &[
    (
        "tidy",
        "check the rules that neither the compiler nor clippy knows",
    ),
    ("test", "run every test: what CI runs, real hosts last"),
    ("test fast", "the same without real hosts"),
    (
        "e2e [NAME…]",
        "run scenarios on real hosts: exports (which needs none), refusals, power-cut, script-faults, three-hosts, seed, worker-leaves, three-control-planes, methods",
    ),
    ("e2e --keep", "leave the hosts for inspection"),
    (
        "e2e --method M methods",
        "look at this method of installation; may be given again",
    ),
    ("e2e --program F --bundle F", "test this program with this bundle"),
    (
        "e2e --schemas FOLDER exports",
        "let the API server know these kinds too, such as Metal3's from a checkout",
    ),
    (
        "proof reproducible",
        "build the bundle twice and compare; writes docs/tested.md",
    ),
    (
        "proof calico-etcd|calico-etcd-three-control-planes",
        "Calico with an etcd of its own, on real hosts; writes docs/tested.md",
    ),
    (
        "proof recover|join-cuts|five-control-planes|virtual-address",
        "control planes that are lost, cut off while they join, five of them, and the address that moves between them; writes docs/tested.md",
    ),
    (
        "proof methods|methods-three-control-planes",
        "every method of installation on three hosts; writes docs/tested.md",
    ),
    (
        "proof conformance",
        "Kubernetes' own conformance tests on a cluster of three hosts; writes docs/tested.md",
    ),
    (
        "proof conditions",
        "a host in bad shape, and a site on it from bare to verified and back; writes docs/tested.md",
    ),
    (
        "proof power-cuts [--seed N] [--rounds N]",
        "hosts and operator die at random moments of an apply; writes docs/tested.md",
    ),
    (
        "proof real-kernel|arm64|mixed",
        "virtual machines: of this machine's architecture, of arm64, of both beside a container; reboots and power cuts; writes docs/tested.md",
    ),
    (
        "proof machine-cuts [--seed N] [--rounds N]",
        "the same as power-cuts on a virtual machine, whose disk loses what was not flushed; writes docs/tested.md",
    ),
    (
        "proof inventories [--seed N] [--rounds N]",
        "inventories of all kinds, read by IEC and by Ansible itself; writes docs/tested.md",
    ),
    (
        "proof requirements [ROLE] [memory|processors]",
        "find the smallest hosts that work; writes docs/requirements.md",
    ),
    (
        "bench main-job [--pairs N]",
        "against the shortest script; writes docs/benchmarks.md",
    ),
    (
        "bench figures",
        "planning, memory, an apply with nothing to do, where the time goes; writes docs/benchmarks.md",
    ),
    (
        "bench control-planes [--pairs N]",
        "three of them against the shortest script, and what clients notice of growth and of a loss; writes docs/benchmarks.md",
    ),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            terminal::line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a task; true when everything is as it should be.
fn run(words: &[&str]) -> anyhow::Result<bool> {
    let root = workspace::root();
    match words {
        ["tidy"] => Ok(tidy::run(&root)?.is_good()),
        ["test"] => suite::run(&root, Extent::All),
        ["test", "fast"] => suite::run(&root, Extent::Fast),
        ["e2e", words @ ..] => e2e::run(&root, &e2e::Options::parse(words)?),
        ["proof", "reproducible"] => proof::reproducible(&root),
        ["proof", "conformance", words @ ..] => conformance::run(&root, words),
        ["proof", "inventories", words @ ..] => inventories::proof(&root, words),
        ["proof", "requirements", words @ ..] => requirements::run(&root, words),
        ["proof", name, words @ ..] => proof::scenario(&root, name, words),
        ["bench", "control-planes", words @ ..] => bench::control_planes(&root, bench::pairs(words)?),
        ["bench", "figures"] => bench::figures(&root, 3),
        ["bench", "main-job", words @ ..] => bench::run(&root, 3, bench::pairs(words)?),
        _ => {
            usage();
            Ok(matches!(words, [] | ["help" | "--help" | "-h"]))
        }
    }
}

fn usage() {
    terminal::line("Usage: cargo xtask TASK\n\nTasks:");
    for (task, what) in TASKS {
        terminal::line(format_args!("  {task:<28} {what}"));
    }
}
