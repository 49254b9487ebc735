//! Questions to a person. Every question has an option that answers it beforehand.

use dialoguer::console::Term;
use dialoguer::{Confirm, Input, Password};
use iec_core::secret::Secret;

use super::Ui;
use crate::error::{CliError, Kind};
use crate::settings::Settings;

impl Ui {
    /// Whether somebody is there to answer.
    pub fn can_ask(&self) -> bool {
        self.settings.interactive
    }

    /// Asks for a text, with a default and a check of the answer.
    ///
    /// # Errors
    /// When nobody is there to answer, naming the `option` that answers beforehand, or when the person stopped.
    pub fn ask(
        &self,
        question: &str,
        option: &str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<String, CliError> {
        self.must_ask(question, option)?;
        let mut input = Input::<String>::new()
            .with_prompt(question)
            .validate_with(|text: &String| check(text.trim()));
        match default {
            Some(default) => input = input.default(default.to_owned()),
            None => input = input.allow_empty(true),
        }
        let answer = input.interact_text_on(&Term::stderr()).map_err(stopped)?;
        Ok(answer.trim().to_owned())
    }

    /// Asks for a yes or no; no is the default.
    ///
    /// # Errors
    /// When nobody is there to answer, naming the `option` that answers beforehand, or when the person stopped.
    pub fn confirm(&self, question: &str, option: &str) -> Result<bool, CliError> {
        self.must_ask(question, option)?;
        Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact_on(&Term::stderr())
            .map_err(stopped)
    }

    /// Asks for a passphrase, twice, without showing it.
    ///
    /// # Errors
    /// When nobody is there to answer, naming the `option` that answers beforehand, or when the person stopped.
    pub fn ask_passphrase(&self, question: &str, option: &str) -> Result<Secret<String>, CliError> {
        self.must_ask(question, option)?;
        Password::new()
            .with_prompt(question)
            .with_confirmation("The same again", "these are not the same")
            .interact_on(&Term::stderr())
            .map(Secret::new)
            .map_err(stopped)
    }

    fn must_ask(&self, question: &str, option: &str) -> Result<(), CliError> {
        must_ask(&self.settings, question, option)
    }
}

/// Asks for a text without showing it.
///
/// # Errors
/// When nobody is there to answer, naming the `option` that answers beforehand, or when the person stopped.
pub fn ask_hidden(settings: &Settings, question: &str, option: &str) -> Result<Secret<String>, CliError> {
    must_ask(settings, question, option)?;
    Password::new()
        .with_prompt(question)
        .allow_empty_password(true)
        .interact_on(&Term::stderr())
        .map(Secret::new)
        .map_err(stopped)
}

/// Asks for a text that may be seen while it is typed.
///
/// # Errors
/// When nobody is there to answer, naming the `option` that answers beforehand, or when the person stopped.
pub fn ask_shown(settings: &Settings, question: &str, option: &str) -> Result<Secret<String>, CliError> {
    must_ask(settings, question, option)?;
    let input = Input::<String>::new().with_prompt(question).allow_empty(true);
    input
        .interact_text_on(&Term::stderr())
        .map(Secret::new)
        .map_err(stopped)
}

fn must_ask(settings: &Settings, question: &str, option: &str) -> Result<(), CliError> {
    if settings.interactive {
        return Ok(());
    }
    Err(
        CliError::refused("IEC0905", "an answer is needed and nobody is there to give it")
            .evidence(format!("the question is: {question}"))
            .next(format!("{option} answers it beforehand")),
    )
}

fn stopped(error: dialoguer::Error) -> CliError {
    CliError::new(Kind::Stopped, "IEC0906", "the question was not answered").caused_by(&error)
}
