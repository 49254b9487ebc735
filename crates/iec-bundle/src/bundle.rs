//! A finished bundle: opening it, finding blobs, and checking that it is exactly what its manifest says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use iec_core::content::{BLOBS, DEBIAN_LOCK_FILE, Digest, Kind, MANIFEST_FILE, Manifest, ManifestError};

use crate::cache::{CachedFile, hash_file};
use crate::images;
use crate::trust::Trust;

/// An opened bundle. Opening reads the manifest only; [`verify`] reads everything.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    /// What the bundle holds.
    pub manifest: Manifest,
}

impl Bundle {
    /// The file that holds the blob of this digest, whether or not it exists.
    #[must_use]
    pub fn path_of(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.blob_path())
    }

    /// Compares each of these blobs with its digest, which is its name: what is sent to hosts must be what was planned.
    /// What `trust` knows is not read again.
    ///
    /// # Errors
    /// When one of them cannot be read, is missing, or is another one.
    pub fn check(&self, digests: &BTreeSet<Digest>, trust: &mut Trust) -> Result<(), BundleError> {
        let unlike = trust.unlike(&self.folder, digests).into_iter();
        let problems = unlike
            .filter_map(|(digest, found)| self.problem_of(&digest, found, None).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        if problems.is_empty() {
            return Ok(());
        }
        Err(BundleError::Damaged {
            folder: self.folder.clone(),
            problems,
        })
    }

    /// What is wrong with a blob of which this was found, if anything is; its length is compared where one is given.
    fn problem_of(
        &self,
        digest: &Digest,
        found: std::io::Result<CachedFile>,
        size: Option<u64>,
    ) -> Result<Option<Problem>, BundleError> {
        let path = digest.blob_path();
        let items = || users(&self.manifest).remove(digest).unwrap_or_default();
        match found {
            Ok(found) if found.digest == *digest && size.is_none_or(|size| found.size == size) => Ok(None),
            Ok(_) => Ok(Some(Problem::Changed { items: items(), path })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Some(Problem::Missing { items: items(), path }))
            }
            Err(source) => Err(BundleError::Unreadable {
                path: self.folder.join(&path),
                source,
            }),
        }
    }

    /// The bundle's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// One way in which a bundle differs from its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A blob is not there.
    Missing {
        /// The path inside the bundle.
        path: String,
        /// The names of items that need it.
        items: Vec<String>,
    },
    /// A blob has other bytes than its digest says.
    Changed {
        /// The path inside the bundle.
        path: String,
        /// The names of items that need it.
        items: Vec<String>,
    },
    /// A file that the manifest does not know.
    Extra {
        /// The path inside the bundle.
        path: String,
    },
    /// An image's own manifest does not name the layers that the bundle's manifest names.
    Inconsistent {
        /// The image's item.
        item: String,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { path, items } => {
                write!(formatter, "{path} is missing (needed by {})", items.join(", "))
            }
            Self::Changed { path, items } => {
                write!(formatter, "{path} has changed (needed by {})", items.join(", "))
            }
            Self::Extra { path } => write!(formatter, "{path} does not belong to the bundle"),
            Self::Inconsistent { item } => write!(
                formatter,
                "the image {item} does not name the layers that the manifest names"
            ),
        }
    }
}

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The folder has no manifest.
    #[error("{} is not a bundle: it has no {MANIFEST_FILE}", folder.display())]
    NotABundle {
        /// The folder.
        folder: PathBuf,
    },
    /// The manifest is not usable.
    #[error("the bundle {} has a manifest that cannot be used", folder.display())]
    Manifest {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The bundle is not what its manifest says.
    #[error("the bundle {} is damaged: {}", folder.display(), list(problems))]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// Every difference that was found.
        problems: Vec<Problem>,
    },
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl BundleError {
    /// The stable code that the manual explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotABundle { .. } => "IEC2020",
            Self::Manifest { .. } => "IEC2021",
            Self::Unreadable { .. } => "IEC2022",
            Self::Damaged { .. } => "IEC2023",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn next_action(&self) -> String {
        match self {
            Self::NotABundle { .. } => {
                "name the folder that `iec bundle build` has filled, or build one".to_owned()
            }
            Self::Manifest { .. } => "build the bundle again with this version of iec".to_owned(),
            Self::Unreadable { .. } => "check the path and its permissions".to_owned(),
            Self::Damaged { folder, .. } => {
                format!(
                    "copy the bundle again, or repair it with `iec bundle build --out {}`",
                    folder.display()
                )
            }
        }
    }
}

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

