//! One stage of a reset: steps of one host taken back.

use iec_core::event::Event;
use iec_core::reset::Stage;
use tokio_util::sync::CancellationToken;

use super::runner::{RUN, Runner, RunnerEnd};
use super::tally::Tally;
use super::{HostResult, HostSummary, Progress, RunName};
use crate::host::{Host, Script};

/// Everything that a stage needs.
pub struct StageRun<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// Its host.
    pub host: &'a dyn Host,
    /// Who runs it, for others to read in the host's lock: different for each run.
    pub owner: &'a str,
    /// The name of this run.
    pub run: &'a RunName,
    /// Cancelled when the user wants to stop: the host then ends before its next step.
    pub stop: &'a CancellationToken,
}

/// Runs one stage of a reset.
///
/// After a lost connection the stage is not tried again: the journals say what is left, and a new reset begins with reading them.
/// Until the host has ended what was begun, that reset is refused by the host's lock.
pub async fn run_stage(stage: &StageRun<'_>, sink: &(dyn Fn(Progress) + Sync)) -> HostSummary {
    let runner = Runner {
        host: stage.host,
        owner: stage.owner,
        run: stage.run,
        stop: stage.stop,
    };
    let script = Script::new(stage.stage.script(stage.owner, stage.run.as_str()), RUN);
    let mut tally = Tally::default();
    let mut note = |event: Event| {
        tally.note(&event);
        sink(Progress::Event(event));
    };
    let result = match runner.run(&script, std::future::pending(), &mut note).await {
        RunnerEnd::Result(result) => result,
        RunnerEnd::StillAtWork => HostResult::Locked {
            owner: stage.owner.to_owned(),
        },
        RunnerEnd::Ambiguous(error) => HostResult::Unknown(error),
    };
    HostSummary {
        result,
        changed: tally.changed(),
        adopted: tally.adopted(),
        unchanged: tally.unchanged(),
        sent: 0,
    }
}
