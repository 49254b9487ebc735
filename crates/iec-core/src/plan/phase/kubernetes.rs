//! kubelet, kubeadm and kubectl, before there is a cluster.

use crate::content::Digest;
use crate::plan::op::{Op, ProgramOwner, Unit};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::plan::{kubeadm, kubelet};

/// The certificate of the cluster's authority, where every host has it before it joins.
pub(crate) const CLUSTER_CA_FILE: &str = "/etc/iec/cluster-ca.crt";
/// By it a host asks others; a bare one has none yet.
pub(super) const KUBECTL: &str = "/usr/local/bin/kubectl";

pub(in crate::plan) fn kubernetes(part: &mut PartBuilder<'_>) {
    let programs: Vec<_> = ["kubelet", "kubeadm", "kubectl"]
        .into_iter()
        .filter_map(|name| part.binary(name, format!("/usr/local/bin/{name}")))
        .collect();
    let kubelet_program = programs
        .first()
        .map(|program| program.digest.hex())
        .unwrap_or_default();
    let why = "The kubelet runs pods, kubeadm makes a node of the host, kubectl asks the cluster.";
    let op = Op::Programs {
        programs,
        owner: ProgramOwner::Iec,
    };
    part.step(
        Phase::Kubernetes,
        "programs",
        "Install kubelet, kubeadm and kubectl",
        why,
        2,
        op,
    );

    let why = "It waits for its configuration: a kubelet that has not joined would restart without end.";
    part.file(
        Phase::Kubernetes,
        "kubelet-unit",
        kubelet::UNIT_FILE,
        0o644,
        why,
        kubelet::UNIT,
    );
    let drop_in = kubelet::drop_in(part.inputs.site);
    let why = "Where kubeadm puts the kubelet's configuration, arguments and credentials.";
    part.file(
        Phase::Kubernetes,
        "kubelet-drop-in",
        kubelet::DROP_IN_FILE,
        0o644,
        why,
        drop_in.as_str(),
    );
    let configuration = Digest::of(format!("{}{drop_in}{kubelet_program}", kubelet::UNIT).as_bytes());
    let op = Op::Unit(Unit {
        name: "kubelet.service".to_owned(),
        active: false,
        configuration,
        creates: vec![],
        effects: vec![],
    });
    part.step(
        Phase::Kubernetes,
        "kubelet",
        "Enable the kubelet",
        "It starts when the host joins, and at each boot.",
        1,
        op,
    );

    let patch = kubeadm::kubelet_patch(part.facts, part.own_pace);
    let path = format!("{}/kubeletconfiguration0+strategic.yaml", kubeadm::PATCHES);
    let why =
        "What differs from host to host in the kubelets' common configuration, such as the cgroup driver.";
    part.file(Phase::Kubernetes, "kubelet-patch", &path, 0o644, why, patch);
    let authority = part.inputs.credentials.cluster_ca.certificate_pem.clone();
    let why = "By it the host knows the real API server, before it sends its token.";
    part.file(
        Phase::Kubernetes,
        "cluster-ca",
        CLUSTER_CA_FILE,
        0o644,
        why,
        authority,
    );
}

/// The kubelet's configuration, once kubeadm has written what a kubelet joins with.
pub(super) fn kubelet_configuration(part: &mut PartBuilder<'_>, phase: Phase) {
    let text = kubelet::configuration(part.inputs, part.facts, part.own_pace);
    let why = "The kubelet runs with what the site file says; one that does not come up with a change gets its former \
               configuration back.";
    part.step(
        phase,
        "kubelet-configuration",
        format!(
            "Write {} and start the kubelet with it",
            kubelet::CONFIGURATION_FILE
        ),
        why,
        1,
        Op::KubeletConfiguration(text),
    );
}
