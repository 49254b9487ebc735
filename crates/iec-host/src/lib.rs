//! Hosts: transports, probing, observing, executing.
//!
//! A [`Host`] takes a [`Script`] or a [`Payload`] and answers with an [`Outcome`]: how it ended, and what it said on
//! standard error. [`SshHost`] reaches it over SSH, [`LocalHost`] is this machine. What travels is fixed: the command
//! line that a host's login shell sees is one of six constants (module `command`), the script comes on standard input.

mod command;
mod converse;
mod error;
mod frame;
mod host;
mod local;
mod outcome;
mod payload;
mod ssh;

pub use error::{HostError, Place};
pub use host::{Host, Script};
pub use local::LocalHost;
pub use outcome::{Ending, Outcome, Privilege, Signal};
pub use payload::{INCOMING, InvalidSecretName, Payload, SecretName};
pub use ssh::{
    Cipher, HostKey, InvalidHostKey, NewHostKeys, PassphrasePrompt, SshClient, SshHost, SshSettings,
    SshTarget,
};
