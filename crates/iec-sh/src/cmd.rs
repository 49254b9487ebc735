//! `Cmd`: a program, its words, and where its input comes from and its output goes.

use std::fmt::Write as _;

use crate::layout::layout;
use crate::{Program, Word};

/// The longest text on standard input that is shown to a person who wants to know what a command does, in bytes.
const LONGEST_SHOWN: usize = 300;

/// What a command reads on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Input {
    /// What the script itself reads: nothing.
    #[default]
    Nothing,
    /// This text, in full.
    Text(String),
    /// A file of the host.
    File(Word),
}

/// Where the standard output of a command goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Output {
    /// With the script's own output.
    #[default]
    Shown,
    /// Nowhere.
    Dropped,
    /// Into a file, which it replaces.
    File(Word),
}

/// One call of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmd {
    program: Program,
    words: Vec<Word>,
    input: Input,
    output: Output,
    errors_dropped: bool,
}

impl Cmd {
    /// A call of this program without arguments.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            words: Vec::new(),
            input: Input::Nothing,
            output: Output::Shown,
            errors_dropped: false,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn word(mut self, word: impl Into<Word>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn words<W: Into<Word>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// The same with further variables in its environment, each as `NAME=VALUE`.
    #[must_use]
    pub fn with_environment<W: Into<Word>>(self, variables: impl IntoIterator<Item = W>) -> Self {
        let mut words: Vec<Word> = variables.into_iter().map(Into::into).collect();
        words.push(self.program.name().into());
        words.extend(self.words);
        Self {
            program: Program::Env,
            words,
            ..self
        }
    }

    /// Gives it this text on its standard input.
    #[must_use]
    pub fn stdin_text(mut self, text: impl Into<String>) -> Self {
        self.input = Input::Text(text.into());
        self
    }

    /// Lets it read a file of the host on its standard input.
    #[must_use]
    pub fn stdin_file(mut self, path: impl Into<Word>) -> Self {
        self.input = Input::File(path.into());
        self
    }

    /// Sends its output into a file.
    #[must_use]
    pub fn stdout_file(mut self, path: impl Into<Word>) -> Self {
        self.output = Output::File(path.into());
        self
    }

    /// Drops its output and its error messages.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.output = Output::Dropped;
        self.errors_dropped = true;
        self
    }

    /// Drops its error messages.
    #[must_use]
    pub fn quiet_errors(mut self) -> Self {
        self.errors_dropped = true;
        self
    }

    /// The same on a host where everything takes so many times longer: the time-outs that it is given are as much longer.
    #[must_use]
    pub(crate) fn slowed(mut self, times: u32) -> Self {
        if matches!(
            self.program,
            Program::Kubectl | Program::Helm | Program::Env | Program::Xargs
        ) {
            for word in &mut self.words {
                if let Some(longer) = longer_time_out(word.as_str(), times) {
                    *word = Word::new(longer);
                }
            }
        }
        self
    }

    /// The same, where of a long text on standard input only the length is left.
    #[must_use]
    pub(crate) fn abridged(mut self) -> Self {
        if let Input::Text(text) = &self.input
            && text.len() > LONGEST_SHOWN
        {
            self.input = Input::Text(format!("({} bytes)\n", text.len()));
        }
        self
    }

    /// The program that it calls.
    #[must_use]
    pub fn program(&self) -> Program {
        self.program
    }

    /// The text on its standard input, where there is one.
    #[must_use]
    pub fn input_text(&self) -> Option<&str> {
        match &self.input {
            Input::Text(text) => Some(text),
            Input::Nothing | Input::File(_) => None,
        }
    }

    /// The call itself, without the text on its standard input.
    fn line(&self) -> String {
        let mut line = self.program.name().to_owned();
        for word in &self.words {
            let _ = write!(line, " {word}");
        }
        if let Input::File(path) = &self.input {
            let _ = write!(line, " <{path}");
        }
        match &self.output {
            Output::Shown => {}
            Output::Dropped => line.push_str(" >/dev/null"),
            Output::File(path) => {
                let _ = write!(line, " >{path}");
            }
        }
        if self.errors_dropped {
            line.push_str(" 2>/dev/null");
        }
        line
    }

    /// The call as part of a larger expression: on one logical line.
    pub(crate) fn inline(&self) -> String {
        match &self.input {
            // The shell's own printf: no process has the text among its arguments.
            Input::Text(text) => format!("printf '%s' {} | {}", Word::new(text.as_str()), self.line()),
            Input::Nothing | Input::File(_) => self.line(),
        }
    }

    /// The call as a statement of its own, with `after` (such as ` || return`) behind it.
    /// Its text comes as a here-document where that is exact, since a person reads that best.
    pub(crate) fn statement(&self, after: &str) -> String {
        self.broken(after, str::to_owned)
    }

    /// The same on lines that a person can read.
    pub(crate) fn page(&self, after: &str) -> String {
        self.broken(after, layout)
    }

    fn broken(&self, after: &str, layout: impl Fn(&str) -> String) -> String {
        match &self.input {
            Input::Text(text) if text.ends_with('\n') && !text.contains('\0') => {
                let delimiter = free_delimiter(text, "EOF");
                // The text begins with the next line, so nothing behind the call may go there.
                format!(
                    "{} <<'{delimiter}'{after}\n{text}{delimiter}",
                    layout(&self.line())
                )
            }
            Input::Text(_) if !after.is_empty() => layout(&format!("{{ {}; }}{after}", self.inline())),
            _ => layout(&format!("{}{after}", self.inline())),
        }
    }
}

/// A here-document delimiter that is no line of this text: `usual`, or a longer one.
pub(crate) fn free_delimiter(text: &str, usual: &str) -> String {
    let mut delimiter = usual.to_owned();
    while text.lines().any(|line| line == delimiter) {
        delimiter.push('F');
    }
    delimiter
}

/// `--timeout=30s` and its like with so many times the number; nothing where the word is none of them.
fn longer_time_out(word: &str, times: u32) -> Option<String> {
    let (option, value) = word.split_once('=')?;
    if !matches!(option, "--timeout" | "--request-timeout") {
        return None;
    }
    let number = value.strip_suffix(['s', 'm'])?;
    let unit = &value[number.len()..];
    let number = number.parse::<u32>().ok()?.saturating_mul(times);
    Some(format!("{option}={number}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::Cmd;
    use crate::Program;

    #[test]
    fn a_text_becomes_a_here_document_with_a_free_delimiter() {
        let cmd = Cmd::new(Program::Cat).stdin_text("a\nEOF\n");
        assert_eq!(
            cmd.statement(" || return"),
            "cat <<'EOFF' || return\na\nEOF\nEOFF"
        );
    }

    #[test]
    fn a_text_without_a_last_newline_stays_exact() {
        let cmd = Cmd::new(Program::Cat).stdin_text("a'b");
        assert_eq!(cmd.statement(""), r"printf '%s' 'a'\''b' | cat");
    }

    #[test]
    fn of_a_long_text_the_length_is_shown() {
        let cmd = |text: &str| Cmd::new(Program::Cat).stdin_text(text).abridged().statement("");
        assert_eq!(cmd("a\n"), "cat <<'EOF'\na\nEOF");
        assert_eq!(cmd(&"a".repeat(301)), "cat <<'EOF'\n(301 bytes)\nEOF");
    }

    #[test]
    fn redirections_are_quoted_words() {
        let cmd = Cmd::new(Program::Cat)
            .stdin_file("/a b")
            .stdout_file("/c;d")
            .quiet_errors();
        assert_eq!(cmd.statement(""), "cat <'/a b' >'/c;d' 2>/dev/null");
    }
}
