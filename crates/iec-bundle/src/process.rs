//! Runs the programs that build content: in a process group of their own, watched, and stopped as a whole.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::error::BuildError;

/// How many lines of a failing command's output an error carries.
const KEPT_LINES: usize = 20;
/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long a command has to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(3);

/// What running programs needs: who asks, whether to stop, and where progress goes.
pub(crate) struct Runner<'a> {
    /// The part's name, for errors.
    pub(crate) part: &'a str,
    /// Set by the caller to stop.
    pub(crate) cancel: &'a AtomicBool,
    /// Takes each line that the program prints on its standard error.
    pub(crate) progress: &'a dyn Fn(&str),
}

enum Line {
    Output(String),
    Progress(String),
}

impl Runner<'_> {
    /// Runs the command to its end and returns the lines of its standard output.
    ///
    /// # Errors
    /// When it cannot be started, fails, or the caller asks to stop; then its whole process group is gone.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Vec<String>, BuildError> {
        let mut child = self.spawn(command)?;
        let (sender, receiver) = mpsc::channel();
        let stdout = child.stdout.take().expect("standard output is piped");
        let stderr = child.stderr.take().expect("standard error is piped");
        let errors = sender.clone();
        let readers = [
            std::thread::spawn(move || forward(stdout, &sender, Line::Output)),
            std::thread::spawn(move || forward(stderr, &errors, Line::Progress)),
        ];
        let mut output = Vec::new();
        let mut last = VecDeque::new();
        let mut take = |line| {
            let text = match line {
                Line::Output(text) => {
                    output.push(text.clone());
                    text
                }
                Line::Progress(text) => {
                    (self.progress)(&text);
                    text
                }
            };
            if last.len() == KEPT_LINES {
                last.pop_front();
            }
            last.push_back(text);
        };
        let status = loop {
            if self.cancel.load(Ordering::Relaxed) {
                stop_group(&mut child);
                return Err(BuildError::Cancelled);
            }
            if let Ok(line) = receiver.recv_timeout(POLL) {
                take(line);
                receiver.try_iter().for_each(&mut take);
            }
            if let Some(status) = child
                .try_wait()
                .map_err(|error| self.not_started(command, &error))?
            {
                break status;
            }
        };
        for reader in readers {
            reader.join().expect("the reader does not panic");
        }
        receiver.try_iter().for_each(&mut take);
        if status.success() {
            Ok(output)
        } else {
            Err(self.failed(command, status, last.into()))
        }
    }

    fn spawn(&self, command: &mut Command) -> Result<Child, BuildError> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| self.not_started(command, &error))
    }

    fn not_started(&self, command: &Command, error: &std::io::Error) -> BuildError {
        BuildError::Failed {
            part: self.part.to_owned(),
            command: short(command),
            outcome: format!("could not be run: {error}"),
            output: Vec::new(),
        }
    }

    fn failed(&self, command: &Command, status: ExitStatus, output: Vec<String>) -> BuildError {
        let part = self.part.to_owned();
        if output.iter().any(|line| tells_of_network(line)) {
            return BuildError::Network { part, output };
        }
        let outcome = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => status.to_string(),
        };
        BuildError::Failed {
            part,
            command: short(command),
            outcome,
            output,
        }
    }
}

/// The program and its first words, for people.
fn short(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .filter(|word| !word.starts_with('-'))
            .take(2),
    );
    words.join(" ")
}

/// Whether a line is what Go or apt print when a registry cannot be reached.
fn tells_of_network(line: &str) -> bool {
    const SIGNS: [&str; 11] = [
        "dial tcp",
        "no such host",
        "i/o timeout",
        "TLS handshake timeout",
        "connection refused",
        "Connection refused",
        "network is unreachable",
        "Could not resolve",
        "Temporary failure resolving",
        "Failed to fetch",
        "proxyconnect",
    ];
    SIGNS.iter().any(|sign| line.contains(sign))
}

fn forward(stream: impl Read, lines: &mpsc::Sender<Line>, wrap: fn(String) -> Line) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if lines.send(wrap(line)).is_err() {
            return;
        }
    }
}

fn stop_group(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    // A group that is already gone is what is wanted, so failures of kill say nothing.
    let _ = kill_process_group(group, Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(POLL);
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

/// Writes an executable script for a test. Another program writes it: while this process has it open for writing, a
/// program that another test's thread starts holds it open too, and it cannot be run ("text file busy").
#[cfg(test)]
pub(crate) fn write_script(path: &std::path::Path, text: &str) {
    let mut command = Command::new("sh");
    command
        .args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .arg(text);
    assert!(command.status().unwrap().success());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, cancel: &AtomicBool) -> Result<Vec<String>, BuildError> {
        let runner = Runner {
            part: "test",
            cancel,
            progress: &|_| {},
        };
        runner.run(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn output_is_returned_and_failures_carry_the_last_lines() {
        let cancel = AtomicBool::new(false);
        assert_eq!(run("echo one; echo two", &cancel).unwrap(), ["one", "two"]);
        let error = run("seq 30 >&2; exit 3", &cancel).unwrap_err();
        assert_eq!(error.code(), "IEC2006");
        assert_eq!(error.output().len(), KEPT_LINES);
        assert_eq!(error.output().last().unwrap(), "30");
        assert!(error.to_string().contains("exit code 3"), "{error}");
    }

    #[test]
    fn a_registry_out_of_reach_is_told_from_a_failing_build() {
        let line = "go: x@v1: Get \"x\": dial tcp: lookup proxy on 127.0.0.1:53: no such host";
        let error = run(&format!("echo '{line}' >&2; exit 1"), &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, BuildError::Network { .. }), "{error:?}");
    }

    #[test]
    fn stopping_kills_grandchildren_too() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let cancel = AtomicBool::new(false);
        let script = format!("sleep 60 & echo $! > {}; wait", pid_file.display());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while std::fs::read_to_string(&pid_file).unwrap_or_default().is_empty() {
                    std::thread::sleep(POLL);
                }
                cancel.store(true, Ordering::Relaxed);
            });
            assert!(matches!(run(&script, &cancel), Err(BuildError::Cancelled)));
        });
        let pid = std::fs::read_to_string(&pid_file).unwrap();
        // A killed process stays until it is next on a processor and its parent has taken notice.
        let deadline = Instant::now() + Duration::from_secs(20);
        let state = loop {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") || Instant::now() > deadline {
                break state;
            }
            std::thread::sleep(POLL);
        };
        assert!(
            state.is_empty() || state.contains(") Z "),
            "the grandchild is still there: {state}"
        );
    }
}
