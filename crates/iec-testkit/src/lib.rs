//! Fake hosts, an sshd fixture and site builders for tests.

mod agent;
mod cable;
mod sshd;

pub use agent::Agent;
pub use cable::Cable;
pub use sshd::{Key, PASSWORD, Sshd, User};
