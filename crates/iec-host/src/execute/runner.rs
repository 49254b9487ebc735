//! One run of a host's runner: its events as they come, the user's wish to stop on its way, and how it ended.

use std::future::pending;
use std::time::Duration;

use iec_core::event::{Event, Failure};
use iec_core::plan::{HOME, StepId};
use iec_sh::LockQuestion;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{HostResult, RunName};
use crate::ask::ask;
use crate::error::{HostError, evidence};
use crate::host::{Bounds, Host, Script};
use crate::outcome::{Ending, Privilege};
use crate::payload::Payload;

/// How long the host waits for its lock at a time; between two waits the user may stop us.
const LOCK_WAIT: u32 = 20;

/// Longer than every wait of a plan together, and more than all its steps say.
pub(super) const RUN: Bounds = Bounds {
    question: "the host's part of the plan",
    bytes: 64 << 20,
    time: Duration::from_secs(24 * 60 * 60),
};

/// A runner that works on a host.
pub(super) struct Runner<'a> {
    pub host: &'a dyn Host,
    pub owner: &'a str,
    pub run: &'a RunName,
    pub stop: &'a CancellationToken,
}

/// How a run of a script ended.
pub(super) enum RunnerEnd {
    /// With a result.
    Result(HostResult),
    /// An earlier attempt of this very run still works on the host.
    StillAtWork,
    /// Without a result that can be relied on: the host is to be asked again.
    Ambiguous(HostError),
}

/// What the events of a run say about its end.
#[derive(Default)]
struct Verdict {
    failed: Option<(StepId, Failure, u8, String)>,
    stopped: Option<StepId>,
    locked: Option<String>,
    ended: Option<u8>,
    malformed: Option<String>,
}

impl Runner<'_> {
    /// Runs `script` to its end and hands each event to `note`. When `in_vain` ends first, the host is told to stop.
    pub(super) async fn run(
        &self,
        script: &Script,
        in_vain: impl Future<Output = ()> + Send,
        note: &mut (dyn FnMut(Event) + Send),
    ) -> RunnerEnd {
        let mut verdict = Verdict::default();
        let outcome = {
            let mut on_line = |line: &str| match Event::parse(line) {
                Ok(Some(event)) => {
                    verdict.take(&event);
                    note(event);
                }
                Ok(None) => {}
                Err(error) => verdict.malformed = Some(error.line),
            };
            let running = self.host.run(script, Privilege::Root, &mut on_line);
            tokio::select! {
                outcome = running => outcome,
                never = self.pass_on_the_wish_to_stop(in_vain) => match never {},
            }
        };
        let error = match outcome.ending {
            Ending::NeverRan(error) | Ending::Lost(error) => error,
            Ending::Exited(_) | Ending::Killed(_) if verdict.ended.is_some() => {
                return verdict.end(self.owner);
            }
            Ending::Exited(status) => ended(format!("exit status {status}"), &outcome.stderr),
            Ending::Killed(signal) => ended(format!("killed by {signal}"), &outcome.stderr),
        };
        // The last word may have come through before the connection went.
        if verdict.ended.is_some() {
            verdict.end(self.owner)
        } else {
            RunnerEnd::Ambiguous(error)
        }
    }

    /// When the user wants to stop, or the host waits in vain, tells the host's runner; it ends before its next step or
    /// within a wait.
    async fn pass_on_the_wish_to_stop(
        &self,
        in_vain: impl Future<Output = ()> + Send,
    ) -> std::convert::Infallible {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = in_vain => {}
        }
        let outcome = self.host.put(Payload::stop(self.run), &mut |_| {}).await;
        if !outcome.succeeded() {
            // The run itself will show what is wrong with the host.
            tracing::warn!(
                host = self.host.name(),
                ?outcome,
                "the wish to stop did not reach the host"
            );
        }
        pending().await
    }

    /// Who works on the host; waits up to `seconds` for nobody to.
    pub(super) async fn owner_of_lock(&self, seconds: u32) -> Result<Option<String>, HostError> {
        let bounds = Bounds {
            question: "the question for the host's lock",
            bytes: 64 << 10,
            time: Duration::from_secs(u64::from(seconds) + 60),
        };
        let script = Script::new(LockQuestion { home: HOME, seconds }.text(), bounds);
        let answer = ask(self.host, &script, Privilege::Root).await?;
        let answer = answer.expect_success(bounds.question)?;
        let owner = answer.lines.iter().find_map(|line| match Event::parse(line) {
            Ok(Some(Event::Locked { owner })) => Some(owner),
            _ => None,
        });
        Ok(owner)
    }

    /// Waits until an earlier attempt of this very run has ended on the host. Gives the owner where somebody else works there.
    pub(super) async fn wait_until_free(
        &self,
        alone: &mut (dyn FnMut() + Send),
    ) -> Result<Option<String>, HostError> {
        let mut asked_to_stop = false;
        let mut seconds = 0;
        let began = Instant::now();
        loop {
            if began.elapsed() > RUN.time {
                return Err(HostError::NoEnd {
                    address: self.host.name().to_owned(),
                    question: RUN.question,
                    seconds: RUN.time.as_secs(),
                });
            }
            match self.owner_of_lock(seconds).await? {
                Some(owner) if owner == self.owner => alone(),
                other => return Ok(other),
            }
            seconds = LOCK_WAIT;
            if self.stop.is_cancelled() && !asked_to_stop {
                asked_to_stop = self
                    .host
                    .put(Payload::stop(self.run), &mut |_| {})
                    .await
                    .succeeded();
            }
        }
    }
}

fn ended(ended: String, stderr: &str) -> HostError {
    HostError::Ended {
        asking: RUN.question,
        ended,
        evidence: evidence(stderr, ""),
    }
}

impl Verdict {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Failed {
                step,
                reason,
                code,
                output,
            } => {
                self.failed = Some((step.clone(), *reason, *code, output.clone()));
            }
            Event::Stopped { step } => self.stopped = Some(step.clone()),
            Event::Locked { owner } => self.locked = Some(owner.clone()),
            Event::End { code } => self.ended = Some(*code),
            Event::Started { .. }
            | Event::Unchanged { .. }
            | Event::Adopted { .. }
            | Event::Changed { .. }
            | Event::Undone { .. } => {}
        }
    }

    /// The end of a runner that came to its last word.
    fn end(self, owner: &str) -> RunnerEnd {
        RunnerEnd::Result(match self {
            Self {
                locked: Some(holder), ..
            } if holder == owner => return RunnerEnd::StillAtWork,
            Self {
                locked: Some(owner), ..
            } => HostResult::Locked { owner },
            Self {
                failed: Some((step, reason, code, output)),
                ..
            } => HostResult::Failed {
                step,
                reason,
                code,
                output,
            },
            Self {
                stopped: Some(step), ..
            } => HostResult::Stopped { before: Some(step) },
            Self { ended: Some(0), .. } => HostResult::Done,
            Self {
                malformed: Some(evidence),
                ..
            } => HostResult::Unknown(HostError::Answer { evidence }),
            Self { ended, .. } => HostResult::Unknown(HostError::Answer {
                evidence: format!(
                    "its runner ended with {} and said no reason",
                    ended.unwrap_or_default()
                ),
            }),
        })
    }
}
