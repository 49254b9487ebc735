//! A worker leaves a cluster that goes on, becomes bare, and joins again.

use std::fs;

use anyhow::Context as _;

use super::lab::{Lab, Machine};
use super::main_job::{apply, compare, pending};
use super::steps::Steps;

/// All of it, in a lab of three hosts, of which the last one leaves.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || Lab::up(machine, "e2e-worker-leaves", 3))?;
    let site = lab.site();
    let worker = lab.hosts.last().context("the lab has hosts")?;
    let verify = |log: &str| machine.iec_done(log, &["verify", site, "-o", "json"]);
    let before = steps.run("what the worker is is noted", || lab.inventory(worker, "before"))?;
    steps.run("apply", || apply(machine, "apply", site, true))?;

    let text = fs::read_to_string(site)?;
    let entry = format!("name: {},", worker.name);
    let without = text.replace(&entry, &format!("{entry} state: absent,"));
    anyhow::ensure!(without != text, "the site file has no host {}", worker.name);
    fs::write(site, without)?;
    steps.run("plan says that a worker goes", || {
        pending(machine, "plan-leave", site, Some(5))
    })?;
    steps.run("apply lets it go", || apply(machine, "apply-leave", site, true))?;
    steps.run("the worker is as it was", || {
        compare(&lab, machine, [(worker, &before)])
    })?;
    steps.run("verify without it", || verify("verify-without"))?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;

    fs::write(site, text)?;
    steps.run("apply lets it join again", || {
        apply(machine, "apply-join", site, true)
    })?;
    steps.run("verify with it", || verify("verify-with"))?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-end", site, Some(0))
    })
}
