//! Writes the folder of a bundle: whatever is not there yet, or is not what its name says.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use iec_core::content::{BLOBS, DEBIAN_LOCK_FILE, Digest, MANIFEST_FILE, Manifest, SUMS_FILE, Sums};

use crate::cache::hash_file;
use crate::debian::write_whole;
use crate::error::BuildError;
use crate::found::make_room;
use crate::trust::Trust;

/// Where the bytes of a blob come from.
pub(crate) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// Puts the blobs in place, then the manifest and the sums of it and of the lock that is there, then removes what no
/// longer belongs.
///
/// A blob that is there is read, unless the record in the file `trust` knows it: its length alone says nothing of its
/// bytes. So a damaged bundle is whole again afterwards.
///
/// # Errors
/// When a file cannot be written, or one of the cache is not what it was when it was made.
pub(crate) fn write(
    output: &Path,
    manifest: &Manifest,
    sources: &BTreeMap<Digest, Source>,
    trust: &Path,
) -> Result<(), BuildError> {
    let wanted = manifest.blobs();
    let mut known = Trust::read(trust);
    for (digest, _) in known.unlike(output, wanted.keys()) {
        let target = output.join(digest.blob_path());
        make_room(&target).map_err(BuildError::io("remove", &target))?;
        match &sources[&digest] {
            Source::Bytes(bytes) => write_whole(&target, bytes)?,
            Source::File(path) => copy_blob(path, &target, &digest)?,
        }
    }
    known.save()?;
    let text = manifest.to_json();
    let lock = output.join(DEBIAN_LOCK_FILE);
    let lock = fs::read(&lock).map_err(BuildError::io("read", &lock))?;
    let sums = Sums::of(text.as_bytes(), &lock).to_text();
    for (name, content) in [(MANIFEST_FILE, text), (SUMS_FILE, sums)] {
        let target = output.join(name);
        make_room(&target).map_err(BuildError::io("remove", &target))?;
        write_whole(&target, content.as_bytes())?;
    }
    let folder = output.join(BLOBS);
    for entry in fs::read_dir(&folder).map_err(BuildError::io("read", &folder))? {
        let entry = entry.map_err(BuildError::io("read", &folder))?;
        let name = entry.file_name();
        let known = format!("sha256:{}", name.to_string_lossy())
            .parse::<Digest>()
            .is_ok_and(|digest| wanted.contains_key(&digest));
        if !known {
            let foreign = entry.path();
            make_room(&foreign)
                .and_then(|()| match fs::remove_file(&foreign) {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                    result => result,
                })
                .map_err(BuildError::io("remove", &foreign))?;
        }
    }
    Ok(())
}

