//! What each command does: one file per command, and this list.

mod bundle;
mod check;
mod completion;
mod explain;
mod interrupt;
mod lab;
mod site_file;

use crate::cli::Command;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::Ui;

/// Runs one command.
pub(crate) fn run(command: &Command, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    match command {
        Command::Check(arguments) => check::run(arguments, ui),
        Command::Bundle(command) => bundle::run(command, settings, ui),
        Command::Explain { code } => explain::run(code.as_deref(), ui),
        Command::Lab(command) => lab::run(command, settings, ui),
        Command::Completion { shell } => completion::run(*shell, ui),
    }
}
