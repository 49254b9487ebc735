//! The bootable base of virtual machines: a bare Debian with its own kernel, built once for each architecture.
//!
//! The kernel and its initrd lie beside the disk: QEMU hands them to the machine, whose disk then needs no boot loader.
//! The initrd has the few modules that find the disk; one with most of them takes longer to unpack under emulation than
//! all the rest of a boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use iec_core::architecture::Architecture;

use crate::base::{self, Recipe};
use crate::error::{LabError, at};
use crate::event::LabEvent;
use crate::places::{Places, write_atomically};
use crate::program::{Invocation, Programs};
use crate::request::UpRequest;

/// Goes up whenever what is done to the root beside the packages changes, so that older ones are not taken.
const REVISION: u32 = 2;

/// A unit that looks for what a check of LVM snapshots has left: a minute of every emulated boot, for what no host has.
const MASKED: &str = "e2scrub_reap.service";

/// The packages that a machine has and a container has not: a kernel, what makes its initrd, devices, an agent.
fn packages(architecture: Architecture) -> [String; 4] {
    [
        format!("linux-image-{}", architecture.debian_name()),
        "initramfs-tools".to_owned(),
        "udev".to_owned(),
        "qemu-guest-agent".to_owned(),
    ]
}

/// Said before the kernel is installed, whose installation makes the initrd.
const INITRD_HOOK: &str = "mkdir -p \"$1/etc/initramfs-tools/conf.d\" \"$1/usr/share/initramfs-tools/modules.d\" && \
    printf 'MODULES=list\\nCOMPRESS=gzip\\n' >\"$1/etc/initramfs-tools/conf.d/lab\" && \
    printf 'virtio_pci\\nvirtio_blk\\next4\\n' >\"$1/usr/share/initramfs-tools/modules.d/lab\"";

/// The size of a machine's disk; its file takes no more than what is written.
const DISK_SIZE: &str = "20G";

/// How long a build takes: with this machine's own architecture, and under emulation.
const ESTIMATES: [Duration; 2] = [Duration::from_secs(90), Duration::from_secs(420)];

/// The kernel of a base.
pub(crate) fn kernel(image: &Path) -> PathBuf {
    image.join("vmlinuz")
}

/// Its initial RAM disk.
pub(super) fn initrd(image: &Path) -> PathBuf {
    image.join("initrd.img")
}

/// Its disk, which is copied for each host.
pub(super) fn disk(image: &Path) -> PathBuf {
    image.join("disk.raw")
}

/// The bootable base for a request, from the cache or built now; gives its folder.
///
/// # Errors
/// [`LabError::Base`] when mmdebstrap fails, or what went wrong on the way; nothing is in the cache then.
pub(crate) fn ensure(
    programs: &Programs<'_>,
    places: &Places,
    request: &UpRequest,
    architecture: Architecture,
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<PathBuf, LabError> {
    let recipe = Recipe::of(request, architecture)
        .with_packages(packages(architecture))
        .bootable(INITRD_HOOK, REVISION);
    let estimate = ESTIMATES[usize::from(architecture.uname() != std::env::consts::ARCH)];
    base::cached(
        programs,
        places,
        &recipe,
        estimate,
        on_event,
        |programs, root, on_event| {
            if architecture.uname() != std::env::consts::ARCH {
                allow_foreign_programs(programs, architecture)?;
            }
            let start = Instant::now();
            base::debootstrap(programs, &recipe, root, on_event)?;
            adapt(programs, root)?;
            make_disk(programs, root)?;
            on_event(LabEvent::BaseProgress {
                line: format!("bootable after {} s", start.elapsed().as_secs()),
            });
            Ok(())
        },
    )
}

/// Lets the kernel run programs of another architecture by QEMU's user-mode emulation, as Debian's packages set it up.
///
/// In a container the file system of its registrations may not be mounted, and what the packages registered is gone then.
fn allow_foreign_programs(programs: &Programs<'_>, architecture: Architecture) -> Result<(), LabError> {
    let registrations = Path::new("/proc/sys/fs/binfmt_misc");
    if !registrations.join("register").exists() {
        let words = ["-t", "binfmt_misc", "none", "/proc/sys/fs/binfmt_misc"];
        programs.must(
            "mounting the kernel's list of foreign programs",
            Invocation::new("mount", words),
        )?;
    }
    let name = format!("qemu-{}", architecture.uname());
    if registrations.join(&name).exists() {
        return Ok(());
    }
    programs
        .must(
            "letting this machine run programs of another architecture",
            Invocation::new("update-binfmts", ["--enable", &name]),
        )
        .map(drop)
}

/// Makes the root one that boots: its own file system, its network by systemd.
fn adapt(programs: &Programs<'_>, root: &Path) -> Result<(), LabError> {
    base::adapt(programs, root)?;
    let fstab = "/dev/vda / ext4 defaults 0 1\n";
    write_atomically(&root.join("etc/fstab"), fstab.as_bytes(), 0o644)?;
    programs.must(
        "enabling the network of the bootable base",
        Invocation::new(
            "systemctl",
            [
                "--root".as_ref(),
                root.as_os_str(),
                "enable".as_ref(),
                "systemd-networkd".as_ref(),
            ],
        ),
    )?;
    base::mask(root, MASKED)?;
    // Each host gets these of its own.
    for path in ["etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/machine-id"] {
        match fs::remove_file(root.join(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(at("remove", root.join(path))(error));
            }
            _ => {}
        }
    }
    base::create_ssh_folder(root)
}

/// Turns the root into a disk with kernel and initrd beside it, and removes it.
fn make_disk(programs: &Programs<'_>, root: &Path) -> Result<(), LabError> {
    let folder = root.parent().expect("the root is inside a folder of the cache");
    take_boot_file(root, "vmlinuz-", &kernel(folder))?;
    take_boot_file(root, "initrd.img-", &initrd(folder))?;
    let disk = disk(folder);
    let words = [
        "-q".as_ref(),
        "-F".as_ref(),
        "-L".as_ref(),
        "root".as_ref(),
        "-E".as_ref(),
        "root_owner=0:0".as_ref(),
        "-d".as_ref(),
        root.as_os_str(),
        disk.as_os_str(),
        DISK_SIZE.as_ref(),
    ];
    programs.must(
        "writing the bootable base's disk",
        Invocation::new("mkfs.ext4", words),
    )?;
    crate::places::remove_tree(programs, root).map(drop)
}

/// Copies the file of the newest kernel.
fn take_boot_file(root: &Path, start: &str, to: &Path) -> Result<(), LabError> {
    let boot = root.join("boot");
    let mut found: Vec<PathBuf> = fs::read_dir(&boot)
        .map_err(at("read", &boot))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(start))
        })
        .collect();
    found.sort();
    let newest = found.pop().ok_or_else(|| LabError::File {
        doing: "find the kernel in",
        path: boot.clone(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    fs::copy(&newest, to).map(drop).map_err(at("copy", newest))
}
