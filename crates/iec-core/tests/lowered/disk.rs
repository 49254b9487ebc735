//! A disk that has only what somebody waited for: what a host's files are after a power cut at any moment of a script.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use iec_sh::Program;

/// A file by its number and the moment when it was made: numbers are given to new files again.
type Inode = (u64, u128);

/// A file, folder or link, apart from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    File(u32, Vec<u8>),
    Link(PathBuf),
    Folder(u32, BTreeMap<String, Inode>),
}

/// All files of a host at one moment.
#[derive(Debug, Clone)]
struct Files {
    root: Inode,
    nodes: BTreeMap<Inode, Node>,
}

/// What is at each path: a comparable picture of a host.
pub(crate) type Picture = BTreeMap<PathBuf, String>;

/// What a power cut takes of that for which nobody waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Nothing: the program was killed.
    Nothing,
    /// All of it.
    Everything,
    /// What is in files: their names are there, and they are empty, as ext4 may leave them.
    Contents,
    /// All of it in this folder, while the disk has the rest.
    Inside(&'static str),
    /// All of it elsewhere, while the disk has this folder as it was.
    Outside(&'static str),
}

/// A host's files after a power cut.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Remains(BTreeMap<PathBuf, Remaining>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Remaining {
    File(u32, Vec<u8>),
    Link(PathBuf),
    Folder(u32),
}

/// Folders of the test itself below a host's root.
const TOOLS: [&str; 2] = ["tools", "recording"];

fn inode(metadata: &std::fs::Metadata) -> Inode {
    let made = metadata.created().ok();
    let made = made.and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    (metadata.ino(), made.map_or(0, |made| made.as_nanos()))
}

impl Files {
    fn read(root: &Path) -> Self {
        let mut nodes = BTreeMap::new();
        let root_inode = inode(&std::fs::metadata(root).expect("a root"));
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            let metadata = std::fs::metadata(&folder).expect("a folder");
            let mut names = BTreeMap::new();
            for entry in std::fs::read_dir(&folder).expect("readable") {
                let entry = entry.expect("an entry");
                let name = entry.file_name().into_string().expect("plain names");
                if folder == root && TOOLS.contains(&name.as_str()) {
                    continue;
                }
                // What a program of the same pipe has just removed is not there.
                let Ok(metadata) = std::fs::symlink_metadata(entry.path()) else {
                    continue;
                };
                names.insert(name, inode(&metadata));
                if metadata.is_dir() {
                    open.push(entry.path());
                } else if metadata.is_symlink() {
                    let target = std::fs::read_link(entry.path()).expect("a link");
                    nodes.insert(inode(&metadata), Node::Link(target));
                } else {
                    let bytes = std::fs::read(entry.path()).unwrap_or_default();
                    nodes.insert(inode(&metadata), Node::File(metadata.mode() & 0o7777, bytes));
                }
            }
            let node = Node::Folder(metadata.mode() & 0o7777, names);
            nodes.insert(inode(&metadata), node);
        }
        Self {
            root: root_inode,
            nodes,
        }
    }
}

/// The disk below a host: what it has, and what was ever asked of it.
struct Disk {
    /// What it has for certain.
    has: BTreeMap<Inode, Node>,
    /// The latest of all that was ever there.
    seen: BTreeMap<Inode, Node>,
}

impl Disk {
    fn new(files: &Files) -> Self {
        Self {
            has: files.nodes.clone(),
            seen: files.nodes.clone(),
        }
    }

    fn look(&mut self, files: &Files) {
        for (inode, node) in &files.nodes {
            self.seen.insert(*inode, node.clone());
        }
    }

    /// Somebody waits for these paths, or for all that there is.
    fn sync(&mut self, files: &Files, words: &[&str]) {
        let paths: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
        if paths.is_empty() || words.contains(&"-f") {
            self.has.clone_from(&files.nodes);
            return;
        }
        for path in paths {
            let Ok(metadata) = std::fs::metadata(path) else {
                continue;
            };
            if let Some(node) = files.nodes.get(&inode(&metadata)) {
                self.has.insert(inode(&metadata), node.clone());
            }
        }
    }

    /// What is left when the power fails now.
    fn remains(&self, files: &Files, lost: Lost) -> Remains {
        let mut found = BTreeMap::new();
        let mut open = vec![(PathBuf::from("/"), files.root)];
        while let Some((path, inode)) = open.pop() {
            let is_lost = match lost {
                Lost::Nothing | Lost::Contents => false,
                Lost::Everything => true,
                Lost::Inside(folder) => path.starts_with(folder),
                // The way to the folder is there, or it would not be.
                Lost::Outside(folder) => !path.starts_with(folder) && !Path::new(folder).starts_with(&path),
            };
            let now = files.nodes.get(&inode);
            let certain = self.has.get(&inode);
            let node = if is_lost { certain } else { now };
            let remaining = match node.or(now).or_else(|| self.seen.get(&inode)) {
                Some(Node::Folder(mode, _)) => {
                    if let Some(Node::Folder(_, names)) = node {
                        open.extend(names.iter().map(|(name, inode)| (path.join(name), *inode)));
                    }
                    Remaining::Folder(*mode)
                }
                Some(Node::Link(target)) => Remaining::Link(target.clone()),
                Some(Node::File(mode, bytes)) => {
                    let has = match certain {
                        Some(Node::File(_, bytes)) => bytes.clone(),
                        _ => Vec::new(),
                    };
                    let survives = !is_lost && lost != Lost::Contents;
                    Remaining::File(*mode, if survives { bytes.clone() } else { has })
                }
                None => continue,
            };
            found.insert(path, remaining);
        }
        Remains(found)
    }
}

