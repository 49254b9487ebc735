//! A host in bad shape: what is told of it beforehand, and a site on one that its owner has laid out by hand, from bare to
//! verified, under other people's packet filters, with another packet size, and back.
//!
//! The conditions are from public reports. What `refusals` and the main job show already is not here.

mod bare;

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::cut::{self, Happening, Moment};
use super::lab::Lab;
use super::machine::Machine;
use super::main_job::{compare, inventories, pending};
use super::refusals::desk::Desk;
use super::refusals::{Refusal, each};
use super::steps::Steps;

/// The packages that hosts of such an owner have.
const PACKAGES: [&str; 4] = ["--package", "zsh", "--package", "nftables"];

/// Folders that are links to another disk; etcd's has a file system of its own at the other end, as `mkfs` leaves it. The
/// kernel's parameters have a line that IEC's file must win over.
const LAYOUT: &str = "\
set -eu
for folder in kubelet containerd iec etcd; do
    mkdir -p -m 0750 /srv/disk/$folder
    ln -s /srv/disk/$folder /var/lib/$folder
done
mount -t tmpfs -o size=600m,mode=0755 tmpfs /srv/disk/etcd
mkdir -m 0700 /srv/disk/etcd/lost+found
echo 'net.bridge.bridge-nf-call-iptables = 0' >>/etc/sysctl.conf
";

/// An argument that kubelets do not know any more.
const LEFT_OVER: &str =
    "mkdir -p /etc/default && echo 'KUBELET_EXTRA_ARGS=--network-plugin=cni' >/etc/default/kubelet";
/// How long an apply may take that a kubelet without hope ends: content, images, and a minute of waiting.
const PATIENCE: Duration = Duration::from_secs(400);

/// Sets the kernel's parameters as the next boot does.
const NEXT_BOOT: &str =
    "systemctl restart systemd-sysctl.service && cat /proc/sys/net/bridge/bridge-nf-call-iptables";

/// What pods send to each other and to services does not pass the host.
const FORWARD: &str = "add table inet office; \
    add chain inet office guard { type filter hook forward priority 0; policy drop; }; \
    add rule inet office guard ct state established,related accept";
/// Nothing but SSH comes to the host.
const INPUT: &str = "add table inet office; \
    add chain inet office guard { type filter hook input priority 0; policy drop; }; \
    add rule inet office guard ct state established,related accept; \
    add rule inet office guard iif lo accept; add rule inet office guard tcp dport 22 accept";
const OPEN: &str = "nft delete table inet office";

/// The pods of the cluster's own that have links, made anew.
const PODS_ANEW: &str = "\
set -eu
export KUBECONFIG=/etc/kubernetes/admin.conf
for deployment in coredns calico-kube-controllers; do
    kubectl -n kube-system rollout restart deployment $deployment >&2
    kubectl -n kube-system rollout status --timeout 120s deployment $deployment >&2
done
# The links of the pods before are gone a moment later.
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ \"$(kubectl -n kube-system get pods --no-headers | grep -c Terminating)\" != 0 ] || break
    sleep 1
done
";

/// All of it, on one host.
///
/// # Errors
/// Those of the first step that fails; cases on the bare host that failed, all together.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("a bare host is up", || {
        Lab::up_with(machine, "e2e-conditions", 1, &PACKAGES)
    })?;
    let before = steps.run("what the host is is noted", || inventories(&lab))?;
    let failed = each(&bare::CASES, machine, &lab, steps)?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    steps.run("the host is as it was", || {
        compare(&lab, machine, lab.hosts.iter().zip(&before))
    })?;

    let laid_out = steps.run("its owner lays it out by hand", || {
        lab.run(&lab.hosts[0], LAYOUT, "")?;
        inventories(&lab)
    })?;
    steps.run(
        "a kubelet that does not start ends the wait, with its own words",
        || left_over(&lab, machine),
    )?;
    steps.run("apply goes on, and tells a second operator of it", || {
        second_operator(&lab, machine)
    })?;
    steps.run("verify", || verified(&lab, machine, "verify"))?;
    steps.run(
        "the next boot sets the kernel's parameters as IEC needs them",
        || next_boot(&lab, machine),
    )?;
    steps.run(
        "verify names the chain that ends what passes through the host",
        || {
            let says: &[_] = &[
                "edge-1: chain `inet office guard`, what the host passes on: policy drop",
                "IEC1840",
            ];
            closed(&lab, machine, FORWARD, (3, "IEC5008", says))
        },
    )?;
    steps.run("verify names the chain that ends what comes to the host", || {
        let says: &[_] = &[
            "edge-1: chain `inet office guard`, what comes to the host: policy drop",
            "IEC1840",
        ];
        closed(&lab, machine, INPUT, (4, "IEC5010", says))
    })?;
    steps.run(
        "another packet size reaches the tunnel and new pods, and older ones are named",
        || packet_size(&lab, machine),
    )?;
    steps.run("reset", || {
        machine.iec_done("reset", &["reset", lab.site(), "--yes", "-o", "json"])
    })?;
    steps.run("the host is as its owner has laid it out", || {
        compare(&lab, machine, lab.hosts.iter().zip(&laid_out))
    })
}

