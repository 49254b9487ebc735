//! Whose turn it is to stop a component of the control plane: a Lease in the cluster, which one host has at a time.
//!
//! A host that fails keeps it and says so in it: no other may make the same change. It gives it back when it is well again.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ask_cluster, kubectl_admin, question};
use super::{Lowered, Undo};

/// The file of the Lease as this host takes it.
pub(in crate::plan) const FILE: &str = "/etc/iec/turn.yaml";
pub(super) const LEASE: &str = "lease/iec-turn";
/// The annotation by which a host says that its change failed.
const FAILED: &str = "iec.dev/failed";
/// Seconds that a host waits for its turn: four others may each need a quarter of an hour before.
const DEADLINE_SECONDS: u32 = 3600;
/// Seconds in which an API server answers, or there is none.
const ANSWER_SECONDS: u32 = 60;
/// Seconds until enough other members of etcd are ready, once it is this host's turn.
const VOTERS_SECONDS: u32 = 300;

/// The Lease as `node` takes it.
#[must_use]
pub(in crate::plan) fn lease(node: &str) -> String {
    format!(
        "# Written by IEC: whose turn it is to restart a component of its control plane.\n\
         apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {{name: iec-turn, namespace: kube-system}}\n\
         spec: {{holderIdentity: {node}}}\n"
    )
}

/// Waits until it is this host's turn, or another one has failed: then this one must not do the same.
pub(super) fn take(node: &str) -> Vec<Expr> {
    let create = kubectl_admin().words(["create", "-f", FILE]).quiet();
    let what = get(&format!(
        "jsonpath={{.metadata.annotations.{}}}",
        FAILED.replace('.', "\\.")
    ));
    let somebody_failed = Expr::Pipe(vec![what.clone(), Cmd::new(Program::Grep).words(["-q", "."])]);
    let holder =
        get("jsonpath={.spec.holderIdentity} has the turn to change its control plane, and failed: ");
    let waited = get(
        "jsonpath=in vain: {.spec.holderIdentity} has had the turn to change its control plane since \
         {.metadata.creationTimestamp} UTC; where that host is gone for good, the site file has to say so \
         (state: absent, unreachable: true)",
    );
    let its_turn = Expr::Poll {
        question: Box::new(Expr::any([has(node), create.into(), somebody_failed])),
        every_seconds: 2,
        deadline_seconds: DEADLINE_SECONDS,
        units: vec![],
        slowness: 1,
    };
    vec![
        Expr::If {
            condition: Box::new(its_turn),
            then: vec![],
            otherwise: vec![Expr::from(waited).ignore_failure(), Expr::any(Vec::<Expr>::new())],
        },
        Expr::If {
            condition: Box::new(has(node)),
            then: vec![],
            otherwise: vec![
                Expr::from(holder).ignore_failure(),
                Expr::from(what).ignore_failure(),
                Expr::any(Vec::<Expr>::new()),
            ],
        },
    ]
}

/// Waits until so many members of this etcd besides this host's are ready that it can do without this one.
pub(super) fn others_vote(component: &str, node: &str, quorum: usize) -> Expr {
    let label = format!("component={component}");
    let pods = kubectl_admin()
        .words(["get", "pods", "-n", "kube-system", "-l", &label, "-o"])
        .word("jsonpath={range .items[*]}{.spec.nodeName} {.status.conditions[?(@.type==\"Ready\")].status}{\"\\n\"}{end}");
    let enough = format!("$1 != \"{node}\" && $2 == \"True\" {{ ready++ }}\nEND {{ exit ready < {quorum} }}");
    Expr::Poll {
        question: Box::new(Expr::Pipe(vec![pods, Cmd::new(Program::Awk).word(enough)])),
        every_seconds: 2,
        deadline_seconds: VOTERS_SECONDS,
        units: vec![],
        slowness: 1,
    }
}

/// Says in the Lease that the change of this component failed, where this host has it: one that joins has none.
pub(super) fn fail(node: &str, component: &str) -> Expr {
    let annotation = format!("{FAILED}={component}");
    while_it_has(
        node,
        kubectl_admin().words(["annotate", "--overwrite", "-n", "kube-system", LEASE, &annotation]),
    )
}

/// Gives the turn back, where this host has it.
pub(super) fn give_back(node: &str) -> Expr {
    while_it_has(
        node,
        kubectl_admin().words(["delete", "-n", "kube-system", LEASE, "--ignore-not-found"]),
    )
}

fn while_it_has(node: &str, command: Cmd) -> Expr {
    Expr::If {
        condition: Box::new(has(node)),
        then: vec![command.quiet().into()],
        otherwise: vec![],
    }
}

/// Whether nobody has the turn. An answer that is no holder's name is none, and no free turn either.
pub(super) fn is_free() -> Expr {
    ask_cluster(no_holder("$0 != \".\" && NF"))
}

/// Whether no holder is such a line. A holder a line; the line `.` ends a whole answer.
fn no_holder(line: &str) -> Expr {
    Expr::Pipe(vec![
        kubectl_admin()
            .words(["get", "leases", "-n", "kube-system", "--field-selector"])
            .words(["metadata.name=iec-turn", "-o"])
            .word("jsonpath={range .items[*]}{.spec.holderIdentity}{\"\\n\"}{end}."),
        Cmd::new(Program::Awk).word(format!(
            "{line} {{ has = 1 }}\n$0 == \".\" {{ whole = 1 }}\nEND {{ exit has || !whole }}"
        )),
    ])
}

/// The step that sees that no turn of this host is left, once all of its control plane is well.
pub(super) fn given_back(node: &str) -> Lowered {
    let free = no_holder(&format!("$0 == \"{node}\""));
    Lowered {
        check: vec![question(
            "the turn to change a control plane is not left with this host",
            ask_cluster(free),
        )],
        keep: vec![],
        apply: vec![give_back(node)],
        undo: Undo::Nothing,
        shows: vec![],
        sensitive: false,
    }
}

fn has(node: &str) -> Expr {
    Expr::from(get("jsonpath={.spec.holderIdentity}")).prints(node)
}

fn get(path: &str) -> Cmd {
    kubectl_admin()
        .words(["get", "-n", "kube-system", LEASE, "-o", path])
        .quiet_errors()
}

/// Whether an API server answers. Where none does for a minute there is nothing that a change could stop, and nobody to ask
/// for a turn: what is to be done may be what it takes to have one again.
pub(super) fn somebody_answers() -> Expr {
    Expr::Poll {
        question: Box::new(kubectl_admin().words(["get", "--raw", "/readyz"]).quiet().into()),
        every_seconds: 1,
        deadline_seconds: ANSWER_SECONDS,
        units: vec![],
        slowness: 1,
    }
}
