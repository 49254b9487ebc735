//! `iec render`: what is refused before anything is written.

use crate::run::Sandbox;

const SITE: &str = include_str!("../../../../sites/three-hosts/site.yaml");

#[test]
fn a_folder_that_is_not_empty_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", SITE).write("usb/notes.txt", "mine");
    insta::assert_snapshot!(sandbox.run(&["render", "script", "--out", "usb", "--plain-secrets"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC3921]: the output folder usb is not empty
      next: name another folder, or add --force to write over files of the same names and to remove an earlier rendering's secrets
    ");
}

#[test]
fn options_that_a_format_does_not_have_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", SITE);
    insta::assert_snapshot!(
        sandbox.run(&["render", "script", "--out", "usb", "--plain-secrets", "--no-secrets"]),
        @"
    exit code: 1
    ----- stderr -----
    error: the argument '--plain-secrets' cannot be used with '--no-secrets'

    Usage: iec render script --out <FOLDER> --plain-secrets [SITE]

    For more information, try '--help'.
    "
    );
}
