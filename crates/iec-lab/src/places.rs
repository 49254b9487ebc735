//! Where labs and their base root file systems are kept, and how files are written there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{LabError, at};
use crate::program::{Invocation, Programs};

/// The two folders that labs need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// One folder per lab is made in it.
    pub labs: PathBuf,
    /// Base root file systems are kept in it.
    pub cache: PathBuf,
}

impl Places {
    /// `$XDG_STATE_HOME/iec/labs` and `$XDG_CACHE_HOME/iec/lab`, or `~/.local/state/iec/labs` and
    /// `~/.cache/iec/lab`. `variable` looks a variable of the environment up.
    pub fn from_environment(variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let home = variable("HOME").unwrap_or_else(|| PathBuf::from("/root"));
        let base = |name: &str, otherwise: &str| {
            // The XDG rules say that a relative path is to be ignored.
            variable(name)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| home.join(otherwise))
        };
        Self {
            labs: base("XDG_STATE_HOME", ".local/state").join("iec/labs"),
            cache: base("XDG_CACHE_HOME", ".cache").join("iec/lab"),
        }
    }

    pub(crate) fn lab(&self, name: &str) -> Folder {
        Folder {
            path: self.labs.join(name),
        }
    }
}

/// A lab's folder and the files in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn record(&self) -> PathBuf {
        self.path.join("lab.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.path.join("id_ed25519")
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.path.join("known_hosts")
    }

    pub(crate) fn site(&self) -> PathBuf {
        self.path.join("site.yaml")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    pub(crate) fn hosts(&self) -> PathBuf {
        self.path.join("hosts")
    }

    /// What a host consists of, beside what podman keeps.
    pub(crate) fn host(&self, host: &str) -> PathBuf {
        self.hosts().join(host)
    }

    /// The copies that are kept of a host's disk.
    pub(crate) fn snapshots(&self, host: &str) -> PathBuf {
        self.path.join("snapshots").join(host)
    }

    /// One of them.
    pub(crate) fn snapshot(&self, host: &str, name: &str) -> PathBuf {
        self.snapshots(host).join(name)
    }

    /// The root of the container that keeps the bridges of a lab with virtual machines.
    pub(crate) fn switch(&self) -> PathBuf {
        self.path.join("switch")
    }

    /// The root of a host's disk, without its `/usr`.
    pub(crate) fn disk(&self, host: &str) -> PathBuf {
        self.hosts().join(host).join("disk")
    }

    /// What a host has changed below `/usr`, and the folder that the kernel's overlay needs beside it.
    pub(crate) fn usr_overlay(&self, host: &str) -> (PathBuf, PathBuf) {
        let host = self.hosts().join(host);
        (host.join("usr"), host.join("usr-work"))
    }
}

/// Makes a folder and what is above it; only its owner may look into it.
pub(crate) fn create_private_folder(path: &Path) -> Result<(), LabError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(at("create", path))
}

/// Writes a whole file or nothing, on the disk before it has its name.
pub(crate) fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<(), LabError> {
    let parent = path.parent().expect("a file of a lab is in a folder");
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(content)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    };
    write().map_err(at("write", path))
}

