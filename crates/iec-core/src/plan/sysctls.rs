//! Kernel parameters that a host needs, now and after each boot.

use std::collections::BTreeMap;

use crate::facts::HostFacts;

/// The file by which systemd sets them at boot: files are read in the order of their names, and the last one wins. Debian's
/// `99-sysctl.conf`, a link to `/etc/sysctl.conf`, comes before it.
pub(crate) const FILE: &str = "/etc/sysctl.d/99-zz-iec.conf";

/// Each kubelet, containerd and agent of a pod watches files. With the kernel's default of 128 instances a kubelet beside
/// a few of them ends at its start with "inotify_init: too many open files". A host that allows more keeps that.
const LEAST: [(&str, u64); 2] = [
    ("fs.inotify.max_user_instances", 8192),
    ("fs.inotify.max_user_watches", 524_288),
];

/// The parameters and their values.
#[must_use]
pub(crate) fn wanted(facts: &HostFacts) -> BTreeMap<String, String> {
    let known = &facts.features.sysctls;
    let mut wanted = BTreeMap::from([("net.ipv4.ip_forward".to_owned(), "1".to_owned())]);
    for bridged in [
        "net.bridge.bridge-nf-call-iptables",
        "net.bridge.bridge-nf-call-ip6tables",
    ] {
        if known.contains_key(bridged) || (facts.kernel.modprobe && facts.kernel.module_files) {
            wanted.insert(bridged.to_owned(), "1".to_owned());
        }
    }
    for (limit, least) in LEAST {
        let present = known.get(limit).and_then(|value| value.trim().parse().ok());
        wanted.insert(limit.to_owned(), present.unwrap_or(least).max(least).to_string());
    }
    wanted
}

/// Whether more of this parameter is as good.
#[must_use]
pub(crate) fn is_limit(name: &str) -> bool {
    LEAST.iter().any(|(limit, _)| *limit == name)
}
