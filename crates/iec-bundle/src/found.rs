//! Looks at what is in the place of a bundle's file, and is not held up by what is no file.

use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use crate::cache::{CachedFile, hash_file};

/// What is in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found<Content> {
    /// A file.
    File(Content),
    /// Something that is no file, in words. It is not opened: reading a pipe can take for ever.
    Other(&'static str),
    /// Nothing.
    Nothing,
}

/// Hashes the file in this place, if it is one.
///
/// # Errors
/// When the system refuses to look or to read.
pub(crate) fn hashed(path: &Path) -> io::Result<Found<CachedFile>> {
    look(path, hash_file)
}

/// Reads the file in this place, if it is one.
///
/// # Errors
/// When the system refuses to look or to read.
pub(crate) fn read(path: &Path) -> io::Result<Found<Vec<u8>>> {
    look(path, |path| fs::read(path))
}

fn look<Content>(path: &Path, read: fn(&Path) -> io::Result<Content>) -> io::Result<Found<Content>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => match other_than_file(metadata.file_type()) {
            Some(other) => Ok(Found::Other(other)),
            None => read(path).map(Found::File),
        },
        // A file in the place of a folder above.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Found::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// What this is, in words, unless it is a file.
pub(crate) fn other_than_file(file_type: FileType) -> Option<&'static str> {
    if file_type.is_file() {
        None
    } else if file_type.is_dir() {
        Some("a folder")
    } else if file_type.is_symlink() {
        Some("a symbolic link")
    } else if file_type.is_fifo() {
        Some("a named pipe")
    } else if file_type.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Removes what is in this place and no file, so that a file can be put there.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn make_room(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        // Everything else is replaced when a file is renamed to its name.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
