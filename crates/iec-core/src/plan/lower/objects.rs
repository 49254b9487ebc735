//! Objects that IEC owns in the cluster: compared with what the API server would make of them, and applied.

use std::fmt::Write as _;

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{ask_cluster, kubectl_admin, question};
use crate::plan::addons::{Addons, OWN_COREFILE};
use crate::plan::calico::CONFIGURATION;
use crate::plan::kubeadm::INIT_FILE;

/// The name under which IEC owns fields of objects.
const FIELD_MANAGER: &str = "--field-manager=iec";

/// `kubectl diff` or `kubectl apply` by the API server's own merge, of what is in these files.
pub(super) fn server_side<'a>(verb: &str, files: impl IntoIterator<Item = &'a str>) -> Cmd {
    kubectl_admin()
        .words([verb, "--server-side", "--force-conflicts", FIELD_MANAGER])
        .words(files.into_iter().flat_map(|file| ["-f", file]))
}

/// `kubectl diff` with every line of both objects around what differs.
pub(super) fn difference_in_full<'a>(files: impl IntoIterator<Item = &'a str>) -> Cmd {
    server_side("diff", files).with_environment(["KUBECTL_EXTERNAL_DIFF=diff -N -U99999"])
}

/// Goes through differences in full: what is in an object's status, and what only counts changes, is nobody's to set.
/// It moves between the two moments at which `kubectl diff` looks. Calls `say` for each line that counts, `others` to be told
/// whether a line is somebody else's to change.
pub(super) const LINES: &str = r#"/^diff / { n = split($NF, path, "/"); object = path[n]; absent = 0; status = 0; seen = 1; next }
/^(---|\+\+\+) / { next }
/^@@ / { absent = ($2 == "-0,0"); if (absent) { real = 1; say(object ": is not there") }; next }
substr($0, 2) ~ /^[a-zA-Z]/ { status = (substr($0, 2, 7) == "status:") }
/^[-+]/ && !absent && !status && !others($0) && !/^[-+] *(generation|resourceVersion|creationTimestamp|uid|deprecated.daemonset.template.generation):/ {
  real = 1; sign = substr($0, 1, 1); text = $0; sub(/^[-+] */, "", text); say(object ": " sign " " text) }
"#;
/// Every field that is named is IEC's.
const ALL_OWN: &str = "function others(line) { return 0 }\n";
/// Whether there was a difference, and none that counts.
const NONE_COUNTS: &str = "function say(words) { }\nEND { exit !(seen && !real) }\n";
/// Prints those that count, as far as a person reads them.
const IN_WORDS: &str = "function say(words) { if (said++ < 20) print words }\n";

/// Whether the cluster has the objects with each field as these files have it, by the API server's own merge; `input` prints
/// the file `-`. What others have added is theirs. The first question is all where nothing differs; the last is for what
/// came to rest in between. 0: nothing differs, 1: something does, 2 and more: nobody can tell.
pub(super) fn has_objects(input: &[Cmd], files: &[&str]) -> Expr {
    let asks = |rest: Vec<Cmd>| {
        let mut pipe = input.to_vec();
        pipe.extend(rest);
        Expr::Pipe(pipe)
    };
    let files = || files.iter().copied();
    let counts = Cmd::new(Program::Awk).word(format!("{LINES}{ALL_OWN}{NONE_COUNTS}"));
    Expr::any([
        asks(vec![server_side("diff", files())]),
        asks(vec![difference_in_full(files()), counts]),
        asks(vec![server_side("diff", files())]),
    ])
}

/// What prints how the cluster's objects differ from these, a field a line.
pub(super) fn differences(input: &[Cmd], files: &[&str]) -> Expr {
    let mut pipe = input.to_vec();
    pipe.push(difference_in_full(files.iter().copied()));
    pipe.push(Cmd::new(Program::Awk).word(format!("{LINES}{ALL_OWN}{IN_WORDS}")));
    ask_cluster(Expr::Pipe(pipe))
}

