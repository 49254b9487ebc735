//! A host's disk: a copy of the base root, with what makes this host itself.
//!
//! All but `/usr` is a copy, on the real file system: it survives a power cut by nature, containerd's own overlays work
//! in it (an overlay on an overlay does not), and no directory that an installer makes or removes there is a mount point
//! of the lab's making. `/usr`, nine tenths of the whole, is an overlay over the base's one, whose upper folder is kept
//! in the lab's folder and so survives too: copying it for each host took up to 25 s and as long to remove.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use crate::base::{USER, USER_ID};
use crate::error::{LabError, at};
use crate::places::{create_private_folder, write_atomically};
use crate::program::{Invocation, Programs};

/// What makes a host itself.
pub(crate) struct Identity<'a> {
    /// Its host name.
    pub(crate) name: &'a str,
    /// The public key that may log in as `edge`.
    pub(crate) authorized_key: &'a str,
    /// The text of its `/etc/resolv.conf`.
    pub(crate) resolvers: &'a str,
}

/// Makes the disk and gives the host's public key, `ssh-ed25519 AAAA…`.
pub(crate) fn create(
    programs: &Programs<'_>,
    base: &Path,
    disk: &Path,
    identity: &Identity<'_>,
) -> Result<String, LabError> {
    copy_without_usr(programs, base, disk)?;
    write_names(disk, identity)?;
    let key = disk.join("etc/ssh/ssh_host_ed25519_key");
    let host_key = generate_key(programs, &key, &format!("root@{}", identity.name))?;
    let ssh = disk.join("home").join(USER).join(".ssh");
    create_private_folder(&ssh)?;
    let authorized = ssh.join("authorized_keys");
    write_atomically(
        &authorized,
        format!("{}\n", identity.authorized_key).as_bytes(),
        0o600,
    )?;
    for path in [&ssh, &authorized] {
        chown(path, Some(USER_ID), Some(USER_ID)).map_err(at("give to the user", path))?;
    }
    Ok(host_key)
}

fn copy_without_usr(programs: &Programs<'_>, base: &Path, disk: &Path) -> Result<(), LabError> {
    let usr = disk.join("usr");
    create_folder(&usr)?;
    let mut words: Vec<OsString> = vec![
        "--archive".into(),
        "--reflink=auto".into(),
        "--target-directory".into(),
    ];
    words.push(disk.into());
    for entry in fs::read_dir(base).map_err(at("read", base))? {
        let entry = entry.map_err(at("read", base))?;
        if entry.file_name() != "usr" {
            words.push(entry.path().into());
        }
    }
    programs
        .must(
            "copying the base root to the host's disk",
            Invocation::new("cp", words),
        )
        .map(drop)
}

/// Makes a folder that every user of the host may look into, and what is above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), LabError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(at("create", path))?;
    // The process may have a mask that takes rights away; systemd's services would not find their programs then.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(at("set the mode of", path))
}

fn write_names(disk: &Path, identity: &Identity<'_>) -> Result<(), LabError> {
    let name = identity.name;
    let hosts = hosts_text(name);
    let etc = disk.join("etc");
    write_atomically(&etc.join("hostname"), format!("{name}\n").as_bytes(), 0o644)?;
    write_atomically(&etc.join("hosts"), hosts.as_bytes(), 0o644)?;
    write_atomically(&etc.join("resolv.conf"), identity.resolvers.as_bytes(), 0o644)?;
    write_atomically(&etc.join("machine-id"), machine_id()?.as_bytes(), 0o444)
}

/// The text of `/etc/hosts`, as Debian's installer writes it.
pub(crate) fn hosts_text(name: &str) -> String {
    format!(
        "127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
    )
}

/// A new random machine id with its newline.
pub(crate) fn machine_id() -> Result<String, LabError> {
    let path = Path::new("/proc/sys/kernel/random/uuid");
    let text = fs::read_to_string(path).map_err(at("read", path))?;
    Ok(text.replace('-', ""))
}

/// Makes a key pair without a passphrase and gives its public half, without the comment.
pub(crate) fn generate_key(programs: &Programs<'_>, path: &Path, comment: &str) -> Result<String, LabError> {
    let words = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"].map(AsRef::as_ref);
    let words = words.into_iter().chain([path.as_os_str()]);
    programs.must("making an SSH key", Invocation::new("ssh-keygen", words))?;
    let public = path.with_extension("pub");
    let text = fs::read_to_string(&public).map_err(at("read", &public))?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// The text of a host's `/etc/resolv.conf`: the machine's own name servers without its search domains.
///
/// A name server on a loopback address is out of a host's reach; `/run/systemd/resolve/resolv.conf` then has the real ones.
pub(crate) fn resolvers(files: &[String]) -> String {
    let servers = |text: &String| -> Vec<String> {
        let address = |line: &str| {
            let address = line
                .trim()
                .strip_prefix("nameserver")?
                .trim()
                .parse::<std::net::IpAddr>()
                .ok()?;
            (!address.is_loopback()).then(|| format!("nameserver {address}\n"))
        };
        text.lines().filter_map(address).collect()
    };
    files
        .iter()
        .map(servers)
        .find(|found| !found.is_empty())
        .map_or_else(
            || "# this machine has no name server that its labs' hosts could reach\n".to_owned(),
            |found| found.concat(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::System;

    #[test]
    fn resolvers_that_a_host_can_reach_are_taken() {
        let stub = "# stub\nnameserver 127.0.0.53\noptions edns0\nsearch example.org\n".to_owned();
        let real = "nameserver 192.0.2.53\nnameserver fd00::53\nsearch example.org\n".to_owned();
        assert_eq!(
            resolvers(&[stub.clone(), real]),
            "nameserver 192.0.2.53\nnameserver fd00::53\n"
        );
        assert!(resolvers(&[stub]).starts_with("# this machine has no name server"));
    }

    #[test]
    fn a_disk_has_its_own_names_and_keys() {
        let root = tempfile::tempdir().expect("a folder");
        let base = root.path().join("base");
        for folder in ["etc/ssh", "home/edge"] {
            fs::create_dir_all(base.join(folder)).expect("a folder of the base");
        }
        if !rustix::process::geteuid().is_root() {
            return; // Only root can give files to another user; the real test covers this as root.
        }
        let programs = Programs::new(&System);
        fs::create_dir_all(base.join("usr/bin")).expect("a folder of the base");
        let disk = |name: &str| root.path().join("hosts").join(name).join("disk");
        let mut seen = Vec::new();
        for name in ["edge-1", "edge-2"] {
            let identity = Identity {
                name,
                authorized_key: "ssh-ed25519 AAAA",
                resolvers: "nameserver 192.0.2.53\n",
            };
            let key = create(&programs, &base, &disk(name), &identity).expect("made");
            assert!(
                key.starts_with("ssh-ed25519 AAAA") && key.split(' ').count() == 2,
                "{key}"
            );
            let id = fs::read_to_string(disk(name).join("etc/machine-id")).expect("an id");
            assert_eq!(id.trim().len(), 32);
            seen.push((key, id));
        }
        assert_ne!(seen[0], seen[1]);
        assert_eq!(
            fs::read_to_string(disk("edge-2").join("etc/hostname")).expect("a name"),
            "edge-2\n"
        );
    }
}
