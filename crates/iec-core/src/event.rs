//! What a host's runner reports while it works, one event a line.

use iec_sh::events;
use serde::Serialize;

use crate::plan::StepId;
use crate::said::said;

/// One line of a runner's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A step has work to do and begins.
    Started {
        /// The step.
        step: StepId,
        /// What its check found missing, one thing an entry.
        missing: Vec<String>,
    },
    /// A step was done before.
    Unchanged {
        /// The step.
        step: StepId,
    },
    /// A step was done before, but not recorded: somebody else did it, or the journal was lost.
    Adopted {
        /// The step.
        step: StepId,
    },
    /// A step is done now, and its check says so.
    Changed {
        /// The step.
        step: StepId,
        /// How long it took.
        milliseconds: u64,
    },
    /// A step is taken back.
    Undone {
        /// The step.
        step: StepId,
        /// How long it took.
        milliseconds: u64,
    },
    /// A step failed; the host stops.
    Failed {
        /// The step.
        step: StepId,
        /// How it failed.
        reason: Failure,
        /// The exit code of the command that failed, where one did.
        code: u8,
        /// The last lines that were printed, or the questions that could not be answered.
        output: String,
    },
    /// The host stopped before this step because it was asked to.
    Stopped {
        /// The step that would have been next.
        step: StepId,
    },
    /// Another run holds the host's lock.
    Locked {
        /// What the owner wrote into the lock.
        owner: String,
    },
    /// The runner ends.
    End {
        /// Its exit code.
        code: u8,
    },
}

/// How a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A command ended with an exit code other than 0.
    Command,
    /// Every command succeeded, but the check still finds work: it did not take effect.
    Effect,
    /// The check could not tell.
    Unknown,
    /// The journal could not be written.
    Journal,
}

/// A line of a runner that this program does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host's runner printed a line that cannot be read: {line}")]
pub struct MalformedLine {
    /// The line.
    pub line: String,
}

/// How much of a line is shown, in characters.
const SHOWN: usize = 500;

impl MalformedLine {
    pub(crate) fn of(line: &str) -> Self {
        let line: String = line.chars().take(SHOWN).collect();
        Self { line: said(&line) }
    }
}

impl Event {
    /// Reads one line. `None` for a line that is no event of a run: other output, or an answer of [`crate::observed`].
    ///
    /// # Errors
    /// When the line begins as an event does but cannot be read.
    pub fn parse(line: &str) -> Result<Option<Self>, MalformedLine> {
        let mut fields = line.trim_end_matches(['\r', '\n']).split('\t');
        if fields.next() != Some("iec") {
            return Ok(None);
        }
        let kind = fields.next().unwrap_or_default();
        let fields: Vec<&str> = fields.collect();
        if matches!(kind, events::OBSERVED | events::PRESENT | events::JOURNAL) {
            return Ok(None);
        }
        parse_event(kind, &fields)
            .map(Some)
            .ok_or_else(|| MalformedLine::of(line))
    }

    /// The step that the event is about.
    #[must_use]
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Self::Started { step, .. }
            | Self::Unchanged { step }
            | Self::Adopted { step }
            | Self::Changed { step, .. }
            | Self::Undone { step, .. }
            | Self::Failed { step, .. }
            | Self::Stopped { step } => Some(step),
            Self::Locked { .. } | Self::End { .. } => None,
        }
    }
}

