//! Which files were read and found right before: trusted again for as long as the file system says that nobody touched them.
//!
//! A host compares the digest of everything that it gets, so what has gone wrong below the file system is found there.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use iec_core::content::Digest;

use crate::cache::CachedFile;
use crate::debian::write_whole;
use crate::error::BuildError;
use crate::found::{Found, hashed};

/// How old a change must be to be told from one that comes right after it: file systems keep time in coarse ticks.
const SETTLED: Duration = Duration::from_secs(2);

/// A record of files that are what their digests say. It can be lost at any time: then everything is read again.
#[derive(Debug)]
pub struct Trust {
    path: PathBuf,
    /// What the file system said of the file when it was read.
    known: BTreeMap<Digest, String>,
    is_new: bool,
}

impl Trust {
    /// The record in this file; an empty one where it cannot be read.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let entry = |line: &str| {
            let (digest, rest) = line.split_once(' ')?;
            Some((digest.parse().ok()?, rest.to_owned()))
        };
        Self {
            path: path.to_owned(),
            known: text.lines().filter_map(entry).collect(),
            is_new: false,
        }
    }

    /// Whether this file was read before, with this digest, and was not touched since.
    pub(crate) fn has(&self, digest: &Digest, file: &Metadata) -> bool {
        self.known.get(digest).is_some_and(|known| *known == mark(file))
    }

    /// Notes that this file was read and has this digest; `file` is what was said of it before it was read.
    pub(crate) fn note(&mut self, digest: Digest, file: &Metadata) {
        let changed = u64::try_from(file.ctime()).unwrap_or(u64::MAX);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if Duration::from_secs(changed).saturating_add(SETTLED) < now {
            self.known.insert(digest, mark(file));
            self.is_new = true;
        }
    }

    /// Which of these blobs below a folder are not what their names say, with what is there instead, or why nobody can
    /// tell.
    /// What is known already is not read again; the others are noted. Two at a time, as hashing is work for a processor.
    pub(crate) fn unlike<'a>(
        &mut self,
        folder: &Path,
        blobs: impl IntoIterator<Item = &'a Digest>,
    ) -> Vec<(Digest, io::Result<Found<CachedFile>>)> {
        // What the file system says is asked first: a change while a file is read makes it another file.
        let unknown: Vec<(&Digest, PathBuf, Option<Metadata>)> = blobs
            .into_iter()
            .map(|digest| {
                let path = folder.join(digest.blob_path());
                let file = fs::symlink_metadata(&path).ok();
                (digest, path, file)
            })
            .filter(|(digest, _, file)| !file.as_ref().is_some_and(|file| self.has(digest, file)))
            .collect();
        let read = |half: &[(&Digest, PathBuf, Option<Metadata>)]| -> Vec<io::Result<Found<CachedFile>>> {
            half.iter().map(|(_, path, _)| hashed(path)).collect()
        };
        let (one, other) = unknown.split_at(unknown.len() / 2);
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(|| read(other));
            (read(one), other.join().expect("hashing does not panic"))
        });
        let mut unlike = Vec::new();
        for ((digest, _, file), found) in unknown.into_iter().zip(one.into_iter().chain(other)) {
            let is_right = matches!(&found, Ok(Found::File(file)) if file.digest == *digest);
            match file {
                Some(file) if is_right => self.note(*digest, &file),
                _ if is_right => {}
                _ => unlike.push((*digest, found)),
            }
        }
        unlike
    }

    /// Writes the record, where there is something new in it.
    ///
    /// # Errors
    /// When its folder cannot be written to.
    pub fn save(&self) -> Result<(), BuildError> {
        if !self.is_new {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(BuildError::io("create", folder))?;
        let line = |(digest, mark): (&Digest, &String)| format!("{digest} {mark}\n");
        let text: String = self.known.iter().map(line).collect();
        write_whole(&self.path, text.as_bytes())
    }
}

/// What changes with every change to a file. Nobody can set the time of the last change of an inode.
fn mark(file: &Metadata) -> String {
    format!(
        "{} {} {} {}.{:09} {}.{:09}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was changed last so long ago.
    fn aged(path: &Path, text: &str) -> Metadata {
        fs::write(path, text).expect("written");
        std::thread::sleep(SETTLED + Duration::from_secs(1));
        fs::metadata(path).expect("there")
    }

    #[test]
    fn a_file_is_trusted_until_it_is_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, record) = (folder.path().join("blob"), folder.path().join("deep/trust"));
        let digest = Digest::of(b"one");
        let file = aged(&path, "one");
        let mut trust = Trust::read(&record);
        assert!(!trust.has(&digest, &file));
        trust.note(digest, &file);
        trust.save().expect("saved");

        let trust = Trust::read(&record);
        assert!(trust.has(&digest, &file));
        assert!(!trust.has(&Digest::of(b"two"), &file));
        // The same length, and a time that was set back: the inode's own time tells.
        fs::write(&path, "two").expect("written");
        let time = fs::FileTimes::new().set_modified(file.modified().expect("a time"));
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|open| open.set_times(time))
            .expect("set");
        let touched = fs::metadata(&path).expect("there");
        assert_eq!(
            touched.modified().expect("a time"),
            file.modified().expect("a time")
        );
        assert!(!trust.has(&digest, &touched));
    }

    #[test]
    fn what_was_changed_a_moment_ago_is_not_trusted_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("blob");
        fs::write(&path, "one").expect("written");
        let file = fs::metadata(&path).expect("there");
        let mut trust = Trust::read(&folder.path().join("trust"));
        trust.note(Digest::of(b"one"), &file);
        assert!(!trust.has(&Digest::of(b"one"), &file));
    }

    #[test]
    fn a_record_that_makes_no_sense_is_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trust");
        fs::write(&path, "nonsense\n\u{0}\nsha256:12 1 2\n").expect("written");
        assert!(Trust::read(&path).known.is_empty());
    }
}
