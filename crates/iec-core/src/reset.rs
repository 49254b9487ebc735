//! From a running site back to bare hosts: which host does what, in which order, by its journal.

use std::collections::BTreeMap;

use iec_sh::{Expr, OnFailure, UndoScript, UndoStep};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{Facts, Unit};
use crate::journal::{Journal, Recorded};
use crate::observed::Observed;
use crate::plan::{
    HOME, Phase, StepId, Store, calico_etcd_peer, delete_node, drain_node, etcd_peer, remove_member,
};
use crate::site::{Role, Site, SiteHost};

/// Something that one host does in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The host.
    pub host: String,
    /// What it does, for people.
    pub title: String,
    /// The steps, in order.
    pub steps: Vec<Recorded>,
    /// Whether the host is bare afterwards.
    pub last: bool,
    /// Whether the cluster is given up: then what fails in it counts as taken back.
    pub gives_up: bool,
}

impl Stage {
    /// The stage's script. `owner` is written into the host's lock; `run` names this run.
    #[must_use]
    pub fn script(&self, owner: &str, run: &str) -> String {
        let steps: Vec<UndoStep> = self
            .steps
            .iter()
            .map(|recorded| UndoStep {
                id: recorded.step.to_string(),
                text: recorded.undo.clone(),
                on_failure: if self.gives_up {
                    on_failure(&recorded.step)
                } else {
                    OnFailure::Stop
                },
            })
            .collect();
        UndoScript {
            home: HOME,
            owner,
            run,
            steps: &steps,
            retire: self.last,
        }
        .text()
    }
}

/// Refuses hosts on which IEC's containerd holds containers that are not Kubernetes': they would be lost with it.
///
/// Absent hosts and those that were not asked are left alone.
#[must_use]
pub fn refuse(site: &Site, facts: &Facts) -> Diagnostics {
    let mut problems = Diagnostics::new();
    for host in site.hosts() {
        let name = host.name();
        let Some(software) = facts.host(name.as_str()).map(|known| &known.software) else {
            continue;
        };
        if software.containers.is_empty() {
            continue;
        }
        let problem = Diagnostic::error(
            "IEC1868",
            format!("containerd of {name} holds containers that are not the cluster's and would be lost"),
        )
        .at(host.place())
        .hint("move them elsewhere, or remove them: `ctr -n NAMESPACE tasks kill ID`, `ctr -n NAMESPACE containers rm ID`");
        problems.push(
            software
                .containers
                .iter()
                .fold(problem, |problem, container| problem.evidence(container.as_str())),
        );
    }
    problems
}

/// What shows that control planes still have the cluster, a line each: while there is something, its credentials are needed,
/// whatever a journal says.
#[must_use]
pub fn remains(site: &Site, facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    for host in site.control_planes() {
        let name = host.name();
        let Some(known) = facts.host(name.as_str()) else {
            continue;
        };
        let of_cluster = |file: &&String| {
            matches!(file.as_str(), "admin.conf" | "super-admin.conf" | "pki/ca.key")
                || file.starts_with("manifests/")
        };
        if let Some(file) = known.cluster.kubernetes_files.iter().find(of_cluster) {
            found.push(format!("{name}: /etc/kubernetes/{file} is there"));
        }
        if known.cluster.etcd_data {
            found.push(format!("{name}: /var/lib/etcd has data"));
        }
        if known
            .software
            .unit("kubelet.service")
            .is_some_and(Unit::is_active)
        {
            found.push(format!("{name}: the kubelet runs"));
        }
    }
    found
}

/// What is in the cluster goes with it: a cluster that does not answer any more must not keep its hosts from being freed.
fn on_failure(step: &StepId) -> OnFailure {
    let is_leaving = step.as_str().starts_with(LEAVING);
    match Phase::of(step) {
        _ if is_leaving => OnFailure::GoOn,
        Phase::Node | Phase::Helm if step.as_str() != HELM_PROGRAM => OnFailure::GoOn,
        Phase::ControlPlane if step.as_str() == SCHEDULABLE => OnFailure::GoOn,
        _ => OnFailure::Stop,
    }
}

/// What the ids of steps by which a host leaves begin with.
const LEAVING: &str = "reset.";
/// A taint of the control plane's node.
const SCHEDULABLE: &str = "control-plane.schedulable";
const HELM_PROGRAM: &str = "helm.program";

