//! Questions and small commands that several steps share.

use iec_sh::{Cmd, Expr, Program, Question};

use crate::content::Digest;

/// `test` with these words.
pub(super) fn test<const N: usize>(words: [&str; N]) -> Expr {
    Cmd::new(Program::Test).words(words).into()
}

/// A command with these words.
pub(super) fn run<const N: usize>(program: Program, words: [&str; N]) -> Expr {
    Cmd::new(program).words(words).into()
}

/// A question whose answer 1 means that there is work to do.
pub(super) fn question(what: impl Into<String>, ask: Expr) -> Question {
    Question {
        what: what.into(),
        ask,
        needed: vec![1],
    }
}

/// A question that must be answered with 0; anything else stops the host before a change.
pub(super) fn required(what: impl Into<String>, ask: Expr) -> Question {
    Question {
        what: what.into(),
        ask,
        needed: vec![],
    }
}

/// Asks whether the output of `stat` about these files is what `marker` holds: size, time, inode, mode and owner.
///
/// What was verified once is trusted afterwards by these, as `git` trusts its index.
pub(super) fn unchanged_since(marker: &str, paths: &[String]) -> Expr {
    let listing = stat_listing(paths);
    Expr::all([
        test(["-f", marker]),
        Expr::Pipe(vec![listing, Cmd::new(Program::Cmp).words(["-s", "-", marker])]),
    ])
}

/// Writes the marker that [`unchanged_since`] compares with.
pub(super) fn remember(marker: &str, paths: &[String]) -> Vec<Expr> {
    vec![
        run(Program::Mkdir, ["-p", "/var/lib/iec/verified"]),
        stat_listing(paths).stdout_file(marker).into(),
    ]
}

fn stat_listing(paths: &[String]) -> Cmd {
    Cmd::new(Program::Stat)
        .words(["-c", "%n %s %Y %i %a %u:%g"])
        .words(paths.iter().map(String::as_str))
        .quiet_errors()
}

/// Asks whether the stamp at `path` is this digest: with what something was made or started last.
pub(super) fn has_stamp(path: &str, digest: Digest) -> Expr {
    Expr::from(Cmd::new(Program::Cat).word(path).quiet_errors()).prints(digest.to_string())
}

/// Writes the stamp that [`has_stamp`] reads. Its folder is made by whoever calls.
pub(super) fn stamp(path: &str, digest: Digest) -> Expr {
    Cmd::new(Program::Printf)
        .words(["%s\\n", &digest.to_string()])
        .stdout_file(path)
        .into()
}

/// Asks whether the file at `path` has this SHA-256.
pub(super) fn has_digest(path: &str, hex: &str) -> Expr {
    Expr::Pipe(vec![
        Cmd::new(Program::Printf).words(["%s  %s\\n", hex, path]),
        Cmd::new(Program::Sha256sum)
            .words(["-c", "--status"])
            .quiet_errors(),
    ])
}

/// The administrator's kubeconfig on a control plane.
pub(in crate::plan) const ADMIN: &str = "/etc/kubernetes/admin.conf";
/// The kubeconfig of a host's kubelet.
const NODE: &str = "/etc/kubernetes/kubelet.conf";

/// `kubectl` with the administrator's kubeconfig on a control plane.
pub(super) fn kubectl_admin() -> Cmd {
    kubectl(ADMIN, "20s")
}

/// The same, whose requests are given up after so long.
pub(super) fn kubectl_admin_within(timeout: &str) -> Cmd {
    kubectl(ADMIN, timeout)
}

/// `kubectl` with the credentials of this host's kubelet.
pub(super) fn kubectl_node() -> Cmd {
    kubectl(NODE, "20s")
}

fn kubectl(kubeconfig: &str, timeout: &str) -> Cmd {
    let timeout = format!("--request-timeout={timeout}");
    Cmd::new(Program::Kubectl).words(["--kubeconfig", kubeconfig, &timeout])
}

/// `kubectl` as anybody: what every server tells whoever asks. Without credentials it would ask for a user at a prompt;
/// a server ignores these and takes the request as anonymous.
pub(in crate::plan) fn kubectl_anonymous(server: &str) -> Cmd {
    Cmd::new(Program::Kubectl)
        .words([
            &format!("--server={server}"),
            "--username=anonymous",
            "--password=none",
        ])
        .word("--request-timeout=5s")
}

/// The same about this host itself, whatever its certificate and its kubeconfig say.
pub(in crate::plan) fn kubectl_of_host(server: &str) -> Cmd {
    kubectl_anonymous(server).words(["--kubeconfig=/dev/null", "--insecure-skip-tls-verify"])
}

/// A question that only the cluster of the administrator's kubeconfig can answer.
pub(super) fn ask_cluster(question: impl Into<Expr>) -> Expr {
    ask_api(ADMIN, question.into())
}

/// A question that only the cluster of the kubelet's kubeconfig can answer.
pub(super) fn ask_cluster_of_node(question: impl Into<Expr>) -> Expr {
    ask_api(NODE, question.into())
}

/// Before there is a kubeconfig there is no cluster, and all is to be done. Where the API server does not answer, nobody
/// can tell; a step that asks such a question has a wait for the API server before it.
fn ask_api(kubeconfig: &str, question: Expr) -> Expr {
    let answers = kubectl(kubeconfig, "5s").words(["get", "--raw", "/readyz"]);
    Expr::If {
        condition: Box::new(test(["-s", kubeconfig])),
        then: vec![Expr::AskAbsent {
            question: Box::new(question),
            answers: Box::new(answers.quiet()),
        }],
        otherwise: vec![Expr::FailsWith(Box::new(Expr::any(Vec::<Expr>::new())), 1)],
    }
}
