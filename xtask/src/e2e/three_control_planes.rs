//! Three control planes: installed at once, one lost and replaced, all cut at once, and down to one again. The cluster answers
//! all the while.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use iec_core::plan::ETCDCTL;

use super::inventory::{Inventory, Mask};
use super::lab::{Host, Lab};
use super::machine::Machine;
use super::machines::well;
use super::main_job::{apply, compare_but, inventories, pending};
use super::site_file::{ABSENT, GIVEN_UP, SiteFile};
use super::steps::Steps;

/// How long a site may take to be well by itself after all of its hosts have started.
const PATIENCE: Duration = Duration::from_secs(420);
/// How long the API may be away for a client in the site when a control plane loses its power.
const API_AWAY: Duration = Duration::from_secs(10);
/// How long the others are watched then: a node counts as lost after 50 seconds.
const WATCH_SECONDS: u32 = 70;

/// Asks the API server, by `$server` where that is set, every half second, and prints the longest time in milliseconds without an answer, and every node but
/// those of `$lost` that was ever not ready.
const WATCH: &str = r#"
ask() { kubectl --kubeconfig /etc/kubernetes/admin.conf $server --request-timeout=4s get nodes --no-headers 2>/dev/null; }
last=$(date +%s%3N) longest=0 end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
  if nodes=$(ask); then
    now=$(date +%s%3N)
    if [ $((now - last)) -gt "$longest" ]; then longest=$((now - last)); fi
    last=$now
    printf '%s\n' "$nodes" | awk -v lost=" $lost " '!index(lost, " " $1 " ") && $2 != "Ready" { print "not ready: " $1 }'
  fi
  sleep 0.5
done
now=$(date +%s%3N)
if [ $((now - last)) -gt "$longest" ]; then longest=$((now - last)); fi
echo "longest $longest"
"#;

/// All of it, in a lab of four hosts, the last of which is a spare.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, "e2e-three-control-planes", 4, &["--control-planes", "3"])
    })?;
    let site = lab.site();
    let file = SiteFile::of(&lab)?;
    file.write(&[("edge-4", None)])?;
    let verify = |log: &str| machine.iec_done(log, &["verify", site, "-o", "json"]);
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("apply, all three at once", || apply(machine, "apply", site, true))?;
    steps.run("verify", || verify("verify"))?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;

    lose_and_replace(&lab, &file, machine, steps)?;
    steps.run("verify with the new one", || verify("verify-replaced"))?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-replaced", site, Some(0))
    })?;

    let others = &lab.hosts[1..];
    steps.run(
        "all lose their power at once, and come back by themselves",
        || {
            others.iter().try_for_each(|host| lab.power_off(host))?;
            others.iter().try_for_each(|host| lab.power_on(host))?;
            well(machine, "verify-after-cut", site, PATIENCE)
        },
    )?;

    let one_is_left = [
        ("edge-1", Some(GIVEN_UP)),
        ("edge-3", Some(ABSENT)),
        ("edge-4", Some(ABSENT)),
    ];
    file.write(&one_is_left)?;
    file.role("edge-4", "control-plane")?;
    steps.run("two of three leave", || apply(machine, "apply-one", site, true))?;
    steps.run("those that left are as they were", || {
        bare_again(&lab, machine, &before, 2..4)
    })?;
    steps.run("verify with one", || verify("verify-one"))?;
    steps.run("reset", || {
        machine.iec_done("reset", &["reset", site, "--yes", "-o", "json"])
    })?;
    steps.run("the last one is as it was", || {
        bare_again(&lab, machine, &before, 1..2)
    })
}

/// Fails unless etcd, asked on this host, has these voters and no other members.
///
/// # Errors
/// That, or no answer.
pub(super) fn voters(lab: &Lab, host: &Host, expected: &[&str]) -> anyhow::Result<()> {
    let script = format!(
        "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system exec etcd-{} -c etcd -- {} member list",
        host.name,
        ETCDCTL.join(" ")
    );
    let members = lab.run(host, &script, "")?;
    let voters: Vec<&str> = members
        .lines()
        .filter(|line| line.ends_with(", false"))
        .filter_map(|line| line.split(", ").nth(2))
        .collect();
    let right =
        members.lines().count() == expected.len() && expected.iter().all(|name| voters.contains(name));
    ensure!(right, "the members are:\n{members}");
    Ok(())
}

/// Compares these hosts, which have lost their power meanwhile, with what they were.
///
/// # Errors
/// When they are not.
pub(super) fn bare_again(
    lab: &Lab,
    machine: &Machine,
    before: &[Inventory],
    hosts: std::ops::Range<usize>,
) -> anyhow::Result<()> {
    let known = lab.hosts.iter().zip(before).skip(hosts.start).take(hosts.len());
    compare_but(&Mask::of_reset_after_power_cuts(), lab, machine, known)
}

/// The first control plane, which has made the cluster, loses its power for good, and a new host takes its place.
fn lose_and_replace(
    lab: &Lab,
    file: &SiteFile<'_>,
    machine: &Machine,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let first = lab.host("edge-1")?;
    let other = lab.host("edge-2")?;
    steps.run(
        "the first control plane loses its power, and nobody else misses it",
        || {
            lab.power_off(first)?;
            watch(lab, other, &[&first.name])
        },
    )?;
    steps.run("plan says which one does not answer", || {
        let words = ["plan", lab.site(), "-o", "json"];
        let ended = machine.iec("plan-lost", &words)?;
        let named = ended.code == Some(4) && ended.stdout.contains("edge-1");
        ensure!(named, "{}", machine.failure("plan-lost", &words, &ended));
        Ok(())
    })?;
    file.write(&[("edge-1", Some(GIVEN_UP))])?;
    file.role("edge-4", "control-plane")?;
    steps.run("apply puts a new host in its place", || {
        apply(machine, "apply-replace", lab.site(), true)
    })?;
    steps.run("etcd has three voters, and the lost one is none of them", || {
        voters(lab, other, &["edge-2", "edge-3", "edge-4"])
    })
}

/// Watches from a host that stays how long the API is away, and which node is lost besides.
///
/// # Errors
/// When it is away for longer than it may, or another node is lost.
pub(super) fn watch(lab: &Lab, host: &Host, lost: &[&str]) -> anyhow::Result<()> {
    watch_by(lab, host, "", lost).map(drop)
}

/// The same by the API server that this word of `kubectl` names; gives how long it was away.
///
/// # Errors
/// When it is away for longer than it may, or another node is lost.
pub(crate) fn watch_by(lab: &Lab, host: &Host, server: &str, lost: &[&str]) -> anyhow::Result<Duration> {
    let lost = lost.join(" ");
    let settings = format!("server='{server}' lost='{lost}' seconds={WATCH_SECONDS}");
    let said = lab.run(host, &format!("{settings}\n{WATCH}"), "")?;
    let longest = said.lines().find_map(|line| line.strip_prefix("longest "));
    let longest: u64 = longest.context("the watch has no end")?.parse()?;
    ensure!(
        !said.contains("not ready"),
        "nodes were lost that have their power:\n{said}"
    );
    let longest = Duration::from_millis(longest);
    ensure!(longest <= API_AWAY, "the API was away for {longest:?}");
    Ok(longest)
}
