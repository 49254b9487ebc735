//! systemd units.

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{has_stamp, question, run, stamp};
use super::folders::{note_contents, remove_contents, remove_mounts};
use super::{HOME, Lowered, Undo};
use crate::plan::op::Unit;
use crate::plan::service_network;

pub(super) fn unit(id: &str, unit: &Unit) -> Lowered {
    let name = unit.name.as_str();
    let marker = format!("{HOME}/units/{name}");
    let creates: Vec<&str> = unit.creates.iter().map(String::as_str).collect();
    let mut check = vec![
        Question {
            what: format!("{name} is enabled"),
            // 1: disabled or without a file; 4: no such unit (systemd since version 252).
            ask: Cmd::new(Program::Systemctl)
                .words(["is-enabled", "--quiet", name])
                .into(),
            needed: vec![1, 4],
        },
        question(
            format!("{name} knows its present configuration"),
            has_stamp(&marker, unit.configuration),
        ),
    ];
    let mut keep = note_contents(id, &creates);
    if name == service_network::UNIT_NAME {
        keep.push(super::network::note_tables(id));
    }
    let mut apply = vec![
        run(Program::Systemctl, ["daemon-reload"]),
        run(Program::Systemctl, ["enable", name]),
    ];
    if unit.active {
        check.push(Question {
            what: format!("{name} is active"),
            // 3: not active; 4: no such unit.
            ask: Cmd::new(Program::Systemctl)
                .words(["is-active", "--quiet", name])
                .into(),
            needed: vec![3, 4],
        });
        apply.push(run(Program::Systemctl, ["restart", name]));
    } else {
        // It runs when its condition is met: then it takes the new configuration, else nothing happens.
        apply.push(run(Program::Systemctl, ["try-restart", name]));
    }
    check.extend(unit.effects.iter().map(|effect| Question {
        what: effect.what.clone(),
        ask: Expr::FailsWith(Box::new(effect.ask.clone()), 1),
        needed: vec![1],
    }));
    apply.push(run(Program::Mkdir, ["-p", &format!("{HOME}/units")]));
    apply.push(stamp(&marker, unit.configuration));

    let mut undo = vec![
        run(Program::Systemctl, ["disable", "--now", name]),
        run(Program::Rm, ["-f", &marker]),
        // A unit that failed would stay in systemd's list after its file is gone.
        Expr::from(Cmd::new(Program::Systemctl).words(["reset-failed", name]).quiet()).ignore_failure(),
    ];
    if name == "containerd.service" {
        undo.splice(0..0, super::kubeadm::remove_containers());
        undo.extend(["/run/containerd", "/var/lib/containerd"].map(remove_mounts));
    }
    if name == service_network::UNIT_NAME {
        undo.extend(super::network::remove_empty_tables(id));
    }
    undo.extend(remove_contents(id, &creates));
    Lowered {
        check,
        keep,
        apply,
        undo: Undo::Commands(undo),
        shows: vec![],
        sensitive: false,
    }
}
