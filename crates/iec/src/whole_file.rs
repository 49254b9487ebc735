//! Files that are there whole or not at all, whatever happens while they are written.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
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

/// Writes a file of the user's, with the permissions that a new file of theirs has; never over another one.
///
/// # Errors
/// When there is one already ([`ErrorKind::AlreadyExists`]), when its folder is not there, or cannot be written to.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = new_of_user(path, bytes)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes a file of the user's over what is there: a file keeps its owner and permissions, a link stays one and its
/// file is replaced, and what is no file (`/dev/stdout`) is written to.
///
/// # Errors
/// When it is a folder, when its folder is not there, or cannot be written to.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = new_of_user(path, bytes)?;
            file.persist(path).map_err(|error| error.error)?;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if !there.is_file() {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let path = fs::canonicalize(path)?;
    let file = beside(&path, there.mode() & 0o7777, bytes)?;
    // Only root can give a file to somebody else, and only root makes one that is not already theirs.
    if file.as_file().metadata()?.uid() != there.uid() {
        fchown(file.as_file(), Some(there.uid()), Some(there.gid()))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A complete file beside `path` with the permissions that the user's umask leaves.
fn new_of_user(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = temporary(path, 0o666)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The file that is to be at `path`, complete and on the disk, under a name of its own in the same folder.
///
/// # Errors
/// When its folder is not there, or cannot be written to.
pub(crate) fn beside(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = temporary(path, mode & 0o700 | 0o600)?;
    file.write_all(bytes)?;
    // The permissions of a new file are cut by the umask: a script must be executable all the same.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn temporary(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let folder = folder_of(path);
    // Asked first, since a missing folder is the usual trouble: the temporary file's own error would name that file.
    fs::metadata(folder)?;
    tempfile::Builder::new()
        .prefix(".iec-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
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
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(
            (fs::read(&path).expect("read"), mode & 0o777),
            (b"new".to_vec(), 0o755)
        );
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
        assert!(write(&folder.path().join("no/file"), 0o644, b"").is_err());
    }

    #[test]
    fn a_new_file_is_never_put_over_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site.yaml");
        create(&path, b"mine").expect("written");
        let again = create(&path, b"yours").expect_err("it is there");
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("read"), b"mine");
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
    }

    #[test]
    fn what_is_replaced_keeps_its_permissions_and_its_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("real.yaml"), folder.path().join("site.yaml"));
        replace(&path, b"new").expect("written where nothing was");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink("real.yaml", &link).expect("linked");
        replace(&link, b"newer").expect("written through the link");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        let mode = fs::metadata(&path).expect("there").mode() & 0o777;
        assert_eq!((fs::read(&path).expect("read"), mode), (b"newer".to_vec(), 0o640));
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2);
    }

    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        replace(Path::new("/dev/null"), b"text").expect("written");
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
        let folder = tempfile::tempdir().expect("a folder");
        assert!(replace(folder.path(), b"text").is_err());
        assert!(folder.path().is_dir());
    }

    #[test]
    fn a_bare_name_is_in_this_folder() {
        assert_eq!(folder_of(Path::new("site.yaml")), Path::new("."));
        assert_eq!(folder_of(Path::new("shop/site.yaml")), Path::new("shop"));
    }
}
