//! The bundle: which binaries, images, manifests and trees a release consists of, each named by its digest.
//!
//! A bundle folder holds `manifest.json`, `debian.lock`, the sums of both in `manifest.sha256`, and `blobs/sha256/<hex>`,
//! one file per digest, and nothing else.
//! A host keeps the same blobs under [`HOST_STORE`].

mod sums;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::architecture::Architecture;

pub use sums::{SUMS_FILE, Sums};

/// The version of [`Manifest`] that this program writes and reads.
pub const MANIFEST_SCHEMA: u32 = 1;
/// The manifest's file name inside a bundle folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The file inside a bundle folder that pins every Debian package by version and sum.
pub const DEBIAN_LOCK_FILE: &str = "debian.lock";
/// The folder of blobs inside a bundle folder and inside an OCI layout.
pub const BLOBS: &str = "blobs/sha256";
/// The folder on a host that holds `blobs/sha256/<hex>`.
pub const HOST_STORE: &str = "/var/lib/iec/store";
/// The content of the file `oci-layout` that makes a folder or tar an OCI image layout.
pub const OCI_LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
/// The media type of an OCI image manifest.
pub const MEDIA_TYPE_IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an OCI image configuration.
pub const MEDIA_TYPE_IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a layer that is a tar compressed by zstd.
pub const MEDIA_TYPE_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The media type of an OCI image index (`index.json`).
pub const MEDIA_TYPE_IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A SHA-256 digest, written `sha256:<64 lower-case hexadecimal digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A digest from the 32 bytes that a hasher gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 64 hexadecimal digits without the algorithm: the blob's file name.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The blob's path inside a bundle, a host's store or an OCI layout: `blobs/sha256/<hex>`.
    #[must_use]
    pub fn blob_path(&self) -> String {
        format!("{BLOBS}/{}", self.hex())
    }

    /// The first 12 hexadecimal digits: enough for people to tell digests apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A text that is no digest of the form `sha256:<64 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest of the form sha256:<64 lower-case hexadecimal digits>")]
pub struct InvalidDigest(pub String);

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDigest(text.to_owned());
        let hex = text.strip_prefix("sha256:").ok_or_else(invalid)?;
        let lower_case_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != 64 || !hex.bytes().all(lower_case_hex) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[index * 2..index * 2 + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One blob: what an OCI image manifest calls a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Blob {
    /// The media type, as OCI names it.
    pub media_type: String,
    /// The digest of the blob's bytes.
    pub digest: Digest,
    /// The blob's length in bytes.
    pub size: u64,
}

/// Everything in a bundle. Serialised as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA`].
    pub schema: u32,
    /// The release, as site files name it: `1.36`.
    pub release: String,
    /// The Kubernetes version: `v1.36.3`.
    pub kubernetes: String,
    /// The release's date (`YYYY-MM-DD`, UTC), an input: every time stamp inside the content is this one.
    pub source_date: String,
    /// The architectures that the bundle has content for.
    pub architectures: Vec<Architecture>,
    /// The content, sorted by name, then architecture.
    pub items: Vec<Item>,
}

/// One named thing in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The name: `kubelet`, `cni/bridge`, `kube-apiserver`, `calico-vxlan.yaml`, `host-tools`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The architecture it runs on; none when it is for any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub architecture: Option<Architecture>,
    /// The digest of its bytes; of an image: of its OCI image manifest.
    pub digest: Digest,
    /// The length in bytes of what `digest` names.
    pub size: u64,
    /// What it was made from.
    pub origin: Vec<Origin>,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Kind {
    /// One executable file.
    Binary,
    /// A container image.
    Image(ImageItem),
    /// A YAML file for Kubernetes.
    Manifest,
    /// An uncompressed tar to unpack.
    Tree,
}

/// The kinds of items, without what they carry: to look an item up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Binary,
    Image,
    Manifest,
    Tree,
}

impl Kind {
    const fn sort(&self) -> Sort {
        match self {
            Self::Binary => Sort::Binary,
            Self::Image(_) => Sort::Image,
            Self::Manifest => Sort::Manifest,
            Self::Tree => Sort::Tree,
        }
    }
}

/// A container image for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageItem {
    /// The full reference under which the runtime must know it: `registry.k8s.io/kube-apiserver:v1.36.3`.
    pub reference: String,
    /// The OCI image manifest.
    pub manifest: Blob,
    /// The OCI image configuration. Its digest is the image id that the kubelet reports.
    pub config: Blob,
    /// The layers, lowest first.
    pub layers: Vec<Blob>,
}

