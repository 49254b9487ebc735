//! What has come to a host by a transfer that was cut: a file goes on where it was, once its beginning is proved right.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use iec_core::content::Digest;
use iec_core::plan::{HOME, StoreBlob};
use iec_sh::{ReceivedQuestion, events};

use crate::ask::ask;
use crate::error::HostError;
use crate::host::{Bounds, Host, Script};
use crate::outcome::Privilege;

/// A line for each file. A slow board reads some forty megabytes of them in a second.
const RECEIVED: Bounds = Bounds {
    question: "the question what has come already",
    bytes: 1 << 20,
    time: Duration::from_secs(600),
};

/// How much of a file is read at a time.
const CHUNK: usize = 1 << 20;

/// What a host has of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    size: u64,
    digest: Digest,
}

/// Asks the host how much of these blobs it has, and with what digest. What it says of others counts for nothing.
pub(super) async fn received(
    host: &dyn Host,
    blobs: &[&StoreBlob],
) -> Result<BTreeMap<Digest, Received>, HostError> {
    let names: Vec<String> = blobs.iter().map(|blob| blob.digest.hex()).collect();
    let question = ReceivedQuestion {
        home: HOME,
        blobs: &names,
    };
    let script = Script::new(question.text(), RECEIVED);
    let answer = ask(host, &script, Privilege::Root).await?;
    let answer = answer.expect_success(RECEIVED.question)?;
    let mut found: BTreeMap<Digest, Received> = answer.lines.iter().filter_map(|line| read(line)).collect();
    found.retain(|digest, _| blobs.iter().any(|blob| blob.digest == *digest));
    Ok(found)
}

fn read(line: &str) -> Option<(Digest, Received)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let ["iec", events::RECEIVED, name, size, digest] = fields.as_slice() else {
        return None;
    };
    let digest_of = |hex: &str| format!("sha256:{hex}").parse().ok();
    let received = Received {
        size: size.parse().ok()?,
        digest: digest_of(digest)?,
    };
    Some((digest_of(name)?, received))
}

impl Received {
    /// How many bytes of `blob` need not be sent again: those that are the beginning of `file`, byte by byte. All where
    /// the host has the whole of it.
    pub(super) async fn usable(self, blob: &StoreBlob, file: &Path) -> io::Result<u64> {
        if self.size >= blob.size {
            let is_whole = self.size == blob.size && self.digest == blob.digest;
            return Ok(if is_whole { blob.size } else { 0 });
        }
        let (file, size) = (file.to_owned(), self.size);
        let hashing = tokio::task::spawn_blocking(move || beginning(&file, size));
        let ours = hashing.await.map_err(io::Error::other)??;
        Ok(if ours == self.digest { self.size } else { 0 })
    }
}

/// The digest of the first `size` bytes of a file.
fn beginning(file: &Path, size: u64) -> io::Result<Digest> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut content = File::open(file)?.take(size);
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = content.read(&mut chunk)?;
        if read == 0 {
            let sum = context.finish();
            let sum = sum.as_ref().try_into().map_err(io::Error::other)?;
            return Ok(Digest::from_bytes(sum));
        }
        context.update(&chunk[..read]);
    }
}
