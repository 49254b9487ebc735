//! A finished bundle: opening it, finding blobs, and comparing those that are about to be used with their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use iec_core::content::{Digest, Item, Kind, MANIFEST_FILE, Manifest, SUMS_FILE, Sums};
use iec_core::release::Release;

use crate::cache::CachedFile;
use crate::found::{Found, read};
use crate::machine;
use crate::problem::{BundleError, Problem};
use crate::trust::Trust;

/// An opened bundle. Opening reads the manifest only; [`verify`](crate::verify()) reads everything.
#[derive(Debug, Clone)]
pub struct Bundle {
    folder: PathBuf,
    /// What the bundle holds.
    pub manifest: Manifest,
    /// Whether the manifest was compared with the sum that was taken when it was built; bundles of an older form have
    /// none.
    pub has_sums: bool,
}

impl Bundle {
    /// The file that holds the blob of this digest, whether or not it exists.
    #[must_use]
    pub fn path_of(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.blob_path())
    }

    /// Compares each of these blobs with its digest, which is its name: what is sent to hosts must be what was planned. What
    /// is a program or an image must also be for the architecture under which the bundle has it.
    /// What `trust` knows is not read again.
    ///
    /// # Errors
    /// When one of them cannot be read, is missing, or is another one.
    pub fn check(&self, digests: &BTreeSet<Digest>, trust: &mut Trust) -> Result<(), BundleError> {
        let unlike = trust.unlike(&self.folder, digests).into_iter();
        let mut problems = unlike
            .map(|(digest, found)| {
                let found = found.map_err(BundleError::unreadable(&self.path_of(&digest)))?;
                Ok(self.problem_of(&digest, &found, None))
            })
            .filter_map(Result::transpose)
            .collect::<Result<Vec<_>, _>>()?;
        if problems.is_empty() {
            let sent = |item: &&Item| machine::face(item).is_some_and(|face| digests.contains(&face));
            for item in self.manifest.items.iter().filter(sent) {
                problems.extend(machine::at_first_sight(self, item)?);
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(BundleError::Damaged {
            folder: self.folder.clone(),
            problems,
        })
    }

    /// What is wrong with a blob of which this was found, if anything is; its length is compared where one is given.
    pub(crate) fn problem_of(
        &self,
        digest: &Digest,
        found: &Found<CachedFile>,
        size: Option<u64>,
    ) -> Option<Problem> {
        Problem::of(&digest.blob_path(), self.items_with(digest), found, |file| {
            file.digest == *digest && size.is_none_or(|size| file.size == size)
        })
    }

    fn items_with(&self, digest: &Digest) -> Vec<String> {
        users(&self.manifest).remove(digest).unwrap_or_default()
    }

    /// The bundle's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What stands for the bundle of a release where none is at hand: it has no file, and can only be described.
#[must_use]
pub fn unbundled(release: &Release) -> Bundle {
    Bundle {
        folder: PathBuf::new(),
        manifest: iec_core::unbundled::unbundled(release),
        has_sums: true,
    }
}

/// Opens a bundle by its manifest, which is compared with its sum where the bundle has one.
///
/// # Errors
/// When the folder has no manifest that this program can use, or it is not the one that was built.
pub fn open(folder: &Path) -> Result<Bundle, BundleError> {
    let opened = Opened::read(folder)?;
    let mut problems = opened.problems;
    // What is read of a bundle of an older form is compared with the manifest like that of any other.
    problems.retain(|problem| !matches!(problem, Problem::Missing { path, .. } if path == SUMS_FILE));
    if problems.is_empty() {
        Ok(opened.bundle)
    } else {
        Err(BundleError::Damaged {
            folder: folder.to_owned(),
            problems,
        })
    }
}

/// A bundle whose manifest was read, and what is wrong with that.
pub(crate) struct Opened {
    pub(crate) bundle: Bundle,
    pub(crate) sums: Option<Sums>,
    pub(crate) problems: Vec<Problem>,
}

impl Opened {
    /// Reads the manifest and its sum.
    ///
    /// # Errors
    /// When the folder has no manifest that this program can use.
    pub(crate) fn read(folder: &Path) -> Result<Self, BundleError> {
        let damaged = |problems| BundleError::Damaged {
            folder: folder.to_owned(),
            problems,
        };
        let path = folder.join(MANIFEST_FILE);
        let found = read(&path).map_err(BundleError::unreadable(&path))?;
        let bytes = match found {
            Found::File(bytes) => bytes,
            Found::Nothing => {
                return Err(BundleError::NotABundle {
                    folder: folder.to_owned(),
                });
            }
            Found::Other(_) => {
                let problem = Problem::of(MANIFEST_FILE, Vec::new(), &found, |_| true);
                return Err(damaged(problem.into_iter().collect()));
            }
        };
        let sums_path = folder.join(SUMS_FILE);
        let found = read(&sums_path).map_err(BundleError::unreadable(&sums_path))?;
        let sums = match &found {
            Found::File(text) => std::str::from_utf8(text).ok().and_then(Sums::parse),
            _ => None,
        };
        let mut problems = Vec::new();
        problems.extend(Problem::of(SUMS_FILE, Vec::new(), &found, |_| sums.is_some()));
        if sums.is_some_and(|sums| Digest::of(&bytes) != sums.manifest) {
            problems.push(Problem::Changed {
                path: MANIFEST_FILE.to_owned(),
                items: Vec::new(),
            });
        }
        let manifest = match Manifest::parse(&text(bytes).map_err(BundleError::unreadable(&path))?) {
            Ok(manifest) => manifest,
            // That it is damaged says more than how.
            Err(_) if sums.is_some() && !problems.is_empty() => return Err(damaged(problems)),
            Err(source) => {
                return Err(BundleError::Manifest {
                    folder: folder.to_owned(),
                    source,
                });
            }
        };
        let bundle = Bundle {
            folder: folder.to_owned(),
            manifest,
            has_sums: sums.is_some(),
        };
        Ok(Self {
            bundle,
            sums,
            problems,
        })
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
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
                kind: kind_name(&item.kind),
                digest: item.digest,
                bytes: blobs.values().sum(),
                own_bytes: own.map(|(_, size)| size).sum(),
            }
        })
        .collect())
}

