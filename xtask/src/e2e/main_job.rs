//! One run of the main job: bare hosts become a verified site, stay it, and become bare hosts again.

use std::fs;

use anyhow::{bail, ensure};
use serde::Deserialize;

use super::inventory::{Inventory, Mask};
use super::lab::{Host, Lab};
use super::machine::{Machine, answer};
use super::operator;
use super::refusals::Refusal;
use super::secrets::Secrets;
use super::steps::Steps;

/// Things of somebody else on the host, which must be there after a reset as they were before: a file in a folder where
/// IEC writes, a unit that runs, a bridge with a route, and rules in the packet filter.
const PLANT: &str = "\
mkdir -p /opt/cni/bin /etc/sysctl.d
echo 'not a plugin of IEC' >/opt/cni/bin/foreign
echo '# not a setting of IEC' >/etc/sysctl.d/50-foreign.conf
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/foreign.service
systemctl enable --now --quiet foreign.service
ip link add foreign0 type bridge
ip link set foreign0 addrgenmode none
ip link set foreign0 up
ip route add blackhole 203.0.113.0/24
";
const PLANT_FILTER: &str =
    "add table inet foreign; add chain inet foreign guard; add rule inet foreign guard tcp dport 7 drop";

/// Somebody else's container beside those of Kubernetes, in the containerd that a reset would remove; and its end.
const FOREIGN_CONTAINER: &str = "\
set -eu
image=$(ctr -n k8s.io images ls -q | grep '/pause:' | head -n 1)
ctr -n k8s.io images export --local /tmp/foreign.tar \"$image\"
ctr -n foreign images import --local /tmp/foreign.tar >&2
rm /tmp/foreign.tar
ctr -n foreign run --detach \"$image\" guard
";
const NO_FOREIGN_CONTAINER: &str = "\
set -eu
ctr -n foreign tasks ls | grep -q 'guard .*RUNNING' # It was left alone.
ctr -n foreign tasks kill --signal KILL guard
while ctr -n foreign tasks ls | grep -q 'guard .*RUNNING'; do sleep 0.2; done
ctr -n foreign tasks delete guard >&2
ctr -n foreign containers delete guard
ctr -n foreign images ls -q | xargs -n 1 ctr -n foreign images delete --sync >&2
ctr namespaces remove foreign >&2
find /sys/fs/cgroup -depth -type d -name foreign -exec rmdir {} +
";

/// Asks apt what it would do with newer packages of the same.
const APT_PIN: &str = include_str!("apt-pin.sh");

/// What `iec apply -o json` says at its end.
#[derive(Debug, Deserialize)]
struct Applied {
    changed: bool,
}

/// Loads the packet filter anew, as a restart of nftables.service does, and lets a chain accept before every other one. The
/// guard's unit sets it again within ten seconds; a packet to an address that no service has never leaves.
const GUARD: &str = "\
foreign=$(nft list table inet foreign 2>/dev/null)
nft flush ruleset
if [ -n \"$foreign\" ]; then printf '%s\\n' \"$foreign\" | nft -f - || exit 1; fi # As its owner's own file would.
nft 'add table ip sabotage; add chain ip sabotage first { type filter hook output priority -300; }; add rule ip sabotage first accept'
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  if iec-service-network ask filter; then break; fi
  sleep 1
done
iec-service-network ask filter && iec-service-network ask effect || exit 1
! timeout 3 bash -c ': >/dev/tcp/172.16.1.254/80' 2>/dev/null || exit 1
nft delete table ip sabotage
";

/// The lab of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    /// Its name.
    pub(super) lab: &'static str,
    /// How many hosts it has; the first is the control plane.
    pub(super) hosts: usize,
    /// What its site file asks for beside what every lab's does: a line of the `spec`.
    pub(super) asks: Option<&'static str>,
}

/// All of it.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(job: Job, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || Lab::up(machine, job.lab, job.hosts))?;
    let site = lab.site();
    if let Some(line) = job.asks {
        steps.run(&format!("the site asks for `{line}`"), || ask_for(&lab, line))?;
    }
    steps.run("somebody else's things are there", || plant(&lab))?;
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("the site file and the hosts are fit", || {
        machine.iec_done("check", &["check", site, "--probe", "-o", "json"])
    })?;
    steps.run("plan says that there is something to do", || {
        pending(machine, "plan", site, Some(5))
    })?;
    let secrets = Secrets::of_site(&lab.site)?;
    let watch = secrets.watch();
    let applied = steps.run("apply", || apply(machine, "apply", site, true));
    let shown = watch.end();
    applied?;
    steps.run("no program showed a secret", || {
        nothing("these programs showed a secret", &shown)
    })?;
    steps.run("no host keeps a secret where it does not belong", || {
        kept(&secrets, &lab)
    })?;
    steps.run("apt would not install a second containerd or kubelet", || {
        lab.run(&lab.hosts[0], APT_PIN, "").map(drop)
    })?;
    steps.run("verify", || {
        machine.iec_done("verify", &["verify", site, "-o", "json"])
    })?;
    steps.run("no program that a host names is run here", || {
        operator::nothing_of_a_host_is_run(&lab, machine)
    })?;
    if job.asks.is_some_and(|line| line.contains("datastore: etcd")) {
        steps.run(
            "certificates of Calico's etcd are renewed before they end",
            || operator::certificates_are_renewed(&lab, machine),
        )?;
    }
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;
    let others = steps.run("a kubeconfig of others gets the site's entries", || {
        operator::entries_beside_others(&lab, machine)
    })?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-again", site, Some(0))
    })?;
    steps.run(
        "the guard of the service network comes back, and a firewall that accepts does not weaken it",
        || {
            lab.run(lab.hosts.last().unwrap_or(&lab.hosts[0]), GUARD, "")
                .map(drop)
        },
    )?;
    steps.run("reset is refused while somebody else's container runs", || {
        foreign_container(&lab, machine)
    })?;
    if job.hosts == 1 {
        steps.run("secrets stay where a journal is lost", || {
            operator::secrets_outlive_a_journal(&lab, machine)
        })?;
    }
    steps.run("reset", || {
        let kubeconfig = others.display().to_string();
        let words = ["reset", site, "--yes", "--kubeconfig", &kubeconfig, "-o", "json"];
        machine.iec_done("reset", &words)
    })?;
    steps.run("others have their kubeconfig as it was", || {
        operator::others_have_theirs(&others)
    })?;
    steps.run("the hosts are as they were", || {
        compare(&lab, machine, lab.hosts.iter().zip(&before))
    })?;
    steps.run("apply on hosts that were reset", || {
        apply(machine, "apply-anew", site, true)
    })?;
    steps.run("verify again", || {
        machine.iec_done("verify-anew", &["verify", site, "-o", "json"])
    })?;
    Ok(())
}

