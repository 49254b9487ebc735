//! What a lab is asked to be, and the rules for it.

use std::path::PathBuf;

use iec_core::architecture::Architecture;
use iec_core::site::refused_control_planes;
use serde::{Deserialize, Serialize};

use crate::error::LabError;

/// The most hosts that one lab may have: their addresses are .11 to .60.
pub const MAX_HOSTS: usize = 50;

/// The least disk that takes a bare Debian with its kernel, and the most that it makes sense to promise, in GiB.
const DISK_SIZES: std::ops::RangeInclusive<u32> = 2..=1024;

/// The least memory with which Debian's kernel and its initrd start, in MiB.
const SMALLEST_MACHINE_MIB: u32 = 256;

/// The Debian release that a lab's hosts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// Debian 12.
    #[default]
    Bookworm,
    /// Debian 13.
    Trixie,
}

impl Distribution {
    /// The suite's name in the archive.
    #[must_use]
    pub fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// What a host of a lab is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// A container with its own systemd: there in seconds, on this machine's kernel.
    #[default]
    Container,
    /// A virtual machine of this architecture: a kernel of its own, a real boot.
    VirtualMachine(Architecture),
}

impl HostKind {
    /// The kind as a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::VirtualMachine(_) => "vm",
        }
    }

    /// The architecture of a virtual machine; a container has this machine's.
    #[must_use]
    pub fn architecture(self) -> Option<Architecture> {
        match self {
            Self::Container => None,
            Self::VirtualMachine(architecture) => Some(architecture),
        }
    }
}

/// How many network cards each host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nics {
    /// One network for everything.
    #[default]
    One,
    /// A first network to reach the hosts by (with a way out), and a second one without a gateway;
    /// the site file gives each host's second address as its `nodeAddress`.
    Two,
}

/// What becomes of the cache of a virtual machine's disk when its power is cut.
///
/// A guest's own memory is lost in any case. This is what it had written to the disk and not yet flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskCache {
    /// It is kept, as by a disk with a battery. Flushes cost nothing.
    #[default]
    Kept,
    /// What was written to new places is lost, as most disks lose it. Each flush waits for this machine's disk.
    Lost,
}

/// What a host may use of this machine; `None` means no limit.
///
/// The limits are those of the host's control group. The kernel's own files (`/proc/meminfo`, `/proc/cpuinfo`)
/// still show the whole machine, as they do in any container.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in MiB; swap is not added to it.
    pub memory_mib: Option<u32>,
    /// Processor time, in processors: 0.5 is half of one.
    pub cpus: Option<f64>,
    /// The size of a virtual machine's disk in GiB.
    #[serde(default)]
    pub disk_gib: Option<u32>,
    /// The size of a virtual machine's second disk in GiB, which is empty; without it there is none.
    #[serde(default)]
    pub second_disk_gib: Option<u32>,
}

/// A lab to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpRequest {
    /// The lab's name, which is the site's name too.
    pub name: String,
    /// How many hosts, control planes included.
    pub hosts: usize,
    /// What they are made of, in their order; those that are not named are containers.
    #[serde(default)]
    pub kinds: Vec<HostKind>,
    /// How many of them are control planes: the first ones.
    pub control_planes: usize,
    /// What they run.
    pub distribution: Distribution,
    /// How many network cards each has.
    pub nics: Nics,
    /// What each of them may use.
    pub limits: Limits,
    /// What becomes of a virtual machine's disk's cache without power.
    #[serde(default)]
    pub disk_cache: DiskCache,
    /// The Kubernetes release that the site file asks for.
    pub release: String,
    /// The bundle that the site file names; without one it names none.
    pub bundle: Option<PathBuf>,
    /// A Debian mirror instead of deb.debian.org, as mmdebstrap takes it.
    pub mirror: Option<String>,
    /// Debian packages that the hosts have beside those of a bare host, as a site's image may.
    #[serde(default)]
    pub packages: Vec<String>,
}

