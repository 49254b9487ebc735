//! The file of a kubeconfig: read within bounds, locked against kubectl, and written whole with its owner and mode.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use iec_core::secret::Secret;

use crate::error::{CliError, Kind, unreadable, unwritable};
use crate::{text_file, whole_file};

/// For how long another program may be at work on the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a kubeconfig; none where there is no file.
///
/// # Errors
/// When it is no file, is too long, or its name is that of several files.
pub(crate) fn read(path: &Path) -> Result<Option<Secret<String>>, CliError> {
    match text_file::read_regular(path, text_file::DOCUMENT) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => absent(path).map(|()| None),
        Err(error) => Err(unreadable("IEC3950", "kubeconfig", path, &error)),
    }
}

/// Reads a kubeconfig that is to get a key; none where there is no file.
///
/// # Errors
/// Those of [`read`], and when others may read it.
pub(crate) fn read_private(path: &Path) -> Result<Option<Secret<String>>, CliError> {
    let Ok(there) = fs::metadata(path) else {
        return read(path);
    };
    let mode = there.permissions().mode() & 0o7777;
    if there.is_file() && mode & 0o077 != 0 {
        return Err(CliError::refused(
            "IEC3953",
            format!("the kubeconfig {} can be read by others", path.display()),
        )
        .evidence(format!(
            "it has mode {mode:04o}, and is to have the key of an administrator"
        ))
        .next(format!("chmod 600 {}", path.display())));
    }
    read(path)
}

/// Nothing is there: refuses what was hardly meant, a list of files or a link to nowhere.
fn absent(path: &Path) -> Result<(), CliError> {
    if let Ok(target) = fs::read_link(path) {
        let cause = format!("the kubeconfig {} is a link to nothing", path.display());
        return Err(CliError::refused("IEC3950", cause)
            .evidence(format!("it leads to {}", target.display()))
            .next("remove the link, or name the file itself"));
    }
    let text = path.to_string_lossy();
    if text.contains(':') {
        let cause = format!("{text} names several files, as the variable KUBECONFIG may");
        let mut error = CliError::refused("IEC3956", cause);
        for one in text.split(':').filter(|one| !one.is_empty()) {
            error = error.next(format!("--kubeconfig {one}"));
        }
        return Err(error);
    }
    Ok(())
}

/// Writes a kubeconfig: over the file that is there, through a link, with its owner and mode; a new one for its owner only.
///
/// # Errors
/// When the folder cannot be made or written to.
pub(crate) fn write(path: &Path, text: &Secret<String>) -> Result<(), CliError> {
    let bytes = text.expose().as_bytes();
    let written = match fs::metadata(path) {
        Ok(_) => whole_file::replace(path, bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path, bytes),
        Err(error) => Err(error),
    };
    written.map_err(|error| unwritable("IEC4904", "kubeconfig", path, &error))
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = whole_file::beside(path, 0o600, bytes)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// Removes a file that IEC has made and that holds nothing any more. A link to it stays.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<(), CliError> {
    fs::canonicalize(path)
        .and_then(fs::remove_file)
        .map_err(|error| unwritable("IEC4904", "kubeconfig", path, &error))
}

/// The lock that kubectl takes too when it changes a kubeconfig: a file beside it. Taken back when this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(PathBuf);

impl Lock {
    /// Waits a few seconds for whoever has it; makes the folder of the kubeconfig where there is none.
    ///
    /// # Errors
    /// When somebody keeps it, or the folder cannot be written to.
    pub(crate) fn take(path: &Path) -> Result<Self, CliError> {
        let folder = whole_file::folder_of(path);
        if !folder.exists() {
            DirBuilder::new()
                .mode(0o700)
                .create(folder)
                .map_err(|error| unwritable("IEC4904", "folder of the kubeconfig", folder, &error))?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let began = Instant::now();
        loop {
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&lock)
            {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && began.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(100));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let cause = format!("another program is changing the kubeconfig {}", path.display());
                    return Err(CliError::new(Kind::Refused, "IEC3955", cause)
                        .evidence(format!("{} is there", lock.display()))
                        .next(format!("rm {} if no kubectl is at work", lock.display())));
                }
                Err(error) => return Err(unwritable("IEC4904", "kubeconfig", path, &error)),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!("{} cannot be removed: {error}", self.0.display());
        }
    }
}
