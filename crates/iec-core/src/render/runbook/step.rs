//! One step of a runbook: why, the question, the commands, what success looks like, and the way back.

use iec_sh::PasteStep;

use super::blocks::Part;
use super::page::{Block, Commands, Page, Prose};
use crate::plan::{HOME, Lowered, Op, Step, Undo, lower};

/// Commands of more lines than these stand at the end of the book.
const LONG_LINES: usize = 120;
/// So many signs of success are named.
const NAMED_SIGNS: usize = 6;

/// A step with its number for people.
pub(super) struct NumberedStep<'a> {
    pub(super) step: &'a Step,
    pub(super) number: String,
    pub(super) lowered: Lowered,
}

impl<'a> NumberedStep<'a> {
    pub(super) fn new(step: &'a Step, number: String) -> Self {
        Self {
            step,
            number,
            lowered: lower(step),
        }
    }

    /// Where the step is in the book.
    pub(super) fn anchor(&self) -> String {
        anchor(self.step.host.as_str(), self.step.id.as_str())
    }

    /// The commands of one part of the step, where it has some.
    fn commands(&self, part: Part) -> Option<Commands> {
        let runner = self.lowered.runner_step(self.step);
        let paste = PasteStep {
            step: &runner,
            number: &self.number,
        };
        let text = match part {
            Part::Check => Some(paste.ask()),
            Part::Apply => paste.apply(),
            Part::Undo => paste.undo(),
            Part::Preface | Part::Content | Part::Secrets | Part::Leave => None,
        };
        text.map(|text| Commands {
            host: self.step.host.to_string(),
            step: Some(self.step.id.to_string()),
            part,
            number: self.number.clone(),
            text,
        })
    }

