//! Reads what the probe says about the machine itself.

use std::collections::BTreeMap;

use super::answer::Lines;
use super::{TRIED, storage};
use crate::facts::{
    Ability, BootSysctl, Capacity, Cgroup, CgroupVersion, Distribution, Features, Identity, Kernel,
    Privileges,
};

/// What `systemd-detect-virt` calls containers.
const CONTAINERS: &[&str] = &[
    "container-other",
    "docker",
    "lxc",
    "lxc-libvirt",
    "openvz",
    "podman",
    "pouch",
    "proot",
    "rkt",
    "systemd-nspawn",
    "wsl",
];

pub(super) fn identity(lines: &mut Lines) -> Identity {
    Identity {
        hostname: lines.one("hostname").unwrap_or_default(),
        machine_id: lines.one("machine-id").unwrap_or_default(),
        boot_id: lines.one("boot-id").unwrap_or_default(),
        uptime: lines
            .read("uptime", |text| text.split(['.', ' ']).next()?.parse().ok())
            .unwrap_or_default(),
        product: lines.one("product"),
        serial: lines.one("serial"),
    }
}

pub(super) fn distribution(lines: &mut Lines) -> Distribution {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
    };
    let mut values: BTreeMap<String, String> = lines.each("os", pair).into_iter().collect();
    Distribution {
        id: values.remove("ID").unwrap_or_default(),
        version: values.remove("VERSION_ID").unwrap_or_default(),
        codename: values.remove("VERSION_CODENAME").unwrap_or_default(),
        name: values.remove("PRETTY_NAME").unwrap_or_default(),
    }
}

pub(super) fn kernel(lines: &mut Lines) -> Kernel {
    let option = |text: &str| {
        let (name, value) = text.strip_prefix("CONFIG_")?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    Kernel {
        release: lines.one("release").unwrap_or_default(),
        machine: lines.one("machine").unwrap_or_default(),
        modules: lines.all("module"),
        modprobe: lines.yes("modprobe"),
        module_files: lines.yes("module-files"),
        config: lines.each("config", option).into_iter().collect(),
    }
}

pub(super) fn capacity(lines: &mut Lines) -> Capacity {
    let kibibytes = |text: &str| {
        let (name, value) = text.split_once(':')?;
        let value: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some((name.to_owned(), value.checked_mul(1024)?))
    };
    let memory: BTreeMap<String, u64> = lines.each("memory", kibibytes).into_iter().collect();
    let limits = lines.each("memory-limit", |text| {
        if text == "max" {
            Some(u64::MAX)
        } else {
            text.parse().ok()
        }
    });
    let limit = limits.into_iter().min().unwrap_or(u64::MAX);
    let value = |name| memory.get(name).copied().unwrap_or_default().min(limit);
    let cpus = lines
        .read("cpus", |text| text.parse::<u32>().ok())
        .unwrap_or_default();
    let quota = lines.read("cpu-quota", cpu_quota).unwrap_or(u32::MAX);
    // `times` prints the shell's own time first, then that of the programs it ran.
    let hash = lines.each("hash", processor_millis).into_iter().nth(1);
    Capacity {
        cpus: cpus.min(quota),
        memory_total: value("MemTotal"),
        memory_available: value("MemAvailable"),
        hash_millis: hash,
        disk_millis: lines
            .each("disk", |text| text.parse::<u64>().ok())
            .into_iter()
            .min(),
    }
}

/// Whole processors of `QUOTA PERIOD` in microseconds, at least one; `max`, with cgroup v1 -1, is no limit.
fn cpu_quota(text: &str) -> Option<u32> {
    let (quota, period) = text.split_once(' ')?;
    if matches!(quota, "max" | "-1") {
        return Some(u32::MAX);
    }
    let whole = quota.parse::<u64>().ok()?.checked_div(period.parse().ok()?)?;
    Some(u32::try_from(whole).unwrap_or(u32::MAX).max(1))
}

/// Milliseconds of `0m0.020s 0m0.010s`: user and system time together.
fn processor_millis(text: &str) -> Option<u64> {
    let mut sum = 0.0;
    for part in text.split_whitespace() {
        let (minutes, seconds) = part.strip_suffix('s')?.split_once('m')?;
        let seconds: f64 = seconds.parse().ok()?;
        sum += f64::from(minutes.parse::<u16>().ok()?) * 60.0 + seconds;
    }
    let millis = (sum * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was just checked"
    )]
    (0.0..1e9).contains(&millis).then_some(millis as u64)
}

