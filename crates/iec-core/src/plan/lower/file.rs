//! Files, programs and links.

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{has_digest, question, remember, required, run, test, unchanged_since};
use super::edit::Edit;
use super::folders::{note_folders, remove_empty_folders};
use super::undo::{keep, note_unit, restore, restore_unit, was_nothing};
use super::{After, HOME, Lowered, SECRETS, Shown, Undo};
use crate::content::Digest;
use crate::plan::op::{FileContent, FileOp, Program as StoreProgram, ProgramOwner};

/// The key of the cluster's authority, which control planes have.
const CLUSTER_KEY: &str = "/etc/kubernetes/pki/ca.key";
/// The folder in which systemd finds the units of the host's administrator.
const UNIT_FOLDER: &str = "/etc/systemd/system/";
/// The folder whose files the kubelet runs as pods, but for hidden ones.
const STATIC_PODS: &str = "/etc/kubernetes/manifests/";

pub(super) fn file(id: &str, file: &FileOp) -> Lowered {
    let path = file.path.as_str();
    let new = match path.strip_prefix(STATIC_PODS) {
        // Under a name that shows, the kubelet would start the pod twice.
        Some(name) => format!("{STATIC_PODS}.{name}.iec-new"),
        None => format!("{path}.iec-new"),
    };
    let mode = format!("{:04o}", file.mode);
    let mut check = vec![no_link(path), has_mode(path, file.mode)];
    let install = Cmd::new(Program::Install).words(["-m", &mode, "-o", "root", "-g", "root"]);
    let (install, sensitive) = match &file.content {
        FileContent::Text(text) => {
            check.push(question(
                format!("{path} has the content of the plan"),
                // A pipe in its place would be waited for.
                Expr::all([
                    test(["-f", path]),
                    has_digest(path, &Digest::of(text.as_bytes()).hex()),
                ]),
            ));
            (
                install.words(["/dev/stdin", &new]).stdin_text(text.as_str()),
                false,
            )
        }
        FileContent::Secret(name) => {
            check.push(question(format!("{path} is there"), test(["-s", path])));
            (
                install.words([&format!("{SECRETS}/{}", name.file_name()), &new]),
                true,
            )
        }
        FileContent::Changing { secret, digest } => {
            let keyed = Expr::Pipe(vec![
                // grep ends each file with a line end, whoever wrote it.
                Cmd::new(Program::Grep)
                    .words(["-a", "-h", "", CLUSTER_KEY, path])
                    .quiet_errors(),
                Cmd::new(Program::Sha256sum),
            ]);
            let digest = format!("{}  -", digest.hex());
            check.push(question(
                format!("{path} has the content of the plan"),
                keyed.prints(digest),
            ));
            (
                install.words([&format!("{SECRETS}/{}", secret.file_name()), &new]),
                true,
            )
        }
    };
    let own = own_folders(path);
    let mut keeps = note_folders(id, &own);
    let unit = path.strip_prefix(UNIT_FOLDER).filter(|name| !name.contains('/'));
    if let Some(unit) = unit {
        keeps.push(note_unit(id, unit));
    }
    keeps.push(keep(id, 0, path));
    let apply = vec![
        run(Program::Mkdir, ["-p", parent(path)]),
        install.into(),
        // The check of a secret looks at its name only, and programs read files that nobody checks again.
        run(Program::Sync, [&new]),
        run(Program::Mv, ["-fT", &new, path]),
    ];
    let mut undo = vec![run(Program::Rm, ["-f", &new]), restore(id, 0, path)];
    undo.extend(remove_empty_folders(id, &own));
    if path.starts_with(UNIT_FOLDER) {
        undo.push(run(Program::Systemctl, ["daemon-reload"]));
    }
    if let Some(unit) = unit {
        undo.extend(restore_unit(id, unit));
    }
    let shows = match &file.content {
        FileContent::Text(text) => vec![Shown {
            path: path.to_owned(),
            after: After::Text(text.clone()),
        }],
        FileContent::Secret(_) | FileContent::Changing { .. } => vec![],
    };
    Lowered {
        check,
        keep: keeps,
        apply,
        undo: Undo::Commands(undo),
        shows,
        sensitive,
    }
}

