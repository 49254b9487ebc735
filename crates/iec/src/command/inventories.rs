//! `iec init --from-ansible`: a site file from an Ansible inventory.

use std::path::Path;

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::release::Release;
use iec_core::site::Role;
use iec_formats::ansible::{Beside, File, HostChoice, Wanted, import, read};
use iec_formats::masked;

use self::files::{Found, Variables};
use super::init::{self, DEFAULT_USER};
use crate::cli::{self, Init};
use crate::error::{CliError, Outcome};
use crate::ui::{Ui, count};

mod files;

/// Reads the inventory, reports everything about it, and writes the site file if nothing is wrong.
pub(super) fn run(arguments: &Init, inventory: &Path, ui: &Ui) -> Result<Outcome, CliError> {
    let (found, left_out) = files::inventory(inventory)?;
    if !left_out.is_empty() {
        let folder = inventory.display();
        let names = left_out.join(", ");
        ui.warn(
            "IEC0836",
            &format!("of the folder {folder} this was not read: {names}"),
        );
    }
    let texts: Vec<File<'_>> = found.iter().map(Found::file).collect();
    let inventory_read = read(&texts).map_err(|problems| refuse(problems, found.iter()))?;
    let folder = files::folder_of(inventory);
    let variables = files::variables(folder, inventory_read.groups(), inventory_read.hosts())?;
    let around = files::around(folder)?;
    if !around.variables.is_empty() {
        let folders: Vec<String> = around
            .variables
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        ui.warn(
            "IEC0836",
            &format!(
                "Ansible reads these for playbooks beside them, and they were not read: {}",
                folders.join(", ")
            ),
        );
    }
    let beside: Vec<Beside<'_>> = variables.iter().map(Variables::beside).collect();
    let usual = init::name_of_folder(arguments);
    let bundle = arguments.bundle.as_ref().map(|bundle| bundle.to_string_lossy());
    let hosts: Vec<HostChoice<'_>> = arguments
        .hosts
        .iter()
        .map(|host| HostChoice {
            name: &host.name,
            address: &host.address,
            role: host.role.map(|role| match role {
                cli::Role::ControlPlane => Role::ControlPlane,
                cli::Role::Worker => Role::Worker,
            }),
        })
        .collect();
    let wanted = Wanted {
        name: arguments.name.as_deref(),
        usual_name: &usual,
        release: Release::names().last().unwrap_or_default(),
        bundle: bundle.as_deref(),
        user: arguments.user.as_deref(),
        usual_user: DEFAULT_USER,
        identity: arguments.identity.as_deref(),
        hosts: &hosts,
        configuration: around.configuration.as_ref().map(Found::file),
    };
    match import(inventory_read, &beside, &wanted) {
        Ok(imported) => {
            // Warnings have no place in the text: a line of it may hold a password.
            ui.diagnostics(&imported.warnings, "");
            init::finish(arguments, imported.text, ui)
        }
        Err(problems) => {
            let variables = variables.iter().map(|variables| &variables.found);
            Err(refuse(
                problems,
                found.iter().chain(variables).chain(&around.configuration),
            ))
        }
    }
}

/// All that is wrong, drawn in texts without passwords.
fn refuse<'f>(problems: Diagnostics, files: impl Iterator<Item = &'f Found>) -> CliError {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let cause = format!("the inventory makes no site: {}", count(errors, "error"));
    let error = CliError::refused("IEC0834", cause).with_diagnostics(String::new(), problems);
    files.fold(error, |error, found| {
        error.with_further_text(&found.name, masked(&found.text))
    })
}
