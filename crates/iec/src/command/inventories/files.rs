//! The files of an inventory, and those with variables beside it, as Ansible finds them.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use iec_formats::ansible::{Beside, File, Owner, with_line_feeds};

use crate::error::{CliError, unreadable};
use crate::text_file;

/// A file that was read.
pub(super) struct Found {
    /// What messages call it.
    pub(super) name: String,
    pub(super) text: String,
}

impl Found {
    pub(super) fn file(&self) -> File<'_> {
        File {
            text: &self.text,
            file: &self.name,
        }
    }
}

/// A file of variables that was read.
pub(super) struct Variables {
    folder: &'static str,
    owner: String,
    pub(super) found: Found,
}

impl Variables {
    pub(super) fn beside(&self) -> Beside<'_> {
        Beside {
            of: if self.folder == GROUPS {
                Owner::Group(&self.owner)
            } else {
                Owner::Host(&self.owner)
            },
            text: &self.found.text,
            file: &self.found.name,
        }
    }
}

/// The folders with variables of groups and of hosts, as Ansible knows them.
const GROUPS: &str = "group_vars";
const HOSTS: &str = "host_vars";

/// The endings of files that Ansible takes for no inventory where they lie in a folder of them.
const IGNORED: [&str; 12] = [
    "~", ".pyc", ".pyo", ".swp", ".bak", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
];
/// The endings of files that Ansible runs, or reads with a plugin that has to be chosen.
const FOREIGN: [&str; 2] = [".py", ".toml"];

/// Reads the inventory: a file, or what a folder has. With it goes what of the folder was left out though Ansible may
/// find hosts there.
pub(super) fn inventory(path: &Path) -> Result<(Vec<Found>, Vec<String>), CliError> {
    if !path.is_dir() {
        return Ok((vec![read(path, "inventory")?], Vec::new()));
    }
    let names = names(path, "folder of an inventory")?.into_iter();
    let visible = names.filter(|name| !name.starts_with('.') && ![GROUPS, HOSTS].contains(&name.as_str()));
    let (left_out, read_ones): (Vec<String>, Vec<String>) = visible
        .filter(|name| !IGNORED.iter().any(|ending| name.ends_with(ending)))
        .partition(|name| path.join(name).is_dir() || FOREIGN.iter().any(|ending| name.ends_with(ending)));
    let (ini, others): (Vec<String>, Vec<String>) = read_ones
        .into_iter()
        .filter(|name| path.join(name).is_file())
        .partition(|name| name.ends_with(".ini"));
    let shown = path.display();
    let chosen = match (ini.as_slice(), others.as_slice()) {
        ([], []) => {
            let cause = format!("the folder {shown} has no inventory");
            return Err(CliError::refused("IEC0834", cause)
                .next("name the file with the hosts and their groups, for example --from-ansible inventory/hosts.yaml"));
        }
        ([], several) => several,
        ([one], []) => std::slice::from_ref(one),
        // Which of these Ansible reads depends on its version.
        _ => {
            let several = [ini.as_slice(), others.as_slice()].concat().join(", ");
            let cause = format!("the folder {shown} has several inventories: {several}");
            return Err(CliError::refused("IEC0834", cause).next(format!(
                "name one of them: --from-ansible {}",
                path.join(ini.first().or(others.first()).map_or("", String::as_str))
                    .display()
            )));
        }
    };
    let found: Result<Vec<Found>, CliError> = chosen
        .iter()
        .map(|name| read(&path.join(name), "inventory"))
        .collect();
    Ok((found?, left_out))
}

/// The folder that has the folders of variables.
pub(super) fn folder_of(inventory: &Path) -> &Path {
    if inventory.is_dir() {
        inventory
    } else {
        inventory.parent().unwrap_or(Path::new(""))
    }
}

/// What stands around an inventory's folder.
pub(super) struct Around {
    /// The nearest `ansible.cfg`.
    pub(super) configuration: Option<Found>,
    /// Folders of variables in the folders above, which Ansible reads for playbooks there.
    pub(super) variables: Vec<PathBuf>,
}

