//! What Calico and kube-proxy leave in the kernel, and how it is taken away.

use iec_sh::{Cmd, Expr, Program};

/// The programs that print and write the packet filter, for both families and both kernel interfaces.
const TABLES: [(Program, Program); 4] = [
    (Program::IptablesNftSave, Program::IptablesNftRestore),
    (Program::IptablesLegacySave, Program::IptablesLegacyRestore),
    (Program::Ip6tablesNftSave, Program::Ip6tablesNftRestore),
    (Program::Ip6tablesLegacySave, Program::Ip6tablesLegacyRestore),
];

/// Links, routes, network namespaces, chains and sets of Calico, kube-proxy and the CNI plugins.
pub(super) fn remove_network() -> Vec<Expr> {
    let xargs = |words: &[&str]| {
        Cmd::new(Program::Xargs)
            .words(["-r", "-n", "1"])
            .words(words.iter().copied())
    };
    let mut commands = vec![
        // A pod's namespace takes its links with it.
        Expr::Pipe(vec![
            Cmd::new(Program::Find)
                .words(["/run/netns", "-name", "cni-*", "-printf", "%f\\n"])
                .quiet_errors(),
            xargs(&["ip", "netns", "delete"]),
        ])
        .ignore_failure(),
        Expr::Pipe(vec![
            Cmd::new(Program::Ip).words(["-o", "link", "show"]),
            Cmd::new(Program::Grep).words(["-oE", "(cali[0-9a-f]{11}|vxlan\\.calico|tunl0|kube-ipvs0)"]),
            Cmd::new(Program::Sort).word("-u"),
            xargs(&["ip", "link", "delete"]),
        ])
        .ignore_failure(),
        // Calico marks its routes with protocol 80.
        Expr::from(
            Cmd::new(Program::Ip)
                .words(["route", "flush", "proto", "80"])
                .quiet(),
        )
        .ignore_failure(),
    ];
    for (save, restore) in TABLES {
        commands.push(
            Expr::Pipe(vec![
                Cmd::new(save).quiet_errors(),
                Cmd::new(Program::Grep).words(["-vE", "KUBE-|cali-|cali:|CNI-"]),
                Cmd::new(restore).quiet_errors(),
            ])
            .ignore_failure(),
        );
    }
    commands.push(
        Expr::Pipe(vec![
            Cmd::new(Program::Ipset).words(["list", "-n"]).quiet_errors(),
            Cmd::new(Program::Grep).words(["-E", "^(cali|KUBE-)"]),
            xargs(&["ipset", "destroy"]),
        ])
        .ignore_failure(),
    );
    commands
}
