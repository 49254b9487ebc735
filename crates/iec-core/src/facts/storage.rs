//! Space and mount options where IEC and Kubernetes write, and swap.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Space and mount options, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Storage {
    /// What is known of each path that IEC or Kubernetes write to; a path that does not exist yet is described
    /// by its nearest parent.
    pub places: BTreeMap<String, Place>,
    /// Links on the way to them that lead nowhere, by path: what each says.
    pub nowhere: BTreeMap<String, String>,
}

impl Storage {
    /// What is known of a path.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<&Place> {
        self.places.get(path)
    }
}

/// The file system below a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// The path or its nearest parent that exists.
    pub existing: String,
    /// Where the file system is mounted.
    pub mount_point: String,
    /// What is mounted: a device, `tmpfs`, `overlay`.
    pub source: String,
    /// The type of the file system: `ext4`, `overlay`.
    pub file_system: String,
    /// Bytes in all.
    pub total: u64,
    /// Bytes that are free for anyone.
    pub free: u64,
    /// Free inodes; `None` if the file system makes them as needed.
    pub free_inodes: Option<u64>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether programs on it can not be run.
    pub no_exec: bool,
    /// Whether set-user-id programs on it lose that right.
    pub no_suid: bool,
    /// Whether device files on it are dead.
    pub no_dev: bool,
}

/// Swap that is on, or comes back after a reboot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Swap {
    /// Swap that is on now.
    pub active: Vec<SwapDevice>,
    /// The lines of `/etc/fstab` that ask for swap.
    pub fstab: Vec<String>,
    /// systemd's swap units.
    pub units: Vec<String>,
    /// Whether a zram generator or service is on the host, which makes swap anew at each boot.
    pub zram: bool,
}

/// One swap device or file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SwapDevice {
    /// Its path.
    pub path: String,
    /// `partition` or `file`.
    pub kind: String,
    /// Its size in bytes.
    pub size: u64,
}
