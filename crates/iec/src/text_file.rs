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
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(longest + 1).read_to_end(&mut bytes)?;
    if read as u64 > longest {
        return Err(io::Error::other(format!(
            "it is longer than {} MiB: this is another file than you think",
            longest >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let reason = no_text(error.as_bytes(), error.utf8_error().valid_up_to());
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

/// Why bytes are no text: `valid` of them are, from the beginning.
fn no_text(bytes: &[u8], valid: usize) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return "it is text in UTF-16, UTF-8 is read: save it as UTF-8".to_owned();
    }
    let before = &bytes[..valid];
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    let byte = bytes.get(valid).copied().unwrap_or_default();
    format!(
        "line {line}, column {column} is no UTF-8 text, its byte is 0x{byte:02x}: write that letter anew, or save the file as UTF-8"
    )
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
    fn what_is_no_text_is_found_at_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text");
        for (bytes, part) in [
            (
                &b"a: 1\nb: \xc3\xa4\xe4\n"[..],
                "line 2, column 5 is no UTF-8 text, its byte is 0xe4",
            ),
            (b"\xe4", "line 1, column 1"),
            (b"a\n\xc3", "line 2, column 1"),
            (b"\xff\xfea\0", "UTF-16"),
        ] {
            std::fs::write(&path, bytes).expect("written");
            let error = read(&path, DOCUMENT).expect_err("it is no text");
            assert!(error.to_string().contains(part), "{error}");
        }
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
