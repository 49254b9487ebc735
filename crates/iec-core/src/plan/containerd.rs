//! containerd's configuration and the unit it runs by.

use crate::facts::{CgroupDriver, HostFacts};

/// The step that starts it, by whose undo everything that it made goes.
pub(super) const START: &str = "runtime.containerd";
/// What it makes while it runs.
pub(super) const CREATES: [&str; 6] = [
    "/var/lib/containerd",
    "/run/containerd",
    "/opt/containerd",
    "/run/nri",
    "/etc/cni/net.d",
    "/etc/cni",
];
/// The configuration file.
pub(super) const CONFIG_FILE: &str = "/etc/containerd/config.toml";
/// The unit file.
pub(super) const UNIT_FILE: &str = "/etc/systemd/system/containerd.service";

/// `config.toml`, version 3 (containerd 2.0 and later; 2.3 and later read it as it is).
#[must_use]
pub(super) fn configuration(facts: &HostFacts, pause: &str) -> String {
    let systemd = facts.cgroup_driver() == CgroupDriver::Systemd;
    let restrict = facts.restrict_oom_score_adj();
    format!(
        r#"# Written by IEC.
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "/run/containerd/containerd.sock"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"

[plugins."io.containerd.cri.v1.images".registry]
config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = {restrict}

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/opt/cni/bin"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "/usr/local/sbin/runc"
SystemdCgroup = {systemd}
"#
    )
}

/// The unit: upstream's, without the loading of modules, which is a step of its own.
pub(super) const UNIT: &str = "\
# Written by IEC.
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
";

/// The same for a host that may not raise limits nor lower its out-of-memory score: systemd would refuse to start it.
#[must_use]
pub(super) fn unit(facts: &HostFacts) -> String {
    if !facts.restrict_oom_score_adj() {
        return UNIT.to_owned();
    }
    UNIT.lines()
        .filter(|line| !line.starts_with("Limit") && !line.starts_with("OOMScoreAdjust"))
        .fold(String::new(), |text, line| text + line + "\n")
}
