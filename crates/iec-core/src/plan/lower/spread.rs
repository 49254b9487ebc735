//! The pods of the cluster's DNS on several nodes: they start before other hosts have joined, and stay where they are.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ADMIN, ask_cluster, kubectl_admin, question};
use super::{Lowered, Undo};

/// Seconds until a pod must have started elsewhere.
const DEADLINE_SECONDS: u32 = 120;

/// Counts the nodes on which these pods may start. A node a line: its name, whether it is ready, and its taints; the line
/// `.` ends a whole answer. kubeadm's Deployment bears the taint of a control plane, and a node that has just become ready
/// loses the one of a node that is not within seconds.
const SEVERAL: &str = r#"$1 == "." { whole = 1; next }
$2 == "True" {
  closed = 0
  for (i = 3; i <= NF; i++)
    if ($i ~ /=No(Schedule|Execute)$/ && $i !~ /^node(-role\.kubernetes\.io\/control-plane|\.kubernetes\.io\/not-ready)=/) closed = 1
  free += !closed
}
END { exit !whole || free < 2 }
"#;

/// Whether there are several pods and all are on one node, as far as they are not ending. A pod a line: node, name, and
/// when it ends.
const TOGETHER: &str = r#"$1 == "." { whole = 1; next }
NF == 2 { pods++; if (!($1 in nodes)) { nodes[$1]; count++ } }
END { exit !whole || pods < 2 || count > 1 }
"#;

/// Whether they are on several nodes.
const APART: &str = r#"NF == 2 && !($1 in nodes) { nodes[$1]; count++ }
END { exit count < 2 }
"#;

/// The name of the last one of them.
const LAST: &str = r#"NF == 2 { name = $2 }
END { if (name != "") print name }
"#;

pub(super) fn dns() -> Lowered {
    let awk = |program: &str| Cmd::new(Program::Awk).word(program);
    let together = Expr::Pipe(vec![pods(), awk(TOGETHER)]);
    let several = Expr::Pipe(vec![nodes(), awk(SEVERAL)]);
    let to_do = Expr::all([several, together]);
    let delete = Cmd::new(Program::Xargs)
        .words(["-r", "-n", "1", "kubectl", "--kubeconfig", ADMIN])
        .words([
            "--request-timeout=20s",
            "delete",
            "pod",
            "-n",
            "kube-system",
            "--wait=false",
            // Another control plane may have seen the same at the same moment.
            "--ignore-not-found",
        ]);
    Lowered {
        check: vec![question(
            "the cluster's DNS runs on more than one node, where there are several",
            ask_cluster(to_do.not()),
        )],
        keep: vec![],
        apply: vec![
            // Its place is taken on a node that has none: kubeadm's Deployment asks for that. The other one answers meanwhile.
            Expr::Pipe(vec![pods(), awk(LAST), delete]),
            Expr::Poll {
                question: Box::new(Expr::Pipe(vec![pods(), awk(APART)])),
                every_seconds: 1,
                deadline_seconds: DEADLINE_SECONDS,
                units: vec![],
                slowness: 1,
            },
        ],
        undo: Undo::Nothing,
        shows: vec![],
        sensitive: false,
    }
}

fn pods() -> Cmd {
    kubectl_admin().words(["get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o"]).word(
        "jsonpath={range .items[*]}{.spec.nodeName} {.metadata.name} {.metadata.deletionTimestamp}{\"\\n\"}{end}.",
    )
}

fn nodes() -> Cmd {
    kubectl_admin().words(["get", "nodes", "-o"]).word(
        "jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type==\"Ready\")].status}{range .spec.taints[*]} {.key}={.effect}{end}{\"\\n\"}{end}.",
    )
}