fn parse_event(kind: &str, fields: &[&str]) -> Option<Event> {
    let step = || fields.first().map(|id| StepId::from_record(id));
    Some(match kind {
        events::STARTED => Event::Started {
            step: step()?,
            missing: lines(&words(fields.get(2)?)?),
        },
        events::UNCHANGED => Event::Unchanged { step: step()? },
        events::ADOPTED => Event::Adopted { step: step()? },
        events::CHANGED => Event::Changed {
            step: step()?,
            milliseconds: fields.get(1)?.parse().ok()?,
        },
        events::UNDONE => Event::Undone {
            step: step()?,
            milliseconds: fields.get(1)?.parse().ok()?,
        },
        events::FAILED => Event::Failed {
            step: step()?,
            reason: match *fields.get(1)? {
                "command" => Failure::Command,
                "effect" => Failure::Effect,
                "unknown" => Failure::Unknown,
                "journal" => Failure::Journal,
                _ => return None,
            },
            code: fields.get(2)?.parse().ok()?,
            output: words(fields.get(3)?)?,
        },
        events::STOPPED => Event::Stopped { step: step()? },
        events::LOCKED => Event::Locked {
            owner: words(fields.first()?)?.trim().to_owned(),
        },
        events::END => Event::End {
            code: fields.first()?.parse().ok()?,
        },
        _ => return None,
    })
}

/// The longest free text of an event, as base64: the runner says a tenth of it.
const LONGEST: usize = 128 << 10;

/// Free text for people.
pub(crate) fn words(field: &str) -> Option<String> {
    (field.len() <= LONGEST)
        .then(|| text(field))?
        .map(|text| said(&text))
}

/// Free text of a line: base64 of bytes that may not be UTF-8.
pub(crate) fn text(field: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(field).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a text that are not empty.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Event, Failure};
    use crate::plan::StepId;
    use crate::said::said;

    #[test]
    fn events_are_read() {
        let step = StepId::from_record("runtime.images");
        let cases = [
            (
                "iec\tunchanged\truntime.images",
                Event::Unchanged { step: step.clone() },
            ),
            (
                "iec\tchanged\truntime.images\t1250",
                Event::Changed {
                    step: step.clone(),
                    milliseconds: 1250,
                },
            ),
            (
                "iec\tfailed\truntime.images\teffect\t0\tYQpi",
                Event::Failed {
                    step,
                    reason: Failure::Effect,
                    code: 0,
                    output: "a\nb".to_owned(),
                },
            ),
            (
                "iec\tlocked\tYWxpY2UK",
                Event::Locked {
                    owner: "alice".to_owned(),
                },
            ),
            ("iec\tend\t2", Event::End { code: 2 }),
        ];
        for (line, event) in cases {
            assert_eq!(Event::parse(line), Ok(Some(event)), "{line}");
        }
    }

    #[test]
    fn no_word_of_a_host_acts_on_a_terminal() {
        use base64::Engine as _;
        let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}";
        let coded = base64::engine::general_purpose::STANDARD.encode(evil);
        for line in [
            format!("iec\tstarted\t{evil}\tneeded\t{coded}"),
            format!("iec\tunchanged\t{evil}"),
            format!("iec\tchanged\t{evil}\t5"),
            format!("iec\tundone\t{evil}\t5"),
            format!("iec\tfailed\t{evil}\tcommand\t1\t{coded}"),
            format!("iec\tstopped\t{evil}"),
            format!("iec\tlocked\t{coded}"),
            format!("iec\t{evil}"),
            format!("iec\tchanged\t{evil}\t{evil}"),
        ] {
            let shown = match Event::parse(&line) {
                Ok(event) => format!(
                    "{event:?} {}",
                    event.as_ref().and_then(Event::step).map_or("", StepId::as_str)
                ),
                Err(error) => error.to_string(),
            };
            assert_eq!(said(&shown), shown, "{line:?}");
        }
    }

    #[test]
    fn other_lines_are_no_events() {
        for line in ["", "hello", "iecx\tend\t0", "iec\tobserved\ta.b\tdone\tknown\t"] {
            assert_eq!(Event::parse(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn broken_events_are_errors() {
        for line in [
            "iec",
            "iec\tchanged\ta.b",
            "iec\tchanged\ta.b\tsoon",
            "iec\tfailed\ta.b\teffect\t0\t%%",
            "iec\tdance\ta.b",
        ] {
            assert!(Event::parse(line).is_err(), "{line}");
        }
    }
}
