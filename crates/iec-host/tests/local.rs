//! This machine as a host.

use iec_core::content::Digest;
use iec_host::{Ending, Host, LocalHost, Payload, Privilege, Script, Signal};
use iec_testkit::Sshd;

#[tokio::test]
async fn scripts_run_here() {
    let host = LocalHost::new("here", "root");
    let mut lines = Vec::new();
    let script = Script::new("echo one; cat; echo two >&2; exit 5");
    let outcome = host
        .run(&script, Privilege::Root, &mut |line| lines.push(line.to_owned()))
        .await;
    assert!(matches!(outcome.ending, Ending::Exited(5)), "{outcome:?}");
    assert_eq!((lines, outcome.stderr.as_str()), (vec!["one".to_owned()], "two"));
    let outcome = host
        .run(&Script::new("kill -KILL $$"), Privilege::Root, &mut |_| {})
        .await;
    assert!(matches!(outcome.ending, Ending::Killed(Signal(9))), "{outcome:?}");
    let outcome = host.run(&Script::new("if"), Privilege::Root, &mut |_| {}).await;
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
