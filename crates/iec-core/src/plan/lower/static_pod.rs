//! Static pods of the control plane: kubeadm writes them, IEC knows what it had kubeadm write, and asks whether it runs.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{has_stamp, kubectl_admin, kubectl_of_host, question, run, stamp, test};
use super::etcd_member::{Store, remove_member};
use super::gate::Gate;
use super::last_words::{CONTAINERD, KUBELET};
use super::{After, HOME, Lowered, Shown, Undo, turn};
use crate::plan::kubeadm::{INIT_FILE, JOIN_FILE};
use crate::plan::static_pod::{Component, ETCD_MEMBER, EtcdStart, StaticPod};

/// Seconds in which a component that was changed must be at work: a slow board needs two minutes for the API server, others
/// a quarter of one.
const ACCEPTED_SECONDS: u32 = 180;

/// Compares the arguments in a static pod's file with what runs. The file's are those of its first container's `command`.
const RUNS: &str = r#"FILENAME != "-" {
  if ($0 ~ /^  - command:/) { taking = 1; next }
  if (taking && $0 ~ /^    - /) { line = substr($0, 7); gsub(/^["']|["']$/, "", line); wanted = wanted (wanted == "" ? "" : " ") line; next }
  taking = 0; next
}
{ sub(/^ +/, "") }
$0 == wanted { runs = 1 }
END { exit !(wanted != "" && runs) }
"#;

pub(super) fn static_pod(pod: &StaticPod) -> Lowered {
    let component = pod.component;
    let path = component.file();
    let kept = format!("{HOME}/set/{}.yaml", component.name());
    let made_from = format!("{HOME}/set/{}", component.name());
    let gate = gate(pod, &path);
    let check = vec![
        question(format!("{path} is written"), test(["-s", &path])),
        question(
            format!("{path} is made from the present configuration"),
            has_stamp(&made_from, pod.configuration),
        ),
        question(
            format!("{path} is as it was written last"),
            Expr::all([
                test(["-s", &path]),
                test(["-s", &kept]),
                run(Program::Cmp, ["-s", &path, &kept]),
            ]),
        ),
        question(
            format!("{} runs with the arguments of its file", component.name()),
            Expr::If {
                condition: Box::new(is_kubelet_active()),
                then: vec![test(["-s", &path]), runs(&path)],
                otherwise: vec![],
            },
        ),
        gate.question(),
    ];
    let mut apply = turn(pod, &path);
    apply.extend(gate.begin());
    apply.push(remove_empty(&path));
    apply.extend(write(pod, &made_from));
    apply.extend([
        // kubeadm does not wait for the disk; a power cut must not leave an empty file that looks like done.
        run(Program::Sync, [&path]),
    ]);
    apply.push(Expr::If {
        // Before the kubelet's first start there is nothing that could run it.
        condition: Box::new(is_kubelet_active()),
        then: gate.end(),
        otherwise: vec![],
    });
    apply.extend([
        run(Program::Mkdir, ["-p", &format!("{HOME}/set")]),
        run(Program::Cp, ["-a", &path, &kept]),
        stamp(&made_from, pod.configuration),
    ]);
    if let Some(among) = &pod.among {
        apply.push(Expr::If {
            condition: Box::new(is_kubelet_active()),
            then: vec![turn::give_back(&among.node)],
            otherwise: vec![],
        });
    }
    Lowered {
        check,
        keep: vec![],
        apply,
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![Shown {
            path,
            after: After::AsKept(kept),
        }],
        sensitive: false,
    }
}

/// Waits for this host's turn to stop a component that runs, where there are other control planes, and for etcd until the
/// others can do without this one.
fn turn(pod: &StaticPod, path: &str) -> Vec<Expr> {
    let Some(among) = &pod.among else {
        return vec![];
    };
    let mut take = turn::take(&among.node);
    if pod.component == Component::Etcd {
        take.push(turn::others_vote(pod.component.name(), &among.node, among.quorum));
    }
    vec![Expr::If {
        condition: Box::new(Expr::all([
            test(["-s", path]),
            is_kubelet_active(),
            turn::somebody_answers(),
        ])),
        then: take,
        otherwise: vec![],
    }]
}

/// Has kubeadm write the file. An etcd that joins others is announced to them first, and becomes a voter in the end: only
/// then is it stamped as made, and is no more than a file from then on.
fn write(pod: &StaticPod, made_from: &str) -> Vec<Expr> {
    let [phase, name] = pod.component.words();
    let init = run(
        Program::Kubeadm,
        ["init", "phase", phase, name, "--config", INIT_FILE],
    );
    let (Component::Etcd, EtcdStart::Joins { first, peer }) = (pod.component, &pod.etcd) else {
        return vec![init];
    };
    // A member without its data must not come back as itself: it has promised the others what it does not know any more.
    let mut join = vec![Expr::If {
        condition: Box::new(test(["-d", ETCD_MEMBER])),
        then: vec![],
        otherwise: remove_member(Store::Cluster, first, peer).to_vec(),
    }];
    join.push(run(
        Program::Kubeadm,
        ["join", "phase", "etcd-join", "--config", JOIN_FILE],
    ));
    vec![Expr::If {
        condition: Box::new(Expr::all([test(["-s", made_from]), test(["-d", ETCD_MEMBER])])),
        then: vec![init],
        otherwise: join,
    }]
}

/// What a power cut may have left, and the kubelet would take for a pod.
fn remove_empty(path: &str) -> Expr {
    Expr::If {
        condition: Box::new(test(["-s", path])),
        then: vec![],
        otherwise: vec![run(Program::Rm, ["-f", path])],
    }
}

pub(super) fn is_kubelet_active() -> Expr {
    run(Program::Systemctl, ["is-active", "--quiet", KUBELET])
}

fn runs(path: &str) -> Expr {
    let mut pipe = processes();
    pipe.push(Cmd::new(Program::Awk).words([RUNS, path, "-"]));
    Expr::Pipe(pipe)
}

/// Looks for a process with exactly this command line. It has that line in its own command line: what it ends with must
/// stand on the same line.
const IS_RUN: &str = r#"BEGIN { wanted = ARGV[1]; delete ARGV[1] }
{ sub(/^ +/, ""); sub(/ +$/, "") }
$0 == wanted { runs = 1 }
END { exit !runs }"#;

/// Whether a process of this host has this command line.
pub(super) fn runs_as(command_line: &str) -> Expr {
    let mut pipe = processes();
    pipe.push(Cmd::new(Program::Awk).words([IS_RUN, command_line]));
    Expr::Pipe(pipe)
}

/// What prints the command line of each process of the host, a line each, with blanks around it.
pub(super) fn processes() -> Vec<Cmd> {
    vec![
        // The kernel has a zero behind each argument; not every host has `ps`.
        Cmd::new(Program::Find)
            .words(["/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cmdline"])
            .words(["-exec", "sed", "-s", "-z", "-e", "$s/$/\\n/", "{}", "+"])
            .quiet_errors(),
        Cmd::new(Program::Tr).words(["\\0", " "]),
    ]
}

fn gate<'a>(pod: &StaticPod, path: &'a str) -> Gate<'a> {
    let component = pod.component;
    Gate {
        path,
        name: component.name(),
        // The kubelet looks at its folder by itself.
        reload: vec![],
        accepted: Expr::all([runs(path), is_at_work(pod)]),
        deadline_seconds: ACCEPTED_SECONDS,
        units: vec![CONTAINERD.into(), KUBELET.into()],
        evidence: std::iter::once(what_it_says(component.name()))
            .chain(
                pod.among
                    .iter()
                    .map(|among| turn::fail(&among.node, component.name())),
            )
            .collect(),
    }
}

