//! What is said of a host that is off, and what may not be done without it.

use std::fs;

use anyhow::{Context as _, ensure};

use super::lab::Lab;
use super::machine::Machine;
use super::refusals::Refusal;
use super::steps::Steps;

/// The worker of a site that is well is off while these commands are typed; then it is on again.
///
/// # Errors
/// Those of the first step that fails; the worker is on again in any case.
pub(super) fn steps(lab: &Lab, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let worker = lab.hosts.last().context("the lab has hosts")?;
    lab.power_off(worker)?;
    let whole = fs::read_to_string(&lab.site)?;
    let told = off(lab, machine, steps);
    fs::write(&lab.site, whole)?;
    lab.power_on(worker)?;
    told
}

fn off(lab: &Lab, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    steps.run("verify cannot tell when a host is off", || {
        let words = ["verify", lab.site(), "-o", "json"];
        let ended = machine.iec("verify-off", &words)?;
        let told = ended.code == Some(4) && ended.stdout.contains("edge-2");
        ensure!(told, "{}", machine.failure("verify-off", &words, &ended));
        Ok(())
    })?;
    steps.run(
        "apply does the other hosts, and names the one that is off",
        || {
            let says = &["edge-2", "the other hosts are done"];
            refused(lab, machine, "apply-off", &["apply"], says)
        },
    )?;
    let text = fs::read_to_string(&lab.site)?;
    let leaving = text.replace("role: worker,", "role: worker, state: absent,");
    ensure!(leaving != text, "the site file has no worker");
    fs::write(&lab.site, leaving)?;
    steps.run("a host that is off does not leave the cluster in order", || {
        let says = &[
            "edge-2",
            "not done on edge-1",
            "nothing there could end in order",
            "unreachable: true",
        ];
        refused(lab, machine, "leave-off", &["apply"], says)
    })?;
    fs::write(&lab.site, text)?;
    steps.run("reset takes nothing back while a host is off", || {
        let says = &["edge-2", "unreachable: true"];
        refused(lab, machine, "reset-off", &["reset", "--yes"], says)?;
        let there = "test -s /var/lib/iec/journal.jsonl && test -e /etc/kubernetes/admin.conf";
        lab.run(&lab.hosts[0], there, "").map(drop)
    })
}

/// A command that ends because a host does not answer, and says this.
fn refused(
    lab: &Lab,
    machine: &Machine,
    log: &str,
    command: &[&str],
    says: &'static [&'static str],
) -> anyhow::Result<()> {
    let words = [command, &[lab.site(), "-o", "json"]].concat();
    let ended = machine.iec(log, &words)?;
    let refusal = Refusal {
        exit: 4,
        // Whether the network says so, or nobody says anything.
        code: "IEC1003 IEC1004",
        says,
    };
    refusal
        .is_met_by(&ended, &[])
        .with_context(|| machine.failure(log, &words, &ended))
}