impl Remains {
    /// Makes the folder of a host this one.
    pub(crate) fn restore(&self, root: &Path) {
        for entry in std::fs::read_dir(root).expect("readable") {
            let entry = entry.expect("an entry");
            if !TOOLS.iter().any(|tools| entry.file_name() == *tools) {
                std::fs::remove_dir_all(entry.path()).expect("removed");
            }
        }
        let place = |path: &Path| root.join(path.strip_prefix("/").expect("absolute"));
        let set_mode = |path: &Path, mode: u32| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).expect("a mode");
        };
        for (path, remaining) in &self.0 {
            let path = place(path);
            match remaining {
                Remaining::Folder(mode) => {
                    std::fs::create_dir_all(&path).expect("a folder");
                    set_mode(&path, *mode);
                }
                Remaining::Link(target) => std::os::unix::fs::symlink(target, &path).expect("a link"),
                Remaining::File(mode, bytes) => {
                    std::fs::write(&path, bytes).expect("a file");
                    set_mode(&path, *mode);
                }
            }
        }
    }
}

/// What is at each path of a host, but below these folders.
pub(crate) fn picture(root: &Path, but: &[&str]) -> Picture {
    let files = Files::read(root);
    let now = Disk::new(&files).remains(&files, Lost::Nothing);
    let outside = |path: &&PathBuf| !but.iter().any(|folder| path.starts_with(folder));
    now.0
        .iter()
        .filter(|(path, _)| outside(path))
        .map(|(path, remaining)| {
            let text = match remaining {
                Remaining::File(mode, bytes) => {
                    format!("file {mode:o} {}", String::from_utf8_lossy(bytes))
                }
                Remaining::Link(target) => format!("link to {}", target.display()),
                Remaining::Folder(mode) => format!("folder {mode:o}"),
            };
            (path.clone(), text)
        })
        .collect()
}

/// Runs `script`, and gives what would be left of the host's files by a power cut before each of its programs and at the end,
/// each once.
pub(crate) fn cuts(
    root: &Path,
    kinds: &[Lost],
    script: impl FnOnce() -> String + Send,
) -> Vec<(String, Remains)> {
    let control = tempfile::tempdir().expect("a folder");
    let [ask, answer] = ["ask", "answer"].map(|name| {
        let path = control.path().join(name);
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo starts");
        assert!(made.success());
        path
    });
    let programs = wrap_programs(root, control.path());
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    let files = Files::read(root);
    let mut disk = Disk::new(&files);
    let mut note = |disk: &Disk, files: &Files, moment: &str| {
        for kind in kinds {
            let remains = disk.remains(files, *kind);
            if known.insert(remains.clone()) {
                found.push((format!("before {moment:?}, lost: {kind:?}"), remains));
            }
        }
    };
    std::thread::scope(|scope| {
        let end = ask.clone();
        scope.spawn(move || {
            let _ = script();
            std::fs::write(end, "end\n").expect("told");
        });
        loop {
            // Closed at once: what the next program says must wait for the next question.
            let words = std::fs::read_to_string(&ask).expect("words");
            let files = Files::read(root);
            disk.look(&files);
            note(&disk, &files, &words);
            let words: Vec<&str> = words.lines().collect();
            if words == ["end"] {
                break;
            }
            if words.first() == Some(&"sync") {
                disk.sync(&files, &words[1..]);
            }
            let mut pipe = std::fs::OpenOptions::new()
                .write(true)
                .open(&answer)
                .expect("a pipe");
            pipe.write_all(b"\n").expect("told");
        }
    });
    std::fs::remove_dir_all(programs).expect("removed");
    found
}

/// Puts a program before each other one that tells what is about to run, and waits until it may.
fn wrap_programs(root: &Path, control: &Path) -> PathBuf {
    let folder = root.join("recording");
    std::fs::create_dir_all(&folder).expect("a folder");
    let tools = root.join("tools");
    let places = [
        tools.as_path(),
        Path::new("/usr/bin"),
        Path::new("/usr/sbin"),
        Path::new("/bin"),
    ];
    let control = control.display();
    for program in Program::ALL {
        let name = program.name();
        let Some(real) = places
            .iter()
            .map(|place| place.join(name))
            .find(|path| path.exists())
        else {
            continue;
        };
        let text = format!(
            "#!/bin/sh\nexec 8>{control}/lock\nflock 8\nprintf '%s\\n' {name} \"$@\" >{control}/ask\n\
             read -r _ <{control}/answer\nexec 8>&-\nexec {} \"$@\"\n",
            real.display()
        );
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    folder
}
