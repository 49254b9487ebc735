//! Texts that users name: read up to a length that none of them has, so that a wrong name cannot fill the memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The longest document that a person writes or another tool makes, in bytes: site files, inventories, descriptors.
pub(crate) const DOCUMENT: u64 = 4 << 20;

/// The longest facts file, in bytes: a large site's is some hundred kilobytes.
pub(crate) const FACTS: u64 = 32 << 20;

/// The longest file with a passphrase or the secrets of a site, in bytes.
pub(crate) const SECRETS: u64 = 1 << 20;

/// Reads a text of at most `longest` bytes. It need not be a file: a pipe that a shell names (`<(...)`) is as good.
///
/// # Errors
/// When it cannot be read, is longer, or is no text.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(longest + 1).read_to_string(&mut text)?;
    if read as u64 > longest {
        return Err(io::Error::other(format!(
            "it is longer than {} MiB: this is another file than you think",
            longest >> 20
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_not_read_to_its_end() {
        let error = read(Path::new("/dev/zero"), SECRETS).expect_err("zeros without an end");
        assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
    }

    #[test]
    fn a_text_of_the_greatest_length_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        std::fs::write(&path, "12345").expect("written");
        assert_eq!(read(&path, 5).expect("read"), "12345");
        assert!(read(&path, 4).is_err());
        assert!(read(&folder.path().join("none"), 4).is_err());
    }
}
