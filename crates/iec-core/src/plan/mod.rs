//! Site + facts + release + content + credentials → plan: what has to be done on each host, and nothing left to choose.

mod addons;
mod calico;
mod calico_etcd;
mod containerd;
pub mod document;
pub(crate) mod fixed;
pub mod kubeadm;
mod kubelet;
mod lower;
pub(crate) mod marks;
mod op;
mod part;
mod phase;
mod recovery;
mod role;
mod service_network;
mod static_pod;
mod step;
pub(crate) mod sysctls;
mod virtual_address;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use addons::{Addons, corefile};
pub use calico::felix as felix_settings;
pub(crate) use calico_etcd::peer as calico_etcd_peer;
pub use calico_etcd::{POD as CALICO_ETCD_POD, etcdctl as calico_etcdctl, reading as calico_etcd_reading};
pub use fixed::KEYS as FIXED_KEYS;
pub use kubeadm::{InitPhase, JoinPhase};
pub use lower::Store as EtcdStore;
pub use lower::{After, ETCD_SET_ASIDE, HOME, Lowered, SECRETS, Shown, Undo, lower};
pub(crate) use lower::{BLOB_QUESTION, Store, delete_node, drain_node, etcd_says, remove_member};
pub use op::{
    CalicoEtcdMember, CalicoEtcdStart, CalicoSettings, FileContent, FileOp, HelmOp, LeavingMember, Op,
    Program, ProgramOwner, RecoveryStep, ReleaseMark, Require, SecretName, SeedOp, StoreBlob, Unit,
    VirtualAddressOp, Wait,
};
pub use part::{HostPart, journal_script};
pub use phase::image_names;
pub(crate) use phase::{CLUSTER_CA_FILE, own_server};
pub use recovery::recovery_parts;
pub use role::{PlanRole, first_control_plane, is_done_once};
pub use static_pod::{Among, Component, ETCDCTL, EtcdStart, StaticPod};
pub(crate) use static_pod::{ETCD_MEMBER, FORCED_ETCD, etcd_peer};
pub use step::{Phase, Step, StepId};
pub use virtual_address::POD as VIRTUAL_ADDRESS_POD;

use crate::content::{Digest, Manifest};
use crate::credentials::Credentials;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::name::HostName;
use crate::release::Release;
use crate::seed::Seed;
use crate::site::{ReleaseId, Site, SiteHost};
use part::PartBuilder;

/// Everything that a plan is made from. The same inputs give the same plan.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What should be.
    pub site: &'a Site,
    /// What the hosts are.
    pub facts: &'a Facts,
    /// Hosts that did not answer: the plan is without them.
    pub silent: &'a BTreeSet<HostName>,
    /// The versions that go together.
    pub release: &'a Release,
    /// The keys and the token.
    pub credentials: &'a Credentials,
    /// What the bundle holds.
    pub content: &'a Manifest,
    /// The text of the bundle's Calico manifest for this site's datastore; nothing where no bundle is at hand, and the plan is
    /// only described.
    pub calico_manifest: Option<&'a str>,
    /// Seeds of hosts whose images were unpacked elsewhere.
    pub seeds: &'a BTreeMap<HostName, Seed>,
    /// The charts of the site's Helm releases: digest and length in bytes.
    pub charts: &'a BTreeMap<ReleaseId, (Digest, u64)>,
    /// How long a bootstrap token lives that this run makes. It is no part of what a host is compared with.
    pub token_life: Duration,
}

/// How long a bootstrap token lives, where nobody says otherwise.
pub const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What has to be done on every host of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The site's name.
    pub site: String,
    /// The site's random id, which its credentials carry.
    pub site_id: String,
    /// The release.
    pub release: String,
    /// The public part of the bootstrap token by which hosts join.
    pub token_id: String,
    /// The hosts' parts. Each is complete by itself.
    pub hosts: Vec<HostPart>,
    /// What is left to do when every host has joined, on the first control plane. A run that sees all hosts does it;
    /// a script that sees one host leaves it to time: the token ends by itself.
    pub after_joins: Option<HostPart>,
    /// Hosts that the site declares absent and that can be reached: they become bare when their nodes are gone.
    pub leaving: Vec<HostName>,
    /// Standing warnings: what upstream has not tested together, what is owed.
    pub warnings: Vec<String>,
    /// What lowers the support of the site, and its file accepts.
    pub accepted: Vec<String>,
}

impl Plan {
    /// The part of this host.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostPart> {
        self.hosts.iter().find(|part| part.host.as_str() == name)
    }

    /// Every step, host by host, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.hosts.iter().flat_map(|part| &part.steps)
    }
}

