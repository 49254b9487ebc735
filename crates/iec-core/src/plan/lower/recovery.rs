//! The cluster's etcd started again from the data of one member, after the majority of its members was lost.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{kubectl_admin, question, run, test};
use super::file::parent;
use super::last_words::KUBELET;
use super::static_pod::etcd_says;
use super::{HOME, Lowered, Undo, turn};
use crate::plan::op::RecoveryStep;
use crate::plan::static_pod::{Component, ETCD_MEMBER, FORCED_ETCD};

/// Where the data of members is that do not count any more. A host that becomes bare loses it.
pub const ETCD_SET_ASIDE: &str = "/var/lib/iec/etcd-set-aside";
/// The manifest while it is written: a kubelet takes whatever is in its folder for a pod.
const NEW: &str = "/var/lib/iec/incoming/etcd.yaml";
/// The argument by which the cluster's etcd is known among the programs that run.
const DATA: &str = "--data-dir=/var/lib/etcd";
/// Seconds in which static pods end: an API server lets its clients go first.
const END_SECONDS: u32 = 180;
/// Seconds in which etcd starts.
const START_SECONDS: u32 = 300;

pub(super) fn recovery(step: RecoveryStep) -> Lowered {
    match step {
        RecoveryStep::SetAside => set_aside(),
        RecoveryStep::StartAlone => start_alone(),
        RecoveryStep::NoTurn => no_turn(),
    }
}

/// The data of a member that knows less than another one, moved away; its control plane stops, and joins anew.
fn set_aside() -> Lowered {
    let folder = format!("{ETCD_SET_ASIDE}/member");
    let mut apply: Vec<Expr> = Component::ALL
        .map(|component| run(Program::Rm, ["-f", &component.file()]))
        .to_vec();
    apply.extend([
        poll(runs_with(DATA).not(), END_SECONDS),
        run(Program::Mkdir, ["-p", ETCD_SET_ASIDE]),
        run(Program::Chmod, ["0700", ETCD_SET_ASIDE]),
        // A second recovery must not lose what the first one has kept.
        run(Program::Mv, ["--backup=numbered", "-T", ETCD_MEMBER, &folder]),
        run(Program::Rm, ["-f", &format!("{HOME}/set/etcd")]),
        run(Program::Sync, ["-f", ETCD_SET_ASIDE]),
    ]);
    Lowered {
        check: vec![question(
            "no data of the lost etcd is in use",
            test(["-d", ETCD_MEMBER]).not(),
        )],
        keep: vec![],
        apply,
        undo: Undo::Irreversible("etcd goes on without what this member knew"),
        shows: vec![],
        sensitive: false,
    }
}

/// etcd started as the only member with all data that it has. The flag for that is taken off again at once: with it every
/// start forgets the other members, <https://etcd.io/docs/v3.6/op-guide/configuration/>.
fn start_alone() -> Lowered {
    let path = Component::Etcd.file();
    let flag = FORCED_ETCD.trim_start_matches(' ').trim_start_matches("- ");
    let ready = || Expr::from(etcd_says("/readyz").quiet());
    let has_flag = || run(Program::Grep, ["-qx", "-e", FORCED_ETCD, &path]);
    let insert = format!("{{ print }}\n$0 == \"    - etcd\" {{ print \"{FORCED_ETCD}\" }}");
    let mut apply = vec![
        run(Program::Mkdir, ["-p", parent(NEW)]),
        Expr::If {
            condition: Box::new(has_flag()),
            then: vec![],
            otherwise: replace(Cmd::new(Program::Awk).words([&insert, &path]), &path),
        },
        poll(Expr::all([runs_with(flag), ready()]), START_SECONDS),
    ];
    let without = Cmd::new(Program::Grep).words(["-vx", "-e", FORCED_ETCD, &path]);
    apply.extend(replace(without, &path));
    apply.extend([
        poll(
            Expr::all([runs_with(flag).not(), runs_with(DATA), ready()]),
            START_SECONDS,
        ),
        // It has tried the other components in vain, ever more seldom; a kubelet that starts anew tries them at once.
        run(Program::Systemctl, ["restart", KUBELET]),
    ]);
    Lowered {
        check: vec![
            question("etcd is not about to forget its members", has_flag().not()),
            question("etcd has a leader", ready()),
        ],
        keep: vec![],
        apply,
        undo: Undo::Irreversible("etcd has forgotten its other members"),
        shows: vec![],
        sensitive: false,
    }
}

/// No turn to change a control plane is left with a host that was lost.
fn no_turn() -> Lowered {
    Lowered {
        check: vec![question(
            "nobody has the turn to change a control plane",
            turn::is_free(),
        )],
        keep: vec![],
        apply: vec![
            kubectl_admin()
                .words(["delete", "-n", "kube-system", turn::LEASE, "--ignore-not-found"])
                .into(),
        ],
        undo: Undo::Nothing,
        shows: vec![],
        sensitive: false,
    }
}

/// Puts what the command prints in the place of the manifest.
fn replace(command: Cmd, path: &str) -> Vec<Expr> {
    vec![
        command.stdout_file(NEW).into(),
        run(Program::Chmod, ["0600", NEW]),
        run(Program::Sync, [NEW]),
        run(Program::Mv, ["-fT", NEW, path]),
        run(Program::Sync, [parent(path)]),
    ]
}

fn poll(question: Expr, deadline_seconds: u32) -> Expr {
    Expr::Poll {
        question: Box::new(question),
        every_seconds: 1,
        deadline_seconds,
        units: vec![],
        slowness: 1,
    }
}

/// Whether a program runs that has this argument.
pub(super) fn runs_with(argument: &str) -> Expr {
    // An expression of which the last letter is a class does not find whoever looks for it.
    let (rest, last) = argument.split_at(argument.len() - 1);
    let expression = format!("{rest}[{last}]");
    Expr::Pipe(vec![
        Cmd::new(Program::Find)
            .words(["/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cmdline"])
            .words(["-exec", "grep", "-lsxz", "-e", &expression, "{}", "+"])
            .quiet_errors(),
        Cmd::new(Program::Grep).words(["-q", "."]),
    ])
}
