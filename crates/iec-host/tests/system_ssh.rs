//! The system's `ssh` as the way to a host, against the real OpenSSH server.

use std::sync::Arc;
use std::time::Duration;

use iec_core::plan::SecretName;
use iec_core::secret::Secret;
use iec_host::{
    Bounds, Ending, Host, NewHostKeys, Outcome, Payload, Privilege, Script, SshClient, SshHost, SshSettings,
    SshTarget, SystemSsh,
};
use iec_testkit::{Cable, Key, PASSWORD, Sshd, User};

const BOUNDS: Bounds = Bounds {
    question: "the question of a test",
    bytes: 64 << 20,
    time: Duration::from_secs(300),
};

/// A host whose configuration asks for a `ProxyCommand`, which leads to `port`.
fn behind_a_command(sshd: &Sshd, port: u16, user: User, settings: SshSettings) -> SshHost {
    // Nothing listens where the target says: only the command leads there.
    let config = format!(
        "Host store\n  Port 1\n  StrictHostKeyChecking no\n  \
         ProxyCommand bash -c 'trap \"\" HUP; exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3; kill $!'\n"
    );
    std::fs::write(sshd.path("ssh_config"), config).expect("written");
    let target = SshTarget {
        address: "store".to_owned(),
        port: None,
        ..sshd.target(user)
    };
    SshClient::new(settings).host("edge-1", target)
}

async fn run(host: &impl Host, text: &str, privilege: Privilege) -> (Outcome, Vec<String>) {
    let mut lines = Vec::new();
    let script = Script::new(text, BOUNDS);
    let outcome = host
        .run(&script, privilege, &mut |line| lines.push(line.to_owned()))
        .await;
    (outcome, lines)
}

/// The code of an outcome that is an error, and whether it is sure that nothing ran.
fn code(outcome: &Outcome) -> (&'static str, bool) {
    match &outcome.ending {
        Ending::NeverRan(error) => (error.code(), true),
        Ending::Lost(error) => (error.code(), false),
        Ending::Exited(status) => panic!("it exited with {status}: {}", outcome.stderr),
        Ending::Killed(signal) => panic!("it was killed by {signal}"),
    }
}

#[tokio::test]
async fn a_proxy_command_leads_to_the_host_and_one_connection_serves_all() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port()).await;
    for user in [User::Fish, User::Chatty] {
        let host = behind_a_command(&sshd, cable.port(), user, sshd.settings());
        let script = "printf '%s\\n' \"it's\" \"\\$HOME\"; id -un; echo said >&2";
        let (outcome, lines) = run(&host, script, Privilege::Root).await;
        assert!(outcome.succeeded(), "{user}: {outcome:?}");
        assert_eq!(lines, ["it's", "$HOME", "root"], "{user}");
        assert_eq!(outcome.stderr, "said", "{user}");
        let secret = Payload::new().secret(SecretName::ClusterCaKey, Secret::new("key".to_owned()));
        let outcome = host.put(secret, &mut |_| {}).await;
        assert!(outcome.succeeded(), "{user}: {outcome:?}");
        let runs = (0..6).map(|_| run(&host, "cat /var/lib/iec/incoming/secrets/ca.key", Privilege::Root));
        for (outcome, lines) in futures::future::join_all(runs).await {
            assert!(outcome.succeeded(), "{user}: {outcome:?}");
            assert_eq!(lines, ["key"], "{user}");
        }
    }
    assert_eq!(cable.connections(), 2, "one for each user");
}

