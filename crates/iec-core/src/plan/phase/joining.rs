//! What opens the cluster to hosts that join, and what is done when all of them have.

use crate::plan::op::Op;
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::site::SiteHost;

/// Whether the cluster is there already.
fn is_initialised(part: &PartBuilder<'_>) -> bool {
    let files = &part.facts.cluster.kubernetes_files;
    files.iter().any(|file| file == "admin.conf")
}

/// Whether one of these hosts still has to join.
fn is_awaiting<'h>(part: &PartBuilder<'_>, mut hosts: impl Iterator<Item = &'h SiteHost>) -> bool {
    hosts.any(|host| {
        let known = part.inputs.facts.host(host.name().as_str());
        known.is_some_and(|facts| facts.cluster.server.is_none())
    })
}

/// A later run that brings hosts needs a token that is alive. One that brings none minds no token: scripts, which cannot
/// know when the last host has joined, leave theirs to its end, and that is no drift.
pub(super) fn token(part: &mut PartBuilder<'_>) {
    // A control plane has the cluster's authorities: it joins without a token.
    if !is_initialised(part) || !is_awaiting(part, part.inputs.site.workers()) {
        return;
    }
    let why = "A host that still has to join needs a token that is alive.";
    let op = Op::Token {
        id: part.inputs.credentials.token_id.clone(),
        remaining_seconds: (part.inputs.token_life.as_secs() / 2).min(ENOUGH_SECONDS),
    };
    part.step(
        Phase::ControlPlane,
        "token",
        "Renew the bootstrap token",
        why,
        1,
        op,
    );
}

/// A token that lives so many seconds more need not be renewed: as long as a worker waits for its control plane.
const ENOUGH_SECONDS: u64 = 1800;

/// What the first control plane does when every host has joined, where one had to.
pub(in crate::plan) fn after_joins(part: &mut PartBuilder<'_>) {
    if !is_initialised(part) || is_awaiting(part, part.inputs.site.workers()) {
        no_token(part);
    }
}

fn no_token(part: &mut PartBuilder<'_>) {
    let why = "No host has to join any more, and what opens the cluster to new hosts is better not there.";
    let op = Op::NoToken {
        id: part.inputs.credentials.token_id.clone(),
    };
    let title = "Remove the bootstrap token";
    part.step(Phase::ControlPlane, "no-token", title, why, 0, op);
}

/// Where any control plane may be lost, the cluster's DNS must not be lost with it. Its pods start when the first host is
/// the only one, and nothing moves them later: each control plane that has joined sees to it, whatever installs it.
pub(in crate::plan) fn spread_dns(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    if site.control_planes().count() < 2 || site.network().dns().replicas() == Some(1) {
        return;
    }
    let why = "Its pods started when there was one host only; the loss of that one would take names from all others for \
               five minutes.";
    let title = "Run the cluster's DNS on several hosts";
    part.step(Phase::Node, "spread-dns", title, why, 0, Op::SpreadDns);
}
