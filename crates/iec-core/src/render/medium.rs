//! Which files of a rendering become one medium, and the label that its hosts look for.

use super::cloud_init::{CONTENT, SEED};
use super::seed::LABEL;
use super::{Files, Format};
use crate::content::Digest;

/// A medium that is made from a rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// The label of its file system.
    pub label: &'static str,
    /// What its image is called, below the folder of the rendering.
    pub image: String,
    /// The folder of its files, below that of the rendering, with a slash at its end; nothing for all of them.
    pub folder: String,
}

/// The media of a rendering, from its files; none for formats that come to the hosts in another way.
#[must_use]
pub fn media(format: Format, files: &Files) -> Vec<Medium> {
    match format {
        Format::Seed => vec![Medium {
            label: LABEL,
            image: "seed.iso".to_owned(),
            folder: String::new(),
        }],
        Format::CloudInit => {
            let mut folders: Vec<&str> = files
                .keys()
                .filter_map(|path| path.split_once('/').map(|(folder, _)| folder))
                .collect();
            // The files are in order, and so are their folders.
            folders.dedup();
            let medium = |folder: &str| Medium {
                label: if files.contains_key(&format!("{folder}/user-data")) {
                    SEED
                } else {
                    CONTENT
                },
                image: format!("{folder}.iso"),
                folder: format!("{folder}/"),
            };
            folders.into_iter().map(medium).collect()
        }
        _ => Vec::new(),
    }
}

/// The name of the list of a medium's files, and of its signature.
pub const LIST: &str = "manifest";
/// The name of the signature of the list.
pub const SIGNATURE: &str = "manifest.sig";

/// The list of the files of a seed medium that its hosts take nothing beyond, from their paths and digests: a line each, as
/// `sha256sum` prints it. The bundle's files are not in it, since every script knows those that it takes.
#[must_use]
pub fn signed_list<'a>(files: impl IntoIterator<Item = (&'a str, Digest)>) -> String {
    let of_medium = files
        .into_iter()
        .filter(|(path, _)| !super::seed::OF_IMAGE.contains(path));
    of_medium
        .map(|(path, digest)| format!("{}  {path}\n", digest.hex()))
        .collect()
}
