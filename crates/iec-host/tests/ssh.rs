//! The SSH transport against the real OpenSSH server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use iec_core::content::Digest;
use iec_core::facts::HostAnswer;
use iec_core::plan::SecretName;
use iec_core::secret::Secret;
use iec_host::{
    Bounds, Ending, Fleet, Host, NewHostKeys, Outcome, Payload, Privilege, Script, Signal, SshClient,
    SshHost, SshSettings, SshTarget, probe, refuse_logging_sudo,
};
use iec_testkit::{Agent, Cable, Key, PASSWORD, Sshd, User};

const BOUNDS: Bounds = Bounds {
    question: "the question of a test",
    bytes: 64 << 20,
    time: Duration::from_secs(300),
};

fn host(settings: SshSettings, target: SshTarget) -> SshHost {
    SshClient::new(settings).host("edge-1", target)
}

fn as_user(sshd: &Sshd, user: User) -> SshHost {
    host(sshd.settings(), sshd.target(user))
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
async fn scripts_run_whatever_the_login_shell_is() {
    let sshd = Sshd::start();
    for user in [User::Root, User::Dash, User::Bash, User::Fish, User::Chatty] {
        let host = as_user(&sshd, user);
        let script =
            "printf '%s\\n' \"it's\" '' \"\\$HOME\" 'two\nlines'\nid -un\nid -u >&2\nprintf unfinished";
        let (outcome, lines) = run(&host, script, Privilege::Login).await;
        assert!(outcome.succeeded(), "{user}: {outcome:?}");
        assert_eq!(
            lines,
            ["it's", "", "$HOME", "two", "lines", user.name(), "unfinished"],
            "{user}"
        );
        assert_eq!(outcome.stderr, host_id(user), "{user}");
        let (outcome, lines) = run(&host, "id -un; echo \"$LC_ALL\"", Privilege::Root).await;
        assert!(outcome.succeeded(), "{user}: {outcome:?}");
        assert_eq!(lines, ["root", "C"], "{user}");
    }
}

fn host_id(user: User) -> String {
    match user {
        User::Root => "0",
        User::Dash => "47001",
        User::Bash => "47002",
        User::Fish => "47003",
        _ => "47004",
    }
    .to_owned()
}

#[tokio::test]
async fn a_large_script_with_awkward_values_arrives_whole() {
    let sshd = Sshd::start();
    let host = as_user(&sshd, User::Bash);
    let value = "a 'quoted' \"value\" with $(date) `id` \\ * ü\n\ttab";
    let quoted = value.replace('\'', "'\\''");
    let mut text = String::from("main() {\n");
    let mut expected = 0;
    while text.len() < 200 << 10 {
        text += &format!("printf '%s\\n' '{quoted}'\n");
        expected += 1;
    }
    text += "cat\nexit 42\n}\nmain </dev/null\n";
    let (outcome, lines) = run(&host, &text, Privilege::Root).await;
    assert!(matches!(outcome.ending, Ending::Exited(42)), "{outcome:?}");
    assert_eq!(lines.len(), expected * 2);
    assert_eq!(lines.join("\n"), vec![value; expected].join("\n"));
}

#[tokio::test]
async fn the_end_of_a_script_is_known() {
    let sshd = Sshd::start();
    let host = as_user(&sshd, User::Dash);
    let ending = |outcome: Outcome| outcome.ending;
    let (outcome, _) = run(&host, "exit 3", Privilege::Root).await;
    assert!(matches!(ending(outcome), Ending::Exited(3)));
    let (outcome, _) = run(&host, "set -eu; false; echo no", Privilege::Login).await;
    assert!(matches!(ending(outcome), Ending::Exited(1)));
    let (outcome, _) = run(&host, "trap 'echo last' EXIT; exit 4", Privilege::Login).await;
    assert!(matches!(ending(outcome), Ending::Exited(4)));
    let (outcome, _) = run(&host, "sh -c 'kill -9 $$'", Privilege::Root).await;
    assert!(matches!(ending(outcome), Ending::Killed(Signal(9))));
    // The shell itself, and with it the frame, is killed: only the server can tell.
    let (outcome, lines) = run(&host, "echo before; kill -TERM $$; sleep 5", Privilege::Login).await;
    assert!(matches!(ending(outcome), Ending::Killed(Signal(15))));
    assert_eq!(lines, ["before"]);
    let (outcome, _) = run(&host, "if true; then", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1402", true));
    // Something that goes on and keeps the streams open does not hold up the end.
    let started = Instant::now();
    let (outcome, lines) = run(&host, "sleep 30 & echo on; exit 0", Privilege::Login).await;
    assert!(outcome.succeeded() && lines == ["on"]);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_connection_that_is_cut_is_lost_and_the_next_call_connects_again() {
    let sshd = Arc::new(Sshd::start());
    let host = as_user(&sshd, User::Bash);
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
async fn a_silent_network_is_noticed() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port()).await;
    let settings = SshSettings {
        keepalive: Duration::from_secs(1),
        keepalive_misses: 2,
        ..sshd.settings()
    };
    let host = host(
        settings,
        SshTarget {
            port: Some(cable.port()),
            ..sshd.target(User::Dash)
        },
    );
    let script = Script::new("echo one; sleep 60", BOUNDS);
    let outcome = host
        .run(&script, Privilege::Login, &mut |_| cable.silence())
        .await;
    assert_eq!(code(&outcome), ("IEC1501", false));
    assert!(
        outcome
            .error()
            .expect("an error")
            .to_string()
            .contains("not answered"),
        "{outcome:?}"
    );
    cable.mend();
    let (outcome, _) = run(&host, "exit 0", Privilege::Login).await;
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[tokio::test]
async fn half_a_script_never_runs() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port()).await;
    let target = SshTarget {
        port: Some(cable.port()),
        ..sshd.target(User::Dash)
    };
    let host = host(sshd.settings(), target);
    // So long, and so hard to compress, that the connection is cut while it is on its way.
    let marker = sshd.path("home/iec-dash/ran");
    let mut number = 1_u64;
    let noise: String = (0..400_000)
        .map(|_| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!(": {number}\n")
        })
        .collect();
    let text = format!("touch {}\n{noise}", marker.display());
    let running = run(&host, &text, Privilege::Login);
    let cutting = async {
        while cable.carried() < 1 << 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cable.cut();
    };
    let ((outcome, _), ()) = tokio::join!(running, cutting);
    assert_eq!(code(&outcome), ("IEC1501", true), "{:?}", outcome.ending);
    assert!(!marker.exists());
}