fn verified(lab: &Lab, machine: &Machine, log: &str) -> anyhow::Result<()> {
    machine
        .iec_done(log, &["verify", lab.site(), "-o", "json"])
        .map(drop)
}

/// An argument that the kubelet does not know: told beforehand, and what it says itself ends the apply.
fn left_over(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let host = &lab.hosts[0];
    lab.run(host, LEFT_OVER, "")?;
    let words = ["apply", lab.site(), "-o", "json"];
    let ended = machine.iec_within(PATIENCE, "left-over", &words);
    lab.run(host, "rm /etc/default/kubelet", "")?;
    let ended = ended?;
    let refusal = Refusal {
        exit: 2,
        code: "IEC4001",
        says: &["edge-1", "unknown flag: --network-plugin", "iec apply"],
    };
    refusal
        .is_met_by(&ended, &[])
        .with_context(|| machine.failure("left-over", &words, &ended))?;
    ensure!(ended.stdout.contains("IEC1891"), "it was not told beforehand");
    Ok(())
}

/// Goes on with the apply. Meanwhile somebody else, who has the site file only, asks what would be done.
fn second_operator(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let desk = Desk::new(machine, lab, "second")?;
    let ask = || {
        let words = ["plan", desk.site(), "-o", "json"];
        let ended = machine.iec("second-operator", &words)?;
        let refusal = Refusal {
            exit: 1,
            code: "IEC4020",
            says: &[
                "a run is at work on edge-1",
                "iec apply by",
                "iec credentials recover",
            ],
        };
        refusal
            .is_met_by(&ended, &[])
            .with_context(|| machine.failure("second-operator", &words, &ended))?;
        let own = desk.path("site.secrets.yaml");
        ensure!(!own.exists(), "the second operator has secrets of his own now");
        Ok(())
    };
    let moment = Moment {
        host: "edge-1".to_owned(),
        step: "control-plane.wait".to_owned(),
    };
    let ended = cut::apply(lab, machine, "apply", &[(moment, Happening::Beside(&ask))])?;
    let ended = ended.context("nobody killed it")?;
    let words = ["apply", lab.site(), "-o", "json"];
    ensure!(ended.succeeded(), "{}", machine.failure("apply", &words, &ended));
    Ok(())
}

/// `/etc/sysctl.conf` says otherwise, and loses.
fn next_boot(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let value = lab.run(&lab.hosts[0], NEXT_BOOT, "")?;
    ensure!(value.trim() == "1", "bridge-nf-call-iptables is {value}");
    pending(machine, "plan-after-boot", lab.site(), Some(0))
}

/// Under somebody's packet filter `verify` ends with this code, and its error names the chain.
fn closed(
    lab: &Lab,
    machine: &Machine,
    filter: &str,
    (exit, code, says): (i32, &'static str, &'static [&'static str]),
) -> anyhow::Result<()> {
    let host = &lab.hosts[0];
    lab.run(host, &format!("nft '{filter}'"), "")?;
    let log = format!("closed-{exit}");
    let words = ["verify", lab.site(), "--settle", "2", "-o", "json"];
    let ended = machine.iec(&log, &words);
    lab.run(host, OPEN, "")?;
    let ended = ended?;
    let error = Refusal { exit, code, says };
    error
        .is_met_by(&ended, &[])
        .with_context(|| machine.failure(&log, &words, &ended))?;
    verified(lab, machine, &format!("opened-{exit}"))
}

/// The site file gives pods another packet size.
fn packet_size(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let text = fs::read_to_string(&lab.site)?;
    let asking = text.replace(
        "\n  accept:",
        "\n  network: {cni: {calico: {mtu: 1400}}}\n  accept:",
    );
    ensure!(text != asking, "the lab's site file accepts nothing");
    fs::write(&lab.site, asking)?;
    let words = ["plan", lab.site(), "--detailed-exitcode", "-o", "json"];
    let plan = machine.iec("plan-packet-size", &words)?;
    let told = plan.code == Some(5) && plan.stdout.contains("IEC1847");
    ensure!(told, "{}", machine.failure("plan-packet-size", &words, &plan));
    super::main_job::apply(machine, "apply-packet-size", lab.site(), true)?;
    let words = ["verify", lab.site(), "-o", "json"];
    let kept = machine.iec("verify-packet-size", &words)?;
    let named =
        kept.code == Some(3) && kept.stdout.contains("IEC5020") && kept.stdout.contains("pods' links");
    ensure!(named, "{}", machine.failure("verify-packet-size", &words, &kept));
    lab.run(&lab.hosts[0], PODS_ANEW, "")?;
    verified(lab, machine, "verify-pods-anew")
}
