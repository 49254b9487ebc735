//! The `iec` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    iec::run(std::env::args_os(), iec::settings::Environment::of_process())
}
