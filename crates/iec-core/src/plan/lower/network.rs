//! What Calico and kube-proxy leave in the kernel, and how it is taken away.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{run, test};
use super::undo::{place, write_note};

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

/// Tables that the packet filter tools make as soon as they are asked, and leave behind empty.
const FILTER_TABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];
/// Where Calico mounts a file system for BPF programs.
const BPF_FOLDER: &str = "/sys/fs/bpf";

/// Notes what programs will change in the kernel: parameters, tables of the packet filter, a mount. Once.
pub(super) fn note_kernel(step: &str) -> Vec<Expr> {
    let mount = format!("{}/bpf.absent", place(step));
    let mut commands = note_sysctls(step);
    commands.push(note_tables(step));
    commands.push(Expr::any([
        run(Program::Mountpoint, ["-q", BPF_FOLDER]),
        run(Program::Touch, [&mount]),
    ]));
    commands
}

/// Notes which tables the packet filter has, once.
pub(super) fn note_tables(step: &str) -> Expr {
    let tables = tables_note(step);
    Expr::If {
        condition: Box::new(test(["-e", &tables])),
        then: vec![],
        otherwise: write_note(&tables, |part| {
            let list = Cmd::new(Program::Nft).words(["list", "tables"]);
            // A host without the program has no table of it.
            Expr::any([
                list.stdout_file(part).quiet_errors().into(),
                Expr::from(Cmd::new(Program::True).stdout_file(part)),
            ])
        }),
    }
}

fn tables_note(step: &str) -> String {
    format!("{}/tables", place(step))
}

/// Removes the tables of the packet filter that [`note_tables`] did not find, as far as they hold no rules.
pub(super) fn remove_empty_tables(step: &str) -> Vec<Expr> {
    let tables = tables_note(step);
    let mut commands = Vec::new();
    for family in ["ip", "ip6"] {
        for name in FILTER_TABLES {
            let table = format!("table {family} {name}");
            let nft = |action: &str| {
                Cmd::new(Program::Nft)
                    .words([action, "table", family, name])
                    .quiet_errors()
            };
            // A table that somebody else has filled since is not IEC's to remove.
            let has_rules = Expr::Pipe(vec![
                nft("list"),
                Cmd::new(Program::Grep).words(["-E", "^\t\t"]),
                Cmd::new(Program::Grep).words(["-qv", "^\t\ttype "]),
            ]);
            commands.push(Expr::If {
                condition: Box::new(Expr::all([
                    test(["-e", &tables]),
                    run(Program::Grep, ["-qxF", &table, &tables]).not(),
                    Expr::Run(nft("list").quiet()),
                    has_rules.not(),
                ])),
                then: vec![nft("delete").into()],
                otherwise: vec![],
            });
        }
    }
    commands
}

/// Sets back what [`note_kernel`] noted.
pub(super) fn restore_kernel(step: &str) -> Vec<Expr> {
    let mut commands = restore_sysctls(step);
    commands.extend(remove_empty_tables(step));
    commands.push(Expr::If {
        condition: Box::new(Expr::all([
            test(["-e", &format!("{}/bpf.absent", place(step))]),
            run(Program::Mountpoint, ["-q", BPF_FOLDER]),
        ])),
        then: vec![run(Program::Umount, [BPF_FOLDER])],
        otherwise: vec![],
    });
    commands.push(
        Expr::from(
            Cmd::new(Program::Find)
                .words([
                    "/sys/fs/cgroup",
                    "-depth",
                    "-type",
                    "d",
                    "-path",
                    "*/kubepods*",
                    "-exec",
                    "rmdir",
                    "{}",
                    "+",
                ])
                .quiet(),
        )
        .ignore_failure(),
    );
    commands
}

/// Notes the kernel parameters that programs will set, once.
fn note_sysctls(step: &str) -> Vec<Expr> {
    PROGRAM_SYSCTLS
        .iter()
        .map(|key| {
            let (path, note) = sysctl_paths(step, key);
            Expr::If {
                condition: Box::new(Expr::all([test(["-r", &path]), test(["-e", &note]).not()])),
                // Some cannot be read, whatever their mode says.
                then: vec![
                    Expr::all(write_note(&note, |part| {
                        let read = Cmd::new(Program::Cat).word(path.as_str());
                        read.stdout_file(part).quiet_errors().into()
                    }))
                    .ignore_failure(),
                ],
                otherwise: vec![],
            }
        })
        .collect()
}

/// Sets the kernel parameters back to what [`note_sysctls`] found, where they differ.
fn restore_sysctls(step: &str) -> Vec<Expr> {
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
        format!("{}/sysctl-{key}", place(step)),
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
            Cmd::new(Program::Grep).words([
                "-oE",
                "(cali[0-9a-f]{11}|vxlan\\.calico|wireguard\\.cali|tunl0|kube-ipvs0)",
            ]),
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
