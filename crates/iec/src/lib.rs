//! The command: arguments, output, errors. Thin: what it does is in the crates that it joins.

pub mod cli;
mod command;
pub mod credentials;
pub mod error;
mod kubeconfig;
pub mod manual;
pub mod settings;
mod text_file;
pub mod ui;
mod whole_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Cli, Color, Format, Global};
use crate::error::{CliError, Kind, Outcome};
use crate::settings::{Environment, Settings};
use crate::ui::Ui;

/// Runs the command with these arguments and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments, &environment),
    };
    let settings = Settings::new(&cli.global, &environment);
    ui::start_log(&settings);
    let ui = Ui::of_process(&settings);
    let result = command::run(&cli.command, &settings, &ui);
    ExitCode::from(finish(result, &ui))
}

/// Help and version are what was asked for; everything else is a refusal.
fn usage(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !asked_for && wants_json(arguments) {
        let global = Global {
            output: Format::Json,
            color: Color::Never,
            quiet: false,
            verbose: 0,
        };
        let rendered = error.to_string();
        let cause = rendered
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        let refusal =
            CliError::refused("IEC0900", cause).next("iec --help lists the commands and their options");
        Ui::of_process(&Settings::new(&global, environment)).error(&refusal);
    } else {
        // Nothing can be done about a help text that cannot be printed.
        let _ = error.print();
    }
    if asked_for {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Refused.exit_code())
    }
}

/// Whether arguments that could not be understood ask for JSON.
fn wants_json(arguments: &[OsString]) -> bool {
    let is = |argument: &OsString, texts: &[&str]| texts.iter().any(|text| argument == text);
    arguments
        .iter()
        .any(|argument| is(argument, &["-ojson", "-o=json", "--output=json"]))
        || arguments
            .windows(2)
            .any(|pair| is(&pair[0], &["-o", "--output"]) && pair[1] == "json")
}

fn finish(result: Result<Outcome, CliError>, ui: &Ui) -> u8 {
    let code = match result {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            ui.error(&error);
            error.kind.exit_code()
        }
    };
    match ui.take_failure() {
        Some(failure) if code == Outcome::Done.exit_code() => {
            let error = CliError::refused("IEC0907", "the output cannot be written").caused_by(&failure);
            ui.error(&error);
            error.kind.exit_code()
        }
        _ => code,
    }
}
