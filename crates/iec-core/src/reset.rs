//! From a running site back to bare hosts: which host does what, in which order, by its journal.

use std::collections::BTreeMap;

use iec_sh::{Cmd, Expr, Program, UndoScript};

use crate::journal::Journal;
use crate::plan::{HOME, StepId};
use crate::site::{Role, Site};

/// Something that one host does in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The host.
    pub host: String,
    /// What it does, for people.
    pub title: String,
    /// The steps, in order, each with the shell text that does it.
    pub steps: Vec<(StepId, String)>,
    /// Whether the host is bare afterwards.
    pub last: bool,
}

impl Stage {
    /// The stage's script. `owner` is written into the host's lock; `run` names this run.
    #[must_use]
    pub fn script(&self, owner: &str, run: &str) -> String {
        let steps: Vec<(String, String)> = self
            .steps
            .iter()
            .map(|(id, text)| (id.as_str().to_owned(), text.clone()))
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

    let is_release = |id: &StepId| id.as_str().starts_with("helm.") && id.as_str() != "helm.program";
    if let Some(host) = &control_plane {
        let steps: Vec<_> = undo(host).into_iter().filter(|(id, _)| is_release(id)).collect();
        if !steps.is_empty() {
            stages.push(Stage {
                host: host.clone(),
                title: "Uninstall Helm releases".to_owned(),
                steps,
                last: false,
            });
        }
    }
    for role in [Role::Worker, Role::ControlPlane] {
        for host in site.hosts().iter().filter(|host| host.role() == role) {
            let name = host.name().as_str();
            let steps: Vec<_> = undo(name)
                .into_iter()
                .filter(|(id, _)| control_plane.as_deref() != Some(name) || !is_release(id))
                .collect();
            if steps.is_empty() {
                continue;
            }
            if let (Role::Worker, Some(control_plane)) = (role, &control_plane) {
                stages.push(leave(control_plane, name));
            }
            stages.push(Stage {
                host: name.to_owned(),
                title: format!("Make {name} bare"),
                steps,
                last: true,
            });
        }
    }
    stages
}

/// A worker leaves the cluster: its pods go elsewhere or end, then the cluster forgets the node.
fn leave(control_plane: &str, node: &str) -> Stage {
    let kubectl = || Cmd::new(Program::Kubectl).words(["--kubeconfig", "/etc/kubernetes/admin.conf"]);
    let drain = Expr::from(kubectl().words([
        "drain",
        node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        "--timeout=30s",
    ]));
    let delete = Expr::from(kubectl().words(["delete", "node", node, "--ignore-not-found", "--timeout=30s"]));
    let step = |name: &str, command: Expr| {
        // The site is given up: a cluster that does not answer any more must not keep its hosts from being freed.
        (
            StepId::from_record(&format!("reset.{name}")),
            command.ignore_failure().statement(" || return") + "\n",
        )
    };
    Stage {
        host: control_plane.to_owned(),
        title: format!("Take {node} out of the cluster"),
        steps: vec![
            step(&format!("drain-{node}"), drain),
            step(&format!("delete-{node}"), delete),
        ],
        last: false,
    }
}
