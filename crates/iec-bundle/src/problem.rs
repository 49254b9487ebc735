//! What is wrong with a bundle.

use std::io;
use std::path::{Path, PathBuf};

use iec_core::architecture::Architecture;
use iec_core::content::{MANIFEST_FILE, ManifestError};

use crate::found::Found;

/// One way in which a bundle differs from what was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A file is not there.
    Missing {
        /// The path inside the bundle.
        path: String,
        /// The names of items that need it; none for what is no blob.
        items: Vec<String>,
    },
    /// A file has other bytes than its digest says.
    Changed {
        /// The path inside the bundle.
        path: String,
        /// The names of items that need it; none for what is no blob.
        items: Vec<String>,
    },
    /// Something else is where a file should be.
    NotAFile {
        /// The path inside the bundle.
        path: String,
        /// What is there: `a folder`, `a named pipe`.
        found: &'static str,
        /// The names of items that need it; none for what is no blob.
        items: Vec<String>,
    },
    /// Something else is where a folder should be.
    NotAFolder {
        /// The path inside the bundle.
        path: String,
        /// What is there: `a file`, `a symbolic link`.
        found: &'static str,
    },
    /// A file or folder that the manifest does not know.
    Extra {
        /// The path inside the bundle.
        path: String,
    },
    /// An image's own manifest does not name the layers that the bundle's manifest names.
    Inconsistent {
        /// The image's item.
        item: String,
    },
    /// The manifest has two items of one kind and name for one architecture.
    Twice {
        /// The name of both.
        item: String,
    },
    /// An item has something for another architecture than its own.
    Architecture {
        /// The item.
        item: String,
        /// What it is for.
        architecture: Architecture,
        /// The file inside it; none where it is the item itself.
        path: Option<String>,
        /// What that is for instead.
        found: String,
    },
    /// Images of one name have other references for each architecture: what asks for one of them fails on the others.
    References {
        /// The name of all.
        item: String,
        /// The references.
        references: Vec<String>,
    },
    /// The manifest's date is none.
    Date {
        /// What it has instead.
        written: String,
    },
}

impl Problem {
    /// What is wrong with the file at `path`, of which this was found; `is_right` compares its content.
    pub(crate) fn of<Content>(
        path: &str,
        items: Vec<String>,
        found: &Found<Content>,
        is_right: impl FnOnce(&Content) -> bool,
    ) -> Option<Self> {
        let path = path.to_owned();
        match found {
            Found::File(content) if is_right(content) => None,
            Found::File(_) => Some(Self::Changed { path, items }),
            Found::Other(found) => Some(Self::NotAFile { path, found, items }),
            Found::Nothing => Some(Self::Missing { path, items }),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let needed = |items: &[String]| {
            if items.is_empty() {
                String::new()
            } else {
                format!(" (needed by {})", items.join(", "))
            }
        };
        match self {
            Self::Missing { path, items } => write!(formatter, "{path} is missing{}", needed(items)),
            Self::Changed { path, items } => write!(formatter, "{path} has changed{}", needed(items)),
            Self::NotAFile { path, found, items } => {
                write!(formatter, "{path} is {found}, not a file{}", needed(items))
            }
            Self::NotAFolder { path, found } => write!(formatter, "{path} is {found}, not a folder"),
            Self::Extra { path } => write!(formatter, "{path} does not belong to the bundle"),
            Self::Inconsistent { item } => write!(
                formatter,
                "the image {item} does not name the layers that the manifest names"
            ),
            Self::Twice { item } => write!(formatter, "the manifest has the item {item} more than once"),
            Self::Architecture {
                item,
                architecture,
                path,
                found,
            } => {
                let inside = path.as_ref().map_or("it", String::as_str);
                write!(
                    formatter,
                    "the item {item} for {architecture} is wrong: {inside} is for {found}"
                )
            }
            Self::References { item, references } => write!(
                formatter,
                "the image {item} has several references: {}",
                references.join(", ")
            ),
            Self::Date { written } => write!(
                formatter,
                "the manifest's source_date, `{written}`, is no date of the form YYYY-MM-DD"
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
    /// The bundle is not what was built.
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
    pub(crate) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable {
            path: path.clone(),
            source,
        }
    }

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
