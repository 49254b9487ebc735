//! The tools that a bare host lacks, as a tree with its own loader and libraries that runs wherever it is unpacked.

use crate::debian::{Packages, Selection};
use crate::error::BuildError;
use crate::tree::{Bytes, Node, Tree};

/// Where hosts unpack the tree. The wrappers find their own place, except when they are called through a link.
const HOME: &str = "/opt/iec/host-tools";

/// The tools: the name to call, the program that it is, and the name that the program must believe it has.
const TOOLS: [(&str, &str); 20] = [
    ("iptables", "usr/sbin/xtables-nft-multi"),
    ("iptables-save", "usr/sbin/xtables-nft-multi"),
    ("iptables-restore", "usr/sbin/xtables-nft-multi"),
    ("ip6tables", "usr/sbin/xtables-nft-multi"),
    ("ip6tables-save", "usr/sbin/xtables-nft-multi"),
    ("ip6tables-restore", "usr/sbin/xtables-nft-multi"),
    ("iptables-nft-save", "usr/sbin/xtables-nft-multi"),
    ("iptables-legacy", "usr/sbin/xtables-legacy-multi"),
    ("iptables-legacy-save", "usr/sbin/xtables-legacy-multi"),
    ("ip6tables-legacy", "usr/sbin/xtables-legacy-multi"),
    ("ip6tables-legacy-save", "usr/sbin/xtables-legacy-multi"),
    ("nft", "usr/sbin/nft"),
    ("ipset", "usr/sbin/ipset"),
    ("conntrack", "usr/sbin/conntrack"),
    ("ethtool", "usr/sbin/ethtool"),
    ("tc", "usr/sbin/tc"),
    ("modprobe", "usr/bin/kmod"),
    ("lsmod", "usr/bin/kmod"),
    ("sysctl", "usr/sbin/sysctl"),
    ("curl", "usr/bin/curl"),
];

/// The tree: `bin/` wrappers, `libexec/` programs, `lib/` libraries, loader and iptables' extensions, `share/doc/` licences.
///
/// # Errors
/// When a tool is in none of the packages.
pub(crate) fn host_tools(packages: &Packages) -> Result<Selection, BuildError> {
    const PART: &str = "host-tools";
    let triplet = packages.architecture().gnu_triplet();
    let extensions = format!("usr/lib/{triplet}/xtables");
    let mut paths: Vec<&str> = TOOLS.iter().map(|(_, program)| *program).collect();
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
    for (tool, program) in TOOLS {
        let program = program.rsplit('/').next().unwrap_or_default();
        selection
            .tree
            .put_file(&format!("bin/{tool}"), wrapper(&loader, program, tool));
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
