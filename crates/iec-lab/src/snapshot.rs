//! The disk of a host kept aside and put back: as it is after a power cut at that moment.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::Labs;
use crate::error::{LabError, at};
use crate::labs::folder_of;
use crate::places::{Folder, create_private_folder, remove_tree, take_lock};
use crate::podman::{HostState, Podman};
use crate::power::LOCK_PATIENCE;
use crate::program::{Invocation, Programs};
use crate::record::{Lab, LabHost};
use crate::request::{HostKind, validate_name};
use crate::vm;

/// The parts of a host's folder that are its disk: those of a virtual machine, and those of a container.
const PARTS: [&str; 5] = ["disk.raw", "disk.qcow2", "second.raw", "disk", "usr"];

/// A copy under way has this at the end of its name, so that a killed one is not taken for a whole one.
const UNFINISHED: &str = ".unfinished";

impl Labs {
    /// Keeps a copy of a host's disk under a name. A host that runs is held for the time of the copy: what it had not
    /// written to its disk is not in it, as after a power cut.
    ///
    /// # Errors
    /// [`LabError::InvalidName`], [`LabError::SnapshotExists`], [`LabError::HostState`] for a host that is gone, or
    /// what went wrong with the copy.
    pub fn snapshot(&self, lab: &Lab, host: &str, name: &str) -> Result<(), LabError> {
        validate_name(name)?;
        let host = lab.host(host)?;
        let folder = folder_of(lab);
        let lock = take_lock(&folder.lock(), &lab.name, LOCK_PATIENCE)?;
        let programs = Programs::new(self.runner()).holding(&lock);
        let kept = folder.snapshot(&host.name, name);
        if kept.exists() {
            return Err(LabError::SnapshotExists {
                host: host.name.clone(),
                name: name.to_owned(),
            });
        }
        let state = self.host_state(lab, &host.name)?;
        if state == HostState::Gone {
            return self.must_be(lab, host, HostState::Stopped, "copied");
        }
        let mut unfinished = kept.clone().into_os_string();
        unfinished.push(UNFINISHED);
        let unfinished = PathBuf::from(unfinished);
        remove_tree(&programs, &unfinished)?;
        create_private_folder(&unfinished)?;
        let copy = || copy(&programs, &folder.host(&host.name), &unfinished);
        match (host.kind, state) {
            (HostKind::VirtualMachine(_), _) => vm::while_held(&folder, &host.name, copy)?,
            (HostKind::Container, HostState::Running) => held(&Podman::new(&programs), host, copy)?,
            (HostKind::Container, _) => copy()?,
        }
        fs::rename(&unfinished, &kept).map_err(at("rename", &unfinished))
    }

    /// Puts a host's disk back as a snapshot has it. A host that runs loses its power and is switched on again.
    ///
    /// # Errors
    /// [`LabError::NoSuchSnapshot`] with those that there are, or what went wrong with the copy or the start.
    pub fn restore(&self, lab: &Lab, host: &str, name: &str) -> Result<(), LabError> {
        validate_name(name)?;
        let host = lab.host(host)?;
        let folder = folder_of(lab);
        let kept = folder.snapshot(&host.name, name);
        if !kept.is_dir() {
            return Err(LabError::NoSuchSnapshot {
                host: host.name.clone(),
                name: name.to_owned(),
                known: known(&folder, &host.name)?,
            });
        }
        let runs = self.host_state(lab, &host.name)? == HostState::Running;
        if runs {
            self.kill_host(lab, &host.name)?;
        }
        let lock = take_lock(&folder.lock(), &lab.name, LOCK_PATIENCE)?;
        let programs = Programs::new(self.runner()).holding(&lock);
        self.must_be(lab, host, HostState::Stopped, "put back")?;
        let place = folder.host(&host.name);
        for part in PARTS {
            remove_part(&programs, place.join(part))?;
        }
        copy(&programs, &kept, &place)?;
        drop(programs);
        drop(lock);
        if runs {
            self.start_host(lab, &host.name)
        } else {
            Ok(())
        }
    }
}

/// Does something while a container is held.
fn held(
    podman: &Podman<'_>,
    host: &LabHost,
    work: impl FnOnce() -> Result<(), LabError>,
) -> Result<(), LabError> {
    podman.pause(&host.container)?;
    let done = work();
    podman.unpause(&host.container)?;
    done
}

/// Copies the parts of a disk that are there; holes stay holes, and so do the marks of the overlay below `/usr`.
fn copy(programs: &Programs<'_>, from: &std::path::Path, to: &std::path::Path) -> Result<(), LabError> {
    let mut words: Vec<OsString> = [
        "--archive",
        "--sparse=always",
        "--reflink=auto",
        "--target-directory",
    ]
    .map(OsString::from)
    .into();
    words.push(to.into());
    words.extend(
        PARTS
            .map(|part| from.join(part))
            .into_iter()
            .filter(|part| part.exists())
            .map(OsString::from),
    );
    programs
        .must("copying the host's disk", Invocation::new("cp", words))
        .map(drop)
}

fn remove_part(programs: &Programs<'_>, part: PathBuf) -> Result<(), LabError> {
    if part.is_dir() {
        return remove_tree(programs, &part).map(drop);
    }
    match fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", part)(error)),
        _ => Ok(()),
    }
}

/// The snapshots that there are of a host.
fn known(folder: &Folder, host: &str) -> Result<Vec<String>, LabError> {
    let place = folder.snapshots(host);
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at("read", place)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(at("read", &place))?
            .file_name()
            .to_string_lossy()
            .into_owned();
        names.extend(validate_name(&name).is_ok().then_some(name));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::tests::with_system_lab;

    #[test]
    fn a_disk_is_kept_and_put_back() {
        let (_root, labs, lab) = with_system_lab();
        let host = "edge-1";
        let disk = folder_of(&lab).host(host).join("disk.raw");
        let write = |text: &str| fs::write(&disk, text).expect("written");
        write("before");
        labs.snapshot(&lab, host, "bare").expect("kept");
        write("after");
        assert_eq!(
            labs.snapshot(&lab, host, "bare").expect_err("taken").code(),
            "IEC1921"
        );
        let error = labs.restore(&lab, host, "other").expect_err("there is only one");
        assert_eq!(
            error.to_string(),
            "host edge-1 has no snapshot `other`; it has bare"
        );
        labs.restore(&lab, host, "bare").expect("put back");
        assert_eq!(fs::read(&disk).expect("there"), b"before");
    }

    #[test]
    fn a_host_without_a_disk_has_nothing_to_keep() {
        let (_root, labs, lab) = with_system_lab();
        assert_eq!(
            labs.snapshot(&lab, "edge-1", "bare")
                .expect_err("it is gone")
                .code(),
            "IEC1917"
        );
    }
}
