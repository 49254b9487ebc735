//! `iec init --from-ansible`: a site file from an Ansible inventory.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use iec_core::diagnostic::Severity;
use iec_core::import::ansible::{Beside, Owner, Wanted, import};
use iec_core::import::masked;
use iec_core::release::Release;

use super::init::{self, DEFAULT_USER};
use crate::cli::Init;
use crate::error::{CliError, Outcome, unreadable};
use crate::text_file;
use crate::ui::{Ui, count};

/// The names that inventories have in a folder of their own, the usual first.
const NAMES: [&str; 6] = [
    "hosts.yaml",
    "hosts.yml",
    "inventory.yaml",
    "inventory.yml",
    "inventory.ini",
    "hosts.ini",
];

/// Reads the inventory, reports everything about it, and writes the site file if nothing is wrong.
pub(super) fn run(arguments: &Init, inventory: &Path, ui: &Ui) -> Result<Outcome, CliError> {
    let path = find(inventory);
    let text = text_file::read(&path, text_file::DOCUMENT)
        .map_err(|error| unreadable("IEC0834", "inventory", &path, &error))?;
    let usual = init::name_of_folder(arguments);
    let bundle = arguments.bundle.as_ref().map(|bundle| bundle.to_string_lossy());
    let addresses: Vec<(&str, &str)> = arguments
        .hosts
        .iter()
        .map(|host| (host.name.as_str(), host.address.as_str()))
        .collect();
    let wanted = Wanted {
        name: arguments.name.as_deref().unwrap_or(&usual),
        release: Release::names().last().unwrap_or_default(),
        bundle: bundle.as_deref(),
        user: arguments.user.as_deref(),
        usual_user: DEFAULT_USER,
        identity: arguments.identity.as_deref(),
        addresses: &addresses,
    };
    let read = files_beside(&path)?;
    let beside: Vec<Beside<'_>> = read.iter().map(Read::beside).collect();
    match import(&text, &path.to_string_lossy(), &beside, &wanted) {
        Ok(imported) => {
            // Warnings have no place in the text: a line of it may hold a password.
            ui.diagnostics(&imported.warnings, "");
            init::finish(arguments, imported.text, ui)
        }
        Err(problems) => {
            let errors = problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .count();
            let cause = format!("the inventory makes no site: {}", count(errors, "error"));
            Err(CliError::refused("IEC0834", cause).with_diagnostics(masked(&text), problems))
        }
    }
}

/// A file of variables that was read.
struct Read {
    folder: &'static str,
    owner: String,
    file: String,
    text: String,
}

impl Read {
    fn beside(&self) -> Beside<'_> {
        Beside {
            of: if self.folder == GROUPS {
                Owner::Group(&self.owner)
            } else {
                Owner::Host(&self.owner)
            },
            text: &self.text,
            file: &self.file,
        }
    }
}

/// The folders with variables of groups and of hosts, as Ansible knows them.
const GROUPS: &str = "group_vars";
const HOSTS: &str = "host_vars";

/// Reads the variables beside the inventory in Ansible's order: a file, or all files of a folder, for each owner.
fn files_beside(inventory: &Path) -> Result<Vec<Read>, CliError> {
    let parent = inventory.parent().unwrap_or(Path::new(""));
    let mut read = Vec::new();
    for folder in [GROUPS, HOSTS] {
        for (owner, path) in entries(&parent.join(folder))? {
            let files = if path.is_dir() {
                let files = entries(&path)?.into_iter().map(|(_, path)| path);
                files.filter(|path| path.is_file()).collect()
            } else {
                vec![path]
            };
            for path in files {
                let text = text_file::read(&path, text_file::DOCUMENT)
                    .map_err(|error| unreadable("IEC0834", "file of variables", &path, &error))?;
                read.push(Read {
                    folder,
                    owner: owner.clone(),
                    file: path.to_string_lossy().into_owned(),
                    text,
                });
            }
        }
    }
    Ok(read)
}

/// What a folder of variables has, in the order of the names, with whose variables it is; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, CliError> {
    let unreadable = |error| unreadable("IEC0834", "folder of variables", folder, &error);
    let found = match std::fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut entries = Vec::new();
    for entry in found {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let owner = [".yml", ".yaml", ".json"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(&name);
        // What editors leave behind is not read by Ansible either.
        if !name.starts_with('.') && !name.ends_with('~') {
            entries.push((owner.to_owned(), path));
        }
    }
    entries.sort();
    Ok(entries)
}

/// A folder stands for the inventory in it.
fn find(path: &Path) -> PathBuf {
    let mut names = NAMES.iter().map(|name| path.join(name));
    names
        .find(|file| file.is_file())
        .unwrap_or_else(|| path.to_owned())
}
