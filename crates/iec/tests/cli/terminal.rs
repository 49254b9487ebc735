//! What is different on a terminal: colour, and questions. `script` makes one.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::run::Sandbox;

/// Runs the command on a terminal of its own, types `typed` into it, and gives all that it printed there.
fn on_terminal(sandbox: &Sandbox, arguments: &str, variables: &[(&str, &str)], typed: &str) -> String {
    let program = assert_cmd::cargo::cargo_bin!("iec");
    let mut script = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            &format!("{} {arguments}", program.display()),
            "/dev/null",
        ])
        .current_dir(sandbox.path())
        .env_clear()
        .env("HOME", sandbox.path())
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    script.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    String::from_utf8(script.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn a_terminal_gets_colour_unless_the_user_wants_none() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", "kind: Site\n");
    let has_colour =
        |variables: &[(&str, &str)]| on_terminal(&sandbox, "check", variables, "").contains("\u{1b}[3");
    assert!(has_colour(&[]));
    assert!(!has_colour(&[("NO_COLOR", "1")]));
    assert!(!has_colour(&[("TERM", "dumb")]));
}

#[test]
fn what_the_options_leave_open_is_asked() {
    let sandbox = Sandbox::new();
    let typed = "shop\nedge-1=10.0.0.11\nedge-2=10.0.0.12\n\nadmin\n";
    let shown = on_terminal(&sandbox, "init", &[], typed);
    assert!(
        shown.contains("Name of the site") && shown.contains("Wrote site.yaml"),
        "{shown}"
    );
    let site = sandbox.read("site.yaml");
    for part in ["name: shop", "address: 10.0.0.12", "user: admin"] {
        assert!(site.contains(part), "{part} is missing in:\n{site}");
    }
}

#[test]
fn a_wrong_answer_is_asked_again() {
    let sandbox = Sandbox::new();
    let shown = on_terminal(
        &sandbox,
        "init --name shop --user edge",
        &[],
        "10.0.0.11\nedge-1=10.0.0.11\n\n",
    );
    assert!(shown.contains("a host is name=address"), "{shown}");
    assert!(sandbox.read("site.yaml").contains("address: 10.0.0.11"));
}

#[test]
fn a_password_is_asked_for_once_and_never_shown() {
    let sandbox = Sandbox::new();
    let site = include_str!("../../../../sites/single-host/site.yaml");
    sandbox
        .write("site.yaml", site)
        .write("ssh_config", "Host *\n  HostName 127.0.0.1\n  Port 1\n");
    let command = "check --probe --ssh-config ssh_config --ask-login-password";
    let shown = on_terminal(&sandbox, command, &[], "open sesame\n");
    assert_eq!(shown.matches("[hidden]").count(), 1, "{shown}");
    assert!(
        shown.contains("IEC1002"),
        "the host was tried afterwards: {shown}"
    );
    let after = shown.split("Password to log in").nth(1).unwrap_or_default();
    assert!(!after.contains("open sesame"), "{shown}");
}
