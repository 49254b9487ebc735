//! Blocks of shell that a person pastes into a session on a host: the questions and commands of one step each.

use std::fmt::Write as _;

use crate::cmd::free_delimiter;
use crate::runner::NOTE_HOME;
use crate::{Expr, RunnerStep, Word};

/// What every session begins with: the functions that the blocks call.
const PREFACE: &str = include_str!("paste.sh");
/// Unpacks the secrets of a host. It has no single quote, since it stands between two of them.
const UNPACK: &str = include_str!("unpack.sh");

/// What a session on a host begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preface<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// The folder that was brought along, below the home of whoever logs in.
    pub folder: &'a str,
    /// How often the key of encrypted secrets is derived from itself.
    pub iterations: u32,
}

impl Preface<'_> {
    /// The text. It defines functions, asks for the password of `sudo`, and changes nothing.
    #[must_use]
    pub fn text(&self) -> String {
        let folder = Word::new(self.folder).to_string();
        PREFACE
            .replace("@UNPACK@", UNPACK)
            .replace("@HOME@", self.home)
            .replace("@FOLDER@", &folder)
            .replace("@ITERATIONS@", &self.iterations.to_string())
    }

    /// What takes the folder that was brought along off the host again.
    #[must_use]
    pub fn leave() -> &'static str {
        "rm -rf -- \"$iec_folder\"\n"
    }
}

/// A script that reads a host's secrets from its standard input, a line for each with its name and its content as base64,
/// and puts them where the steps look for them. Its argument: `sealed` where the first line is the digest of the rest, else `plain`.
#[must_use]
pub fn unpack_secrets(home: &str) -> String {
    UNPACK.replace("@HOME@", home)
}

/// A script that prints which of these blobs, by their SHA-256 in hex, have not come to the host whole yet. What is on its way
/// is read and compared; what is in the store, the first step of the content compares before it is used.
#[must_use]
pub fn missing_blobs(home: &str, digests: impl IntoIterator<Item = String>) -> String {
    let home = Word::new(home);
    let mut text = String::from("main() {\nwhile read -r digest; do\n");
    let _ = writeln!(
        text,
        "  test -f {home}/store/blobs/sha256/$digest && continue\n  \
           test \"$(sha256sum <{home}/incoming/$digest)\" = \"$digest  -\" || echo $digest\ndone 2>/dev/null <<'EOF'"
    );
    for digest in digests {
        let _ = writeln!(text, "{}", Word::new(digest));
    }
    text.push_str("EOF\n}\nmain </dev/null\n");
    text
}

/// What a host needs from the folder that was brought along, as blocks to paste.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasteContent<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// The host, which its file of secrets is named after.
    pub host: &'a str,
    /// The blobs: the SHA-256 in hex, and a name for people.
    pub blobs: &'a [(String, String)],
}

impl PasteContent<'_> {
    /// Copies the blobs that the store does not have yet to where the steps look for them.
    #[must_use]
    pub fn blobs(&self, number: &str) -> String {
        let home = Word::new(self.home);
        let mut body = format!(
            "iec_home={home} iec_journal={home}/journal.jsonl\n\
             {NOTE_HOME}\
             (umask 077; mkdir -p {home}) && mkdir -p {home}/before && iec_note_home && chmod 0700 {home} || return\n\
             (umask 077; mkdir -p {home}/incoming) || return\n\
             mkdir -p {home}/output || return\n\
             while read -r digest name; do\n  \
             test -f {home}/store/blobs/sha256/$digest ||\n    \
             install -m 0600 \"$iec_folder/blobs/sha256/$digest\" {home}/incoming/$digest || return\n\
             done <<'EOF'\n"
        );
        for (digest, name) in self.blobs {
            let _ = writeln!(body, "{} {}", Word::new(digest), Word::new(name));
        }
        body.push_str("EOF\n");
        block("iec_do", number, "", &body)
    }

    /// Puts the secrets where the steps look for them.
    #[must_use]
    pub fn secrets(&self, number: &str) -> String {
        format!("iec_secrets {} {}\n", Word::new(number), Word::new(self.host))
    }
}

/// A step as blocks to paste. Each begins with a function of the [`Preface`], which says how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasteStep<'a> {
    /// The step.
    pub step: &'a RunnerStep,
    /// Its number for people: `1.12`.
    pub number: &'a str,
}

impl PasteStep<'_> {
    /// The questions of the step.
    #[must_use]
    pub fn ask(&self) -> String {
        let mut body = String::new();
        for question in &self.step.questions {
            let needed: Vec<String> = question.needed.iter().map(u8::to_string).collect();
            let _ = writeln!(
                body,
                "{}\nanswer $? {} {}",
                question.ask.page(""),
                Word::new(needed.join(" ")),
                Word::new(question.what.as_str())
            );
        }
        block("iec_ask", self.number, "", &body)
    }

    /// The commands of the step, unless it only asks.
    #[must_use]
    pub fn apply(&self) -> Option<String> {
        let manner = if self.step.sensitive { " quiet" } else { "" };
        let commands = [self.step.keep.as_slice(), &self.step.apply].concat();
        (!self.step.apply.is_empty()).then(|| self.commands("iec_do", manner, &commands))
    }

    /// The commands that take the step back, where it has some of its own.
    #[must_use]
    pub fn undo(&self) -> Option<String> {
        (!self.step.undo.is_empty()).then(|| self.commands("iec_undo", "", &self.step.undo))
    }

    fn commands(&self, function: &str, manner: &str, commands: &[Expr]) -> String {
        let body: String = commands
            .iter()
            .map(|command| command.page(" || return") + "\n")
            .collect();
        block(function, self.number, manner, &body)
    }
}

/// One call of a function of the preface, with what it reads.
fn block(function: &str, number: &str, manner: &str, body: &str) -> String {
    let delimiter = free_delimiter(body, "END_OF_STEP");
    format!(
        "{function} {}{manner} <<'{delimiter}'\n{body}{delimiter}\n",
        Word::new(number)
    )
}
