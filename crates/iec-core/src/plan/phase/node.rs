//! What the site asks of the node, by the node's own credentials.

use iec_sh::{Cmd, Expr, Program};

use crate::content::Digest;
use crate::plan::calico_etcd;
use crate::plan::lower::node_units;
use crate::plan::op::{LeavingMember, Op, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::static_pod::etcd_peer;
use crate::plan::step::Phase;
use crate::site::{Role, SiteHost};

/// Seconds until a node must be Ready: a slow board needs some three minutes.
const DEADLINE_SECONDS: u32 = 900;
/// Seconds until the API server must answer: as long as a control plane may take to start.
const API_SECONDS: u32 = 600;

pub(in crate::plan) fn node(part: &mut PartBuilder<'_>) {
    let node = part.host.name().to_string();
    // A control plane has waited for its API server long before.
    if part.host.role() == Role::Worker && !part.host.labels().is_empty() {
        wait_for_api(part);
    }
    for (key, value) in part.host.labels() {
        let why = "The site asks for it; the node sets it with its own credentials.";
        let op = Op::Label {
            node: node.clone(),
            key: key.to_string(),
            value: value.to_string(),
        };
        part.step(
            Phase::Node,
            &keyed("label", key.as_str()),
            format!("Label the node {key}={value}"),
            why,
            0,
            op,
        );
    }
    let condition = |field: &str| {
        Cmd::new(Program::Kubectl)
            .words([
                "--kubeconfig",
                "/etc/kubernetes/kubelet.conf",
                "--request-timeout=10s",
                "get",
                "node",
                &node,
                "-o",
            ])
            .word(format!(
                "jsonpath={{.status.conditions[?(@.type==\"Ready\")].{field}}}"
            ))
    };
    let wait = Wait {
        what: format!("node {node} is Ready"),
        ask: Expr::from(condition("status").quiet_errors()).prints("True"),
        unless: None,
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: node_units(),
        explains: vec![condition("message").into()],
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

/// Only the API server can answer what comes next, and a host that has joined has not waited for it so far.
fn wait_for_api(part: &mut PartBuilder<'_>) {
    let ready = Cmd::new(Program::Kubectl)
        .words([
            "--kubeconfig",
            "/etc/kubernetes/kubelet.conf",
            "--request-timeout=5s",
        ])
        .words(["get", "--raw", "/readyz"]);
    let wait = Wait {
        what: "the API server answers".to_owned(),
        ask: ready.quiet().into(),
        unless: None,
        every_seconds: 1,
        deadline_seconds: API_SECONDS,
        units: Vec::new(),
        explains: Vec::new(),
    };
    let why = "What follows is asked of it, and it may be restarting. It gives up after ten minutes.";
    let title = "Wait for the API server";
    part.step(Phase::Node, "api", title, why, 0, Op::Wait(wait));
}

/// What the first control plane does about nodes of other hosts, without waiting for any of them: taints, which a node
/// may not change itself, and the end of nodes whose hosts leave.
pub(in crate::plan) fn other_nodes(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    for host in site.present_hosts() {
        let node = host.name().to_string();
        for taint in host.taints() {
            let (key, effect) = (taint.key().to_string(), taint.effect().as_str().to_owned());
            let name = keyed(&format!("taint.{node}"), &format!("{key}:{effect}"));
            let title = format!("Taint node {node} {taint}");
            let why = "A host joins with its taints; one that the site asks for later is set from here.";
            let op = Op::Taint {
                node: node.clone(),
                key,
                value: taint.value().to_string(),
                effect,
            };
            part.step(Phase::Node, &name, title, why, 0, op);
        }
    }
    other_nodes_that_leave(part);
}

/// The end of nodes whose hosts leave.
fn other_nodes_that_leave(part: &mut PartBuilder<'_>) {
    // Of voters that leave first those that are gone: they count, and do not vote.
    let site = part.inputs.site;
    let mut absent: Vec<&SiteHost> = site.absent_hosts().collect();
    absent.sort_by_key(|host| !host.unreachable());
    drain_together(part, &absent);
    for host in absent {
        let node = host.name().to_string();
        let reachable = !host.unreachable();
        let (title, seconds) = if reachable {
            (format!("Drain node {node} and take it out of the cluster"), 10)
        } else {
            (
                format!("Take node {node}, whose host is gone, out of the cluster"),
                1,
            )
        };
        let why = "The site says that the host is absent.";
        let member = (host.role() == Role::ControlPlane).then(|| LeavingMember {
            first: part.host.name().to_string(),
            peer: etcd_peer(host),
            calico_peer: site.network().has_calico_etcd().then(|| calico_etcd::peer(host)),
        });
        let name = format!("leave.{node}");
        part.step(
            Phase::Node,
            &name,
            title,
            why,
            seconds,
            Op::Leave {
                node,
                reachable,
                member,
            },
        );
    }
}

/// Sends the pods of all nodes away that leave, where they are several and one of them is a control plane.
fn drain_together(part: &mut PartBuilder<'_>, absent: &[&SiteHost]) {
    let leaving: Vec<_> = absent.iter().filter(|host| !host.unreachable()).collect();
    let votes = |host: &SiteHost| host.role() == Role::ControlPlane;
    if leaving.len() < 2 || !leaving.iter().any(|host| votes(host)) {
        return;
    }
    for host in leaving {
        let node = host.name().to_string();
        let why = "As long as the API servers of all hosts answer: a kubelet that asks one whose etcd is gone notices the \
                   end of its pods a minute later.";
        let name = format!("drain.{node}");
        let title = format!("Drain node {node}");
        let votes = votes(host);
        part.step(Phase::Node, &name, title, why, 5, Op::Drain { node, votes });
    }
}

/// The name of a step about `key`. Keys hold characters that names of steps do not: their digest tells them apart then.
fn keyed(what: &str, key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    if key.bytes().all(is_plain) {
        format!("{what}.{key}")
    } else {
        format!("{what}.{key}-{}", &Digest::of(key.as_bytes()).hex()[..6])
    }
}
