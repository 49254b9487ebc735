//! A member of Calico's own etcd: it makes a cluster or joins that of the others, and runs with the plan's static pod from then on.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ask_cluster, question, run, test};
use super::calico_etcd::{is_ready, says};
use super::etcd_member::{
    MEMBERS, Store, add_learner, has_member, is_only_member, promote, read_members, remove_member, set_peer,
};
use super::gate::Gate;
use super::last_words::{CONTAINERD, KUBELET};
use super::recovery::runs_with;
use super::static_pod::{is_kubelet_active, runs_as, what_its_container_says};
use super::{Lowered, Undo, file, turn};
use crate::plan::calico_etcd::{MEMBER, POD, POD_FILE, PROCESS};
use crate::plan::op::{CalicoEtcdMember, CalicoEtcdStart, FileContent, FileOp};

/// The static pod while it is written: a kubelet takes whatever shows in its folder for a pod.
const NEW: &str = "/etc/kubernetes/manifests/.calico-etcd.yaml.iec-new";
/// Seconds until a member has started, or runs with another static pod.
const START_SECONDS: u32 = 300;
/// Seconds until a member that is to start anew has ended.
const END_SECONDS: u32 = 60;
/// Has the members of a list, and the one that was just announced, start with one another.
const WITH_ALL: &str = r#"FILENAME != "-" { all = all (all == "" ? "" : ",") ($4 == peer ? node : $3) "=" $4; next }
index($0, "    - --initial-cluster=") == 1 { $0 = "    - --initial-cluster=" all }
{ print }
"#;

pub(super) fn member(id: &str, op: &CalicoEtcdMember) -> Lowered {
    let manifest = FileOp {
        path: POD_FILE.to_owned(),
        mode: 0o600,
        content: FileContent::Text(op.pod.clone()),
    };
    let file = file::file(id, &manifest);
    let gate = gate(op);
    let mut check = file.check;
    check.push(question(
        "Calico's etcd on this host runs with its present arguments",
        runs_as(&op.command_line),
    ));
    check.push(gate.question());
    check.push(question(
        "it is a member by its address, and has a vote",
        ask_cluster(has_member(
            Store::Calico,
            &op.node,
            &format!(
                "$3 == \"{}\" && $4 == \"{}\" && $6 == \"false\"",
                op.node, op.peer
            ),
        )),
    ));
    let mut apply = take_turn(op);
    apply.push(start(op));
    apply.extend(gate.begin());
    apply.extend(file.apply);
    apply.extend(gate.end());
    match &op.start {
        CalicoEtcdStart::Alone(_) => apply.extend(set_peer(Store::Calico, &op.node, &op.peer)),
        CalicoEtcdStart::Joins(first) => apply.extend(promote(Store::Calico, first, &op.peer)),
    }
    apply.push(poll(is_ready(), START_SECONDS));
    apply.extend(op.quorum.map(|_| turn::give_back(&op.node)));
    Lowered {
        check,
        keep: vec![],
        apply,
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: file.shows,
        sensitive: false,
    }
}

/// Waits for this host's turn where there are other control planes: to join them, and before a member stops that runs.
fn take_turn(op: &CalicoEtcdMember) -> Vec<Expr> {
    let Some(quorum) = op.quorum else {
        return vec![];
    };
    let mut take = turn::take(&op.node);
    take.push(Expr::If {
        condition: Box::new(test(["-d", MEMBER])),
        then: vec![Expr::any([
            // Others are still to join it: nobody can do its work meanwhile.
            is_only_member(Store::Calico, &op.node),
            turn::others_vote(POD, &op.node, quorum),
        ])],
        otherwise: vec![],
    });
    let stops_or_joins = match op.start {
        CalicoEtcdStart::Alone(_) => test(["-d", MEMBER]),
        CalicoEtcdStart::Joins(_) => Expr::all(Vec::<Expr>::new()),
    };
    vec![Expr::If {
        condition: Box::new(Expr::all([
            stops_or_joins,
            is_kubelet_active(),
            turn::somebody_answers(),
        ])),
        then: take,
        otherwise: vec![],
    }]
}

/// Starts a member that has no data, until it belongs to a cluster.
fn start(op: &CalicoEtcdMember) -> Expr {
    let has_data = || test(["-d", MEMBER]);
    let begin = match &op.start {
        CalicoEtcdStart::Alone(pod) => {
            let install = Cmd::new(Program::Install)
                .words(["-m", "0600", "/dev/stdin", NEW])
                .stdin_text(pod.as_str());
            vec![install.into()]
        }
        CalicoEtcdStart::Joins(first) => {
            let [_, read] = read_members(Store::Calico, first);
            let with_all = Cmd::new(Program::Awk)
                .words(["-F", ", ", "-v", &format!("node={}", op.node)])
                .words(["-v", &format!("peer={}", op.peer), WITH_ALL, MEMBERS, "-"])
                .stdin_text(op.pod.as_str())
                .stdout_file(NEW);
            // A member without its data must not come back as itself: it has promised the others what it does not know any more.
            let mut join = remove_member(Store::Calico, first, &op.peer).to_vec();
            join.extend([
                add_learner(Store::Calico, first, &op.node, &op.peer),
                read,
                with_all.into(),
                run(Program::Rm, ["-f", MEMBERS]),
                run(Program::Chmod, ["0600", NEW]),
            ]);
            join
        }
    };
    let mut begin = begin;
    begin.insert(0, run(Program::Mkdir, ["-p", file::parent(POD_FILE)]));
    begin.extend([
        run(Program::Sync, [NEW]),
        run(Program::Mv, ["-fT", NEW, POD_FILE]),
        Expr::If {
            condition: Box::new(poll(
                Expr::all([has_data(), says("/livez").quiet().into()]),
                START_SECONDS,
            )),
            then: vec![],
            otherwise: failed(op),
        },
    ]);
    Expr::If {
        condition: Box::new(has_data()),
        then: vec![],
        otherwise: vec![
            // An earlier start that was cut off may go on by itself until it is told to end.
            run(Program::Rm, ["-f", POD_FILE]),
            poll(runs_with(PROCESS).not(), END_SECONDS),
            Expr::If {
                condition: Box::new(has_data()),
                then: vec![],
                otherwise: begin,
            },
        ],
    }
}

fn gate(op: &CalicoEtcdMember) -> Gate<'static> {
    let mut evidence = failed(op);
    evidence.pop();
    Gate {
        path: POD_FILE,
        name: POD,
        // The kubelet looks at its folder by itself.
        reload: vec![],
        // It is ready with a vote only, which it may get later.
        accepted: Expr::all([runs_as(&op.command_line), says("/livez").quiet().into()]),
        deadline_seconds: START_SECONDS,
        units: vec![CONTAINERD.into(), KUBELET.into()],
        evidence,
    }
}

/// What it says itself, and in the Lease that this host's change failed.
fn failed(op: &CalicoEtcdMember) -> Vec<Expr> {
    let mut words = vec![what_its_container_says(POD, "etcd").ignore_failure()];
    words.extend(op.quorum.map(|_| turn::fail(&op.node, POD)));
    words.push(Expr::any(Vec::<Expr>::new()));
    words
}

fn poll(question: Expr, deadline_seconds: u32) -> Expr {
    Expr::Poll {
        question: Box::new(question),
        every_seconds: 1,
        deadline_seconds,
        units: vec![CONTAINERD.into(), KUBELET.into()],
        slowness: 1,
    }
}
