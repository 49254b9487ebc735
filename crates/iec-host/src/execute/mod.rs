//! Executing a plan: content and secrets to each host, its part to its runner, the runner's events to whoever looks.
//!
//! The executor adds speed, limits and a view; it adds no knowledge. Each host's part is complete by itself, and the same text
//! brings a host to the same end from a USB stick. What is here is the way there and back: what a host lacks is sent
//! once, and after a lost connection the host is waited for, asked again, and its part goes on.

mod awaited;
mod backoff;
mod host_run;
mod received;
mod result;
mod runner;
mod stage;
mod tally;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use iec_core::event::Event;
use iec_core::observed::Observed;
use iec_core::plan::{HostPart, Plan, StoreBlob};
use iec_core::site::Role;
use tokio_util::sync::CancellationToken;

use crate::fleet::Fleet;
use awaited::Awaited;
use host_run::HostRun;

pub use result::{HostResult, HostSummary, Summary};
pub use stage::{StageRun, run_stage};

/// A text that cannot name a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a run: it takes 1 to 60 of a-z, 0-9 and `-`")]
pub struct InvalidRunName(pub String);

/// The name of a run, different for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunName(String);

impl RunName {
    /// A name from its text.
    ///
    /// # Errors
    /// [`InvalidRunName`] where the text is not 1 to 60 of `a-z`, `0-9` and `-`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidRunName> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=60).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(InvalidRunName(text))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// How long to wait for what may come back.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a host may be away before it is given up.
    pub away: Duration,
    /// How long to wait before the first new attempt; each later one waits twice as long.
    pub first_delay: Duration,
    /// The longest wait between two attempts.
    pub longest_delay: Duration,
    /// How long a host may go on waiting for something in the cluster after every control plane has given up.
    pub in_vain: Duration,
}

impl Default for Patience {
    /// Ten minutes: a host may restart on the way.
    fn default() -> Self {
        Self {
            away: Duration::from_secs(600),
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(20),
            in_vain: Duration::from_secs(20),
        }
    }
}

/// Everything that an execution needs.
pub struct Execution<'a> {
    /// What is to be done. Hosts that are not in the fleet are left out.
    pub plan: &'a Plan,
    /// The hosts.
    pub fleet: &'a Fleet,
    /// What was found on the hosts a moment ago; a host that is not in it is asked first.
    pub observed: &'a Observed,
    /// Who runs it, for others to read in the hosts' locks: different for each run.
    pub owner: &'a str,
    /// The name of this run.
    pub run: &'a RunName,
    /// Where the file of a blob is on this machine.
    pub blob_file: &'a (dyn Fn(&StoreBlob) -> PathBuf + Sync),
    /// Cancelled when the user wants to stop: every host then ends before its next step.
    pub stop: &'a CancellationToken,
    /// How long to wait for what may come back.
    pub patience: Patience,
}

/// What happens to a host while its part is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Files and secrets are on their way to the host.
    Sending {
        /// Bytes that were handed over so far.
        sent: u64,
        /// Bytes in all.
        of: u64,
    },
    /// The host's runner said this.
    Event(Event),
    /// The host is away; it is tried again after a while.
    Away {
        /// Why, in one line.
        cause: String,
        /// When it is tried again.
        again_in: Duration,
    },
    /// The host works on by itself at what was begun; its end is waited for.
    Alone,
}

/// Executes a plan on all hosts at once, control planes first where the fleet's limit makes some wait.
///
/// `sink` is told what happens, by host name, from the task that awaits this.
pub async fn execute(execution: &Execution<'_>, sink: &(dyn Fn(&str, Progress) + Sync)) -> Summary {
    let mut parts: Vec<&HostPart> = execution.plan.hosts.iter().collect();
    // A worker waits for a control plane: it must never be in the way of what it waits for.
    parts.sort_by_key(|part| part.role != Role::ControlPlane);
    let awaited = Awaited::among(&parts);
    let runs = parts.into_iter().filter_map(|part| {
        let host = execution.fleet.host(part.host.as_str())?;
        Some((part, HostRun::new(execution, part, host.as_ref(), &awaited, sink)))
    });
    let hosts = execution
        .fleet
        .each(runs, |(part, run)| {
            let awaited = &awaited;
            async move {
                let summary = run.finish().await;
                awaited.note(part, &summary.result);
                (part.host.to_string(), summary)
            }
        })
        .await;
    Summary {
        hosts: hosts.into_iter().collect(),
    }
}
