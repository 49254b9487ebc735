//! Hosts that are reached over SSH.

mod authentication;
mod candidates;
mod client;
mod configuration;
mod connection;
mod host;
mod host_key;
mod known_hosts;
mod own_file;
mod password;
mod process;
mod system;
mod way;

pub use candidates::public_key;
pub use client::{Cipher, NewHostKeys, PassphrasePrompt, SshClient, SshSettings, SshTarget, SystemSsh};
pub use host::SshHost;
pub use host_key::{HostKey, InvalidHostKey};
pub use password::{LoginQuestion, QuestionPrompt};
