//! A seed: images that were unpacked elsewhere for hosts that are slow at it, and what it must fit.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::content::{Digest, Manifest};
use crate::plan::image_names;
use crate::release::Release;
use crate::site::Role;

/// The version of the label that this program writes and reads.
pub const SEED_SCHEMA: u32 = 2;
/// The label, first in a seed's archive.
pub const LABEL_FILE: &str = "iec-seed.json";
/// The longest label that is read, in bytes.
pub const LONGEST_LABEL: u64 = 1 << 20;
/// The folders of containerd's data that make a seed, beside its label; without the files of the images, which hosts get
/// from the bundle in any case. The last says what the others hold: where it is
/// missing, containerd takes nothing of them for its own.
pub const FOLDERS: [&str; 3] = [
    "io.containerd.content.v1.content",
    "io.containerd.snapshotter.v1.overlayfs",
    "io.containerd.metadata.v1.bolt",
];

/// Where containerd keeps files by their digest, in its data.
pub const CONTENT: &str = "io.containerd.content.v1.content/blobs/sha256";

/// What a seed says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeedLabel {
    /// The version of its form.
    pub schema: u32,
    /// The hosts that it is for, in order.
    pub hosts: Vec<String>,
    /// The architecture of its images.
    pub architecture: Architecture,
    /// The version of containerd whose data it is.
    pub containerd: String,
    /// The images that are unpacked in it: their references, and the digests of their manifests.
    pub images: BTreeMap<String, Digest>,
}

/// A seed that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// What it says of itself.
    pub label: SeedLabel,
    /// The digest of its archive.
    pub digest: Digest,
    /// The length of its archive in bytes.
    pub size: u64,
}

/// Why a seed does not fit a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It is in a form that this program does not read.
    Schema(u32),
    /// It is for other hosts.
    Host(Vec<String>),
    /// Its images are for another architecture.
    Architecture(Architecture),
    /// It is the data of another version of containerd.
    Containerd(String),
    /// It has other images than the plan.
    Images(String),
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(found) => write!(
                formatter,
                "it has schema {found}, this program reads {SEED_SCHEMA}"
            ),
            Self::Host(hosts) => write!(formatter, "it is for {}", hosts.join(", ")),
            Self::Architecture(found) => write!(formatter, "its images are for {found}"),
            Self::Containerd(found) => write!(formatter, "it is the data of containerd {found}"),
            Self::Images(reference) => write!(formatter, "it has another {reference}, or none"),
        }
    }
}

impl SeedLabel {
    /// What a seed for hosts of one role and architecture must say; nothing where the bundle lacks one of their images.
    #[must_use]
    pub fn wanted(
        release: &Release,
        content: &Manifest,
        hosts: impl IntoIterator<Item = String>,
        role: Role,
        architecture: Architecture,
    ) -> Option<Self> {
        let images = image_names(role).into_iter().map(|name| {
            let (_, image) = content.image(name, architecture)?;
            Some((image.reference.clone(), image.manifest.digest))
        });
        let mut hosts: Vec<String> = hosts.into_iter().collect();
        hosts.sort_unstable();
        Some(Self {
            schema: SEED_SCHEMA,
            hosts,
            architecture,
            containerd: release.part("containerd")?.plain_version().to_owned(),
            images: images.collect::<Option<_>>()?,
        })
    }

    /// The text of its file, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a label has string keys only")
    }

    /// Why it does not fit a host of which `wanted` is wanted; nothing where it fits.
    #[must_use]
    pub fn misfit(&self, wanted: &Self) -> Option<Misfit> {
        if self.schema != SEED_SCHEMA {
            return Some(Misfit::Schema(self.schema));
        }
        if !wanted.hosts.iter().all(|host| self.hosts.contains(host)) {
            return Some(Misfit::Host(self.hosts.clone()));
        }
        if self.architecture != wanted.architecture {
            return Some(Misfit::Architecture(self.architecture));
        }
        if self.containerd != wanted.containerd {
            return Some(Misfit::Containerd(self.containerd.clone()));
        }
        let all = self.images.iter().chain(&wanted.images);
        let differs = |reference: &&String| self.images.get(*reference) != wanted.images.get(*reference);
        let mut references = all.map(|(reference, _)| reference);
        references.find(differs).cloned().map(Misfit::Images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unbundled::unbundled;

    fn wanted(host: &str, role: Role, architecture: Architecture) -> SeedLabel {
        let release = Release::bundled("1.36").unwrap();
        SeedLabel::wanted(
            &release,
            &unbundled(&release),
            [host.to_owned()],
            role,
            architecture,
        )
        .unwrap()
    }

    #[test]
    fn a_seed_fits_what_it_was_made_for_and_nothing_else() {
        let label = wanted("edge-3", Role::Worker, Architecture::Arm64);
        let read: SeedLabel = serde_json::from_str(&label.to_json()).unwrap();
        assert_eq!(read, label);
        assert_eq!(label.misfit(&label), None);
        let shared = SeedLabel {
            hosts: vec!["edge-2".into(), "edge-3".into()],
            ..label.clone()
        };
        assert_eq!(shared.misfit(&label), None);
        for (other, words) in [
            (
                wanted("edge-2", Role::Worker, Architecture::Arm64),
                "it is for edge-3",
            ),
            (
                wanted("edge-3", Role::Worker, Architecture::Amd64),
                "its images are for arm64",
            ),
            (
                wanted("edge-3", Role::ControlPlane, Architecture::Arm64),
                "it has another registry.k8s.io/etcd:",
            ),
            (
                SeedLabel {
                    containerd: "2.5.0".into(),
                    ..label.clone()
                },
                "it is the data of containerd ",
            ),
        ] {
            let misfit = label.misfit(&other).expect("it does not fit").to_string();
            assert!(misfit.starts_with(words), "{misfit}");
        }
        let older = SeedLabel {
            schema: 1,
            ..label.clone()
        };
        assert_eq!(older.misfit(&label), Some(Misfit::Schema(1)));
    }
}
