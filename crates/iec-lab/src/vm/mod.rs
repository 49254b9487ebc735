//! Hosts that are virtual machines: a real kernel, a real boot and a disk that loses what was not synced.
//!
//! A virtual machine stands beside container hosts on the same network. QEMU boots Debian's own kernel with a disk of
//! its own; another architecture than this machine's, or a machine without KVM, is emulated, which is some twenty times
//! slower and said so. Commands reach it by the QEMU guest agent, which needs neither its network nor its SSH server.

mod accelerator;
mod agent;
mod disk;
mod image;
mod medium;
mod monitor;
mod qemu;
mod tap;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use iec_core::architecture::Architecture;
use rustix::process::Signal;

pub use accelerator::Accelerator;
pub(crate) use image::{ensure as ensure_image, kernel as image_kernel};
pub(crate) use medium::{eject, insert};

use crate::disk::Identity;
use crate::error::{LabError, at};
use crate::places::{Folder, create_private_folder};
use crate::podman::HostState;
use crate::program::{Answer, Programs, last_lines};
use crate::record::{LabHost, LabNetwork};
use crate::request::{DiskCache, Limits};

/// The memory of a virtual machine whose request says nothing, in MiB: what kubeadm asks of a control plane, and room.
pub(crate) const MEMORY_MIB: u32 = 3072;

/// How many lines of the serial console go into an error.
const CONSOLE_LINES: usize = 12;

/// How long a killed QEMU may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a machine may take to shut down: systemd gives each unit 90 s, and emulation makes each of them slow.
const SHUT_DOWN_PATIENCE: Duration = Duration::from_secs(300);

/// The longest path of a Unix socket, `sun_path` of unix(7) without its last byte.
const LONGEST_SOCKET: usize = 107;

/// Where the files of one virtual machine are.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// The files of this host.
    pub(crate) fn of(lab: &Folder, host: &str) -> Self {
        Self {
            folder: lab.hosts().join(host),
        }
    }

    /// Its disk, a raw image.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("disk.raw")
    }

    /// What was written to it, where its cache is to be lost with the power.
    pub(crate) fn written(&self) -> PathBuf {
        self.folder.join("disk.qcow2")
    }

    /// Its kernel, the one that its disk has the modules of.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The initial RAM disk of that kernel.
    pub(crate) fn initrd(&self) -> PathBuf {
        self.folder.join("initrd.img")
    }

    /// What its kernel and its systemd print on the serial console, from its first boot on.
    pub(crate) fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// Its second disk, if it has one.
    pub(crate) fn second_disk(&self) -> PathBuf {
        self.folder.join("second.raw")
    }

    /// The removable medium that is in it, if one is.
    pub(crate) fn medium(&self) -> PathBuf {
        self.folder.join("medium.img")
    }

    /// The socket by which QEMU takes orders.
    pub(crate) fn monitor(&self) -> PathBuf {
        self.folder.join("monitor.sock")
    }

    /// The process that runs it.
    pub(crate) fn process(&self) -> PathBuf {
        self.folder.join("qemu.pid")
    }

    /// The socket of its guest agent.
    pub(crate) fn agent(&self) -> PathBuf {
        self.folder.join("agent.sock")
    }
}

/// The kernel of a virtual machine.
pub(crate) fn kernel(lab: &Folder, host: &str) -> PathBuf {
    Files::of(lab, host).kernel()
}

/// What is needed to make a virtual machine.
pub(crate) struct NewMachine<'a> {
    pub(crate) host: &'a LabHost,
    pub(crate) networks: &'a [LabNetwork],
    /// The folder of the bootable base in the cache.
    pub(crate) image: &'a Path,
    pub(crate) identity: &'a Identity<'a>,
    /// The size of its disk in GiB.
    pub(crate) disk_gib: Option<u32>,
    /// The size of its second disk in GiB, if it has one.
    pub(crate) second_disk_gib: Option<u32>,
    pub(crate) disk_cache: DiskCache,
}

