//! Files on their way to a host: one tar stream of content named by digest, and of secrets.

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use futures::stream::{self, StreamExt};
use iec_core::content::Digest;
use iec_core::plan::SecretName;
use iec_core::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

use crate::error::HostError;
use crate::execute::RunName;
use crate::host::Bounds;

/// The folder on a host that payloads are written to: `<hex>` for content, `secrets/<name>` for secrets, `stop-<run>` for
/// the wish that a run may end.
pub const INCOMING: &str = "/var/lib/iec/incoming";

/// Storing says next to nothing. The time is that without any progress: a slow disk may stall for a minute.
pub(crate) const STORING: Bounds = Bounds {
    question: "storing what was sent",
    bytes: 1 << 20,
    time: Duration::from_secs(300),
};

/// How much of a file is read at a time.
const CHUNK: usize = 256 << 10;
/// The unit of a tar archive.
const BLOCK: usize = 512;

/// What is to be put on a host, in the order in which it is sent.
#[derive(Debug, Default)]
pub struct Payload {
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum Entry {
    Blob {
        digest: Digest,
        size: u64,
        /// The first byte that is sent; the host has those before it.
        from: u64,
        file: PathBuf,
    },
    Stop {
        run: RunName,
    },
    Secret {
        name: SecretName,
        content: Secret<String>,
    },
}

impl Payload {
    /// A payload of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the file with this digest and size (bytes). The digest is its name on the host; it is not checked here.
    #[must_use]
    pub fn blob(self, digest: Digest, size: u64, file: impl Into<PathBuf>) -> Self {
        self.rest_of_blob(digest, size, 0, file)
    }

    /// The same from the byte `from` on (counted from 0): the host has kept what is before it.
    #[must_use]
    pub fn rest_of_blob(mut self, digest: Digest, size: u64, from: u64, file: impl Into<PathBuf>) -> Self {
        self.entries.push(Entry::Blob {
            digest,
            size,
            from: from.min(size),
            file: file.into(),
        });
        self
    }

    /// The wish that the run called `run` may end before its next step.
    #[must_use]
    pub fn stop(run: &RunName) -> Self {
        Self {
            entries: vec![Entry::Stop { run: run.clone() }],
        }
    }

    /// Adds a secret, which becomes `secrets/<name>` with mode 0600.
    #[must_use]
    pub fn secret(mut self, name: SecretName, content: Secret<String>) -> Self {
        self.entries.push(Entry::Secret { name, content });
        self
    }

    /// Whether there is nothing to put.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes of files and secrets there are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let size = |entry: &Entry| match entry {
            Entry::Blob { size, from, .. } => size - from,
            Entry::Secret { content, .. } => content.expose().len() as u64,
            Entry::Stop { .. } => 0,
        };
        self.entries.iter().map(size).sum()
    }

    /// The tar archive, piece by piece.
    pub(crate) fn into_archive(self) -> impl Stream<Item = Result<Bytes, HostError>> + Send {
        let end = stream::iter([Ok(Bytes::from_static(&[0; 2 * BLOCK]))]);
        stream::iter(self.entries).flat_map(entry_stream).chain(end)
    }
}

/// One entry's header, content and padding.
fn entry_stream(entry: Entry) -> stream::BoxStream<'static, Result<Bytes, HostError>> {
    match entry {
        Entry::Stop { run } => {
            let header = header(&format!("stop-{run}"), 0, 0);
            stream::iter([Ok(Bytes::copy_from_slice(&header))]).boxed()
        }
        Entry::Secret { name, content } => {
            let size = content.expose().len() as u64;
            let name = format!("secrets/{}", name.file_name());
            let mut bytes = BytesMut::from(&header(&name, 0, size)[..]);
            bytes.extend_from_slice(content.expose().as_bytes());
            bytes.resize(bytes.len() + padding(size), 0);
            stream::iter([Ok(bytes.freeze())]).boxed()
        }
        Entry::Blob {
            digest,
            size,
            from,
            file,
        } => {
            let rest = size - from;
            let first = stream::iter([Ok(Bytes::copy_from_slice(&header(&digest.hex(), from, rest)))]);
            let last = stream::iter([Ok(Bytes::from_static(&[0; BLOCK][..padding(rest)]))]);
            first.chain(file_stream(file, from, rest)).chain(last).boxed()
        }
    }
}