#[tokio::test]
async fn the_end_of_a_script_is_known() {
    let sshd = Sshd::start();
    let host = behind_a_command(&sshd, sshd.port(), User::Dash, sshd.settings());
    for status in [0, 3, 128, 255] {
        let (outcome, _) = run(&host, &format!("exit {status}"), Privilege::Root).await;
        assert!(
            matches!(outcome.ending, Ending::Exited(found) if found == status),
            "{outcome:?}"
        );
    }
    let (outcome, _) = run(&host, "sh -c 'kill -9 $$'", Privilege::Root).await;
    assert!(
        matches!(outcome.ending, Ending::Killed(signal) if signal.0 == 9),
        "{outcome:?}"
    );
    let (outcome, _) = run(&host, "if true; then", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1402", true));
    // ssh tells of a shell that was killed by 255 only, and of a lost connection by the same.
    let (outcome, lines) = run(&host, "echo before; kill -TERM $$; sleep 5", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1501", false), "{outcome:?}");
    assert_eq!(lines, ["before"]);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_lost_and_the_next_call_connects_again() {
    let sshd = Arc::new(Sshd::start());
    let host = behind_a_command(&sshd, sshd.port(), User::Bash, sshd.settings());
    let mut lines = Vec::new();
    let script = Script::new("echo one; sleep 60; echo two", BOUNDS);
    let cutter = Arc::clone(&sshd);
    let outcome = host
        .run(&script, Privilege::Root, &mut |line| {
            lines.push(line.to_owned());
            cutter.cut_connections();
        })
        .await;
    assert_eq!(code(&outcome), ("IEC1501", false), "{outcome:?}");
    assert_eq!(lines, ["one"]);
    let (outcome, lines) = run(&host, "echo again", Privilege::Root).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_eq!(lines, ["again"]);
}

#[tokio::test]
async fn host_keys_are_checked_whatever_the_configuration_says() {
    let sshd = Sshd::start();
    let port = sshd.port();
    let host = |settings: SshSettings, key: Option<iec_host::HostKey>, lines: &str| {
        let config = format!(
            "{lines}Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile {}\n  HostKeyAlias store\n",
            sshd.path("known").display()
        );
        std::fs::write(sshd.path("ssh_config"), config).expect("written");
        let settings = SshSettings {
            system: SystemSsh::Always,
            ..settings
        };
        let target = SshTarget {
            host_key: key,
            port: Some(port),
            ..sshd.target(User::Dash)
        };
        SshClient::new(settings).host("edge-1", target)
    };
    let other = host(sshd.settings(), Some(sshd.other_host_key()), "");
    let (outcome, _) = run(&other, "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1102", true), "{outcome:?}");
    let words = outcome.error().expect("an error").to_string();
    let shown = sshd.host_key().fingerprint();
    assert!(
        words.ends_with(&format!(
            "it shows {shown}, and the site's hostKey is another one"
        )),
        "{words}"
    );
    let unknown = host(sshd.settings(), None, "");
    let (outcome, _) = run(&unknown, "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1101", true), "{outcome:?}");
    let accepting = SshSettings {
        new_host_keys: NewHostKeys::Accept,
        ..sshd.settings()
    };
    let (outcome, _) = run(&host(accepting.clone(), None, ""), "exit 0", Privilege::Login).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let recorded = std::fs::read_to_string(sshd.path("known")).expect("recorded");
    assert!(recorded.starts_with("store ssh-ed25519 "), "{recorded}");
    // A recorded key that is another one is refused, although the configuration says `no` and new ones are accepted.
    std::fs::write(sshd.path("known"), format!("store {}\n", sshd.other_host_key())).expect("written");
    let (outcome, _) = run(&host(accepting, None, ""), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1102", true), "{outcome:?}");
    let words = outcome.error().expect("an error").to_string();
    assert!(words.ends_with("known:1 has another one"), "{words}");
}

#[tokio::test]
async fn what_is_in_the_way_is_told_and_nothing_is_asked_without_a_person() {
    let sshd = Sshd::start();
    let reached = |user: User, identity: Key, port: u16| {
        let settings = SshSettings {
            system: SystemSsh::Always,
            sudo_password: Some(Secret::new(PASSWORD.to_owned())),
            ..sshd.settings()
        };
        std::fs::write(sshd.path("ssh_config"), "IdentitiesOnly yes\n").expect("written");
        let target = SshTarget {
            identity: Some(sshd.key(identity)),
            port: Some(port),
            ..sshd.target(user)
        };
        SshClient::new(settings).host("edge-1", target)
    };
    for key in [Key::Refused, Key::Locked] {
        let (outcome, _) = run(&reached(User::Dash, key, sshd.port()), "exit 0", Privilege::Login).await;
        assert_eq!(code(&outcome), ("IEC1201", true), "{outcome:?}");
    }
    let (outcome, _) = run(&reached(User::Dash, Key::Accepted, 1), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1002", true), "{outcome:?}");
    let (outcome, lines) = run(
        &reached(User::Asked, Key::Accepted, sshd.port()),
        "id -un",
        Privilege::Root,
    )
    .await;
    assert!(
        outcome.succeeded() && lines == ["root"],
        "sudo gets its password: {outcome:?}"
    );
}

#[tokio::test]
async fn the_connections_end_with_their_hosts() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port()).await;
    let host = behind_a_command(&sshd, cable.port(), User::Dash, sshd.settings());
    let (outcome, _) = run(&host, "exit 0", Privilege::Login).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let sessions = || {
        let output = sshd.inside("pgrep", &["-u", User::Dash.name(), "sshd"]);
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    assert_eq!(sessions(), 1);
    drop(host);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while sessions() > 0 {
        assert!(std::time::Instant::now() < deadline, "a connection stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
