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

/// Notes which of these folders are there, before a program makes them.
pub(super) fn note_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
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
                then: vec![run(Program::Touch, [&format!("{note}.present")])],
                otherwise: vec![run(Program::Touch, [&format!("{note}.absent")])],
            }],
        });
    }
    commands
}

/// Empties the folders that [`note_folders`] noted, and removes those that were not there; files likewise.
///
/// A folder that was there may be the mount point of a disk of its own: its content goes, it stays.
pub(super) fn remove_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
    let place = format!("{HOME}/before/{step}");
    let when = |condition: Expr, then: Expr| Expr::If {
        condition: Box::new(condition),
        then: vec![then],
        otherwise: vec![],
    };
    let mut commands = Vec::new();
    for (slot, folder) in folders.iter().enumerate() {
        let new = || test(["-e", &format!("{place}/folder-{slot}.absent")]);
        let is = |kind: &str| test([kind, folder]);
        commands.push(when(
            is("-d"),
            run(Program::Find, [folder, "-xdev", "-mindepth", "1", "-delete"]),
        ));
        commands.push(when(Expr::all([new(), is("-d")]), run(Program::Rmdir, [folder])));
        commands.push(when(
            Expr::all([new(), is("-f")]),
            run(Program::Rm, ["-f", folder]),
        ));
    }
    commands
}

/// Removes those of the folders that [`note_folders`] did not find, the deepest first, as far as they are empty.
pub(super) fn remove_empty_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
    let place = format!("{HOME}/before/{step}");
    folders
        .iter()
        .enumerate()
        .rev()
        .map(|(slot, folder)| Expr::If {
            condition: Box::new(test(["-e", &format!("{place}/folder-{slot}.absent")])),
            then: vec![Expr::from(Cmd::new(Program::Rmdir).word(*folder).quiet()).ignore_failure()],
            otherwise: vec![],
        })
        .collect()
}