/// A copy, not a link: what somebody does to a bundle must not reach the cache.
fn copy_blob(source: &Path, target: &Path, digest: &Digest) -> Result<(), BuildError> {
    let folder = target.parent().expect("a blob is inside a folder");
    let partial = tempfile::Builder::new()
        .prefix(".partial-")
        .tempfile_in(folder)
        .map_err(BuildError::io("create", target))?;
    fs::copy(source, partial.path()).map_err(BuildError::io("copy", source))?;
    let found = hash_file(partial.path()).map_err(BuildError::io("read", partial.path()))?;
    if found.digest != *digest {
        let reason = format!(
            "{} in the cache has changed since it was built; remove it",
            source.display()
        );
        return Err(BuildError::content("cache", reason));
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(partial.path(), mode).map_err(BuildError::io("write", target))?;
    partial
        .persist(target)
        .map_err(|error| BuildError::io("write", target)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use iec_core::architecture::Architecture;
    use iec_core::content::{Item, Kind, MANIFEST_SCHEMA};

    use super::*;
    use crate::problem::{BundleError, Problem};
    use crate::verify::verify;

    /// A cache and a bundle made out of it: one blob of a file, one of bytes.
    struct Made {
        root: tempfile::TempDir,
        manifest: Manifest,
        sources: BTreeMap<Digest, Source>,
    }

    impl Made {
        fn new() -> Self {
            let root = tempfile::tempdir().expect("a folder");
            let program = root.path().join("kubelet");
            fs::write(&program, "a program").expect("written");
            let item = |name: &str, text: &str| Item {
                name: name.to_owned(),
                kind: Kind::Binary,
                architecture: Some(Architecture::Amd64),
                digest: Digest::of(text.as_bytes()),
                size: text.len() as u64,
                origin: Vec::new(),
            };
            let made = Self {
                manifest: Manifest {
                    schema: MANIFEST_SCHEMA,
                    release: "1.36".into(),
                    kubernetes: "v1.36.3".into(),
                    source_date: "2026-11-20".into(),
                    architectures: vec![Architecture::Amd64],
                    items: vec![item("kubelet", "a program"), item("runc", "another")],
                },
                sources: [
                    (Digest::of(b"a program"), Source::File(program)),
                    (Digest::of(b"another"), Source::Bytes(b"another".to_vec())),
                ]
                .into(),
                root,
            };
            fs::create_dir_all(made.bundle().join(BLOBS)).expect("a folder");
            fs::write(made.bundle().join(DEBIAN_LOCK_FILE), "").expect("written");
            made.write().expect("it is written");
            verify(&made.bundle()).expect("it is whole");
            made
        }

        fn bundle(&self) -> PathBuf {
            self.root.path().join("bundle")
        }

        fn blob(&self, text: &str) -> PathBuf {
            self.bundle().join(Digest::of(text.as_bytes()).blob_path())
        }

        fn write(&self) -> Result<(), BuildError> {
            let trust = self.root.path().join("trust");
            write(&self.bundle(), &self.manifest, &self.sources, &trust)
        }
    }

    fn problems(folder: &Path) -> Vec<Problem> {
        match verify(folder) {
            Err(BundleError::Damaged { problems, .. }) => problems,
            other => panic!("expected damage, got {other:?}"),
        }
    }

    #[test]
    fn a_flipped_bit_is_repaired() {
        let made = Made::new();
        for (blob, damaged) in [("a program", "a prograM"), ("another", "anotheR")] {
            fs::write(made.blob(blob), damaged).expect("damaged");
        }
        fs::remove_file(made.blob("another")).expect("removed");
        fs::write(made.bundle().join(BLOBS).join("stray"), "").expect("written");
        assert_eq!(problems(&made.bundle()).len(), 3);
        made.write().expect("it is written again");
        verify(&made.bundle()).expect("it is whole again");
    }

    #[test]
    fn what_is_no_file_is_replaced() {
        use std::os::unix::fs::symlink;
        let made = Made::new();
        let names = [MANIFEST_FILE, SUMS_FILE].map(|name| made.bundle().join(name));
        let blobs = ["a program", "another"].map(|blob| made.blob(blob));
        let away = blobs[0].with_extension("away");
        fs::rename(&blobs[0], &away).expect("moved");
        symlink(&away, &blobs[0]).expect("a link");
        for path in names.iter().chain([&blobs[1]]) {
            fs::remove_file(path).expect("removed");
            fs::create_dir_all(path.join("deep")).expect("a folder");
        }
        made.write().expect("it is written again");
        verify(&made.bundle()).expect("it is whole again");
    }

    #[test]
    fn a_bundle_of_an_older_form_gets_its_sums() {
        let made = Made::new();
        fs::remove_file(made.bundle().join(SUMS_FILE)).expect("removed");
        let missing = Problem::Missing {
            path: SUMS_FILE.to_owned(),
            items: Vec::new(),
        };
        assert_eq!(problems(&made.bundle()), [missing]);
        made.write().expect("it is written again");
        verify(&made.bundle()).expect("it is whole again");
    }

    #[test]
    fn what_is_right_is_not_written_again() {
        use std::os::unix::fs::MetadataExt as _;
        let made = Made::new();
        let inodes =
            || ["a program", "another"].map(|blob| fs::metadata(made.blob(blob)).expect("there").ino());
        let before = inodes();
        made.write().expect("it is written again");
        assert_eq!(inodes(), before);
    }

    #[test]
    fn a_damaged_cache_does_not_reach_the_bundle() {
        let made = Made::new();
        fs::write(made.root.path().join("kubelet"), "a prograM").expect("damaged");
        fs::remove_file(made.blob("a program")).expect("removed");
        let error = made.write().expect_err("the cache is damaged");
        assert!(
            error.to_string().contains("kubelet in the cache has changed"),
            "{error}"
        );
        assert!(!made.blob("a program").exists());
    }
}