/// Makes the disk of a virtual machine and gives its public host key, `ssh-ed25519 AAAA…`.
///
/// # Errors
/// When the disk cannot be made, or the lab's folder has too long a name for QEMU's sockets.
pub(crate) fn create(
    programs: &Programs<'_>,
    lab: &Folder,
    new: &NewMachine<'_>,
) -> Result<String, LabError> {
    let files = Files::of(lab, &new.host.name);
    let socket = files.monitor();
    if socket.as_os_str().len() > LONGEST_SOCKET {
        let reason = "QEMU's sockets in it would have longer names than the kernel takes";
        return Err(LabError::InvalidRequest(format!(
            "its files cannot be in {}: {reason}",
            lab.path.display()
        )));
    }
    create_private_folder(&files.folder)?;
    // Of its own, because the cache may have a newer kernel by the time at which this host is switched on again.
    for (from, to) in [
        (image::kernel(new.image), files.kernel()),
        (image::initrd(new.image), files.initrd()),
    ] {
        std::fs::copy(&from, to).map_err(at("copy", from))?;
    }
    if let Some(size) = new.second_disk_gib {
        let second = files.second_disk();
        std::fs::File::create(&second)
            .and_then(|file| file.set_len(u64::from(size) << 30))
            .map_err(at("create", second))?;
    }
    disk::create(programs, &files, new)
}

/// Switches a virtual machine on; it boots from its disk.
///
/// # Errors
/// When its network or QEMU cannot be started; the evidence is what QEMU says.
pub(crate) fn start(
    programs: &Programs<'_>,
    lab: &Folder,
    host: &LabHost,
    machine: &Hardware<'_>,
) -> Result<(), LabError> {
    let files = Files::of(lab, &host.name);
    for (card, network) in machine.networks.iter().enumerate() {
        tap::create(programs, lab, &host.name, card, network)?;
    }
    let words = qemu::words(&files, lab, host, machine);
    programs
        .must(
            "switching the virtual machine on",
            crate::program::Invocation::new(qemu::program(machine.architecture), words),
        )
        .map(drop)
}

/// What a virtual machine consists of, beside its disk.
#[derive(Debug, Clone)]
pub(crate) struct Hardware<'a> {
    pub(crate) architecture: Architecture,
    pub(crate) accelerator: Accelerator,
    pub(crate) networks: &'a [LabNetwork],
    pub(crate) limits: Limits,
    pub(crate) disk_cache: DiskCache,
}

/// Cuts the power of a virtual machine: what it had not synced to its disk is lost.
///
/// # Errors
/// When its process does not end.
pub(crate) fn kill(lab: &Folder, host: &str) -> Result<(), LabError> {
    let files = Files::of(lab, host);
    signal(&files, Signal::KILL)?;
    await_end(&files, host, PATIENCE)
}

/// Lets a virtual machine shut down, as `poweroff` in it does.
///
/// # Errors
/// When its guest agent does not answer, or it does not end in time.
pub(crate) fn stop(lab: &Folder, host: &str) -> Result<(), LabError> {
    let files = Files::of(lab, host);
    agent::shut_down(&files.agent())?;
    await_end(&files, host, SHUT_DOWN_PATIENCE)
}

/// Does something to the files of a machine while it is held where it is; one that is off stays off.
///
/// # Errors
/// What `work` says, or when the machine's process cannot be held.
pub(crate) fn while_held<T>(
    lab: &Folder,
    host: &str,
    work: impl FnOnce() -> Result<T, LabError>,
) -> Result<T, LabError> {
    let files = Files::of(lab, host);
    signal(&files, Signal::STOP)?;
    let done = work();
    signal(&files, Signal::CONT)?;
    done
}

/// Sends a signal to a machine's process, if it runs.
fn signal(files: &Files, signal: Signal) -> Result<(), LabError> {
    running(files)?.map_or(Ok(()), |process| {
        rustix::process::kill_process(process, signal)
            .map_err(|error| at("signal the process of", files.process())(error.into()))
    })
}

