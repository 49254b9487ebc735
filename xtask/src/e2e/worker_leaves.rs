//! A worker leaves a cluster that goes on, becomes bare, and joins again; then all of it is taken back. The hosts and the
//! site are not the usual ones: see [`rich_site`].

use std::fs;

use anyhow::Context as _;

use super::inventory::Inventory;
use super::lab::Lab;
use super::machine::Machine;
use super::main_job::{apply, compare, inventories, kept, pending};
use super::rich_site;
use super::secrets::Secrets;
use super::steps::Steps;

/// All of it, in a lab of two hosts.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts of Debian 13 with two networks are up", || {
        Lab::up_with(machine, "e2e-worker-leaves", 2, rich_site::LAB)
    })?;
    let site = lab.site();
    let worker = lab.hosts.last().context("the lab has hosts")?;
    steps.run("the site asks for a label, a taint and a Helm release", || {
        rich_site::ask(&lab, worker, machine)
    })?;
    let verify = |log: &str| machine.iec_done(log, &["verify", site, "-o", "json"]);
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("apply", || apply(machine, "apply", site, true))?;
    steps.run("the cluster has what was asked for", || {
        rich_site::is_there(&lab, worker)
    })?;
    steps.run("only the release's own file has its password", || {
        kept(&Secrets::only(rich_site::PASSWORD), &lab)
    })?;
    steps.run("verify", || verify("verify"))?;
    steps.run("an object of the release that is gone is made again", || {
        rich_site::is_mended(&lab, worker, machine)
    })?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;

    leave(&lab, machine, steps, &before)?;
    steps.run("verify with the worker", || verify("verify-with"))?;
    steps.run("the cluster has again what was asked for", || {
        rich_site::is_there(&lab, worker)
    })?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-end", site, Some(0))
    })?;

    let reset = steps.run("reset", || {
        machine.iec_done("reset", &["reset", site, "--yes", "-o", "json"])
    })?;
    steps.run("the release went before anything else", || {
        rich_site::went_first(&reset)
    })?;
    steps.run("the hosts are as they were", || {
        compare(&lab, machine, lab.hosts.iter().zip(&before))
    })
}

/// The last host leaves, is bare, and joins again.
fn leave(lab: &Lab, machine: &Machine, steps: &mut Steps, before: &[Inventory]) -> anyhow::Result<()> {
    let site = lab.site();
    let worker = lab.hosts.last().context("the lab has hosts")?;
    let text = fs::read_to_string(site)?;
    let entry = format!("name: {},", worker.name);
    let without = text.replace(&entry, &format!("{entry} state: absent,"));
    anyhow::ensure!(without != text, "the site file has no host {}", worker.name);
    fs::write(site, without)?;
    steps.run("plan says that a worker goes", || {
        pending(machine, "plan-leave", site, Some(5))
    })?;
    let plan = lab.site.with_file_name("leave.plan");
    let plan = plan.to_str().context("a lab's path is plain text")?;
    steps.run(
        "the plan is kept in a file, and apply lets the worker go by it",
        || {
            machine.iec_done("plan-kept", &["plan", site, "--out", plan, "-o", "json"])?;
            apply(machine, "apply-leave", plan, true)
        },
    )?;
    steps.run("the worker is as it was", || {
        compare(lab, machine, lab.hosts.iter().zip(before).next_back())
    })?;
    steps.run(
        "verify without it misses the release's pod, which belongs on it",
        || rich_site::verify_finds_the_release(lab, machine, "verify-without"),
    )?;
    steps.run("a second apply without it changes nothing", || {
        apply(machine, "apply-without", site, false)
    })?;

    fs::write(site, text)?;
    steps.run("the plan of another site file is refused", || {
        let words = ["apply", plan, "-o", "json"];
        let ended = machine.iec("apply-stale", &words)?;
        let refused = ended.code == Some(1) && ended.stdout.contains("IEC4021");
        anyhow::ensure!(refused, "{}", machine.failure("apply-stale", &words, &ended));
        Ok(())
    })?;
    steps.run("apply lets it join again", || {
        apply(machine, "apply-join", site, true)
    })
}