pub(super) fn cgroup(lines: &mut Lines) -> Cgroup {
    let version = lines.read("cgroup", |text| match text {
        "v1" => Some(CgroupVersion::V1),
        "hybrid" => Some(CgroupVersion::Hybrid),
        "v2" => Some(CgroupVersion::V2),
        _ => None,
    });
    let mut controllers: Vec<String> = lines
        .one("controllers")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let enabled = |text: &str| {
        let (name, enabled) = text.rsplit_once(' ')?;
        Some((name.to_owned(), enabled == "1"))
    };
    let known = lines.each("controller", enabled);
    controllers.extend(
        known
            .into_iter()
            .filter(|(_, enabled)| *enabled)
            .map(|(name, _)| name),
    );
    Cgroup {
        version: version.unwrap_or_default(),
        controllers,
        systemd: lines.one("init").is_some_and(|name| name == "systemd"),
    }
}

pub(super) fn privileges(lines: &mut Lines) -> Privileges {
    let virtualisation = lines.one("virtualisation").unwrap_or_default();
    let limit = |text: &str| {
        let (name, values) = text.strip_prefix("Max ")?.split_once("  ")?;
        let hard = values.split_whitespace().nth(1)?;
        Some((name.trim().to_owned(), hard.parse::<u64>().ok()))
    };
    let limits: BTreeMap<String, Option<u64>> = lines.each("limit", limit).into_iter().collect();
    Privileges {
        root: true,
        container: CONTAINERS.contains(&virtualisation.as_str()),
        virtualisation,
        capabilities: lines
            .read("capabilities", |text| u64::from_str_radix(text, 16).ok())
            .unwrap_or_default(),
        lower_oom_score: lines.yes("lower-oom-score"),
        open_files: limits.get("open files").copied().flatten(),
        processes: limits.get("processes").copied().flatten(),
    }
}

/// `FILE:KEY = VALUE`, in the forms that sysctl.d(5) allows.
fn boot_sysctl(text: &str) -> Option<BootSysctl> {
    let (file, line) = text.split_once(':')?;
    let (name, value) = line.trim().trim_start_matches('-').split_once('=')?;
    let name = name.trim();
    let slashes = name
        .find(['.', '/'])
        .is_some_and(|at| name[at..].starts_with('/'));
    Some(BootSysctl {
        file: file.to_owned(),
        name: if slashes {
            name.replace('/', ".")
        } else {
            name.to_owned()
        },
        value: value.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

pub(super) fn features(lines: &mut Lines) -> Features {
    let mut tried = BTreeMap::new();
    for text in lines.all("tried") {
        let mut words = text.splitn(3, ' ');
        let name = words.next().unwrap_or_default();
        let ability = match (words.next(), words.next().unwrap_or_default().trim()) {
            (Some("works"), _) => Ability::Works,
            (Some("fails"), message) => Ability::Fails(message.to_owned()),
            (Some("untested"), reason) => Ability::Untested(reason.to_owned()),
            // Not ours, so it is what `unshare` says instead of running anything.
            _ if !tried.contains_key("namespaces") => {
                tried.insert("namespaces".to_owned(), Ability::Fails(text.clone()));
                continue;
            }
            _ => {
                lines.complain("tried", &text, "was not understood");
                continue;
            }
        };
        tried.insert(name.to_owned(), ability);
    }
    for name in TRIED {
        let reason = || Ability::Untested("the trial did not come that far".to_owned());
        tried.entry((*name).to_owned()).or_insert_with(reason);
    }
    let parameter = |text: &str| {
        let (path, value) = text.split_once(':')?;
        Some((
            path.replace('/', "."),
            value.split_whitespace().collect::<Vec<_>>().join(" "),
        ))
    };
    Features {
        tried,
        sysctls: lines.each("sysctl", parameter).into_iter().collect(),
        writable_sysctls: lines
            .all("writable")
            .iter()
            .map(|path| path.replace('/', "."))
            .collect(),
        boot_sysctls: lines.each("boot-sysctl", boot_sysctl),
        seccomp: lines.yes("seccomp"),
        shared_root: storage::root_is_shared(lines),
    }
}