fn apply_objects(manifest: Vec<Cmd>) -> Expr {
    let mut pipe = manifest;
    pipe.push(server_side("apply", ["-"]));
    Expr::Pipe(pipe)
}

/// What kubeadm makes of its configuration for an addon. Its own way to apply it refuses a CoreDNS that is newer than itself.
fn addon(name: &str, part: &str) -> Vec<Cmd> {
    let print = Cmd::new(Program::Kubeadm).words(["init", "phase"]).words([
        "addon",
        name,
        "--config",
        INIT_FILE,
        "--print-manifest",
    ]);
    vec![print, Cmd::new(Program::Awk).word(format!("{DOCUMENTS}{part}"))]
}

/// Takes documents apart, calls `keep` for each to be told whether it counts, and prints those. kubeadm writes the first line
/// of some behind the marks between them, where no reader looks for it, and what it does before the first mark.
const DOCUMENTS: &str = r#"function flush() { if (text != "" && keep(text)) printf "---\n%s", text; text = "" }
/^---/ { flush(); begun = 1; sub(/^---[ \t]*/, ""); if ($0 == "") next }
{ if (begun && line($0)) text = text $0 "\n" }
END { flush() }
"#;
/// How many pods of CoreDNS kubeadm begins with.
const REPLICAS: &str = "2";

/// The object with CoreDNS' Corefile alone.
const COREFILE: &str = r#"function keep(text) { return text ~ /\nkind: ConfigMap\n/ }
function line(text) { return 1 }
"#;

/// CoreDNS' objects. What is whoever runs the cluster's to change is not among them, as kubeadm leaves it too: the Corefile,
/// and how many pods there are; each unless the site decides it.
fn coredns(addons: &Addons) -> Vec<Cmd> {
    let mut program = String::from("function keep(text) { return text !~ /\\nkind: ConfigMap\\n/ }\n");
    program.push_str("function line(text) { return text !~ /^  replicas: / }\n");
    if let Some(replicas) = addons.dns_replicas {
        let line = format!("  replicas: {replicas}\\n");
        let _ = writeln!(program, "begun && /^  replicas: / {{ text = text \"{line}\" }}");
    }
    if let Some(configuration) = &addons.dns_configuration {
        let quoted = serde_json::to_string(configuration).expect("a text can be quoted");
        let _ = writeln!(program, "END {{ print \"---\"; print {quoted} }}");
    }
    addon("coredns", &program)
}

/// kube-proxy's objects, all of them. Its pods carry the digest of the configuration that they were started with.
fn kube_proxy(addons: &Addons) -> Vec<Cmd> {
    let annotation = format!(
        "      annotations:\\n        {CONFIGURATION}: \\\"{}\\\"\\n",
        addons.proxy
    );
    let program = format!(
        "function keep(text) {{ return 1 }}\nfunction line(text) {{ return 1 }}\n\
         begun && /^    metadata:$/ {{ text = text \"{annotation}\" }}\n"
    );
    addon("kube-proxy", &program)
}

/// Prints the fields of CoreDNS' objects that are somebody's choice, a line each.
fn choices() -> Cmd {
    kubectl_admin()
        .words([
            "get",
            "-n",
            "kube-system",
            "configmap/coredns",
            "deployment/coredns",
        ])
        .words(["--ignore-not-found", "-o"])
        .word(
            "go-template={{range .items}}{{if eq .kind \"ConfigMap\"}}corefile {{index .data \"Corefile\"}}\
             {{else}}replicas {{.spec.replicas}}{{end}}{{\"\\n\"}}{{end}}",
        )
}

/// What others may choose of CoreDNS, and what there must be whoever does.
#[derive(Clone, Copy)]
enum Choice {
    /// A Corefile, and none that IEC wrote for a site which decided it before.
    Corefile,
    /// Pods.
    Replicas,
}

