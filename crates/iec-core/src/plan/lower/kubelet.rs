//! The kubelet's configuration: written by IEC, whole, and read by a kubelet that runs with it.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{question, run, test};
use super::gate::Gate;
use super::last_words::KUBELET;
use super::{HOME, Lowered, Undo, file};
use crate::plan::kubelet::CONFIGURATION_FILE;
use crate::plan::op::{FileContent, FileOp};

/// Where a kubelet looks for static pods. A worker has none, and without the folder its kubelet complains all the time.
const STATIC_PODS: &str = "/etc/kubernetes/manifests";

/// Seconds in which a kubelet that was started again must be at work: a slow board needs half a minute.
const ACCEPTED_SECONDS: u32 = 180;

pub(super) fn configuration(id: &str, text: &str) -> Lowered {
    let gate = Gate {
        path: CONFIGURATION_FILE,
        name: "kubelet-configuration.yaml",
        reload: vec![
            Expr::from(
                Cmd::new(Program::Systemctl)
                    .words(["reset-failed", KUBELET])
                    .quiet(),
            )
            .ignore_failure(),
            run(Program::Systemctl, ["restart", KUBELET]),
        ],
        accepted: is_at_work(),
        deadline_seconds: ACCEPTED_SECONDS,
        units: vec![KUBELET.into()],
        evidence: vec![what_it_says()],
    };
    let written = file::file(
        id,
        &FileOp {
            path: CONFIGURATION_FILE.to_owned(),
            mode: 0o600,
            content: FileContent::Text(text.to_owned()),
        },
    );
    let mut check = written.check;
    check.push(question(
        format!("there is a folder {STATIC_PODS}"),
        test(["-d", STATIC_PODS]),
    ));
    check.push(question(
        "the kubelet was started with its present configuration",
        starts_after_file().prints(""),
    ));
    check.push(gate.question());
    let mut apply = vec![run(Program::Mkdir, ["-p", STATIC_PODS])];
    apply.extend(gate.begin());
    apply.extend(written.apply);
    apply.extend(gate.end());
    Lowered {
        check,
        keep: vec![],
        apply,
        // The file goes with the node; what is kept beside it is IEC's own.
        undo: Undo::Commands(vec![run(Program::Rm, ["-rf", &format!("{HOME}/former")])]),
        shows: written.shows,
        sensitive: false,
    }
}

/// Prints the file's path when it is newer than the kubelet's start; nothing where no kubelet runs, which another step sees.
fn starts_after_file() -> Expr {
    let start = Cmd::new(Program::Systemctl)
        .words([
            "show",
            "-p",
            "ExecMainStartTimestamp",
            "--value",
            "--timestamp=us",
        ])
        .word(KUBELET);
    let newer = Cmd::new(Program::Xargs)
        .words(["-r", "-d", "\\n", "-I{}", "find", CONFIGURATION_FILE])
        .words(["-newermt", "{}"]);
    Expr::Pipe(vec![start, newer])
}

/// What the kubelet itself says of its work, on the port for that which only this host reaches.
fn is_at_work() -> Expr {
    Cmd::new(Program::Kubectl)
        .words(["--kubeconfig=/dev/null", "--server=http://127.0.0.1:10248"])
        .words(["--request-timeout=5s", "get", "--raw", "/healthz"])
        .into()
}

fn what_it_says() -> Expr {
    Cmd::new(Program::Journalctl)
        .words(["-q", "--no-pager", "-o", "cat", "-b", "-n", "8"])
        .word(format!("_SYSTEMD_UNIT={KUBELET}"))
        .into()
}
