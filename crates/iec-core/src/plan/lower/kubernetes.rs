//! What is asked of the cluster: objects, labels, taints, tokens, waiting.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{
    ask_cluster, ask_cluster_of_node, kubectl_admin, kubectl_admin_within, kubectl_node, question, run, test,
};
use super::etcd_member::{Store, has_no_member, remove_member};
use super::folders::{note_folders, remove_empty_folders, was_absent};
use super::last_words::KUBELET;
use super::{Lowered, SECRETS, Undo, turn};
use crate::plan::op::{LeavingMember, SecretName, Wait};

/// Seconds that a kubelet may take to make its node: a slow board needs most of a minute.
const REGISTRATION_SECONDS: u32 = 180;

pub(super) fn label(node: &str, key: &str, value: &str) -> Lowered {
    let path = format!("jsonpath={{.metadata.labels.{}}}", key.replace('.', "\\."));
    let now = kubectl_node()
        .words(["get", "node", node, "-o", &path])
        .quiet_errors();
    Lowered {
        check: vec![question(
            format!("the node has the label {key}={value}"),
            ask_cluster_of_node(Expr::from(now).prints(value)),
        )],
        keep: vec![],
        apply: vec![
            // A kubelet that has just joined makes its node a moment later.
            Expr::Poll {
                question: Box::new(kubectl_node().words(["get", "node", node]).quiet().into()),
                every_seconds: 1,
                deadline_seconds: REGISTRATION_SECONDS,
                units: vec![KUBELET.into()],
                slowness: 1,
            },
            kubectl_node()
                .words(["label", "--overwrite", "node", node, &format!("{key}={value}")])
                .into(),
        ],
        undo: Undo::Commands(vec![
            kubectl_node()
                .words(["label", "node", node, &format!("{key}-")])
                .into(),
        ]),
        shows: vec![],
        sensitive: false,
    }
}

/// Prints a line for each node: its name, and its taints as `key=value:effect`. The line `.` ends a whole answer, so that
/// a cluster that does not answer is never taken for one without the node.
fn taints() -> Cmd {
    kubectl_admin().words([
        "get",
        "nodes",
        "-o",
        "jsonpath={range .items[*]}{.metadata.name}{range .spec.taints[*]} {.key}={.value}:{.effect}{end}{\"\\n\"}{end}.",
    ])
}

pub(super) fn taint(node: &str, key: &str, value: &str, effect: &str) -> Lowered {
    // A node that has not joined yet is no work: it joins with its taints.
    let has = format!(
        "$1 == \"{node}\" {{ lacks = 1; for (f = 2; f <= NF; f++) if ($f == \"{key}={value}:{effect}\") lacks = 0 }}\n\
         $1 == \".\" {{ whole = 1 }}\nEND {{ exit lacks || !whole }}"
    );
    let some = format!(
        "$1 == \"{node}\" {{ for (f = 2; f <= NF; f++) if (index($f, \"{key}=\") == 1 && $f ~ /:{effect}$/) has = 1 }}\n\
         END {{ exit !has }}"
    );
    let awk = |program: &str| Cmd::new(Program::Awk).word(program);
    let change = |words: &[&str]| -> Expr {
        kubectl_admin()
            .words(["taint", "--overwrite", "node", node])
            .words(words.iter().copied())
            .into()
    };
    Lowered {
        check: vec![question(
            format!("{node} has the taint {key}={value}:{effect}, if it has joined"),
            ask_cluster(Expr::Pipe(vec![taints(), awk(&has)])),
        )],
        keep: vec![],
        apply: vec![change(&[&format!("{key}={value}:{effect}")])],
        undo: Undo::Commands(vec![Expr::If {
            condition: Box::new(Expr::Pipe(vec![taints(), awk(&some)])),
            then: vec![change(&[&format!("{key}:{effect}-")])],
            otherwise: vec![answers()],
        }]),
        shows: vec![],
        sensitive: false,
    }
}

/// The API server answers.
fn answers() -> Expr {
    kubectl_admin().words(["get", "--raw", "/readyz"]).quiet().into()
}

