//! Calico's objects: its own manifest, and what the site sets in the kinds that it defines.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ask_cluster, kubectl_admin, question, test};
use super::objects::{differences, has_objects, server_side};
use super::{Lowered, Undo};
use crate::plan::calico::POOL;
use crate::plan::op::CalicoSettings;

/// The kinds of [`CalicoSettings`], as the API server names their definitions.
const DEFINITIONS: [&str; 2] = [
    "crd/ippools.crd.projectcalico.org",
    "crd/felixconfigurations.crd.projectcalico.org",
];

/// One question to the API server about all of them: each costs as much as ten files.
pub(super) fn objects(manifest: &str, settings: Option<&CalicoSettings>) -> Lowered {
    let files = files(manifest, settings);
    let mut apply: Vec<Expr> = vec![server_side("apply", [manifest]).into()];
    if let Some(settings) = settings {
        apply.push(defined().into());
        apply.push(keeps_blocks(settings.block_size));
        apply.push(server_side("apply", [settings.path.as_str()]).into());
    }
    Lowered {
        check: vec![question(
            format!(
                "the cluster has the objects of {} as they are there",
                files.join(" and ")
            ),
            // Before the kinds are defined the API server knows no such object: then all is to be done.
            ask_cluster(Expr::If {
                condition: Box::new(Expr::all(files.iter().map(|file| test(["-e", file])))),
                then: vec![has_objects(&[], &files)],
                otherwise: vec![Expr::Any(vec![])],
            }),
        )],
        keep: vec![],
        apply,
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

/// What prints how the cluster's objects differ from these.
pub(super) fn difference(manifest: &str, settings: Option<&CalicoSettings>) -> Expr {
    differences(&[], &files(manifest, settings))
}

fn files<'a>(manifest: &'a str, settings: Option<&'a CalicoSettings>) -> Vec<&'a str> {
    let settings = settings.map(|settings| settings.path.as_str());
    std::iter::once(manifest).chain(settings).collect()
}

/// Waits until the API server serves the kinds of the settings: it does a moment after it was given them.
fn defined() -> Cmd {
    kubectl_admin()
        .words(["wait", "--for=condition=Established", "--timeout=60s"])
        .words(DEFINITIONS)
}

/// Stops where a pool with blocks of another size runs: the addresses of its pods are in these.
fn keeps_blocks(block_size: u8) -> Expr {
    let running = kubectl_admin()
        .words(["get", "ippools.crd.projectcalico.org", POOL, "--ignore-not-found"])
        .words(["-o", "jsonpath={.spec.blockSize}"]);
    let same = format!(
        "$0 != \"\" && $0 != {block_size} {{ print \"the pool {POOL} runs with blocks of /\" $0 \", the site has /{block_size}\"; \
         wrong = 1 }} END {{ exit wrong }}"
    );
    Expr::Pipe(vec![running, Cmd::new(Program::Awk).word(same)])
}
