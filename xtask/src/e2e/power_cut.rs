//! Two hosts lose their power while they are installed, and become a verified site all the same; what becomes of it
//! when it is broken, mistaken for another, and partly reset.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::cut::{Happening, Moment, apply, ends_whole, nothing_twice};
use super::lab::Lab;
use super::machine::Machine;
use super::refusals::{Refusal, only_error};
use super::steps::Steps;
use super::{sabotage, silence};
use crate::program::Ended;

/// When the operator types Ctrl-C: before anything of Kubernetes runs.
const INTERRUPTED: (&str, &str) = ("edge-1", "runtime.containerd");
/// When somebody else types the same.
const BESIDE: (&str, &str) = ("edge-1", "control-plane.kubelet-start");
/// The cut inside `init`: the manifests are written and the kubelet starts what they say; nothing answers yet.
const IN_INIT: (&str, &str) = ("edge-1", "control-plane.wait");
/// The cut inside `join`: the kubelet has the token and has not exchanged it yet.
const IN_JOIN: (&str, &str) = ("edge-2", "join.bootstrap");

/// How long a host may go on alone when its operator is gone, and the cluster may take to notice that a host is back.
const PATIENCE: Duration = Duration::from_secs(180);

/// A cut inside `init`, one inside `join`, the proof, and what the commands say of a site that is not well.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || Lab::up(machine, "e2e-power-cut", 2))?;
    steps.run("Ctrl-C stops at the end of a step and says how to go on", || {
        interrupted(&lab, machine)
    })?;
    steps.run("hosts lose their power inside init and inside join", || {
        cuts(&lab, machine)
    })?;
    steps.run("a new apply goes on where it was", || {
        resume(&lab, machine)?;
        lab.hosts.iter().try_for_each(|host| nothing_twice(&lab, host))
    })?;
    steps.run("verify", || {
        machine.iec_done("verify", &["verify", lab.site(), "-o", "json"])
    })?;
    sabotage::steps(&lab, machine, steps)?;
    silence::steps(&lab, machine, steps)?;
    steps.run("secrets that are lost are missed", || lost_secrets(&lab, machine))?;
    steps.run("another site's file changes nothing here", || {
        another_site(&lab, machine)
    })?;
    steps.run(
        "a worker that was away during a reset is known for what it is",
        || stale_worker(&lab, machine),
    )
}

/// Applies again. The control plane may still be at work for the operator who is gone: then it says so, and is asked later.
fn resume(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let words = ["apply", lab.site(), "-o", "json"];
    let is_busy = |ended: &Ended| ended.code == Some(1) && ended.stdout.contains("\"code\":\"IEC4006\"");
    patiently(machine, "resume", &words, is_busy)
}

/// Runs `iec` until it succeeds, as long as it ends in a way that passes by itself.
fn patiently(
    machine: &Machine,
    log: &str,
    words: &[&str],
    passes: impl Fn(&Ended) -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = machine.iec(log, words)?;
        if ended.succeeded() {
            return Ok(());
        }
        let may_pass = passes(&ended) && Instant::now() < deadline;
        ensure!(may_pass, "{}", machine.failure(log, words, &ended));
        thread::sleep(Duration::from_secs(2));
    }
}

fn at((host, step): (&str, &str)) -> Moment {
    Moment {
        host: host.to_owned(),
        step: step.to_owned(),
    }
}

/// An apply that its operator stops. Every host finishes what it has begun, and waits for the next one.
fn interrupted(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let happenings = [(at(INTERRUPTED), Happening::Interrupt)];
    let ended = apply(lab, machine, "interrupted", &happenings)?;
    let ended = ended.context("nobody killed it")?;
    let refusal = Refusal {
        exit: 130,
        code: "IEC4007",
        says: &["edge-1 stopped before", "iec apply"],
    };
    refusal.is_met_by(&ended, &[])?;
    lab.hosts.iter().try_for_each(|host| ends_whole(lab, host))
}