/// The API server answers without much ado.
fn answers_soon() -> Expr {
    let ready = kubectl_admin_within("5s").words(["get", "--raw", "/readyz"]);
    ready.quiet().into()
}

/// Whether the cluster has no object of this name; without a cluster it has none.
fn has_none(kind: &[&str], name: &str) -> Expr {
    let selector = format!("metadata.name={name}");
    let list = kubectl_admin()
        .word("get")
        .words(kind.iter().copied())
        .words(["--field-selector", &selector])
        .words(["-o", "jsonpath={range .items[*]}[{.metadata.name}]{end}."]);
    let is_there = format!("[{name}]");
    Expr::any([
        test(["-e", "/etc/kubernetes/admin.conf"]).not(),
        ask_cluster(Expr::Pipe(vec![
            list,
            // No answer is an empty one, in which there is no line without the name either.
            Cmd::new(Program::Grep).words(["-qvF", &is_there]),
        ])),
    ])
}

/// Seconds that the pods of a node may take to end elsewhere, where the site stays.
const DRAIN_SECONDS: u32 = 300;

pub(super) fn leave(node: &str, reachable: bool, member: Option<&LeavingMember>) -> Lowered {
    let mut apply = Vec::new();
    if reachable {
        apply.push(drain_node(node, DRAIN_SECONDS).into());
    }
    // Before the host goes: a voter that is gone still counts, and fewer could be lost after it.
    if let Some(LeavingMember {
        first,
        peer,
        calico_peer,
    }) = member
    {
        if let Some(peer) = calico_peer {
            apply.extend(remove_member(Store::Calico, first, peer));
        }
        apply.extend(remove_member(Store::Cluster, first, peer));
        apply.push(turn::give_back(node));
    }
    apply.push(delete_node(node).into());
    // Nobody says any more that a pod there has ended. The cluster would count them for a minute (the quarantine of
    // its pod garbage collector), and what counts pods, such as a DaemonSet, with it.
    apply.push(forget_pods(node).into());
    let mut check = vec![question(
        format!("the cluster has no node {node}"),
        has_none(&["nodes"], node),
    )];
    if let Some(LeavingMember {
        first,
        peer,
        calico_peer,
    }) = member
    {
        check.push(question(
            format!("etcd has no member of {node}"),
            ask_cluster(has_no_member(Store::Cluster, first, peer)),
        ));
        check.extend(calico_peer.iter().map(|peer| {
            question(
                format!("Calico's etcd has no member of {node}"),
                ask_cluster(has_no_member(Store::Calico, first, peer)),
            )
        }));
    }
    Lowered {
        check,
        keep: vec![],
        apply,
        undo: Undo::Irreversible("a host that has left joins again when the site asks for it"),
        shows: vec![],
        sensitive: false,
    }
}

/// Whether it takes no more pods, or is gone. The line `.` ends a whole answer.
const IS_CLOSED: &str = r#"$0 == "." { whole = 1; next }
$0 != "true" { open = 1 }
END { exit open || !whole }
"#;

/// Whether no pod is left that goes elsewhere. The kind of each one's owner, a line for each pod; the line `.` ends a whole
/// answer.
const ALL_ARE_ITS_OWN: &str = r#"$0 == "." { whole = 1; next }
$0 != "DaemonSet" && $0 != "Node" { others = 1 }
END { exit others || !whole }
"#;

pub(super) fn drain(node: &str) -> Lowered {
    let awk = |program: &str| Cmd::new(Program::Awk).word(program);
    let closed = kubectl_admin()
        .words(["get", "nodes"])
        .words(["--field-selector", &format!("metadata.name={node}")])
        .words([
            "-o",
            "jsonpath={range .items[*]}{.spec.unschedulable}{\"\\n\"}{end}.",
        ]);
    let owners = kubectl_admin()
        .words(["get", "pods", "--all-namespaces"])
        .words(["--field-selector", &format!("spec.nodeName={node}")])
        .words([
            "-o",
            "jsonpath={range .items[*]}{.metadata.ownerReferences[0].kind}{\"\\n\"}{end}.",
        ]);
    Lowered {
        check: vec![
            question(
                format!("node {node} takes no more pods"),
                ask_cluster(Expr::Pipe(vec![closed, awk(IS_CLOSED)])),
            ),
            question(
                format!("no pod of node {node} is left that goes elsewhere"),
                ask_cluster(Expr::Pipe(vec![owners, awk(ALL_ARE_ITS_OWN)])),
            ),
        ],
        keep: vec![],
        apply: vec![drain_node(node, DRAIN_SECONDS).into()],
        undo: Undo::Irreversible("the node leaves; one that joins again takes pods"),
        shows: vec![],
        sensitive: false,
    }
}

