//! Image layers: a tree as a tar, compressed by one thread, with the digests that an image names.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use iec_core::content::{Blob, Digest, MEDIA_TYPE_LAYER_ZSTD};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::tree::Tree;

/// Good compression at a speed that a build does not feel; decompression does not depend on it.
const LEVEL: i32 = 9;

/// What decides a layer's bytes beside its tree.
pub(crate) const SETTINGS: &str = "zstd 9, one thread, checksum";

/// A layer: its blob, and the digest of its uncompressed tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub(crate) blob: Blob,
    pub(crate) diff_id: Digest,
}

/// Passes bytes on and hashes them.
pub(crate) struct Hashing<W> {
    inner: W,
    hasher: sha2::Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: sha2::Sha256::new(),
            size: 0,
        }
    }

    /// The inner writer, the digest of all bytes and their number.
    pub(crate) fn finish(self) -> (W, Digest, u64) {
        (
            self.inner,
            Digest::from_bytes(self.hasher.finalize().into()),
            self.size,
        )
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes the tree to `path` as a compressed layer.
///
/// # Errors
/// When a file of the tree cannot be read, or writing fails.
pub(crate) fn write(tree: &Tree, seconds: u64, path: &Path) -> io::Result<Layer> {
    let file = Hashing::new(BufWriter::with_capacity(1 << 18, File::create(path)?));
    // Exactly one worker: with several, zstd cuts the input elsewhere and the bytes depend on their number.
    let mut encoder = zstd::Encoder::new(file, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut archive = Hashing::new(BufWriter::with_capacity(1 << 18, encoder));
    tree.write_tar(&mut archive, seconds)?;
    let (buffer, diff_id, _) = archive.finish();
    let encoder = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    let (buffer, digest, size) = encoder.finish()?.finish();
    buffer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    Ok(Layer {
        blob: Blob {
            media_type: MEDIA_TYPE_LAYER_ZSTD.to_owned(),
            digest,
            size,
        },
        diff_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_the_same_bytes_each_time_and_its_digests_are_true() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let mut tree = Tree::default();
        tree.file("/etc/hosts", 0o644, "127.0.0.1 localhost\n".repeat(10_000));
        let layer = write(&tree, 1_795_132_800, &first).unwrap();
        assert_eq!(write(&tree, 1_795_132_800, &second).unwrap(), layer);
        let bytes = std::fs::read(&first).unwrap();
        assert_eq!(bytes, std::fs::read(&second).unwrap());
        assert_eq!(
            (Digest::of(&bytes), bytes.len() as u64),
            (layer.blob.digest, layer.blob.size)
        );
        let tar = zstd::decode_all(bytes.as_slice()).unwrap();
        assert_eq!(Digest::of(&tar), layer.diff_id);
        assert_eq!(
            Tree::read_tar(tar.as_slice()).unwrap().get("/etc/hosts"),
            tree.get("/etc/hosts")
        );
    }
}
