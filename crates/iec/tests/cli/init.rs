//! `iec init`.

use std::os::unix::fs::PermissionsExt;

use crate::run::Sandbox;

#[test]
fn a_first_site_file_is_written_and_has_no_errors() {
    let sandbox = Sandbox::new();
    let init = [
        "init",
        "--name",
        "shop",
        "--host",
        "edge-1=10.0.0.11",
        "--host",
        "edge-2=10.0.0.12",
    ];
    insta::assert_snapshot!(sandbox.run(&init), @"
    exit code: 0
    ----- stdout -----
    Wrote site.yaml: site shop, release 1.36, 1 control plane and 1 worker.

      iec check site.yaml --probe
      iec plan site.yaml
    ");
    assert!(sandbox.read("site.yaml").contains("name: edge-2"));
    assert!(sandbox.run(&["check"]).starts_with("exit code: 0\n"));
}

#[test]
fn roles_and_access_are_taken_from_the_options() {
    let sandbox = Sandbox::new();
    let init = [
        "init",
        "a.yaml",
        "--name",
        "shop",
        "--host",
        "w=10.0.0.12:worker",
        "--host",
        "c=10.0.0.11:control-plane",
        "--user",
        "admin",
        "--identity",
        "~/.ssh/shop",
        "--bundle",
        "./bundle",
        "-o",
        "json",
    ];
    let shown = sandbox.run(&init);
    assert!(shown.contains(r#""name":"c","address":"10.0.0.11""#), "{shown}");
    let text = sandbox.read("a.yaml");
    for part in [
        "user: admin",
        "identity: \"~/.ssh/shop\"",
        "bundle: ./bundle",
        "role: control-plane",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn nothing_is_asked_without_a_terminal() {
    insta::assert_snapshot!(Sandbox::new().run(&["init"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0909]: a site needs at least one host
      next: iec init --host edge-1=10.0.0.11 names one; --host can be repeated
    ");
}

#[test]
fn a_file_that_is_there_is_kept_without_force() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", "mine");
    insta::assert_snapshot!(sandbox.run(&["init", "--host", "a=10.0.0.1"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0903]: site.yaml exists already
      next: iec init --force replaces it; or name another file
    ");
    assert_eq!(sandbox.read("site.yaml"), "mine");
    assert!(
        sandbox
            .run(&["init", "--force", "--name", "a", "--host", "a=10.0.0.1"])
            .starts_with("exit code: 0\n")
    );
    assert_ne!(sandbox.read("site.yaml"), "mine");
}

#[test]
fn answers_that_make_no_site_are_refused_and_nothing_is_written() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["init", "--name", "Shop", "--host", "a=10.0.0.1"]), @"
    exit code: 1
    ----- stderr -----
    IEC0101

      × `Shop` cannot be the name of a site: it has the capital letter 'S'; only small letters are
      │ allowed
      help: it would be `name: Shop`
            `shop` would do

    error[IEC0902]: these answers make no site file: 1 error
    ");
    assert!(!sandbox.path().join("site.yaml").exists());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    insta::assert_snapshot!(Sandbox::new().run(&["init", "no/site.yaml", "--name", "a", "--host", "a=10.0.0.1"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0910]: the site file at no/site.yaml cannot be written
      because: No such file or directory (os error 2)
      next: check that the folder exists, that you may write to it, and that the disk is not full
    ");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new();
    std::fs::set_permissions(sandbox.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let shown = sandbox.run(&["init", "--name", "a", "--host", "a=10.0.0.1"]);
    std::fs::set_permissions(sandbox.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    // root may write anywhere
    assert!(
        shown.contains("error[IEC0910]") || shown.starts_with("exit code: 0\n"),
        "{shown}"
    );
}

#[test]
fn a_host_that_is_none_is_a_usage_error() {
    insta::assert_snapshot!(Sandbox::new().run(&["init", "--host", "edge-1"]), @"
    exit code: 1
    ----- stderr -----
    error: invalid value 'edge-1' for '--host <HOST>': a host is name=address[:role], for example edge-1=10.0.0.11

    For more information, try '--help'.
    ");
}

/// The descriptors that the library's tests read too.
fn descriptor(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../iec-formats/tests/descriptors/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

#[test]
fn descriptors_become_a_site_file_without_their_password() {
    let sandbox = Sandbox::new();
    sandbox.write("pdf.yaml", &descriptor("pdf.yaml"));
    sandbox.write("idf.yaml", &descriptor("idf.yaml"));
    let words = [
        "init",
        "--from-pdf",
        "pdf.yaml",
        "--idf",
        "idf.yaml",
        "--name",
        "shop",
    ];
    let shown = sandbox.run(&words);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(
        shown.contains("Wrote site.yaml: site shop, release 1.36, 1 control plane and 1 worker."),
        "{shown}"
    );
    assert!(
        shown.contains("it stands in pdf.yaml, line 32, as plain text"),
        "{shown}"
    );
    assert!(!shown.contains("seeded-secret"), "{shown}");
    assert!(!sandbox.read("site.yaml").contains("seeded-secret"));
    assert!(sandbox.run(&["check"]).starts_with("exit code: 0\n"));
}

#[test]
fn descriptors_with_errors_are_drawn_without_their_password() {
    let sandbox = Sandbox::new();
    // The error stands in the line below the password, which is drawn too.
    let pdf = descriptor("pdf.yaml")
        .replace("    user: admin\n", "")
        .replace("7f3a9c\n", "7f3a9c\n    uesr: admin\n");
    sandbox.write("pdf.yaml", &pdf);
    sandbox.write(
        "idf.yaml",
        &descriptor("idf.yaml").replace("version: 0.1", "version: 1"),
    );
    let shown = sandbox.run(&[
        "init",
        "--from-pdf",
        "pdf.yaml",
        "--idf",
        "idf.yaml",
        "--name",
        "shop",
    ]);
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    for part in [
        "╭─[pdf.yaml:32:5]",
        "╭─[idf.yaml:3:12]",
        "help: did you mean `user`?",
        "pass: *",
        "error[IEC0820]",
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert!(!shown.contains("seeded-secret"), "{shown}");
    let json = sandbox.run(&[
        "init",
        "--from-pdf",
        "pdf.yaml",
        "--idf",
        "idf.yaml",
        "-o",
        "json",
    ]);
    assert!(!json.contains("seeded-secret"), "{json}");
    assert!(!sandbox.path().join("site.yaml").exists());
}