/// `kubectl` whose requests may take as long as what they wait for.
fn kubectl_waiting() -> Cmd {
    Cmd::new(Program::Kubectl).words(["--kubeconfig", "/etc/kubernetes/admin.conf"])
}

/// Closes a node and sends its pods away.
pub(crate) fn drain_node(node: &str, seconds: u32) -> Cmd {
    kubectl_waiting()
        .words(["drain", node, "--ignore-daemonsets", "--delete-emptydir-data"])
        .words(["--force", &format!("--timeout={seconds}s")])
}

/// Lets the cluster forget a node.
pub(crate) fn delete_node(node: &str) -> Cmd {
    kubectl_waiting().words(["delete", "node", node, "--ignore-not-found", "--timeout=30s"])
}

/// Lets the cluster forget the pods of a node that it has forgotten.
fn forget_pods(node: &str) -> Cmd {
    kubectl_waiting()
        .words([
            "delete",
            "pods",
            "--all-namespaces",
            "--force",
            "--grace-period=0",
        ])
        .words(["--field-selector", &format!("spec.nodeName={node}")])
}

pub(super) fn schedulable(node: &str) -> Lowered {
    let taint = "node-role.kubernetes.io/control-plane";
    // The line `.` ends a whole answer: none is not one without taints.
    let keys = kubectl_admin().words([
        "get",
        "node",
        node,
        "-o",
        "jsonpath={range .spec.taints[*]}{.key}{\"\\n\"}{end}.",
    ]);
    let has_none =
        format!("$0 == \"{taint}\" {{ has = 1 }}\n$0 == \".\" {{ whole = 1 }}\nEND {{ exit has || !whole }}");
    Lowered {
        check: vec![question(
            format!("{node} has no control-plane taint"),
            ask_cluster(Expr::Pipe(vec![keys, Cmd::new(Program::Awk).word(has_none)])),
        )],
        keep: vec![],
        apply: vec![
            kubectl_admin()
                .words(["taint", "node", node, &format!("{taint}-")])
                .into(),
        ],
        undo: Undo::Commands(vec![Expr::all([
            // The etcd of a control plane that has left the cluster is gone: its API server would be waited for in vain.
            answers_soon(),
            kubectl_admin()
                .words([
                    "taint",
                    "--overwrite",
                    "node",
                    node,
                    &format!("{taint}:NoSchedule"),
                ])
                .into(),
        ])]),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn token(id: &str, remaining_seconds: u64) -> Lowered {
    let secret = format!("secret/bootstrap-token-{id}");
    let config = format!("{SECRETS}/{}", SecretName::InitConfiguration.file_name());
    let until = kubectl_admin()
        .words(["get", "-n", "kube-system", &secret])
        .words(["-o", "jsonpath={.data.expiration}"]);
    // Both moments in one form, side by side: their order is that of their texts.
    let moments = Cmd::new(Program::Xargs)
        .words([
            "-I{}",
            "date",
            "-u",
            "-d",
            &format!("{remaining_seconds} seconds"),
        ])
        .word("+%Y-%m-%dT%H:%M:%SZ {}");
    let later = Cmd::new(Program::Awk).word("$1 < $2 { alive = 1 } END { exit !alive }");
    let alive = Expr::Pipe(vec![until, Cmd::new(Program::Base64).word("-d"), moments, later]);
    Lowered {
        check: vec![question(
            "the cluster knows the bootstrap token of this run, for long enough",
            ask_cluster(alive),
        )],
        keep: vec![],
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

pub(super) fn no_token(id: &str) -> Lowered {
    let secret = format!("bootstrap-token-{id}");
    Lowered {
        check: vec![question(
            "the cluster knows no bootstrap token of this site",
            has_none(&["secrets", "-n", "kube-system"], &secret),
        )],
        keep: vec![],
        apply: vec![
            kubectl_admin()
                .words([
                    "delete",
                    "-n",
                    "kube-system",
                    "secret",
                    &secret,
                    "--ignore-not-found",
                ])
                .into(),
        ],
        undo: Undo::Irreversible("a run in which a host has to join makes a token"),
        shows: vec![],
        sensitive: true,
    }
}

/// The digests of the kubeconfig files that IEC has written for users, a line each: by these it knows its own.
const OWN_KUBECONFIGS: &str = "/var/lib/iec/kubeconfigs";

/// A user's file that IEC did not write, or that was edited since, is the user's own: it is neither replaced nor removed.
pub(super) fn user_kubeconfig(id: &str, user: &str, home: &str) -> Lowered {
    let source = "/etc/kubernetes/admin.conf";
    let folder = format!("{}/.kube", home.trim_end_matches('/'));
    let path = format!("{folder}/config");
    let new = format!("{path}.iec-new");
    let digest = |path: &str| Cmd::new(Program::Sha256sum).stdin_file(path);
    let own = || {
        let known = Cmd::new(Program::Grep).words(["-qsxF", "-f", OWN_KUBECONFIGS]);
        let ask = Expr::Pipe(vec![digest(&path), known]);
        Expr::FailsWith(Box::new(ask), 1)
    };
    let there = Expr::any([test(["-e", &path]), test(["-L", &path])]);
    // A pipe or a device is the user's own too, and would be waited for.
    let foreign = Expr::all([there, Expr::any([test(["-f", &path]).not(), own().not()])]);
    let owner = Cmd::new(Program::Stat).words(["-c", "%a %U", &path]);
    let same = Expr::all([
        test(["-f", &path]),
        run(Program::Cmp, ["-s", source, &path]),
        Expr::from(owner).prints(format!("600 {user}")),
    ]);
    let check = vec![question(
        format!("{path} is the administrator's kubeconfig and {user}'s alone, or another"),
        // Where one of the two files is not there, cmp says 2.
        Expr::any([foreign, Expr::FailsWith(Box::new(same), 1)]),
    )];

    let mut apply = vec![Expr::If {
        condition: Box::new(test(["-d", &folder])),
        then: vec![],
        otherwise: vec![run(Program::Install, ["-d", "-m", "0700", "-o", user, &folder])],
    }];
    // Known as IEC's own before it is there: a power cut must not make it the user's.
    apply.push(Expr::Pipe(vec![
        digest(source),
        Cmd::new(Program::Tee).words(["-a", OWN_KUBECONFIGS]),
    ]));
    apply.push(run(Program::Install, ["-m", "0600", "-o", user, source, &new]));
    apply.push(run(Program::Mv, ["-fT", &new, &path]));

    let remove = vec![
        run(Program::Rm, ["-f", &path]),
        Expr::If {
            condition: Box::new(was_absent(id, 0)),
            then: vec![run(Program::Rm, ["-rf", &format!("{folder}/cache")])],
            otherwise: vec![],
        },
    ];
    let mut undo = vec![
        run(Program::Rm, ["-f", &new]),
        Expr::If {
            condition: Box::new(Expr::all([test(["-f", &path]), own()])),
            then: remove,
            otherwise: vec![],
        },
    ];
    undo.extend(remove_empty_folders(id, &[&folder]));
    Lowered {
        check,
        keep: note_folders(id, &[&folder]),
        apply,
        undo: Undo::Commands(undo),
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
        keep: vec![],
        apply: vec![Expr::Poll {
            question: Box::new(ask),
            every_seconds: wait.every_seconds,
            deadline_seconds: wait.deadline_seconds,
            units: wait.units.iter().map(|unit| unit.as_str().into()).collect(),
            slowness: 1,
        }],
        undo: Undo::Nothing,
        shows: vec![],
        sensitive: false,
    }
}
