//! Commands in a virtual machine by the QEMU guest agent: without its network, without its SSH server.
//!
//! The protocol is one JSON object a line: <https://www.qemu.org/docs/master/interop/qemu-ga-ref.html>.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{LabError, at};
use crate::program::Answer;

/// How long the agent may take for an answer; an emulated machine that is busy takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a command is asked whether it has ended; longer each time, because each question costs an emulated machine
/// more than most commands do.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The most that an answer may have: output comes as a whole, and a machine may be anybody's.
const MOST_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "return")]
    value: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    desc: String,
}

#[derive(Deserialize)]
struct Started {
    pid: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ended {
    exited: bool,
    #[serde(rename = "exitcode")]
    exit_code: Option<i32>,
    signal: Option<i32>,
    out_data: Option<String>,
    err_data: Option<String>,
}

/// Runs a command to its end and gives what it answered.
///
/// # Errors
/// When the agent cannot be reached, refuses, or does not answer in time.
pub(super) fn exec(socket: &Path, user: &str, command: &[String], input: &[u8]) -> Result<Answer, LabError> {
    let mut agent = Agent::connect(socket)?;
    // No shell reads the words: runuser takes them one by one.
    let mut words = vec!["-u", user, "--"];
    words.extend(command.iter().map(String::as_str));
    let arguments = json!({
        "path": "/usr/sbin/runuser", "arg": words, "input-data": STANDARD.encode(input), "capture-output": true,
    });
    let started: Started = agent.ask("guest-exec", &arguments)?;
    let mut pause = FIRST_PAUSE;
    loop {
        let ended: Ended = agent.ask("guest-exec-status", &json!({"pid": started.pid}))?;
        if ended.exited {
            let bytes = |data: Option<String>| {
                STANDARD
                    .decode(data.unwrap_or_default())
                    .map_err(|_| agent.unknown("its output is not in base64"))
            };
            return Ok(Answer {
                code: ended
                    .exit_code
                    .or_else(|| ended.signal.map(|signal| 128 + signal)),
                stdout: bytes(ended.out_data)?,
                stderr: bytes(ended.err_data)?,
            });
        }
        std::thread::sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Has the machine shut down, by systemd itself: the agent's own command for it asks logind, which needs a D-Bus.
///
/// # Errors
/// When the agent cannot be reached, or refuses.
pub(super) fn shut_down(socket: &Path) -> Result<(), LabError> {
    let arguments = json!({"path": "/usr/bin/systemctl", "arg": ["--no-block", "poweroff"]});
    Agent::connect(socket)?
        .ask::<Started>("guest-exec", &arguments)
        .map(drop)
}

/// A connection to a machine's agent.
struct Agent<'a> {
    socket: &'a Path,
    reader: BufReader<UnixStream>,
}

impl<'a> Agent<'a> {
    /// Connects, and waits until the agent answers this very connection: what an earlier one left unread comes first.
    fn connect(socket: &'a Path) -> Result<Self, LabError> {
        let stream = UnixStream::connect(socket).map_err(at("reach the guest agent by", socket))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(at("reach the guest agent by", socket))?;
        let mut agent = Self {
            socket,
            reader: BufReader::new(stream),
        };
        let id = u64::from(std::process::id());
        let start = Instant::now();
        agent.send("guest-sync", &json!({"id": id}))?;
        while start.elapsed() < PATIENCE {
            let line = agent.line()?;
            let reply: Option<Reply> = serde_json::from_slice(&line).ok();
            if reply
                .and_then(|reply| reply.value)
                .and_then(|value| value.as_u64())
                == Some(id)
            {
                return Ok(agent);
            }
        }
        Err(agent.unknown("it answers other questions than it was asked"))
    }

    fn send(&mut self, execute: &str, arguments: &Value) -> Result<(), LabError> {
        let line = format!("{}\n", json!({"execute": execute, "arguments": arguments}));
        self.reader
            .get_mut()
            .write_all(line.as_bytes())
            .map_err(at("ask the guest agent by", self.socket))
    }

    fn line(&mut self) -> Result<Vec<u8>, LabError> {
        let mut line = Vec::new();
        let mut bounded = std::io::Read::take(&mut self.reader, MOST_BYTES);
        bounded
            .read_until(b'\n', &mut line)
            .map_err(at("hear the guest agent by", self.socket))?;
        if line.last() == Some(&b'\n') {
            Ok(line)
        } else {
            Err(self.unknown("it ended in the middle of an answer"))
        }
    }

    fn ask<T: serde::de::DeserializeOwned>(
        &mut self,
        execute: &str,
        arguments: &Value,
    ) -> Result<T, LabError> {
        self.send(execute, arguments)?;
        let line = self.line()?;
        let reply: Reply =
            serde_json::from_slice(&line).map_err(|_| self.unknown("it does not speak JSON"))?;
        if let Some(refusal) = reply.error {
            return Err(self.unknown(&refusal.desc));
        }
        serde_json::from_value(reply.value.unwrap_or_default())
            .map_err(|_| self.unknown("its answer lacks what was asked for"))
    }

    fn unknown(&self, evidence: &str) -> LabError {
        LabError::Failed {
            doing: "asking the virtual machine".to_owned(),
            program: "qemu-ga".to_owned(),
            status: "no answer that can be read".to_owned(),
            evidence: evidence.chars().filter(|each| !each.is_control()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// An agent with prepared answers, one a question, after what an earlier connection has left.
    fn agent(answers: &'static [&'static str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let socket = root.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody connects");
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            reader.read_line(&mut line).expect("a question");
            let sync: Value = serde_json::from_str(&line).expect("JSON");
            let id = sync["arguments"]["id"].clone();
            let write = |reader: &mut BufReader<UnixStream>, text: String| {
                reader.get_mut().write_all(text.as_bytes()).expect("written");
            };
            write(
                &mut reader,
                format!("{{\"return\": {{\"pid\": 1}}}}\n{{\"return\": {id}}}\n"),
            );
            for answer in answers {
                line.clear();
                reader.read_line(&mut line).expect("a question");
                write(&mut reader, format!("{answer}\n"));
            }
        });
        (root, socket)
    }

    fn run(socket: &Path) -> Result<Answer, LabError> {
        exec(socket, "edge", &["true".to_owned()], b"")
    }

    #[test]
    fn a_command_is_waited_for_and_its_output_read() {
        let (_root, socket) = agent(&[
            r#"{"return": {"pid": 7}}"#,
            r#"{"return": {"exited": false}}"#,
            r#"{"return": {"exited": true, "exitcode": 3, "out-data": "b25l", "err-data": "dHdv"}}"#,
        ]);
        let answer = run(&socket).expect("it has ended");
        assert_eq!(
            (answer.code, answer.stdout.as_slice(), answer.stderr.as_slice()),
            (Some(3), b"one".as_slice(), b"two".as_slice())
        );
    }

    #[test]
    fn a_killed_command_ends_as_shells_say_it() {
        let (_root, socket) = agent(&[
            r#"{"return": {"pid": 7}}"#,
            r#"{"return": {"exited": true, "signal": 9}}"#,
        ]);
        assert_eq!(run(&socket).expect("it has ended").code, Some(137));
    }

    #[test]
    fn refusals_and_nonsense_are_errors_with_their_words() {
        for (answer, words) in [
            (
                r#"{"error": {"class": "GenericError", "desc": "no such file"}}"#,
                "no such file",
            ),
            ("\u{1b}[2J", "does not speak JSON"),
            (r#"{"return": {}}"#, "lacks what was asked for"),
        ] {
            let answers: &'static [&'static str] = Box::leak(Box::new([answer]));
            let (_root, socket) = agent(answers);
            let error = run(&socket).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
