//! What Calico and kube-proxy leave in the kernel, and how it is taken away.

use iec_sh::{Cmd, Expr, Program};

use super::HOME;
use super::ask::{run, test};

/// The programs that print and write the packet filter, for both families and both kernel interfaces.
const TABLES: [(Program, Program); 4] = [
    (Program::IptablesNftSave, Program::IptablesNftRestore),
    (Program::IptablesLegacySave, Program::IptablesLegacyRestore),
    (Program::Ip6tablesNftSave, Program::Ip6tablesNftRestore),
    (Program::Ip6tablesLegacySave, Program::Ip6tablesLegacyRestore),
];

/// Kernel parameters that the kubelet, kube-proxy and Calico set for themselves.
const PROGRAM_SYSCTLS: [&str; 16] = [
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.all.src_valid_mark",
    "net.ipv4.vs.conntrack",
    "net.ipv4.neigh.default.gc_thresh3",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
];

/// Notes the kernel parameters that programs will set, once.
pub(super) fn note_sysctls(step: &str) -> Vec<Expr> {
    PROGRAM_SYSCTLS
        .iter()
        .map(|key| {
            let (path, note) = sysctl_paths(step, key);
            Expr::If {
                condition: Box::new(Expr::all([test(["-r", &path]), test(["-e", &note]).not()])),
                then: vec![
                    Cmd::new(Program::Cat)
                        .word(path)
                        .stdout_file(note)
                        .quiet_errors()
                        .into(),
                ],
                otherwise: vec![],
            }
        })
        .collect()
}

/// Sets the kernel parameters back to what [`note_sysctls`] found, where they differ.
pub(super) fn restore_sysctls(step: &str) -> Vec<Expr> {
    PROGRAM_SYSCTLS
        .iter()
        .map(|key| {
            let (path, note) = sysctl_paths(step, key);
            Expr::If {
                condition: Box::new(Expr::all([
                    test(["-s", &note]),
                    run(Program::Cmp, ["-s", &note, &path]).not(),
                ])),
                then: vec![
                    Expr::from(Cmd::new(Program::Cat).word(note).stdout_file(path).quiet_errors())
                        .ignore_failure(),
                ],
                otherwise: vec![],
            }
        })
        .collect()
}

fn sysctl_paths(step: &str, key: &str) -> (String, String) {
    (
        format!("/proc/sys/{}", key.replace('.', "/")),
        format!("{HOME}/before/{step}/sysctl-{key}"),
    )
}

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
