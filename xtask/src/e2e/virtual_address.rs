//! The address that moves between control planes: its holder is cut hard, then its API server stops; the address goes again
//! when the site no longer asks for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::lab::{Host, Lab};
use super::machine::Machine;
use super::machines::well;
use super::main_job::{apply, inventories, pending};
use super::steps::Steps;
use super::three_control_planes::{bare_again, watch_by};

/// How long the site may take to be well by itself after a host has come back.
const PATIENCE: Duration = Duration::from_secs(420);

/// All of it.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, "e2e-virtual-address", 3, &["--control-planes", "3"])
    })?;
    let site = lab.site();
    let plain = fs::read_to_string(&lab.site)?;
    let address = address_of(&lab)?;
    ask_for(&lab, &plain, &address)?;
    let by_address = format!("--server=https://{address}:6443");
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("apply", || apply(machine, "apply", site, true))?;
    steps.run("verify", || {
        machine.iec_done("verify", &["verify", site, "-o", "json"])
    })?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;
    steps.run("its holder loses its power, and another one answers", || {
        let (holder, other) = holder_and_other(&lab, &address)?;
        lab.power_off(holder)?;
        watch_by(&lab, other, &by_address, &[&holder.name])?;
        lab.power_on(holder)
    })?;
    steps.run("the site is well by itself when it is back", || {
        well(machine, "verify-back", site, PATIENCE)
    })?;
    steps.run(
        "the API server of its holder stops, and another one answers",
        || {
            let (holder, other) = holder_and_other(&lab, &address)?;
            lab.run(
                holder,
                "mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/",
                "",
            )?;
            watch_by(&lab, other, &by_address, &[&holder.name])?;
            let moved = holder_and_other(&lab, &address)?.0.name != holder.name;
            lab.run(
                holder,
                "mv /root/kube-apiserver.yaml /etc/kubernetes/manifests/",
                "",
            )?;
            ensure!(moved, "{} has the address without an API server", holder.name);
            Ok(())
        },
    )?;
    steps.run("the site is well by itself when it runs again", || {
        well(machine, "verify-runs", site, PATIENCE)
    })?;
    fs::write(&lab.site, &plain)?;
    steps.run("the site no longer asks for it, and nobody has it", || {
        apply(machine, "apply-without", site, true)?;
        ensure!(
            holder_and_other(&lab, &address).is_err(),
            "a host has {address} still"
        );
        pending(machine, "plan-without", site, Some(0))
    })?;
    steps.run("reset", || {
        machine.iec_done("reset", &["reset", site, "--yes", "-o", "json"])
    })?;
    steps.run("the hosts are as they were", || {
        bare_again(&lab, machine, &before, 0..3)
    })
}

/// An address of the lab's network that nobody has.
fn address_of(lab: &Lab) -> anyhow::Result<String> {
    let first = lab.hosts[0].addresses.first().context("a host has an address")?;
    let (network, _) = first.rsplit_once('.').context("an address has dots")?;
    Ok(format!("{network}.200"))
}

/// Writes the site file with the address.
fn ask_for(lab: &Lab, plain: &str, address: &str) -> anyhow::Result<()> {
    let asking = plain.replace(
        "controlPlane: {",
        &format!("controlPlane: {{virtualAddress: {address}, "),
    );
    ensure!(
        asking != plain,
        "the lab's site file says nothing of control planes"
    );
    Ok(fs::write(&lab.site, asking)?)
}

/// The host that has the address, and another one.
fn holder_and_other<'l>(lab: &'l Lab, address: &str) -> anyhow::Result<(&'l Host, &'l Host)> {
    let has = format!("ip -oneline address show to {address} | grep -c . || true");
    let mut holders = Vec::new();
    for host in &lab.hosts {
        if lab.run(host, &has, "")?.trim() != "0" {
            holders.push(host);
        }
    }
    ensure!(holders.len() == 1, "{} hosts have {address}", holders.len());
    let other = lab.hosts.iter().find(|host| host.name != holders[0].name);
    Ok((holders[0], other.context("a lab has several hosts")?))
}
