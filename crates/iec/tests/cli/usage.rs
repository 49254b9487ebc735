//! What all commands share: help, version, usage errors, and their exit codes.

use crate::run::Sandbox;

#[test]
fn the_version_is_printed() {
    insta::assert_snapshot!(Sandbox::new().run(&["--version"]), @"
    exit code: 0
    ----- stdout -----
    iec [VERSION]
    ");
}

#[test]
fn an_unknown_command_is_refused_with_a_suggestion() {
    insta::assert_snapshot!(Sandbox::new().run(&["completions", "bash"]), @"
    exit code: 1
    ----- stderr -----
    error: unrecognized subcommand 'completions'

      tip: a similar subcommand exists: 'completion'

    Usage: iec [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_option_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["completion", "bash", "--colour", "never"]), @"
    exit code: 1
    ----- stderr -----
    error: unexpected argument '--colour' found

      tip: a similar argument exists: '--color'

    Usage: iec completion --color <WHEN> <SHELL>

    For more information, try '--help'.
    ");
}

#[test]
fn a_wrong_value_is_refused_with_the_right_ones() {
    insta::assert_snapshot!(Sandbox::new().run(&["completion", "bash", "-o", "yaml"]), @"
    exit code: 1
    ----- stderr -----
    error: invalid value 'yaml' for '--output <FORMAT>'
      [possible values: text, json]

    For more information, try '--help'.
    ");
}

#[test]
fn no_command_prints_help_and_is_a_usage_error() {
    let shown = Sandbox::new().run(&[]);
    assert!(
        shown.starts_with("exit code: 1\n") && shown.contains("Usage: iec"),
        "{shown}"
    );
}

#[test]
fn a_usage_error_can_be_json() {
    insta::assert_snapshot!(Sandbox::new().run(&["complete", "-o", "json"]), @r#"
    exit code: 1
    ----- stdout -----
    {"version":1,"type":"error","kind":"refused","exitCode":1,"code":"IEC0900","message":"unrecognized subcommand 'complete'","evidence":[],"causes":[],"next":["iec --help lists the commands and their options"]}
    "#);
}