/// The stages in order: Helm releases, then each worker leaves the cluster and is taken back, then control planes.
///
/// A host whose journal is empty has nothing to take back and no stage.
#[must_use]
pub fn stages(site: &Site, journals: &BTreeMap<String, Journal>) -> Vec<Stage> {
    let mut stages = Vec::new();
    let undo = |host: &str| journals.get(host).map(Journal::undo).unwrap_or_default();
    let control_plane = site
        .hosts()
        .iter()
        .find(|host| host.role() == Role::ControlPlane && !undo(host.name().as_str()).is_empty())
        .map(|host| host.name().to_string());

    let is_release = |recorded: &Recorded| {
        Phase::of(&recorded.step) == Phase::Helm && recorded.step.as_str() != HELM_PROGRAM
    };
    if let Some(host) = &control_plane {
        let steps: Vec<_> = undo(host).into_iter().filter(is_release).collect();
        if !steps.is_empty() {
            stages.push(Stage {
                host: host.clone(),
                title: "Uninstall Helm releases".to_owned(),
                steps,
                last: false,
                gives_up: true,
            });
        }
    }
    for role in [Role::Worker, Role::ControlPlane] {
        let mut hosts: Vec<_> = site.hosts().iter().filter(|host| host.role() == role).collect();
        // The one that is asked to let the others go is the last.
        hosts.sort_by_key(|host| control_plane.as_deref() == Some(host.name().as_str()));
        for host in hosts {
            let name = host.name().as_str();
            let steps: Vec<_> = undo(name)
                .into_iter()
                .filter(|recorded| control_plane.as_deref() != Some(name) || !is_release(recorded))
                .collect();
            if steps.is_empty() {
                continue;
            }
            if let Some(control_plane) = control_plane.as_deref().filter(|first| *first != name) {
                stages.push(leave(site, control_plane, host));
            }
            stages.push(make_bare(name, steps));
        }
    }
    stages
}

/// The stages that remove what a transfer has left on hosts that no run has begun to change.
#[must_use]
pub fn transfers(site: &Site, journals: &BTreeMap<String, Journal>, facts: &Facts) -> Vec<Stage> {
    let is_left = |name: &str| {
        let bare = journals.get(name).is_none_or(|journal| journal.undo().is_empty());
        bare && facts.host(name).is_some_and(|known| {
            let previous = &known.previous;
            previous.transfer && previous.site.is_none() && !previous.journal
        })
    };
    let names = site.hosts().iter().map(|host| host.name().as_str());
    names
        .filter(|name| is_left(name))
        .map(|name| Stage {
            host: name.to_owned(),
            title: format!("Remove what a transfer has left on {name}"),
            steps: Vec::new(),
            last: true,
            gives_up: true,
        })
        .collect()
}

/// The last stage of a host: everything that its journal has, and then nothing of IEC is left but the journal.
fn make_bare(host: &str, steps: Vec<Recorded>) -> Stage {
    Stage {
        host: host.to_owned(),
        title: format!("Make {host} bare"),
        steps,
        last: true,
        gives_up: true,
    }
}

/// The stages that make hosts bare whose nodes have left a cluster that goes on.
#[must_use]
pub fn leaving(observed: &Observed) -> Vec<Stage> {
    observed
        .leaving
        .iter()
        .filter(|(_, recorded)| !recorded.is_empty())
        .map(|(host, recorded)| make_bare(host, recorded.clone()))
        .collect()
}

/// Seconds that the pods of a node may take to end: their cluster ends soon after.
const DRAIN_SECONDS: u32 = 30;

/// A host leaves the cluster: its pods go elsewhere or end, its etcd is no voter any more, then the cluster forgets the node.
pub(crate) fn leave(site: &Site, control_plane: &str, host: &SiteHost) -> Stage {
    let node = host.name().as_str();
    let step = |name: &str, title: String, command: Expr| Recorded {
        step: StepId::from_record(&format!("{LEAVING}{name}")),
        title: Some(title),
        undo: command.statement(" || return") + "\n",
    };
    let mut steps = vec![step(
        &format!("drain-{node}"),
        format!("Drain node {node}"),
        drain_node(node, DRAIN_SECONDS).into(),
    )];
    if host.role() == Role::ControlPlane {
        if site.network().has_calico_etcd() {
            steps.push(step(
                &format!("calico-etcd-{node}"),
                format!("Take {node} out of Calico's etcd"),
                Expr::all(remove_member(
                    Store::Calico,
                    control_plane,
                    &calico_etcd_peer(host),
                )),
            ));
        }
        steps.push(step(
            &format!("etcd-{node}"),
            format!("Take the etcd of {node} out"),
            Expr::all(remove_member(Store::Cluster, control_plane, &etcd_peer(host))),
        ));
    }
    steps.push(step(
        &format!("delete-{node}"),
        format!("Delete node {node}"),
        delete_node(node).into(),
    ));
    Stage {
        host: control_plane.to_owned(),
        title: format!("Take {node} out of the cluster"),
        steps,
        last: false,
        gives_up: true,
    }
}
