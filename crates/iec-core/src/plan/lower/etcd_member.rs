//! Members of the cluster's etcd: how one that is no host's any more is taken out.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ADMIN, run};
use super::file::parent;
use crate::plan::static_pod::ETCDCTL;

/// Where the list of members is while it is read. A pipe would take an answer that never came for an empty list.
const MEMBERS: &str = "/var/lib/iec/incoming/etcd-members";

/// Seconds until the etcd that is asked must answer.
const ANSWER_SECONDS: u32 = 120;

/// The words of `etcdctl member` in the etcd pod of a node, behind `kubectl`.
fn members(node: &str) -> Vec<String> {
    let pod = format!("etcd-{node}");
    let exec = [
        "--kubeconfig",
        ADMIN,
        "--request-timeout=60s",
        "--namespace=kube-system",
        "exec",
        &pod,
        "--container=etcd",
        "--",
    ];
    let words = exec.into_iter().chain(ETCDCTL).chain(["member"]);
    words.map(str::to_owned).collect()
}

/// Whether etcd has no member that others reach at `peer`. No answer is no.
pub(super) fn has_no_member(node: &str, peer: &str) -> Expr {
    let list = Cmd::new(Program::Kubectl)
        .words(members(node))
        .word("list")
        .quiet_errors();
    let none = format!("$4 == \"{peer}\" {{ has = 1 }}\nEND {{ exit has || NR == 0 }}");
    Expr::Pipe(vec![list, Cmd::new(Program::Awk).words(["-F", ", ", &none])])
}

/// Takes the member out that others reach at `peer`, where there is one; the etcd of `node` is asked.
pub(crate) fn remove_member(node: &str, peer: &str) -> [Expr; 4] {
    // A member a line: id, state, name, peer URLs, client URLs, whether it is a learner.
    let id = format!("$4 == \"{peer}\" {{ print $1 }}");
    let list = Cmd::new(Program::Kubectl).words(members(node)).word("list");
    let remove = Cmd::new(Program::Xargs)
        .words(["-r", "-n", "1", "kubectl"])
        .words(members(node))
        .word("remove");
    [
        run(Program::Mkdir, ["-p", parent(MEMBERS)]),
        // The kubelet through which it is asked may just start again.
        Expr::Poll {
            question: Box::new(list.stdout_file(MEMBERS).into()),
            every_seconds: 2,
            deadline_seconds: ANSWER_SECONDS,
            units: vec![],
            slowness: 1,
        },
        Expr::Pipe(vec![
            Cmd::new(Program::Awk).words(["-F", ", ", &id, MEMBERS]),
            remove,
        ]),
        run(Program::Rm, ["-f", MEMBERS]),
    ]
}
