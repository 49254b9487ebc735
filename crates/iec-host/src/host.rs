//! What a host can do for the rest of the program, whichever way it is reached.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::outcome::{Outcome, Privilege};
use crate::payload::Payload;

/// A host: runs scripts, takes payloads.
///
/// Every call stands alone: after a lost connection the next call connects again. Dropping the returned future
/// gives the call up; what the host had begun may go on there.
pub trait Host: Send + Sync {
    /// The host's name, as the site calls it.
    fn name(&self) -> &str;

    /// Runs `script` and hands each line of its standard output to `sink` as it comes, without its newline.
    ///
    /// Bytes that are no UTF-8 are replaced. What the login shell printed before the script began never
    /// reaches `sink`. `sink` is called from the task that awaits the future and must not block.
    /// A host that goes beyond the script's [`Bounds`] is listened to no longer.
    fn run<'a>(
        &'a self,
        script: &'a Script,
        privilege: Privilege,
        sink: &'a mut (dyn FnMut(&str) + Send),
    ) -> BoxFuture<'a, Outcome>;

    /// Streams `payload` into [`crate::INCOMING`] on the host, as root, and calls `progress` with the number of bytes
    /// handed over since the last call.
    ///
    /// The outcome is `Exited(0)` only after the host has taken the whole of it. What was written before an
    /// interruption stays there, the last entry in part; whoever reads it checks its digest.
    fn put<'a>(
        &'a self,
        payload: Payload,
        progress: &'a mut (dyn FnMut(u64) + Send),
    ) -> BoxFuture<'a, Outcome>;
}

/// The text of a shell script, as `iec-sh` printed it.
///
/// It is wrapped so that it begins only when all of it has arrived, and runs with its standard input closed off.
#[derive(Debug, Clone)]
pub struct Script {
    text: Arc<str>,
    bounds: Bounds,
}

/// How much a host may say to a script, and for how long: what a host sends is never taken without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What the host is asked, for messages: `the probe`.
    pub question: &'static str,
    /// The most bytes on standard output and standard error together.
    pub bytes: u64,
    /// The time until the script must have ended.
    pub time: Duration,
}

impl Script {
    /// A script from the text that `iec-sh` printed.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>, bounds: Bounds) -> Self {
        let text = text.into();
        Self { text, bounds }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How much may be said to it, and for how long.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }
}
