//! One host's way through its part of a plan: send what it lacks, run its part, and come back after every cut.

use std::time::{Duration, Instant};

use iec_core::event::Event;
use iec_core::journal::Recorded;
use iec_core::observed::{HostObserved, State};
use iec_core::plan::{HostPart, Op, StepId, StoreBlob};
use iec_sh::{Mode, UndoStep};
use tokio::sync::watch;

use super::awaited::Awaited;
use super::backoff::Backoff;
use super::received::received;
use super::runner::{RUN, Runner, RunnerEnd};
use super::tally::Tally;
use super::{Execution, HostResult, HostSummary, Progress};
use crate::error::{HostError, evidence};
use crate::host::{Host, Script};
use crate::observe::observe_host;
use crate::outcome::Ending;
use crate::payload::{Payload, STORING};

/// The work on one host.
pub(super) struct HostRun<'a> {
    execution: &'a Execution<'a>,
    part: &'a HostPart,
    host: &'a dyn Host,
    awaited: &'a Awaited,
    sink: &'a (dyn Fn(&str, Progress) + Sync),
    tally: Tally,
    sent: u64,
    /// Whether the host waits for something in the cluster just now.
    waits: watch::Sender<bool>,
}

/// What one attempt came to.
enum Attempt {
    Over(HostResult),
    /// An earlier attempt still works on the host.
    Wait,
    /// The host is to be asked again, after a while.
    Again(HostError),
}

impl<'a> HostRun<'a> {
    pub(super) fn new(
        execution: &'a Execution<'a>,
        part: &'a HostPart,
        host: &'a dyn Host,
        awaited: &'a Awaited,
        sink: &'a (dyn Fn(&str, Progress) + Sync),
    ) -> Self {
        Self {
            execution,
            part,
            host,
            awaited,
            sink,
            tally: Tally::default(),
            sent: 0,
            waits: watch::Sender::new(false),
        }
    }

    /// Works until there is a result.
    pub(super) async fn finish(mut self) -> HostSummary {
        let result = self.attempts().await;
        HostSummary {
            result,
            changed: self.tally.changed(),
            adopted: self.tally.adopted(),
            unchanged: self.tally.unchanged(),
            sent: self.sent,
        }
    }

    async fn attempts(&mut self) -> HostResult {
        let mut observed = self
            .execution
            .observed
            .hosts
            .get(self.part.host.as_str())
            .cloned();
        // A part may be without steps that are recorded and held back: what was no leftover to whoever planned is none.
        let leftovers = observed.as_ref().map(|observed| observed.leftovers.clone());
        let mut backoff = Backoff::new(self.execution.patience);
        loop {
            let mut heard = false;
            let error = match self
                .attempt(observed.take(), leftovers.as_deref(), &mut heard)
                .await
            {
                Attempt::Over(result) => return result,
                Attempt::Wait => continue,
                Attempt::Again(error) => error,
            };
            if heard {
                backoff.reset();
            }
            let wait = match &error {
                HostError::Ended { .. } => backoff.next_after_silent_end(),
                passing if passing.is_passing() => backoff.next(),
                _ => None,
            };
            let Some(again_in) = wait else {
                return HostResult::Unknown(error);
            };
            self.tell(Progress::Away {
                cause: error.to_string(),
                again_in,
            });
            tokio::select! {
                () = tokio::time::sleep(again_in) => {}
                () = self.execution.stop.cancelled() => return HostResult::Unknown(error),
            }
        }
    }

    /// One attempt. What was `observed` a moment ago is used; otherwise the host is waited for and asked anew.
    async fn attempt(
        &mut self,
        observed: Option<HostObserved>,
        leftovers: Option<&[Recorded]>,
        heard: &mut bool,
    ) -> Attempt {
        if self.execution.stop.is_cancelled() {
            return Attempt::Over(HostResult::Stopped { before: None });
        }
        let observed = match observed {
            Some(observed) => observed,
            None => match self.ask_again().await {
                Ok(Ok(mut observed)) => {
                    if let Some(leftovers) = leftovers {
                        let is_known =
                            |recorded: &Recorded| leftovers.iter().any(|known| known.step == recorded.step);
                        observed.leftovers.retain(is_known);
                    }
                    observed
                }
                Ok(Err(owner)) => return Attempt::Over(HostResult::Locked { owner }),
                Err(error) => return Attempt::Again(error),
            },
        };
        if self.is_settled(&observed) {
            for step in &self.part.steps {
                self.note(Event::Unchanged {
                    step: step.id.clone(),
                });
            }
            return Attempt::Over(HostResult::Done);
        }
        let payload = match self.payload(&observed).await {
            Ok(payload) => payload,
            Err(error) => return Attempt::Again(error),
        };
        if !payload.is_empty() {
            match self.send(payload).await {
                Ok(None) => *heard = true,
                Ok(Some(result)) => return Attempt::Over(result),
                Err(error) => return Attempt::Again(error),
            }
        }
        self.run_part(&observed.removals(), heard).await
    }

    /// Waits until nobody works on the host, then asks all its checks; the owner where somebody else works there.
    async fn ask_again(&self) -> Result<Result<HostObserved, String>, HostError> {
        let mut alone = || self.tell(Progress::Alone);
        if let Some(owner) = self.runner().wait_until_free(&mut alone).await? {
            return Ok(Err(owner));
        }
        observe_host(self.host, self.part).await.map(Ok)
    }

