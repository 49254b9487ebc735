//! The question whether somebody works on a host.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

use std::process::{Command, Stdio};

use iec_sh::LockQuestion;

fn ask(home: &std::path::Path, seconds: u32) -> String {
    let home = home.to_str().expect("a plain path");
    let text = LockQuestion { home, seconds }.text();
    let output = Command::new("sh")
        .arg("-c")
        .arg(text)
        .output()
        .expect("sh starts");
    String::from_utf8(output.stdout).expect("plain text")
}

#[test]
fn the_owner_of_the_lock_is_named_until_it_is_free() {
    let home = std::env::temp_dir().join(format!("iec-lock-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder");
    assert_eq!(ask(&home, 0), "iec\tend\t0\n");

    let lock = home.join("lock");
    std::fs::write(&lock, "it's me\n").expect("a lock");
    let mut holder = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock starts");
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().expect("piped"), &mut held).expect("the lock is held");
    assert_eq!(ask(&home, 0), "iec\tlocked\taXQncyBtZQo=\niec\tend\t1\n");

    drop(holder.stdin.take());
    assert_eq!(ask(&home, 20), "iec\tend\t0\n");
    holder.wait().expect("it has ended");
    std::fs::remove_dir_all(&home).expect("removed");
}
