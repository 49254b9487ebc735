//! Rules about space, mount options and swap.

use std::collections::BTreeMap;

use super::{Subject, size};
use crate::diagnostic::Diagnostics;
use crate::facts::Place;
use crate::site::EvictionSignal;

const MIB: u64 = 1 << 20;

/// What a first installation writes, by path, in MiB: programs, the store, unpacked images, etcd, logs.
const CONTROL_PLANE_SPACE: &[(&str, u64)] = &[
    ("/usr/local", 500),
    ("/opt", 150),
    ("/var/lib/iec", 1300),
    ("/var/lib/containerd", 1600),
    ("/var/lib/kubelet", 200),
    ("/var/lib/etcd", 500),
    ("/var/log", 100),
];
const WORKER_SPACE: &[(&str, u64)] = &[
    ("/usr/local", 400),
    ("/opt", 150),
    ("/var/lib/iec", 800),
    ("/var/lib/containerd", 1000),
    ("/var/lib/kubelet", 200),
    ("/var/log", 100),
];
/// The kubelet removes images once less than this share of their file system is free, in percent.
const KUBELET_KEEPS_FREE: u64 = 15;
/// Fewer inodes than this do not hold the files of a handful of images.
const LEAST_INODES: u64 = 50_000;

/// Programs are run from here.
const RUN_FROM: [&str; 5] = [
    "/usr/local",
    "/opt",
    "/var/lib/iec",
    "/var/lib/containerd",
    "/var/lib/kubelet",
];
/// Files are written here.
const WRITTEN: [&str; 8] = [
    "/etc",
    "/usr/local",
    "/opt",
    "/var/lib/iec",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/var/log",
];
/// File systems that cannot be the upper layer of an overlay.
const NO_UPPER_LAYER: [&str; 9] = [
    "overlay", "aufs", "nfs", "nfs4", "cifs", "vfat", "exfat", "9p", "ecryptfs",
];

pub(super) fn space(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let storage = &subject.facts.storage;
    // After a first installation its content is there already, and takes its space.
    if storage.is_assumed() || subject.facts.previous.store > 0 {
        return;
    }
    let needs = if subject.is_control_plane() {
        CONTROL_PLANE_SPACE
    } else {
        WORKER_SPACE
    };
    let mut mounts: BTreeMap<&str, (&Place, u64, Vec<&str>)> = BTreeMap::new();
    for (path, mebibytes) in needs {
        if let Some(place) = storage.place(path) {
            let (_, need, paths) = mounts
                .entry(place.mount_point.as_str())
                .or_insert((place, 0, Vec::new()));
            *need += mebibytes * MIB;
            paths.push(path);
        }
    }
    for (mount, (place, need, paths)) in mounts {
        if place.free < need {
            problems.push(
                subject
                    .error(
                        "IEC1811",
                        format!(
                            "{} has too little space on {mount} for a {}",
                            subject.name(),
                            subject.role()
                        ),
                    )
                    .evidence(format!(
                        "{} are free, {} are needed for {}",
                        size(place.free),
                        size(need),
                        paths.join(", ")
                    ))
                    .hint(format!(
                        "free some space, or mount a larger file system on {}",
                        paths[0]
                    )),
            );
        } else if paths.contains(&"/var/lib/containerd") {
            eviction(subject, mount, place, need, problems);
        }
        if place.free_inodes.is_some_and(|inodes| inodes < LEAST_INODES) {
            problems.push(
                subject
                    .error(
                        "IEC1812",
                        format!("{} has too few inodes on {mount}", subject.name()),
                    )
                    .evidence(format!(
                        "{} are free, {LEAST_INODES} are needed",
                        place.free_inodes.unwrap_or_default()
                    ))
                    .hint("make the file system anew with more inodes, or mount another one"),
            );
        }
    }
}

