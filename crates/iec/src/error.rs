//! What stops a command: its cause, the evidence, what to do next, and the exit code that follows from its kind.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::Path;

use iec_core::diagnostic::Diagnostics;
use serde::Serialize;

/// How a command can end without success. The kind alone decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Refused before anything was touched.
    Refused,
    /// A step failed. A new run goes on there.
    StepFailed,
    /// The site is not what it should be.
    VerificationFailed,
    /// There was no answer to judge by.
    CouldNotTell,
    /// The user stopped it.
    Stopped,
}

impl Kind {
    /// The exit code of the command.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::StepFailed => 2,
            Self::VerificationFailed => 3,
            Self::CouldNotTell => 4,
            Self::Stopped => 130,
        }
    }

    /// The word before the message.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Refused | Self::StepFailed | Self::VerificationFailed => "error",
            Self::CouldNotTell => "could not tell",
            Self::Stopped => "stopped",
        }
    }
}

/// How a command can end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or there was nothing to do.
    Done,
    /// Changes are pending: `plan --detailed-exitcode`.
    Pending,
    /// A program that was run for the user ended with this code.
    Exited(u8),
}

impl Outcome {
    /// The exit code of the command.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Pending => 5,
            Self::Exited(code) => code,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct CliError {
    /// What kind of end this is.
    pub kind: Kind,
    /// The stable code that `iec explain` knows.
    pub code: Cow<'static, str>,
    /// The cause, in one sentence without a full stop.
    pub cause: String,
    /// The messages of the errors that it comes from, outermost first. Each says its own part only.
    pub causes: Vec<String>,
    /// What was seen, one line each.
    pub evidence: Vec<String>,
    /// What to do next. Each begins with what to type, where there is something to type.
    pub next: Vec<String>,
    /// The problems of the site file behind it, with the text that they point into.
    pub diagnostics: Option<Box<SourceDiagnostics>>,
}

/// Problems in a text, with the text.
#[derive(Debug)]
pub struct SourceDiagnostics {
    /// The text that the places point into.
    pub text: String,
    /// Further texts that places point into, by the names of their files.
    pub further: Vec<(String, String)>,
    /// The problems.
    pub diagnostics: Diagnostics,
}

impl CliError {
    /// An end of this kind, with its code and its cause.
    pub fn new(kind: Kind, code: impl Into<Cow<'static, str>>, cause: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            cause: cause.into(),
            causes: Vec::new(),
            evidence: Vec::new(),
            next: Vec::new(),
            diagnostics: None,
        }
    }

    /// A refusal: nothing was touched.
    pub fn refused(code: impl Into<Cow<'static, str>>, cause: impl Into<String>) -> Self {
        Self::new(Kind::Refused, code, cause)
    }

    /// The same, with one more line of what was seen.
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// The same, with one more thing to do next.
    #[must_use]
    pub fn next(mut self, action: impl Into<String>) -> Self {
        self.next.push(action.into());
        self
    }

    /// An error of a library as an end of this kind: its message is the cause, its sources are the causes.
    pub fn of(kind: Kind, code: impl Into<Cow<'static, str>>, error: &dyn Error) -> Self {
        let mut failure = Self::new(kind, code, error.to_string());
        if let Some(source) = error.source() {
            failure = failure.caused_by(source);
        }
        failure
    }

    /// The same, with the error that it comes from, and the ones that that one comes from.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut current = Some(error);
        while let Some(error) = current {
            self.causes.push(error.to_string());
            current = error.source();
        }
        self
    }

    /// The same, with problems in a text behind it.
    #[must_use]
    pub fn with_diagnostics(mut self, text: impl Into<String>, diagnostics: Diagnostics) -> Self {
        self.diagnostics = Some(Box::new(SourceDiagnostics {
            text: text.into(),
            further: Vec::new(),
            diagnostics,
        }));
        self
    }
}

impl CliError {
    /// The same, with one more text that the problems point into, by the name of its file.
    #[must_use]
    pub fn with_further_text(mut self, file: impl Into<String>, text: impl Into<String>) -> Self {
        if let Some(source) = &mut self.diagnostics {
            source.further.push((file.into(), text.into()));
        }
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)
    }
}

impl Error for CliError {}

/// A file that could not be read.
pub fn unreadable(code: &'static str, what: &str, path: &Path, error: &std::io::Error) -> CliError {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let cause = if missing {
        format!("there is no {what} at {}", path.display())
    } else {
        format!("the {what} at {} cannot be read", path.display())
    };
    let refusal = CliError::refused(code, cause);
    if missing {
        refusal
    } else {
        refusal.caused_by(error)
    }
}

/// A file that could not be written.
pub fn unwritable(code: &'static str, what: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::refused(
        code,
        format!("the {what} at {} cannot be written", path.display()),
    )
    .caused_by(error)
    .next("check that the folder exists, that you may write to it, and that the disk is not full")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        assert_eq!(Kind::Refused.exit_code(), 1);
        assert_eq!(Kind::StepFailed.exit_code(), 2);
        assert_eq!(Kind::VerificationFailed.exit_code(), 3);
        assert_eq!(Kind::CouldNotTell.exit_code(), 4);
        assert_eq!(Kind::Stopped.exit_code(), 130);
        assert_eq!(Outcome::Done.exit_code(), 0);
        assert_eq!(Outcome::Pending.exit_code(), 5);
    }

    #[test]
    fn the_chain_has_each_message_once() {
        let inner = std::io::Error::other("the disk is on fire");
        let error = CliError::refused("IEC0902", "the site file cannot be written").caused_by(&inner);
        assert_eq!(error.causes, ["the disk is on fire"]);
        assert_eq!(error.to_string(), "the site file cannot be written");
    }
}
