//! keepalived as a static pod, and the address off the host when it goes.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{question, run};
use super::last_words::{CONTAINERD, KUBELET};
use super::static_pod::{processes, runs_as, what_it_says};
use super::{Lowered, Undo, file, turn};
use crate::plan::op::{FileContent, FileOp, VirtualAddressOp};
use crate::plan::virtual_address::{POD, POD_FILE, as_configured};

/// Seconds until the kubelet has started it.
const START_SECONDS: u32 = 120;
/// Seconds until the kubelet, or whoever ends it without one, has ended it.
const END_SECONDS: u32 = 60;

/// Looks for any keepalived of such a pod.
const IS_LEFT: &str = r#"{ sub(/^ +/, "") }
index($0, "/usr/sbin/keepalived --dont-fork --log-console --vrrp --use-file=/run/keepalived.conf") == 1 { runs = 1 }
END { exit !runs }
"#;

pub(super) fn virtual_address(id: &str, op: &VirtualAddressOp) -> Lowered {
    let manifest = FileOp {
        path: POD_FILE.to_owned(),
        mode: 0o600,
        content: FileContent::Text(op.pod.clone()),
    };
    let mut lowered = file::file(id, &manifest);
    let runs = runs_as(&op.command_line);
    lowered.check.push(question(
        "keepalived runs with its present configuration",
        runs.clone(),
    ));
    let mut failed = vec![what_it_says(POD).ignore_failure()];
    if let Some(node) = &op.among {
        // All at once, nobody would have the address for a quarter of a minute.
        let turn = Expr::If {
            condition: Box::new(Expr::all([left(), turn::somebody_answers()])),
            then: turn::take(node),
            otherwise: vec![],
        };
        lowered.apply.insert(0, turn);
        failed.push(turn::fail(node, POD));
    }
    failed.push(Expr::any(Vec::<Expr>::new()));
    lowered.apply.push(Expr::If {
        condition: Box::new(poll(runs, START_SECONDS)),
        then: op.among.iter().map(|node| turn::give_back(node)).collect(),
        otherwise: failed,
    });
    if let Undo::Commands(commands) = &mut lowered.undo {
        commands.extend(end(op));
    }
    lowered
}

/// keepalived takes the address off itself when it is asked to end. Where no kubelet runs, or none ends it, this does.
fn end(op: &VirtualAddressOp) -> Vec<Expr> {
    let is_gone = left().not();
    let address = as_configured(op.address);
    let ask_to_end = Expr::Pipe(vec![
        Cmd::new(Program::Ctr)
            .words(["-n", "k8s.io", "containers", "ls", "-q"])
            .word(format!("labels.\"io.kubernetes.container.name\"=={POD}"))
            .quiet_errors(),
        Cmd::new(Program::Xargs)
            .words(["-r", "-n", "1", "ctr", "-n", "k8s.io"])
            .words(["tasks", "kill", "-s", "SIGTERM"]),
    ]);
    let take_off = Expr::Pipe(vec![
        Cmd::new(Program::Ip).words(["-4", "-oneline", "address", "show", "to", &address]),
        Cmd::new(Program::Awk).word("{ print $2 }"),
        Cmd::new(Program::Xargs).words(["-r", "-n", "1", "ip", "address", "delete", &address, "dev"]),
    ]);
    vec![
        Expr::If {
            condition: Box::new(run(Program::Systemctl, ["is-active", "--quiet", KUBELET])),
            then: vec![poll(is_gone.clone(), END_SECONDS).ignore_failure()],
            otherwise: vec![],
        },
        Expr::If {
            condition: Box::new(is_gone.clone()),
            then: vec![],
            otherwise: vec![
                ask_to_end.ignore_failure(),
                poll(is_gone, END_SECONDS).ignore_failure(),
            ],
        },
        take_off,
    ]
}

/// Whether a keepalived of such a pod runs, with whatever configuration.
fn left() -> Expr {
    among_processes(Cmd::new(Program::Awk).word(IS_LEFT))
}

fn among_processes(look: Cmd) -> Expr {
    let mut pipe = processes();
    pipe.push(look);
    Expr::Pipe(pipe)
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
