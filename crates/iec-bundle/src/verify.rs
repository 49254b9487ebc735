//! Proves that a folder is the bundle that its manifest describes: everything is read, and all that is wrong is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use iec_core::architecture::Architecture;
use iec_core::content::{BLOBS, DEBIAN_LOCK_FILE, Kind, MANIFEST_FILE, Manifest, SUMS_FILE};

use crate::bundle::{Opened, kind_name};
use crate::found::{hashed, other_than_file};
use crate::images;
use crate::machine;
use crate::problem::{BundleError, Problem};

/// What a verification has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyReport {
    /// The number of items.
    pub items: usize,
    /// The number of blobs, each read whole.
    pub blobs: usize,
    /// Their length together, in bytes.
    pub bytes: u64,
}

/// Reads every file and compares the folder with the manifest, all of it, so that one run names every problem.
///
/// # Errors
/// When the bundle cannot be opened or read, or differs from what was built by a single bit, a missing or an extra file.
pub fn verify(folder: &Path) -> Result<VerifyReport, BundleError> {
    let Opened {
        bundle,
        sums,
        mut problems,
    } = Opened::read(folder)?;
    let manifest = &bundle.manifest;
    problems.extend(contradictions(manifest));
    let lock_path = folder.join(DEBIAN_LOCK_FILE);
    let lock = hashed(&lock_path).map_err(BundleError::unreadable(&lock_path))?;
    // Without sums nobody knows what the lock was, and that they are missing is a problem already.
    problems.extend(Problem::of(DEBIAN_LOCK_FILE, Vec::new(), &lock, |file| {
        sums.is_none_or(|sums| file.digest == sums.debian_lock)
    }));

    let blobs = manifest.blobs();
    let mut expected: BTreeSet<String> = [MANIFEST_FILE, SUMS_FILE, DEBIAN_LOCK_FILE]
        .map(str::to_owned)
        .into();
    let mut wrong = BTreeSet::new();
    for (digest, size) in &blobs {
        let path = bundle.path_of(digest);
        let found = hashed(&path).map_err(BundleError::unreadable(&path))?;
        if let Some(problem) = bundle.problem_of(digest, &found, Some(*size)) {
            wrong.insert(*digest);
            problems.push(problem);
        }
        expected.insert(digest.blob_path());
    }
    for item in &manifest.items {
        if let Kind::Image(image) = &item.kind {
            let digest = image.manifest.digest;
            let agrees = || images::manifest_agrees(&bundle.path_of(&digest), image);
            if item.digest != digest || !wrong.contains(&digest) && !agrees() {
                problems.push(Problem::Inconsistent {
                    item: item.name.clone(),
                });
            }
        }
    }
    let mut layers = machine::Layers::new();
    for item in &manifest.items {
        // What is damaged has been named, and what is in it says nothing.
        if Manifest::blobs_of([item])
            .keys()
            .any(|digest| wrong.contains(digest))
        {
            continue;
        }
        let foreign = match machine::at_first_sight(&bundle, item)? {
            Some(problem) => Some(problem),
            None => machine::inside(&bundle, item, &mut layers)?,
        };
        problems.extend(foreign);
    }
    add_foreign(folder, "", &expected, &mut problems)?;
    if problems.is_empty() {
        Ok(VerifyReport {
            items: manifest.items.len(),
            blobs: blobs.len(),
            bytes: blobs.values().sum(),
        })
    } else {
        Err(BundleError::Damaged {
            folder: folder.to_owned(),
            problems,
        })
    }
}

/// What a manifest says that cannot be: its sum is right where a person, or a program, has written it so.
fn contradictions(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    let written = &manifest.source_date;
    // A date has other forms too, such as one without hyphens; the content's time stamps come from this one.
    let is_date = |date: jiff::civil::Date| date.to_string() == *written;
    if !written.parse().is_ok_and(is_date) {
        problems.push(Problem::Date {
            written: written.clone(),
        });
    }
    let mut named: BTreeMap<(&str, &str), Vec<Option<Architecture>>> = BTreeMap::new();
    for item in &manifest.items {
        let known = named.entry((kind_name(&item.kind), &item.name)).or_default();
        // What is for any architecture stands in the way of what is for one.
        let clashes = |other: &Option<Architecture>| {
            *other == item.architecture || other.is_none() || item.architecture.is_none()
        };
        if known.iter().any(clashes) {
            problems.push(Problem::Twice {
                item: item.name.clone(),
            });
        }
        known.push(item.architecture);
    }
    let mut references: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in &manifest.items {
        if let Kind::Image(image) = &item.kind {
            references.entry(&item.name).or_default().insert(&image.reference);
        }
    }
    let several = references
        .into_iter()
        .filter(|(_, references)| references.len() > 1);
    problems.extend(several.map(|(item, references)| Problem::References {
        item: item.to_owned(),
        references: references.into_iter().map(str::to_owned).collect(),
    }));
    problems
}