fn await_end(files: &Files, host: &str, patience: Duration) -> Result<(), LabError> {
    let start = Instant::now();
    while running(files)?.is_some() {
        if start.elapsed() > patience {
            return Err(LabError::HostState {
                host: host.to_owned(),
                state: format!("still running after {} s", patience.as_secs()),
                wanted: "switched off",
            });
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Removes what a virtual machine has on this machine beside its files: its process and its links.
///
/// # Errors
/// When one of them stays.
pub(crate) fn remove(programs: &Programs<'_>, lab: &Folder, host: &str) -> Result<(), LabError> {
    kill(lab, host)?;
    tap::remove_all(programs, lab, host)
}

/// The hosts of a lab that are virtual machines, by what lies in its folder: its record may be lost.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn made_in(lab: &Folder) -> Result<Vec<String>, LabError> {
    let hosts = lab.hosts();
    let entries = match std::fs::read_dir(&hosts) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at("read", hosts)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(at("read", &hosts))?.file_name();
        let name = name.to_string_lossy().into_owned();
        let files = Files::of(lab, &name);
        if files.disk().exists() || files.process().exists() {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a virtual machine runs.
///
/// # Errors
/// When its files cannot be read.
pub(crate) fn state(lab: &Folder, host: &LabHost) -> Result<HostState, LabError> {
    let files = Files::of(lab, &host.name);
    Ok(if running(&files)?.is_some() {
        HostState::Running
    } else if files.disk().exists() {
        HostState::Stopped
    } else {
        HostState::Gone
    })
}

/// Runs a command in a virtual machine by its guest agent.
///
/// # Errors
/// When the agent does not answer, or not in time.
pub(crate) fn exec(
    lab: &Folder,
    host: &LabHost,
    user: &str,
    command: &[String],
    input: &[u8],
) -> Result<Answer, LabError> {
    agent::exec(&Files::of(lab, &host.name).agent(), user, command, input)
}

/// What a virtual machine has printed on its serial console, without control characters; nothing before its first boot.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn console(lab: &Folder, host: &LabHost) -> Result<String, LabError> {
    let path = Files::of(lab, &host.name).console();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(at("read", path)(error)),
    };
    Ok(String::from_utf8_lossy(&text)
        .chars()
        .filter(|each| *each == '\n' || !each.is_control())
        .collect())
}

/// The last lines of a virtual machine's serial console, for errors, which stand for themselves where there is none.
pub(crate) fn last_words(lab: &Folder, host: &LabHost) -> String {
    console(lab, host)
        .map(|text| last_lines(&text, CONSOLE_LINES))
        .unwrap_or_default()
}

/// The process that runs a machine, if it does: the one that the file names, when it is really this machine's QEMU.
///
/// A number of a process is used again after its end, so its command line must name the machine's own file.
fn running(files: &Files) -> Result<Option<rustix::process::Pid>, LabError> {
    let path = files.process();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at("read", path)(error)),
    };
    let Some(process) = text.trim().parse().ok().and_then(rustix::process::Pid::from_raw) else {
        return Ok(None);
    };
    let line = std::fs::read(format!("/proc/{}/cmdline", process.as_raw_nonzero())).unwrap_or_default();
    let own = path.as_os_str().as_encoded_bytes();
    Ok(line
        .split(|byte| *byte == 0)
        .any(|word| word == own)
        .then_some(process))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_the_same_number_is_not_taken_for_the_machine() {
        let root = tempfile::tempdir().expect("a folder");
        let files = Files {
            folder: root.path().to_owned(),
        };
        assert_eq!(running(&files).expect("no file is no error"), None);
        std::fs::write(files.process(), format!("{}\n", std::process::id())).expect("written");
        assert_eq!(running(&files).expect("another program"), None);
        let mut own = std::process::Command::new("sh")
            .args(["-c", "sleep 30; true", "sh"])
            .arg(files.process())
            .spawn()
            .expect("sh is there");
        std::fs::write(files.process(), own.id().to_string()).expect("written");
        // The kernel lets us go on a moment before the new program has its command line.
        let start = Instant::now();
        while running(&files).expect("it runs").is_none() {
            assert!(
                start.elapsed() < PATIENCE,
                "the program is not known as the machine's"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        own.kill().expect("ended");
        own.wait().expect("gone");
        assert_eq!(running(&files).expect("it has ended"), None);
    }

    #[test]
    fn a_console_is_shown_without_its_control_characters() {
        let root = tempfile::tempdir().expect("a folder");
        let lab = Folder {
            path: root.path().to_owned(),
        };
        let record = crate::record::Record::intended(&crate::UpRequest::new("demo"));
        let host = &record.hosts[0];
        assert_eq!(last_words(&lab, host), "");
        let files = Files::of(&lab, &host.name);
        std::fs::create_dir_all(&files.folder).expect("a folder");
        std::fs::write(
            files.console(),
            "\u{1b}[31mKernel panic\u{1b}[0m\r\nnot syncing\n",
        )
        .expect("written");
        assert_eq!(last_words(&lab, host), "[31mKernel panic[0m\nnot syncing");
    }
}
