//! What is asked of the cluster: objects, labels, taints, tokens, waiting.

use std::collections::BTreeMap;

use iec_sh::{Cmd, Expr, Program};

use super::ask::{kubectl_admin, kubectl_node, question, run, test};
use super::undo::{keep, restore};
use super::{Lowered, SECRETS, Undo};
use crate::content::Digest;
use crate::plan::op::{SecretName, Wait};

/// The ConfigMap in kube-system that says which manifests IEC has applied, by digest.
const APPLIED: &str = "iec-applied";

pub(super) fn manifest(path: &str, digest: Digest, name: &str) -> Lowered {
    let key = format!("jsonpath={{.data.{name}}}");
    let known = kubectl_admin()
        .words(["get", "-n", "kube-system", "configmap", APPLIED, "-o", &key])
        .quiet_errors();
    let record = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {APPLIED}\n  namespace: kube-system\ndata:\n  {name}: \"{digest}\"\n"
    );
    Lowered {
        check: vec![question(
            format!("the cluster has the objects of {path}"),
            Expr::from(known).prints(digest.to_string()),
        )],
        apply: vec![
            kubectl_admin()
                .words([
                    "apply",
                    "--server-side",
                    "--force-conflicts",
                    "--field-manager=iec",
                    "-f",
                    path,
                ])
                .into(),
            kubectl_admin()
                .words([
                    "apply",
                    "--server-side",
                    "--force-conflicts",
                    &format!("--field-manager=iec-{name}"),
                    "-f",
                    "-",
                ])
                .stdin_text(record)
                .into(),
        ],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn labels(node: &str, labels: &BTreeMap<String, String>) -> Lowered {
    let selector: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut check = Vec::new();
    for (key, value) in labels {
        let path = format!("jsonpath={{.metadata.labels.{}}}", key.replace('.', "\\."));
        let now = kubectl_node()
            .words(["get", "node", node, "-o", &path])
            .quiet_errors();
        check.push(question(
            format!("the node has the label {key}={value}"),
            Expr::from(now).prints(value.as_str()),
        ));
    }
    Lowered {
        check,
        apply: vec![
            kubectl_node()
                .words(["label", "--overwrite", "node", node])
                .words(selector)
                .into(),
        ],
        undo: Undo::CoveredBy("join.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn schedulable(node: &str) -> Lowered {
    let taint = "node-role.kubernetes.io/control-plane";
    let keys = kubectl_admin().words(["get", "node", node, "-o", "jsonpath={.spec.taints[*].key}"]);
    Lowered {
        check: vec![question(
            format!("{node} has no control-plane taint"),
            Expr::Pipe(vec![keys, Cmd::new(Program::Grep).words(["-qF", taint])]).not(),
        )],
        apply: vec![
            kubectl_admin()
                .words(["taint", "node", node, &format!("{taint}-")])
                .into(),
        ],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn token(id: &str) -> Lowered {
    let secret = format!("secret/bootstrap-token-{id}");
    let config = format!("{SECRETS}/{}", SecretName::InitConfiguration.file_name());
    Lowered {
        check: vec![question(
            "the cluster knows the bootstrap token of this run",
            Expr::FailsWith(
                Box::new(
                    kubectl_admin()
                        .words(["get", "-n", "kube-system", &secret, "-o", "name"])
                        .into(),
                ),
                1,
            ),
        )],
        apply: vec![
            Cmd::new(Program::Kubeadm)
                .words([
                    "init",
                    "phase",
                    "bootstrap-token",
                    "--skip-token-print",
                    "--config",
                    &config,
                ])
                .into(),
        ],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: true,
    }
}

pub(super) fn user_kubeconfig(id: &str, user: &str, home: &str) -> Lowered {
    let source = "/etc/kubernetes/admin.conf";
    let folder = format!("{home}/.kube");
    let path = format!("{folder}/config");
    let new = format!("{path}.iec-new");
    let owner = Expr::from(
        Cmd::new(Program::Stat)
            .words(["-c", "%a %U", &path])
            .quiet_errors(),
    );
    let mut apply = vec![run(Program::Install, ["-d", "-m", "0700", "-o", user, &folder])];
    apply.extend(keep(id, 0, &path));
    apply.push(run(Program::Install, ["-m", "0600", "-o", user, source, &new]));
    apply.push(run(Program::Mv, ["-fT", &new, &path]));
    Lowered {
        check: vec![
            question(
                format!("{path} is the administrator's kubeconfig"),
                Expr::all([
                    test(["-f", &path]),
                    test(["-f", source]),
                    run(Program::Cmp, ["-s", source, &path]),
                ]),
            ),
            question(
                format!("{path} belongs to {user} alone"),
                owner.prints(format!("600 {user}")),
            ),
        ],
        apply,
        undo: Undo::Commands(vec![
            restore(id, 0, &path),
            run(Program::Rm, ["-rf", &format!("{folder}/cache")]),
            Expr::from(Cmd::new(Program::Rmdir).word(folder.as_str()).quiet()).ignore_failure(),
        ]),
        shows: vec![],
        sensitive: true,
    }
}

pub(super) fn wait(wait: &Wait) -> Lowered {
    let ask = match &wait.unless {
        Some(unless) => Expr::any([unless.clone(), wait.ask.clone()]),
        None => wait.ask.clone(),
    };
    Lowered {
        check: vec![question(
            wait.what.as_str(),
            Expr::FailsWith(Box::new(ask.clone()), 1),
        )],
        apply: vec![Expr::Poll {
            question: Box::new(ask),
            every_seconds: wait.every_seconds,
            deadline_seconds: wait.deadline_seconds,
        }],
        undo: Undo::Nothing,
        shows: vec![],
        sensitive: false,
    }
}
