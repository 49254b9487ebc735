//! Hosts: transports, probing, observing, executing.
//!
//! A [`Host`] takes a [`Script`] or a [`Payload`] and answers with an [`Outcome`]: how it ended, and what it said on
//! standard error. [`SshHost`] reaches it over SSH, [`LocalHost`] is this machine.
//! A [`Fleet`] is the hosts of a site: [`probe`], [`observe`] and [`execute`] work on all of them at once. What travels is fixed: the command
//! line that a host's login shell sees is one of six constants (module `command`), the script comes on standard input.

mod ask;
mod child;
mod command;
mod converse;
mod error;
mod execute;
mod fleet;
mod frame;
mod host;
mod listen;
mod local;
mod medium_key;
mod observe;
mod outcome;
mod payload;
mod probe;
mod ssh;
mod sudo_log;

pub use ask::{Answer, ask};
pub use error::{HostError, Place};
pub use execute::{
    Execution, HostResult, HostSummary, InvalidRunName, Patience, Progress, RunName, StageRun, Summary,
    execute, run_stage,
};
pub use fleet::Fleet;
pub use host::{Bounds, Host, Script};
pub use local::LocalHost;
pub use medium_key::MediumKey;
pub use observe::{Observation, journals, observe, outputs};
pub use outcome::{Ending, Outcome, Privilege, Signal};
pub use payload::{INCOMING, Payload};
pub use probe::{Probed, probe};
pub use ssh::{
    Cipher, HostKey, InvalidHostKey, LoginQuestion, NewHostKeys, PassphrasePrompt, QuestionPrompt, SshClient,
    SshHost, SshSettings, SshTarget, SystemSsh, public_key,
};
pub use sudo_log::refuse_logging_sudo;
