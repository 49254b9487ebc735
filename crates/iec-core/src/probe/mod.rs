//! The one read-only probe of a host: its script, and the parser of its answer.
//!
//! | section      | asked with                           | keys of its lines                                            |
//! |--------------|--------------------------------------|--------------------------------------------------------------|
//! | identity     | `/proc`, `/etc/machine-id`, DMI      | hostname machine-id boot-id uptime product serial            |
//! | distribution | `/etc/os-release`                    | os                                                           |
//! | kernel       | `uname`, `/proc/modules`, its config | release machine module modprobe module-files config          |
//! | capacity     | `/proc/meminfo`, limits, a timing    | cpus memory memory-limit cpu-quota hash disk                 |
//! | storage      | `readlink`, `stat -f`, mountinfo     | place nowhere resolved space mount                           |
//! | swap         | `/proc/swaps`, fstab, systemd        | swap swap-fstab swap-unit zram                               |
//! | cgroup       | `/sys/fs/cgroup`, `/proc/cgroups`    | cgroup controllers controller init                           |
//! | privileges   | `/proc/self`, trying                 | uid virtualisation capabilities limit lower-oom-score        |
//! | features     | trying in `unshare -n -m`, sysctls   | tried sysctl writable boot-sysctl seccomp                    |
//! | network      | `ip`                                 | link address route                                           |
//! | listeners    | `ss`                                 | listener                                                     |
//! | resolver     | resolv.conf, hosts, queries by bash  | resolv upstream answer host-name                             |
//! | clock        | `date`, RTC, `timedatectl`           | began ended hardware synchronised                            |
//! | software     | looking, dpkg, systemd, `--version`  | tool binary version package unit docker container override kubelet-arguments |
//! | cluster      | looking                              | kubernetes ca server etcd cni calico-pool proxy-mode other   |
//! | previous     | looking, `/proc/locks`               | journal site pace lock lock-since store joined                |
//! | guards       | looking, `nft`                       | ufw apparmor selinux filter                                  |
//! | environment  | `grep`                               | proxy cloud-init hosts-file                                  |
//! | login        | `getent`, `/proc`                    | user shell home kubeconfig sudo-stream sudo-setting          |
//!
//! `finished=SECTION` says that a section said all it had to say, `late=SECTION PROGRAM` that a program did not answer in
//! time, `cut=KEY` that a text or list was too long.

mod answer;
pub mod certificates;
mod machine;
mod network;
mod software;
mod storage;
mod sudo;

pub use answer::{Answer, BadAnswer, Misunderstood, parse};
pub use software::certificate_sha256;
pub use sudo::sudo_streams;

/// The probe, as text for `sh -s` run as root. It takes less than a second on an idle host. On a slow one
/// it first finds out how slow, and gives every program as much more time to answer.
///
/// Everything runs inside a function that is called by the last line, so a text that arrives in part does nothing.
pub const SCRIPT: &str = concat!(
    include_str!("sudo.sh"),
    include_str!("owner.sh"),
    include_str!("probe.sh")
);

/// Asks whether `sudo` passes on what goes in and comes out, instead of lending it: run by `sh -s` as root, it changes
/// nothing. [`sudo_streams`] reads its answer.
pub const SUDO_QUESTION: &str = concat!(
    include_str!("sudo.sh"),
    "put() { printf '%s=%s\\n' \"$1\" \"$2\"; }\nsudo_streams 2>/dev/null </dev/null\n"
);

/// The tools whose presence the probe tells.
pub const TOOLS: &[&str] = &[
    "apt-get",
    "bash",
    "conntrack",
    "curl",
    "ethtool",
    "ip6tables",
    "ipset",
    "iptables",
    "modprobe",
    "nft",
    "openssl",
    "python3",
    "socat",
    "systemctl",
    "tar",
    "tc",
    "timedatectl",
    "unshare",
];

/// The paths whose space and mount options the probe tells.
pub const PLACES: &[&str] = &[
    "/",
    "/etc",
    "/opt",
    "/tmp",
    "/usr/local",
    "/var",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/iec",
    "/var/lib/kubelet",
    "/var/log",
];

/// The kernel features that the probe tries out.
pub const TRIED: &[&str] = &[
    "bridge",
    "ipset",
    "iptables-legacy",
    "iptables-nft",
    "namespaces",
    "nftables",
    "overlay",
    "policy-rules",
    "veth",
    "vxlan",
    "wireguard",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_asks_for_what_this_module_lists() {
        for place in PLACES {
            assert!(
                SCRIPT.contains(&format!("{place} ")) || SCRIPT.contains(&format!("{place}'")),
                "{place}"
            );
        }
        let words: Vec<&str> = SCRIPT
            .split_whitespace()
            .map(|word| word.trim_end_matches(';'))
            .collect();
        for tool in TOOLS {
            assert!(words.contains(tool), "{tool}");
        }
        for feature in TRIED {
            assert!(
                words.contains(feature) || SCRIPT.contains(&format!("\"{feature} works\"")),
                "{feature}"
            );
        }
    }

    #[test]
    fn the_script_can_be_read_in_one_sitting() {
        assert!(SCRIPT.lines().count() <= 410);
        assert!(SCRIPT.lines().all(|line| line.len() <= 130));
        assert!(SCRIPT.ends_with("}\nmain </dev/null 2>/dev/null\n"));
    }
}
