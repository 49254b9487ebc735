//! Site + facts + release + content + credentials → plan: what has to be done on each host, and nothing left to choose.

mod calico;
mod calico_etcd;
mod containerd;
mod document;
mod kubeadm;
mod kubelet;
mod lower;
mod op;
mod part;
mod phase;
mod service_network;
mod step;

use std::collections::BTreeMap;

pub use calico_etcd::{POD as CALICO_ETCD_POD, reading as calico_etcd_reading};
pub use kubeadm::{InitPhase, JoinPhase};
pub(crate) use lower::BLOB_QUESTION;
pub use lower::{HOME, Lowered, SECRETS, Undo, lower};
pub use op::{
    FileContent, FileOp, HelmOp, Op, Program, ProgramOwner, Require, SecretName, StoreBlob, Unit, Wait,
};
pub use part::HostPart;
pub use phase::image_names;
pub use step::{Phase, Step, StepId};

use crate::content::{Digest, Manifest};
use crate::credentials::Credentials;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::release::Release;
use crate::site::{Role, Site};
use part::PartBuilder;

/// Everything that a plan is made from. The same inputs give the same plan.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What should be.
    pub site: &'a Site,
    /// What the hosts are.
    pub facts: &'a Facts,
    /// The versions that go together.
    pub release: &'a Release,
    /// The keys and the token.
    pub credentials: &'a Credentials,
    /// What the bundle holds.
    pub content: &'a Manifest,
    /// The text of the bundle's Calico manifest for this site's datastore.
    pub calico_manifest: &'a str,
    /// The charts of the site's Helm releases, by release name: digest and length in bytes.
    pub charts: &'a BTreeMap<String, (Digest, u64)>,
}

/// What has to be done on every host of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The site's name.
    pub site: String,
    /// The site's random id, which its credentials carry.
    pub site_id: String,
    /// The release.
    pub release: String,
    /// The hosts' parts. Each is complete by itself.
    pub hosts: Vec<HostPart>,
    /// Standing warnings: what upstream has not tested together, what the site accepted.
    pub warnings: Vec<String>,
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
    for host in inputs.site.present_hosts() {
        let Some(facts) = inputs.facts.host(host.name().as_str()) else {
            problems.push(Diagnostic::error(
                "IEC3001",
                format!("there are no facts about host {}", host.name()),
            ));
            continue;
        };
        let mut part = match PartBuilder::new(inputs, host, facts) {
            Ok(part) => part,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        };
        phase::admission(&mut part);
        phase::content(&mut part);
        phase::system(&mut part);
        phase::runtime(&mut part);
        phase::kubernetes(&mut part);
        match host.role() {
            Role::ControlPlane => {
                phase::control_plane(&mut part);
                phase::network(&mut part);
            }
            Role::Worker => phase::join(&mut part),
        }
        phase::node(&mut part);
        if host.role() == Role::ControlPlane {
            phase::helm(&mut part);
        }
        phase::finish(&mut part);
        match part.build() {
            Ok(part) => hosts.push(part),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Plan {
        site: inputs.site.name().as_str().to_owned(),
        site_id: inputs.credentials.site_id.clone(),
        release: inputs.release.name.clone(),
        hosts,
        warnings: inputs
            .release
            .untested()
            .map(|pair| {
                format!(
                    "{} are not tested together upstream: {}",
                    pair.parts.join(" and "),
                    pair.reason
                )
            })
            .chain(
                inputs
                    .site
                    .accept()
                    .iter()
                    .map(|accepted| format!("the site accepts {accepted}")),
            )
            .collect(),
    })
}
