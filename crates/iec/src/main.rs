//! The `iec` command.
fn main() {}
