//! Tests of the whole command, as a user runs it: one file per command, and one for what all of them share.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]

mod bundle;
mod check;
mod completion;
mod credentials;
mod explain;
mod lab;
mod manual;
mod run;
mod usage;
