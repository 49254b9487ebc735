//! `iec methods`: the ways to install a site.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use iec_core::method::{METHODS, Method, Worker};
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::error::Outcome;
use crate::ui::{Document, Ui};

/// Prints the methods that this program has.
pub(super) fn run(ui: &Ui) -> Outcome {
    let methods = offered();
    let all: Vec<Value> = methods.iter().map(|method| object(method)).collect();
    ui.result(Document::Methods, &json!({ "methods": all }), || text(&methods));
    Outcome::Done
}

/// The methods whose command there is.
pub(crate) fn offered() -> Vec<&'static Method> {
    let program = Cli::command();
    METHODS
        .iter()
        .filter(|method| {
            let mut words = method.command.split(' ').skip(1);
            words
                .try_fold(&program, |command, word| command.find_subcommand(word))
                .is_some()
        })
        .collect()
}

fn object(method: &Method) -> Value {
    let mut value = serde_json::to_value(method).expect("a method is plain data");
    value["status"] = serde_json::to_value(method.status()).expect("a status is plain data");
    value
}

fn text(methods: &[&Method]) -> String {
    let mut text = String::new();
    for method in methods {
        let _ = writeln!(text, "{}\n  {}", method.title, method.command);
        for (name, words) in [
            ("use it", method.when),
            ("for", method.advantages),
            ("against", method.drawbacks),
            ("network", method.network),
            ("machines", method.machines),
        ] {
            let _ = writeln!(text, "  {name:9} {words}");
        }
        if method.worker == Worker::Other {
            let _ = writeln!(text, "  {:9} another installer does the work", "note");
        }
        let _ = writeln!(text, "  {:9} {}\n", "status", method.status().words());
    }
    text
}
