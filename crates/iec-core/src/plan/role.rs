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

/// The control plane that does what is done once for the cluster: the first of the site file that can have the cluster.
///
/// One of which it is known that it has none, while another has it, was replaced: it joins, or there would be two clusters.
/// One that does not answer stays the first, so that what it has done once is not done, and not taken back, by two.
///
/// # Panics
/// Never: a site has a control plane.
#[must_use]
pub fn first_control_plane<'a>(site: &'a Site, facts: &Facts) -> &'a SiteHost {
    let may_have_the_cluster = |host: &&SiteHost| {
        let known = facts.host(host.name().as_str());
        known.is_none_or(|facts| facts.cluster.etcd_data)
    };
    let has_the_cluster = site.control_planes().any(|host| {
        facts
            .host(host.name().as_str())
            .is_some_and(|facts| facts.cluster.etcd_data)
    });
    site.control_planes()
        .find(|host| has_the_cluster && may_have_the_cluster(host))
        .or_else(|| site.control_planes().next())
        .expect("a site has a control plane")
}

/// Whether this step of a control plane is one that is done once for the whole cluster.
///
/// What it has made stays when another control plane becomes the first, and when this one leaves.
#[must_use]
pub fn is_done_once(step: &StepId) -> bool {
    let name = step.as_str();
    match Phase::of(step) {
        // Its objects; the files that they were made from are the host's own.
        Phase::Network => !matches!(name, "network.calico-manifest" | "network.calico-settings"),
        Phase::Helm => is_release(step),
        Phase::Node => {
            name == "node.spread-dns" || name.starts_with("node.taint.") || name.starts_with("node.leave.")
        }
        Phase::ControlPlane => ONCE.contains(&name),
        _ => false,
    }
}

/// The steps of a control plane's own phase that are done once for the whole cluster.
const ONCE: [&str; 5] = [
    "control-plane.upload-config",
    "control-plane.bootstrap-token",
    "control-plane.addons",
    "control-plane.token",
    "control-plane.no-token",
];
