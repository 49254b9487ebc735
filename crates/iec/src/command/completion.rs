//! `iec completion`: the completion script of a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::{CliError, Outcome};
use crate::ui::Ui;

/// Prints the script.
pub(super) fn run(shell: Shell, ui: &Ui) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "iec", &mut script);
    ui.raw(&String::from_utf8_lossy(&script));
    Ok(Outcome::Done)
}
