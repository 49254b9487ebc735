//! A virtual machine's disk: a copy of the bootable base's one, with what makes this host itself written into it.
//!
//! The file system is written by debugfs, without a mount: a lab works where this machine lets nobody mount disks.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{Files, NewMachine, image};
use crate::base::{USER, USER_ID};
use crate::disk::{generate_key, hosts_text, machine_id};
use crate::error::{LabError, at};
use crate::program::{Invocation, Programs};
use crate::record::LabNetwork;
use crate::request::DiskCache;
use crate::subnet;

/// A file that is written into the disk.
struct Entry {
    path: String,
    content: Vec<u8>,
    mode: u32,
    owner: u32,
}

impl Entry {
    fn new(path: impl Into<String>, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            mode,
            owner: 0,
        }
    }
}

/// Makes the disk and gives the host's public key.
pub(super) fn create(
    programs: &Programs<'_>,
    files: &Files,
    new: &NewMachine<'_>,
) -> Result<String, LabError> {
    let work = tempfile::Builder::new()
        .prefix("identity-")
        .tempdir_in(&files.folder)
        .map_err(at("create a folder in", &files.folder))?;
    let key = work.path().join("host_key");
    let host_key = generate_key(programs, &key, &format!("root@{}", new.host.name))?;
    let read = |path: &Path| fs::read(path).map_err(at("read", path));
    let mut entries = identity(new)?;
    entries.push(Entry::new("/etc/ssh/ssh_host_ed25519_key", read(&key)?, 0o600));
    entries.push(Entry::new(
        "/etc/ssh/ssh_host_ed25519_key.pub",
        read(&key.with_extension("pub"))?,
        0o644,
    ));
    let disk = files.disk();
    let base = image::disk(new.image);
    let copy = [
        "--sparse=always".as_ref(),
        "--reflink=auto".as_ref(),
        base.as_os_str(),
        disk.as_os_str(),
    ];
    programs.must("copying the base disk", Invocation::new("cp", copy))?;
    if let Some(size) = new.disk_gib {
        resize(programs, &disk, size)?;
    }
    write_entries(programs, &disk, work.path(), &entries)?;
    if new.disk_cache == DiskCache::Lost {
        write_apart(programs, files)?;
    }
    Ok(host_key)
}

/// Has all that is written go to a file of its own. QEMU keeps in its own memory where in that file each part is, until
/// the machine flushes its disk: what it has not flushed is lost with QEMU.
fn write_apart(programs: &Programs<'_>, files: &Files) -> Result<(), LabError> {
    let mut words: Vec<std::ffi::OsString> = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]
        .map(Into::into)
        .into();
    words.push(files.disk().into());
    words.push(files.written().into());
    programs
        .must("making the host's disk", Invocation::new("qemu-img", words))
        .map(drop)
}

/// Gives the disk and its file system this size in GiB.
fn resize(programs: &Programs<'_>, disk: &Path, size: u32) -> Result<(), LabError> {
    let bytes = u64::from(size) << 30;
    let set_length = || {
        let file = fs::OpenOptions::new().write(true).open(disk)?;
        file.set_len(bytes)
    };
    let length = fs::metadata(disk).map_err(at("look at", disk))?.len();
    if bytes > length {
        set_length().map_err(at("resize", disk))?;
    }
    let words = [disk.as_os_str().to_owned(), format!("{size}G").into()];
    programs.must(
        "giving the host's disk its size",
        Invocation::new("resize2fs", words),
    )?;
    if bytes < length {
        set_length().map_err(at("resize", disk))?;
    }
    Ok(())
}

/// What makes a host itself, but its keys.
fn identity(new: &NewMachine<'_>) -> Result<Vec<Entry>, LabError> {
    let name = &new.host.name;
    let mut entries = vec![
        Entry::new("/etc/hostname", format!("{name}\n"), 0o644),
        Entry::new("/etc/hosts", hosts_text(name), 0o644),
        Entry::new("/etc/resolv.conf", new.identity.resolvers, 0o644),
        Entry::new("/etc/machine-id", machine_id()?, 0o444),
    ];
    entries.push(Entry {
        owner: USER_ID,
        ..Entry::new(
            format!("/home/{USER}/.ssh/authorized_keys"),
            format!("{}\n", new.identity.authorized_key),
            0o600,
        )
    });
    for (card, network) in new.networks.iter().enumerate() {
        entries.push(Entry::new(
            format!("/etc/systemd/network/10-eth{card}.network"),
            network_text(new, card, network),
            0o644,
        ));
    }
    Ok(entries)
}

/// The configuration of one card for systemd-networkd.
fn network_text(new: &NewMachine<'_>, card: usize, network: &LabNetwork) -> String {
    let mut text = format!("[Match]\nName=eth{card}\n\n[Network]\n");
    if let (Some(address), Some(chosen)) = (new.host.addresses.get(card), network.subnet) {
        let _ = writeln!(text, "Address={address}/{}", chosen.prefix_len());
        if !network.internal {
            let _ = writeln!(text, "Gateway={}", subnet::gateway(chosen));
        }
    }
    text.push_str("LinkLocalAddressing=no\nIPv6AcceptRA=no\n");
    text
}

/// Writes the files with debugfs, which says what it could not do on its error output only.
fn write_entries(
    programs: &Programs<'_>,
    disk: &Path,
    work: &Path,
    entries: &[Entry],
) -> Result<(), LabError> {
    let mut script = String::new();
    for (number, entry) in entries.iter().enumerate() {
        let source = work.join(number.to_string());
        fs::write(&source, &entry.content).map_err(at("write", &source))?;
        let Entry {
            path, mode, owner, ..
        } = entry;
        let _ = writeln!(script, "write \"{}\" {path}", source.display());
        let _ = writeln!(script, "set_inode_field {path} mode 0100{mode:o}");
        let _ = writeln!(script, "set_inode_field {path} uid {owner}");
        let _ = writeln!(script, "set_inode_field {path} gid {owner}");
    }
    let commands = work.join("commands");
    fs::write(&commands, script).map_err(at("write", &commands))?;
    let words = [
        "-w".as_ref(),
        "-f".as_ref(),
        commands.as_os_str(),
        disk.as_os_str(),
    ];
    let doing = "writing the host's name and keys to its disk";
    let answer = programs.ask(doing, Invocation::new("debugfs", words))?;
    let complaints: Vec<String> = String::from_utf8_lossy(&answer.stderr)
        .lines()
        .filter(|line| !line.starts_with("debugfs ") && !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    if answer.code == Some(0) && complaints.is_empty() {
        return Ok(());
    }
    Err(LabError::Failed {
        doing: doing.to_owned(),
        program: "debugfs".to_owned(),
        status: answer.status(),
        evidence: complaints.join("\n"),
    })
}