    fn runner(&self) -> Runner<'a> {
        Runner {
            host: self.host,
            owner: self.execution.owner,
            run: self.execution.run,
            stop: self.execution.stop,
        }
    }

    /// Whether every step is done and in the host's journal, and none is there that is not asked for: then the host
    /// need not be touched.
    fn is_settled(&self, observed: &HostObserved) -> bool {
        let nothing_left = !observed.leftovers.iter().any(Recorded::leaves_something);
        nothing_left
            && self.part.steps.iter().all(|step| {
                let found = observed.steps.get(&step.id);
                found.is_some_and(|found| found.state == State::Done && found.recorded)
            })
    }

    /// What the host lacks, without what came to it before the transfer was cut. Secrets come last, so that they lie there
    /// for as short a time as can be.
    async fn payload(&self, observed: &HostObserved) -> Result<Payload, HostError> {
        let missing = observed.missing_blobs(self.part);
        let blobs = self.part.blobs.iter();
        let blobs: Vec<&StoreBlob> = blobs.filter(|blob| missing.contains(&blob.digest)).collect();
        let mut payload = Payload::new();
        if !blobs.is_empty() {
            let received = received(self.host, &blobs).await?;
            for blob in blobs {
                let file = (self.execution.blob_file)(blob);
                let from = match received.get(&blob.digest) {
                    Some(part) => part.usable(blob, &file).await,
                    None => Ok(0),
                };
                match from {
                    Ok(from) if from == blob.size && from > 0 => {}
                    Ok(from) => payload = payload.rest_of_blob(blob.digest, blob.size, from, file),
                    Err(source) => return Err(HostError::Payload { file, source }),
                }
            }
        }
        if observed.needs_secrets(self.part) {
            for (name, content) in &self.part.secrets {
                payload = payload.secret(*name, content.clone());
            }
        }
        Ok(payload)
    }

    /// Sends what the host lacks; a result where that is the end of it.
    async fn send(&mut self, payload: Payload) -> Result<Option<HostResult>, HostError> {
        // The runner asks again under the lock. This is so that nothing is put under the hands of another run.
        if let Some(owner) = self.runner().owner_of_lock(0).await? {
            return Ok(Some(HostResult::Locked { owner }));
        }
        let of = payload.bytes();
        let began = Instant::now();
        let mut sent = 0;
        let outcome = {
            let mut progress = |bytes: u64| {
                sent = (sent + bytes).min(of);
                self.tell(Progress::Sending { sent, of });
            };
            tokio::select! {
                outcome = self.host.put(payload, &mut progress) => Some(outcome),
                () = self.execution.stop.cancelled() => None,
            }
        };
        self.sent += sent;
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(host = self.host.name(), milliseconds, "content was sent");
        let Some(outcome) = outcome else {
            return Ok(Some(HostResult::Stopped { before: None }));
        };
        match outcome.ending {
            Ending::Exited(0) => Ok(None),
            Ending::Exited(status) => Ok(Some(HostResult::NotStored {
                ended: format!("exit status {status}"),
                output: outcome.stderr,
            })),
            Ending::Killed(signal) => Err(HostError::Ended {
                asking: STORING.question,
                ended: format!("killed by {signal}"),
                evidence: evidence(&outcome.stderr, ""),
            }),
            Ending::NeverRan(error) | Ending::Lost(error) => Err(error),
        }
    }

    /// Lets the host's runner do its part.
    async fn run_part(&mut self, removals: &[UndoStep], heard: &mut bool) -> Attempt {
        let (owner, run) = (self.execution.owner, self.execution.run.as_str());
        let script = self.part.script_taking_back(removals, owner, run, Mode::Apply);
        let runner = self.runner();
        let patience = self.execution.patience.in_vain;
        let in_vain = waits_in_vain(self.awaited, self.waits.subscribe(), patience);
        let end = {
            let mut note = |event: Event| {
                *heard = true;
                self.note(event);
            };
            runner.run(&Script::new(script, RUN), in_vain, &mut note).await
        };
        match end {
            RunnerEnd::Result(result) => Attempt::Over(result),
            RunnerEnd::StillAtWork => Attempt::Wait,
            RunnerEnd::Ambiguous(error) => Attempt::Again(error),
        }
    }

    fn note(&mut self, event: Event) {
        let waits = matches!(&event, Event::Started { step, .. } if self.is_wait(step));
        self.waits.send_replace(waits);
        self.tally.note(&event);
        self.tell(Progress::Event(event));
    }

    fn is_wait(&self, step: &StepId) -> bool {
        let found = self.part.steps.iter().find(|known| known.id == *step);
        found.is_some_and(|step| matches!(step.op, Op::Wait(_)))
    }

    fn tell(&self, progress: Progress) {
        (self.sink)(self.part.host.as_str(), progress);
    }
}

/// Ends when the host has waited for so long although nobody is left to wait for.
async fn waits_in_vain(awaited: &Awaited, mut waits: watch::Receiver<bool>, patience: Duration) {
    awaited.gone.cancelled().await;
    loop {
        // The other end is held by who awaits this.
        if waits.wait_for(|waits| *waits).await.is_err() {
            return std::future::pending().await;
        }
        // The end of the wait within that time is none of it: what was waited for has come.
        if tokio::time::timeout(patience, waits.wait_for(|waits| !*waits))
            .await
            .is_err()
        {
            return;
        }
    }
}
