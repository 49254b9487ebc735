//! What was there before a step: kept before its first change, put back by its undo.
//!
//! A note counts by its name. So it gets its name when the disk has its content, and the journal's intent waits for all of
//! them: whatever a power cut takes, a note is whole or not there, and where it is not there nothing was changed yet.

use iec_sh::{Cmd, Expr, Program};

use super::HOME;
use super::ask::{run, test};

/// Where a step keeps what it found.
pub(super) fn place(step: &str) -> String {
    format!("{HOME}/before/{step}")
}

/// The notes of a step as one: their folder is made first, and is on the disk with all that is in it at the end.
pub(super) fn on_disk(step: &str, notes: Vec<Expr>) -> Vec<Expr> {
    if notes.is_empty() {
        return notes;
    }
    let place = place(step);
    let mut commands = vec![run(Program::Mkdir, ["-p", &place])];
    commands.extend(notes);
    commands.push(sync_below(&place));
    commands.push(run(Program::Sync, [&format!("{HOME}/before"), HOME]));
    commands
}

/// Waits until the disk has the files and folders at `path` and below.
pub(super) fn sync_below(path: &str) -> Expr {
    run(
        Program::Find,
        [
            path, "(", "-type", "f", "-o", "-type", "d", ")", "-exec", "sync", "{}", "+",
        ],
    )
}

/// Writes a note under another name, and gives it its own when the disk has it.
pub(super) fn write_note(note: &str, write: impl FnOnce(&str) -> Expr) -> Vec<Expr> {
    let part = format!("{note}.part");
    vec![
        write(&part),
        run(Program::Sync, [&part]),
        run(Program::Mv, ["-T", &part, note]),
    ]
}

/// Where a step keeps a path; `slot` tells several paths of a step apart.
fn kept(step: &str, slot: usize) -> String {
    format!("{}/{slot}", place(step))
}

fn is_there(path: &str) -> Expr {
    Expr::any([test(["-e", path]), test(["-L", path])])
}

/// Keeps what is at `path`, once: a second run must not take IEC's own file for the original.
pub(super) fn keep(step: &str, slot: usize, path: &str) -> Expr {
    let kept = kept(step, slot);
    let part = format!("{kept}.part");
    let absent = format!("{kept}.absent");
    Expr::If {
        condition: Box::new(Expr::any([is_there(&kept), test(["-e", &absent])])),
        then: vec![],
        otherwise: vec![Expr::If {
            condition: Box::new(is_there(path)),
            then: vec![
                run(Program::Rm, ["-rf", &part]),
                run(Program::Cp, ["-a", path, &part]),
                sync_below(&part),
                run(Program::Mv, ["-T", &part, &kept]),
            ],
            otherwise: vec![run(Program::Touch, [&absent])],
        }],
    }
}

/// Puts back what [`keep`] found at `path`, or removes what was not there.
pub(super) fn restore(step: &str, slot: usize, path: &str) -> Expr {
    let kept = kept(step, slot);
    Expr::If {
        condition: Box::new(is_there(&kept)),
        then: vec![
            run(Program::Rm, ["-f", path]),
            run(Program::Cp, ["-aT", &kept, path]),
        ],
        otherwise: vec![Expr::If {
            condition: Box::new(was_nothing(step, slot)),
            then: vec![run(Program::Rm, ["-f", path])],
            otherwise: vec![],
        }],
    }
}

/// Whether [`keep`] found nothing at the path of this slot.
pub(super) fn was_nothing(step: &str, slot: usize) -> Expr {
    test(["-e", &format!("{}.absent", kept(step, slot))])
}

/// Where a step keeps what systemd said of a unit.
fn unit_note(step: &str) -> String {
    format!("{}/unit", place(step))
}

/// Notes whether a unit of this name was enabled and active before the step whose file takes its place, such as a
/// distribution's containerd. It comes before [`keep`], after which the unit is IEC's own.
pub(super) fn note_unit(step: &str, unit: &str) -> Expr {
    let (note, kept) = (unit_note(step), kept(step, 0));
    let show = ["show", "-p", "ActiveState", "-p", "UnitFileState", unit];
    let known = [&note, &kept, &format!("{kept}.absent")].map(|path| test(["-e", path]));
    Expr::If {
        condition: Box::new(Expr::any(known)),
        then: vec![],
        otherwise: write_note(&note, |part| {
            Cmd::new(Program::Systemctl).words(show).stdout_file(part).into()
        }),
    }
}

/// Enables and starts again what [`note_unit`] found enabled and active, once its own file is back.
pub(super) fn restore_unit(step: &str, unit: &str) -> [Expr; 2] {
    let note = unit_note(step);
    let when = |state: &str, then: Expr| Expr::If {
        condition: Box::new(run(Program::Grep, ["-qsx", state, &note])),
        then: vec![then],
        otherwise: vec![],
    };
    [
        when("UnitFileState=enabled", run(Program::Systemctl, ["enable", unit])),
        // Whether it starts is no longer in IEC's hands, and must not keep the rest from being taken back.
        when(
            "ActiveState=active",
            run(Program::Systemctl, ["start", unit]).ignore_failure(),
        ),
    ]
}
