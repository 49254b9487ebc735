//! The project's own tasks: what checks, tests, measures and proves it.

mod terminal;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// The tasks: how each is called, and what it does.
const TASKS: [(&str, &str); 1] = [(
    "tidy",
    "check the rules of the project that neither the compiler nor clippy knows",
)];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["tidy"] => run_tidy(),
        [] | ["help" | "--help" | "-h"] => {
            usage();
            Ok(true)
        }
        _ => {
            usage();
            Ok(false)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            terminal::line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn usage() {
    terminal::line("Usage: cargo xtask TASK\n\nTasks:");
    for (task, what) in TASKS {
        terminal::line(format_args!("  {task:<24} {what}"));
    }
}

fn run_tidy() -> anyhow::Result<bool> {
    let found = tidy::check(&workspace::root())?;
    for note in &found.notes {
        terminal::line(format_args!("note: {note}"));
    }
    for problem in &found.problems {
        terminal::line(problem);
    }
    let count = found.problems.len();
    terminal::line(if count == 0 {
        "tidy".to_owned()
    } else {
        format!("{count} against the rules")
    });
    Ok(count == 0)
}
