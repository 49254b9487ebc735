//! Hosts that are virtual machines: real kernels, real reboots and real power cuts, of one architecture or of two in one site.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::lab::{Host, Kind, Lab};
use super::machine::Machine;
use super::main_job::{apply, compare, inventories, pending};
use super::steps::Steps;

/// How long a site may take to be well again after all of its hosts have started, where they are emulated.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long a host may take for its reboot.
const REBOOT: Duration = Duration::from_secs(600);

const PAUSE: Duration = Duration::from_secs(2);

/// One host of this machine's architecture, which is control plane and worker in one.
pub(super) fn real_kernel(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    all(
        "e2e-real-kernel",
        &["--kind", "vm", "--install-deps"],
        machine,
        steps,
    )
}

/// One arm64 host, which is control plane and worker in one.
pub(super) fn arm64(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let more = ["--kind", "vm", "--arch", "arm64", "--install-deps"];
    all("e2e-arm64", &more, machine, steps)
}

/// A control plane in a container, and a worker of each architecture.
pub(super) fn mixed(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let more = ["--hosts", "vm:amd64:1", "--hosts", "vm:arm64:1", "--install-deps"];
    all("e2e-mixed", &more, machine, steps)
}

/// From bare hosts to a site that outlives reboots and power cuts, and back.
fn all(name: &str, more: &[&str], machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
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
        well(machine, "after-reboot", site)
    })?;
    steps.run("plan says that there is nothing to do after the reboot", || {
        pending(machine, "plan-after-reboot", site, Some(0))
    })?;
    steps.run("all hosts lose their power", || power_cut(&lab))?;
    steps.run("the site comes back by itself again", || {
        well(machine, "after-cut", site)
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
fn well(machine: &Machine, log: &str, site: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    let words = ["verify", site, "-o", "json"];
    loop {
        let ended = machine.iec(log, &words)?;
        if ended.succeeded() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("{}", machine.failure(log, &words, &ended));
        }
        std::thread::sleep(PAUSE);
    }
}