impl UpRequest {
    /// Three hosts, one of them a control plane, on Debian 12 with one network and no limits.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hosts: 3,
            kinds: Vec::new(),
            control_planes: 1,
            distribution: Distribution::default(),
            nics: Nics::default(),
            limits: Limits::default(),
            disk_cache: DiskCache::default(),
            release: "1.36".to_owned(),
            bundle: None,
            mirror: None,
            packages: Vec::new(),
        }
    }

    /// What the host of this index is made of.
    #[must_use]
    pub fn kind(&self, index: usize) -> HostKind {
        self.kinds.get(index).copied().unwrap_or_default()
    }

    /// The architectures of its virtual machines, each once.
    #[must_use]
    pub fn machine_architectures(&self) -> Vec<Architecture> {
        let mut found: Vec<Architecture> = self.kinds.iter().filter_map(|kind| kind.architecture()).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Whether any of its hosts is a container.
    #[must_use]
    pub fn has_containers(&self) -> bool {
        (0..self.hosts).any(|index| self.kind(index) == HostKind::Container)
    }

    /// Checks what can be checked without looking at the machine.
    ///
    /// # Errors
    /// [`LabError::InvalidName`] or [`LabError::InvalidRequest`] with the first rule that is broken.
    pub fn validate(&self) -> Result<(), LabError> {
        validate_name(&self.name)?;
        let refuse = |reason: String| Err(LabError::InvalidRequest(reason));
        if self.hosts == 0 || self.hosts > MAX_HOSTS {
            return refuse(format!("{} hosts; it takes 1 to {MAX_HOSTS}", self.hosts));
        }
        if self.control_planes == 0 || self.control_planes > self.hosts {
            return refuse(format!(
                "{} control planes among {} hosts; it takes at least one and no more than there are hosts",
                self.control_planes, self.hosts
            ));
        }
        // Hosts whose site is refused would be of no use to anybody.
        if let Some(refused) = refused_control_planes(self.control_planes) {
            return refuse(format!(
                "iec would refuse its site ({}): {}",
                refused.code, refused.message
            ));
        }
        if self.kinds.len() > self.hosts {
            return refuse(format!(
                "{} kinds for {} hosts; each host has one",
                self.kinds.len(),
                self.hosts
            ));
        }
        let too_small = |memory: u32| memory < SMALLEST_MACHINE_MIB;
        if !self.machine_architectures().is_empty() && self.limits.memory_mib.is_some_and(too_small) {
            return refuse(format!(
                "less than {SMALLEST_MACHINE_MIB} MiB of memory for a virtual machine; its kernel would not start"
            ));
        }
        for size in [self.limits.disk_gib, self.limits.second_disk_gib]
            .into_iter()
            .flatten()
        {
            if self.machine_architectures().is_empty() {
                return refuse("a size of disks, but containers have no disks of their own".to_owned());
            }
            if !DISK_SIZES.contains(&size) {
                return refuse(format!(
                    "a disk of {size} GiB; it takes {} to {}",
                    DISK_SIZES.start(),
                    DISK_SIZES.end()
                ));
            }
        }
        if self.limits.memory_mib.is_some_and(|memory| memory < 64) {
            return refuse(
                "less than 64 MiB of memory per host; systemd and sshd would not start".to_owned(),
            );
        }
        if self
            .limits
            .cpus
            .is_some_and(|cpus| !cpus.is_finite() || cpus < 0.01)
        {
            return refuse("the processors per host must be a number of at least 0.01".to_owned());
        }
        if let Some(name) = self.packages.iter().find(|name| !is_package(name)) {
            return refuse(format!("{name:?} is no name of a Debian package"));
        }
        Ok(())
    }
}

/// Whether Debian's policy lets a package be called so: <https://www.debian.org/doc/debian-policy/ch-controlfields.html#source>.
fn is_package(name: &str) -> bool {
    let plain = |each: char| each.is_ascii_lowercase() || each.is_ascii_digit();
    name.len() >= 2
        && name.starts_with(plain)
        && name
            .chars()
            .all(|each| plain(each) || matches!(each, '+' | '-' | '.'))
}

/// Whether `name` can be a lab's name: it becomes part of folder, container and network names.
///
/// # Errors
/// [`LabError::InvalidName`] with the rule that is broken.
pub fn validate_name(name: &str) -> Result<(), LabError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > 30 {
        "it is longer than 30 characters"
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        "it does not begin with a lower-case letter"
    } else if name.ends_with('-') {
        "it ends with a dash"
    } else if !name
        .chars()
        .all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '-')
    {
        "it has a character other than a-z, 0-9 and -"
    } else {
        return Ok(());
    };
    Err(LabError::InvalidName {
        name: name.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "store-0417", "x9", "abcdefghijabcdefghijabcdefghij"] {
            assert!(validate_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Store",
            "9a",
            "-a",
            "a-",
            "a_b",
            "a.b",
            "a/b",
            "..",
            "a b",
            "abcdefghijabcdefghijabcdefghijk",
        ] {
            let error = validate_name(bad).expect_err(bad);
            assert_eq!(error.code(), "IEC1903", "{bad}");
        }
    }

    #[test]
    fn numbers() {
        let good = UpRequest::new("demo");
        good.validate().expect("the defaults are good");
        let refused = [
            UpRequest {
                hosts: 0,
                ..good.clone()
            },
            UpRequest {
                hosts: MAX_HOSTS + 1,
                ..good.clone()
            },
            UpRequest {
                control_planes: 0,
                ..good.clone()
            },
            UpRequest {
                control_planes: 4,
                ..good.clone()
            },
            UpRequest {
                limits: Limits {
                    memory_mib: Some(1),
                    ..Limits::default()
                },
                ..good.clone()
            },
            UpRequest {
                limits: Limits {
                    cpus: Some(f64::NAN),
                    ..Limits::default()
                },
                ..good.clone()
            },
            UpRequest {
                limits: Limits {
                    disk_gib: Some(20),
                    ..Limits::default()
                },
                ..good.clone()
            },
            UpRequest {
                kinds: vec![HostKind::VirtualMachine(Architecture::Arm64)],
                limits: Limits {
                    disk_gib: Some(1),
                    ..Limits::default()
                },
                ..good.clone()
            },
            UpRequest {
                packages: vec!["python3".to_owned(), "a,b".to_owned()],
                ..good
            },
        ];
        for request in refused {
            assert_eq!(
                request.validate().expect_err("out of range").code(),
                "IEC1904",
                "{request:?}"
            );
        }
    }

    #[test]
    fn a_lab_whose_site_would_be_refused_is_not_made() {
        for (control_planes, code) in [(2, "IEC0210"), (7, "IEC0211")] {
            let request = UpRequest {
                hosts: 7,
                control_planes,
                ..UpRequest::new("demo")
            };
            let error = request.validate().expect_err("the site's rules refuse it");
            assert_eq!(error.code(), "IEC1904");
            assert!(error.to_string().contains(code), "{error}");
        }
    }
}
