//! What a host is to the cluster's control plane: the first makes the cluster, the others join it.

use crate::facts::Facts;
use crate::plan::phase::is_release;
use crate::plan::{Inputs, Phase, StepId};
use crate::site::{Role, Site, SiteHost};

/// What a host is in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlanRole {
    /// It makes the cluster, and does for the whole of it what is done once.
    FirstControlPlane,
    /// It joins the cluster that the first one makes, and its etcd with it.
    ControlPlane,
    /// It joins, and runs workloads.
    Worker,
}

impl PlanRole {
    pub(super) fn of(inputs: &Inputs<'_>, host: &SiteHost) -> Self {
        match host.role() {
            Role::Worker => Self::Worker,
            Role::ControlPlane if first_control_plane(inputs.site, inputs.facts).name() == host.name() => {
                Self::FirstControlPlane
            }
            Role::ControlPlane => Self::ControlPlane,
        }
    }
}

/// The control plane that does what is done once for the cluster: the one that has made it, or has taken that over.
///
/// Where the cluster is not there yet, that is the first of the site file. A control plane that was replaced has joined another
/// one, and stays the one that has joined: wherever it stands in the file, nothing moves to it. One that does not answer may be
/// the one; what it has done once is then not done, and not taken back, by two. When it has left, the first of those that have
/// joined takes it over.
///
/// # Panics
/// Never: a site has a control plane.
#[must_use]
pub fn first_control_plane<'a>(site: &'a Site, facts: &Facts) -> &'a SiteHost {
    let known = |host: &SiteHost| facts.host(host.name().as_str());
    let has_the_cluster = |host: &&SiteHost| known(host).is_some_and(|facts| facts.cluster.etcd_data);
    let has_made_it =
        |host: &&SiteHost| has_the_cluster(host) && known(host).is_some_and(|facts| !facts.previous.joined);
    let mut all = site.control_planes();
    let first = if site.control_planes().any(|host| has_the_cluster(&host)) {
        all.find(has_made_it)
            .or_else(|| site.control_planes().find(|host| known(host).is_none()))
            .or_else(|| site.control_planes().find(has_the_cluster))
    } else {
        all.next()
    };
    first.expect("a site has a control plane")
}

/// Whether this step of a control plane is one that is done once for the whole cluster.
///
/// What it has made stays when another control plane becomes the first, and when this one leaves.
#[must_use]
pub fn is_done_once(step: &StepId) -> bool {
    let name = step.as_str();
    match Phase::of(step) {
        // Its objects; the files that they were made from are the host's own.
        Phase::Network => OBJECTS.contains(&name),
        Phase::Helm => is_release(step),
        Phase::Node => ONCE_FOR_A_NODE.iter().any(|what| name.starts_with(what)),
        Phase::ControlPlane => ONCE.contains(&name),
        _ => false,
    }
}

/// What begins the names of the steps about other nodes.
const ONCE_FOR_A_NODE: [&str; 3] = ["node.taint.", "node.drain.", "node.leave."];

/// The steps of the pod network that are done once for the whole cluster.
const OBJECTS: [&str; 3] = [
    "network.calico-etcd-secret",
    "network.calico",
    "network.calico-etcd-clients",
];

/// The steps of a control plane's own phase that are done once for the whole cluster.
const ONCE: [&str; 5] = [
    "control-plane.upload-config",
    "control-plane.bootstrap-token",
    "control-plane.addons",
    "control-plane.token",
    "control-plane.no-token",
];