impl ImageItem {
    /// The `index.json` of an OCI layout that holds this image alone.
    #[must_use]
    pub fn index_json(&self) -> String {
        index_json([self])
    }

    /// Every blob of the image, each once: manifest, configuration, layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        [&self.manifest, &self.config].into_iter().chain(&self.layers)
    }
}

/// The `index.json` of an OCI layout that holds these images, for one import of them all.
///
/// The annotation `io.containerd.image.name` tells containerd the full reference.
#[must_use]
pub fn index_json<'a>(images: impl IntoIterator<Item = &'a ImageItem>) -> String {
    let manifests: Vec<_> = images
        .into_iter()
        .map(|image| {
            serde_json::json!({
                "mediaType": image.manifest.media_type,
                "digest": image.manifest.digest,
                "size": image.manifest.size,
                "annotations": {"io.containerd.image.name": image.reference},
            })
        })
        .collect();
    serde_json::json!({"schemaVersion": 2, "mediaType": MEDIA_TYPE_IMAGE_INDEX, "manifests": manifests})
        .to_string()
}

/// What an item was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", deny_unknown_fields)]
pub enum Origin {
    /// Built from a Go module.
    GoModule {
        /// The module's path.
        module: String,
        /// The module's version.
        version: String,
        /// The module's sum as `go.sum` has it (`h1:…`).
        sum: String,
    },
    /// A file taken from, or compiled from, a Go module.
    File {
        /// The module's path.
        module: String,
        /// The module's version.
        version: String,
        /// The module's sum as `go.sum` has it (`h1:…`).
        sum: String,
        /// The file's path inside the module.
        path: String,
    },
    /// Unpacked from Debian packages.
    Debian {
        /// The packages, sorted by name.
        packages: Vec<DebianPackage>,
    },
}

/// One Debian package file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPackage {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// The SHA-256 of the `.deb` file, in hexadecimal.
    pub sha256: String,
}

/// Why a text is no manifest that this program can use.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not of this form.
    #[error("the bundle manifest cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Written by another version of the program.
    #[error("the bundle manifest has schema {found}, this program reads schema {MANIFEST_SCHEMA}")]
    Schema {
        /// The schema that was found.
        found: u64,
    },
}

