//! Folders that programs fill: what was in them before a step is noted, and what has come since is taken away.
//!
//! A folder may be a link to another disk, or a disk of its own: links are followed to what is in them, and both stay.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{run, test};
use super::undo::{place, write_note};

/// What the file system itself keeps at the top of a disk.
pub(super) const LOST_AND_FOUND: &str = "lost+found";

fn note_of(step: &str, slot: usize) -> String {
    format!("{}/folder-{slot}", place(step))
}

/// Notes which of the folders were there before the step's first change.
pub(super) fn note_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
    note(step, folders, "present", |_, note| {
        vec![run(Program::Touch, [&format!("{note}.present")])]
    })
}

/// Notes which of the folders were there before the step's first change, what was in them, and whose they were.
pub(super) fn note_contents(step: &str, folders: &[&str]) -> Vec<Expr> {
    note(step, folders, "contents", |folder, note| {
        let like = format!("{note}.like");
        let mut commands = vec![Expr::If {
            condition: Box::new(test(["-d", folder])),
            // A file that only carries the owner and the mode of the folder.
            then: vec![
                run(Program::Touch, [&like]),
                run(Program::Chown, [&format!("--reference={folder}"), &like]),
                run(Program::Chmod, [&format!("--reference={folder}"), &like]),
                run(Program::Sync, [&like]),
            ],
            otherwise: vec![],
        }];
        commands.extend(write_note(&format!("{note}.contents"), |part| {
            // Into a file by itself, not by a pipe: an answer that broke off would make an end of what it did not name.
            let list = contents(folder).words(["-fprint0", part]);
            let sort = Cmd::new(Program::Sort).words(["-z", "-o", part, part]);
            Expr::all([list, sort])
        }));
        commands
    })
}

fn note(step: &str, folders: &[&str], ending: &str, present: impl Fn(&str, &str) -> Vec<Expr>) -> Vec<Expr> {
    let note_one = |(slot, folder): (usize, &&str)| {
        let note = note_of(step, slot);
        let absent = format!("{note}.absent");
        Expr::If {
            condition: Box::new(Expr::any([
                test(["-e", &absent]),
                test(["-e", &format!("{note}.{ending}")]),
            ])),
            then: vec![],
            otherwise: vec![Expr::If {
                // A link that leads nowhere is somebody's too.
                condition: Box::new(Expr::any([test(["-e", folder]), test(["-L", folder])])),
                then: present(folder, &note),
                otherwise: vec![run(Program::Touch, [&absent])],
            }],
        }
    };
    folders.iter().enumerate().map(note_one).collect()
}

/// What is in a folder or behind a link to one; not what is mounted there.
fn contents(folder: &str) -> Cmd {
    Cmd::new(Program::Find).words(["-H", folder, "-ignore_readdir_race", "-xdev", "-mindepth", "1"])
}

/// Removes what has come into the folders since [`note_contents`], and those that were not there; files likewise.
///
/// What was there is somebody else's: another program's CNI plugin, a disk that is mounted as a data folder.
pub(super) fn remove_contents(step: &str, folders: &[&str]) -> Vec<Expr> {
    let each = |(slot, folder): (usize, &&str)| {
        [
            remove_new_folder(step, slot, folder),
            remove_new_contents(step, slot, folder),
            when(
                Expr::all([was_absent(step, slot), test(["-f", folder])]),
                vec![run(Program::Rm, ["-f", folder])],
            ),
        ]
    };
    folders.iter().enumerate().flat_map(each).collect()
}

/// A folder that was not there goes with all that is in it. Somebody may have moved it to another disk since, by a link or
/// a mount: both are theirs.
fn remove_new_folder(step: &str, slot: usize, folder: &str) -> Expr {
    let lost = format!("{folder}/{LOST_AND_FOUND}");
    let empty = contents(folder).words(["!", "-path", &lost, "!", "-path", &format!("{lost}/*"), "-delete"]);
    let moved = Expr::any([test(["-L", folder]), run(Program::Mountpoint, ["-q", folder])]);
    when(
        Expr::all([was_absent(step, slot), test(["-d", folder])]),
        vec![
            empty.into(),
            Expr::If {
                condition: Box::new(moved),
                then: vec![],
                otherwise: vec![run(Program::Rmdir, [folder])],
            },
        ],
    )
}

fn remove_new_contents(step: &str, slot: usize, folder: &str) -> Expr {
    let note = note_of(step, slot);
    let (known, like) = (format!("{note}.contents"), format!("{note}.like"));
    let reference = format!("--reference={like}");
    when(
        Expr::all([test(["-e", &known]), test(["-d", folder])]),
        vec![
            // Names end with a zero byte all the way: a pod may have a newline in one, with somebody else's path behind it.
            Expr::Pipe(vec![
                contents(folder).word("-print0"),
                Cmd::new(Program::Sort).word("-z"),
                Cmd::new(Program::Comm).words(["-z", "-13", &known, "-"]),
                Cmd::new(Program::Sort).word("-zr"),
                Cmd::new(Program::Xargs).words(["-0", "-r", "rm", "-df", "--"]),
            ]),
            when(
                test(["-e", &like]),
                vec![
                    run(Program::Chown, [&reference, folder]),
                    run(Program::Chmod, [&reference, folder]),
                ],
            ),
        ],
    )
}

/// Whether [`note_folders`] did not find the folder of this slot.
pub(super) fn was_absent(step: &str, slot: usize) -> Expr {
    test(["-e", &format!("{}.absent", note_of(step, slot))])
}

/// Removes those of the folders that [`note_folders`] did not find, the deepest first, as far as they are empty.
pub(super) fn remove_empty_folders(step: &str, folders: &[&str]) -> Vec<Expr> {
    folders
        .iter()
        .enumerate()
        .rev()
        .map(|(slot, folder)| {
            let remove = Expr::from(Cmd::new(Program::Rmdir).word(*folder).quiet()).ignore_failure();
            when(was_absent(step, slot), vec![remove])
        })
        .collect()
}

/// Takes away every mount below `folder`, the deepest first; below what it links to, since the kernel names mounts by that.
pub(super) fn remove_mounts(folder: &str) -> Expr {
    Expr::Pipe(vec![
        Cmd::new(Program::Readlink).words(["-f", folder]),
        Cmd::new(Program::Awk).words([MOUNTS_BELOW, "-", "/proc/mounts"]),
        Cmd::new(Program::Sort).word("-r"),
        Cmd::new(Program::Xargs).words(["-r", "-d", "\\n", "-n", "1", "umount", "-l"]),
    ])
    .ignore_failure()
}

/// Prints the mounts below the folder that its first input names. The kernel writes blanks and backslashes as octal numbers.
const MOUNTS_BELOW: &str = r#"FILENAME == "-" { folder = $0 "/"; next }
{ path = $2; gsub(/\\040/, " ", path); gsub(/\\011/, "\t", path); gsub(/\\134/, "\\", path) }
folder != "" && index(path, folder) == 1 { print path }"#;

fn when(condition: Expr, then: Vec<Expr>) -> Expr {
    Expr::If {
        condition: Box::new(condition),
        then,
        otherwise: vec![],
    }
}
