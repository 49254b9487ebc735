//! A host on which things go wrong at a chosen moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, FutureExt};
use iec_host::{Ending, Host, HostError, LocalHost, Outcome, Payload, Privilege, Script};
use tokio::sync::Notify;

use crate::sandbox::Sandbox;

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The call with this number (from 0, scripts and payloads alike) does not reach the host.
    Unreached(usize),
    /// The call with this number is done on the host, but no word of it comes back.
    Unanswered(usize),
    /// After this many lines of output the connection is lost; the host goes on by itself.
    LostAfterLine(usize),
    /// After this many lines of output the host's power is cut.
    PowerCutAfterLine(usize),
}

/// A sandbox whose connection or power fails once.
pub struct FaultyHost {
    sandbox: Arc<Sandbox>,
    host: LocalHost,
    fault: Fault,
    calls: AtomicUsize,
    lines: AtomicUsize,
}

impl FaultyHost {
    /// The sandbox as a host called `name`, on which `fault` happens.
    #[must_use]
    pub fn new(name: &str, sandbox: Arc<Sandbox>, fault: Fault) -> Self {
        let host = sandbox.host(name);
        Self {
            sandbox,
            host,
            fault,
            calls: AtomicUsize::new(0),
            lines: AtomicUsize::new(0),
        }
    }

    /// How many calls there have been.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// How many lines of output there have been.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.load(Ordering::Relaxed)
    }

    fn lost(&self) -> Outcome {
        let error = HostError::Lost {
            address: self.host.name().to_owned(),
            evidence: "a fault of the test".to_owned(),
        };
        Outcome::new(Ending::Lost(error), String::new())
    }

    fn unreached(&self) -> Outcome {
        let error = HostError::Refused {
            address: self.host.name().to_owned(),
        };
        Outcome::new(Ending::NeverRan(error), String::new())
    }
}

impl Host for FaultyHost {
    fn name(&self) -> &str {
        self.host.name()
    }

    fn run<'a>(
        &'a self,
        script: &'a Script,
        privilege: Privilege,
        sink: &'a mut (dyn FnMut(&str) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            if self.fault == Fault::Unreached(call) {
                return self.unreached();
            }
            if self.fault == Fault::Unanswered(call) {
                self.host.run(script, privilege, &mut |_| {}).await;
                return self.lost();
            }
            let gone = Notify::new();
            let mut is_gone = false;
            let mut counting = |line: &str| {
                if is_gone {
                    return;
                }
                sink(line);
                let lines = self.lines.fetch_add(1, Ordering::Relaxed) + 1;
                if [Fault::LostAfterLine(lines), Fault::PowerCutAfterLine(lines)].contains(&self.fault) {
                    is_gone = true;
                    gone.notify_one();
                }
            };
            let outcome = tokio::select! {
                () = gone.notified() => None,
                outcome = self.host.run(script, privilege, &mut counting) => Some(outcome),
            };
            // The line may have been the last one: what came back with it is lost all the same.
            match outcome {
                Some(outcome) if !is_gone => return outcome,
                _ => {}
            }
            if matches!(self.fault, Fault::PowerCutAfterLine(_)) {
                self.sandbox.power_cut();
            }
            self.lost()
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        payload: Payload,
        progress: &'a mut (dyn FnMut(u64) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            if self.fault == Fault::Unreached(call) {
                return self.unreached();
            }
            let outcome = self.host.put(payload, progress).await;
            if self.fault == Fault::Unanswered(call) {
                self.lost()
            } else {
                outcome
            }
        }
        .boxed()
    }
}
