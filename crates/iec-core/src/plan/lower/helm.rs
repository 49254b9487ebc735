//! Helm releases.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ask_cluster, question, run};
use super::objects::{LINES, difference_in_full};
use super::{HOME, Lowered, Undo};
use crate::plan::op::HelmOp;

fn helm() -> Cmd {
    Cmd::new(Program::Helm).words(["--kubeconfig", "/etc/kubernetes/admin.conf"])
}

/// Of what a release is made of, the documents whose objects say in which namespace they are (`says` = 1), or those that
/// leave it to the release (`says` = 0): kubectl takes one namespace for what it is given, and refuses objects of another.
const DOCUMENTS: &str = r#"function flush() { if (text != "" && namespaced == says) printf "---\n%s", text; text = ""; namespaced = 0; inside = 0; depth = 0 }
/^---([ \t]|$)/ { flush(); next }
/^[^ \t#]/ { inside = /^metadata:/; if (inside && /\{.*namespace/) namespaced = 1 }
inside && /^ +[^ \t#]/ { match($0, /^ +/); if (!depth) depth = RLENGTH; if (RLENGTH == depth && $1 ~ /^["']?namespace["']?:$/) namespaced = 1 }
{ text = text $0 "\n" }
END { flush() }
"#;

/// Whether there is no difference that counts; how many replicas there are is an autoscaler's and people's to change.
const NO_DIFFERENCE: &str = "function say(words) { }\n\
    function others(line) { return line ~ /^[-+] *replicas:/ }\n\
    END { exit real + 0 }\n";

/// Whether every object that Helm made for the release is there with each field as Helm made it, as the API server merges.
/// What others have added is theirs. A difference is work to do; a manifest that no server-side merge takes (a chart may
/// have a list with a key twice) cannot be compared, and is no difference.
fn has_objects(name: &str, namespace: &str, says: u8) -> Expr {
    let manifest = helm().words(["get", "manifest", name, "-n", namespace]);
    let documents = Cmd::new(Program::Awk).word(format!("BEGIN {{ says = {says} }}\n{DOCUMENTS}"));
    let difference = difference_in_full(["-"]);
    let difference = if says == 0 {
        difference.words(["-n", namespace])
    } else {
        difference
    };
    let same = Expr::Pipe(vec![
        manifest.quiet_errors(),
        documents,
        difference.quiet_errors(),
        Cmd::new(Program::Awk).word(format!("{LINES}{NO_DIFFERENCE}")),
    ]);
    // A controller may write between the two moments at which kubectl looks, as it does with all that is new.
    let again = Expr::all([run(Program::Sleep, ["1"]), same.clone()]);
    Expr::any([same, again])
}

pub(super) fn release(release: &HelmOp) -> Lowered {
    let HelmOp {
        name,
        namespace,
        archive,
        chart,
        values,
        digest,
        sensitive,
    } = release;
    // Helm takes an archive by its name only; the store's files have none.
    let archive = format!("{HOME}/incoming/{archive}");
    let description = format!("iec {digest}");
    let is_deployed = Expr::Pipe(vec![
        helm().words(["status", name, "-n", namespace]).quiet_errors(),
        Cmd::new(Program::Grep).words(["-qxF", &format!("DESCRIPTION: {description}")]),
    ]);
    Lowered {
        check: vec![question(
            format!("release {name} is deployed as the site asks, and its objects are as Helm made them"),
            ask_cluster(Expr::all([
                is_deployed,
                has_objects(name, namespace, 0),
                has_objects(name, namespace, 1),
            ])),
        )],
        keep: vec![],
        apply: vec![
            run(
                Program::Cp,
                [&format!("{HOME}/store/{}", chart.blob_path()), &archive],
            ),
            helm()
                .words([
                    "upgrade",
                    "--install",
                    name,
                    &archive,
                    "-n",
                    namespace,
                    "--create-namespace",
                ])
                .words([
                    "--values",
                    values,
                    "--description",
                    &description,
                    "--force-conflicts",
                    "--wait",
                    "--timeout=10m",
                ])
                .into(),
            run(Program::Rm, ["-f", &archive]),
        ],
        undo: Undo::Commands(vec![
            helm()
                .words(["uninstall", name, "-n", namespace, "--ignore-not-found"])
                .words(["--wait", "--timeout=5m"])
                .into(),
        ]),
        shows: vec![],
        sensitive: *sensitive,
    }
}
