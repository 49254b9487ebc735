//! The manual of the command line, printed from the clap types: it cannot say what the program does not do.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::ui::{Document, JSON_VERSION};

/// The manual as Markdown: a section for each command, with what its `--help` prints.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The command line\n\n\
         Printed by `UPDATE_DOCS=1 cargo test -p iec --test cli manual` from what each command's `--help` says.\n",
    );
    let mut root = Cli::command().term_width(100).color(clap::ColorChoice::Never);
    root.build();
    section(&mut text, &root, "iec", true);
    json(&mut text);
    text
}

/// The methods of installation as Markdown: those whose command there is.
pub fn methods() -> String {
    iec_core::method::markdown(&crate::command::methods::offered())
}

/// What `-o json` prints.
fn json(text: &mut String) {
    let _ = write!(
        text,
        "\n## JSON\n\n\
         With `-o json` a command prints one object a line on stdout, and nothing on stderr. Every object has `version` \
         ({JSON_VERSION}), which changes when a field changes its meaning or goes away, and `type`. Unknown fields and \
         types may come at any time: pass them over. The types:\n\n| type | |\n|---|---|\n"
    );
    for document in Document::ALL {
        let _ = writeln!(text, "| `{}` | {} |", document.name(), document.meaning());
    }
}

fn section(text: &mut String, command: &Command, path: &str, with_shared_options: bool) {
    let mut shown = command.clone();
    if !with_shared_options {
        // They are the same everywhere: the first section has them.
        let shared: Vec<_> = command
            .get_arguments()
            .filter(|argument| argument.is_global_set())
            .map(|argument| argument.get_id())
            .collect();
        for id in shared {
            shown = shown.mut_arg(id, |argument| argument.hide(true));
        }
    }
    let help = shown.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(
        text,
        "\n## {path}\n\n```text\n{}\n```\n",
        lines.join("\n").trim_end()
    );
    for child in command.get_subcommands() {
        section(text, child, &format!("{path} {}", child.get_name()), false);
    }
}
