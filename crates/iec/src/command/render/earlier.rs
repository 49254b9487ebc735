//! Secrets that an earlier rendering left in its folder: files by their name and form, images by a note, and their removal.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Component, Path};

use iec_core::render::is_secrets;

use super::seal::is_sealed;
use crate::error::{CliError, unreadable, unwritable};
use crate::{text_file, whole_file};

/// Where a rendering notes its images that have secrets in them, a path on a line: one cannot tell by looking at them.
const NOTE: &str = ".iec-images";

/// A file longer than this is no file of a host's secrets.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The secrets in the folder of a rendering, by their paths below it.
#[derive(Debug, Default)]
pub(super) struct Earlier(BTreeSet<String>);

impl Earlier {
    /// Finds what has the name and the form of a host's secrets, what was being written when the program was killed, and the
    /// images that earlier renderings noted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, CliError> {
        let failed = |error| unreadable("IEC3922", "output folder", folder, &error);
        let mut found = noted(folder).map_err(failed)?;
        search(folder, "", &mut found).map_err(failed)?;
        Ok(Self(found))
    }

    /// Removes them but for those that the next rendering writes anew, and notes its images. To be called before anything
    /// of the next rendering is written. Gives what was removed.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(super) fn make_way(self, folder: &Path, next: &BTreeSet<String>) -> Result<Vec<String>, CliError> {
        // Should this be interrupted, the next rendering still knows of both.
        note(folder, &self.0.union(next).cloned().collect())?;
        let mut removed = Vec::new();
        for path in self.0.union(next) {
            // What is left of an image that was being written.
            if let Some(name) = path.strip_suffix(".iso") {
                remove(folder, &format!("{name}.partial"))?;
            }
            if !next.contains(path) && remove(folder, path)? {
                removed.push(path.clone());
            }
        }
        note(folder, next)?;
        Ok(removed)
    }
}

/// What the note says; paths that lead out of the folder are nobody's.
fn noted(folder: &Path) -> io::Result<BTreeSet<String>> {
    let text = match text_file::read_regular(&folder.join(NOTE), text_file::DOCUMENT) {
        Ok(text) => text,
        Err(error) if [ErrorKind::NotFound, ErrorKind::InvalidData].contains(&error.kind()) => String::new(),
        Err(error) => return Err(error),
    };
    let inside = |path: &&str| {
        Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
    };
    let paths = text.lines().filter(|path| path.ends_with(".iso")).filter(inside);
    Ok(paths.map(str::to_owned).collect())
}

/// Looks into the folder and, from its top, into the folders in it, where seeds have their secrets.
fn search(folder: &Path, below: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder.join(below)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // A name that is no text is none of ours.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && below.is_empty() {
            search(folder, &format!("{name}/"), found)?;
        }
        let named = name.starts_with("secrets-") || name.starts_with(".iec-");
        if kind.is_file() && named && has_secrets(&entry.path())? {
            found.insert(format!("{below}{name}"));
        }
    }
    Ok(())
}

fn has_secrets(path: &Path) -> io::Result<bool> {
    let mut text = String::new();
    match fs::File::open(path)?.take(LONGEST).read_to_string(&mut text) {
        Ok(_) => Ok(is_secrets(&text) || is_sealed(&text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes one file. Gives whether it was there.
fn remove(folder: &Path, path: &str) -> Result<bool, CliError> {
    let place = folder.join(path);
    // A link in the way leads to what is somebody else's.
    let parent = whole_file::folder_of(&place);
    if parent != folder && fs::symlink_metadata(parent).is_ok_and(|parent| parent.is_symlink()) {
        return Ok(false);
    }
    match fs::remove_file(&place) {
        Ok(()) => Ok(true),
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => Ok(false),
        Err(error) => Err(unwritable("IEC3922", "file with old secrets", &place, &error)),
    }
}

/// Notes the images; where there are none, there is no note.
fn note(folder: &Path, secrets: &BTreeSet<String>) -> Result<(), CliError> {
    let images = secrets.iter().filter(|path| path.ends_with(".iso"));
    let text: String = images.map(|path| format!("{path}\n")).collect();
    if text.is_empty() {
        return remove(folder, NOTE).map(drop);
    }
    let place = folder.join(NOTE);
    fs::create_dir_all(folder)
        .and_then(|()| whole_file::write(&place, 0o600, text.as_bytes()))
        .map_err(|error| unwritable("IEC3922", "note of images", &place, &error))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const PLAIN: &str = "ca.key aGVsbG8=\nsa.key d29ybGQ=\n";

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        folder
    }

    fn made_way(folder: &TempDir, next: &[&str]) -> Vec<String> {
        let next = next.iter().map(|path| (*path).to_owned()).collect();
        let earlier = Earlier::in_folder(folder.path()).unwrap();
        earlier.make_way(folder.path(), &next).unwrap()
    }

    fn is_there(folder: &TempDir, path: &str) -> bool {
        folder.path().join(path).exists()
    }

    #[test]
    fn secrets_of_an_earlier_rendering_go_and_foreign_files_stay() {
        let folder = folder(&[
            ("secrets-edge-1", PLAIN),
            ("secrets-edge-9.enc", "U2FsdGVkX18AAAAA\n"),
            ("edge-2/secrets-edge-2", PLAIN),
            (".iec-aB3dE5", PLAIN),
            ("secrets-of-cooking", "salt\n"),
            ("notes.txt", PLAIN),
            ("mine/below/secrets-edge-1", PLAIN),
        ]);
        assert_eq!(
            made_way(&folder, &["secrets-edge-1.enc"]),
            [
                ".iec-aB3dE5",
                "edge-2/secrets-edge-2",
                "secrets-edge-1",
                "secrets-edge-9.enc"
            ]
        );
        for path in ["secrets-of-cooking", "notes.txt", "mine/below/secrets-edge-1"] {
            assert!(is_there(&folder, path), "{path}");
        }
        assert_eq!(made_way(&folder, &[]), Vec::<String>::new());
        assert!(!is_there(&folder, NOTE));
    }

    #[test]
    fn an_image_that_was_noted_goes_and_one_that_was_not_stays() {
        let folder = folder(&[("mine.iso", "a film")]);
        made_way(&folder, &["seed.iso", "secrets-edge-1"]);
        for path in ["seed.iso", "seed.partial", "secrets-edge-1"] {
            fs::write(folder.path().join(path), PLAIN).unwrap();
        }
        assert_eq!(made_way(&folder, &["secrets-edge-1"]), ["seed.iso"]);
        assert!(!is_there(&folder, "seed.partial"));
        // It is written anew at once; until then the old one stays.
        assert!(is_there(&folder, "secrets-edge-1") && is_there(&folder, "mine.iso"));
    }

    #[test]
    fn nothing_outside_of_the_folder_is_touched() {
        let outside = folder(&[("secrets-edge-1", PLAIN), ("seed.iso", "a film")]);
        let name = outside.path().file_name().unwrap().to_str().unwrap();
        let note = format!(
            "../{name}/seed.iso\n{}/seed.iso\nlink/seed.iso\n",
            outside.path().display()
        );
        let folder = folder(&[(NOTE, &note)]);
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        assert_eq!(made_way(&folder, &[]), Vec::<String>::new());
        assert!(is_there(&outside, "secrets-edge-1") && is_there(&outside, "seed.iso"));
    }
}
