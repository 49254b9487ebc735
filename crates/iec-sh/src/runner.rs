//! The host-side runner: one shell script that asks, records, acts and asks again.

use std::fmt::Write as _;

use crate::repeated::Repeated;
use crate::{Expr, Word};

/// The runner's functions, the same in every script.
const PRELUDE: &str = include_str!("prelude.sh");
/// Notes what somebody else has in IEC's folder, before anything is put there.
pub(crate) const NOTE_HOME: &str = include_str!("note_home.sh");
/// What stands before those of its functions that a script which only asks does not call.
const ACTING: &str = "# What follows changes a host.\n";

/// The names of the runner's events, the first field after `iec` on a line of its output.
pub mod events {
    /// `observed ID STATE known|new MISSING`
    pub const OBSERVED: &str = "observed";
    /// `present ID PATH FORM CONTENT`
    pub const PRESENT: &str = "present";
    /// `differs ID LINES`: how what is there differs, field by field
    pub const DIFFERS: &str = "differs";
    /// `journal LINES`: those about steps that were not asked for
    pub const JOURNAL: &str = "journal";
    /// `started ID STATE MISSING`
    pub const STARTED: &str = "started";
    /// `unchanged ID`
    pub const UNCHANGED: &str = "unchanged";
    /// `adopted ID`
    pub const ADOPTED: &str = "adopted";
    /// `changed ID MILLISECONDS`
    pub const CHANGED: &str = "changed";
    /// `failed ID REASON CODE OUTPUT`
    pub const FAILED: &str = "failed";
    /// `stopped ID`
    pub const STOPPED: &str = "stopped";
    /// `undone ID MILLISECONDS`
    pub const UNDONE: &str = "undone";
    /// `locked OWNER`
    pub const LOCKED: &str = "locked";
    /// `end CODE`
    pub const END: &str = "end";
    /// `received NAME SIZE SHA256`: what there is of a file that was sent
    pub const RECEIVED: &str = "received";
    /// `output KIND SECONDS SIZE TEXT`: what a step printed when it was last done, asked or taken back
    pub const OUTPUT: &str = "output";
}

/// What a run of the script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Asks every question and changes nothing.
    Observe,
    /// Does what is needed.
    Apply,
}

/// One question of a check. Exit code 0 means done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is true when the answer is 0, in words for a person.
    pub what: String,
    /// The question; it changes nothing.
    pub ask: Expr,
    /// The exit codes that mean "there is work to do". Any other means "could not tell" and stops the host.
    pub needed: Vec<u8>,
}

/// One step as the runner needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerStep {
    /// The stable name, `[a-z0-9.@-]+`.
    pub id: String,
    /// What it does, for people; the journal keeps it.
    pub title: String,
    /// The digest of what the step is made from.
    pub digest: String,
    /// Its output may hold a secret: it is not kept.
    pub sensitive: bool,
    /// The questions of its check.
    pub questions: Vec<Question>,
    /// What keeps, on the disk, what is there before its first change; done before the journal has an intent.
    pub keep: Vec<Expr>,
    /// Its commands, in order; the first that fails ends the step.
    pub apply: Vec<Expr>,
    /// What takes it back; the journal keeps the text.
    pub undo: Vec<Expr>,
    /// How it is taken back where no command does it; the journal keeps that too.
    pub way_back: WayBack,
    /// The files whose present content a difference shows.
    pub shows: Vec<String>,
    /// What prints how what is there differs, a field a line, where it has work to do. They change nothing and print no
    /// secret.
    pub differences: Vec<Expr>,
    /// What prints the words of the programs that it depends on; asked when it fails. They print no secret.
    pub last_words: Vec<Expr>,
}

/// How a step is taken back, apart from its commands for that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WayBack {
    /// By them; where there are none, it leaves nothing behind.
    #[default]
    ByItself,
    /// By what takes this other step back.
    With(String),
    /// Not at all, for this reason.
    Never(String),
}

impl WayBack {
    /// As a field of a line of the journal, with the comma before it; nothing where the commands say it.
    fn field(&self) -> String {
        match self {
            Self::ByItself => String::new(),
            Self::With(step) => format!(",\"covered\":\"{}\"", json_escaped(step)),
            Self::Never(reason) => format!(",\"stays\":\"{}\"", json_escaped(reason)),
        }
    }
}

/// A host's part of a plan as one script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerScript<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// Who runs it, written into the lock for others to read.
    pub owner: &'a str,
    /// The name of this run, `[a-z0-9-]+`.
    pub run: &'a str,
    /// The steps, in order.
    pub steps: &'a [RunnerStep],
    /// How many of them only say whether the host may be changed. They come before anything is taken back.
    pub admission: usize,
    /// Whether these are all steps of the host: then observing tells what its journal has beyond them.
    pub whole: bool,
    /// What is taken back, in order, before the other steps.
    pub undo: &'a [UndoStep],
}