/// The file that configures Ansible in the folder from which it is run.
const CONFIGURATION: &str = "ansible.cfg";
/// A project's folder is rarely further above its inventory, and never above the folder that git keeps.
const HIGHEST: usize = 4;

/// Looks in the inventory's folder and in those above it, as far as they are of one project.
pub(super) fn around(folder: &Path) -> Result<Around, CliError> {
    let folder = std::fs::canonicalize(Path::new(".").join(folder))
        .map_err(|error| unreadable("IEC0834", "folder of the inventory", folder, &error))?;
    let mut around = Around {
        configuration: None,
        variables: Vec::new(),
    };
    for (above, ancestor) in folder.ancestors().take(HIGHEST).enumerate() {
        let path = ancestor.join(CONFIGURATION);
        if around.configuration.is_none() && path.is_file() && !is_open_to_all(ancestor) {
            around.configuration = Some(read(&path, "configuration of Ansible")?);
        }
        let folders = [GROUPS, HOSTS].map(|kind| ancestor.join(kind));
        around
            .variables
            .extend(folders.into_iter().filter(|path| above > 0 && path.is_dir()));
        if ancestor.join(".git").exists() {
            break;
        }
    }
    Ok(around)
}

/// Whether everybody may write into a folder: Ansible takes no configuration from there.
fn is_open_to_all(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o002 != 0)
}

/// Reads the variables of these groups and hosts, the weaker of one owner first.
pub(super) fn variables<'n>(
    folder: &Path,
    groups: impl Iterator<Item = &'n str>,
    hosts: impl Iterator<Item = &'n str>,
) -> Result<Vec<Variables>, CliError> {
    let mut read_ones = Vec::new();
    let groups = groups.map(|owner| (GROUPS, owner));
    for (kind, owner) in groups.chain(hosts.map(|owner| (HOSTS, owner))) {
        for path in files_of(&folder.join(kind), owner)? {
            read_ones.push(Variables {
                folder: kind,
                owner: owner.to_owned(),
                found: read(&path, "file of variables")?,
            });
        }
    }
    Ok(read_ones)
}

/// The files of one owner: the first that there is of the name itself and the name with an ending, or what a folder has.
fn files_of(folder: &Path, owner: &str) -> Result<Vec<PathBuf>, CliError> {
    // A name is never a way to elsewhere.
    if owner.contains('/') || owner.starts_with('.') {
        return Ok(Vec::new());
    }
    let mut paths = ["", ".yml", ".yaml", ".json"]
        .iter()
        .map(|ending| folder.join(format!("{owner}{ending}")));
    match paths.find(|path| path.exists()) {
        None => Ok(Vec::new()),
        Some(path) if path.is_dir() => {
            let mut files = Vec::new();
            descend(&path, 0, &mut files)?;
            Ok(files)
        }
        Some(path) => Ok(vec![path]),
    }
}

/// No folder of variables is deeper; one that a link leads back to itself is.
const DEEPEST: usize = 16;

/// The files of a folder and of those in it, in the order of their names.
fn descend(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    for name in names(folder, "folder of variables")? {
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let path = folder.join(&name);
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            if ending.is_none() && depth < DEEPEST {
                descend(&path, depth + 1, files)?;
            }
        } else if path.is_file() && ending.is_none_or(|ending| ["yml", "yaml", "json"].contains(&ending)) {
            files.push(path);
        }
    }
    Ok(())
}

/// The names of what a folder has, in their order.
fn names(folder: &Path, what: &str) -> Result<Vec<String>, CliError> {
    let listed = || -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(folder)?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    let mut names = listed().map_err(|error| unreadable("IEC0834", what, folder, &error))?;
    names.sort();
    Ok(names)
}

fn read(path: &Path, what: &str) -> Result<Found, CliError> {
    let text = text_file::read(path, text_file::DOCUMENT)
        .map_err(|error| unreadable("IEC0834", what, path, &error))?;
    Ok(Found {
        name: path.to_string_lossy().into_owned(),
        text: with_line_feeds(&text),
    })
}
