//! The plan by which a cluster starts again from one member of etcd, after the majority of its members was lost.

use crate::facts::Facts;
use crate::name::HostName;
use crate::pace::Pace;
use crate::plan::op::{Op, RecoveryStep};
use crate::plan::phase::{api_server, own_server};
use crate::plan::{HostPart, Phase, Step, StepId};
use crate::recovery::Recovery;
use crate::site::{Role, Site, SiteHost};

/// What hosts do, in the order of the parts: first the data of the others is set aside, so that no two clusters come of it,
/// then the survivor's etcd starts alone.
///
/// They need nothing of the bundle and no credentials.
#[must_use]
pub fn recovery_parts(site: &Site, facts: &Facts, recovery: &Recovery) -> Vec<HostPart> {
    let host = |name: &HostName| site.control_planes().find(|host| host.name() == name);
    let others = recovery.others.iter().filter_map(host);
    let mut parts: Vec<HostPart> = others
        .map(|host| {
            let mut part = Part::new(host, facts);
            part.step(
                "recovery-set-aside",
                "Stop the control plane and set its etcd's data aside",
                "Another member knows as much or more; two that start from their own data would be two clusters.",
                20,
                Op::Recovery(RecoveryStep::SetAside),
            );
            part.build()
        })
        .collect();
    parts.extend(host(&recovery.survivor).map(|host| {
        let mut part = Part::new(host, facts);
        part.step(
            "recovery-start-alone",
            "Start etcd as the only member, from its own data",
            "The majority that it waits for does not come back.",
            60,
            Op::Recovery(RecoveryStep::StartAlone),
        );
        part.step(
            "recovery-wait",
            "Wait for the API server",
            "What follows is asked of it.",
            20,
            Op::Wait(api_server(Some(&own_server(site, host)))),
        );
        part.step(
            "recovery-no-turn",
            "Take the turn to change a control plane from whoever had it",
            "A host that was lost does not give it back.",
            1,
            Op::Recovery(RecoveryStep::NoTurn),
        );
        part.build()
    }));
    parts
}

/// The part of one host.
struct Part<'a> {
    host: &'a SiteHost,
    pace: Pace,
    steps: Vec<Step>,
}

impl<'a> Part<'a> {
    fn new(host: &'a SiteHost, facts: &Facts) -> Self {
        let known = facts.host(host.name().as_str());
        Self {
            host,
            pace: known.map_or(Pace::ORDINARY, Pace::of),
            steps: Vec::new(),
        }
    }

    fn step(&mut self, name: &str, title: &str, why: &str, seconds: u32, op: Op) {
        self.steps.push(Step {
            id: StepId::new(Phase::ControlPlane, name),
            phase: Phase::ControlPlane,
            host: self.host.name().clone(),
            title: title.to_owned(),
            why: why.to_owned(),
            op,
            pace: self.pace,
            estimate_seconds: self.pace.estimate(seconds),
        });
    }

    fn build(self) -> HostPart {
        HostPart {
            host: self.host.name().clone(),
            role: Role::ControlPlane,
            steps: self.steps,
            blobs: Vec::new(),
            secrets: std::collections::BTreeMap::new(),
            assumed: Vec::new(),
            // What else is on the host stays as it is.
            whole: false,
        }
    }
}
