//! The lower layers of the images: what Debian's maintainer scripts would have set up is written here instead.

use std::collections::BTreeMap;
use std::path::Path;

use iec_core::architecture::Architecture;
use iec_core::release::Release;

use crate::debian::{Locked, Packages, Selection};
use crate::error::BuildError;
use crate::host_tools;
use crate::images::Root;
use crate::tree::{Bytes, Node, Tree};

/// The users and groups that the images run as.
const USERS: [(&str, u32, &str); 6] = [
    ("root", 0, "/root"),
    ("www-data", 33, "/var/www"),
    ("calico", 999, "/"),
    ("nonroot", 65_532, "/"),
    ("nobody", 65_534, "/"),
    ("pause", 65_535, "/"),
];

/// The roots of one architecture, unpacked from packages.
pub(crate) struct Roots {
    pub(crate) architecture: Architecture,
    pub(crate) selections: BTreeMap<Root, Selection>,
    pub(crate) host_tools: Selection,
}

/// Takes what a root needs out of the packages.
type RootRecipe = fn(&Packages) -> Result<Selection, BuildError>;

/// Unpacks the locked packages of one architecture.
///
/// # Errors
/// When they are not those that the release names, or lack a file.
pub(crate) fn unpack(release: &Release, locked: &Locked, cache: &Path) -> Result<Roots, BuildError> {
    for (name, claimed) in [
        ("nginx", &release.debian.nginx),
        ("keepalived", &release.debian.keepalived),
    ] {
        let found = locked.version(name).unwrap_or("none");
        // An epoch stands before the upstream version.
        let upstream = found.split_once(':').map_or(found, |(_, version)| version);
        if !upstream.starts_with(&format!("{claimed}-")) {
            return Err(BuildError::content(
                name,
                format!("the release says version {claimed}, the lock has {found}"),
            ));
        }
    }
    let packages = locked.unpack(cache, "package contents")?;
    let recipes: [(Root, &[Root], RootRecipe); 5] = [
        (Root::Base, &[], base),
        (Root::Shell, &[Root::Base], shell),
        (Root::NetworkTools, &[Root::Base, Root::Shell], network_tools),
        (Root::Nginx, &[Root::Base, Root::Shell], nginx),
        (
            Root::Keepalived,
            &[Root::Base, Root::Shell, Root::NetworkTools],
            keepalived,
        ),
    ];
    let mut selections: BTreeMap<Root, Selection> = BTreeMap::new();
    for (root, below, recipe) in recipes {
        let mut selection = recipe(&packages)?;
        let lower: Vec<&Tree> = below.iter().map(|root| &selections[root].tree).collect();
        selection.tree = without(&selection.tree, &lower);
        selections.insert(root, selection);
    }
    Ok(Roots {
        architecture: locked.architecture,
        selections,
        host_tools: host_tools::host_tools(&packages)?,
    })
}

