//! Blobs, trees, images, and the end of what was sent.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{has_digest, question, remember, run, test, unchanged_since};
use super::{HOME, Lowered, Undo};
use crate::content::{Digest, ImageItem, OCI_LAYOUT, index_json};
use crate::plan::op::StoreBlob;

/// What a question about a missing blob begins with; the executor reads from it what a host lacks.
pub(crate) const BLOB_QUESTION: &str = "the store has ";

/// Where containerd keeps content and layers.
pub(super) const RUNTIME_DATA: &str = "/var/lib/containerd";

pub(super) fn store(blobs: &[StoreBlob]) -> Lowered {
    let place = |blob: &StoreBlob| format!("{HOME}/store/{}", blob.digest.blob_path());
    let paths: Vec<String> = blobs.iter().map(place).collect();
    let names: String = paths.join("\n");
    let marker = format!("{HOME}/verified/{}", Digest::of(names.as_bytes()).short());
    let mut check: Vec<_> = blobs
        .iter()
        .map(|blob| {
            question(
                format!("{BLOB_QUESTION}{}", blob.digest),
                test(["-f", &place(blob)]),
            )
        })
        .collect();
    check.push(question(
        "the store is as it was when it was verified",
        unchanged_since(&marker, &paths),
    ));

    let mut apply = vec![run(Program::Mkdir, ["-p", &format!("{HOME}/store/blobs/sha256")])];
    for (blob, path) in blobs.iter().zip(&paths) {
        let hex = blob.digest.hex();
        let incoming = format!("{HOME}/incoming/{hex}");
        apply.push(Expr::If {
            condition: Box::new(test(["-f", &incoming])),
            then: vec![
                has_digest(&incoming, &hex),
                run(Program::Mv, ["-fT", &incoming, path]),
            ],
            otherwise: vec![Expr::any([
                has_digest(path, &hex),
                // A damaged blob must not stay: the next run then asks for it anew.
                Expr::all([
                    run(Program::Rm, ["-f", path]),
                    Expr::FailsWith(Box::new(Expr::any(Vec::<Expr>::new())), 1),
                ]),
            ])],
        });
    }
    apply.extend(remember(&marker, &paths));
    let undo = vec![run(
        Program::Rm,
        ["-rf", &format!("{HOME}/store"), &format!("{HOME}/verified")],
    )];
    Lowered {
        check,
        keep: vec![],
        apply,
        undo: Undo::Commands(undo),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn tree(blob: Digest, into: &str) -> Lowered {
    let marker = format!("{into}/.digest");
    let new = format!("{into}.iec-new");
    let archive = format!("{HOME}/store/{}", blob.blob_path());
    let is_there =
        Expr::from(Cmd::new(Program::Cat).word(marker.as_str()).quiet_errors()).prints(blob.to_string());
    Lowered {
        check: vec![question(format!("{into} is unpacked"), is_there)],
        keep: vec![],
        apply: vec![
            run(Program::Rm, ["-rf", &new]),
            run(Program::Mkdir, ["-p", &new]),
            run(
                Program::Tar,
                ["-x", "-f", &archive, "-C", &new, "--no-same-owner"],
            ),
            // The check looks at the mark only: it must not be there while a power cut can still empty the files.
            run(Program::Sync, ["-f", &new]),
            Cmd::new(Program::Printf)
                .words(["%s\\n", &blob.to_string()])
                .stdout_file(format!("{new}/.digest"))
                .into(),
            run(Program::Rm, ["-rf", into]),
            run(Program::Mv, ["-T", &new, into]),
        ],
        undo: Undo::Commands(vec![
            run(Program::Rm, ["-rf", into, &new]),
            // The folder above is IEC's own when nothing else is in it.
            Expr::from(Cmd::new(Program::Rmdir).word(super::file::parent(into)).quiet()).ignore_failure(),
        ]),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn images(images: &[ImageItem]) -> Lowered {
    let ctr = || Cmd::new(Program::Ctr).words(["-n", "k8s.io", "images"]);
    let mut count = Cmd::new(Program::Grep).words(["-c", "-x", "-F"]);
    for image in images {
        count = count
            .word("-e")
            .word(format!("{} {}", image.reference, image.manifest.digest));
    }
    let known = Expr::Pipe(vec![
        ctr().word("ls").quiet_errors(),
        Cmd::new(Program::Tr).words(["-s", " "]),
        Cmd::new(Program::Cut).words(["-d", " ", "-f", "1,3"]),
        count,
    ]);
    // containerd writes down which layers it has unpacked before the disk has their files. A power cut in between leaves
    // layers of empty files that it takes for whole, and so would every later import.
    let begun = format!("{HOME}/images-begun");
    let forget = ctr().words(["rm", "--sync"]);
    let forget = forget.words(images.iter().map(|image| image.reference.as_str()));
    let layout = format!("{HOME}/incoming/layout");
    let mut archive =
        Cmd::new(Program::Tar).words(["-c", "-f", "-", "-C", &layout, "oci-layout", "index.json"]);
    archive = archive.words(["-C", &format!("{HOME}/store")]);
    let mut blobs: Vec<Digest> = images
        .iter()
        .flat_map(ImageItem::blobs)
        .map(|blob| blob.digest)
        .collect();
    blobs.sort_unstable();
    blobs.dedup();
    archive = archive.words(blobs.iter().map(Digest::blob_path));
    let mut apply = vec![
        Expr::If {
            condition: Box::new(test(["-e", &begun])),
            then: vec![Expr::from(forget.quiet()).ignore_failure()],
            otherwise: vec![],
        },
        run(Program::Touch, [&begun]),
        run(Program::Sync, [&begun]),
        run(Program::Mkdir, ["-p", &layout]),
        Cmd::new(Program::Printf)
            .words(["%s", OCI_LAYOUT])
            .stdout_file(format!("{layout}/oci-layout"))
            .into(),
        Cmd::new(Program::Printf)
            .words(["%s", &index_json(images)])
            .stdout_file(format!("{layout}/index.json"))
            .into(),
        Expr::Pipe(vec![archive, ctr().words(["import", "-"])]),
    ];
    for image in images {
        // Without the label the kubelet may remove an image that no pod uses just now, and no registry has it.
        apply.push(
            ctr()
                .words([
                    "label",
                    image.reference.as_str(),
                    "io.cri-containerd.pinned=pinned",
                ])
                .into(),
        );
    }
    apply.push(run(Program::Rm, ["-rf", &layout]));
    apply.push(run(Program::Sync, ["-f", RUNTIME_DATA]));
    apply.push(run(Program::Rm, ["-f", &begun]));
    let is_whole = test(["-e", &begun]).not();
    Lowered {
        check: vec![question(
            format!("the runtime has all {} images of the bundle", images.len()),
            Expr::all([known.prints(images.len().to_string()), is_whole]),
        )],
        keep: vec![],
        apply,
        undo: Undo::CoveredBy("runtime.containerd"),
        shows: vec![],
        sensitive: false,
    }
}

pub(super) fn forget() -> Lowered {
    let incoming = format!("{HOME}/incoming");
    let leftovers = Expr::from(
        Cmd::new(Program::Find)
            .words([incoming.as_str(), "-mindepth", "1", "!", "-name", "stop-*"])
            .quiet_errors(),
    );
    Lowered {
        check: vec![question(
            "nothing that was sent is left, no secret among it",
            leftovers.prints(""),
        )],
        keep: vec![],
        apply: vec![run(
            Program::Find,
            [&incoming, "-mindepth", "1", "!", "-name", "stop-*", "-delete"],
        )],
        undo: Undo::Nothing,
        shows: vec![],
        sensitive: true,
    }
}
