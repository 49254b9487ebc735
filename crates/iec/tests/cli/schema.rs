//! `iec schema`.

use crate::run::Sandbox;

#[test]
fn the_schema_is_json_in_both_formats() {
    let sandbox = Sandbox::new();
    for arguments in [&["schema"][..], &["schema", "-o", "json"]] {
        let output = sandbox.command(arguments).output().unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["title"], "Site");
    }
}