impl Choice {
    const fn words(self) -> &'static str {
        match self {
            Self::Corefile => "a Corefile",
            Self::Replicas => "pods",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Corefile => "corefile",
            Self::Replicas => "replicas",
        }
    }

    /// What sets the variable, in awk, of what [`choices`] prints.
    fn rules(self) -> String {
        match self {
            Self::Corefile => format!(
                "/^corefile ./ && $2 != \"<no\" {{ corefile = 1 }} /^corefile {OWN_COREFILE}/ {{ corefile = 0 }} "
            ),
            Self::Replicas => "/^replicas / && $2 + 0 > 0 { replicas = 1 } ".to_owned(),
        }
    }
}

/// Whether all of these are there.
fn are_chosen(all: &[Choice]) -> Expr {
    let rules: String = all.iter().map(|choice| choice.rules()).collect();
    let variables: Vec<&str> = all.iter().map(|choice| choice.variable()).collect();
    let program = format!("{rules}END {{ exit !({}) }}", variables.join(" && "));
    ask_cluster(Expr::Pipe(vec![choices(), Cmd::new(Program::Awk).word(program)]))
}

/// Whether the number of pods is there by a site that decided it before.
fn owns_replicas() -> Expr {
    let owned = kubectl_admin()
        .words([
            "get",
            "-n",
            "kube-system",
            "deployment/coredns",
            "--show-managed-fields",
        ])
        .words(["--ignore-not-found", "-o"])
        .word(
            "go-template={{range .metadata.managedFields}}{{if eq .manager \"iec\"}}\
             {{range $key, $value := index .fieldsV1 \"f:spec\"}}{{$key}} {{end}}{{end}}{{end}}",
        );
    Expr::Pipe(vec![owned, Cmd::new(Program::Grep).words(["-qF", "f:replicas"])])
}

/// What prints how the objects of the addons differ from this site's.
pub(super) fn addon_differences(addons: &Addons) -> Vec<Expr> {
    [kube_proxy(addons), coredns(addons)]
        .map(|manifest| differences(&manifest, &["-"]))
        .to_vec()
}

/// What the site does not decide.
fn left_to_others(addons: &Addons) -> Vec<Choice> {
    let corefile = addons.dns_configuration.is_none().then_some(Choice::Corefile);
    let replicas = addons.dns_replicas.is_none().then_some(Choice::Replicas);
    corefile.into_iter().chain(replicas).collect()
}

/// CoreDNS and kube-proxy: every object of theirs, whole, and what must be there of what others may choose.
pub(super) fn addons_questions(addons: &Addons) -> Vec<Question> {
    let mut questions = vec![
        question(
            "kube-proxy's objects are those of this site",
            ask_cluster(has_objects(&kube_proxy(addons), &["-"])),
        ),
        question(
            "CoreDNS' objects are those of this site",
            ask_cluster(has_objects(&coredns(addons), &["-"])),
        ),
    ];
    let left = left_to_others(addons);
    if !left.is_empty() {
        let words: Vec<&str> = left.iter().map(|choice| choice.words()).collect();
        questions.push(question(
            format!("CoreDNS has {}", words.join(" and ")),
            are_chosen(&left),
        ));
    }
    questions
}

/// Every command can be given a second time, whatever is left of the addons.
pub(super) fn addons(addons: &Addons) -> Vec<Expr> {
    let mut apply = Vec::new();
    if addons.dns_configuration.is_none() {
        apply.push(Expr::If {
            condition: Box::new(are_chosen(&[Choice::Corefile])),
            then: vec![],
            otherwise: vec![apply_objects(addon("coredns", COREFILE))],
        });
    }
    let objects = || apply_objects(coredns(addons));
    if addons.dns_replicas.is_some() {
        apply.push(objects());
    } else {
        let scale = kubectl_admin()
            .words(["scale", "-n", "kube-system", "deployment/coredns"])
            .words(["--replicas", REPLICAS]);
        apply.push(Expr::If {
            condition: Box::new(Expr::all([
                are_chosen(&[Choice::Replicas]),
                owns_replicas().not(),
            ])),
            then: vec![objects()],
            otherwise: vec![objects(), scale.into()],
        });
    }
    apply.push(apply_objects(kube_proxy(addons)));
    apply
}
