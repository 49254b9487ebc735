//! What has been made already: one folder a part and set of inputs, there whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use iec_core::content::Digest;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::debian::write_whole;
use crate::error::BuildError;

/// The list of files inside a finished folder; written last.
const LIST: &str = "part.json";

/// One file of a finished part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CachedFile {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

#[derive(Serialize, Deserialize)]
struct List {
    files: BTreeMap<String, CachedFile>,
}

/// The finished output of a part.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    folder: PathBuf,
    files: BTreeMap<String, CachedFile>,
}

impl Output {
    /// The path of a file, and what is known about it.
    ///
    /// # Errors
    /// When the part has no such file.
    pub(crate) fn file(&self, name: &str) -> Result<(PathBuf, CachedFile), BuildError> {
        let known = self.files.get(name).ok_or_else(|| {
            BuildError::content(
                &self.folder.display().to_string(),
                format!("the part has no file {name}"),
            )
        })?;
        Ok((self.folder.join(name), *known))
    }

    /// The path of a file.
    ///
    /// # Errors
    /// When the part has no such file.
    pub(crate) fn path(&self, name: &str) -> Result<PathBuf, BuildError> {
        Ok(self.file(name)?.0)
    }

    /// The folder that holds the files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A stamp: the digest of everything that decides a part's bytes.
#[derive(Default)]
pub(crate) struct Stamp(sha2::Sha256);

impl Stamp {
    /// Adds one input under a name. Lengths are hashed too, so that no two lists of inputs run together.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for bytes in [name.as_bytes(), value.as_ref()] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
        self
    }

    fn text(self) -> String {
        Digest::from_bytes(self.0.finalize().into()).hex()[..24].to_owned()
    }
}

/// The place of one part with one stamp.
pub(crate) struct Slot {
    folder: PathBuf,
}

impl Slot {
    /// The place of the part `name` under the cache.
    pub(crate) fn new(cache: &Path, name: &str, stamp: Stamp) -> Self {
        Self {
            folder: cache.join("parts").join(format!("{name}-{}", stamp.text())),
        }
    }

    /// The output, if it was finished before and its files still have their sizes.
    pub(crate) fn finished(&self) -> Option<Output> {
        let text = fs::read_to_string(self.folder.join(LIST)).ok()?;
        let list: List = serde_json::from_str(&text).ok()?;
        let whole = list.files.iter().all(|(name, file)| {
            fs::metadata(self.folder.join(name)).is_ok_and(|metadata| metadata.len() == file.size)
        });
        whole.then(|| Output {
            folder: self.folder.clone(),
            files: list.files,
        })
    }

    /// Lets `make` fill an empty folder, then puts that folder in place as a whole.
    ///
    /// # Errors
    /// When `make` fails, or the folder cannot be written; then nothing is in place.
    pub(crate) fn make(
        &self,
        make: impl FnOnce(&Path) -> Result<(), BuildError>,
    ) -> Result<Output, BuildError> {
        let parts = self.folder.parent().expect("a slot is inside the cache");
        fs::create_dir_all(parts).map_err(BuildError::io("create", parts))?;
        let partial = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(parts)
            .map_err(BuildError::io("create", parts))?;
        make(partial.path())?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(partial.path()).map_err(BuildError::io("read", partial.path()))? {
            let path = entry.map_err(BuildError::io("read", partial.path()))?.path();
            if path.is_file() {
                let name = path
                    .file_name()
                    .expect("an entry has a name")
                    .to_string_lossy()
                    .into_owned();
                files.insert(name, hash_file(&path).map_err(BuildError::io("read", &path))?);
            }
        }
        let list = serde_json::to_string_pretty(&List { files: files.clone() })
            .expect("a list has string keys only");
        write_whole(&partial.path().join(LIST), list.as_bytes())?;
        // What is there is not whole, else it would have been used.
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(BuildError::io("remove", &self.folder))?;
        }
        fs::rename(partial.keep(), &self.folder).map_err(BuildError::io("create", &self.folder))?;
        Ok(Output {
            folder: self.folder.clone(),
            files,
        })
    }
}

/// Removes what interrupted builds have left behind.
///
/// # Errors
/// When the cache cannot be read.
pub(crate) fn remove_partial(cache: &Path) -> Result<(), BuildError> {
    let parts = cache.join("parts");
    let Ok(entries) = fs::read_dir(&parts) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(".partial-") {
            fs::remove_dir_all(entry.path()).map_err(BuildError::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// The digest and size of a file.
pub(crate) fn hash_file(path: &Path) -> std::io::Result<CachedFile> {
    let mut output = crate::layer::Hashing::new(std::io::sink());
    let size = std::io::copy(
        &mut std::io::BufReader::with_capacity(1 << 18, fs::File::open(path)?),
        &mut output,
    )?;
    let (_, digest, _) = output.finish();
    Ok(CachedFile { digest, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(value: &str) -> Stamp {
        Stamp::default().with("input", value)
    }

    fn make(cache: &Path, value: &str) -> Output {
        let write =
            |folder: &Path| fs::write(folder.join("file"), value).map_err(BuildError::io("write", folder));
        Slot::new(cache, "part", stamp(value)).make(write).unwrap()
    }

    #[test]
    fn what_was_made_is_found_again_by_its_inputs_only() {
        let cache = tempfile::tempdir().unwrap();
        let output = make(cache.path(), "one");
        let again = Slot::new(cache.path(), "part", stamp("one")).finished().unwrap();
        assert_eq!(again.file("file").unwrap().1, output.file("file").unwrap().1);
        assert!(Slot::new(cache.path(), "part", stamp("two")).finished().is_none());
        assert!(again.file("none").is_err());
    }

    #[test]
    fn a_part_that_failed_or_was_cut_is_not_there() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::new(cache.path(), "part", stamp("one"));
        let result = slot.make(|folder| {
            fs::write(folder.join("file"), "half").unwrap();
            Err(BuildError::Cancelled)
        });
        assert!(matches!(result, Err(BuildError::Cancelled)));
        assert!(slot.finished().is_none());
        let output = make(cache.path(), "one");
        fs::write(output.path("file").unwrap(), "cut").unwrap();
        assert!(
            slot.finished().is_some(),
            "the same size is taken for the same file"
        );
        fs::write(output.path("file").unwrap(), "").unwrap();
        assert!(slot.finished().is_none());
        make(cache.path(), "one");
        assert!(slot.finished().is_some());
    }

    #[test]
    fn inputs_do_not_run_together() {
        let one = Stamp::default().with("a", "bc").text();
        let two = Stamp::default().with("ab", "c").text();
        assert_ne!(one, two);
    }

    #[test]
    fn left_overs_are_removed() {
        let cache = tempfile::tempdir().unwrap();
        let partial = cache.path().join("parts/.partial-x");
        fs::create_dir_all(&partial).unwrap();
        make(cache.path(), "one");
        remove_partial(cache.path()).unwrap();
        assert!(!partial.exists());
        assert!(Slot::new(cache.path(), "part", stamp("one")).finished().is_some());
    }
}
