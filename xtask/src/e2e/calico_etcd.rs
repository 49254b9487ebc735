//! Calico with an etcd of its own on three control planes: installed at once, one lost, down to one member and up to three.

use std::time::Duration;

use anyhow::ensure;
use iec_core::plan::{CALICO_ETCD_POD, calico_etcdctl};

use super::lab::{Host, Lab};
use super::machine::Machine;
use super::machines::well;
use super::main_job::{apply, ask_for, inventories, pending};
use super::site_file::{ABSENT, SiteFile};
use super::steps::Steps;
use super::three_control_planes::bare_again;

/// How long the site may take to be well by itself after a host has come back.
const PATIENCE: Duration = Duration::from_secs(420);

/// Starts a pod on the second and on the third host, and waits until Calico has given each its address; then they go.
const ADDRESSES: &str = r#"
set -eu
kubectl() { command kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
image=$(kubectl get nodes edge-2 -o jsonpath='{range .status.images[*]}{.names[-1]}{"\n"}{end}' | grep -m 1 nginx)
for node in edge-2 edge-3; do
  kubectl run "address-$node" --image="$image" --image-pull-policy=Never --restart=Never \
    --overrides='{"spec": {"nodeName": "'$node'"}}' >&2
done
kubectl wait --for=condition=Ready --timeout=120s pod/address-edge-2 pod/address-edge-3 >&2
kubectl delete pod --now address-edge-2 address-edge-3 >&2
"#;

/// All of it.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn three(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, "e2e-calico-etcd", 3, &["--control-planes", "3"])
    })?;
    let site = lab.site();
    let first = lab.host("edge-1")?;
    let verify = |log: &str| machine.iec_done(log, &["verify", site, "-o", "json"]);
    ask_for(&lab, "network: {cni: {calico: {datastore: etcd}}}")?;
    let file = SiteFile::of(&lab)?;
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("apply, all three at once", || apply(machine, "apply", site, true))?;
    steps.run("Calico's etcd has three members", || members(&lab, first, 3))?;
    steps.run("verify", || verify("verify"))?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;

    steps.run("without the first host, pods on the others get addresses", || {
        lab.power_off(first)?;
        lab.run(lab.host("edge-2")?, ADDRESSES, "").map(drop)
    })?;
    steps.run("the site is well by itself when it is back", || {
        lab.power_on(first)?;
        well(machine, "verify-back", site, PATIENCE)
    })?;

    file.write(&[("edge-2", Some(ABSENT)), ("edge-3", Some(ABSENT))])?;
    steps.run("two of three leave", || apply(machine, "apply-one", site, true))?;
    steps.run("Calico's etcd has one member", || members(&lab, first, 1))?;
    steps.run("verify with one", || verify("verify-one"))?;
    file.write(&[])?;
    steps.run("both join again", || apply(machine, "apply-three", site, true))?;
    steps.run("Calico's etcd has three members again", || {
        members(&lab, first, 3)
    })?;
    steps.run("verify with three", || verify("verify-three"))?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-three", site, Some(0))
    })?;
    steps.run("reset", || {
        machine.iec_done("reset", &["reset", site, "--yes", "-o", "json"])
    })?;
    steps.run("the hosts are as they were", || {
        bare_again(&lab, machine, &before, 0..3)
    })
}

/// Fails unless Calico's etcd, asked on this host, has so many members, and all of them vote.
fn members(lab: &Lab, host: &Host, expected: usize) -> anyhow::Result<()> {
    let script = format!(
        "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system exec {CALICO_ETCD_POD}-{} -c etcd -- {} member list",
        host.name,
        calico_etcdctl().join(" ")
    );
    let members = lab.run(host, &script, "")?;
    let voters = members.lines().filter(|line| line.ends_with(", false"));
    ensure!(
        voters.count() == expected && members.lines().count() == expected,
        "the members are:\n{members}"
    );
    Ok(())
}