impl RunnerScript<'_> {
    /// The script's text. It does nothing before its last line was read, so a cut transfer runs nothing.
    #[must_use]
    pub fn text(&self, mode: Mode) -> String {
        let mut text = match mode {
            // Nobody reads or keeps it, and it travels to every host each time.
            Mode::Observe => {
                let whole = preamble(self.home, self.owner, self.run);
                without_comments(whole.split(ACTING).next().unwrap_or_default())
            }
            Mode::Apply => preamble(self.home, self.owner, self.run),
        };
        let mut functions = String::new();
        for (number, step) in self.steps.iter().enumerate() {
            step.functions(number, mode, &mut functions);
        }
        match mode {
            Mode::Observe => {
                let repeated = Repeated::of(self.steps.iter().flat_map(RunnerStep::asks));
                text.push_str(&repeated.functions());
                text.push_str(&repeated.by_name(&functions));
            }
            Mode::Apply => text.push_str(&functions),
        }
        let calls = |steps: std::ops::Range<usize>, text: &mut String| {
            for number in steps {
                self.steps[number].call(number, mode, text);
            }
        };
        match mode {
            Mode::Observe => {
                text.push_str("iec_once=iec_once\niec_read_journal\n");
                calls(0..self.steps.len(), &mut text);
                if self.whole {
                    text.push_str("iec_leftovers\n");
                }
            }
            Mode::Apply => {
                undo_functions(self.undo, &mut text);
                text.push_str("iec_lock\n");
                let admission = self.admission.min(self.steps.len());
                calls(0..admission, &mut text);
                undo_calls(self.undo, &mut text);
                calls(admission..self.steps.len(), &mut text);
            }
        }
        text.push_str("iec_finish 0\n}\nmain </dev/null\n");
        text
    }
}

/// One step that is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoStep {
    /// The step.
    pub id: String,
    /// What takes it back: shell that this crate printed before the step was done. The host kept it where only root
    /// writes.
    pub text: String,
    /// What happens when a command of it fails.
    pub on_failure: OnFailure,
}

/// What happens when a step cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The host stops there; the step stays recorded.
    Stop,
    /// It counts as taken back: what it was part of is given up anyway.
    GoOn,
}

fn undo_functions(steps: &[UndoStep], text: &mut String) {
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "iec_undo_{number}() {{ :\n{}}}", step.text);
    }
}

fn undo_calls(steps: &[UndoStep], text: &mut String) {
    for (number, step) in steps.iter().enumerate() {
        let on_failure = match step.on_failure {
            OnFailure::Stop => "stop",
            OnFailure::GoOn => "go-on",
        };
        let _ = writeln!(
            text,
            "iec_undo {number} {} {on_failure}",
            Word::new(step.id.as_str())
        );
    }
}

/// Steps taken back, by the texts that a host's journal kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoScript<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// Who runs it, written into the lock for others to read.
    pub owner: &'a str,
    /// The name of this run, `[a-z0-9-]+`.
    pub run: &'a str,
    /// The steps in the order in which they are taken back.
    pub steps: &'a [UndoStep],
    /// Whether nothing but the journal stays afterwards.
    pub retire: bool,
}

impl UndoScript<'_> {
    /// The script's text. It does nothing before its last line was read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = preamble(self.home, self.owner, self.run);
        undo_functions(self.steps, &mut text);
        text.push_str("iec_lock\n");
        undo_calls(self.steps, &mut text);
        if self.retire {
            text.push_str("iec_retire\n");
        }
        text.push_str("iec_finish 0\n}\nmain </dev/null\n");
        text
    }
}

/// The question whether somebody works on a host, with the patience to wait until nobody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockQuestion<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// How long to wait for the lock to become free.
    pub seconds: u32,
}

impl LockQuestion<'_> {
    /// The script's text. It prints `end 0` when nobody works on the host, else `locked OWNER` and `end 1`.
    ///
    /// It holds the lock shared for a moment only, and changes nothing.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "main() {{\n\
             iec_lock={lock}\n\
             [ ! -e \"$iec_lock\" ] || flock -s -w {seconds} \"$iec_lock\" true\n\
             case $? in\n\
             0) printf 'iec\\tend\\t0\\n' ;;\n\
             1) printf 'iec\\tlocked\\t%s\\niec\\tend\\t1\\n' \"$(base64 -w0 <\"$iec_lock\")\" ;;\n\
             *) exit 4 ;;\n\
             esac\n\
             }}\nmain </dev/null\n",
            lock = Word::new(format!("{}/lock", self.home)),
            seconds = self.seconds,
        )
    }
}

/// The question what a host has of files that were sent to it, whole or in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedQuestion<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// The files, by the SHA-256 of their whole content in hex, which is their name.
    pub blobs: &'a [String],
}

