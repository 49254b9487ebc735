//! A host that takes its images as this machine has unpacked them has the same as one that imports them itself.

use anyhow::{Context as _, ensure};

use super::lab::{Host, Lab};
use super::machine::Machine;
use super::main_job::{apply, pending};
use super::steps::Steps;

/// Prints what containerd has on a host.
const UNPACKED: &str = include_str!("unpacked.sh");
/// What the journal has of the step that imports images, where all of them were there.
const ADOPTED: &str =
    "grep '\"step\":\"runtime.images\"' /var/lib/iec/journal.jsonl | grep -c '\"outcome\":\"adopted\"'";

/// All of it, in a lab of three hosts: one of the two workers gets a seed.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || Lab::up(machine, "e2e-seed", 3))?;
    let site = lab.site();
    let [_, imports, takes] = lab.hosts.as_slice() else {
        anyhow::bail!("the lab has {} hosts", lab.hosts.len());
    };
    let file = |name: &str| {
        let path = machine.logs.join(name);
        path.to_str().map(str::to_owned).context("a path of plain text")
    };
    let (facts, seed) = (file("facts.json")?, file("seed.tar.gz")?);
    steps.run("the hosts say what they are", || {
        machine.iec_done("probe", &["check", site, "--probe", "--facts-out", &facts])
    })?;
    steps.run("this machine unpacks the images of a worker", || {
        let words = [
            "bundle",
            "seed",
            site,
            "--host",
            &takes.name,
            "--facts",
            &facts,
            "--out",
            &seed,
        ];
        machine.iec_done("seed", &words)
    })?;
    steps.run("what is no seed is refused before any host is asked", || {
        refused(machine, site, &facts, "IEC2032")
    })?;
    steps.run("apply with the seed", || {
        machine.iec_done("apply", &["apply", site, "--seed", &seed, "-o", "json"])
    })?;
    steps.run("that worker has imported nothing, and the other has", || {
        let adopted = |host: &Host| -> anyhow::Result<bool> {
            Ok(lab.run(host, &format!("{ADOPTED} || true"), "")?.trim() != "0")
        };
        ensure!(adopted(takes)?, "{} has imported images", takes.name);
        ensure!(!adopted(imports)?, "{} has imported none", imports.name);
        Ok(())
    })?;
    steps.run("both have the same content, layers and files", || {
        same(&lab, imports, takes)
    })?;
    steps.run("plan without the seed says that there is nothing to do", || {
        pending(machine, "plan", site, Some(0))
    })?;
    steps.run("a second apply without it changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;
    steps.run("verify", || {
        machine
            .iec_done("verify", &["verify", site, "-o", "json"])
            .map(drop)
    })
}

/// Applies with a file that is no seed.
fn refused(machine: &Machine, site: &str, file: &str, code: &str) -> anyhow::Result<()> {
    let words = ["apply", site, "--seed", file, "-o", "json"];
    let ended = machine.iec("refused", &words)?;
    let says = ended.stdout.contains(code);
    ensure!(
        ended.code == Some(1) && says,
        "{}",
        machine.failure("refused", &words, &ended)
    );
    Ok(())
}

/// Compares what containerd has on two hosts, line by line.
fn same(lab: &Lab, one: &Host, other: &Host) -> anyhow::Result<()> {
    let (first, second) = (lab.run(one, UNPACKED, "")?, lab.run(other, UNPACKED, "")?);
    ensure!(
        first.contains("files sha256:"),
        "{} has no layers: {first}",
        one.name
    );
    let only = |here: &str, there: &str| -> Vec<String> {
        let lines = here
            .lines()
            .filter(|line| !there.lines().any(|known| known == *line));
        lines.map(str::to_owned).collect()
    };
    let (left, right) = (only(&first, &second), only(&second, &first));
    ensure!(
        left.is_empty() && right.is_empty(),
        "only {}: {left:#?}\nonly {}: {right:#?}",
        one.name,
        other.name
    );
    Ok(())
}
