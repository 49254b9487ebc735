//! `iec methods` and `docs/methods.md` say the same, and leave no method out.

use std::path::Path;

use clap::CommandFactory as _;
use iec_core::method::METHODS;

/// What `iec render` writes that installs nothing.
const NO_METHODS: &[&str] = &["help", "sudoers"];

#[test]
fn the_document_is_what_the_command_knows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/methods.md");
    let methods = iec::manual::methods();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &methods).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == methods,
        "docs/methods.md is out of date: run `UPDATE_DOCS=1 cargo test -p iec --test cli methods`"
    );
}

#[test]
fn every_rendering_is_a_method() {
    let program = iec::cli::Cli::command();
    let render = program.find_subcommand("render").unwrap();
    for format in render.get_subcommands().map(clap::Command::get_name) {
        let known = METHODS.iter().any(|method| method.name == format);
        assert!(
            known || NO_METHODS.contains(&format),
            "{format} has no row in crates/iec-core/src/method.rs"
        );
    }
}
