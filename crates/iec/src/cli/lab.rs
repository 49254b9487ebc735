//! The commands that deal with hosts on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
}

/// Start bare hosts with systemd and sshd on this machine
///
/// Each host has its own address, a user `edge` with sudo, and an SSH key made for this lab. The lab's folder
/// holds a site.yaml for them. Needs root, and podman, runc and mmdebstrap.
///
/// The hosts are privileged containers, since systemd, the kubelet and Calico need to mount, load and route. That keeps
/// them apart, and keeps nobody in: they share this machine's kernel, and whoever is root on one of them, or runs a
/// privileged pod there, can be root on this machine. Try nothing in a lab that you would not run as root here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec lab up\n  \
    iec lab up try --hosts 2 --distribution trixie --nics 2\n  \
    iec lab up small --hosts 1 --memory 1024 --cpus 1\n  \
    iec lab up play --package python3\n  \
    iec lab up --install-deps")]
pub struct LabUp {
    /// The lab's name
    #[arg(value_name = "NAME", default_value = "lab")]
    pub name: String,
    /// How many hosts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub hosts: usize,
    /// How many of them are control planes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub control_planes: usize,
    /// The Debian release of the hosts
    #[arg(long, value_name = "NAME", default_value = "bookworm")]
    pub distribution: Distribution,
    /// How many network cards a host has: with 2, the second one is for the cluster
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub nics: u8,
    /// The memory of a host, in MiB [default: no limit]
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// The processors of a host, for example 0.5 [default: no limit]
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