/// How many zero bytes fill up the last block.
fn padding(size: u64) -> usize {
    let rest = (size % BLOCK as u64) as usize;
    (BLOCK - rest) % BLOCK
}

/// The header of an entry of `size` bytes, which the host writes into `name` from the byte `from` on.
fn header(name: &str, from: u64, size: u64) -> [u8; BLOCK] {
    let mut header = tar::Header::new_ustar();
    header
        .set_path(format!("{name}@{from}"))
        .expect("names are flat, short and plain by construction");
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    *header.as_bytes()
}

/// A file's content from the byte `from` on: exactly `size` bytes, or an error.
fn file_stream(path: PathBuf, from: u64, size: u64) -> impl Stream<Item = Result<Bytes, HostError>> + Send {
    struct Reading {
        path: PathBuf,
        file: Option<tokio::fs::File>,
        left: u64,
    }
    let reading = Reading {
        path,
        file: None,
        left: size,
    };
    stream::try_unfold(reading, move |mut reading| async move {
        if reading.left == 0 {
            return Ok(None);
        }
        match next_chunk(&reading.path, from, &mut reading.file, reading.left).await {
            Ok(chunk) => {
                reading.left -= chunk.len() as u64;
                Ok(Some((chunk, reading)))
            }
            Err(source) => Err(HostError::Payload {
                file: reading.path,
                source,
            }),
        }
    })
}

async fn next_chunk(
    path: &PathBuf,
    from: u64,
    file: &mut Option<tokio::fs::File>,
    left: u64,
) -> std::io::Result<Bytes> {
    let file = match file {
        Some(file) => file,
        None => {
            let mut opened = tokio::fs::File::open(path).await?;
            opened.set_max_buf_size(CHUNK);
            opened.seek(SeekFrom::Start(from)).await?;
            file.insert(opened)
        }
    };
    let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = BytesMut::zeroed(wanted);
    let read = file.read(&mut chunk).await?;
    if read == 0 {
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            format!("the file is {left} bytes shorter than it should be"),
        ));
    }
    chunk.truncate(read);
    Ok(chunk.freeze())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    async fn archive(payload: Payload) -> Result<Vec<u8>, HostError> {
        let mut bytes = Vec::new();
        let mut pieces = std::pin::pin!(payload.into_archive());
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn the_archive_can_be_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("blob");
        let content = vec![7; CHUNK * 2 + 1];
        std::fs::write(&file, &content).expect("written");
        let digest = Digest::of(&content);
        let payload = Payload::new()
            .blob(digest, content.len() as u64, &file)
            .secret(SecretName::ClusterCaKey, Secret::new("hush".to_owned()));
        assert_eq!(payload.bytes(), content.len() as u64 + 4);

        let bytes = archive(payload).await.expect("an archive");
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let mut read = Vec::new();
            entry.read_to_end(&mut read).expect("content");
            let path = entry.path().expect("a path").display().to_string();
            seen.push((path, entry.header().mode().expect("a mode"), read));
        }
        assert_eq!(
            seen,
            [
                (format!("{}@0", digest.hex()), 0o600, content),
                ("secrets/ca.key@0".to_owned(), 0o600, b"hush".to_vec())
            ]
        );
    }

    #[tokio::test]
    async fn the_rest_of_a_file_says_where_it_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("blob");
        std::fs::write(&file, b"abcdef").expect("written");
        let digest = Digest::of(b"abcdef");
        let payload = Payload::new().rest_of_blob(digest, 6, 4, &file);
        assert_eq!(payload.bytes(), 2);
        let bytes = archive(payload).await.expect("an archive");
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut entry = archive
            .entries()
            .expect("entries")
            .next()
            .expect("one")
            .expect("whole");
        let mut read = Vec::new();
        entry.read_to_end(&mut read).expect("content");
        assert_eq!(read, b"ef");
        let name = entry.path().expect("a path").display().to_string();
        assert_eq!(name, format!("{}@4", digest.hex()));
    }

    #[tokio::test]
    async fn a_file_that_is_too_short_or_missing_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("blob");
        std::fs::write(&file, b"abc").expect("written");
        let digest = Digest::of(b"abc");
        let error = archive(Payload::new().blob(digest, 4, &file))
            .await
            .expect_err("too short");
        assert_eq!(error.code(), "IEC1502");
        let error = archive(Payload::new().blob(digest, 4, folder.path().join("none")))
            .await
            .expect_err("missing");
        assert_eq!(error.code(), "IEC1502");
    }
}
