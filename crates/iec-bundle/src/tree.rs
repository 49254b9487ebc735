//! A tree of files that is written as a tar: the same tree gives the same bytes, whenever and wherever it is written.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file on this machine.
    File(PathBuf),
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A folder.
    Folder,
    /// A regular file.
    File(Bytes),
    /// A symbolic link with its target.
    Link(String),
    /// A second name of a file in the same tree.
    HardLink(String),
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) node: Node,
    pub(crate) mode: u32,
    pub(crate) user: u64,
    pub(crate) group: u64,
}

/// The links of a root whose programs and libraries are all under `/usr`.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// A tree of files, by path without a leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// An entry of root's at `path`; the folders above it are made when it is written.
    fn put(&mut self, path: &str, node: Node, mode: u32) {
        self.insert(
            path,
            Entry {
                node,
                mode,
                user: 0,
                group: 0,
            },
        );
    }

    /// Puts an entry at `path`, in place of what is there. `/bin/x` becomes `/usr/bin/x`, as on every merged system.
    pub(crate) fn insert(&mut self, path: &str, entry: Entry) {
        let path = canonical(path);
        if !path.is_empty() {
            self.entries.insert(path, entry);
        }
    }

    /// A file with these bytes.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.put(path, Node::File(Bytes::Memory(bytes.into())), mode);
        self
    }

    /// An executable file whose bytes are in a file on this machine.
    pub(crate) fn program(&mut self, path: &str, source: impl Into<PathBuf>) -> &mut Self {
        self.put(path, Node::File(Bytes::File(source.into())), 0o755);
        self
    }

    /// A file whose bytes are in a file on this machine.
    pub(crate) fn copy(&mut self, path: &str, mode: u32, source: impl Into<PathBuf>) -> &mut Self {
        self.put(path, Node::File(Bytes::File(source.into())), mode);
        self
    }

    /// A folder.
    pub(crate) fn folder(&mut self, path: &str, mode: u32) -> &mut Self {
        self.put(path, Node::Folder, mode);
        self
    }

    /// A symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.put(path, Node::Link(target.to_owned()), 0o777);
        self
    }

    /// A second name of the file at `target`.
    pub(crate) fn hard_link(&mut self, path: &str, target: &str) -> &mut Self {
        self.put(path, Node::HardLink(canonical(target)), 0o755);
        self
    }

    /// Gives the entry at `path` to a user and a group of the same number.
    pub(crate) fn own(&mut self, path: &str, owner: u64) -> &mut Self {
        if let Some(entry) = self.entries.get_mut(&canonical(path)) {
            (entry.user, entry.group) = (owner, owner);
        }
        self
    }

    /// Puts an entry at `path` as it stands, for a tree that is no root.
    pub(crate) fn put_entry(&mut self, path: &str, entry: Entry) {
        self.entries.insert(path.to_owned(), entry);
    }

    /// An executable file at `path` as it stands, for a tree that is no root.
    pub(crate) fn put_file(&mut self, path: &str, text: String) {
        let node = Node::File(Bytes::Memory(text.into_bytes()));
        self.put_entry(
            path,
            Entry {
                node,
                mode: 0o755,
                user: 0,
                group: 0,
            },
        );
    }

    /// A symbolic link at `path` as it stands, for a tree that is no root.
    pub(crate) fn put_link(&mut self, path: &str, target: &str) {
        self.put_entry(
            path,
            Entry {
                node: Node::Link(target.to_owned()),
                mode: 0o777,
                user: 0,
                group: 0,
            },
        );
    }

    /// The links `/bin`, `/sbin`, `/lib`, `/lib64` into `/usr`.
    pub(crate) fn merged_links(&mut self) -> &mut Self {
        for name in MERGED {
            self.entries.insert(
                name.to_owned(),
                Entry {
                    node: Node::Link(format!("usr/{name}")),
                    mode: 0o777,
                    user: 0,
                    group: 0,
                },
            );
        }
        self
    }

    /// What is at `path`, links not followed.
    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(&canonical(path))
    }

    /// The path of the file or folder that `path` leads to, links followed, with the links on the way.
    pub(crate) fn resolve(&self, path: &str) -> Option<(String, Vec<String>)> {
        let mut path = canonical(path);
        let mut links = Vec::new();
        while links.len() < 16 {
            match &self.entries.get(&path)?.node {
                Node::Link(target) => {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let next = if target.starts_with('/') {
                        canonical(target)
                    } else {
                        canonical(&format!("{folder}/{target}"))
                    };
                    links.push(path);
                    path = next;
                }
                _ => return Some((path, links)),
            }
        }
        None
    }

    /// Every path with its entry, in the order in which they are written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The paths below a folder.
    pub(crate) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let prefix = format!("{}/", canonical(folder));
        self.iter()
            .skip_while({
                let prefix = prefix.clone();
                move |(path, _)| *path < prefix.as_str()
            })
            .take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// Reads the entries of a tar, as a Debian package carries one.
    ///
    /// # Errors
    /// When the stream is no tar, or has entries other than files, folders and links.
    pub(crate) fn read_tar(stream: impl Read) -> io::Result<Self> {
        let mut tree = Self::default();
        let mut archive = tar::Archive::new(stream);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = String::from_utf8(entry.path_bytes().into_owned()).map_err(io::Error::other)?;
            let header = entry.header();
            let (mode, user, group) = (header.mode()? & 0o7777, header.uid()?, header.gid()?);
            let target = |entry: &tar::Entry<'_, _>| {
                let name = entry
                    .link_name_bytes()
                    .ok_or_else(|| io::Error::other("a link without a target"))?;
                String::from_utf8(name.into_owned()).map_err(io::Error::other)
            };
            let node = match header.entry_type() {
                tar::EntryType::Directory => Node::Folder,
                tar::EntryType::Symlink => Node::Link(target(&entry)?),
                tar::EntryType::Link => Node::HardLink(canonical(&target(&entry)?)),
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    Node::File(Bytes::Memory(bytes))
                }
                other => return Err(io::Error::other(format!("{path} is of type {other:?}"))),
            };
            tree.insert(
                &path,
                Entry {
                    node,
                    mode,
                    user,
                    group,
                },
            );
        }
        Ok(tree)
    }

    /// Writes the tree as a tar. Every entry gets the same time, so that only the tree decides the bytes.
    ///
    /// # Errors
    /// When writing fails, or a file of the tree cannot be read.
    pub(crate) fn write_tar(&self, output: impl Write, seconds: u64) -> io::Result<()> {
        let mut builder = tar::Builder::new(output);
        let mut all = self.with_parents();
        // A hard link must come after its file, whatever their names are.
        all.sort_by_key(|(path, entry)| (matches!(entry.node, Node::HardLink(_)), path.clone()));
        for (path, entry) in &all {
            let mut header = tar::Header::new_gnu();
            header.set_mode(entry.mode);
            header.set_uid(entry.user);
            header.set_gid(entry.group);
            header.set_mtime(seconds);
            header.set_size(0);
            match &entry.node {
                Node::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    builder.append_data(&mut header, format!("{path}/"), io::empty())?;
                }
                Node::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    builder.append_link(&mut header, path, target)?;
                }
                Node::HardLink(target) => {
                    header.set_entry_type(tar::EntryType::Link);
                    builder.append_link(&mut header, path, target)?;
                }
                Node::File(Bytes::Memory(bytes)) => {
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, path, bytes.as_slice())?;
                }
                Node::File(Bytes::File(source)) => {
                    let file = std::fs::File::open(source)?;
                    header.set_size(file.metadata()?.len());
                    builder.append_data(&mut header, path, file)?;
                }
            }
        }
        builder.into_inner()?.flush()
    }

    fn with_parents(&self) -> Vec<(String, Entry)> {
        let mut all = self.entries.clone();
        for path in self.entries.keys() {
            let mut folder = path.as_str();
            while let Some((above, _)) = folder.rsplit_once('/') {
                all.entry(above.to_owned()).or_insert(Entry {
                    node: Node::Folder,
                    mode: 0o755,
                    user: 0,
                    group: 0,
                });
                folder = above;
            }
        }
        all.into_iter().collect()
    }
}

