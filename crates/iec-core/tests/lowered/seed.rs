//! Images that were unpacked elsewhere: taken where containerd has nothing, left alone where it has, whole after every cut.

use std::path::Path;
use std::process::Command;

use iec_core::content::Digest;
use iec_core::plan::{Op, SeedOp};
use iec_core::seed::FOLDERS;

use crate::disk::{Lost, cuts};
use crate::pretend::Pretend;

const LABEL: &str = r#"{"schema":1,"hosts":["edge-1"]}"#;

/// A file of an image, which came to the store with the bundle.
const LAYER: &[u8] = b"a layer";

/// A seed's archive, in which each folder has one file.
fn archive(label: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("iec-seed.json"), label).expect("written");
    for name in FOLDERS {
        std::fs::create_dir(path(name)).expect("a folder");
        std::fs::write(path(name).join("data"), name).expect("written");
    }
    let tar = Command::new("tar")
        .args(["-c", "-z", "-f", "seed.tar.gz", "iec-seed.json"])
        .args(FOLDERS)
        .current_dir(folder.path())
        .status();
    assert!(tar.expect("tar runs").success());
    std::fs::read(path("seed.tar.gz")).expect("written")
}

fn op(bytes: &[u8]) -> Op {
    Op::Seed(SeedOp {
        archive: Digest::of(bytes),
        label: LABEL.to_owned(),
        machine: "aarch64".to_owned(),
        files: vec![Digest::of(LAYER)],
    })
}

/// A host to which these bytes were sent as the seed.
fn host(seed: &Op, bytes: &[u8]) -> Pretend {
    let host = Pretend::new();
    host.stand_in("uname", "echo aarch64");
    let Op::Seed(seed) = seed else { panic!("{seed:?}") };
    let path = host.path(&format!("/var/lib/iec/incoming/{}", seed.archive.hex()));
    std::fs::create_dir_all(path.parent().expect("a folder above it")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
    host.write(&in_folder("/var/lib/iec/store/blobs/sha256"), "a layer");
    host
}

fn in_folder(folder: &str) -> String {
    format!("{folder}/{}", Digest::of(LAYER).hex())
}

fn data(host: &Pretend) -> Vec<Option<String>> {
    let read = |folder| host.read(&format!("/var/lib/containerd/{folder}/data"));
    FOLDERS.map(read).to_vec()
}

fn whole() -> Vec<Option<String>> {
    FOLDERS.map(|folder| Some(folder.to_owned())).to_vec()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[test]
fn what_was_unpacked_elsewhere_becomes_the_data_of_containerd() {
    let bytes = archive(LABEL);
    let op = op(&bytes);
    let host = host(&op, &bytes);
    assert_eq!(
        host.observe(vec![("seed", op.clone())])[0].1,
        "partial",
        "it was sent"
    );
    assert_eq!(host.apply("seed", op.clone()), "changed");
    assert_eq!(data(&host), whole());
    let layer = in_folder("/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256");
    assert_eq!(host.read(&layer).as_deref(), Some("a layer"));
    assert!(is_empty(&host.path("/var/lib/iec/incoming")), "it is used up");
    assert!(!host.path("/var/lib/containerd/.iec-seed").exists());
    // Without the archive, which nobody sends again.
    assert_eq!(host.apply("seed", op), "unchanged");
}

#[test]
fn containerds_own_data_stays_as_it_is() {
    let bytes = archive(LABEL);
    let op = op(&bytes);
    let host = Pretend::new();
    for folder in FOLDERS {
        host.write(&format!("/var/lib/containerd/{folder}/data"), "theirs");
    }
    // The archive is not asked for, and the step has nothing to do.
    assert_eq!(host.observe(vec![("seed", op.clone())])[0].1, "done");
    assert_eq!(host.apply("seed", op), "adopted");
    assert_eq!(data(&host), vec![Some("theirs".to_owned()); FOLDERS.len()]);
}

#[test]
fn what_came_with_a_seed_was_not_there_before_containerd() {
    for before in [None, Some("/var/lib/containerd/somebody")] {
        let bytes = archive(LABEL);
        let op = op(&bytes);
        let host = host(&op, &bytes);
        if let Some(file) = before {
            host.write(file, "theirs");
        }
        assert_eq!(host.apply("seed", op), "changed");
        // The notes that containerd's start would make, and goes by when it is taken back.
        let note = |ending: &str| {
            host.read(&format!(
                "/var/lib/iec/before/runtime.containerd/folder-0.{ending}"
            ))
        };
        match before {
            None => assert_eq!((note("absent"), note("contents")), (Some(String::new()), None)),
            Some(file) => {
                let contents = note("contents").expect("what was there is noted");
                assert!(
                    contents.contains(file) && !contents.contains(FOLDERS[0]),
                    "{contents}"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_the_host_is_not_taken() {
    let bytes = archive(LABEL);
    let seed = op(&bytes);
    let damaged = [&bytes[..bytes.len() / 2], &[b'x'; 9]].concat();
    let host_with_damage = host(&seed, &damaged);
    assert!(
        host_with_damage
            .apply("seed", seed.clone())
            .starts_with("failed command")
    );
    assert_eq!(data(&host_with_damage), vec![None; FOLDERS.len()]);
    assert!(
        is_empty(&host_with_damage.path("/var/lib/iec/incoming")),
        "the next run asks for it anew"
    );
    let other_machine = host(&seed, &bytes);
    other_machine.stand_in("uname", "echo x86_64");
    assert!(other_machine.apply("seed", seed).starts_with("failed command"));
    assert_eq!(data(&other_machine), vec![None; FOLDERS.len()]);
    // The digest is right, and its own words say that it is for somebody else.
    let bytes = archive(r#"{"schema":1,"hosts":["edge-2"]}"#);
    let foreign = op(&bytes);
    let other_host = host(&foreign, &bytes);
    assert!(other_host.apply("seed", foreign).starts_with("failed command"));
    assert_eq!(data(&other_host), vec![None; FOLDERS.len()]);
}

#[test]
fn a_cut_at_any_moment_leaves_no_half_of_a_seed_that_counts() {
    let bytes = archive(LABEL);
    let op = op(&bytes);
    let host = host(&op, &bytes);
    let lost = [Lost::Nothing, Lost::Everything, Lost::Contents];
    let moments = cuts(host.root(), &lost, || host.apply("seed", op.clone()));
    assert!(moments.len() > 10, "{}", moments.len());
    let Op::Seed(SeedOp { archive, .. }) = &op else {
        panic!("{op:?}")
    };
    let incoming = host.path(&format!("/var/lib/iec/incoming/{}", archive.hex()));
    for (moment, remains) in &moments {
        remains.restore(host.root());
        // What the host lacks is sent again, as it is to a host that was away.
        if host.observe(vec![("seed", op.clone())])[0].1 == "needed" {
            std::fs::create_dir_all(incoming.parent().expect("a folder above it")).expect("a folder");
            std::fs::write(&incoming, &bytes).expect("written");
        }
        let mut word = host.apply("seed", op.clone());
        // An archive that the cut has emptied is thrown away, and sent anew by the next run.
        if word.starts_with("failed") {
            std::fs::write(&incoming, &bytes).expect("written");
            word = host.apply("seed", op.clone());
        }
        assert!(
            ["changed", "unchanged", "adopted"].contains(&word.as_str()),
            "{word}; {moment}"
        );
        assert_eq!(data(&host), whole(), "{moment}");
    }
}
