//! Hosts that are virtual machines: real kernels, real reboots and real power cuts, of one architecture or of two in one site.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::lab::{Host, Kind, Lab};
use super::machine::Machine;
use super::main_job::{apply, compare, inventories, pending};
use super::steps::Steps;

/// How long a site may take to be well again after all of its hosts have started, where they are emulated.
const PATIENCE: Duration = Duration::from_secs(1800);

/// The least that a verification may take, however late it begins.
const ONE_CALL: Duration = Duration::from_secs(300);

/// How long a host may take for its reboot.
const REBOOT: Duration = Duration::from_secs(600);

const PAUSE: Duration = Duration::from_secs(2);

/// One host of this machine's architecture, which is control plane and worker in one.
pub(super) fn real_kernel(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    all(
        "e2e-real-kernel",
        &["--kind", "vm", "--install-deps"],
        &[own_architecture()?],
        machine,
        steps,
    )
}

/// One arm64 host, which is control plane and worker in one.
pub(super) fn arm64(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let more = ["--kind", "vm", "--arch", "arm64", "--install-deps"];
    all("e2e-arm64", &more, &["arm64"], machine, steps)
}

/// A control plane in a container, and a worker of each architecture.
pub(super) fn mixed(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let more = ["--hosts", "vm:amd64:1", "--hosts", "vm:arm64:1", "--install-deps"];
    all(
        "e2e-mixed",
        &more,
        &[own_architecture()?, "amd64", "arm64"],
        machine,
        steps,
    )
}

/// From bare hosts to a site that outlives reboots and power cuts, and back.
fn all(
    name: &str,
    more: &[&str],
    architectures: &[&str],
    machine: &Machine,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    // Before hosts are made, which takes minutes.
    steps.run("the bundle is for these hosts", || {
        fits(&machine.bundle_folder()?, architectures)
    })?;
    let lab = steps.run("bare hosts are up", || Lab::up_with(machine, name, 1, more))?;
    let site = lab.site();
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("the site file and the hosts are fit", || {
        machine.iec_done("check", &["check", site, "--probe", "-o", "json"])
    })?;
    steps.run("apply", || apply(machine, "apply", site, true))?;
    steps.run("verify", || {
        machine.iec_done("verify", &["verify", site, "-o", "json"])
    })?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;
    steps.run("all hosts reboot", || reboot(&lab))?;
    steps.run("the site comes back by itself", || {
        well(machine, "after-reboot", site, PATIENCE)
    })?;
    steps.run("plan says that there is nothing to do after the reboot", || {
        pending(machine, "plan-after-reboot", site, Some(0))
    })?;
    steps.run("all hosts lose their power", || power_cut(&lab))?;
    steps.run("the site comes back by itself again", || {
        well(machine, "after-cut", site, PATIENCE)
    })?;
    steps.run(
        "plan says that there is nothing to do after the power cut",
        || pending(machine, "plan-after-cut", site, Some(0)),
    )?;
    steps.run("reset", || {
        machine.iec_done("reset", &["reset", site, "--yes", "-o", "json"])
    })?;
    steps.run("the hosts are as they were", || {
        compare(&lab, machine, lab.hosts.iter().zip(&before))
    })?;
    Ok(())
}

/// What a bundle says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Manifest {
    architectures: BTreeSet<String>,
}

/// Fails when the bundle in this folder lacks one of these architectures; with the lines that build one which has them.
fn fits(bundle: &Path, architectures: &[&str]) -> anyhow::Result<()> {
    let path = bundle.join("manifest.json");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))?;
    let mut needed: BTreeSet<String> = architectures.iter().map(|name| (*name).to_owned()).collect();
    if needed.is_subset(&manifest.architectures) {
        return Ok(());
    }
    let list = |names: &BTreeSet<String>, between: &str| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.join(between)
    };
    let (has, lacks) = (list(&manifest.architectures, " and "), list(&needed, " and "));
    needed.extend(manifest.architectures);
    bail!(
        "the bundle {} is for {has}, and the hosts are {lacks}. Type: iec bundle build --arch {} --out FOLDER\n\
         then start this again with: --bundle FOLDER",
        bundle.display(),
        list(&needed, ",")
    )
}

/// The architecture of this machine, as bundles name it.
fn own_architecture() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("there are no hosts for a machine of {other}"),
    }
}

/// Reboots all hosts at once, as their own `reboot` does; a container is stopped and started.
fn reboot(lab: &Lab) -> anyhow::Result<()> {
    let machines = || lab.hosts.iter().filter(|host| host.kind == Kind::Vm);
    let boots: Vec<String> = machines().map(|host| boot(lab, host)).collect::<Result<_, _>>()?;
    for host in machines() {
        lab.run(host, "systemctl --no-block reboot", "")?;
    }
    for host in lab.hosts.iter().filter(|host| host.kind == Kind::Container) {
        lab.command("stop", host, &[])?;
        lab.command("start", host, &[])?;
    }
    for (host, old) in machines().zip(&boots) {
        let began = Instant::now();
        // While it is down there is no answer.
        while boot(lab, host).map_or(true, |new| new == *old) {
            ensure!(
                began.elapsed() < REBOOT,
                "{} did not come back from its reboot",
                host.name
            );
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// The kernel's name of a host's present boot.
fn boot(lab: &Lab, host: &Host) -> anyhow::Result<String> {
    lab.run(host, "cat /proc/sys/kernel/random/boot_id", "")
}

/// Cuts the power of all hosts, then switches them on.
fn power_cut(lab: &Lab) -> anyhow::Result<()> {
    for host in &lab.hosts {
        lab.command("stop", host, &["--cut"])?;
    }
    for host in &lab.hosts {
        lab.command("start", host, &[])?;
    }
    Ok(())
}

/// Verifies until the site is well; nothing is done for it meanwhile.
pub(super) fn well(machine: &Machine, log: &str, site: &str, patience: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let words = ["verify", site, "-o", "json"];
    loop {
        let left = patience.saturating_sub(began.elapsed()).max(ONE_CALL);
        let ended = machine.iec_within(left, log, &words)?;
        if ended.succeeded() {
            return Ok(());
        }
        if began.elapsed() > patience {
            bail!("{}", machine.failure(log, &words, &ended));
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_an_architecture_of_the_hosts_is_refused_with_the_line_that_builds_one() {
        let bundle = tempfile::tempdir().expect("a folder");
        let write = |text: &str| fs::write(bundle.path().join("manifest.json"), text).expect("written");
        write(r#"{"schema": 1, "architectures": ["amd64", "arm64"], "items": []}"#);
        fits(bundle.path(), &["amd64", "amd64", "arm64"]).expect("it has both");
        write(r#"{"schema": 1, "architectures": ["amd64"], "items": []}"#);
        let error = fits(bundle.path(), &["arm64"])
            .expect_err("it lacks one")
            .to_string();
        assert!(
            error.contains("is for amd64, and the hosts are arm64. Type: iec bundle build --arch amd64,arm64 --out FOLDER"),
            "{error}"
        );
    }
}
