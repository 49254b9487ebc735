//! A control plane that joins others, and the question of the first one whether there is somebody to join.

use iec_sh::{Cmd, Expr, Program};

use super::control_plane::{init, own_server, static_pod, wait};
use super::join::DEADLINE_SECONDS;
use super::kubernetes::{CLUSTER_CA_FILE, KUBECTL, kubelet_configuration};
use crate::plan::kubeadm::{self, InitPhase, JOIN_FILE};
use crate::plan::lower::kubectl_anonymous;
use crate::plan::op::{Op, Require, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::role::PlanRole;
use crate::plan::static_pod::{Component, ETCD_MEMBER};
use crate::plan::step::Phase;
use crate::site::SiteHost;

/// The control plane joins the others. Its etcd comes first: it is announced to the others when it can start at once, and
/// its API server has nothing to say without it.
pub(super) fn join(part: &mut PartBuilder<'_>) {
    wait_for_cluster(part);
    let configuration = kubeadm::control_plane_join_configuration(&part.kubeadm());
    let why = "By it kubeadm announces this control plane's etcd to the others.";
    part.file(
        Phase::ControlPlane,
        "kubeadm-join-config",
        JOIN_FILE,
        0o600,
        why,
        configuration,
    );
    init(part, InitPhase::KubeletStart);
    kubelet_configuration(part, Phase::ControlPlane);
    for component in Component::ALL {
        static_pod(part, component);
    }
    wait(part);
}

/// Until the first control plane has stored its configuration in the cluster, there is nothing to join.
fn wait_for_cluster(part: &mut PartBuilder<'_>) {
    let configuration = || {
        Cmd::new(Program::Kubectl)
            .words([
                "--kubeconfig",
                "/etc/kubernetes/admin.conf",
                "--request-timeout=5s",
            ])
            .words(["get", "-n", "kube-system", "configmap/kubeadm-config"])
    };
    let has_joined = Cmd::new(Program::Test).words(["-s", &Component::ApiServer.file()]);
    let wait = Wait {
        what: "the first control plane has made the cluster".to_owned(),
        ask: configuration().quiet().into(),
        unless: Some(has_joined.into()),
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: vec![],
        explains: vec![configuration().into()],
    };
    let why = "Hosts may start at once and in any order; there is nothing to join before that. It gives up after half an hour.";
    part.step(
        Phase::ControlPlane,
        "cluster",
        "Wait for the first control plane",
        why,
        25,
        Op::Wait(wait),
    );
}

/// Whoever makes the cluster must be the only one who has it: this host may have been replaced since its plan was made.
pub(super) fn no_other_cluster(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let others: Vec<_> = site
        .control_planes()
        .filter(|host| host.name() != part.host.name())
        .collect();
    if part.role != PlanRole::FirstControlPlane || others.is_empty() {
        return;
    }
    let is_silent = |host: &SiteHost| {
        kubectl_anonymous(&own_server(site, host))
            .words(["--certificate-authority", CLUSTER_CA_FILE])
            .words(["get", "--raw", "/version"])
            .quiet()
    };
    let silent = others.iter().map(|host| Expr::from(is_silent(host)).not());
    let has_it = Expr::from(Cmd::new(Program::Test).words(["-d", ETCD_MEMBER]));
    let require = Require {
        what: "IEC1712: no other control plane has the cluster already".to_owned(),
        ask: Expr::If {
            // A bare host cannot ask yet, and is asked again before it makes the cluster.
            condition: Box::new(Cmd::new(Program::Test).words(["-x", KUBECTL]).into()),
            then: vec![Expr::any([has_it, Expr::all(silent)])],
            otherwise: vec![],
        },
    };
    let why =
        "It is asked before a second cluster is made: a host that was replaced joins the one that there is.";
    part.step(
        Phase::ControlPlane,
        "alone",
        "Is there a cluster already?",
        why,
        0,
        Op::Require(require),
    );
}
