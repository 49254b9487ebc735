//! Objects that IEC owns in the cluster: compared with what the API server would make of them, and applied.

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{ask_cluster, kubectl_admin, question, run, test};
use super::{Lowered, Undo};
use crate::plan::kubeadm::{INIT_FILE, InitPhase};

/// The name under which IEC owns fields of objects.
pub(super) const FIELD_MANAGER: &str = "--field-manager=iec";

fn server_side(verb: &str) -> Cmd {
    kubectl_admin().words([verb, "--server-side", "--force-conflicts", FIELD_MANAGER, "-f"])
}

/// Whether the cluster has these objects with each field as the manifest has it, by the API server's own merge. What others
/// have added is theirs. 0: nothing differs, 1: something does, 2 and more: nobody can tell.
fn has_objects(manifest: Vec<Cmd>) -> Expr {
    let mut pipe = manifest;
    pipe.push(server_side("diff").word("-"));
    ask_cluster(settled(Expr::Pipe(pipe)))
}

/// A difference that is there a second time. `kubectl diff` reads an object and has it merged one after the other: where a
/// controller writes its state in between, as it does with all that is new, that state differs.
pub(super) fn settled(difference: Expr) -> Expr {
    let again = Expr::all([run(Program::Sleep, ["1"]), difference.clone()]);
    Expr::any([difference, again])
}

fn apply_objects(manifest: Vec<Cmd>) -> Expr {
    let mut pipe = manifest;
    pipe.push(server_side("apply").word("-"));
    Expr::Pipe(pipe)
}

/// The objects of a file on this control plane.
pub(super) fn manifest(path: &str) -> Lowered {
    Lowered {
        check: vec![question(
            format!("the cluster has the objects of {path} as they are there"),
            ask_cluster(Expr::If {
                condition: Box::new(test(["-e", path])),
                then: vec![settled(server_side("diff").word(path).into())],
                otherwise: vec![Expr::Any(vec![])],
            }),
        )],
        keep: vec![],
        apply: vec![server_side("apply").word(path).into()],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

/// What kubeadm makes of its configuration for an addon. Its own way to apply it refuses a CoreDNS that is newer than itself.
fn addon(name: &str, part: &str) -> Vec<Cmd> {
    let print = Cmd::new(Program::Kubeadm)
        .words(["init", "phase"])
        .words(InitPhase::Addons.words().iter().copied())
        .words([name, "--config", INIT_FILE, "--print-manifest"]);
    vec![print, Cmd::new(Program::Awk).word(format!("{DOCUMENTS}{part}"))]
}

/// Takes documents apart, calls `keep` for each to be told whether it counts, and prints those. kubeadm writes the first line
/// of some behind the marks between them, where no reader looks for it, and what it does before the first mark.
const DOCUMENTS: &str = r#"function flush() { if (text != "" && keep(text)) printf "---\n%s", text; text = "" }
/^---/ { flush(); begun = 1; sub(/^---[ \t]*/, ""); if ($0 == "") next }
{ if (begun && line($0)) text = text $0 "\n" }
END { flush() }
"#;
/// All that kubeadm prints.
const WHOLE: &str = "function keep(text) { return 1 }\nfunction line(text) { return 1 }\n";

/// How many pods of CoreDNS kubeadm begins with.
const REPLICAS: &str = "2";

/// Of CoreDNS' objects, those without what is whoever runs the cluster's to change, as kubeadm leaves it too: its Corefile,
/// and how many pods it has.
const WITHOUT_CHOICES: &str = r#"function keep(text) { return text !~ /\nkind: ConfigMap\n/ }
function line(text) { return text !~ /^  replicas: / }
"#;
/// The one with its Corefile.
const COREFILE: &str = r#"function keep(text) { return text ~ /\nkind: ConfigMap\n/ }
function line(text) { return 1 }
"#;

fn coredns(part: &str) -> Vec<Cmd> {
    addon("coredns", part)
}

fn kube_proxy() -> Vec<Cmd> {
    addon("kube-proxy", WHOLE)
}

/// Whether a field of an object in kube-system is as an expression of awk says; neither where there is no such object.
fn has_field(object: &str, field: &str, says: &str) -> Expr {
    let get = kubectl_admin()
        .words(["get", "-n", "kube-system", object, "--ignore-not-found"])
        .words(["-o", &format!("go-template={{{{{field}}}}}{{{{\"\\n\"}}}}")]);
    let program = format!("NR == 1 {{ has = ({says}) }} END {{ exit !has }}");
    ask_cluster(Expr::Pipe(vec![get, Cmd::new(Program::Awk).word(program)]))
}

fn has_corefile() -> Expr {
    has_field(
        "configmap/coredns",
        "index .data \"Corefile\"",
        "$0 != \"\" && $0 != \"<no value>\"",
    )
}

fn has_replicas() -> Expr {
    has_field("deployment/coredns", ".spec.replicas", "$0 + 0 > 0")
}

/// CoreDNS and kube-proxy: every object of theirs, whole.
pub(super) fn addons_questions() -> Vec<Question> {
    vec![
        question(
            "kube-proxy's objects are those of this site",
            has_objects(kube_proxy()),
        ),
        question(
            "CoreDNS' objects are those of this site",
            has_objects(coredns(WITHOUT_CHOICES)),
        ),
        question("CoreDNS has a Corefile", has_corefile()),
        question("CoreDNS has pods", has_replicas()),
    ]
}

/// Every command can be given a second time, whatever is left of the addons.
pub(super) fn addons() -> Vec<Expr> {
    let scale = kubectl_admin()
        .words(["scale", "-n", "kube-system", "deployment/coredns"])
        .words(["--replicas", REPLICAS]);
    let objects = || apply_objects(coredns(WITHOUT_CHOICES));
    vec![
        Expr::If {
            condition: Box::new(has_corefile()),
            then: vec![],
            otherwise: vec![apply_objects(coredns(COREFILE))],
        },
        Expr::If {
            condition: Box::new(has_replicas()),
            then: vec![objects()],
            otherwise: vec![objects(), scale.into()],
        },
        apply_objects(kube_proxy()),
    ]
}