/// What people call an item of this kind.
pub(crate) const fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Binary => "binary",
        Kind::Image(_) => "image",
        Kind::Manifest => "manifest",
        Kind::Tree => "tree",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use iec_core::architecture::Architecture;
    use iec_core::content::{BLOBS, MANIFEST_SCHEMA};

    use super::*;

    /// A bundle of an older form: two items with one blob.
    fn sample() -> (tempfile::TempDir, Digest) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(BLOBS)).unwrap();
        let digest = Digest::of(b"a program");
        fs::write(folder.path().join(digest.blob_path()), b"a program").unwrap();
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

    /// Gives the sample its sums.
    fn seal(folder: &Path) {
        let manifest = fs::read(folder.join(MANIFEST_FILE)).unwrap();
        fs::write(folder.join(SUMS_FILE), Sums::of(&manifest, b"").to_text()).unwrap();
    }

    #[test]
    fn a_bundle_is_inspected() {
        let (folder, _) = sample();
        let sizes = inspect(folder.path()).unwrap();
        assert_eq!(
            (sizes[0].name.as_str(), sizes[0].bytes, sizes[0].own_bytes),
            ("kubelet", 9, 0)
        );
    }

    #[test]
    fn a_bundle_of_an_older_form_is_opened_and_known_as_one() {
        let (folder, _) = sample();
        assert!(!open(folder.path()).unwrap().has_sums);
        seal(folder.path());
        assert!(open(folder.path()).unwrap().has_sums);
    }

    #[test]
    fn a_manifest_that_is_not_the_one_that_was_built_is_not_opened() {
        let (folder, _) = sample();
        seal(folder.path());
        let path = folder.path().join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [text.replace("runc", "runC"), text[..40].to_owned()] {
            fs::write(&path, damaged).unwrap();
            let error = open(folder.path()).unwrap_err();
            assert_eq!(error.code(), "IEC2023");
            assert!(
                error.to_string().ends_with("manifest.json has changed"),
                "{error}"
            );
        }
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
    fn a_folder_without_a_usable_manifest_is_no_bundle() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(open(folder.path()).unwrap_err().code(), "IEC2020");
        fs::write(folder.path().join(MANIFEST_FILE), "{").unwrap();
        assert_eq!(open(folder.path()).unwrap_err().code(), "IEC2021");
    }
}
