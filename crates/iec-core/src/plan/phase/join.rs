//! A worker joins, phase by phase of `kubeadm join`.

use iec_sh::{Cmd, Expr, Program};

use super::admission::installed_with;
use super::kubernetes::{CLUSTER_CA_FILE, kubelet_configuration};
use crate::plan::kubeadm::JoinPhase;
use crate::plan::lower::{JOINED, kubectl_anonymous};
use crate::plan::op::{Op, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;

/// Seconds that a host waits for the first control plane: a slow board needs some ten minutes for its own part.
pub(super) const DEADLINE_SECONDS: u32 = 1800;

pub(in crate::plan) fn join(part: &mut PartBuilder<'_>) {
    let server = format!("https://{}", part.inputs.site.control_plane().endpoint());
    let signature = format!("jws-kubeconfig-{}", part.inputs.credentials.token_id);
    let cluster_info = || {
        kubectl_anonymous(&server)
            .words(["--certificate-authority", CLUSTER_CA_FILE])
            .words([
                "get",
                "--raw",
                "/api/v1/namespaces/kube-public/configmaps/cluster-info",
            ])
    };
    let ask = Expr::Pipe(vec![
        cluster_info().quiet_errors(),
        Cmd::new(Program::Grep).words(["-q", &signature]),
    ]);
    let joined = Expr::all(JOINED.map(|path| Cmd::new(Program::Test).words(["-s", path])));
    let wait = Wait {
        what: "the control plane lets hosts join by the token of this run".to_owned(),
        ask,
        unless: Some(joined),
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: vec![],
        explains: vec![cluster_info().into()],
    };
    let why = "Hosts may start at once and in any order; a worker has nothing to join before that. It gives up after half an hour.";
    part.step(
        Phase::Join,
        "wait",
        "Wait for the control plane",
        why,
        25,
        Op::Wait(wait),
    );
    let phases = [
        (
            JoinPhase::Preflight,
            "preflight",
            "Ask kubeadm whether this host can join",
            "Asked once, before its first file.",
            1,
        ),
        (
            JoinPhase::KubeletStart,
            "kubelet-start",
            "Configure and start the kubelet",
            "With the token, for its first certificate.",
            2,
        ),
        (
            JoinPhase::KubeletWaitBootstrap,
            "bootstrap",
            "Wait for the kubelet's own certificate",
            "The token is not needed after that.",
            3,
        ),
    ];
    for (phase, name, title, why, seconds) in phases {
        if phase == JoinPhase::KubeletStart {
            installed_with(part, Phase::Join);
        }
        part.step(Phase::Join, name, title, why, seconds, Op::Join(phase));
    }
    kubelet_configuration(part, Phase::Join);
}
