//! `iec completion`.

use std::process::Stdio;

use crate::run::Sandbox;

#[test]
fn every_shell_has_a_script_that_names_the_command() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = sandbox.command(&["completion", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        assert!(
            String::from_utf8(output.stdout).unwrap().contains("iec"),
            "{shell}"
        );
    }
}

#[test]
fn bash_accepts_its_script() {
    let sandbox = Sandbox::new();
    let script = sandbox.command(&["completion", "bash"]).output().unwrap().stdout;
    sandbox.write("iec.bash", std::str::from_utf8(&script).unwrap());
    let status = std::process::Command::new("bash")
        .args(["-n", "iec.bash"])
        .current_dir(sandbox.path())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(&["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox
        .command(&["completion", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    insta::assert_snapshot!(sandbox.shown(&output), @"
    exit code: 1
    ----- stderr -----
    error[IEC0907]: the output cannot be written
      because: No space left on device (os error 28)
    ");
}
