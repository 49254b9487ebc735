//! Texts that users name: read up to a length that none of them has, and never from what may not end or never answers.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// The longest document that a person writes or another tool makes, in bytes: site files, inventories, descriptors.
pub(crate) const DOCUMENT: u64 = 4 << 20;

/// The longest facts file, in bytes: a large site's is some hundred kilobytes.
pub(crate) const FACTS: u64 = 32 << 20;

/// The longest file with a passphrase or the secrets of a site, in bytes.
pub(crate) const SECRETS: u64 = 1 << 20;

/// Whether a pipe is as good as a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pipes {
    /// It is: a shell may have named it (`<(...)`).
    Taken,
    /// It is none of those that this program keeps.
    Refused,
}

/// Reads a text of at most `longest` bytes. It need not be a file: a pipe that a shell names (`<(...)`) is as good.
///
/// # Errors
/// When it is a folder, a device or a pipe into which nobody writes; when it cannot be read, is longer, or is no text.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<String> {
    read_from(path, longest, Pipes::Taken)
}

/// Reads a text of at most `longest` bytes from a file of a place that this program knows by itself.
///
/// # Errors
/// When it is anything else than a file; when it cannot be read, is longer, or is no text.
pub(crate) fn read_regular(path: &Path, longest: u64) -> io::Result<String> {
    read_from(path, longest, Pipes::Refused)
}

fn read_from(path: &Path, longest: u64, pipes: Pipes) -> io::Result<String> {
    let mut file = open(path, pipes)?;
    let mut bytes = Vec::new();
    let read = (&mut file).take(longest + 1).read_to_end(&mut bytes)?;
    if read as u64 > longest {
        return Err(io::Error::other(format!(
            "it is longer than {} MiB: this is another file than you think",
            longest >> 20
        )));
    }
    if read == 0 && file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is a pipe into which nobody writes"));
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

/// Opens what may be read, without waiting for anybody.
fn open(path: &Path, pipes: Pipes) -> io::Result<File> {
    // Asked before it is opened, since some devices do something when they are; and after, since names change.
    refuse(&fs::metadata(path)?, pipes)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).map_err(io::Error::other)?)
        .open(path)?;
    refuse(&file.metadata()?, pipes)?;
    // Whoever writes into a pipe may take their time from here on.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

fn refuse(there: &fs::Metadata, pipes: Pipes) -> io::Result<()> {
    let kind = there.file_type();
    let what = match () {
        () if kind.is_file() || (kind.is_fifo() && pipes == Pipes::Taken) => return Ok(()),
        () if kind.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        () if kind.is_fifo() => "pipe",
        () if kind.is_socket() => "socket",
        () => "device",
    };
    Err(io::Error::other(format!("it is a {what}, not a file")))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn pipe(path: &Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
    }

    #[test]
    fn what_never_ends_or_never_answers_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (fifo, link) = (folder.path().join("fifo"), folder.path().join("link"));
        pipe(&fifo);
        std::os::unix::fs::symlink(&fifo, &link).expect("a link");
        for path in [&fifo, &link] {
            let error = read(path, SECRETS).expect_err("nobody writes");
            assert!(error.to_string().contains("nobody writes"), "{error}");
            let error = read_regular(path, SECRETS).expect_err("a pipe");
            assert!(error.to_string().contains("it is a pipe"), "{error}");
        }
        for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
            assert!(read(Path::new(device), SECRETS).is_err(), "{device}");
        }
        let error = read(folder.path(), SECRETS).expect_err("a folder");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn a_pipe_with_a_writer_is_read_to_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fifo");
        pipe(&path);
        let both = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .expect("open");
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut file = OpenOptions::new().write(true).open(path).expect("open");
                drop(both);
                std::thread::sleep(std::time::Duration::from_millis(50));
                file.write_all(b"said").expect("written");
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(read(&path, 10).expect("read"), "said");
        writer.join().expect("it ended");
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
        fs::write(&path, "12345").expect("written");
        assert_eq!(read(&path, 5).expect("read"), "12345");
        assert!(read(&path, 4).is_err());
        File::create(&path)
            .and_then(|file| file.set_len(SECRETS + 1))
            .expect("a long file");
        let error = read(&path, SECRETS).expect_err("too long");
        assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
        assert!(read(&folder.path().join("none"), 4).is_err());
    }
}
