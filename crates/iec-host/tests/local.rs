//! This machine as a host.

use std::time::{Duration, Instant};

use iec_core::content::Digest;
use iec_host::{Bounds, Ending, Host, LocalHost, Outcome, Payload, Privilege, Script, Signal};
use iec_testkit::Sshd;

const BOUNDS: Bounds = Bounds {
    question: "the question of a test",
    bytes: 64 << 20,
    time: Duration::from_secs(300),
};

#[tokio::test]
async fn scripts_run_here() {
    let host = LocalHost::new("here", "root");
    let mut lines = Vec::new();
    let script = Script::new("echo one; cat; echo two >&2; exit 5", BOUNDS);
    let outcome = host
        .run(&script, Privilege::Root, &mut |line| lines.push(line.to_owned()))
        .await;
    assert!(matches!(outcome.ending, Ending::Exited(5)), "{outcome:?}");
    assert_eq!((lines, outcome.stderr.as_str()), (vec!["one".to_owned()], "two"));
    let outcome = host
        .run(
            &Script::new("kill -KILL $$", BOUNDS),
            Privilege::Root,
            &mut |_| {},
        )
        .await;
    assert!(matches!(outcome.ending, Ending::Killed(Signal(9))), "{outcome:?}");
    let outcome = host
        .run(&Script::new("if", BOUNDS), Privilege::Root, &mut |_| {})
        .await;
    assert!(matches!(outcome.ending, Ending::NeverRan(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_payload_is_stored_here() {
    let sshd = Sshd::start();
    let host = LocalHost::new("here", "root").through(sshd.entry());
    let file = sshd.path("blob");
    std::fs::write(&file, b"content").expect("written");
    let digest = Digest::of(b"content");
    let outcome = host.put(Payload::new().blob(digest, 7, &file), &mut |_| {}).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let path = format!("/var/lib/iec/incoming/{}", digest.hex());
    assert_eq!(sshd.inside("/bin/cat", &[&path]).stdout, b"content");
}

/// How a run of this script ends that may say 100 kB within a second and a half, and how long it took.
async fn bounded(script: &str) -> (Outcome, Duration) {
    let host = LocalHost::new("here", "root");
    let bounds = Bounds {
        bytes: 100_000,
        time: Duration::from_millis(1500),
        ..BOUNDS
    };
    let began = Instant::now();
    let script = Script::new(script, bounds);
    let outcome = host.run(&script, Privilege::Root, &mut |_| {}).await;
    (outcome, began.elapsed())
}

#[tokio::test]
async fn a_host_that_floods_or_never_ends_is_given_up() {
    let floods = [
        "yes",
        "yes >&2",
        "cat /dev/zero",
        "cat /dev/zero >&2",
        "yes & yes >&2",
        "while :; do echo a line; echo another >&2; done",
    ];
    for script in floods {
        let (outcome, took) = bounded(script).await;
        let error = outcome.error().unwrap_or_else(|| panic!("{script}: {outcome:?}"));
        assert_eq!(error.code(), "IEC1020", "{script}: {error}");
        assert_eq!(
            error.to_string(),
            "this machine said more than 100000 bytes in answer to the question of a test"
        );
        assert!(took < Duration::from_secs(10), "{script}: {took:?}");
    }
    for script in [
        "sleep 60",
        "printf 'half a line'; exec sleep 60",
        "while sleep 0.1; do echo on; done",
    ] {
        let (outcome, took) = bounded(script).await;
        let error = outcome.error().unwrap_or_else(|| panic!("{script}: {outcome:?}"));
        assert_eq!(error.code(), "IEC1021", "{script}: {error}");
        assert!(
            error.to_string().contains("the question of a test within 1 s"),
            "{error}"
        );
        assert!(took < Duration::from_secs(10), "{script}: {took:?}");
    }
}
