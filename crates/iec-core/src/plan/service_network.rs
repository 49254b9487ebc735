//! Addresses of the service network that belong to no service lead nowhere, on every host, after every boot.
//!
//! Without this a packet to a ClusterIP whose port nobody serves leaves by the default route, and somebody outside may answer.
//! A plain blackhole route is the wrong cure: a host's own packet is routed before it is translated, and would be lost.
//! A rule in a chain that others use is wrong too: a firewall's rule that accepts stands before it, and a firewall that
//! starts again takes it away.

use iec_sh::{Cmd, Program, ServiceGuard};
use ipnet::Ipv4Net;

use crate::plan::op::Effect;

/// The program that sets and keeps the guard.
pub(super) const SCRIPT_FILE: &str = "/usr/local/sbin/iec-service-network";
/// The unit that runs it at boot.
pub(super) const UNIT_FILE: &str = "/etc/systemd/system/iec-service-network.service";
/// The unit's name.
pub(super) const UNIT_NAME: &str = "iec-service-network.service";

/// The unit. It has no other task than the guard, so stopping it takes the guard away. It stays, since whoever loads the
/// packet filter anew (`nft flush ruleset`, a restart of nftables.service) or the network (systemd-networkd removes
/// routing rules that it does not know) takes the guard away without a word.
pub(super) const UNIT: &str = "\
# Written by IEC.
[Unit]
Description=IEC: addresses of the service network lead to services only
Before=kubelet.service
After=network-pre.target nftables.service systemd-networkd.service
StartLimitIntervalSec=0

[Service]
ExecStartPre=/usr/local/sbin/iec-service-network
ExecStart=/usr/local/sbin/iec-service-network keep
ExecStop=/usr/local/sbin/iec-service-network stop
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
";

/// The program: `iec-service-network` sets the guard, `keep` stays and keeps it, `stop` removes it, `ask` asks about it.
#[must_use]
pub(super) fn script(services: Ipv4Net) -> String {
    ServiceGuard {
        services: services.to_string(),
        nobody: services.broadcast(),
    }
    .text()
}

/// What is true while the guard stands, asked of the kernel and by a packet of its own.
pub(super) fn effects(services: Ipv4Net) -> Vec<Effect> {
    let nobody = services.broadcast();
    [
        (
            "rules",
            format!("no pod sends to addresses of {services} that no service has"),
        ),
        ("filter", format!("the packet filter guards {services}")),
        (
            "effect",
            format!("a packet to {nobody}, which no service has, stays on the host"),
        ),
    ]
    .map(|(part, what)| Effect {
        what,
        ask: Cmd::new(Program::IecServiceNetwork).words(["ask", part]).into(),
    })
    .to_vec()
}
