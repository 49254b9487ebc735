//! The root file system that the hosts of a distribution begin with: built once, kept in the cache.
//!
//! It is a bare Debian: the minimal set, systemd, an SSH server, sudo and iproute2.
//! - `systemd-sysv` is there because `/sbin/init`, `reboot` and `poweroff` are part of any installed Debian.
//! - D-Bus is not. systemd works without it, root's `systemctl` and the kubelet's systemd cgroup driver fall back to
//!   systemd's private socket, and a host without it shows what an installer takes for granted.
//! - `libkmod2`: systemd of Debian 12 depends on it, that of Debian 13 loads it when it is there; each Debian with a
//!   kernel has it.
//! - procps comes with openssh-server, which depends on it.

mod outdated;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use iec_core::architecture::Architecture;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{LabError, at};
use crate::event::LabEvent;
use crate::places::{Places, create_private_folder, remove_tree, take_lock, write_atomically};
use crate::program::{Invocation, Programs};
use crate::request::UpRequest;

/// The user that a lab's hosts are reached as.
pub(crate) const USER: &str = "edge";
/// That user's and its group's number.
pub(crate) const USER_ID: u32 = 1000;

const PACKAGES: [&str; 6] = [
    "systemd",
    "systemd-sysv",
    "openssh-server",
    "sudo",
    "iproute2",
    "libkmod2",
];

/// Goes up whenever what is done to the root beside the packages changes, so that older ones are not taken.
const REVISION: u32 = 2;

/// How long a build takes on two cores with a near mirror.
const ESTIMATE: Duration = Duration::from_secs(60);

/// How long to wait for another process that is building.
const PATIENCE: Duration = Duration::from_secs(900);

const BUILDING: &str = "building-";
/// The file in a base's folder that says what it was made from.
const RECIPE: &str = "recipe.json";

/// What is done at boot to make a container like a machine of its own.
const BOOT_UNIT: &str = "\
[Unit]
Description=Share mounts as on a machine of its own, and own /etc/hostname
DefaultDependencies=no
Before=sysinit.target local-fs-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mount --make-rshared /
# podman mounts a file of its own over this one, which then cannot be replaced by a rename.
ExecStart=-/usr/bin/umount /etc/hostname

[Install]
WantedBy=sysinit.target
";

/// Units that would download and compute at some moment during a measurement.
const MASKED: [&str; 4] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
];

/// Units that would touch the whole machine, of which a container is a part.
const MASKED_IN_CONTAINERS: [&str; 2] = ["proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service"];

/// What cloud-init is told where it is among the packages: the disk and the cloud that it would find are this machine's.
const CLOUD_INIT: &str = "\
datasource_list: [NoCloud]
growpart: {mode: 'off'}
resize_rootfs: false
locale: false
";
/// The folder of cloud-init's configuration.
const CLOUD: &str = "etc/cloud";

/// What a base root is made from: its key in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Recipe {
    suite: &'static str,
    architecture: Architecture,
    mirror: Option<String>,
    packages: Vec<String>,
    revision: u32,
    /// What is said in the root before its packages are installed, and what it becomes, for one that boots.
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<(&'static str, u32)>,
}

impl Recipe {
    pub(crate) fn of(request: &UpRequest, architecture: Architecture) -> Self {
        Self {
            suite: request.distribution.suite(),
            architecture,
            mirror: request.mirror.clone(),
            packages: packages(request),
            revision: REVISION,
            boot: None,
        }
    }

    /// The same with more packages.
    pub(crate) fn with_packages(mut self, packages: impl IntoIterator<Item = String>) -> Self {
        self.packages.extend(packages);
        self
    }

    /// The same as a base that boots: with what is said before its packages are installed, and the revision of the rest.
    pub(crate) fn bootable(mut self, hook: &'static str, revision: u32) -> Self {
        self.boot = Some((hook, revision));
        self
    }

    /// The folder's name in the cache.
    fn key(&self) -> String {
        format!("{}{}", self.family(), self.short_digest())
    }

    /// What the names of all bases begin with that are of the same kind, distribution and architecture.
    fn family(&self) -> String {
        let kind = if self.boot.is_some() { "boot" } else { "base" };
        format!("{kind}-{}-{}-", self.suite, self.architecture.uname())
    }

