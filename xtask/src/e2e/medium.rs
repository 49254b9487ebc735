//! A medium that a lab's host finds attached: a folder as a file system with a label, on a block device of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::lab::output;

/// An attached medium. It is detached when this is dropped, and its image is gone then.
pub(super) struct Medium {
    image: PathBuf,
    /// The block device.
    pub(super) device: String,
}

impl Medium {
    /// Makes and attaches a medium with this label from what is in a folder. A lab's hosts see the devices of this machine,
    /// so they find it by its label.
    ///
    /// # Errors
    /// When the image cannot be made, or this machine has no loop device for it.
    pub(super) fn of(folder: &Path, label: &str) -> anyhow::Result<Self> {
        let image = folder.with_added_extension("image");
        let mut medium = Self {
            image,
            device: String::new(),
        };
        let mut du = Command::new("du");
        du.args(["--summarize", "--block-size=1M", "--apparent-size"])
            .arg(folder);
        let said = output(&mut du, "")?;
        let size = said
            .split_whitespace()
            .next()
            .and_then(|text| text.parse::<u64>().ok());
        let size = size.context("du says no size")?;
        // ext4, because every kernel that runs the hosts has it; its own tables need a tenth.
        let words = [
            "-q",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-m",
            "0",
            "-L",
            label,
            "-d",
        ];
        let mut make = Command::new("mke2fs");
        make.args(words).arg(folder).arg(&medium.image);
        output(make.arg(format!("{}M", size + size / 10 + 16)), "")?;
        let mut attach = Command::new("losetup");
        attach
            .args(["--read-only", "--find", "--show"])
            .arg(&medium.image);
        output(&mut attach, "")?.trim().clone_into(&mut medium.device);
        Ok(medium)
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        if !self.device.is_empty() {
            // A device that is still mounted goes when its mount does.
            let _ = output(Command::new("losetup").args(["--detach", &self.device]), "");
        }
        let _ = fs::remove_file(&self.image);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_medium_is_found_by_its_label_and_leaves_nothing() {
        if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            return; // Only root can attach; the scenario of methods does so as root.
        }
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("content");
        fs::create_dir(&folder).expect("made");
        fs::write(folder.join("file"), "text").expect("written");
        let label = format!("T{}", std::process::id());
        let medium = Medium::of(&folder, &label).expect("attached");
        let found = output(Command::new("blkid").args(["-L", &label]), "").expect("found");
        assert_eq!(found.trim(), medium.device);
        drop(medium);
        assert_eq!(fs::read_dir(root.path()).expect("read").count(), 1);
    }
}