/// What the component itself says of its work, on this host: another control plane may answer in its place.
fn is_at_work(pod: &StaticPod) -> Expr {
    let local = |server: &str| kubectl_of_host(server).words(["get", "--raw", "/healthz"]);
    match pod.component {
        Component::Etcd => etcd_says("/readyz"),
        Component::ApiServer => kubectl_admin()
            .words(pod.among.iter().flat_map(|among| ["--server", &among.server]))
            .words(["get", "--raw", "/readyz"]),
        Component::ControllerManager => local("https://127.0.0.1:10257"),
        Component::Scheduler => local("https://127.0.0.1:10259"),
    }
    .into()
}

/// What this host's etcd says of itself: `/readyz` whether it can answer for the whole cluster, `/metrics` in numbers.
pub(crate) fn etcd_says(path: &str) -> Cmd {
    kubectl_of_host("http://127.0.0.1:2381").words(["get", "--raw", path])
}

/// What a static pod has printed last: one that does not come up has told nobody but its log.
pub(in crate::plan) fn what_it_says(name: &str) -> Expr {
    what_its_container_says(name, name)
}

/// The same of a container that is not called as its pod is.
pub(super) fn what_its_container_says(pod: &str, container: &str) -> Expr {
    Cmd::new(Program::Find)
        .words(["/var/log/pods", "-path"])
        .word(format!("*/kube-system_{pod}-*/{container}/*.log"))
        .words(["-mmin", "-5", "-exec", "tail", "-n", "3", "{}", "+"])
        .into()
}