/// Adds what is below the folder, at `prefix` of the bundle, and does not belong there.
fn add_foreign(
    folder: &Path,
    prefix: &str,
    expected: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Result<(), BundleError> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(BundleError::unreadable(folder))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let file_type = entry.file_type().map_err(BundleError::unreadable(folder))?;
        if format!("{BLOBS}/").starts_with(&format!("{path}/")) {
            if file_type.is_dir() {
                add_foreign(&entry.path(), &format!("{path}/"), expected, problems)?;
            } else {
                let found = other_than_file(file_type).unwrap_or("a file");
                problems.push(Problem::NotAFolder { path, found });
            }
        } else if !expected.contains(&path) {
            problems.push(Problem::Extra { path });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use iec_core::content::{Digest, Item, MANIFEST_SCHEMA, Sums};

    use super::*;

    const LOCK: &str = "schema = 1\n";

    /// A bundle of two items with one blob.
    struct Sample {
        folder: tempfile::TempDir,
        digest: Digest,
    }

    impl Sample {
        fn new() -> Self {
            Self::of(|_| {})
        }

        /// One whose manifest was changed before it was written.
        fn of(change: impl FnOnce(&mut Manifest)) -> Self {
            let digest = Digest::of(b"a program");
            let item = |name: &str| Item {
                name: name.to_owned(),
                kind: Kind::Binary,
                architecture: Some(Architecture::Amd64),
                digest,
                size: 9,
                origin: Vec::new(),
            };
            let mut manifest = Manifest {
                schema: MANIFEST_SCHEMA,
                release: "1.36".into(),
                kubernetes: "v1.36.3".into(),
                source_date: "2026-11-20".into(),
                architectures: vec![Architecture::Amd64],
                items: vec![item("kubelet"), item("runc")],
            };
            change(&mut manifest);
            let sample = Self {
                folder: tempfile::tempdir().expect("a folder"),
                digest,
            };
            let text = manifest.to_json();
            let sums = Sums::of(text.as_bytes(), LOCK.as_bytes()).to_text();
            fs::create_dir_all(sample.path(BLOBS)).expect("a folder");
            for (name, content) in [
                (digest.blob_path().as_str(), "a program"),
                (DEBIAN_LOCK_FILE, LOCK),
                (MANIFEST_FILE, &text),
                (SUMS_FILE, &sums),
            ] {
                sample.write(name, content);
            }
            sample
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, content: &str) {
            fs::write(self.path(name), content).expect("written");
        }

        /// The problems in words.
        fn problems(&self) -> Vec<String> {
            match verify(self.folder.path()) {
                Err(error @ BundleError::Damaged { .. }) => {
                    assert_eq!(error.code(), "IEC2023");
                    let BundleError::Damaged { problems, .. } = error else {
                        unreachable!("it was just looked at")
                    };
                    problems.iter().map(Problem::to_string).collect()
                }
                other => panic!("expected damage, got {other:?}"),
            }
        }
    }

    /// Puts something into a place.
    type Make = fn(&Path);

    fn make_pipe(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo runs").success());
    }

    #[test]
    fn a_whole_bundle_is_verified() {
        let report = verify(Sample::new().folder.path()).expect("it is whole");
        assert_eq!((report.items, report.blobs, report.bytes), (2, 1, 9));
    }

    #[test]
    fn one_flipped_bit_is_found_and_named() {
        let sample = Sample::new();
        let blob = sample.digest.blob_path();
        sample.write(&blob, "a prograM");
        assert_eq!(
            sample.problems(),
            [format!("{blob} has changed (needed by kubelet, runc)")]
        );
    }

    #[test]
    fn a_missing_blob_and_extra_files_are_found_together() {
        let sample = Sample::new();
        let blob = sample.digest.blob_path();
        fs::remove_file(sample.path(&blob)).expect("removed");
        sample.write("blobs/sha256/stray", "");
        fs::create_dir(sample.path("other")).expect("a folder");
        assert_eq!(
            sample.problems(),
            [
                format!("{blob} is missing (needed by kubelet, runc)"),
                "blobs/sha256/stray does not belong to the bundle".to_owned(),
                "other does not belong to the bundle".to_owned(),
            ]
        );
    }

    #[test]
    fn what_no_manifest_names_is_covered_too() {
        for name in [DEBIAN_LOCK_FILE, SUMS_FILE, MANIFEST_FILE] {
            let sample = Sample::new();
            let text = fs::read_to_string(sample.path(name)).expect("there");
            // Still JSON, still TOML: nothing but the sum tells.
            sample.write(name, &format!("{text} "));
            assert_eq!(sample.problems(), [format!("{name} has changed")]);
            sample.write(name, &text[..text.len() - 5]);
            assert_eq!(sample.problems(), [format!("{name} has changed")]);
            fs::remove_file(sample.path(name)).expect("removed");
            if name == MANIFEST_FILE {
                let error = verify(sample.folder.path()).expect_err("it is no bundle");
                assert_eq!(error.code(), "IEC2020");
            } else {
                assert_eq!(sample.problems(), [format!("{name} is missing")]);
            }
        }
    }

    #[test]
    fn what_is_no_file_is_named_and_holds_nobody_up() {
        let blob = Sample::new().digest.blob_path();
        for name in [MANIFEST_FILE, DEBIAN_LOCK_FILE, SUMS_FILE, &blob] {
            let needed = if name == blob {
                " (needed by kubelet, runc)"
            } else {
                ""
            };
            let kinds: [(&str, Make); 3] = [
                ("a folder", |path| fs::create_dir(path).expect("a folder")),
                ("a symbolic link", |path| {
                    symlink(path.with_extension("real"), path).expect("a link");
                }),
                ("a named pipe", make_pipe),
            ];
            for (words, make) in kinds {
                let sample = Sample::new();
                let real = sample.path(name).with_extension("real");
                fs::rename(sample.path(name), &real).expect("moved");
                make(&sample.path(name));
                let problems = sample.problems();
                let expected = format!("{name} is {words}, not a file{needed}");
                assert_eq!(problems[0], expected);
            }
        }
    }

    #[test]
    fn a_folder_of_blobs_that_is_none_is_named() {
        let sample = Sample::new();
        fs::remove_dir_all(sample.path("blobs")).expect("removed");
        make_pipe(&sample.path("blobs"));
        assert_eq!(
            sample.problems()[1..],
            ["blobs is a named pipe, not a folder".to_owned()]
        );
    }

    /// The beginning of a program for this ELF machine.
    fn program(machine: u8) -> String {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = machine;
        String::from_utf8(bytes).expect("all of them are ASCII")
    }

    #[test]
    fn a_program_for_another_architecture_is_named() {
        // 62 is amd64, 40 a 32-bit Arm.
        let arm = program(40);
        let digest = Digest::of(arm.as_bytes());
        let sample = Sample::of(|manifest| {
            manifest.items[1].digest = digest;
            manifest.items[1].size = arm.len() as u64;
        });
        sample.write(&digest.blob_path(), &arm);
        assert_eq!(
            sample.problems(),
            ["the item runc for amd64 is wrong: it is for ELF machine 40"]
        );
        let mut trust = crate::Trust::read(&sample.path("trust"));
        let bundle = crate::open(sample.folder.path()).expect("the manifest is as it was built");
        assert!(bundle.check(&[sample.digest].into(), &mut trust).is_ok());
        let error = bundle
            .check(&[digest].into(), &mut trust)
            .expect_err("it would be sent");
        assert!(error.to_string().ends_with("it is for ELF machine 40"), "{error}");
    }

    #[test]
    fn images_of_two_architectures_have_one_name_and_one_reference() {
        let image = |architecture: Architecture, reference: &str, names: &str| {
            let config = format!("{{\"architecture\":\"{names}\"}}");
            let blob = |text: &str| iec_core::content::Blob {
                media_type: String::new(),
                digest: Digest::of(text.as_bytes()),
                size: text.len() as u64,
            };
            let mut item = iec_core::content::ImageItem {
                reference: reference.to_owned(),
                manifest: blob(""),
                config: blob(&config),
                layers: Vec::new(),
            };
            let manifest = serde_json::json!({"config": item.config, "layers": item.layers}).to_string();
            item.manifest = blob(&manifest);
            let digest = item.manifest.digest;
            let blobs = [(item.config.digest, config), (digest, manifest.clone())];
            let item = Item {
                name: "nginx".to_owned(),
                architecture: Some(architecture),
                digest,
                size: manifest.len() as u64,
                origin: Vec::new(),
                kind: Kind::Image(item),
            };
            (item, blobs)
        };
        let sample = |reference: &str, names: &str| {
            let (one, first) = image(Architecture::Amd64, "docker.io/library/nginx:1", "amd64");
            let (other, second) = image(Architecture::Arm64, reference, names);
            let sample = Sample::of(|manifest| manifest.items.extend([one, other]));
            for (digest, text) in first.into_iter().chain(second) {
                sample.write(&digest.blob_path(), &text);
            }
            sample
        };
        let same = "docker.io/library/nginx:1";
        assert!(verify(sample(same, "arm64").folder.path()).is_ok());
        assert_eq!(
            sample("docker.io/library/nginx:2", "arm64").problems(),
            ["the image nginx has several references: docker.io/library/nginx:1, docker.io/library/nginx:2"]
        );
        assert_eq!(
            sample(same, "s390x").problems(),
            ["the item nginx for arm64 is wrong: it is for s390x"]
        );
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_named() {
        for date in ["", "20261120", "2026-02-30", "2026-11-20T00:00", "soon"] {
            let sample = Sample::of(|manifest| manifest.source_date = date.to_owned());
            let expected = format!("the manifest's source_date, `{date}`, is no date of the form YYYY-MM-DD");
            assert_eq!(sample.problems(), [expected]);
        }
        for architecture in [Some(Architecture::Amd64), None] {
            let sample = Sample::of(|manifest| {
                let again = Item {
                    architecture,
                    ..manifest.items[1].clone()
                };
                manifest.items.push(again);
            });
            assert_eq!(
                sample.problems(),
                ["the manifest has the item runc more than once"]
            );
        }
    }
}