impl Manifest {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// When the text is no manifest, or one of another schema.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: u64,
        }
        // The schema first: a newer manifest should be called newer, not malformed.
        let probe: Probe = serde_json::from_str(text).map_err(ManifestError::Syntax)?;
        if probe.schema != u64::from(MANIFEST_SCHEMA) {
            return Err(ManifestError::Schema { found: probe.schema });
        }
        serde_json::from_str(text).map_err(ManifestError::Syntax)
    }

    /// The text of `manifest.json`. The same manifest gives the same bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest has string keys only");
        text.push('\n');
        text
    }

    /// The binary of this name for this architecture: `kubelet`, `cni/bridge`.
    #[must_use]
    pub fn binary(&self, name: &str, architecture: Architecture) -> Option<&Item> {
        self.find(Sort::Binary, name, Some(architecture))
    }

    /// The image of this name for this architecture, with the item that carries it: `kube-apiserver`.
    #[must_use]
    pub fn image(&self, name: &str, architecture: Architecture) -> Option<(&Item, &ImageItem)> {
        let item = self.find(Sort::Image, name, Some(architecture))?;
        match &item.kind {
            Kind::Image(image) => Some((item, image)),
            _ => None,
        }
    }

    /// The YAML manifest of this name: `calico-vxlan.yaml`.
    #[must_use]
    pub fn manifest(&self, name: &str) -> Option<&Item> {
        self.find(Sort::Manifest, name, None)
    }

    /// The tree of this name for this architecture: `host-tools`.
    #[must_use]
    pub fn tree(&self, name: &str, architecture: Architecture) -> Option<&Item> {
        self.find(Sort::Tree, name, Some(architecture))
    }

    /// Every binary for this architecture whose name begins with `prefix` (`cni/`, or empty for all).
    pub fn binaries<'a>(
        &'a self,
        prefix: &'a str,
        architecture: Architecture,
    ) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| {
            item.kind == Kind::Binary
                && item.architecture == Some(architecture)
                && item.name.starts_with(prefix)
        })
    }

    /// Every blob that these items need, by digest, with its length in bytes: each once, however often it is shared.
    #[must_use]
    pub fn blobs_of<'a>(items: impl IntoIterator<Item = &'a Item>) -> BTreeMap<Digest, u64> {
        let mut blobs = BTreeMap::new();
        for item in items {
            blobs.insert(item.digest, item.size);
            if let Kind::Image(image) = &item.kind {
                blobs.extend(image.blobs().map(|blob| (blob.digest, blob.size)));
            }
        }
        blobs
    }

    /// Every blob of the bundle, by digest, with its length in bytes.
    #[must_use]
    pub fn blobs(&self) -> BTreeMap<Digest, u64> {
        Self::blobs_of(&self.items)
    }

    fn find(&self, sort: Sort, name: &str, architecture: Option<Architecture>) -> Option<&Item> {
        self.items.iter().find(|item| {
            item.kind.sort() == sort
                && item.name == name
                && (item.architecture.is_none() || item.architecture == architecture)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(media_type: &str, bytes: &[u8]) -> Blob {
        Blob {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }

    fn image(name: &str) -> ImageItem {
        ImageItem {
            reference: format!("registry.k8s.io/{name}:v1"),
            manifest: blob(MEDIA_TYPE_IMAGE_MANIFEST, name.as_bytes()),
            config: blob(MEDIA_TYPE_IMAGE_CONFIG, format!("config of {name}").as_bytes()),
            layers: vec![blob(MEDIA_TYPE_LAYER_ZSTD, b"shared base")],
        }
    }

    fn item(name: &str, kind: Kind, architecture: Option<Architecture>) -> Item {
        let (digest, size) = match &kind {
            Kind::Image(image) => (image.manifest.digest, image.manifest.size),
            _ => (Digest::of(name.as_bytes()), name.len() as u64),
        };
        Item {
            name: name.to_owned(),
            kind,
            architecture,
            digest,
            size,
            origin: Vec::new(),
        }
    }

    fn manifest() -> Manifest {
        let amd64 = Some(Architecture::Amd64);
        Manifest {
            schema: MANIFEST_SCHEMA,
            release: "1.36".to_owned(),
            kubernetes: "v1.36.3".to_owned(),
            source_date: "2026-11-20".to_owned(),
            architectures: vec![Architecture::Amd64],
            items: vec![
                item("calico.yaml", Kind::Manifest, None),
                item("cni/bridge", Kind::Binary, amd64),
                item("etcd", Kind::Image(image("etcd")), amd64),
                item("host-tools", Kind::Tree, amd64),
                item("pause", Kind::Image(image("pause")), amd64),
            ],
        }
    }

    #[test]
    fn a_manifest_survives_the_round_trip_and_its_text_is_stable() {
        let manifest = manifest();
        let text = manifest.to_json();
        let again = Manifest::parse(&text).unwrap();
        assert_eq!(again, manifest);
        assert_eq!(again.to_json(), text);
    }

    #[test]
    fn a_manifest_of_another_schema_is_named_as_such() {
        let error = Manifest::parse(r#"{"schema": 2, "something": "new"}"#).unwrap_err();
        assert!(matches!(error, ManifestError::Schema { found: 2 }), "{error:?}");
    }

    #[test]
    fn items_are_found_by_kind_name_and_architecture() {
        let manifest = manifest();
        assert_eq!(
            manifest.image("etcd", Architecture::Amd64).unwrap().1,
            &image("etcd")
        );
        assert!(manifest.image("etcd", Architecture::Arm64).is_none());
        assert!(manifest.binary("etcd", Architecture::Amd64).is_none());
        assert!(manifest.manifest("calico.yaml").is_some());
        assert!(manifest.tree("host-tools", Architecture::Amd64).is_some());
        assert_eq!(manifest.binaries("cni/", Architecture::Amd64).count(), 1);
    }

    #[test]
    fn shared_layers_are_counted_once() {
        let manifest = manifest();
        let images = ["etcd", "pause"].map(|name| manifest.image(name, Architecture::Amd64).unwrap().0);
        // Two manifests, two configurations, one layer.
        assert_eq!(Manifest::blobs_of(images).len(), 5);
    }

    #[test]
    fn digests_are_strict() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.short(), "e3b0c44298fc");
        assert_eq!(digest.blob_path(), format!("blobs/sha256/{}", digest.hex()));
        for text in [
            "",
            "sha256:",
            &digest.hex(),
            &digest.to_string().to_uppercase(),
            "sha256:+1",
            "sha512:00",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_index_names_the_image_for_containerd() {
        let index: serde_json::Value = serde_json::from_str(&image("etcd").index_json()).unwrap();
        assert_eq!(
            index["manifests"][0]["annotations"]["io.containerd.image.name"],
            "registry.k8s.io/etcd:v1"
        );
        assert_eq!(
            index["manifests"][0]["digest"],
            image("etcd").manifest.digest.to_string()
        );
    }
}