/// An apply during which somebody else begins one, the control plane loses its power and comes back, and the worker
/// loses it together with the operator.
fn cuts(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let second = || {
        let words = ["apply", lab.site(), "-o", "json"];
        let ended = machine.iec("second", &words)?;
        let refusal = Refusal {
            exit: 1,
            code: "IEC4006",
            says: &["iec apply by", "edge-1", "edge-2"],
        };
        refusal.is_met_by(&ended, &[])
    };
    let happenings = [
        (at(BESIDE), Happening::Beside(&second)),
        (at(IN_INIT), Happening::Blackout),
        (at(IN_JOIN), Happening::End),
    ];
    let ended = apply(lab, machine, "cuts", &happenings)?;
    ensure!(ended.is_none(), "the apply was not cut off");
    Ok(())
}

/// Without its secrets a site that has a cluster is not made anew; they are recovered from the control plane.
fn lost_secrets(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let secrets = lab.site.with_extension("secrets.yaml");
    let kept = fs::read(&secrets)?;
    fs::remove_file(&secrets)?;
    let words = ["apply", lab.site(), "-o", "json"];
    let refusal = Refusal {
        exit: 1,
        code: "IEC3904",
        says: &["site.secrets.yaml", "iec credentials recover"],
    };
    refusal.is_met_by(&machine.iec("without-secrets", &words)?, &[])?;
    machine.iec_done("recover", &["credentials", "recover", lab.site(), "-o", "json"])?;
    ensure!(
        fs::read(&secrets)?.len() + 100 > kept.len(),
        "what was recovered is less than what there was"
    );
    machine
        .iec_done("recovered", &["apply", lab.site(), "-o", "json"])
        .map(drop)
}

/// A site file of another name that lists the same hosts: neither applied nor reset.
fn another_site(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let text = fs::read_to_string(&lab.site)?;
    let folder = machine.logs.join("another");
    fs::create_dir_all(&folder)?;
    let path = folder.join("site.yaml");
    fs::write(&path, text.replace("name: e2e-power-cut", "name: another"))?;
    let path = path.display().to_string();
    for (log, words) in [
        ("another-apply", vec!["apply", &path, "-o", "json"]),
        ("another-reset", vec!["reset", &path, "--yes", "-o", "json"]),
    ] {
        let ended = machine.iec(log, &words)?;
        let error = only_error(&ended.stdout)?.to_string();
        let named = error.contains("IEC1862") && error.contains("e2e-power-cut");
        ensure!(
            ended.code == Some(1) && named,
            "{}",
            machine.failure(log, &words, &ended)
        );
    }
    // The worker has just got its power back: the cluster takes a while to notice.
    let words = ["status", lab.site(), "-o", "json"];
    patiently(machine, "unharmed", &words, |ended| ended.code == Some(3))
}

/// A worker is off while the rest of the site is reset. What it still has is of no cluster that exists: it is refused
/// until it is reset too.
fn stale_worker(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let worker = &lab.hosts[1];
    lab.power_off(worker)?;
    let whole = fs::read_to_string(&lab.site)?;
    let away = whole.replace("role: worker,", "role: worker, state: absent, unreachable: true,");
    ensure!(away != whole, "the site file has no worker");
    fs::write(&lab.site, away)?;
    machine.iec_done("reset-without", &["reset", lab.site(), "--yes", "-o", "json"])?;
    fs::write(&lab.site, &whole)?;
    lab.power_on(worker)?;
    let refusal = Refusal {
        exit: 1,
        code: "IEC1862",
        says: &["edge-2", "earlier site", "iec reset"],
    };
    refusal.is_met_by(&machine.iec("stale", &["apply", lab.site(), "-o", "json"])?, &[])?;
    machine.iec_done("reset-worker", &["reset", lab.site(), "--yes", "-o", "json"])?;
    machine
        .iec_done("check", &["check", lab.site(), "--probe", "-o", "json"])
        .map(drop)
}