/// Opens a bundle by its manifest.
///
/// # Errors
/// When the folder has no manifest that this program can use.
pub fn open(folder: &Path) -> Result<Bundle, BundleError> {
    let path = folder.join(MANIFEST_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(BundleError::NotABundle {
                folder: folder.to_owned(),
            });
        }
        Err(source) => return Err(BundleError::Unreadable { path, source }),
    };
    let manifest = Manifest::parse(&text).map_err(|source| BundleError::Manifest {
        folder: folder.to_owned(),
        source,
    })?;
    Ok(Bundle {
        folder: folder.to_owned(),
        manifest,
    })
}

/// Reads every blob and compares the folder with the manifest, all of it, so that one run names every problem.
///
/// # Errors
/// When the bundle cannot be opened or read, or differs from its manifest by a single bit, a missing or an extra file.
pub fn verify(folder: &Path) -> Result<VerifyReport, BundleError> {
    let bundle = open(folder)?;
    let mut problems = Vec::new();
    let blobs = bundle.manifest.blobs();
    let mut expected: BTreeSet<String> = [MANIFEST_FILE, DEBIAN_LOCK_FILE].map(str::to_owned).into();
    for (digest, size) in &blobs {
        let found = hash_file(&bundle.path_of(digest));
        problems.extend(bundle.problem_of(digest, found, Some(*size))?);
        expected.insert(digest.blob_path());
    }
    for item in &bundle.manifest.items {
        if let Kind::Image(image) = &item.kind {
            let path = bundle.path_of(&image.manifest.digest);
            if path.exists()
                && (item.digest != image.manifest.digest || !images::manifest_agrees(&path, image))
            {
                problems.push(Problem::Inconsistent {
                    item: item.name.clone(),
                });
            }
        }
    }
    problems.extend(
        files_below(folder, "")?
            .difference(&expected)
            .map(|path| Problem::Extra { path: path.clone() }),
    );
    if problems.is_empty() {
        let (items, bytes) = (bundle.manifest.items.len(), blobs.values().sum());
        Ok(VerifyReport {
            items,
            blobs: blobs.len(),
            bytes,
        })
    } else {
        Err(BundleError::Damaged {
            folder: folder.to_owned(),
            problems,
        })
    }
}

fn users(manifest: &Manifest) -> BTreeMap<Digest, Vec<String>> {
    let mut users: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for item in &manifest.items {
        for digest in Manifest::blobs_of([item]).into_keys() {
            users.entry(digest).or_default().push(item.name.clone());
        }
    }
    users
}

fn files_below(folder: &Path, prefix: &str) -> Result<BTreeSet<String>, BundleError> {
    let unreadable = |source| BundleError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(unreadable)?.is_dir() {
            let below = files_below(&entry.path(), &format!("{path}/"))?;
            // An empty folder that the bundle does not have is as foreign as a file.
            if below.is_empty() && !BLOBS.starts_with(&path) {
                files.insert(path);
            }
            files.extend(below);
        } else {
            files.insert(path);
        }
    }
    Ok(files)
}

/// One line of an inspection: an item and how much room it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSize {
    /// The item's name.
    pub name: String,
    /// The architecture, if it is for one.
    pub architecture: Option<iec_core::architecture::Architecture>,
    /// `binary`, `image`, `manifest` or `tree`.
    pub kind: &'static str,
    /// The item's digest.
    pub digest: Digest,
    /// All blobs of the item together, in bytes.
    pub bytes: u64,
    /// What no other item needs, in bytes.
    pub own_bytes: u64,
}