/// Takes the lock of a folder, waiting no longer than `patience`; the owner's process id is written into it.
///
/// The lock belongs to the open file, which programs that were started with it keep open too: it is free
/// only when the last of them has ended, even when the process that took it was killed.
pub(crate) fn take_lock(path: &Path, name: &str, patience: Duration) -> Result<Arc<File>, LabError> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let mut file = options.open(path).map_err(at("open", path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => return Err(at("lock", path)(source)),
            Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                let mut owner = String::new();
                file.read_to_string(&mut owner).map_err(at("read", path))?;
                return Err(LabError::Busy {
                    name: name.to_owned(),
                    owner: owner.trim().to_owned(),
                    waited: patience,
                });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    let mut note = || {
        file.set_len(0)?;
        writeln!(file, "process {}", std::process::id())
    };
    note().map_err(at("write", path))?;
    Ok(Arc::new(file))
}

/// The mount points at or below `folder`, deepest first, from the text of `/proc/self/mountinfo`.
pub(crate) fn mounts_below(mountinfo: &str, folder: &Path) -> Vec<PathBuf> {
    let point = |line: &str| {
        line.split(' ')
            .nth(4)
            .map(|escaped| PathBuf::from(unescape(escaped)))
    };
    let mut points: Vec<PathBuf> = mountinfo
        .lines()
        .filter_map(point)
        .filter(|at| at.starts_with(folder))
        .collect();
    points.sort();
    points.reverse();
    points
}

/// The kernel writes blank, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

/// Removes a folder and all in it, after everything that is mounted there was unmounted; gives the mount points.
///
/// Removing a tree with a mount in it would empty what is mounted, so a mount that stays is an error.
pub(crate) fn remove_tree(programs: &Programs<'_>, folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let mounted = || {
        let path = Path::new("/proc/self/mountinfo");
        let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        fs::read_to_string(path)
            .map_err(at("read", path))
            .map(|text| mounts_below(&text, &real))
    };
    let found = mounted()?;
    for point in &found {
        programs.must(
            "unmounting what is in the lab's folder",
            Invocation::new("umount", [point]),
        )?;
    }
    if let Some(left) = mounted()?.into_iter().next() {
        return Err(LabError::File {
            doing: "remove the folder of the mount",
            path: left,
            source: std::io::ErrorKind::ResourceBusy.into(),
        });
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", folder)(error)),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_environment() {
        let none = Places::from_environment(|name| (name == "HOME").then(|| PathBuf::from("/home/me")));
        assert_eq!(none.labs, Path::new("/home/me/.local/state/iec/labs"));
        assert_eq!(none.cache, Path::new("/home/me/.cache/iec/lab"));
        let set = Places::from_environment(|name| match name {
            "XDG_STATE_HOME" => Some(PathBuf::from("/state")),
            "XDG_CACHE_HOME" => Some(PathBuf::from("relative")),
            _ => None,
        });
        assert_eq!(set.labs, Path::new("/state/iec/labs"));
        assert_eq!(set.cache, Path::new("/root/.cache/iec/lab"));
    }

    #[test]
    fn mounts_are_found_by_whole_names_and_deepest_first() {
        let text = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                    30 22 0:5 / /labs/one rw - tmpfs t rw\n\
                    31 30 0:6 / /labs/one/a\\040b rw - tmpfs t rw\n\
                    32 22 0:7 / /labs/one-more rw - tmpfs t rw\n";
        let found = mounts_below(text, Path::new("/labs/one"));
        assert_eq!(found, [Path::new("/labs/one/a b"), Path::new("/labs/one")]);
    }

    #[test]
    fn a_lock_that_is_held_names_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let first = take_lock(&path, "demo", Duration::ZERO).expect("it is free");
        let error = take_lock(&path, "demo", Duration::ZERO).expect_err("it is taken");
        assert!(
            error
                .to_string()
                .contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop(first);
        // A program that another test starts at this moment has the open file until it runs.
        take_lock(&path, "demo", Duration::from_secs(5)).expect("it is free again");
    }

    #[test]
    fn a_program_keeps_the_lock_that_it_was_started_with() {
        use crate::program::{Input, Runner, System};
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let lock = take_lock(&path, "demo", Duration::ZERO).expect("it is free");
        // The shell leaves a child behind, as a killed `up` would.
        let orphan = Invocation::new("sh", ["-c", "exec >/dev/null 2>&1 3<&0; sleep 0.5 <&3 &"])
            .input(Input::Held(lock));
        System.run(&orphan, &mut |_| {}).expect("sh runs");
        drop(orphan);
        assert_eq!(
            take_lock(&path, "demo", Duration::ZERO)
                .expect_err("held by the child")
                .code(),
            "IEC1908"
        );
        take_lock(&path, "demo", Duration::from_secs(5)).expect("free after the child's end");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        write_atomically(&path, b"one", 0o644).expect("written");
        write_atomically(&path, b"two", 0o600).expect("replaced");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
