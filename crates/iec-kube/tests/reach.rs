//! The script by which hosts fetch, run for real against sockets of this machine.

#![expect(clippy::disallowed_methods, reason = "a test runs the script in a real shell")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use iec_core::reach::{HostAnswer, HostRequest, read, script};

/// Patient enough for a busy machine.
fn request(port: u16) -> HostRequest {
    HostRequest {
        address: Ipv4Addr::LOCALHOST,
        port,
        deadline: Duration::from_secs(20),
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Answers every connection with `text`, and says what was asked for in it.
fn serve(text: &'static str) -> u16 {
    let (listener, port) = listener();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 256];
            let length = stream.read(&mut request).expect("a request");
            let line = String::from_utf8_lossy(&request[..length]);
            let line = line.lines().next().unwrap_or_default();
            write!(stream, "{text}{line}").expect("an answer");
        }
    });
    port
}

fn run(requests: &[HostRequest]) -> Vec<HostAnswer> {
    let mut shell = Command::new("/bin/sh")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = shell.stdin.take().expect("its input");
    input.write_all(script(requests).as_bytes()).expect("written");
    drop(input);
    let output = shell.wait_with_output().expect("its output");
    read(&String::from_utf8_lossy(&output.stdout), requests.len())
}

#[test]
fn pages_refusals_and_silence_are_told_apart() {
    let page = serve("HTTP/1.1 200 OK\r\nX-Iec-Served-By: nginx-a\r\n\r\nWelcome to nginx! ");
    // A socket that is bound and then closed again is one that refuses.
    let refused = listener().1;
    // This one takes connections and never says anything.
    let (_silent_listener, silent) = listener();
    let mut requests = vec![request(page); 30];
    let impatient = HostRequest {
        deadline: Duration::from_millis(700),
        ..request(silent)
    };
    requests.extend([request(refused), impatient]);
    let answers = run(&requests);
    for answer in &answers[..30] {
        let HostAnswer::Response { raw, seconds } = answer else {
            panic!("{answer:?}")
        };
        let text = String::from_utf8_lossy(raw);
        assert!(text.ends_with("Welcome to nginx! GET / HTTP/1.0"), "{text}");
        assert!(*seconds > 0.0, "{seconds}");
    }
    let HostAnswer::NoAnswer { evidence, .. } = &answers[30] else {
        panic!("{:?}", answers[30])
    };
    assert_eq!(evidence, "Connection refused");
    let HostAnswer::NoAnswer { evidence, seconds } = &answers[31] else {
        panic!("{:?}", answers[31])
    };
    assert!(
        evidence.contains("within") && *seconds >= 0.7,
        "{evidence} after {seconds} s"
    );
}

#[test]
fn a_server_that_closes_at_once_gives_no_answer() {
    let (listener, port) = listener();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let answers = run(&[request(port)]);
    assert!(matches!(answers[0], HostAnswer::NoAnswer { .. }), "{answers:?}");
}

#[test]
fn a_host_without_bash_could_not_tell() {
    let text = script(&[request(1)]).replace("exec bash", "exec no-such-shell");
    let mut shell = Command::new("/bin/sh")
        .args(["-c", &text])
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut output = String::new();
    shell
        .stdout
        .take()
        .expect("its output")
        .read_to_string(&mut output)
        .expect("read");
    shell.wait().expect("it ends");
    assert!(
        matches!(read(&output, 1)[0], HostAnswer::CouldNotTell { .. }),
        "{output}"
    );
}