impl ReceivedQuestion<'_> {
    /// The script's text. It prints `received NAME SIZE SHA256` for each file that is there, and changes nothing.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "main() {{\n\
             cd {incoming} 2>/dev/null || exit 0\n\
             while read -r name; do\n\
             [ -f \"$name\" ] || continue\n\
             sum=$(sha256sum <\"$name\") || continue\n\
             printf 'iec\\treceived\\t%s\\t%s\\t%s\\n' \"$name\" \"$(stat -c %s \"$name\")\" \"${{sum%% *}}\"\n\
             done <<'EOF'\n",
            incoming = Word::new(format!("{}/incoming", self.home)),
        );
        for name in self.blobs {
            let _ = writeln!(text, "{}", Word::new(name.as_str()));
        }
        text.push_str("EOF\nexit 0\n}\nmain </dev/null\n");
        text
    }
}

/// The beginning of every script: the names of this run, and the runner's functions.
pub(crate) fn preamble(home: &str, owner: &str, run: &str) -> String {
    let mut text = String::with_capacity(PRELUDE.len() + 1024);
    let _ = writeln!(
        text,
        "main() {{\niec_home={}\niec_owner={}\niec_by={}\niec_run={}\n{}",
        Word::new(home),
        Word::new(owner),
        Word::new(format!(",\"by\":\"{}\"", json_escaped(owner))),
        Word::new(run),
        PRELUDE.replace("@NOTE_HOME@", NOTE_HOME)
    );
    text
}

/// The text without its lines that are comments.
fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect()
}

impl RunnerStep {
    /// What of it a script that changes nothing has.
    fn asks(&self) -> impl Iterator<Item = &Expr> {
        let questions = self.questions.iter().map(|question| &question.ask);
        questions.chain(&self.differences)
    }

    fn functions(&self, number: usize, mode: Mode, text: &mut String) {
        let _ = writeln!(text, "iec_check_{number}() {{");
        for question in &self.questions {
            let needed = question
                .needed
                .iter()
                .map(u8::to_string)
                .collect::<Vec<_>>()
                .join(" ");
            let _ = writeln!(
                text,
                "{{ {}; }} >/dev/null 2>>\"$iec_errors\"; iec_answer $? {} {}",
                question.ask.statement(""),
                Word::new(needed),
                Word::new(question.what.as_str())
            );
        }
        text.push_str("}\n");
        match mode {
            Mode::Observe => {
                let _ = writeln!(text, "iec_show_{number}() {{ :");
                for path in &self.shows {
                    let _ = writeln!(text, "iec_present {} {}", self.id, Word::new(path.as_str()));
                }
                for command in &self.differences {
                    let command = command.statement("");
                    let _ = writeln!(
                        text,
                        "iec_say {} {} \"$({{ {command}; }} 2>/dev/null | head -c 4000 | base64 -w0)\"",
                        events::DIFFERS,
                        self.id
                    );
                }
            }
            Mode::Apply => {
                for (function, commands) in [("keep", &self.keep), ("apply", &self.apply)] {
                    let _ = writeln!(text, "iec_{function}_{number}() {{ :");
                    for command in commands {
                        let _ = writeln!(text, "{}", command.statement(" || return"));
                    }
                    if function == "keep" {
                        text.push_str("}\n");
                    }
                }
                let _ = writeln!(text, "}}\niec_words_{number}() {{ :");
                for command in &self.last_words {
                    let _ = writeln!(text, "{}", command.statement(""));
                }
            }
        }
        text.push_str("}\n");
    }

    fn call(&self, number: usize, mode: Mode, text: &mut String) {
        let Self { id, digest, .. } = self;
        let _ = match mode {
            Mode::Observe => writeln!(text, "iec_observe {number} {id} {digest}"),
            Mode::Apply => {
                let sensitive = if self.sensitive { "sensitive" } else { "open" };
                let title = Word::new(json_escaped(&self.title));
                let undo = Word::new(json_escaped(&self.undo_text()));
                // Commands quote much: as text in a word each quote would be four characters, and look like a slip.
                let commands = json_escaped(&self.commands_text()).replace('\'', "\\u0027");
                let commands = Word::new(commands);
                let way_back = Word::new(self.way_back.field());
                writeln!(
                    text,
                    "iec_step {number} {id} {digest} {sensitive} {title} {undo} {commands} {way_back}"
                )
            }
        };
    }

    /// The commands that take the step back, one statement after the other.
    #[must_use]
    pub fn undo_text(&self) -> String {
        self.undo
            .iter()
            .map(|command| command.statement(" || return") + "\n")
            .collect()
    }

    /// The commands that do the step, for a person who reads the journal.
    fn commands_text(&self) -> String {
        let statement = |command: &Expr| command.clone().abridged().page("") + "\n";
        shortened(self.apply.iter().map(statement).collect(), LONGEST_COMMANDS)
    }
}

/// The longest text of a step's commands that a journal keeps, in bytes.
const LONGEST_COMMANDS: usize = 4000;

/// The beginning of the text that has this many bytes at most, up to the end of a line; and how much there was.
fn shortened(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    let begun = &text[..end.unwrap_or(0)];
    let whole = begun.rfind('\n').map_or(begun, |end| &begun[..end]);
    format!(
        "{whole}\n# the journal has the first {} of {} bytes\n",
        whole.len(),
        text.len()
    )
}

/// The text as the inside of a JSON string (RFC 8259, section 7).
fn json_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