/// Adds this line to the `spec` of the lab's site file.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn ask_for(lab: &Lab, line: &str) -> anyhow::Result<()> {
    let site = fs::read_to_string(&lab.site)?;
    let asking = site.replace("\n  accept:", &format!("\n  {line}\n  accept:"));
    ensure!(site != asking, "the lab's site file accepts nothing");
    Ok(fs::write(&lab.site, asking)?)
}

fn plant(lab: &Lab) -> anyhow::Result<()> {
    for host in &lab.hosts {
        lab.run(host, PLANT, "")?;
        lab.run_in_network(host, &["nft", PLANT_FILTER])?;
    }
    Ok(())
}

/// Somebody else's container in the containerd of IEC, which a reset would take away with it.
fn foreign_container(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let host = &lab.hosts[0];
    lab.run(host, FOREIGN_CONTAINER, "")?;
    let refusal = Refusal {
        exit: 1,
        code: "IEC1868",
        says: &["edge-1", "foreign/guard"],
    };
    let ended = machine.iec("reset-foreign", &["reset", lab.site(), "--yes", "-o", "json"])?;
    refusal.is_met_by(&ended, &[])?;
    lab.run(host, NO_FOREIGN_CONTAINER, "").map(drop)
}

pub(super) fn inventories(lab: &Lab) -> anyhow::Result<Vec<Inventory>> {
    lab.hosts
        .iter()
        .map(|host| lab.inventory(host, "before"))
        .collect()
}

/// Applies, and sees whether something was changed.
pub(super) fn apply(machine: &Machine, log: &str, site: &str, expect_changes: bool) -> anyhow::Result<()> {
    let applied: Applied = answer("apply", &machine.iec_done(log, &["apply", site, "-o", "json"])?)?;
    ensure!(
        applied.changed == expect_changes,
        "changed is {}, not {expect_changes}",
        applied.changed
    );
    Ok(())
}

/// Plans, and sees by the exit code whether something is to be done.
pub(super) fn pending(machine: &Machine, log: &str, site: &str, expected: Option<i32>) -> anyhow::Result<()> {
    let words = ["plan", site, "--detailed-exitcode", "-o", "json"];
    let ended = machine.iec(log, &words)?;
    ensure!(ended.code == expected, "{}", machine.failure(log, &words, &ended));
    Ok(())
}

/// Searches the whole disk of each host for secrets.
pub(super) fn kept(secrets: &Secrets, lab: &Lab) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for host in &lab.hosts {
        found.extend(
            secrets
                .on(lab, host)?
                .into_iter()
                .map(|path| format!("{}: {path}", host.name)),
        );
    }
    nothing("these files hold a secret", &found)
}

/// Compares what these hosts are with what they were.
pub(super) fn compare<'a>(
    lab: &Lab,
    machine: &Machine,
    hosts: impl IntoIterator<Item = (&'a Host, &'a Inventory)>,
) -> anyhow::Result<()> {
    compare_but(&Mask::of_reset(), lab, machine, hosts)
}

/// The same, but for what a mask allows.
pub(super) fn compare_but<'a>(
    mask: &Mask,
    lab: &Lab,
    machine: &Machine,
    hosts: impl IntoIterator<Item = (&'a Host, &'a Inventory)>,
) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for (host, before) in hosts {
        let after = lab.inventory(host, "after")?;
        ensure!(
            after.len() > 1000,
            "{} shows {} things only",
            host.name,
            after.len()
        );
        let differences = before.differences(&after, mask);
        found.extend(
            differences
                .iter()
                .map(|difference| format!("{}: {difference}", host.name)),
        );
    }
    fs::write(machine.logs.join("differences.log"), found.join("\n"))?;
    nothing("these things are not as they were", &found)
}

/// Fails with what was found, if anything was.
pub(super) fn nothing(what: &str, found: &[String]) -> anyhow::Result<()> {
    const SHOWN: usize = 40;
    if found.is_empty() {
        return Ok(());
    }
    let shown = found
        .iter()
        .take(SHOWN)
        .map(|line| format!("\n    {line}"))
        .collect::<String>();
    bail!("{what} ({} in all):{shown}", found.len())
}