    fn short_digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("a recipe has only keys that are strings");
        let masked = MASKED.join(" ");
        let mut inputs = vec![text.as_slice(), BOOT_UNIT.as_bytes(), masked.as_bytes()];
        if self.packages.iter().any(|name| name == "cloud-init") {
            inputs.push(CLOUD_INIT.as_bytes());
        }
        let digest = Sha256::digest(inputs.concat());
        digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The packages of a root: those of every host, and the asked ones in an order of their own.
fn packages(request: &UpRequest) -> Vec<String> {
    let mut asked = request.packages.clone();
    asked.sort();
    asked.dedup();
    PACKAGES.map(str::to_owned).into_iter().chain(asked).collect()
}

/// The base root for a request, from the cache or built now.
///
/// # Errors
/// [`LabError::Base`] when mmdebstrap fails; nothing is in the cache then.
pub(crate) fn ensure(
    programs: &Programs<'_>,
    places: &Places,
    request: &UpRequest,
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<PathBuf, LabError> {
    let recipe = Recipe::of(request, own_architecture()?);
    let folder = cached(
        programs,
        places,
        &recipe,
        ESTIMATE,
        on_event,
        |programs, root, on_event| {
            debootstrap(programs, &recipe, root, on_event)?;
            adapt(programs, root)?;
            adapt_container(root)
        },
    )?;
    Ok(folder.join("root"))
}

/// This machine's architecture, which its containers have.
fn own_architecture() -> Result<Architecture, LabError> {
    Architecture::from_uname(std::env::consts::ARCH).ok_or_else(|| {
        let reason = format!("there are no hosts for a machine of {}", std::env::consts::ARCH);
        LabError::InvalidRequest(reason)
    })
}

/// What is made by a recipe, from the cache or now: `make` gets the path of the root in the folder that becomes it.
///
/// # Errors
/// What `make` says, or what goes wrong with the cache; nothing is in it then.
pub(crate) fn cached(
    programs: &Programs<'_>,
    places: &Places,
    recipe: &Recipe,
    estimate: Duration,
    on_event: &mut dyn FnMut(LabEvent),
    make: impl FnOnce(&Programs<'_>, &Path, &mut dyn FnMut(LabEvent)) -> Result<(), LabError>,
) -> Result<PathBuf, LabError> {
    let folder = places.cache.join(recipe.key());
    if folder.is_dir() {
        on_event(LabEvent::BaseFound { path: folder.clone() });
        return Ok(folder);
    }
    create_private_folder(&places.cache)?;
    let lock = take_lock(&places.cache.join("lock"), "of the base root", PATIENCE)?;
    // Whoever had the lock may have built it meanwhile.
    if folder.is_dir() {
        on_event(LabEvent::BaseFound { path: folder.clone() });
        return Ok(folder);
    }
    let programs = &programs.holding(&lock);
    sweep(programs, places)?;
    let start = Instant::now();
    on_event(LabEvent::BaseBuilding {
        distribution: recipe.suite,
        estimate,
    });
    let building = tempfile::Builder::new()
        .prefix(BUILDING)
        .tempdir_in(&places.cache)
        .map_err(at("create a folder in", &places.cache))?;
    make(programs, &building.path().join("root"), on_event)?;
    let text = serde_json::to_vec_pretty(&recipe).expect("a recipe has only keys that are strings");
    write_atomically(&building.path().join(RECIPE), &text, 0o644)?;
    // On the disk before it has its name: a power cut must not leave a whole name with half a content.
    programs.must(
        "writing the base root to the disk",
        Invocation::new("sync", ["--file-system".as_ref(), building.path().as_os_str()]),
    )?;
    let building = building.keep();
    fs::rename(&building, &folder).map_err(at("rename into the cache", &building))?;
    on_event(LabEvent::BaseBuilt {
        path: folder.clone(),
        took: start.elapsed(),
    });
    outdated::remove(programs, places, recipe, on_event)?;
    Ok(folder)
}

/// Removes what killed builds have left in the cache, unless somebody is building now.
pub(crate) fn sweep_if_idle(programs: &Programs<'_>, places: &Places) -> Result<(), LabError> {
    if !places.cache.is_dir() {
        return Ok(());
    }
    match take_lock(&places.cache.join("lock"), "of the base root", Duration::ZERO) {
        Ok(_lock) => sweep(programs, places),
        Err(LabError::Busy { .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

fn sweep(programs: &Programs<'_>, places: &Places) -> Result<(), LabError> {
    for entry in fs::read_dir(&places.cache).map_err(at("read", &places.cache))? {
        let entry = entry.map_err(at("read", &places.cache))?;
        if entry.file_name().to_string_lossy().starts_with(BUILDING) {
            remove_tree(programs, &entry.path())?;
        }
    }
    Ok(())
}

/// Runs mmdebstrap in namespaces of its own: when this process dies, all of it dies with it, and its mounts too.
pub(crate) fn debootstrap(
    programs: &Programs<'_>,
    recipe: &Recipe,
    root: &Path,
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<(), LabError> {
    let mut words: Vec<String> = [
        "--pdeathsig=KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=KILL",
    ]
    .map(str::to_owned)
    .into();
    words.extend(
        [
            "--mount-proc",
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--format=directory",
        ]
        .map(str::to_owned),
    );
    // An installed host has package lists; kept compressed they are small.
    words.extend(
        [
            "--skip=cleanup/apt/lists",
            "--aptopt=Acquire::GzipIndexes \"true\"",
        ]
        .map(str::to_owned),
    );
    words.push("--aptopt=Acquire::Languages \"none\"".to_owned());
    words.push(format!("--architectures={}", recipe.architecture.debian_name()));
    if let Some((hook, _)) = recipe.boot {
        words.push(format!("--setup-hook={hook}"));
    }
    words.push(format!("--include={}", recipe.packages.join(",")));
    words.push(recipe.suite.to_owned());
    words.push(root.display().to_string());
    words.extend(recipe.mirror.clone());
    let temporary = root.parent().expect("the root is inside a folder of the cache");
    // Its own temporary files belong where they are swept from, and /tmp may be small or `noexec`.
    let invocation = Invocation::new("setpriv", words)
        .environment("TMPDIR", temporary)
        .environment("LC_ALL", "C.UTF-8");
    let mut each = |line: &str| {
        if let Some(text) = line.strip_prefix("I: ") {
            on_event(LabEvent::BaseProgress {
                line: text.to_owned(),
            });
        }
    };
    let answer = programs.ask_with_lines("building the base root", invocation, &mut each)?;
    if answer.code == Some(0) {
        return Ok(());
    }
    Err(LabError::Base {
        distribution: recipe.suite,
        evidence: answer.evidence(),
    })
}

/// Adds the user and its right to sudo, and takes away what no host may share or do during a measurement.
pub(crate) fn adapt(programs: &Programs<'_>, root: &Path) -> Result<(), LabError> {
    let number = USER_ID.to_string();
    let user = [
        "--create-home",
        "--shell",
        "/bin/bash",
        "--uid",
        &number,
        "--user-group",
        USER,
    ];
    let words = [root.as_os_str(), "useradd".as_ref()]
        .into_iter()
        .chain(user.map(AsRef::as_ref));
    programs.must(
        "adding the user to the base root",
        Invocation::new("chroot", words),
    )?;
    let sudoers = root.join("etc/sudoers.d").join(USER);
    write_atomically(
        &sudoers,
        format!("{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n").as_bytes(),
        0o440,
    )?;
    MASKED.iter().try_for_each(|unit| mask(root, unit))?;
    write_atomically(&root.join("etc/machine-id"), b"", 0o644)?;
    let cloud = root.join(CLOUD);
    if cloud.is_dir() {
        write_atomically(
            &cloud.join("cloud.cfg.d/99-lab.cfg"),
            CLOUD_INIT.as_bytes(),
            0o644,
        )?;
        // It begins with the boot after this file was removed.
        write_atomically(&cloud.join("cloud-init.disabled"), b"", 0o644)?;
    }
    remove_host_keys(&root.join("etc/ssh"))?;
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).map_err(at("set the mode of", root))
}

/// Adds what makes a container like a machine of its own.
fn adapt_container(root: &Path) -> Result<(), LabError> {
    let units = root.join("etc/systemd/system");
    write_atomically(&units.join("own-machine.service"), BOOT_UNIT.as_bytes(), 0o644)?;
    let wants = units.join("sysinit.target.wants");
    fs::create_dir_all(&wants).map_err(at("create", &wants))?;
    link(
        "/etc/systemd/system/own-machine.service",
        &wants.join("own-machine.service"),
    )?;
    MASKED_IN_CONTAINERS
        .iter()
        .try_for_each(|unit| mask(root, unit))?;
    // The number of processes is a setting of the whole machine on older kernels, and not this host's to change.
    link("/dev/null", &root.join("etc/sysctl.d/50-pid-max.conf"))
}

/// Makes the folder for the user's authorized keys.
pub(crate) fn create_ssh_folder(root: &Path) -> Result<(), LabError> {
    let folder = root.join("home").join(USER).join(".ssh");
    create_private_folder(&folder)?;
    chown(&folder, Some(USER_ID), Some(USER_ID)).map_err(at("give to the user", &folder))
}

/// Keeps a unit from ever being started.
pub(crate) fn mask(root: &Path, unit: &str) -> Result<(), LabError> {
    link("/dev/null", &root.join("etc/systemd/system").join(unit))
}

fn link(target: &str, path: &Path) -> Result<(), LabError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at("replace", path)(error)),
        _ => {}
    }
    symlink(target, path).map_err(at("create", path))
}

/// Keys that the package made would be the same on every host.
fn remove_host_keys(folder: &Path) -> Result<(), LabError> {
    for entry in fs::read_dir(folder).map_err(at("read", folder))? {
        let entry = entry.map_err(at("read", folder))?;
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs::remove_file(entry.path()).map_err(at("remove", entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fake::Fake;
    use crate::request::Distribution;

    fn places(root: &Path) -> Places {
        Places {
            labs: root.join("labs"),
            cache: root.join("cache"),
        }
    }

    fn key_of(request: &UpRequest) -> String {
        Recipe::of(request, Architecture::Amd64).key()
    }

    #[test]
    fn the_key_follows_the_inputs() {
        let one = UpRequest::new("one");
        let same = UpRequest {
            hosts: 7,
            ..UpRequest::new("two")
        };
        assert_eq!(key_of(&one), key_of(&same));
        let other = UpRequest {
            distribution: Distribution::Trixie,
            ..one.clone()
        };
        let mirrored = UpRequest {
            mirror: Some("http://mirror.example/debian".to_owned()),
            ..one.clone()
        };
        assert_ne!(key_of(&one), key_of(&mirrored));
        let with = |packages: &[&str]| UpRequest {
            packages: packages.iter().map(|&name| name.to_owned()).collect(),
            ..one.clone()
        };
        let key = |packages: &[&str]| key_of(&with(packages));
        assert_ne!(key(&["python3"]), key(&[]));
        assert_eq!(
            key(&["python3", "cloud-init"]),
            key(&["cloud-init", "python3", "python3"])
        );
        assert!(key_of(&other).starts_with("base-trixie-"), "{}", key_of(&other));
    }

    #[test]
    fn a_failed_build_says_why_and_leaves_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        let fake = Fake::default().fails(
            "setpriv --pdeathsig=KILL unshare",
            100,
            "I: running\nE: no mirror answers\n",
        );
        let mut events = Vec::new();
        let places = places(root.path());
        let error = ensure(
            &Programs::new(&fake),
            &places,
            &UpRequest::new("demo"),
            &mut |event| events.push(event),
        )
        .expect_err("mmdebstrap failed");
        assert_eq!(error.code(), "IEC1915");
        assert!(error.to_string().ends_with("E: no mirror answers"), "{error}");
        assert!(
            events.contains(&LabEvent::BaseProgress {
                line: "running".to_owned()
            }),
            "{events:?}"
        );
        let left: Vec<_> = fs::read_dir(&places.cache)
            .expect("the cache")
            .map(|each| each.expect("an entry").file_name())
            .collect();
        assert_eq!(left, ["lock"]);
    }

    #[test]
    fn what_a_killed_build_left_is_swept_and_whole_ones_are_kept() {
        let root = tempfile::tempdir().expect("a folder");
        let places = places(root.path());
        fs::create_dir_all(places.cache.join("building-abc/root/etc")).expect("half-built");
        fs::create_dir_all(places.cache.join("base-bookworm-x/root")).expect("whole");
        let fake = Fake::default();
        let programs = Programs::new(&fake);
        let held = take_lock(&places.cache.join("lock"), "test", Duration::ZERO).expect("free");
        sweep_if_idle(&programs, &places).expect("nothing to do while somebody builds");
        assert!(places.cache.join("building-abc").is_dir());
        drop(held);
        sweep_if_idle(&programs, &places).expect("swept");
        assert!(!places.cache.join("building-abc").exists());
        assert!(places.cache.join("base-bookworm-x/root").is_dir());
    }
}
