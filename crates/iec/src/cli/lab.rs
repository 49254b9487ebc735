//! The commands that deal with hosts on this machine.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use iec_core::architecture::Architecture;

/// Make and remove hosts on this machine, to try and to test
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum Lab {
    Up(LabUp),
    Down(LabDown),
    List(LabList),
    Exec(LabExec),
    #[command(flatten)]
    OfHost(LabOfHost),
}

/// Start bare hosts with systemd and sshd on this machine
///
/// Each host has its own address, a user `edge` with sudo, and an SSH key made for this lab. The lab's folder
/// holds a site.yaml for them. Needs root, and podman, runc and mmdebstrap; virtual machines need QEMU.
///
/// Containers are privileged, since systemd, the kubelet and Calico need to mount, load and route. That keeps
/// them apart, and keeps nobody in: they share this machine's kernel, and whoever is root on one of them, or runs a
/// privileged pod there, can be root on this machine. Try nothing in a lab that you would not run as root here.
///
/// Virtual machines have Debian's own kernel, a real boot, and a disk that loses what was not synced. Those of another
/// architecture, or on a machine without KVM, are emulated: they are some twenty times slower.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec lab up\n  \
    iec lab up boards --kind vm --arch arm64 --hosts 1\n  \
    iec lab up mixed --hosts 2 --hosts vm:arm64:1\n  \
    iec lab up try --hosts 2 --distribution trixie --nics 2\n  \
    iec lab up small --hosts 1 --memory 1024 --cpus 1\n  \
    iec lab up play --package python3\n  \
    iec lab up --install-deps")]
pub struct LabUp {
    /// The lab's name
    #[arg(value_name = "NAME", default_value = "lab")]
    pub name: String,
    /// How many hosts, and of which kind; may be given again: 2, vm:1, vm:arm64:1
    #[arg(long, value_name = "[KIND:[ARCH:]]N", default_value = "3")]
    pub hosts: Vec<HostGroup>,
    /// What hosts are made of where --hosts names no kind
    #[arg(long, value_name = "KIND", default_value = "container")]
    pub kind: HostKind,
    /// The architecture of virtual machines where --hosts names none [default: this machine's]
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<Architecture>,
    /// How many of them are control planes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub control_planes: usize,
    /// The Debian release of the hosts
    #[arg(long, value_name = "NAME", default_value = "bookworm")]
    pub distribution: Distribution,
    /// How many network cards a host has: with 2, the second one is for the cluster
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub nics: u8,
    /// The size of a virtual machine's disk, in GiB [default: 20]
    #[arg(long, value_name = "GIB")]
    pub disk: Option<u32>,
    /// Give virtual machines a second disk, empty, of this size in GiB
    #[arg(long, value_name = "GIB")]
    pub second_disk: Option<u32>,
    /// What becomes of a virtual machine's disk's cache when its power is cut
    #[arg(long, value_name = "FATE", default_value = "kept")]
    pub disk_cache: DiskCache,
    /// The memory of a host, in MiB [default: no limit; 3072 for a virtual machine]
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// The processors of a host, for example 0.5 [default: no limit; 2 for a virtual machine]
    #[arg(long, value_name = "N")]
    pub cpus: Option<f64>,
    /// The release that the site file asks for
    #[arg(long, value_name = "RELEASE", default_value = "1.36")]
    pub release: String,
    /// The bundle that the site file names [default: the one in the cache]
    #[arg(long, value_name = "FOLDER")]
    pub bundle: Option<PathBuf>,
    /// The Debian mirror to make the hosts from [default: deb.debian.org]
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// A Debian package that the hosts have from the beginning; may be given again
    #[arg(long = "package", value_name = "NAME")]
    pub packages: Vec<String>,
    /// Install what this machine lacks for it, with apt-get
    #[arg(long)]
    pub install_deps: bool,
}

/// What a host is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HostKind {
    /// A container with its own systemd
    Container,
    /// A virtual machine with a kernel of its own
    Vm,
}

/// Some hosts of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostGroup {
    /// Their kind, if it is named.
    pub kind: Option<HostKind>,
    /// Their architecture, if it is named.
    pub architecture: Option<Architecture>,
    /// How many they are.
    pub count: usize,
}

impl FromStr for HostGroup {
    type Err = String;

    /// Reads `N`, `KIND:N` or `KIND:ARCH:N`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let (kind, architecture, count) = match parts.as_slice() {
            [count] => (None, None, *count),
            [kind, count] => (Some(*kind), None, *count),
            [kind, architecture, count] => (Some(*kind), Some(*architecture), *count),
            _ => return Err("write N, KIND:N or KIND:ARCH:N, as in vm:arm64:1".to_owned()),
        };
        let kind = kind.map(|name| HostKind::from_str(name, false)).transpose()?;
        let architecture = architecture
            .map(|name| name.parse::<Architecture>().map_err(|error| error.to_string()))
            .transpose()?;
        if architecture.is_some() && kind != Some(HostKind::Vm) {
            return Err("only virtual machines have an architecture of their own".to_owned());
        }
        let count = count
            .parse()
            .map_err(|_| format!("`{count}` is no number of hosts"))?;
        Ok(Self {
            kind,
            architecture,
            count,
        })
    }
}

/// What becomes of the cache of a virtual machine's disk without power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiskCache {
    /// It is kept, as by a disk with a battery
    Kept,
    /// What was not flushed is lost; every flush waits for this machine's disk
    Lost,
}