pub(super) fn programs(id: &str, programs: &[StoreProgram], owner: ProgramOwner) -> Lowered {
    let paths: Vec<String> = programs.iter().map(|program| program.path.clone()).collect();
    let listing: String = programs
        .iter()
        .map(|program| format!("{}  {}\n", program.digest.hex(), program.path))
        .collect();
    let marker = format!("{HOME}/verified/{}", Digest::of(listing.as_bytes()).short());
    let mut check: Vec<Question> = paths
        .iter()
        .map(|path| question(format!("{path} is there"), test(["-x", path])))
        .collect();
    if owner == ProgramOwner::Iec {
        check.push(question(
            "the programs are those of the bundle",
            unchanged_since(&marker, &paths),
        ));
    }

    let own: Vec<&str> = paths.first().map(|path| own_folders(path)).unwrap_or_default();
    let mut folders: Vec<&str> = paths.iter().map(|path| parent(path)).collect();
    folders.sort_unstable();
    folders.dedup();
    let mut keeps = note_folders(id, &own);
    let mut apply: Vec<Expr> = vec![Cmd::new(Program::Mkdir).word("-p").words(folders).into()];
    for (slot, program) in programs.iter().enumerate() {
        let path = program.path.as_str();
        let new = format!("{path}.iec-new");
        let blob = format!("{HOME}/store/{}", program.digest.blob_path());
        keeps.push(keep(id, slot, path));
        apply.push(run(
            Program::Install,
            ["-m", "0755", "-o", "root", "-g", "root", &blob, &new],
        ));
        apply.push(run(Program::Mv, ["-fT", &new, path]));
    }
    apply.push(
        Cmd::new(Program::Sha256sum)
            .words(["-c", "--quiet"])
            .stdin_text(listing)
            .into(),
    );
    // From here on they are trusted by their size and time, which a power cut may leave as they are on some file systems.
    apply.push(
        Cmd::new(Program::Sync)
            .words(paths.iter().map(String::as_str))
            .into(),
    );
    apply.extend(remember(&marker, &paths));

    let mut undo = Vec::new();
    for (slot, path) in paths.iter().enumerate() {
        undo.push(run(Program::Rm, ["-f", &format!("{path}.iec-new")]));
        undo.push(restore(id, slot, path));
    }
    undo.push(run(Program::Rm, ["-f", &marker]));
    undo.extend(remove_empty_folders(id, &own));
    Lowered {
        check,
        keep: keeps,
        apply,
        undo: Undo::Commands(undo),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn link(id: &str, path: &str, target: &str) -> Lowered {
    let points = Expr::from(Cmd::new(Program::Readlink).word(path).quiet_errors()).prints(target);
    Lowered {
        check: vec![question(format!("{path} points to {target}"), points)],
        keep: vec![keep(id, 0, path)],
        apply: vec![
            run(Program::Mkdir, ["-p", parent(path)]),
            run(Program::Ln, ["-sfT", target, path]),
        ],
        undo: Undo::Commands(vec![restore(id, 0, path)]),
        shows: vec![Shown::in_part(path)],
        sensitive: false,
    }
}

pub(super) fn line(id: &str, path: &str, line: &str, tag: &str) -> Lowered {
    let whole = format!("{line} {tag}");
    let edit = Edit::new(path);
    let without = |from: &str| {
        Expr::from(
            Cmd::new(Program::Grep)
                .words(["-vF", tag, from])
                .stdout_file(edit.part.as_str())
                .quiet_errors(),
        )
        .ignore_failure()
    };
    let mut apply = vec![edit.begin(without)];
    apply.push(Expr::Pipe(vec![
        Cmd::new(Program::Printf).words(["%s\\n", &whole]),
        Cmd::new(Program::Tee).words(["-a", &edit.part]).quiet(),
    ]));
    apply.extend(edit.end());
    let mut undo = vec![edit.begin(without)];
    undo.extend(edit.end());
    Lowered {
        check: vec![
            Question {
                what: format!("{path} has the line of IEC"),
                ask: run(Program::Grep, ["-qxF", &whole, path]),
                // 2: there is no such file.
                needed: vec![1, 2],
            },
            edit.question(),
        ],
        keep: vec![keep(id, 0, path)],
        apply,
        undo: Undo::Commands(vec![
            Expr::If {
                condition: Box::new(Expr::any([
                    run(Program::Grep, ["-qsF", tag, path]),
                    edit.is_begun(),
                ])),
                then: undo,
                otherwise: vec![],
            },
            run(Program::Rm, ["-f", &edit.part]),
            Expr::If {
                condition: Box::new(Expr::all([was_nothing(id, 0), test(["-s", path]).not()])),
                then: vec![run(Program::Rm, ["-f", path])],
                otherwise: vec![],
            },
        ]),
        shows: vec![Shown::in_part(path)],
        sensitive: false,
    }
}

/// Whoever put a link there meant another file: writing through it or over it would both be wrong.
fn no_link(path: &str) -> Question {
    required(
        match path.strip_prefix(UNIT_FOLDER).filter(|name| !name.contains('/')) {
            // A link to /dev/null is how systemd masks a unit.
            Some(unit) => {
                format!(
                    "IEC1601: no symbolic link is in the way at {path}; where it is masked, `systemctl unmask {unit}`"
                )
            }
            None => format!("IEC1601: no symbolic link is in the way at {path}"),
        },
        test(["-L", path]).not(),
    )
}

fn has_mode(path: &str, mode: u32) -> Question {
    let stat = Cmd::new(Program::Stat)
        .words(["-c", "%a %U:%G", path])
        .quiet_errors();
    question(
        format!("{path} has mode {mode:04o} and belongs to root"),
        Expr::from(stat).prints(format!("{mode:o} root:root")),
    )
}

/// The folder that holds `path`.
pub(super) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

/// Folders that every host has; what is deeper may be made by IEC and is removed with its last file.
const COMMON_FOLDERS: [&str; 14] = [
    "/etc",
    "/etc/apt",
    "/etc/apt/preferences.d",
    "/etc/modules-load.d",
    "/etc/sysctl.d",
    "/etc/systemd",
    "/etc/systemd/system",
    "/opt",
    "/usr",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/var",
    "/var/lib",
];

/// The folders above `path` that IEC may have to make, the highest first.
fn own_folders(path: &str) -> Vec<&str> {
    let mut folders: Vec<&str> = std::iter::successors(Some(parent(path)), |folder| {
        (*folder != "/").then(|| parent(folder))
    })
    .filter(|folder| *folder != "/" && !COMMON_FOLDERS.contains(folder))
    .collect();
    folders.reverse();
    folders
}
