//! `down`: removes what `up` has made, from whatever state, as often as one likes.

use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use serde::Serialize;

use crate::error::{LabError, at};
use crate::event::LabEvent;
use crate::places::{Folder, remove_tree, take_lock};
use crate::podman::Podman;
use crate::program::Programs;
use crate::record::{LabState, Record};
use crate::request::validate_name;
use crate::{Labs, base, requirements, vm};

/// How long to wait for programs that a killed `up` has left running, and for another command.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `down` has removed; all empty when there was nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Containers, by name.
    pub containers: Vec<String>,
    /// Virtual machines, by their hosts' names.
    pub machines: Vec<String>,
    /// Networks, by name.
    pub networks: Vec<String>,
    /// Mount points that were found in the lab's folder.
    pub mounts: Vec<std::path::PathBuf>,
    /// Whether the lab's folder was there.
    pub folder: bool,
}

impl Removed {
    /// Whether nothing was there to remove.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Labs {
    /// Removes a lab with all that was made for it and nothing else, also when `up` or `down` was cut off half-way.
    ///
    /// Once more does no harm: [`Removed::is_nothing`] then says that there was nothing.
    ///
    /// # Errors
    /// [`LabError::Busy`] while another command works on the lab, [`LabError::LeftOver`] when something could not be
    /// removed, or what went wrong on the way.
    pub fn down(&self, name: &str, on_event: &mut dyn FnMut(LabEvent)) -> Result<Removed, LabError> {
        validate_name(name)?;
        requirements::check_root()?;
        remove(self, &self.places().lab(name), name, on_event)
    }
}

pub(crate) fn remove(
    labs: &Labs,
    folder: &Folder,
    name: &str,
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<Removed, LabError> {
    let mut removed = Removed {
        folder: folder.path.is_dir(),
        ..Removed::default()
    };
    let plain = Programs::new(labs.runner());
    let lock = if removed.folder {
        Some(take_lock(&folder.lock(), name, PATIENCE)?)
    } else {
        None
    };
    let programs = &lock
        .as_ref()
        .map_or_else(|| plain.clone(), |lock| plain.holding(lock));
    // A record that cannot be read is no reason to keep the lab: podman's labels say what belongs to it.
    if let Ok(Some(mut record)) = Record::read(folder) {
        record.state = LabState::Removing;
        record.write(folder)?;
    }
    let podman = Podman::new(programs);
    removed.machines = vm::made_in(folder)?;
    for host in &removed.machines {
        vm::remove(programs, folder, host)?;
        on_event(LabEvent::Removed {
            what: format!("virtual machine {host}"),
        });
    }
    removed.containers = podman
        .containers_of(folder)?
        .into_iter()
        .map(|container| container.name)
        .collect();
    if !removed.containers.is_empty() {
        podman.remove_containers(&removed.containers)?;
    }
    for name in &removed.containers {
        on_event(LabEvent::Removed {
            what: format!("container {name}"),
        });
    }
    for network in podman.networks_of(folder)? {
        podman.remove_network(&network.name)?;
        on_event(LabEvent::Removed {
            what: format!("network {}", network.name),
        });
        removed.networks.push(network.name);
    }
    if removed.folder {
        removed.mounts = remove_folder(programs, folder)?;
        on_event(LabEvent::Removed {
            what: format!("folder {}", folder.path.display()),
        });
    }
    base::sweep_if_idle(programs, labs.places())?;
    check_nothing_left(&podman, folder, name)?;
    Ok(removed)
}

/// Removes the lab's folder; record and lock go last, so that a cut-off removal is still known as a lab.
fn remove_folder(programs: &Programs<'_>, folder: &Folder) -> Result<Vec<std::path::PathBuf>, LabError> {
    let mut mounts = Vec::new();
    for entry in fs::read_dir(&folder.path).map_err(at("read", &folder.path))? {
        let path = entry.map_err(at("read", &folder.path))?.path();
        if path == folder.record() || path == folder.lock() {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            mounts.extend(remove_tree(programs, &path)?);
        } else {
            fs::remove_file(&path).map_err(at("remove", &path))?;
        }
    }
    mounts.extend(remove_tree(programs, &folder.path)?);
    Ok(mounts)
}

fn check_nothing_left(podman: &Podman<'_>, folder: &Folder, name: &str) -> Result<(), LabError> {
    let containers = podman
        .containers_of(folder)?
        .into_iter()
        .map(|each| format!("container {}", each.name));
    let networks = podman
        .networks_of(folder)?
        .into_iter()
        .map(|each| format!("network {}", each.name));
    let mut left: Vec<String> = containers.chain(networks).collect();
    match fs::symlink_metadata(&folder.path) {
        Ok(_) => left.push(format!("folder {}", folder.path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(at("look at", &folder.path)(error)),
    }
    if left.is_empty() {
        Ok(())
    } else {
        Err(LabError::LeftOver {
            name: name.to_owned(),
            left,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use crate::program::fake::Fake;
    use crate::request::UpRequest;

    fn labs(root: &std::path::Path, fake: Fake) -> Labs {
        Labs::with_runner(
            Places {
                labs: root.join("labs"),
                cache: root.join("cache"),
            },
            Box::new(fake),
        )
    }

    #[test]
    fn a_lab_that_is_not_there_is_nothing_to_remove() {
        let root = tempfile::tempdir().expect("a folder");
        let fake = Fake::default()
            .says("podman ps", "[]")
            .says("podman network ls", "[]");
        let labs = labs(root.path(), fake);
        let removed = remove(&labs, &labs.places().lab("demo"), "demo", &mut |_| {}).expect("nothing to do");
        assert!(removed.is_nothing(), "{removed:?}");
    }

    #[test]
    fn a_half_made_lab_with_a_broken_record_is_removed() {
        let root = tempfile::tempdir().expect("a folder");
        let fake = Fake::default()
            .says("podman ps", "[]")
            .says("podman network ls", "[]");
        let labs = labs(root.path(), fake);
        let folder = labs.places().lab("demo");
        fs::create_dir_all(folder.disk("edge-1").join("etc")).expect("half a disk");
        fs::write(folder.record(), "{\"version\":").expect("half a record");
        let removed = remove(&labs, &folder, "demo", &mut |_| {}).expect("removed");
        assert!(removed.folder);
        assert!(!folder.path.exists());
    }

    #[test]
    fn what_stays_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let fake = Fake::default()
            .says(
                "podman ps",
                r#"[{"Names":["iec.demo.edge-1"],"State":"running"}]"#,
            )
            .says("podman network ls", "[]")
            .says("podman rm", "");
        let labs = labs(root.path(), fake);
        let folder = labs.places().lab("demo");
        fs::create_dir_all(&folder.path).expect("a folder");
        Record::intended(&UpRequest::new("demo"))
            .write(&folder)
            .expect("a record");
        let error = remove(&labs, &folder, "demo", &mut |_| {}).expect_err("the container stays");
        assert_eq!(
            error.to_string(),
            "left over after taking down lab `demo`: container iec.demo.edge-1"
        );
    }
}
