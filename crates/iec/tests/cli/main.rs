//! Tests of the whole command, as a user runs it: one file per command, and one for what all of them share.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the command itself, and read what a developer sets"
)]

mod bundle;
mod check;
mod completion;
mod credentials;
mod explain;
mod hosts;
mod init;
mod inventories;
mod lab;
mod manual;
mod methods;
mod render;
mod run;
mod schema;
mod terminal;
mod usage;
