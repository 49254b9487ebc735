//! Members of an etcd, the cluster's or Calico's own: how they are listed, added, given a vote, and taken out.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ADMIN, run};
use super::file::parent;
use crate::plan::calico_etcd;
use crate::plan::static_pod::ETCDCTL;

/// Where the list of members is while it is read. A pipe would take an answer that never came for an empty list.
pub(super) const MEMBERS: &str = "/var/lib/iec/incoming/etcd-members";

/// Seconds until the etcd that is asked must answer.
const ANSWER_SECONDS: u32 = 120;
/// Seconds in which a learner has all data that the others have.
const LEARN_SECONDS: u32 = 300;

/// Whose etcd it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// That of the cluster.
    Cluster,
    /// Calico's own.
    Calico,
}

impl Store {
    /// The name of its pods before that of a host, which is their label too.
    #[must_use]
    pub const fn pod(self) -> &'static str {
        match self {
            Self::Cluster => "etcd",
            Self::Calico => calico_etcd::POD,
        }
    }

    /// The words that ask a member in its pod, before what is asked.
    #[must_use]
    pub fn etcdctl(self) -> Vec<String> {
        match self {
            Self::Cluster => ETCDCTL.map(str::to_owned).to_vec(),
            Self::Calico => calico_etcd::etcdctl(),
        }
    }

    /// The words of `etcdctl member` in the etcd pod of a node, behind `kubectl`.
    fn members(self, node: &str) -> Vec<String> {
        let pod = format!("{}-{node}", self.pod());
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
        let words = exec.into_iter().map(str::to_owned);
        words.chain(self.etcdctl()).chain(["member".to_owned()]).collect()
    }

    /// Prints a member a line: id, state, name, peer URLs, client URLs, whether it is a learner.
    fn list(self, node: &str) -> Cmd {
        Cmd::new(Program::Kubectl).words(self.members(node)).word("list")
    }
}

/// Whether the etcd of `node` knows a member of which this is true, as awk says it.
pub(super) fn has_member(store: Store, node: &str, which: &str) -> Expr {
    let found = format!("{which} {{ found = 1 }}\nEND {{ exit !found }}");
    let list = store.list(node).quiet_errors();
    Expr::Pipe(vec![list, Cmd::new(Program::Awk).words(["-F", ", ", &found])])
}

/// Whether the etcd of `node` knows a member that others reach at `peer`.
pub(in crate::plan) fn member_is_listed(store: Store, node: &str, peer: &str) -> Expr {
    has_member(store, node, &format!("$4 == \"{peer}\""))
}

/// Whether etcd has no member that others reach at `peer`. No answer is no.
pub(super) fn has_no_member(store: Store, node: &str, peer: &str) -> Expr {
    let list = store.list(node).quiet_errors();
    let none = format!("$4 == \"{peer}\" {{ has = 1 }}\nEND {{ exit has || NR == 0 }}");
    Expr::Pipe(vec![list, Cmd::new(Program::Awk).words(["-F", ", ", &none])])
}

/// Whether the etcd of `node` has no other member.
pub(super) fn is_only_member(store: Store, node: &str) -> Expr {
    let list = store.list(node).quiet_errors();
    Expr::Pipe(vec![list, Cmd::new(Program::Awk).word("END { exit NR != 1 }")])
}

/// Takes the member out that others reach at `peer`, where there is one; the etcd of `node` is asked.
pub(crate) fn remove_member(store: Store, node: &str, peer: &str) -> [Expr; 4] {
    let [folder, read] = read_members(store, node);
    let remove = change(store, node, "remove", &format!("$4 == \"{peer}\""));
    [folder, read, remove, run(Program::Rm, ["-f", MEMBERS])]
}

/// Writes the members that the etcd of `node` knows to [`MEMBERS`].
pub(super) fn read_members(store: Store, node: &str) -> [Expr; 2] {
    [
        run(Program::Mkdir, ["-p", parent(MEMBERS)]),
        // The kubelet through which it is asked may just start again.
        Expr::Poll {
            question: Box::new(store.list(node).stdout_file(MEMBERS).into()),
            every_seconds: 2,
            deadline_seconds: ANSWER_SECONDS,
            units: vec![],
            slowness: 1,
        },
    ]
}

/// Does this to the members in [`MEMBERS`] of which `which` is true.
fn change(store: Store, node: &str, verb: &str, which: &str) -> Expr {
    let id = format!("{which} {{ print $1 }}");
    let change = Cmd::new(Program::Xargs)
        .words(["-r", "-n", "1", "kubectl"])
        .words(store.members(node))
        .word(verb);
    Expr::Pipe(vec![
        Cmd::new(Program::Awk).words(["-F", ", ", &id, MEMBERS]),
        change,
    ])
}

/// Announces `name` to the others as one that learns; the etcd of `node` is asked.
pub(super) fn add_learner(store: Store, node: &str, name: &str, peer: &str) -> Expr {
    Cmd::new(Program::Kubectl)
        .words(store.members(node))
        .words(["add", name, "--learner", &format!("--peer-urls={peer}")])
        .into()
}

/// Gives the learner at `peer` a vote as soon as it has the others' data, where it has none yet; the etcd of `node` is asked.
pub(super) fn promote(store: Store, node: &str, peer: &str) -> Vec<Expr> {
    let votes = format!("$4 == \"{peer}\" && $6 == \"false\" {{ votes = 1 }}\nEND {{ exit !votes }}");
    let learner = format!("$4 == \"{peer}\" && $6 == \"true\"");
    let promoted = Expr::all([
        store.list(node).stdout_file(MEMBERS).into(),
        Expr::any([
            Cmd::new(Program::Awk).words(["-F", ", ", &votes, MEMBERS]).into(),
            Expr::all([
                change(store, node, "promote", &learner),
                // What was asked for is seen in the next list.
                Expr::any(Vec::<Expr>::new()),
            ]),
        ]),
    ]);
    vec![
        run(Program::Mkdir, ["-p", parent(MEMBERS)]),
        Expr::Poll {
            question: Box::new(promoted),
            every_seconds: 2,
            deadline_seconds: LEARN_SECONDS,
            units: vec![],
            slowness: 1,
        },
        run(Program::Rm, ["-f", MEMBERS]),
    ]
}

/// Tells the etcd of `node` where others reach its own member from now on, where it knows another place.
pub(super) fn set_peer(store: Store, node: &str, peer: &str) -> Vec<Expr> {
    let [folder, read] = read_members(store, node);
    let elsewhere = format!("$3 == \"{node}\" && $4 != \"{peer}\" {{ print $1 }}");
    let update = Cmd::new(Program::Xargs)
        .words(["-r", "-I{}", "kubectl"])
        .words(store.members(node))
        .words(["update", "{}", &format!("--peer-urls={peer}")]);
    vec![
        folder,
        read,
        Expr::Pipe(vec![
            Cmd::new(Program::Awk).words(["-F", ", ", &elsewhere, MEMBERS]),
            update,
        ]),
        run(Program::Rm, ["-f", MEMBERS]),
    ]
}