#[tokio::test]
async fn keys_that_are_not_accepted_are_listed() {
    let sshd = Sshd::start();
    let agent = Agent::with_keys(&[&sshd.key(Key::Refused)]);
    let settings = SshSettings {
        agent: Some(agent.socket()),
        ..sshd.settings()
    };
    let target = SshTarget {
        identity: Some(sshd.key(Key::Locked)),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings, target), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1201", true));
    let text = outcome.error().expect("an error").to_string();
    assert!(text.contains("iec-test): not accepted"), "{text}");
    assert!(text.contains("locked, and its passphrase is not known"), "{text}");

    let target = SshTarget {
        identity: Some(sshd.path("none")),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(sshd.settings(), target), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1202", true));
}

#[tokio::test]
async fn keys_come_from_files_with_and_without_passphrase_and_from_the_agent() {
    let sshd = Sshd::start();
    for key in [Key::Accepted, Key::AcceptedRsa] {
        let target = SshTarget {
            identity: Some(sshd.key(key)),
            ..sshd.target(User::Dash)
        };
        host(sshd.settings(), target).connect().await.expect("accepted");
    }
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    let settings = SshSettings {
        passphrase: Some(Arc::new(move |path: &std::path::Path| {
            let mut asked = record.lock().expect("not poisoned");
            asked.push(path.to_owned());
            // A first wrong answer is forgiven.
            Some(Secret::new(if asked.len() == 1 {
                "wrong".to_owned()
            } else {
                PASSWORD.to_owned()
            }))
        })),
        ..sshd.settings()
    };
    let client = SshClient::new(settings);
    let target = SshTarget {
        identity: Some(sshd.key(Key::Locked)),
        ..sshd.target(User::Dash)
    };
    client
        .host("a", target.clone())
        .connect()
        .await
        .expect("unlocked");
    client.host("b", target).connect().await.expect("still unlocked");
    assert_eq!(asked.lock().expect("not poisoned").len(), 2);

    for key in [Key::Accepted, Key::AcceptedRsa] {
        let agent = Agent::with_keys(&[&sshd.key(Key::Refused), &sshd.key(key)]);
        let settings = SshSettings {
            agent: Some(agent.socket()),
            ..sshd.settings()
        };
        let target = SshTarget {
            identity: None,
            ..sshd.target(User::Dash)
        };
        host(settings, target)
            .connect()
            .await
            .expect("accepted from the agent");
    }
}

#[tokio::test]
async fn host_keys_are_checked() {
    let sshd = Sshd::start();
    let changed = SshTarget {
        host_key: Some(sshd.other_host_key()),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(sshd.settings(), changed), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1102", true));
    let text = outcome.error().expect("an error").to_string();
    assert!(text.contains(&sshd.host_key().fingerprint()), "{text}");
    assert!(text.contains(&sshd.other_host_key().fingerprint()), "{text}");

    let known_hosts = sshd.path("operator/known_hosts");
    let config = format!(
        "UserKnownHostsFile {}\nGlobalKnownHostsFile none\n",
        known_hosts.display()
    );
    std::fs::write(sshd.path("ssh_config"), config).expect("written");
    let target = SshTarget {
        host_key: None,
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(sshd.settings(), target.clone()), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1101", true));
    let accepting = SshSettings {
        new_host_keys: NewHostKeys::Accept,
        ..sshd.settings()
    };
    host(accepting, target.clone()).connect().await.expect("recorded");
    host(sshd.settings(), target.clone())
        .connect()
        .await
        .expect("known");
    let line = format!("# old\n[127.0.0.1]:{} {}\n", sshd.port(), sshd.other_host_key());
    std::fs::write(&known_hosts, line).expect("written");
    let (outcome, _) = run(&host(sshd.settings(), target), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1102", true));
    let text = outcome.error().expect("an error").to_string();
    assert!(
        text.contains(&format!("{}:2 says", known_hosts.display())),
        "{text}"
    );
}

#[tokio::test]
async fn sudo_that_does_not_work_says_how() {
    let sshd = Sshd::start();
    for (user, expected) in [
        (User::Asked, "IEC1301"),
        (User::Terminal, "IEC1303"),
        (User::Stranger, "IEC1301"),
        (User::WithoutSudo, "IEC1305"),
        (User::NoLogin, "IEC1401"),
        (User::Leaving, "IEC1401"),
        (User::Replaced, "IEC1401"),
    ] {
        let host = as_user(&sshd, user);
        let (outcome, lines) = run(&host, "echo ran", Privilege::Root).await;
        assert_eq!(code(&outcome), (expected, true), "{user}: {outcome:?}");
        assert!(lines.is_empty());
        let outcome = host.put(Payload::new(), &mut |_| {}).await;
        assert_eq!(code(&outcome), (expected, true), "{user}: {outcome:?}");
    }
}

/// A seeded secret is nowhere in the log of a sudo that writes down what it is given, and none is read through it.
#[tokio::test]
async fn a_sudo_that_writes_down_what_it_is_given_gets_no_secret() {
    let sshd = Sshd::start();
    let host = as_user(&sshd, User::Logged);
    let secret = || Payload::new().secret(SecretName::ClusterCaKey, Secret::new("seeded-secret".to_owned()));
    for _ in 0..2 {
        let outcome = host.put(secret(), &mut |_| {}).await;
        assert_eq!(code(&outcome), ("IEC1106", true), "{outcome:?}");
    }
    let log = sshd.path("sudo-log").display().to_string();
    let found = sshd.inside("grep", &["-rlaE", "seeded-secret", &log]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let read = sshd.inside(
        "sh",
        &[
            "-c",
            &format!("find {log} -name stdin -exec zcat -f {{}} + | grep -c iec-begin"),
        ],
    );
    assert!(read.status.success(), "the log shows no input at all: {read:?}");
    let read = sshd.inside(
        "sh",
        &[
            "-c",
            &format!("find {log} -type f -exec zcat -f {{}} + | grep -q seeded-secret"),
        ],
    );
    assert!(!read.status.success(), "{read:?}");

    let refused = refuse_logging_sudo(&host).await.expect_err("sudo reads along");
    assert!(refused.to_string().contains("log_input"), "{refused}");
    for user in [User::Root, User::Dash, User::Fish] {
        refuse_logging_sudo(&as_user(&sshd, user))
            .await
            .expect("nobody reads along");
    }
}

#[tokio::test]
async fn sudo_gets_the_password_it_asks_for() {
    let sshd = Sshd::start();
    let settings = |password: &str| SshSettings {
        sudo_password: Some(Secret::new(password.to_owned())),
        ..sshd.settings()
    };
    let right = host(settings(PASSWORD), sshd.target(User::Asked));
    let secret = Payload::new().secret(SecretName::ClusterCaKey, Secret::new("x".to_owned()));
    let outcome = right.put(secret, &mut |_| {}).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    for _ in 0..2 {
        let (outcome, lines) = run(
            &right,
            "id -un; cat /var/lib/iec/incoming/secrets/ca.key",
            Privilege::Root,
        )
        .await;
        assert!(outcome.succeeded(), "{outcome:?}");
        assert_eq!(lines, ["root", "x"]);
        assert_eq!(outcome.stderr, "");
    }
    let wrong = host(settings("wrong"), sshd.target(User::Asked));
    let (outcome, _) = run(&wrong, "id -un", Privilege::Root).await;
    assert_eq!(code(&outcome), ("IEC1302", true));
    // Where sudo asks for none, the password is never sent.
    let (outcome, lines) = run(
        &host(settings(PASSWORD), sshd.target(User::Dash)),
        "id -un",
        Privilege::Root,
    )
    .await;
    assert!(outcome.succeeded() && lines == ["root"]);
}

#[tokio::test]
async fn hosts_behind_a_jump_host_share_one_connection_to_it() {
    let bastion = Sshd::start();
    let inner = Sshd::start();
    let cable = Cable::to(bastion.port()).await;
    let config = format!(
        "Host bastion\n  HostName 127.0.0.1\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
        cable.port(),
        User::Fish,
        bastion.key(Key::Accepted).display(),
        bastion.path("known_hosts").display(),
    );
    let inner_config = format!(
        "Host inner-*\n  HostName 127.0.0.1\n  Port {}\n  ProxyJump bastion\n",
        inner.port()
    );
    std::fs::write(inner.path("ssh_config"), config + &inner_config).expect("written");
    let known = format!("[127.0.0.1]:{} {}\n", cable.port(), bastion.host_key());
    std::fs::write(bastion.path("known_hosts"), known).expect("written");
    let client = SshClient::new(inner.settings());
    let target = |name: &str| SshTarget {
        address: name.to_owned(),
        port: None,
        ..inner.target(User::Dash)
    };
    let hosts: Vec<SshHost> = (1..=5)
        .map(|n| client.host(format!("edge-{n}"), target(&format!("inner-{n}"))))
        .collect();
    let runs = hosts
        .iter()
        .map(|host| run(host, "echo through", Privilege::Root));
    for (outcome, lines) in futures::future::join_all(runs).await {
        assert!(outcome.succeeded(), "{outcome:?}");
        assert_eq!(lines, ["through"]);
    }
    assert_eq!(cable.connections(), 1);

    let forbidding = Sshd::start_with("AllowTcpForwarding no");
    let jump = format!("{}@127.0.0.1:{}", User::Dash, forbidding.port());
    let settings = SshSettings {
        new_host_keys: NewHostKeys::Accept,
        ..forbidding.settings()
    };
    let config = format!(
        "UserKnownHostsFile {}\nIdentityFile {}\n",
        forbidding.path("kh").display(),
        forbidding.key(Key::Accepted).display()
    );
    std::fs::write(forbidding.path("ssh_config"), config).expect("written");
    let target = SshTarget {
        jumps: Some(vec![jump]),
        ..inner.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings, target), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1006", true), "{outcome:?}");
}

#[tokio::test]
async fn a_payload_arrives_with_its_digests() {
    let sshd = Sshd::start();
    let host = as_user(&sshd, User::Chatty);
    let file = sshd.path("blob");
    let (digest, size) = random_file(&file, 100 << 20);
    let payload = Payload::new()
        .blob(digest, size, &file)
        .secret(SecretName::ClusterCaKey, Secret::new("hush\n".to_owned()));
    let mut sent = 0;
    let outcome = host.put(payload, &mut |bytes| sent += bytes).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(sent > size);
    let script = "cd /var/lib/iec/incoming; sha256sum *[0-9a-f]; stat -c '%n %a %U' . secrets secrets/* *[0-9a-f]; cat secrets/ca.key";
    let (outcome, lines) = run(&host, script, Privilege::Root).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let hex = digest.hex();
    let expected = [
        format!("{hex}  {hex}"),
        ". 700 root".to_owned(),
        "secrets 700 root".to_owned(),
        "secrets/ca.key 600 root".to_owned(),
        format!("{hex} 600 root"),
        "hush".to_owned(),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_payload_that_cannot_be_stored_says_why() {
    let sshd = Sshd::start();
    let host = as_user(&sshd, User::Fish);
    let file = sshd.path("blob");
    let (digest, size) = random_file(&file, 4 << 20);
    let outcome = host
        .put(Payload::new().blob(digest, size + 1, &file), &mut |_| {})
        .await;
    assert_eq!(code(&outcome), ("IEC1502", false));
    let full = "rm -r /var/lib/iec/incoming/*; mount -t tmpfs -o size=1m full /var/lib/iec/incoming";
    assert!(sshd.inside("/bin/sh", &["-c", full]).status.success());
    let outcome = host
        .put(Payload::new().blob(digest, size, &file), &mut |_| {})
        .await;
    assert!(matches!(outcome.ending, Ending::Exited(2)), "{outcome:?}");
    let said = &outcome.stderr;
    assert!(
        said.contains("No space left") || said.contains("Wrote only"),
        "{said}"
    );
}

/// Makes a file of `size` random bytes.
fn random_file(path: &std::path::Path, size: u64) -> (Digest, u64) {
    use std::io::Read;
    let random = std::fs::File::open("/dev/urandom").expect("randomness");
    let mut file = std::fs::File::create(path).expect("a file");
    std::io::copy(&mut random.take(size), &mut file).expect("written");
    let sum = std::process::Command::new("sha256sum")
        .arg(path)
        .output()
        .expect("sha256sum starts")
        .stdout;
    let sum = String::from_utf8(sum).expect("hexadecimal digits");
    (format!("sha256:{}", &sum[..64]).parse().expect("a digest"), size)
}

#[tokio::test]
async fn what_cannot_be_reached_says_so() {
    let sshd = Sshd::start();
    let settings = || SshSettings {
        connect_timeout: Duration::from_millis(300),
        ..sshd.settings()
    };
    let closed = SshTarget {
        port: Some(1),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings(), closed), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1002", true));
    let unknown = SshTarget {
        address: "no-such-host.invalid".to_owned(),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings(), unknown), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1001", true));
    // A server that takes the connection and says nothing.
    let mute = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let silent = SshTarget {
        port: Some(mute.local_addr().expect("an address").port()),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings(), silent), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1003", true));
    // A host that takes the connection at once, and needs longer for its first word than a connection may take.
    let slow = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let port = slow.local_addr().expect("an address").port();
    let server = sshd.target(User::Dash).port.expect("a port of its own");
    let late = tokio::spawn(async move {
        let (mut near, _) = slow.accept().await.expect("somebody connects");
        tokio::time::sleep(Duration::from_millis(600)).await;
        let far = tokio::net::TcpStream::connect(("127.0.0.1", server)).await;
        // How it ends is the client's to say.
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far.expect("a server")).await;
    });
    let slow = SshTarget {
        port: Some(port),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings(), slow), "exit 0", Privilege::Login).await;
    assert!(matches!(outcome.ending, Ending::Exited(0)), "{outcome:?}");
    late.abort();
    // A server that hangs up.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let hang_up = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let rude = SshTarget {
        port: Some(port),
        ..sshd.target(User::Dash)
    };
    let (outcome, _) = run(&host(settings(), rude), "exit 0", Privilege::Login).await;
    assert_eq!(code(&outcome), ("IEC1005", true));
    hang_up.abort();
}

#[tokio::test]
async fn a_full_connection_refuses_further_sessions_only() {
    let sshd = Sshd::start_with("MaxSessions 1");
    let host = as_user(&sshd, User::Dash);
    let (first, (second, _)) = tokio::join!(run(&host, "sleep 1; echo first", Privilege::Login), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        run(&host, "echo second", Privilege::Login).await
    });
    assert!(first.0.succeeded(), "{:?}", first.0);
    assert_eq!(code(&second), ("IEC1403", true));
}

#[tokio::test]
async fn many_scripts_share_one_connection() {
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port()).await;
    let host = host(
        sshd.settings(),
        SshTarget {
            port: Some(cable.port()),
            ..sshd.target(User::Dash)
        },
    );
    let runs = (0..8).map(|_| run(&host, "echo $(seq 1 1000)", Privilege::Root));
    for (outcome, lines) in futures::future::join_all(runs).await {
        assert!(outcome.succeeded(), "{outcome:?}");
        assert_eq!(lines.len(), 1);
    }
    assert_eq!(cable.connections(), 1);
}

#[tokio::test]
async fn probing_tells_facts_and_reasons() {
    let sshd = Sshd::start();
    let client = SshClient::new(sshd.settings());
    let away = SshTarget {
        port: Some(1),
        ..sshd.target(User::Dash)
    };
    let fleet = Fleet::new([
        Arc::new(client.host("chatty", sshd.target(User::Chatty))) as Arc<dyn Host>,
        Arc::new(client.host("away", away)),
        Arc::new(client.host("asked", sshd.target(User::Asked))),
    ]);
    let probed = probe(&fleet, Some(7)).await;
    assert_eq!(probed.facts.taken, Some(7));
    let facts = probed.facts.host("chatty").expect("facts");
    assert!(facts.assumed().is_empty(), "{:?}", facts.assumed());
    assert_eq!(facts.login.shell, "/bin/bash");
    assert!(
        facts.login.noise.starts_with("Welcome to the edge!"),
        "{:?}",
        facts.login
    );
    // One machine, one clock: the time on the way is not taken for a difference.
    assert_eq!(facts.clock.skew_millis, Some(0));
    for (name, code) in [("away", "IEC1002"), ("asked", "IEC1301")] {
        match probed.facts.answer(name) {
            Some(HostAnswer::Failed(failure)) => assert_eq!(failure.code, code, "{failure:?}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_flood_is_given_up_and_the_connection_stays_usable() {
    let sshd = Sshd::start();
    for user in [User::Bash, User::Asked] {
        let settings = SshSettings {
            sudo_password: Some(Secret::new(PASSWORD.to_owned())),
            ..sshd.settings()
        };
        let host = host(settings, sshd.target(user));
        for flood in ["yes", "cat /dev/zero >&2"] {
            let bounds = Bounds {
                bytes: 1 << 20,
                ..BOUNDS
            };
            let script = Script::new(flood, bounds);
            let began = Instant::now();
            let outcome = host.run(&script, Privilege::Root, &mut |_| {}).await;
            assert_eq!(code(&outcome).0, "IEC1020", "{user}: {outcome:?}");
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{user}: {:?}",
                began.elapsed()
            );
            let (outcome, lines) = run(&host, "echo on", Privilege::Root).await;
            assert!(outcome.succeeded() && lines == ["on"], "{user}: {outcome:?}");
        }
    }
}