/// The layer under every image: users, the certificates of public authorities, a place for temporary files.
///
/// # Errors
/// When the packages hold no certificates.
pub(crate) fn base(packages: &Packages) -> Result<Selection, BuildError> {
    let mut selection = packages.select(&["usr/share/doc/ca-certificates/copyright"], "base")?;
    let authorities: Vec<&[u8]> = packages
        .tree()
        .below("usr/share/ca-certificates/mozilla")
        .filter(|(path, _)| path.ends_with(".crt"))
        .filter_map(|(_, entry)| match &entry.node {
            Node::File(Bytes::Memory(bytes)) => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    if authorities.is_empty() {
        return Err(BuildError::content(
            "base",
            "the package ca-certificates holds no certificates",
        ));
    }
    let mut passwd = String::new();
    let mut group = String::new();
    for (name, number, home) in USERS {
        passwd.push_str(&format!(
            "{name}:x:{number}:{number}:{name}:{home}:/sbin/nologin\n"
        ));
        group.push_str(&format!("{name}:x:{number}:\n"));
    }
    selection
        .tree
        .file("etc/passwd", 0o644, passwd)
        .file("etc/group", 0o644, group)
        .file(
            "etc/nsswitch.conf",
            0o644,
            "passwd: files\ngroup: files\nhosts: files dns\n",
        )
        .file("etc/ssl/certs/ca-certificates.crt", 0o644, authorities.concat())
        .folder("root", 0o700)
        .folder("run", 0o755)
        .folder("tmp", 0o1777)
        .folder("var/tmp", 0o1777)
        .link("var/run", "/run");
    Ok(selection)
}

/// The layer under every image that is not one static program: the C library, a shell and a few small commands.
///
/// # Errors
/// When a command is in none of the packages.
pub(crate) fn shell(packages: &Packages) -> Result<Selection, BuildError> {
    const COMMANDS: [&str; 17] = [
        "usr/bin/sh",
        "usr/bin/dash",
        "usr/bin/cat",
        "usr/bin/chmod",
        "usr/bin/cp",
        "usr/bin/date",
        "usr/bin/echo",
        "usr/bin/env",
        "usr/bin/getent",
        "usr/bin/head",
        "usr/bin/ls",
        "usr/bin/mkdir",
        "usr/bin/mv",
        "usr/bin/rm",
        "usr/bin/sleep",
        "usr/bin/timeout",
        "usr/bin/true",
    ];
    let mut selection = packages.select(&COMMANDS, "shell")?;
    selection.tree.merged_links();
    Ok(selection)
}

/// The layer under kube-proxy and calico-node: the tools that both run to change the host's network.
///
/// # Errors
/// When a tool is in none of the packages.
pub(crate) fn network_tools(packages: &Packages) -> Result<Selection, BuildError> {
    let plugins = format!("usr/lib/{}/xtables", packages.architecture().gnu_triplet());
    let commands = [
        "usr/sbin/xtables-nft-multi",
        "usr/sbin/xtables-legacy-multi",
        "usr/sbin/nft",
        "usr/sbin/ipset",
        "usr/sbin/conntrack",
        "usr/sbin/ethtool",
        "usr/bin/ip",
        "usr/sbin/tc",
        "usr/bin/ss",
        "usr/bin/kmod",
        "usr/sbin/sysctl",
        "usr/bin/ps",
        "etc/protocols",
        "etc/services",
        &plugins,
    ];
    let mut selection = packages.select(&commands, "network-tools")?;
    let tree = &mut selection.tree;
    for (family, other) in [("nft", "xtables-nft-multi"), ("legacy", "xtables-legacy-multi")] {
        for tool in ["iptables", "ip6tables"] {
            for suffix in ["", "-save", "-restore"] {
                tree.link(&format!("usr/sbin/{tool}-{family}{suffix}"), other);
            }
        }
    }
    // Debian's alternatives: nftables by default. Every tool of one host must use the same tables.
    for tool in ["iptables", "ip6tables"] {
        for suffix in ["", "-save", "-restore"] {
            tree.link(
                &format!("usr/sbin/{tool}{suffix}"),
                &format!("{tool}-nft{suffix}"),
            );
        }
    }
    for tool in ["modprobe", "lsmod", "modinfo", "rmmod", "insmod", "depmod"] {
        tree.link(&format!("usr/sbin/{tool}"), "../bin/kmod");
    }
    tree.link("usr/sbin/ip", "../bin/ip");
    Ok(selection)
}

/// A web server's site that says no more than the test needs: IPv4 only, since a host may have no IPv6 at all.
const NGINX_CONFIGURATION: &str = "\
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr warn;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types;
    access_log /dev/stdout;
    server {
        listen 80 default_server;
        root /usr/share/nginx/html;
        index index.html;
    }
}
";

/// nginx and curl, ready to run.
///
/// # Errors
/// When a file is in none of the packages.
pub(crate) fn nginx(packages: &Packages) -> Result<Selection, BuildError> {
    let paths = [
        "usr/sbin/nginx",
        "usr/bin/curl",
        "etc/nginx/mime.types",
        "usr/share/nginx/html/index.html",
    ];
    let mut selection = packages.select(&paths, "nginx")?;
    selection
        .tree
        .file("etc/nginx/nginx.conf", 0o644, NGINX_CONFIGURATION)
        .folder("var/lib/nginx", 0o755)
        .folder("var/log/nginx", 0o755);
    Ok(selection)
}

/// The start script of keepalived: it finds the interface, and leaves nothing of one that was killed.
const KEEPALIVED_ENTRY: &str = include_str!("keepalived.sh");
/// What keepalived runs to know whether the API server of its host answers.
const API_ANSWERS: &str = include_str!("api-answers.sh");

/// keepalived, and openssl to ask an API server with: a tenth of what curl would bring.
///
/// # Errors
/// When a file is in none of the packages.
pub(crate) fn keepalived(packages: &Packages) -> Result<Selection, BuildError> {
    let mut selection = packages.select(&["usr/sbin/keepalived", "usr/bin/openssl"], "keepalived")?;
    selection
        .tree
        .file("usr/local/bin/start-keepalived", 0o755, KEEPALIVED_ENTRY)
        .file("usr/local/bin/api-answers", 0o755, API_ANSWERS);
    Ok(selection)
}

/// What the upper tree has and the lower ones do not, so that stacked layers carry nothing twice.
pub(crate) fn without(upper: &Tree, lower: &[&Tree]) -> Tree {
    let mut tree = Tree::default();
    for (path, entry) in upper.iter() {
        if !lower.iter().any(|lower| lower.get(path) == Some(entry)) {
            tree.insert(path, entry.clone());
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_layer_leaves_out_what_is_below_but_keeps_what_differs() {
        let (mut lower, mut upper) = (Tree::default(), Tree::default());
        lower
            .file("usr/lib/libc.so.6", 0o755, "c")
            .file("etc/passwd", 0o644, "one");
        upper
            .file("usr/lib/libc.so.6", 0o755, "c")
            .file("etc/passwd", 0o644, "two")
            .file("usr/sbin/nft", 0o755, "nft");
        let tree = without(&upper, &[&lower]);
        let paths: Vec<_> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["etc/passwd", "usr/sbin/nft"]);
    }
}
