//! The tools that a bare host lacks, as a tree with its own loader and libraries that runs wherever it is unpacked.

use crate::debian::{Packages, Selection};
use crate::error::BuildError;
use crate::tree::{Bytes, Node, Tree};

/// Where hosts unpack the tree. The wrappers find their own place, except when they are called through a link.
const HOME: &str = "/opt/iec/host-tools";

/// The tools and the program that each is. The packet filter's many names come on top.
const TOOLS: [(&str, &str); 11] = [
    ("nft", "usr/sbin/nft"),
    ("ipset", "usr/sbin/ipset"),
    ("conntrack", "usr/sbin/conntrack"),
    ("ethtool", "usr/sbin/ethtool"),
    ("tc", "usr/sbin/tc"),
    ("modprobe", "usr/bin/kmod"),
    ("modinfo", "usr/bin/kmod"),
    ("lsmod", "usr/bin/kmod"),
    ("sysctl", "usr/sbin/sysctl"),
    ("curl", "usr/bin/curl"),
    ("openssl", "usr/bin/openssl"),
];

/// Every name of the packet filter's tools with the program that it is: nftables where the name does not say.
fn packet_filter_tools() -> impl Iterator<Item = (String, &'static str)> {
    let kinds = [("", "nft"), ("-nft", "nft"), ("-legacy", "legacy")];
    ["iptables", "ip6tables"].into_iter().flat_map(move |tool| {
        kinds.into_iter().flat_map(move |(infix, kind)| {
            let program = if kind == "nft" {
                "usr/sbin/xtables-nft-multi"
            } else {
                "usr/sbin/xtables-legacy-multi"
            };
            ["", "-save", "-restore"]
                .into_iter()
                .map(move |suffix| (format!("{tool}{infix}{suffix}"), program))
        })
    })
}

/// The tree: `bin/` wrappers, `libexec/` programs, `lib/` libraries, loader and iptables' extensions, `share/doc/` licences.
///
/// # Errors
/// When a tool is in none of the packages.
pub(crate) fn host_tools(packages: &Packages) -> Result<Selection, BuildError> {
    const PART: &str = "host-tools";
    let triplet = packages.architecture().gnu_triplet();
    let extensions = format!("usr/lib/{triplet}/xtables");
    let named = TOOLS
        .into_iter()
        .map(|(tool, program)| (tool.to_owned(), program));
    let tools: Vec<(String, &str)> = named.chain(packet_filter_tools()).collect();
    let mut paths: Vec<&str> = tools.iter().map(|(_, program)| *program).collect();
    paths.push(&extensions);
    let found = packages.select(&paths, PART)?;
    let mut selection = found.clone();
    selection.tree = Tree::default();
    let mut loader = None;
    for (path, entry) in found.tree.iter() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let target = if path.starts_with(&format!("{extensions}/")) {
            format!("lib/xtables/{name}")
        } else if path.starts_with("usr/share/doc/") {
            path.replacen("usr/share/doc/", "share/doc/", 1)
        } else if path.starts_with("usr/sbin/") || path.starts_with("usr/bin/") {
            format!("libexec/{name}")
        } else {
            format!("lib/{name}")
        };
        if name.starts_with("ld-linux") {
            loader = Some(name.to_owned());
        }
        // All libraries come to lie in one folder, so a link's target is a name in that folder. A link that would
        // lead to its own name is one between folders that are now the same.
        match &entry.node {
            Node::Folder => {}
            Node::Link(link) => {
                let link_name = link.rsplit('/').next().unwrap_or_default();
                if link_name != name {
                    selection.tree.put_link(&target, link_name);
                }
            }
            Node::File(Bytes::Memory(_) | Bytes::File(_)) | Node::HardLink(_) => {
                selection.tree.put_entry(&target, entry.clone());
            }
        }
    }
    let loader = loader.ok_or_else(|| BuildError::content(PART, "the packages hold no dynamic loader"))?;
    for (tool, program) in tools {
        let program = program.rsplit('/').next().unwrap_or_default();
        selection
            .tree
            .put_file(&format!("bin/{tool}"), wrapper(&loader, program, &tool));
    }
    Ok(selection)
}

/// A shell script that starts a program with its own loader and libraries, under the name it was called by.
fn wrapper(loader: &str, program: &str, name: &str) -> String {
    format!(
        "#!/bin/sh\n\
         root=${{0%/*}}/..\n\
         [ -x \"$root/lib/{loader}\" ] || root={HOME}\n\
         XTABLES_LIBDIR=$root/lib/xtables; export XTABLES_LIBDIR\n\
         exec \"$root/lib/{loader}\" --library-path \"$root/lib\" --argv0 {name} \"$root/libexec/{program}\" \"$@\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_filter_has_all_its_names() {
        let names: Vec<_> = packet_filter_tools().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 18);
        for name in ["iptables", "ip6tables-legacy-restore", "iptables-nft-save"] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn a_wrapper_finds_its_own_place() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("some where");
        for part in ["bin", "lib"] {
            std::fs::create_dir_all(place.join(part)).unwrap();
        }
        let write = |path: &str, text: &str| crate::process::write_script(&place.join(path), text);
        write("lib/loader", "#!/bin/sh\necho \"$3 $4 ${5##*/}|$6|$7\"\n");
        write("bin/modprobe", &wrapper("loader", "kmod", "modprobe"));
        let output = std::process::Command::new(place.join("bin/modprobe"))
            .args(["two words", "$x"])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "--argv0 modprobe kmod|two words|$x\n"
        );
    }
}
