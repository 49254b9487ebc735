//! The only code that prints: for a person on a terminal, in plain lines without one, or as JSON.
//!
//! Results go to stdout; messages, progress and errors go to stderr. In JSON everything goes to stdout, one
//! object a line, each with `version` and `type`.

mod board;
mod diagnostic;
mod difference;
mod document;
pub mod plan;
mod printable;
mod prompt;
mod style;

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use iec_core::diagnostic::{Kind, Severity};
use iec_core::said::acts;
use serde::Serialize;
use serde_json::{Map, Value};

use self::printable::printable;
use crate::cli::Format;
use crate::error::CliError;
use crate::settings::Settings;

pub use board::{Board, Mark};
pub use document::Document;
pub use prompt::{ask_hidden, ask_shown};
pub use style::{count, duration, list, size};

/// The version of the JSON objects. It changes when a field changes its meaning or goes away, not when one is added.
pub const JSON_VERSION: u32 = 1;

/// Prints what a command has to say.
pub struct Ui {
    format: Format,
    settings: Settings,
    stdout: RefCell<Box<dyn Write + Send>>,
    stderr: RefCell<Box<dyn Write + Send>>,
    reader_gone: Cell<bool>,
    failure: Cell<Option<io::Error>>,
}

impl Ui {
    /// A printer to this process's stdout and stderr.
    #[expect(clippy::disallowed_methods, reason = "the one place that prints")]
    pub fn of_process(settings: &Settings) -> Self {
        let choice = |color| {
            if color {
                ColorChoice::AlwaysAnsi
            } else {
                ColorChoice::Never
            }
        };
        Self::new(
            settings,
            Box::new(AutoStream::new(io::stdout(), choice(settings.color_stdout))),
            Box::new(AutoStream::new(io::stderr(), choice(settings.color_stderr))),
        )
    }

    /// A printer to these streams.
    pub fn new(settings: &Settings, stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>) -> Self {
        Self {
            format: settings.format,
            settings: settings.clone(),
            stdout: RefCell::new(stdout),
            stderr: RefCell::new(stderr),
            reader_gone: Cell::new(false),
            failure: Cell::new(None),
        }
    }

    /// Whether the output is JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// How wide a line may be, in columns.
    pub fn width(&self) -> usize {
        self.settings.width
    }

    /// Prints a result as it stands: text in both formats, for what is a document of its own (a schema, a script).
    pub fn raw(&self, text: &str) {
        self.write_stdout(printable(text).as_bytes());
    }

    /// Prints a command's result: `text` for a person, or `value` with its `kind` as one JSON object.
    pub fn result(&self, kind: Document, value: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json => self.write_stdout(json_line(kind, value)),
            Format::Text => {
                let mut text = text();
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                self.write_stdout(printable(&text).as_bytes());
            }
        }
    }

    /// Prints an event of long work. Nothing in text, where a [`Board`] shows it.
    pub fn event(&self, kind: Document, value: &impl Serialize) {
        if self.is_json() {
            self.write_stdout(json_line(kind, value));
        }
    }

    /// Hands through what a program printed, and in JSON its exit code too.
    pub fn passthrough(&self, kind: Document, code: i32, stdout: &[u8], stderr: &[u8]) {
        if self.is_json() {
            let value = serde_json::json!({
                "code": code,
                "stdout": String::from_utf8_lossy(stdout),
                "stderr": String::from_utf8_lossy(stderr),
            });
            self.write_stdout(json_line(kind, &value));
        } else {
            self.write_stdout(stdout);
            self.write_stderr(stderr);
        }
    }

    /// Prints a status message, a full sentence. Nothing in JSON and with `--quiet`.
    pub fn say(&self, sentence: &str) {
        if self.settings.messages {
            self.write_message(format!("{sentence}\n"));
        }
    }

    /// Prints a warning. Nothing with `--quiet`.
    pub fn warn(&self, code: &str, message: &str) {
        if self.is_json() {
            self.write_stdout(json_line(
                Document::Warning,
                &serde_json::json!({ "code": code, "message": message }),
            ));
        } else if self.settings.messages {
            let style = style::WARNING;
            self.write_message(format!("{style}warning[{code}]{style:#}: {message}\n"));
        }
    }

    /// Prints why a command did not do what was asked.
    pub fn error(&self, error: &CliError) {
        if self.is_json() {
            self.write_stdout(json_line(Document::Error, &error_json(error)));
            return;
        }
        if let Some(source) = &error.diagnostics {
            self.write_message(diagnostic::draw(
                &source.diagnostics,
                &source.text,
                &source.further,
                self.settings.color_stderr,
                self.settings.width,
            ));
        }
        self.write_message(error_text(error));
    }

    /// Prints problems that do not stop the work. Nothing in text with `--quiet`.
    pub fn diagnostics(&self, diagnostics: &iec_core::diagnostic::Diagnostics, text: &str) {
        if diagnostics.is_empty() {
            return;
        }
        if self.is_json() {
            self.write_stdout(json_line(
                Document::Diagnostics,
                &serde_json::json!({ "diagnostics": diagnostics }),
            ));
        } else if self.settings.messages {
            let drawn = diagnostic::draw(
                diagnostics,
                text,
                &[],
                self.settings.color_stderr,
                self.settings.width,
            );
            self.write_message(&drawn);
        }
    }

    /// Prints what somebody should know about the hosts, what several have alike once. Nothing in text with `--quiet`,
    /// and nothing of what the site file accepts.
    pub fn host_warnings(&self, diagnostics: &iec_core::diagnostic::Diagnostics) {
        if diagnostics.is_empty() {
            return;
        }
        if self.is_json() {
            self.write_stdout(json_line(
                Document::Diagnostics,
                &serde_json::json!({ "diagnostics": diagnostics }),
            ));
            return;
        }
        for kind in diagnostics.of(Severity::Warning).by_kind() {
            self.warn(kind.code, &kind.to_string());
            if self.settings.messages {
                self.write_message(kind_text(&kind));
            }
        }
    }

    /// A board that shows long work with several lanes: hosts, or parts of a bundle.
    pub fn board(&self, title: &str) -> Board<'_> {
        Board::new(self, title, self.settings.progress)
    }

    /// Why results could not be written, if so. A reader that went away is no failure.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    fn write_stdout(&self, bytes: impl AsRef<[u8]>) {
        // A reader that went away (`iec log | head`) must not stop work on hosts: the rest is written to nobody.
        if self.reader_gone.get() {
            return;
        }
        let mut stdout = self.stdout.borrow_mut();
        match stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.reader_gone.set(true),
            Err(error) => self.failure.set(Some(error)),
        }
    }

    /// Writes a message whose parts may have come from a host.
    fn write_message(&self, text: impl AsRef<str>) {
        self.write_stderr(printable(text.as_ref()).as_bytes());
    }

    fn write_stderr(&self, bytes: impl AsRef<[u8]>) {
        // There is nowhere left to report a stderr that cannot be written.
        let _ = self.stderr.borrow_mut().write_all(bytes.as_ref());
    }
}