    /// Writes the step. What is long goes to `appendix`.
    pub(super) fn write(&self, page: &mut Page, appendix: &mut Page, all: &[NumberedStep<'_>]) {
        page.task(4, self.anchor(), format!("{} {}", self.number, self.step.title));
        let time = match self.step.estimate_seconds {
            0 => "a moment".to_owned(),
            seconds => super::host::time(seconds),
        };
        page.push(Block::Prose(
            Prose::new(&format!("{} Takes {time}. (", self.step.why)).then(&format!("`{}`)", self.step.id)),
        ));
        self.ask(page, appendix);
        if let Some(commands) = self.commands(Part::Apply) {
            page.push(Block::Prose(Prose::default().strong("Do.").then(&self.manner())));
            put(page, appendix, self, commands);
            page.push(Block::Prose(Prose::default().strong("It has worked").then(
                &format!(
                    " when the question, asked again, prints `Step {}: done.` That means: {}.",
                    self.number,
                    self.signs()
                ),
            )));
        }
        page.push(Block::Prose(self.way_back(all)));
    }

    fn ask(&self, page: &mut Page, appendix: &mut Page) {
        let done = format!("`Step {}: done.`", self.number);
        let words = match &self.step.op {
            Op::Require(require) => format!(" It must print {done} {}", told(&require.what)),
            _ => format!(" Skip this step if it prints {done}"),
        };
        page.push(Block::Prose(Prose::default().strong("Ask.").then(&words)));
        if let Some(commands) = self.commands(Part::Check) {
            put(page, appendix, self, commands);
        }
    }

    /// What somebody should know who pastes the commands.
    fn manner(&self) -> String {
        match &self.step.op {
            Op::Wait(wait) => format!(
                " It asks every {} until {}, and gives up after {}.",
                super::host::time(wait.every_seconds),
                wait.what,
                super::host::time(wait.deadline_seconds)
            ),
            Op::File(file) => match &file.content {
                crate::plan::FileContent::Text(_) => format!(
                    " The file as a whole is between the lines that end with `'EOF'` and `EOF`; its mode is {:04o}.",
                    file.mode
                ),
                crate::plan::FileContent::Secret(_) | crate::plan::FileContent::Changing { .. } => {
                    " The file comes from the secrets that you brought along; nothing shows it.".to_owned()
                }
            },
            _ if self.lowered.sensitive => {
                " What the commands print is not shown: it may hold a secret.".to_owned()
            }
            _ => String::new(),
        }
    }

    fn signs(&self) -> String {
        if matches!(self.step.op, Op::Store { .. }) {
            return "every file is there, and has its SHA-256".to_owned();
        }
        let signs: Vec<&str> = self
            .lowered
            .check
            .iter()
            .map(|question| without_code(&question.what))
            .collect();
        match signs.len() {
            0..=NAMED_SIGNS => signs.join("; "),
            more => format!(
                "{}; and {} more like these",
                signs[..NAMED_SIGNS].join("; "),
                more - NAMED_SIGNS
            ),
        }
    }

    fn way_back(&self, all: &[NumberedStep<'_>]) -> Prose {
        let back = Prose::default().strong("The way back.");
        match &self.lowered.undo {
            Undo::Commands(_) => back
                .then(" The commands are at ")
                .link(format!("step {} back", self.number), undo_anchor(self))
                .then("."),
            Undo::Nothing => back.then(" Nothing to take back: it leaves nothing behind."),
            Undo::Irreversible(reason) => back.then(&format!(" There is none: {reason}.")),
            Undo::CoveredBy(id) => {
                // A worker's steps name the control plane's step, and the other way round.
                let (_, name) = id.split_once('.').unwrap_or(("", id));
                let other = all
                    .iter()
                    .find(|other| other.step.id.as_str() == *id)
                    .or_else(|| {
                        all.iter().find(|other| {
                            other.step.id.as_str().ends_with(&format!(".{name}"))
                                && !other.lowered.undo_commands().is_empty()
                        })
                    });
                match other {
                    Some(other) => back
                        .then(" It is taken back together with ")
                        .link(format!("step {}", other.number), undo_anchor(other))
                        .then("."),
                    None => back.then(&format!(" It is taken back together with `{id}`.")),
                }
            }
        }
    }

    /// Writes the commands that take the step back, where it has some.
    pub(super) fn write_undo(&self, page: &mut Page) {
        let Some(commands) = self.commands(Part::Undo) else {
            return;
        };
        page.task(
            4,
            undo_anchor(self),
            format!("{} back: {}", self.number, self.step.title),
        );
        page.push(Block::Commands(commands));
    }
}

/// The commands of a step, or the way to them where they are long.
fn put(page: &mut Page, appendix: &mut Page, step: &NumberedStep<'_>, commands: Commands) {
    let lines = commands.text.lines().count();
    if lines <= LONG_LINES {
        page.push(Block::Commands(commands));
        return;
    }
    let anchor = format!("{}-{}-whole", step.anchor(), commands.part);
    let what = if commands.part == Part::Check { "ask" } else { "do" };
    let text = format!("{} {what}: {}", step.number, step.step.title);
    page.push(Block::Prose(
        Prose::new(&format!(
            "The block has {lines} lines and stands at the end of the book: "
        ))
        .link(text.clone(), anchor.clone())
        .then("."),
    ));
    appendix.heading(3, anchor, text);
    appendix.push(Block::Commands(commands));
}

/// What a requirement says, and what to do where it is not so; its code is something to type.
fn told(what: &str) -> String {
    let words = without_code(what);
    let more = code(what).map_or(String::new(), |(code, _)| {
        format!(" `iec explain {code}` says what to do.")
    });
    format!(
        "That means: {words}. If it prints `STOP HERE`, this is not so, or nobody can tell: do not change this host.{more}"
    )
}

fn without_code(what: &str) -> &str {
    code(what).map_or(what, |(_, words)| words)
}

/// The code that a question begins with, and the rest.
fn code(what: &str) -> Option<(&str, &str)> {
    what.split_once(": ").filter(|(code, _)| code.starts_with("IEC"))
}

fn anchor(host: &str, step: &str) -> String {
    format!("{host}-{}", step.replace('.', "-"))
}

fn undo_anchor(step: &NumberedStep<'_>) -> String {
    format!("{}-back", step.anchor())
}

/// The folder that the steps keep everything in, for prose.
pub(super) const KEPT: &str = HOME;
