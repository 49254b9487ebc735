//! Stand-ins for hosts, and the servers and cables between them and a test.

mod agent;
mod cable;
mod fake;
mod faulty;
mod namespace;
mod sandbox;
mod sshd;
mod users;

pub use agent::Agent;
pub use cable::Cable;
pub use fake::{FakeAnswer, FakeHost};
pub use faulty::{Fault, FaultyHost};
pub use sandbox::Sandbox;
pub use sshd::Sshd;
pub use users::{Key, PASSWORD, User};
