//! The Debian packages that the tests need beside Rust and Go.

use std::fs;
use std::path::Path;

use anyhow::bail;

use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::stage::Count;
use crate::terminal;

/// Where programs are, beside what `PATH` says.
const FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// The file that keeps cloud-init from running at boot:
/// <https://cloudinit.readthedocs.io/en/latest/howto/disable_cloud_init.html>.
const CLOUD_INIT_OFF: &str = "/etc/cloud/cloud-init.disabled";

/// What must be there (a program, or a path), the package that brings it, and who needs it.
const NEEDED: [(&str, &str, &str); 29] = [
    ("cc", "gcc", "Rust's linker; the bundle's runc and pause"),
    ("/usr/include/stdio.h", "libc6-dev", "Rust's linker"),
    ("git", "git", "tidy"),
    ("dpkg-deb", "dpkg", "the bundle's base layers"),
    (
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
        "the bundle and the hosts",
    ),
    ("podman", "podman", "real hosts"),
    ("runc", "runc", "real hosts"),
    ("/usr/lib/podman/netavark", "netavark", "real hosts"),
    ("iptables", "iptables", "real hosts"),
    ("mmdebstrap", "mmdebstrap", "real hosts"),
    ("ip", "iproute2", "real hosts"),
    ("nsenter", "util-linux", "what a reset leaves"),
    ("nft", "nftables", "what a reset leaves"),
    ("ipset", "ipset", "what a reset leaves"),
    ("ssh", "openssh-client", "transports"),
    (
        "sshd",
        "openssh-server",
        "transports, against a real server on loopback",
    ),
    ("sudo", "sudo", "transports"),
    ("dash", "dash", "shell words"),
    ("bash", "bash", "shell words"),
    ("busybox", "busybox", "shell words"),
    ("fish", "fish", "login shells"),
    ("shellcheck", "shellcheck", "scripts"),
    ("openssl", "openssl", "encrypted secrets"),
    ("cloud-init", "cloud-init", "seeds for first boots"),
    ("mke2fs", "e2fsprogs", "media for first boots"),
    ("losetup", "mount", "media for first boots"),
    ("ansible-playbook", "ansible-core", "the method by Ansible"),
    (
        "/var/lib/dpkg/info/python3-venv.list",
        "python3-venv",
        "Ansible's own answer about inventories",
    ),
    ("xorriso", "xorriso", "images of media"),
];

/// Installs what is missing, saying so first.
///
/// # Errors
/// When something is missing and this is not root on Debian or Ubuntu, or apt-get fails.
pub(crate) fn install(root: &Path, interrupt: &Interrupt) -> anyhow::Result<Count> {
    let missing = missing(&|path| path.exists());
    if missing.is_empty() {
        terminal::line("Everything that the tests need is installed.");
        return Ok(Count::one(true));
    }
    for (_, package, why) in &missing {
        terminal::line(format_args!("  {package:<24} for {why}"));
    }
    let names: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    let names_cloud_init = names.contains(&"cloud-init");
    let line = format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        names.join(" ")
    );
    let can = rustix::process::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists();
    if !can {
        bail!("these packages are missing, and only root can install them. Type: {line}");
    }
    terminal::line(format_args!("Installing them: {line}"));
    // A fresh machine may be installing its own updates: apt-get waits five minutes for its lock.
    let lock = ["-o", "DPkg::Lock::Timeout=300"];
    let install = lock
        .into_iter()
        .chain(["install", "-y", "--no-install-recommends"])
        .chain(names);
    for words in [vec!["update"], install.collect()] {
        let ended = Program::new(root, "apt-get", &words, interrupt)
            .variable("DEBIAN_FRONTEND", "noninteractive")
            .shown()?;
        if !ended.succeeded() {
            bail!("apt-get {} failed", words.join(" "));
        }
    }
    if names_cloud_init {
        // Only its schema check is wanted: on this machine it has nothing to set up.
        terminal::line(format_args!(
            "Keeping cloud-init from running on this machine: {CLOUD_INIT_OFF}"
        ));
        fs::create_dir_all("/etc/cloud")?;
        fs::write(CLOUD_INIT_OFF, "")?;
    }
    Ok(Count::one(true))
}

fn missing(is_there: &dyn Fn(&Path) -> bool) -> Vec<(&'static str, &'static str, &'static str)> {
    let found = |name: &str| {
        if name.starts_with('/') {
            return is_there(Path::new(name));
        }
        FOLDERS
            .iter()
            .any(|folder| is_there(&Path::new(folder).join(name)))
    };
    NEEDED.into_iter().filter(|(name, _, _)| !found(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        let all_but = |path: &Path| !path.ends_with("fish") && !path.ends_with("netavark");
        let packages: Vec<&str> = missing(&all_but)
            .into_iter()
            .map(|(_, package, _)| package)
            .collect();
        assert_eq!(packages, ["netavark", "fish"]);
    }
}
