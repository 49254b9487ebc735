//! What the programs say on which a step depends: the reason when it fails, which whoever waited in vain does not know.

use iec_sh::{Cmd, Expr, Program};

use crate::plan::kubeadm::{InitPhase, JoinPhase};
use crate::plan::op::Op;

/// What prints the last words of these programs. They print no secret.
pub(super) fn last_words(op: &Op) -> Vec<Expr> {
    let mut words = Vec::new();
    if let Op::Wait(wait) = op {
        words.extend(wait.explains.iter().map(|ask| ask.clone().ignore_failure()));
    }
    let mut units = units(op);
    // What comes last is read first.
    let last = units.pop();
    words.extend(units.into_iter().map(unless_steady));
    words.extend(last.into_iter().flat_map(of_unit));
    words
}

/// The units on which a step depends.
fn units(op: &Op) -> Vec<&str> {
    match op {
        Op::Unit(unit) => vec![&unit.name],
        Op::Wait(wait) => wait.units.iter().map(String::as_str).collect(),
        Op::Init(InitPhase::KubeletStart) => vec![KUBELET],
        Op::Join(JoinPhase::KubeletStart | JoinPhase::KubeletWaitBootstrap) => vec![KUBELET],
        Op::KubeletConfiguration(_) => vec![KUBELET],
        Op::Images(_) => vec![CONTAINERD],
        _ => Vec::new(),
    }
}

/// The unit of the kubelet.
pub(crate) const KUBELET: &str = "kubelet.service";
/// The unit of the runtime.
pub(crate) const CONTAINERD: &str = "containerd.service";

/// The same of a unit that has failed or was started again since the boot; one that runs has nothing to say here.
fn unless_steady(name: &str) -> Expr {
    let restarts = Cmd::new(Program::Systemctl).words(["show", "-p", "NRestarts", "--value", name]);
    let active = Cmd::new(Program::Systemctl).words(["is-active", "--quiet", name]);
    Expr::If {
        condition: Box::new(Expr::all([Expr::from(active), Expr::from(restarts).prints("0")])),
        then: vec![],
        otherwise: of_unit(name).to_vec(),
    }
}

/// What systemd knows about a unit, and what its program has said last.
fn of_unit(name: &str) -> [Expr; 3] {
    let journal = |words: [&str; 4]| {
        Cmd::new(Program::Journalctl)
            .words(["-q", "--no-pager", "-o", "cat"])
            .words(words)
    };
    let own = format!("_SYSTEMD_UNIT={name}");
    let state = Cmd::new(Program::Systemctl).words(["show", name]).words([
        "-p",
        "Id",
        "-p",
        "LoadState",
        "-p",
        "ActiveState",
        "-p",
        "NRestarts",
        "-p",
        "DropInPaths",
    ]);
    [
        Expr::from(state).ignore_failure(),
        Expr::from(journal(["-b", "-n", "3", "-u"]).word(name)).ignore_failure(),
        Expr::from(journal(["-b", "-n", "8", &own])).ignore_failure(),
    ]
}