/// A Debian release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// Debian 12
    Bookworm,
    /// Debian 13
    Trixie,
}

/// Remove a lab: its hosts, networks, disks and folder
///
/// Also when `iec lab up` was cut off half-way. Removes nothing else.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec lab down\n  iec lab down try")]
pub struct LabDown {
    /// The lab's name
    #[arg(value_name = "NAME", default_value = "lab")]
    pub name: String,
}

/// List the labs on this machine
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec lab list\n  iec lab list -o json")]
pub struct LabList {}

/// Run a command on a lab's host
///
/// Runs as the user `edge`, prints what the command printed once it has ended, and ends with its exit code. It
/// does not go through the network: it works on a host whose network or SSH server is broken.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec lab exec lab edge-1 -- systemctl is-system-running\n  \
    iec lab exec lab edge-2 --root -- sh -c 'ip route; ip rule'")]
pub struct LabExec {
    /// The lab's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The host's name
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Run as root
    #[arg(long)]
    pub root: bool,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub command: Vec<String>,
}

/// What can be done to one host of a lab.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum LabOfHost {
    Stop(LabStop),
    /// Switch a host of a lab on again
    ///
    /// Waits until it answers by SSH and its systemd has finished starting.
    #[command(after_help = "Examples:\n  iec lab start lab edge-2")]
    Start(LabHost),
    /// Print what a virtual machine of a lab has said on its serial console
    #[command(after_help = "Examples:\n  iec lab console mixed edge-3")]
    Console(LabHost),
    /// Put a removable medium into a virtual machine, as a USB stick
    ///
    /// The medium is a copy of the image, which can only be read. A machine that is off finds it when it starts.
    #[command(after_help = "Examples:\n  iec lab insert mixed edge-3 medium.iso")]
    Insert(LabInsert),
    /// Take the removable medium out of a virtual machine
    #[command(after_help = "Examples:\n  iec lab eject mixed edge-3")]
    Eject(LabHost),
    /// Keep a copy of a host's disk
    ///
    /// A host that runs is held for the time of the copy: what it had not written to its disk is not in it, as after a
    /// power cut. Snapshots are in the lab's folder and go with it.
    #[command(after_help = "Examples:\n  iec lab snapshot lab edge-2 bare")]
    Snapshot(LabSnapshot),
    /// Put a host's disk back as a snapshot has it
    ///
    /// A host that runs loses its power and is switched on again.
    #[command(after_help = "Examples:\n  iec lab restore lab edge-2 bare")]
    Restore(LabSnapshot),
}

/// Switch a host of a lab off
///
/// Lets its systemd shut it down. With --cut it loses its power instead, and a virtual machine with it all that it had
/// not written to its disk.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec lab stop lab edge-2\n  iec lab stop lab edge-2 --cut")]
pub struct LabStop {
    #[command(flatten)]
    #[expect(missing_docs, reason = "what it holds is documented")]
    pub host: LabHost,
    /// Cut its power
    #[arg(long)]
    pub cut: bool,
}

/// A host of a lab.
#[derive(Debug, Args)]
pub struct LabHost {
    /// The lab's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The host's name
    #[arg(value_name = "HOST")]
    pub host: String,
}

/// A medium for a host of a lab.
#[derive(Debug, Args)]
pub struct LabInsert {
    #[command(flatten)]
    #[expect(missing_docs, reason = "what it holds is documented")]
    pub host: LabHost,
    /// The image of the medium
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
}

/// A snapshot of a host of a lab.
#[derive(Debug, Args)]
pub struct LabSnapshot {
    #[command(flatten)]
    #[expect(missing_docs, reason = "what it holds is documented")]
    pub host: LabHost,
    /// The snapshot's name
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: String,
}

/// Do all of it on this machine, with nothing prepared
///
/// Installs the Debian packages that it needs, builds a bundle if there is none, makes hosts, turns them into a
/// cluster, proves it, and prints how to use it. Needs root. A second run goes on where the first one stopped.
///
/// Its hosts are those of `iec lab up`: privileged containers. Whoever is root on one of them can be root on this machine.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec demo\n  iec demo --hosts 1\n  iec demo --down")]
pub struct Demo {
    /// How many hosts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub hosts: usize,
    /// The bundle to install from [default: the one in the cache, built if need be]
    #[arg(long, value_name = "FOLDER")]
    pub bundle: Option<PathBuf>,
    /// Remove what the demonstration made
    #[arg(long)]
    pub down: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_hosts_are_read() {
        let read = |text: &str| {
            text.parse::<HostGroup>()
                .map(|group| (group.kind, group.architecture, group.count))
        };
        assert_eq!(read("2"), Ok((None, None, 2)));
        assert_eq!(read("container:2"), Ok((Some(HostKind::Container), None, 2)));
        assert_eq!(read("vm:1"), Ok((Some(HostKind::Vm), None, 1)));
        let arm = Some(Architecture::Arm64);
        assert_eq!(read("vm:arm64:1"), Ok((Some(HostKind::Vm), arm, 1)));
        for bad in [
            "",
            "vm",
            "vm:",
            "vm:arm64:",
            "vm:mips:1",
            "container:arm64:1",
            "vm:arm64:1:1",
            "-1",
            "docker:1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
