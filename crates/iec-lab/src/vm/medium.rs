//! A removable medium in a virtual machine: a USB stick that is put in and taken out, while it runs or not.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::monitor::Monitor;
use super::{Files, running};
use crate::error::{LabError, at};
use crate::places::Folder;
use crate::program::{Invocation, Programs};

/// What QEMU calls the medium, and the stick that it is on.
const NAME: &str = "medium";

/// Puts a medium in: a copy of this image, which is the machine's own from then on.
///
/// # Errors
/// When one is in already, the image cannot be copied, or QEMU refuses it.
pub(crate) fn insert(
    programs: &Programs<'_>,
    lab: &Folder,
    host: &str,
    image: &Path,
) -> Result<(), LabError> {
    let files = Files::of(lab, host);
    let medium = files.medium();
    if medium.exists() {
        return Err(LabError::HostState {
            host: host.to_owned(),
            state: "with a medium in it".to_owned(),
            wanted: "given another one",
        });
    }
    let words = ["--sparse=always".as_ref(), image.as_os_str(), medium.as_os_str()];
    programs.must("copying the medium", Invocation::new("cp", words))?;
    if running(&files)?.is_none() {
        return Ok(());
    }
    let given = plug(&files, &medium);
    if given.is_err() {
        fs::remove_file(&medium).map_err(at("remove", &medium))?;
    }
    given
}

fn plug(files: &Files, medium: &Path) -> Result<(), LabError> {
    let socket = files.monitor();
    let mut monitor = Monitor::connect(&socket)?;
    let file = json!({"driver": "file", "filename": medium});
    let node = json!({"driver": "raw", "node-name": NAME, "read-only": true, "file": file});
    monitor.order("blockdev-add", &node)?;
    let stick =
        json!({"driver": "usb-storage", "id": NAME, "drive": NAME, "removable": true, "bus": "usb.0"});
    monitor.order("device_add", &stick)
}

/// Takes the medium out, whether it is in use or not, as a person would.
///
/// # Errors
/// When none is in, or QEMU does not give it back.
pub(crate) fn eject(lab: &Folder, host: &str) -> Result<(), LabError> {
    let files = Files::of(lab, host);
    let medium = files.medium();
    if !medium.exists() {
        return Err(LabError::HostState {
            host: host.to_owned(),
            state: "without a medium".to_owned(),
            wanted: "relieved of it",
        });
    }
    if running(&files)?.is_some() {
        let socket = files.monitor();
        let mut monitor = Monitor::connect(&socket)?;
        monitor.order("device_del", &json!({"id": NAME}))?;
        monitor.await_event("DEVICE_DELETED", NAME)?;
        monitor.order("blockdev-del", &json!({"node-name": NAME}))?;
    }
    fs::remove_file(&medium).map_err(at("remove", medium))
}

/// The words that start QEMU with the medium in, if there is one, and with the port for it in any case.
pub(super) fn words(files: &Files) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["-device", "qemu-xhci,id=usb"].map(Into::into).into();
    let medium = files.medium();
    if medium.exists() {
        let mut node = OsString::from(format!(
            "driver=raw,node-name={NAME},read-only=on,file.driver=file,file.filename="
        ));
        node.push(medium);
        words.extend(["-blockdev".into(), node, "-device".into()]);
        words.push(format!("usb-storage,id={NAME},drive={NAME},removable=on,bus=usb.0").into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::System;

    #[test]
    fn a_machine_that_is_off_finds_its_medium_when_it_starts() {
        let root = tempfile::tempdir().expect("a folder");
        let lab = Folder {
            path: root.path().to_owned(),
        };
        let files = Files::of(&lab, "edge-1");
        fs::create_dir_all(files.medium().parent().expect("a folder")).expect("made");
        let image = root.path().join("seed.iso");
        fs::write(&image, "seed").expect("written");
        let programs = Programs::new(&System);
        assert_eq!(words(&files).len(), 2);
        assert_eq!(eject(&lab, "edge-1").expect_err("none is in").code(), "IEC1917");
        insert(&programs, &lab, "edge-1", &image).expect("put in");
        assert_eq!(words(&files).len(), 6);
        assert_eq!(
            insert(&programs, &lab, "edge-1", &image)
                .expect_err("one is in")
                .code(),
            "IEC1917"
        );
        eject(&lab, "edge-1").expect("taken out");
        assert!(!files.medium().exists() && image.exists());
    }
}
