//! Images that were unpacked elsewhere become containerd's data, where it has none.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{has_digest, question, run, test};
use super::content::{BLOB_QUESTION, RUNTIME_DATA};
use super::folders::note_contents;
use super::undo::on_disk;
use super::{HOME, Lowered, Undo};
use crate::content::Digest;
use crate::plan::containerd::{CREATES, START};
use crate::plan::op::SeedOp;
use crate::seed::{CONTENT, FOLDERS, LABEL_FILE};

/// Gives containerd the files of the images from the store: they came once, and not with the seed again.
fn files(seed: &SeedOp, folder: &str) -> Vec<Expr> {
    if seed.files.is_empty() {
        return vec![];
    }
    let words = |directory: &str| -> Vec<String> {
        let path = |digest: &Digest| format!("{directory}/{}", digest.hex());
        seed.files.iter().map(path).collect()
    };
    vec![
        run(Program::Mkdir, ["-p", folder]),
        Cmd::new(Program::Cp)
            .words(["--reflink=auto", "-t", folder])
            .words(words(&format!("{HOME}/store/blobs/sha256")))
            .into(),
        // As containerd has them.
        Cmd::new(Program::Chmod).word("0444").words(words(folder)).into(),
    ]
}

pub(super) fn seed(seed: &SeedOp) -> Lowered {
    let hex = seed.archive.hex();
    let incoming = format!("{HOME}/incoming/{hex}");
    // While it is there, what containerd seems to have may be half of a seed.
    let begun = format!("{HOME}/seed-begun");
    let new = format!("{RUNTIME_DATA}/.iec-seed");
    let place = |folder: &str| format!("{RUNTIME_DATA}/{folder}");
    let has_data = Expr::all([
        Expr::any(FOLDERS.map(|folder| test(["-e", &place(folder)]))),
        test(["-e", &begun]).not(),
    ]);
    let check = vec![
        // It is asked for only where it is of use.
        question(
            format!("{BLOB_QUESTION}{}", seed.archive),
            Expr::any([has_data.clone(), test(["-f", &incoming])]),
        ),
        question("containerd has images", has_data),
    ];
    let label = Expr::from(Cmd::new(Program::Cat).word(format!("{new}/{LABEL_FILE}")));
    let mut apply = vec![
        Expr::any([
            has_digest(&incoming, &hex),
            // A damaged one must not stay: the next run then asks for it anew.
            Expr::all([
                run(Program::Rm, ["-f", &incoming]),
                Expr::FailsWith(Box::new(Expr::any(Vec::<Expr>::new())), 1),
            ]),
        ]),
        Expr::from(Cmd::new(Program::Uname).word("-m")).prints(seed.machine.as_str()),
        run(Program::Touch, [&begun]),
        run(Program::Sync, [&begun]),
        run(Program::Rm, ["-rf", &new]),
        run(Program::Mkdir, ["-p", &new]),
        Cmd::new(Program::Tar)
            .words(["-x", "-z", "-p", "--numeric-owner", "--xattrs"])
            .words(["--xattrs-include=*", "-f", &incoming, "-C", &new])
            .into(),
        label.prints(seed.label.as_str()),
    ];
    apply.extend(files(seed, &format!("{new}/{CONTENT}")));
    for folder in FOLDERS {
        let place = place(folder);
        apply.push(run(Program::Rm, ["-rf", &place]));
        apply.push(run(Program::Mv, ["-T", &format!("{new}/{folder}"), &place]));
    }
    apply.extend([
        run(Program::Rm, ["-rf", &new]),
        run(Program::Sync, ["-f", RUNTIME_DATA]),
        run(Program::Rm, ["-f", &begun, &incoming]),
    ]);
    Lowered {
        check,
        // When containerd starts it would note the seed as what was there before. So its notes are made now, and it takes the
        // seed back with its own data: a later run, whose plan has no seed, has nothing of this step to take back.
        keep: on_disk(START, note_contents(START, &CREATES)),
        apply,
        undo: Undo::CoveredBy(START),
        shows: vec![],
        sensitive: false,
    }
}
