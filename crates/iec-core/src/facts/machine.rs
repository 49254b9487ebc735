//! The machine: identity, distribution, kernel, capacity, control groups, privileges, kernel features.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;

/// Who the host says it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// The host's own name (`uname -n`), which may differ from the site's.
    pub hostname: String,
    /// `/etc/machine-id`; empty if there is none.
    pub machine_id: String,
    /// The identity of this boot.
    pub boot_id: String,
    /// Seconds since the boot.
    pub uptime: u64,
    /// The maker's product name, by DMI or device tree.
    pub product: Option<String>,
    /// The serial number, by DMI or device tree.
    pub serial: Option<String>,
}

/// The distribution, as `/etc/os-release` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Distribution {
    /// `ID`: `debian`, `ubuntu`.
    pub id: String,
    /// `VERSION_ID`: `12`, `24.04`. Empty on Debian's unstable.
    pub version: String,
    /// `VERSION_CODENAME`: `bookworm`.
    pub codename: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

/// The kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// The processor architecture as `uname -m` calls it.
    pub machine: String,
    /// The modules that are loaded.
    pub modules: Vec<String>,
    /// Whether the host has a program that loads modules.
    pub modprobe: bool,
    /// Whether the modules of this kernel are on the host.
    pub module_files: bool,
    /// Kernel options that matter, as the kernel's own configuration has them (`y`, `m`, `n`); empty if it does not show it.
    pub config: BTreeMap<String, String>,
}

impl Kernel {
    /// The architecture, if IEC knows it.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        Architecture::from_uname(&self.machine)
    }

    /// Major and minor version, if the release begins with them.
    #[must_use]
    pub fn version(&self) -> Option<(u32, u32)> {
        let mut parts = self.release.split(|letter: char| !letter.is_ascii_digit());
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some((major, minor))
    }
}

/// Processors, memory and speed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capacity {
    /// Processors that the host may use.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_total: u64,
    /// Memory in bytes that programs could have now.
    pub memory_available: u64,
    /// Milliseconds to hash 8 MiB on one processor; `None` if it was not measured.
    pub hash_millis: Option<u64>,
    /// Milliseconds to write a mebibyte for good where containerd keeps its data, the best of a few tries; `None` if it was
    /// not measured.
    pub disk_millis: Option<u64>,
}

/// The layout of control groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CgroupVersion {
    /// Version 1 only.
    V1,
    /// Version 1, with version 2 beside it for systemd alone.
    Hybrid,
    /// Version 2 (unified).
    #[default]
    V2,
}

impl fmt::Display for CgroupVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::V1 => "v1",
            Self::Hybrid => "hybrid",
            Self::V2 => "v2",
        })
    }
}

/// Control groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cgroup {
    /// The layout.
    pub version: CgroupVersion,
    /// The controllers that can be used: `cpu`, `memory`, `pids`.
    pub controllers: Vec<String>,
    /// Whether systemd is the first process.
    pub systemd: bool,
}

/// What root may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Privileges {
    /// Whether the probe ran as root.
    pub root: bool,
    /// `systemd-detect-virt`: `none`, `kvm`, `podman`.
    pub virtualisation: String,
    /// Whether the host is itself a container.
    pub container: bool,
    /// The bounding set of capabilities, as in `/proc/self/status`.
    pub capabilities: u64,
    /// Whether a process can lower its `oom_score_adj`; tried.
    pub lower_oom_score: bool,
    /// The hard limit of open files; `None` is unlimited or unknown.
    pub open_files: Option<u64>,
    /// The hard limit of processes; `None` is unlimited or unknown.
    pub processes: Option<u64>,
}

impl Privileges {
    /// Whether the bounding set has the capability with this number (`CAP_SYS_RESOURCE` is 24).
    #[must_use]
    pub const fn has_capability(&self, number: u32) -> bool {
        number < u64::BITS && self.capabilities & (1 << number) != 0
    }
}

/// What trying a thing out gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ability {
    /// It worked.
    Works,
    /// It did not work; the message.
    Fails(String),
    /// It could not be tried; the reason.
    Untested(String),
    /// Nobody asked.
    #[default]
    Unknown,
}

impl Ability {
    /// Whether it worked.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Works)
    }

    /// The message, if it was tried and did not work.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Fails(message) => Some(message),
            Self::Works | Self::Untested(_) | Self::Unknown => None,
        }
    }
}

/// What the kernel can do. Tried out inside `unshare -n -m`, so that nothing of it reaches the running host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Features {
    /// Results by name: `overlay`, `vxlan`, `bridge`, `veth`, `policy-rules`, `ipset`, `iptables-legacy`,
    /// `iptables-nft`, `nftables`, `bpf`, `inotify` and whatever a later probe adds.
    pub tried: BTreeMap<String, Ability>,
    /// Kernel parameters by name (`net.ipv4.ip_forward`); a parameter that the kernel does not have is absent.
    pub sysctls: BTreeMap<String, String>,
    /// Names of the parameters above that root can write.
    pub writable_sysctls: Vec<String>,
    /// Who sets some of them at boot, in the order in which systemd-sysctl does; the last one of a name wins.
    pub boot_sysctls: Vec<BootSysctl>,
    /// Whether the kernel knows seccomp filters.
    pub seccomp: bool,
    /// Whether mounts below `/` reach other mount namespaces (`MountFlags` shared).
    pub shared_root: bool,
}

/// A kernel parameter that a file sets at boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BootSysctl {
    /// The file.
    pub file: String,
    /// The parameter: `net.ipv4.ip_forward`.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Features {
    /// What trying `name` gave.
    #[must_use]
    pub fn ability(&self, name: &str) -> &Ability {
        self.tried.get(name).unwrap_or(&Ability::Unknown)
    }
}

/// The account that IEC came in with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its login shell.
    pub shell: String,
    /// What came before the answer began: a login shell that prints.
    pub noise: String,
    /// The home folders of root and of that account, by name, as far as they are there.
    pub homes: BTreeMap<String, String>,
    /// Files in these homes that kubectl reads and that are neither IEC's nor the same as what IEC would write.
    pub kubeconfigs: Vec<String>,
    /// What `sudo` does with what passes through it.
    pub sudo: SudoStreams,
}

/// Streams that `sudo` does not lend to the command but passes on by itself, since one of its plugins reads along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SudoStreams {
    /// It reads what a command is given.
    pub reads: bool,
    /// It reads what a command prints.
    pub writes: bool,
    /// What on the host says so: words of sudoers, lines of sudo.conf.
    pub settings: Vec<String>,
}

impl SudoStreams {
    /// Whether nobody reads along.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        !self.reads && !self.writes
    }
}

impl fmt::Display for SudoStreams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match (self.reads, self.writes) {
            (true, true) => "what commands are given and what they print",
            (true, false) => "what commands are given",
            (false, true) => "what commands print",
            (false, false) => "nothing",
        })
    }
}

impl Login {
    /// The account's name; root where nobody says another.
    #[must_use]
    pub fn account(&self) -> &str {
        if self.user.is_empty() { "root" } else { &self.user }
    }
}