/// Warns where the kubelet would begin to remove images right after the installation.
fn eviction(subject: &Subject<'_>, mount: &str, place: &Place, need: u64, problems: &mut Diagnostics) {
    let decided = subject
        .site
        .kubelet()
        .eviction_hard()
        .contains_key(&EvictionSignal::ImagefsAvailable);
    let keeps = place.total / 100 * KUBELET_KEEPS_FREE;
    if !decided && place.free - need < keeps {
        problems.push(
            subject
                .warning(
                    "IEC1813",
                    format!(
                        "on {} the kubelet will soon remove images to free space",
                        subject.name()
                    ),
                )
                .evidence(format!(
                    "{} of {} are free on {mount}, the kubelet keeps {KUBELET_KEEPS_FREE} % free",
                    size(place.free),
                    size(place.total)
                ))
                .hint("free some space, or set `kubelet.evictionHard` in the site file"),
        );
    }
}

/// A folder may be a link to another disk, as long as there is something at its end: nobody makes a folder through a link.
pub(super) fn links(subject: &Subject<'_>, problems: &mut Diagnostics) {
    for (path, target) in &subject.facts.storage.nowhere {
        problems.push(
            subject
                .error("IEC1846", format!("{path} of {} is a link to where nothing is", subject.name()))
                .evidence(format!("{path} -> {target}"))
                .hint(format!("make the folder there (`mkdir -p $(readlink -m {path})`), mount its disk, or remove the link")),
        );
    }
}

pub(super) fn mount_options(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let storage = &subject.facts.storage;
    if storage.is_assumed() {
        return;
    }
    let affected = |paths: &[&'static str], has: fn(&Place) -> bool| {
        let mut mounts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in paths {
            if let Some(place) = storage.place(path).filter(|place| has(place)) {
                mounts.entry(place.mount_point.as_str()).or_default().push(path);
            }
        }
        mounts
    };
    for (mount, paths) in affected(&RUN_FROM, |place| place.no_exec) {
        problems.push(
            subject
                .error("IEC1814", format!("{mount} of {} is mounted noexec, but programs must run from there", subject.name()))
                .evidence(format!("holds {}", paths.join(", ")))
                .hint(format!("remove `noexec` from the line of {mount} in /etc/fstab, then `mount -o remount,exec {mount}`; or mount other file systems on those paths")),
        );
    }
    for (mount, paths) in affected(&WRITTEN, |place| place.read_only) {
        problems.push(
            subject
                .error("IEC1815", format!("{mount} of {} is read-only", subject.name()))
                .evidence(format!("holds {}", paths.join(", ")))
                .hint(format!(
                    "find out why (`dmesg` after a disk error, or an image that is read-only by design) and `mount -o remount,rw {mount}`"
                )),
        );
    }
}

pub(super) fn overlay_root(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let storage = &subject.facts.storage;
    let Some(place) = storage
        .place("/var/lib/containerd")
        .filter(|_| !storage.is_assumed())
    else {
        return;
    };
    let kind = place.file_system.as_str();
    if NO_UPPER_LAYER.contains(&kind) || kind.starts_with("fuse") {
        problems.push(
            subject
                .error(
                    "IEC1816",
                    format!(
                        "containers cannot have their file systems in /var/lib/containerd of {}",
                        subject.name()
                    ),
                )
                .evidence(format!(
                    "it is on {kind} ({}), on which overlay file systems cannot be written",
                    place.mount_point
                ))
                .hint("mount an ext4 or xfs file system on /var/lib/containerd; in a container, a volume"),
        );
    }
}

pub(super) fn zram(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let swap = &subject.facts.swap;
    if swap.is_assumed() {
        return;
    }
    let devices: Vec<&str> = swap
        .active
        .iter()
        .map(|device| device.path.as_str())
        .filter(|path| path.contains("/zram"))
        .collect();
    if swap.zram || !devices.is_empty() {
        problems.push(
            subject
                .warning("IEC1817", format!("{} makes swap on zram at each boot", subject.name()))
                .evidence(if devices.is_empty() { "a zram generator is installed".to_owned() } else { format!("active: {}", devices.join(", ")) })
                .hint("remove the package systemd-zram-generator or zram-tools: with swap on, the kubelet does not start after a reboot"),
        );
    }
}
