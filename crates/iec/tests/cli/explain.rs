//! `iec explain`.

use crate::run::Sandbox;

#[test]
fn a_code_is_explained() {
    insta::assert_snapshot!(Sandbox::new().run(&["explain", "iec3901"]), @"
    exit code: 0
    ----- stdout -----
    IEC3901: the secrets file can be read by others

    Who reads it can make certificates for the cluster.

    What to do: Take the rights away from others, and think about who may have read it.

    Example:

        chmod 600 store-0417.secrets.yaml
    ");
}

#[test]
fn an_explanation_can_be_json() {
    insta::assert_snapshot!(Sandbox::new().run(&["explain", "IEC0907", "--output=json"]), @r#"
    exit code: 0
    ----- stdout -----
    {"version":1,"type":"code","code":"IEC0907","title":"the output cannot be written","cause":"What the command prints or writes could not be written: a full disk, a closed pipe, missing rights.","action":"Look at the cause in the message; the work itself was done.","example":""}
    "#);
}

#[test]
fn an_unknown_code_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["explain", "IEC9999"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0904]: there is no code IEC9999
      next: iec explain lists all codes
    ");
}

#[test]
fn without_a_code_all_of_them_are_listed() {
    let shown = Sandbox::new().run(&["explain"]);
    let codes: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(code, _)| code)
        .collect();
    assert!(codes.len() > 50 && codes.is_sorted(), "{shown}");
}