/// The items of a bundle with their sizes, without reading their blobs.
///
/// # Errors
/// When the bundle cannot be opened.
pub fn inspect(folder: &Path) -> Result<Vec<ItemSize>, BundleError> {
    let manifest = open(folder)?.manifest;
    let users = users(&manifest);
    Ok(manifest
        .items
        .iter()
        .map(|item| {
            let blobs = Manifest::blobs_of([item]);
            let own = blobs.iter().filter(|(digest, _)| users[*digest].len() == 1);
            ItemSize {
                name: item.name.clone(),
                architecture: item.architecture,
                kind: match item.kind {
                    Kind::Binary => "binary",
                    Kind::Image(_) => "image",
                    Kind::Manifest => "manifest",
                    Kind::Tree => "tree",
                },
                digest: item.digest,
                bytes: blobs.values().sum(),
                own_bytes: own.map(|(_, size)| size).sum(),
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use iec_core::architecture::Architecture;
    use iec_core::content::{Item, MANIFEST_SCHEMA};

    fn sample() -> (tempfile::TempDir, Digest) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(BLOBS)).unwrap();
        let digest = Digest::of(b"a program");
        fs::write(folder.path().join(digest.blob_path()), b"a program").unwrap();
        fs::write(folder.path().join(DEBIAN_LOCK_FILE), "").unwrap();
        let item = |name: &str| Item {
            name: name.to_owned(),
            kind: Kind::Binary,
            architecture: Some(Architecture::Amd64),
            digest,
            size: 9,
            origin: Vec::new(),
        };
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA,
            release: "1.36".into(),
            kubernetes: "v1.36.3".into(),
            source_date: "2026-11-20".into(),
            architectures: vec![Architecture::Amd64],
            items: vec![item("kubelet"), item("runc")],
        };
        fs::write(folder.path().join(MANIFEST_FILE), manifest.to_json()).unwrap();
        (folder, digest)
    }

    fn problems(folder: &Path) -> Vec<Problem> {
        match verify(folder) {
            Err(BundleError::Damaged { problems, .. }) => problems,
            other => panic!("expected damage, got {other:?}"),
        }
    }

    #[test]
    fn a_whole_bundle_is_verified_and_inspected() {
        let (folder, _) = sample();
        assert_eq!(
            verify(folder.path()).unwrap(),
            VerifyReport {
                items: 2,
                blobs: 1,
                bytes: 9
            }
        );
        let sizes = inspect(folder.path()).unwrap();
        assert_eq!(
            (sizes[0].name.as_str(), sizes[0].bytes, sizes[0].own_bytes),
            ("kubelet", 9, 0)
        );
    }

    #[test]
    fn one_flipped_bit_is_found_and_named() {
        let (folder, digest) = sample();
        fs::write(folder.path().join(digest.blob_path()), b"a prograM").unwrap();
        let items = vec!["kubelet".to_owned(), "runc".to_owned()];
        assert_eq!(
            problems(folder.path()),
            [Problem::Changed {
                path: digest.blob_path(),
                items
            }]
        );
    }

    #[test]
    fn what_is_sent_is_read_once_and_again_when_it_was_touched() {
        let (folder, digest) = sample();
        let (bundle, digests) = (open(folder.path()).unwrap(), BTreeSet::from([digest]));
        let (path, record) = (bundle.path_of(&digest), folder.path().join("trust"));
        let found = |text: &str| {
            fs::write(&path, text).unwrap();
            // A file that was changed a moment ago is not trusted.
            std::thread::sleep(std::time::Duration::from_secs(3));
            let mut trust = Trust::read(&record);
            let found = bundle.check(&digests, &mut trust);
            trust.save().unwrap();
            let file = fs::metadata(&path).unwrap();
            assert_eq!(trust.has(&digest, &file), found.is_ok());
            found
        };
        assert!(found("a program").is_ok());
        let mut trust = Trust::read(&record);
        assert!(bundle.check(&digests, &mut trust).is_ok());
        assert!(matches!(found("a prograM"), Err(BundleError::Damaged { .. })));
    }

    #[test]
    fn a_missing_blob_and_extra_files_are_found_together() {
        let (folder, digest) = sample();
        fs::remove_file(folder.path().join(digest.blob_path())).unwrap();
        fs::write(folder.path().join("blobs/sha256/stray"), "").unwrap();
        fs::create_dir(folder.path().join("other")).unwrap();
        let error = verify(folder.path()).unwrap_err();
        assert_eq!(error.code(), "IEC2023");
        let text = error.to_string();
        for part in [
            format!("{} is missing", digest.blob_path()),
            "blobs/sha256/stray".into(),
            "other".into(),
        ] {
            assert!(text.contains(&part), "{text} should contain {part}");
        }
        assert_eq!(problems(folder.path()).len(), 3);
    }

    #[test]
    fn a_folder_without_a_usable_manifest_is_no_bundle() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(open(folder.path()).unwrap_err().code(), "IEC2020");
        fs::write(folder.path().join(MANIFEST_FILE), "{").unwrap();
        assert_eq!(open(folder.path()).unwrap_err().code(), "IEC2021");
    }
}
