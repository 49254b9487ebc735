//! Files that are there whole or not at all, whatever happens while they are written.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file with these permission bits; what was under its name is replaced at once.
///
/// # Errors
/// When its folder is not there, or cannot be written to.
pub(crate) fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let file = beside(path, mode, bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The file that is to be at `path`, complete and on the disk, under a name of its own in the same folder.
///
/// # Errors
/// When its folder is not there, or cannot be written to.
pub(crate) fn beside(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".iec-")
        .permissions(Permissions::from_mode(mode & 0o700 | 0o600))
        .tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    // The permissions of a new file are cut by the umask: a script must be executable all the same.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_or_the_new_one_is_there_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("script.sh");
        write(&path, 0o644, b"old").expect("written");
        write(&path, 0o755, b"new").expect("written");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(
            (std::fs::read(&path).expect("read"), mode & 0o777),
            (b"new".to_vec(), 0o755)
        );
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1);
        assert!(write(&folder.path().join("no/file"), 0o644, b"").is_err());
    }

    #[test]
    fn a_bare_name_is_in_this_folder() {
        assert_eq!(folder_of(Path::new("site.yaml")), Path::new("."));
        assert_eq!(folder_of(Path::new("shop/site.yaml")), Path::new("shop"));
    }
}
