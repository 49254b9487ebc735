//! Addresses of the service network that belong to no service lead nowhere, on every host, after every boot.
//!
//! Without this a packet to a ClusterIP whose port nobody serves leaves by the default route, and somebody outside may answer.
//! A plain blackhole route is the wrong cure: a host's own packet is routed before it is translated, and would be lost.

use iec_sh::{Cmd, Expr, Program};
use ipnet::Ipv4Net;

/// The program that sets the rules.
pub(super) const SCRIPT_FILE: &str = "/usr/local/sbin/iec-service-network";
/// The unit that runs it at boot.
pub(super) const UNIT_FILE: &str = "/etc/systemd/system/iec-service-network.service";
/// The unit's name.
pub(super) const UNIT_NAME: &str = "iec-service-network.service";

/// The unit. It has no other task than these rules, so stopping it takes them away.
pub(super) const UNIT: &str = "\
# Written by IEC.
[Unit]
Description=IEC: addresses of the service network lead to services only
Before=kubelet.service
After=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/iec-service-network
ExecStop=/usr/local/sbin/iec-service-network stop

[Install]
WantedBy=multi-user.target
";

/// The program: `iec-service-network` sets the rules, with the argument `stop` it removes them.
///
/// - Rule 100: what the host itself sends (`iif lo`) is routed as usual; kube-proxy then translates its address.
/// - Rule 101: what comes from anywhere else and was not translated before routing is dropped.
/// - The packet filter: what the host itself sends and what was not translated is refused at once.
#[must_use]
pub(super) fn script(services: Ipv4Net) -> String {
    let services = services.to_string();
    let rule = |action: &str, words: &[&str]| -> Expr {
        Cmd::new(Program::Ip)
            .words(["rule", action])
            .words(words.iter().copied())
            .into()
    };
    let own = [
        "pref",
        "100",
        "iif",
        "lo",
        "to",
        services.as_str(),
        "lookup",
        "main",
    ];
    let foreign = ["pref", "101", "to", services.as_str(), "blackhole"];
    let reject = |action: &str| {
        Cmd::new(Program::Iptables)
            .words([
                "-w",
                "-t",
                "filter",
                action,
                "OUTPUT",
                "-d",
                services.as_str(),
                "-m",
                "comment",
            ])
            .words(["--comment", "IEC: no such service", "-j", "REJECT"])
    };
    let quiet = |expr: Expr| match expr {
        Expr::Run(cmd) => Expr::Run(cmd.quiet()),
        other => other,
    };
    let remove = [
        quiet(rule("delete", &own)).ignore_failure(),
        quiet(rule("delete", &foreign)).ignore_failure(),
        Expr::from(reject("-D").quiet()).ignore_failure(),
    ];
    let set = [rule("add", &own), rule("add", &foreign), reject("-A").into()];
    let mut text = String::from("#!/bin/sh\n# Written by IEC.\nset -u\n");
    for command in remove {
        text.push_str(&command.statement(""));
        text.push('\n');
    }
    text.push_str("[ \"${1-}\" = stop ] && exit 0\n");
    for command in set {
        text.push_str(&command.statement(" || exit 1"));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn it_removes_before_it_sets() {
        let text = script("172.16.1.0/24".parse().unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "#!/bin/sh");
        assert!(
            lines[3].starts_with("ip rule delete pref 100 iif lo to 172.16.1.0/24 lookup main"),
            "{text}"
        );
        assert!(
            text.ends_with("--comment 'IEC: no such service' -j REJECT || exit 1\n"),
            "{text}"
        );
    }
}
