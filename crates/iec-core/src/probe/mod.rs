//! The one read-only probe of a host: its script, and the parser of its answer.

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
];
