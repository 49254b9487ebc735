//! How executing a plan ended, host by host.

use std::collections::BTreeMap;
use std::fmt;

use iec_core::event::Failure;
use iec_core::plan::StepId;

use crate::error::{HostError, evidence};

/// How a host's part ended.
#[derive(Debug)]
pub enum HostResult {
    /// Every step is done.
    Done,
    /// A step failed; the host stopped there.
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
    /// What the host needs could not be stored there, for example because its disk is full.
    NotStored {
        /// The exit code, or the signal.
        ended: String,
        /// What was said about it.
        output: String,
    },
    /// Somebody else works on the host: nothing was done.
    Locked {
        /// Who.
        owner: String,
    },
    /// It was stopped on the user's wish.
    Stopped {
        /// The step that would have been next; `None` where the host had not begun.
        before: Option<StepId>,
    },
    /// The host could not be reached, or what became of its part is not known.
    Unknown(HostError),
}

/// What was done on one host.
#[derive(Debug)]
pub struct HostSummary {
    /// How it ended.
    pub result: HostResult,
    /// How many steps were done now.
    pub changed: usize,
    /// How many were done before, but recorded only now.
    pub adopted: usize,
    /// How many were done before.
    pub unchanged: usize,
    /// How many bytes of files and secrets were sent.
    pub sent: u64,
}

/// What was done on all hosts.
#[derive(Debug, Default)]
pub struct Summary {
    /// By host name.
    pub hosts: BTreeMap<String, HostSummary>,
}

impl Summary {
    /// Whether every host is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.hosts
            .values()
            .all(|host| matches!(host.result, HostResult::Done))
    }
}

impl HostResult {
    /// The stable code of a result that is not [`HostResult::Done`], as the manual explains it.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Done => return None,
            Self::Failed {
                reason: Failure::Command,
                ..
            } => "IEC4001",
            Self::Failed {
                reason: Failure::Effect,
                ..
            } => "IEC4002",
            Self::Failed {
                reason: Failure::Unknown,
                ..
            } => "IEC4003",
            Self::Failed {
                reason: Failure::Journal,
                ..
            } => "IEC4004",
            Self::NotStored { .. } => "IEC4005",
            Self::Locked { .. } => "IEC4006",
            Self::Stopped { .. } => "IEC4007",
            Self::Unknown(error) => error.code(),
        })
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        let next = match self {
            Self::Done => return None,
            Self::Failed {
                reason: Failure::Command | Failure::Effect,
                ..
            } => {
                "Read what the step printed, put right what it complains about, and run the same command again: it goes on at this step."
            }
            Self::Failed {
                reason: Failure::Unknown,
                ..
            } => {
                "Make the question answerable on the host, and run the same command again: nothing was changed by this step."
            }
            Self::Failed {
                reason: Failure::Journal,
                ..
            } => {
                "Make /var/lib/iec writable on the host and free some space (`df -h /var/lib/iec`), and run the same command again."
            }
            Self::NotStored { .. } => {
                "Free space under /var/lib/iec on the host (`df -h /var/lib/iec`), and run the same command again."
            }
            Self::Locked { .. } => "Wait until the other run has ended, or ask its owner.",
            Self::Stopped { .. } => "Run the same command again: it goes on at this step.",
            Self::Unknown(error) => return Some(error.next()),
        };
        Some(next.to_owned())
    }
}

/// The cause with its evidence, in one line; the output of a failed step is left to whoever shows it.
impl fmt::Display for HostResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => formatter.write_str("every step is done"),
            Self::Failed {
                step,
                reason: Failure::Command,
                code,
                ..
            } => {
                write!(
                    formatter,
                    "the step {step} failed: a command ended with exit code {code}"
                )
            }
            Self::Failed {
                step,
                reason: Failure::Effect,
                ..
            } => {
                write!(
                    formatter,
                    "the step {step} did not take effect: its commands succeeded, its check still finds work"
                )
            }
            Self::Failed {
                step,
                reason: Failure::Unknown,
                ..
            } => {
                write!(formatter, "the check of the step {step} could not tell")
            }
            Self::Failed {
                step,
                reason: Failure::Journal,
                ..
            } => {
                write!(
                    formatter,
                    "the journal could not be written, so the step {step} was not begun"
                )
            }
            Self::NotStored { ended, output } => {
                write!(
                    formatter,
                    "what was sent could not be stored ({ended}): {}",
                    evidence(output, "")
                )
            }
            Self::Locked { owner } => write!(formatter, "somebody else works on the host: {owner}"),
            Self::Stopped { before: Some(step) } => write!(formatter, "stopped before the step {step}"),
            Self::Stopped { before: None } => formatter.write_str("stopped before it began"),
            Self::Unknown(error) => error.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_but_success_has_a_code_and_a_next_action() {
        let failed = |reason| HostResult::Failed {
            step: StepId::from_record("system.swap"),
            reason,
            code: 3,
            output: String::new(),
        };
        let results = [
            failed(Failure::Command),
            failed(Failure::Effect),
            failed(Failure::Unknown),
            failed(Failure::Journal),
            HostResult::NotStored {
                ended: "exit status 2".to_owned(),
                output: "tar: full\n".to_owned(),
            },
            HostResult::Locked {
                owner: "somebody".to_owned(),
            },
            HostResult::Stopped { before: None },
            HostResult::Unknown(HostError::Answer {
                evidence: "x".to_owned(),
            }),
        ];
        let codes: std::collections::BTreeSet<_> = results
            .iter()
            .map(|result| result.code().expect("a code"))
            .collect();
        assert_eq!(codes.len(), results.len());
        assert!(results.iter().all(|result| result.next().is_some()));
        assert_eq!(
            results[4].to_string(),
            "what was sent could not be stored (exit status 2): tar: full"
        );
        assert!(
            results[0].to_string().contains("system.swap") && results[0].to_string().contains("exit code 3")
        );
        assert_eq!((HostResult::Done.code(), HostResult::Done.next()), (None, None));
    }
}
