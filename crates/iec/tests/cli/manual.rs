//! `docs/command-line.md` says what the program says.

use std::path::Path;

#[test]
fn the_manual_is_what_the_commands_print() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
    let manual = iec::manual::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &manual).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == manual,
        "docs/command-line.md is out of date: run `UPDATE_DOCS=1 cargo test -p iec --test cli manual`"
    );
}
