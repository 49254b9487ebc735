//! What was there before a step: kept before its first change, put back by its undo.

use iec_sh::{Cmd, Expr, Program};

use super::HOME;
use super::ask::{run, test};

/// Where a step keeps what it found; `slot` tells several paths of a step apart.
fn kept(step: &str, slot: usize) -> String {
    format!("{HOME}/before/{step}/{slot}")
}

/// Keeps what is at `path`, once: a second run must not take IEC's own file for the original.
pub(super) fn keep(step: &str, slot: usize, path: &str) -> Vec<Expr> {
    let folder = format!("{HOME}/before/{step}");
    let kept = kept(step, slot);
    let absent = format!("{kept}.absent");
    vec![
        run(Program::Mkdir, ["-p", &folder]),
        Expr::If {
            condition: Box::new(Expr::any([
                test(["-e", &kept]),
                test(["-L", &kept]),
                test(["-e", &absent]),
            ])),
            then: vec![],
            otherwise: vec![Expr::If {
                condition: Box::new(Expr::any([test(["-e", path]), test(["-L", path])])),
                // Under another name first: a copy that a power cut halved is not taken for the original.
                then: vec![
                    run(Program::Rm, ["-rf", &format!("{kept}.part")]),
                    run(Program::Cp, ["-a", path, &format!("{kept}.part")]),
                    run(Program::Mv, ["-T", &format!("{kept}.part"), &kept]),
                ],
                otherwise: vec![run(Program::Touch, [&absent])],
            }],
        },
    ]
}

/// Puts back what [`keep`] found at `path`, or removes what was not there.
pub(super) fn restore(step: &str, slot: usize, path: &str) -> Expr {
    let kept = kept(step, slot);
    Expr::If {
        condition: Box::new(Expr::any([test(["-e", &kept]), test(["-L", &kept])])),
        then: vec![
            run(Program::Rm, ["-f", path]),
            run(Program::Cp, ["-aT", &kept, path]),
        ],
        otherwise: vec![Expr::If {
            condition: Box::new(test(["-e", &format!("{kept}.absent")])),
            then: vec![run(Program::Rm, ["-f", path])],
            otherwise: vec![],
        }],
    }
}

/// Where a step keeps what systemd said of a unit.
fn unit_note(step: &str) -> String {
    format!("{HOME}/before/{step}/unit")
}

/// Notes whether a unit of this name was enabled and active before the step whose file takes its place, such as a
/// distribution's containerd. It comes before [`keep`], after which the unit is IEC's own.
pub(super) fn note_unit(step: &str, unit: &str) -> Expr {
    let (note, kept) = (unit_note(step), kept(step, 0));
    let part = format!("{note}.part");
    let show = ["show", "-p", "ActiveState", "-p", "UnitFileState", unit];
    let known = [&note, &kept, &format!("{kept}.absent")].map(|path| test(["-e", path]));
    Expr::If {
        condition: Box::new(Expr::any(known)),
        then: vec![],
        otherwise: vec![
            run(Program::Mkdir, ["-p", &format!("{HOME}/before/{step}")]),
            Cmd::new(Program::Systemctl)
                .words(show)
                .stdout_file(part.as_str())
                .into(),
            run(Program::Mv, ["-T", &part, &note]),
        ],
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

/// Notes which of the folders were there before the step's first change.
pub(super) fn note_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
    note(step, folders, |_, note| run(Program::Touch, [note]))
}

/// Notes which of the folders were there before the step's first change, and what was in them.
pub(super) fn note_contents(step: &str, folders: &[&str]) -> Vec<Expr> {
    note(step, folders, |folder, note| {
        contents(folder).stdout_file(note).into()
    })
}

fn note(step: &str, folders: &[&str], present: impl Fn(&str, &str) -> Expr) -> Vec<Expr> {
    let place = format!("{HOME}/before/{step}");
    let mut commands = vec![run(Program::Mkdir, ["-p", &place])];
    for (slot, folder) in folders.iter().enumerate() {
        let note = format!("{place}/folder-{slot}");
        commands.push(Expr::If {
            condition: Box::new(Expr::any([
                test(["-e", &format!("{note}.absent")]),
                test(["-e", &format!("{note}.present")]),
            ])),
            then: vec![],
            otherwise: vec![Expr::If {
                condition: Box::new(test(["-e", folder])),
                then: vec![present(folder, &format!("{note}.present"))],
                otherwise: vec![run(Program::Touch, [&format!("{note}.absent")])],
            }],
        });
    }
    commands
}

/// What is in a folder, what is in its folders before them; not what is mounted there.
fn contents(folder: &str) -> Cmd {
    Cmd::new(Program::Find).words([folder, "-xdev", "-depth", "-mindepth", "1"])
}

/// Removes what has come into the folders since [`note_contents`], and those that were not there; files likewise.
///
/// What was there is somebody else's: another program's CNI plugin, a disk that is mounted as a data folder.
pub(super) fn remove_contents(step: &str, folders: &[&str]) -> Vec<Expr> {
    let place = format!("{HOME}/before/{step}");
    let mut commands = Vec::new();
    for (slot, folder) in folders.iter().enumerate() {
        let note = format!("{place}/folder-{slot}");
        let new = || test(["-e", &format!("{note}.absent")]);
        let is = |kind: &str| test([kind, folder]);
        commands.push(Expr::If {
            condition: Box::new(Expr::all([new(), is("-d")])),
            then: vec![
                run(Program::Find, [folder, "-xdev", "-mindepth", "1", "-delete"]),
                run(Program::Rmdir, [folder]),
            ],
            otherwise: vec![],
        });
        let known = format!("{note}.present");
        commands.push(Expr::If {
            condition: Box::new(Expr::all([test(["-e", &known]), is("-d")])),
            then: vec![Expr::Pipe(vec![
                contents(folder),
                Cmd::new(Program::Grep).words(["-vxF", "-f", &known]),
                Cmd::new(Program::Xargs).words(["-r", "-d", "\\n", "rm", "-df"]),
            ])],
            otherwise: vec![],
        });
        commands.push(Expr::If {
            condition: Box::new(Expr::all([new(), is("-f")])),
            then: vec![run(Program::Rm, ["-f", folder])],
            otherwise: vec![],
        });
    }
    commands
}

/// Whether [`note_folders`] did not find the folder of this slot.
pub(super) fn was_absent(step: &str, slot: usize) -> Expr {
    test(["-e", &format!("{HOME}/before/{step}/folder-{slot}.absent")])
}

/// Removes those of the folders that [`note_folders`] did not find, the deepest first, as far as they are empty.
pub(super) fn remove_empty_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
    folders
        .iter()
        .enumerate()
        .rev()
        .map(|(slot, folder)| Expr::If {
            condition: Box::new(was_absent(step, slot)),
            then: vec![Expr::from(Cmd::new(Program::Rmdir).word(*folder).quiet()).ignore_failure()],
            otherwise: vec![],
        })
        .collect()
}