/// One JSON object on one line: `version`, `type`, then the fields of `value`.
fn json_line(kind: Document, value: &impl Serialize) -> String {
    let mut object = Map::new();
    object.insert("version".to_owned(), JSON_VERSION.into());
    object.insert("type".to_owned(), kind.name().into());
    match serde_json::to_value(value).expect("what is printed has text keys and no failing serialiser") {
        Value::Object(fields) => object.extend(fields),
        Value::Null => {}
        other => {
            object.insert("value".to_owned(), other);
        }
    }
    format!("{}\n", harmless(&Value::Object(object).to_string()))
}

/// JSON in which what acts on a terminal is written as JSON may write it. Such characters are in its texts only, and none
/// of them takes more than one unit of UTF-16.
fn harmless(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if acts(character) {
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn error_json(error: &CliError) -> Value {
    let mut object = serde_json::json!({
        "kind": error.kind,
        "exitCode": error.kind.exit_code(),
        "code": error.code,
        "message": error.cause,
        "evidence": error.evidence,
        "causes": error.causes,
        "next": error.next,
    });
    if let Some(source) = &error.diagnostics {
        object["diagnostics"] = serde_json::to_value(&source.diagnostics).unwrap_or_default();
    }
    object
}

fn error_text(error: &CliError) -> String {
    let (bad, dim, good) = (style::ERROR, style::DIM, style::HINT);
    let mut text = format!(
        "{bad}{}[{}]{bad:#}: {}\n",
        error.kind.prefix(),
        error.code,
        error.cause
    );
    for cause in &error.causes {
        text.push_str(&indented(&format!("{dim}because:{dim:#} "), cause));
    }
    for line in &error.evidence {
        text.push_str(&indented(&format!("{dim}evidence:{dim:#} "), line));
    }
    for action in &error.next {
        text.push_str(&indented(&format!("{good}next:{good:#} "), action));
    }
    text
}

/// What was seen, and what to do about it.
fn kind_text(kind: &Kind) -> String {
    let (dim, good) = (style::DIM, style::HINT);
    let evidence = kind
        .evidence
        .iter()
        .map(|line| indented(&format!("{dim}evidence:{dim:#} "), line));
    let hint = kind
        .hint
        .iter()
        .map(|line| indented(&format!("{good}next:{good:#} "), line));
    evidence.chain(hint).collect()
}

/// A labelled paragraph, indented by two; further lines stand under the first.
fn indented(label: &str, text: &str) -> String {
    let mut lines = text.trim_end().lines();
    let mut out = format!("  {label}{}\n", lines.next().unwrap_or_default());
    for line in lines {
        out.push_str("    ");
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Logs what goes on underneath to stderr, with `--verbose` only.
#[expect(clippy::disallowed_methods, reason = "the log goes where messages go")]
pub fn start_log(settings: &Settings) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    // What IEC itself does is told first; the libraries below it are many, and seldom what one looks for.
    let wanted = match settings.verbosity {
        0 => return,
        1 => Targets::new().with_target("iec", LevelFilter::DEBUG),
        _ => Targets::new()
            .with_target("iec", LevelFilter::TRACE)
            .with_default(LevelFilter::DEBUG),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(settings.color_stderr)
        .with_writer(io::stderr);
    tracing_subscriber::registry().with(lines).with(wanted).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_and_acts_on_no_terminal() {
        let value = serde_json::json!({ "said": "\u{1b}[2J\u{9b}31m\u{202e}ü\u{7f}" });
        let line = json_line(Document::Warning, &value);
        assert!(!line.trim_end().chars().any(acts), "{line:?}");
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["said"], value["said"]);
    }
}
