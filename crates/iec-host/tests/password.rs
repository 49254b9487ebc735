//! Logging in by a password, against the real OpenSSH server.

use iec_core::secret::Secret;
use iec_host::{
    Bounds, Ending, Host, HostError, NewHostKeys, Outcome, Privilege, Script, SshClient, SshSettings,
    SshTarget,
};
use iec_testkit::{Key, PASSWORD, Sshd, User};

const BOUNDS: Bounds = Bounds {
    question: "the question of a test",
    bytes: 1 << 20,
    time: std::time::Duration::from_secs(60),
};

/// Logs in as the user who has a password, with this key and perhaps a password.
async fn log_in(sshd: &Sshd, key: Key, password: Option<&str>) -> Outcome {
    std::fs::write(sshd.path("ssh_config"), "IdentitiesOnly yes\n").expect("written");
    let settings = SshSettings {
        login_password: password.map(|password| Secret::new(password.to_owned())),
        ..sshd.settings()
    };
    let target = SshTarget {
        identity: Some(sshd.key(key)),
        ..sshd.target(User::Asked)
    };
    let host = SshClient::new(settings).host("edge-1", target);
    let script = Script::new("id -un", BOUNDS);
    let mut lines = Vec::new();
    let outcome = host
        .run(&script, Privilege::Login, &mut |line| lines.push(line.to_owned()))
        .await;
    if outcome.succeeded() {
        assert_eq!(lines, [User::Asked.name()]);
    }
    outcome
}

/// What was tried, where the login was refused.
fn tried(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::NeverRan(HostError::Authentication { tried, .. }) => tried.join("; "),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_password_opens_what_no_key_opens_and_is_not_tried_unasked() {
    let sshd = Sshd::start_with("PasswordAuthentication yes");
    let outcome = log_in(&sshd, Key::Refused, Some(PASSWORD)).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let words = tried(&log_in(&sshd, Key::Refused, Some("wrong")).await);
    assert!(
        words.contains("; password: not accepted") && !words.contains("wrong"),
        "{words}"
    );
    let words = tried(&log_in(&sshd, Key::Refused, None).await);
    assert!(!words.contains("password"), "{words}");
    // Where a key does, the password is of no use and goes nowhere.
    let outcome = log_in(&sshd, Key::Accepted, Some("wrong")).await;
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[tokio::test]
async fn a_server_may_want_a_key_and_a_password() {
    let sshd = Sshd::start_with("PasswordAuthentication yes\nAuthenticationMethods publickey,password");
    let outcome = log_in(&sshd, Key::Accepted, Some(PASSWORD)).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let words = tried(&log_in(&sshd, Key::Accepted, None).await);
    assert!(
        words.contains("accepted, but the server wants more: password"),
        "{words}"
    );
    let words = tried(&log_in(&sshd, Key::Refused, Some(PASSWORD)).await);
    assert!(words.ends_with("password: the server takes none"), "{words}");
}

#[tokio::test]
async fn a_password_is_given_by_keyboard_interactive_where_the_server_asks_so() {
    let sshd = Sshd::start_with("UsePAM yes\nKbdInteractiveAuthentication yes");
    let outcome = log_in(&sshd, Key::Refused, Some(PASSWORD)).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let words = tried(&log_in(&sshd, Key::Refused, Some("wrong")).await);
    assert!(words.contains("keyboard-interactive: not accepted"), "{words}");
}

#[tokio::test]
async fn a_jump_host_does_not_get_the_password_of_the_hosts_behind_it() {
    let bastion = Sshd::start_with("PasswordAuthentication yes");
    let inner = Sshd::start_with("PasswordAuthentication yes");
    let config = format!(
        "IdentitiesOnly yes\nIdentityFile {}\nUserKnownHostsFile {}\n",
        bastion.key(Key::Refused).display(),
        bastion.path("known").display()
    );
    std::fs::write(inner.path("ssh_config"), config).expect("written");
    let settings = SshSettings {
        login_password: Some(Secret::new(PASSWORD.to_owned())),
        new_host_keys: NewHostKeys::Accept,
        ..inner.settings()
    };
    let jump = format!("{}@127.0.0.1:{}", User::Asked, bastion.port());
    let target = SshTarget {
        jumps: Some(vec![jump]),
        ..inner.target(User::Asked)
    };
    let host = SshClient::new(settings).host("edge-1", target);
    let outcome = host
        .run(&Script::new("exit 0", BOUNDS), Privilege::Login, &mut |_| {})
        .await;
    let words = tried(&outcome);
    assert!(
        words.contains("not accepted") && !words.contains("password"),
        "{words}"
    );
}