/// Makes the plan: for each host its phases, in order.
///
/// # Errors
/// When the facts, the release or the content do not allow this site; all reasons at once.
pub fn plan(inputs: &Inputs<'_>) -> Result<Plan, Diagnostics> {
    let mut problems = Diagnostics::default();
    let mut hosts = Vec::new();
    let mut after_joins = None;
    let answers = |host: &&SiteHost| !inputs.silent.contains(host.name());
    for host in inputs.site.present_hosts().filter(answers) {
        match host_part(inputs, host) {
            Ok((part, after)) => {
                hosts.push(part);
                after_joins = after_joins.or(after);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (foreign, leaving): (Vec<_>, Vec<_>) = inputs
        .site
        .absent_hosts()
        .filter(|host| !host.unreachable())
        .filter(answers)
        .partition(|host| is_of_another_site(inputs, host));
    let warnings = untested(inputs)
        .chain(
            inputs
                .site
                .absent_hosts()
                .filter(|host| host.unreachable())
                .map(owed),
        )
        .chain(foreign.into_iter().map(left_alone));
    Ok(Plan {
        site: inputs.site.name().as_str().to_owned(),
        site_id: inputs.credentials.site_id.clone(),
        release: inputs.release.name.clone(),
        token_id: inputs.credentials.token_id.clone(),
        hosts,
        after_joins,
        leaving: leaving.into_iter().map(|host| host.name().clone()).collect(),
        warnings: warnings.collect(),
        accepted: accepted(inputs).collect(),
    })
}

/// The part of one host, and what is left to do there when every host has joined.
fn host_part(inputs: &Inputs<'_>, host: &SiteHost) -> Result<(HostPart, Option<HostPart>), Diagnostics> {
    let one = |problem: Diagnostic| {
        let mut problems = Diagnostics::default();
        problems.push(problem);
        problems
    };
    let Some(facts) = inputs.facts.host(host.name().as_str()) else {
        let cause = format!("there are no facts about host {}", host.name());
        let problem = Diagnostic::error("IEC3001", cause).at(host.place());
        return Err(one(
            problem.hint("ask the hosts again with `iec check --probe --facts-out FILE`")
        ));
    };
    let builder = || PartBuilder::new(inputs, host, facts).map_err(|problem| one(*problem));
    let mut part = builder()?;
    phase::admission(&mut part);
    phase::content(&mut part);
    phase::system(&mut part);
    phase::runtime(&mut part);
    phase::kubernetes(&mut part);
    match part.role {
        PlanRole::FirstControlPlane => {
            phase::control_plane(&mut part);
            phase::network(&mut part);
        }
        PlanRole::ControlPlane => {
            phase::control_plane(&mut part);
            phase::calico_etcd(&mut part);
        }
        PlanRole::Worker => phase::join(&mut part),
    }
    phase::network_of_host(&mut part);
    phase::node(&mut part);
    let is_first = part.role == PlanRole::FirstControlPlane;
    if is_first {
        phase::other_nodes(&mut part);
    }
    if part.role != PlanRole::Worker {
        phase::spread_dns(&mut part);
    }
    if is_first {
        phase::helm(&mut part);
    }
    phase::finish(&mut part);
    let part = part.build()?;
    if !is_first {
        return Ok((part, None));
    }
    let mut after = builder()?;
    phase::after_joins(&mut after);
    Ok((part, after.build_rest()))
}

/// Standing warnings about versions that upstream has not tested together.
fn untested(inputs: &Inputs<'_>) -> impl Iterator<Item = String> {
    inputs.release.untested().map(|pair| {
        format!(
            "{} are not tested together upstream: {}",
            pair.parts.join(" and "),
            pair.reason
        )
    })
}

/// What the site has accepted by name.
fn accepted(inputs: &Inputs<'_>) -> impl Iterator<Item = String> {
    let accepted = inputs.site.accept().iter();
    accepted.map(|accepted| format!("the site accepts {accepted}"))
}

/// An absent host that was given up: what IEC did there is still there.
fn owed(host: &SiteHost) -> String {
    format!(
        "{} is out of the cluster, but its reset is owed: take `unreachable` off when it can be reached, and apply",
        host.name()
    )
}

/// An absent host that somebody has given to another site since.
fn left_alone(host: &SiteHost) -> String {
    format!(
        "{} belongs to another site by now and is left alone: remove it from the site file",
        host.name()
    )
}

fn is_of_another_site(inputs: &Inputs<'_>, host: &SiteHost) -> bool {
    let Some(facts) = inputs.facts.host(host.name().as_str()) else {
        return false;
    };
    let previous = &facts.previous;
    let differs = |found: &Option<String>, ours: &str| found.as_deref().is_some_and(|found| found != ours);
    differs(&previous.site, inputs.site.name().as_str())
        || differs(&previous.site_id, &inputs.credentials.site_id)
}
