//! What the site asks of the node, by the node's own credentials.

use iec_sh::{Cmd, Program};

use crate::plan::op::{Op, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;

/// Seconds until a node must be Ready: a slow board needs some three minutes.
const DEADLINE_SECONDS: u32 = 900;

pub(in crate::plan) fn node(part: &mut PartBuilder<'_>) {
    let node = part.host.name().to_string();
    let labels: std::collections::BTreeMap<String, String> = part
        .host
        .labels()
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    if !labels.is_empty() {
        let why = "The site asks for them; the node sets them with its own credentials.";
        part.step(
            Phase::Node,
            "labels",
            "Label the node",
            why,
            0,
            Op::Labels {
                node: node.clone(),
                labels,
            },
        );
    }
    let ready = Cmd::new(Program::Kubectl)
        .words([
            "--kubeconfig",
            "/etc/kubernetes/kubelet.conf",
            "--request-timeout=10s",
            "get",
            "node",
            &node,
        ])
        .words(["-o", "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}"])
        .quiet_errors();
    let wait = Wait {
        what: format!("node {node} is Ready"),
        ask: iec_sh::Expr::from(ready).prints("True"),
        unless: None,
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
    };
    let why = "The kubelet, the runtime and the pod network work together on this host. It gives up after a quarter of an hour.";
    part.step(
        Phase::Node,
        "ready",
        "Wait until the node is Ready",
        why,
        15,
        Op::Wait(wait),
    );
}
