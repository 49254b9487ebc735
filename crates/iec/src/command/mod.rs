//! What each command does: one file per command, and this list.

mod admission;
mod apply;
mod bundle;
mod certificates;
mod check;
mod cluster;
mod completion;
mod content;
mod control_plane;
mod control_plane_health;
mod credentials_recover;
mod demo;
mod descriptors;
mod explain;
mod facts_file;
mod init;
mod interrupt;
mod inventories;
mod kubeconfig;
mod lab;
mod lab_host;
mod log;
mod log_show;
pub(crate) mod methods;
mod operation;
mod owed;
mod passwords;
mod plan;
mod planning;
mod reach;
mod recover;
mod render;
mod reset;
mod run_log;
mod run_result;
mod run_view;
mod saved_plan;
mod schema;
mod seed;
mod selection;
mod site_file;
mod status;
mod undo;
mod verify;

use crate::cli::{Command, Credentials};
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::Ui;

/// Runs one command.
pub(crate) fn run(command: &Command, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    match command {
        Command::Init(arguments) => init::run(arguments, ui),
        Command::Schema => schema::run(ui),
        Command::Methods => Ok(methods::run(ui)),
        Command::Check(arguments) => check::run(arguments, settings, ui),
        Command::Plan(arguments) => plan::run(arguments, settings, ui),
        Command::Apply(arguments) => apply::run(arguments, settings, ui),
        Command::Verify(arguments) => verify::run(arguments, settings, ui),
        Command::Status(arguments) => status::run(arguments, settings, ui),
        Command::Log(arguments) => log::run(arguments, settings, ui),
        Command::Recover(arguments) => recover::run(arguments, settings, ui),
        Command::Undo(arguments) => undo::run(arguments, settings, ui),
        Command::Reset(arguments) => reset::run(arguments, settings, ui),
        Command::Render(format) => render::run(format, settings, ui),
        Command::Credentials(Credentials::Recover(arguments)) => {
            credentials_recover::run(arguments, settings, ui)
        }
        Command::Bundle(command) => bundle::run(command, settings, ui),
        Command::Lab(command) => lab::run(command, settings, ui),
        Command::Demo(arguments) => demo::run(arguments, settings, ui),
        Command::Explain { code } => explain::run(code.as_deref(), ui),
        Command::Completion { shell } => completion::run(*shell, ui),
    }
}
