//! The files that SSH looks into on the operator's machine: read only if they are files, and no longer than such files are.

use std::fs::{File, Metadata, OpenOptions, metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, major, minor};

/// The longest that is read, in bytes: a file of many thousand known hosts.
const LONGEST: u64 = 16 << 20;

/// Reads a file. `/dev/null`, by which people say that they want none, is an empty one.
///
/// # Errors
/// When it is something else than a file, or longer than such files are.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(path, LONGEST)
}

/// Reads a text, as [`read`] does.
///
/// # Errors
/// Those of [`read`], and when it is no text.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read(path)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
}

fn read_up_to(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    // Asked before it is opened, since some devices do something when they are; and after, since names change.
    let there = metadata(path)?;
    if is_null(&there) {
        return Ok(Vec::new());
    }
    refuse(&there)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).map_err(io::Error::other)?)
        .open(path)?;
    refuse(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        return Err(io::Error::other(format!("it is longer than {longest} bytes")));
    }
    Ok(bytes)
}

fn is_null(there: &Metadata) -> bool {
    let device = there.rdev();
    there.file_type().is_char_device() && (major(device), minor(device)) == (1, 3)
}

fn refuse(there: &Metadata) -> io::Result<()> {
    if there.is_file() {
        return Ok(());
    }
    let what = if there.is_dir() {
        "folder"
    } else {
        "pipe or device"
    };
    Err(io::Error::other(format!("it is a {what}, not a file")))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_files_are_read_and_no_more_than_they_have() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert!(read(path).is_err(), "{}", path.display());
        }
        assert_eq!(read(Path::new("/dev/null")).expect("nothing"), b"");
        let text = folder.path().join("config");
        std::fs::write(&text, "12345").expect("written");
        assert_eq!(read_text(&text).expect("read"), "12345");
        assert!(read_up_to(&text, 4).is_err());
        assert_eq!(
            read(&folder.path().join("none")).expect_err("none").kind(),
            io::ErrorKind::NotFound
        );
    }
}
