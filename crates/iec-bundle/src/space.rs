//! Checks before a build that every disk it writes to has room for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::BuildError;

/// What a build from empty caches writes to a folder for one architecture and for each further one, in megabytes. Two
/// architectures took 4600 for Go's build cache, 1900 for its modules and 400 for packages; the rest is reserve.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// Go's build cache.
    Compiled,
    /// Go's modules and toolchain.
    Modules,
    /// Programs while they are linked.
    Temporary,
    /// Finished parts and packages.
    Parts,
    /// The bundle itself.
    Bundle,
}

impl Use {
    fn megabytes(self, architectures: usize) -> u64 {
        let (first, further) = match self {
            Self::Compiled => (5000, 3000),
            Self::Modules => (3000, 0),
            Self::Temporary => (2500, 0),
            Self::Parts => (1500, 1000),
            Self::Bundle => (1000, 700),
        };
        first + further * (architectures as u64).saturating_sub(1)
    }
}

/// A folder that will be written to, which need not be there yet.
pub(crate) type Place = (Use, PathBuf);

/// Checks that each disk has room for all that goes there.
///
/// # Errors
/// [`BuildError::DiskSpace`] with the first folder of a disk that is too full.
pub(crate) fn check(places: &[Place], architectures: usize) -> Result<(), BuildError> {
    let mut disks: BTreeMap<u64, (&Path, u64)> = BTreeMap::new();
    for (purpose, folder) in places {
        let existing = existing(folder);
        let status =
            rustix::fs::stat(existing).map_err(|error| BuildError::io("examine", existing)(error.into()))?;
        let (_, needed) = disks.entry(status.st_dev).or_insert((existing, 0));
        *needed += purpose.megabytes(architectures);
    }
    for (folder, needed_megabytes) in disks.into_values() {
        let statistics =
            rustix::fs::statvfs(folder).map_err(|error| BuildError::io("examine", folder)(error.into()))?;
        let free_megabytes = statistics.f_bavail.saturating_mul(statistics.f_frsize) / 1_000_000;
        if free_megabytes < needed_megabytes {
            return Err(BuildError::DiskSpace {
                path: folder.to_owned(),
                free_megabytes,
                needed_megabytes,
            });
        }
    }
    Ok(())
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> &Path {
    folder
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_one_disk_is_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("not/there/yet");
        let plenty = vec![(Use::Bundle, folder.path().to_owned())];
        check(&plenty, 1).unwrap();
        let too_much: Vec<Place> = std::iter::repeat_n((Use::Compiled, below), 100_000).collect();
        let error = check(&too_much, 2).unwrap_err();
        assert_eq!(error.code(), "IEC2004");
        let text = error.to_string();
        assert!(text.starts_with(&folder.path().display().to_string()), "{text}");
        assert!(text.contains("needs about 800000000 MB"), "{text}");
    }

    #[test]
    fn a_full_disk_is_named_whatever_the_others_have() {
        // A file system of the kernel that has no room at all.
        let places = [
            (Use::Parts, std::env::temp_dir()),
            (Use::Modules, PathBuf::from("/proc/go-modules")),
        ];
        let error = check(&places, 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/proc has 0 MB free, the build needs about 3000 MB"
        );
    }
}