/// The path without leading slash, `.` and `..`, inside `/usr` where a merged system has it.
fn canonical(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.len() > 1 && MERGED.contains(&parts[0]) {
        parts.insert(0, "usr");
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.file("/etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\n")
            .folder("/tmp", 0o1777)
            .file("/bin/tool", 0o755, vec![7; 5000])
            .hard_link("/bin/another", "/bin/tool")
            .link("/usr/lib64/ld.so", "/lib/arch/ld.so")
            .file("/lib/arch/ld.so", 0o755, "loader")
            .merged_links();
        tree
    }

    fn bytes(tree: &Tree) -> Vec<u8> {
        let mut bytes = Vec::new();
        tree.write_tar(&mut bytes, 1_000_000).unwrap();
        bytes
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes_in_whatever_order_it_was_made() {
        let mut other = Tree::default();
        let entries: Vec<_> = sample()
            .iter()
            .map(|(path, entry)| (path.to_owned(), entry.clone()))
            .collect();
        for (path, entry) in entries.into_iter().rev() {
            other.insert(&path, entry);
        }
        assert_eq!(bytes(&other), bytes(&sample()));
    }

    #[test]
    fn bytes_on_disk_and_in_memory_are_written_alike_whatever_the_times_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        std::fs::write(&source, "program").unwrap();
        let (mut disk, mut memory) = (Tree::default(), Tree::default());
        disk.program("/opt/p", &source);
        memory.file("/opt/p", 0o755, "program");
        assert_eq!(bytes(&disk), bytes(&memory));
    }

    #[test]
    fn a_tar_is_read_back_with_parents_and_modes() {
        let tree = Tree::read_tar(bytes(&sample()).as_slice()).unwrap();
        assert_eq!(tree.get("/usr/bin/tool").unwrap().mode, 0o755);
        assert_eq!(tree.get("tmp").unwrap().mode, 0o1777);
        assert_eq!(tree.get("etc").unwrap().node, Node::Folder);
        assert_eq!(
            tree.get("usr/bin/another").unwrap().node,
            Node::HardLink("usr/bin/tool".into())
        );
        assert_eq!(tree.get("lib").unwrap().node, Node::Link("usr/lib".into()));
    }

    #[test]
    fn links_are_followed_inside_the_tree() {
        let (path, links) = sample().resolve("/lib64/ld.so").unwrap();
        assert_eq!(
            (path.as_str(), links),
            ("usr/lib/arch/ld.so", vec!["usr/lib64/ld.so".to_owned()])
        );
        assert!(sample().resolve("/lib64/none").is_none());
    }

    #[test]
    fn below_lists_a_folder_only() {
        let tree = sample();
        let paths: Vec<_> = tree.below("/usr/bin").map(|(path, _)| path).collect();
        assert_eq!(paths, ["usr/bin/another", "usr/bin/tool"]);
    }
}
