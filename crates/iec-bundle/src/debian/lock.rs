//! The lock file: every Debian package of a bundle by version and sum, chosen at the first build and kept.

use std::collections::BTreeMap;
use std::path::Path;

use iec_core::architecture::Architecture;
use serde::{Deserialize, Serialize};

use crate::error::BuildError;
use crate::found::{Found, read};

const SCHEMA: u32 = 1;

/// One package file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockedPackage {
    pub(crate) name: String,
    pub(crate) version: String,
    /// As the package says: a Debian architecture, or `all`.
    pub(crate) architecture: String,
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl LockedPackage {
    /// The name of the package's file, as archives and apt write it.
    pub(crate) fn file_name(&self) -> String {
        // The only character that a file name cannot hold is the epoch's colon.
        format!(
            "{}_{}_{}.deb",
            self.name,
            self.version.replace(':', "%3a"),
            self.architecture
        )
    }
}

/// The content of `debian.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    schema: u32,
    /// The suite that the packages were taken from.
    pub(crate) suite: String,
    /// The packages that were asked for; the others are what these need.
    pub(crate) wanted: Vec<String>,
    /// The packages for each architecture, sorted by name.
    pub(crate) packages: BTreeMap<Architecture, Vec<LockedPackage>>,
}

impl Lock {
    /// A lock without packages.
    pub(crate) fn new(suite: &str, wanted: &[&str]) -> Self {
        let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
        Self {
            schema: SCHEMA,
            suite: suite.to_owned(),
            wanted,
            packages: BTreeMap::new(),
        }
    }

    /// Reads the lock file; none when there is no such file. It may lack some of the wanted packages, which were not wanted
    /// when it was made.
    ///
    /// # Errors
    /// When the file cannot be read, or was made for another suite or other packages.
    pub(crate) fn read(path: &Path, suite: &str, wanted: &[&str]) -> Result<Option<Self>, BuildError> {
        let unusable = |reason: String| BuildError::Lock {
            path: path.to_owned(),
            reason,
        };
        let bytes = match read(path).map_err(BuildError::io("read", path))? {
            Found::File(bytes) => bytes,
            Found::Other(other) => return Err(unusable(format!("it is {other}"))),
            Found::Nothing => return Ok(None),
        };
        let text = String::from_utf8(bytes).map_err(|_| unusable("it is no text".to_owned()))?;
        let lock: Self = toml::from_str(&text).map_err(|error| unusable(error.message().to_owned()))?;
        if lock.schema != SCHEMA {
            return Err(unusable(format!(
                "it has schema {}, this program reads {SCHEMA}",
                lock.schema
            )));
        }
        if lock.suite != suite {
            return Err(unusable(format!(
                "it locks the suite {}, the release asks for {suite}",
                lock.suite
            )));
        }
        if !lock.wanted.iter().all(|name| wanted.contains(&name.as_str())) {
            return Err(unusable("it was made for another set of packages".to_owned()));
        }
        Ok(Some(lock))
    }

    /// The text of the lock file.
    pub(crate) fn to_text(&self) -> String {
        let body = toml::to_string(self).expect("a lock has string keys only");
        format!(
            "# The Debian packages of this bundle. Written by `iec bundle build`; a later build uses exactly these.\n{body}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Lock {
        let mut lock = Lock::new("bookworm", &["iptables"]);
        let package = LockedPackage {
            name: "iptables".to_owned(),
            version: "1.8.9-2".to_owned(),
            architecture: "amd64".to_owned(),
            sha256: "ab".repeat(32),
            size: 351_736,
        };
        lock.packages.insert(Architecture::Amd64, vec![package]);
        lock
    }

    #[test]
    fn a_lock_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("debian.lock");
        assert_eq!(Lock::read(&path, "bookworm", &["iptables"]).unwrap(), None);
        std::fs::write(&path, sample().to_text()).unwrap();
        assert_eq!(
            Lock::read(&path, "bookworm", &["iptables"]).unwrap(),
            Some(sample())
        );
    }

    #[test]
    fn a_lock_for_something_else_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("debian.lock");
        std::fs::write(&path, sample().to_text()).unwrap();
        for (suite, wanted, reason) in [
            ("trixie", vec!["iptables"], "suite bookworm"),
            ("bookworm", vec!["nftables", "nginx"], "another set"),
        ] {
            let error = Lock::read(&path, suite, &wanted).unwrap_err();
            assert_eq!(error.code(), "IEC2009");
            assert!(error.to_string().contains(reason), "{error}");
        }
        let refused = || {
            let error = Lock::read(&path, "bookworm", &["iptables"]).unwrap_err();
            assert_eq!(error.code(), "IEC2009");
            error.to_string()
        };
        std::fs::write(&path, "not a lock").unwrap();
        refused();
        std::fs::write(&path, [0xff]).unwrap();
        assert!(refused().ends_with("it is no text"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(refused().ends_with("it is a folder"));
    }
}
