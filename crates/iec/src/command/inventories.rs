//! `iec init --from-ansible`: a site file from an Ansible inventory.

use std::path::{Path, PathBuf};

use iec_core::diagnostic::Severity;
use iec_core::import::ansible::{Wanted, import};
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
    match import(&text, &path.to_string_lossy(), &wanted) {
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

/// A folder stands for the inventory in it.
fn find(path: &Path) -> PathBuf {
    let mut names = NAMES.iter().map(|name| path.join(name));
    names
        .find(|file| file.is_file())
        .unwrap_or_else(|| path.to_owned())
}
