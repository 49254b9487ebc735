//! The project's own tasks: `cargo xtask tidy`.
fn main() {}
