//! What each command does: one file per command, and this list.

mod completion;

use crate::cli::Command;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::Ui;

/// Runs one command.
pub(crate) fn run(command: &Command, _settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    match command {
        Command::Completion { shell } => completion::run(*shell, ui),
    }
}
