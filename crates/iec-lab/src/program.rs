//! Running other programs, behind a trait that tests replace.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::error::LabError;

/// How many lines of a program's error output go into an error.
const EVIDENCE_LINES: usize = 12;

/// What a program reads as its standard input.
#[derive(Debug, Clone, Default)]
pub(crate) enum Input {
    /// Nothing.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing; but the open file (the lab's lock) stays open until the program has ended,
    /// so that the lock outlives this process when this process is killed.
    Held(Arc<File>),
}

/// A program to run: never through a shell.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub(crate) program: &'static str,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) input: Input,
}

impl Invocation {
    pub(crate) fn new<A: Into<OsString>>(
        program: &'static str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program,
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            input: Input::Nothing,
        }
    }

    pub(crate) fn environment(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    pub(crate) fn input(mut self, input: Input) -> Self {
        self.input = input;
        self
    }
}

/// What a program answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Answer {
    /// How it ended, in words.
    pub(crate) fn status(&self) -> String {
        self.code.map_or_else(
            || "ended by a signal".to_owned(),
            |code| format!("exit status {code}"),
        )
    }

    /// The last lines of its error output.
    pub(crate) fn evidence(&self) -> String {
        last_lines(&String::from_utf8_lossy(&self.stderr), EVIDENCE_LINES)
    }
}

/// The last `count` lines of a text that are not empty.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Runs programs; the real one is [`System`].
pub(crate) trait Runner: Send + Sync {
    /// Runs one program to its end; `on_line` gets each line of its error output as it comes.
    fn run(&self, invocation: &Invocation, on_line: &mut dyn FnMut(&str)) -> io::Result<Answer>;
}

/// This machine's own programs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct System;

impl Runner for System {
    fn run(&self, invocation: &Invocation, on_line: &mut dyn FnMut(&str)) -> io::Result<Answer> {
        let mut command = Command::new(invocation.program);
        command
            .args(&invocation.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.envs(invocation.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(match &invocation.input {
            Input::Nothing => Stdio::null(),
            Input::Bytes(_) => Stdio::piped(),
            Input::Held(file) => Stdio::from(file.try_clone()?),
        });
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut answer = Answer::default();
        std::thread::scope(|scope| -> io::Result<()> {
            // One thread per pipe: a program that fills one pipe while we wait on another would hang.
            let writer = scope.spawn(|| match (stdin, &invocation.input) {
                (Some(mut pipe), Input::Bytes(bytes)) => pipe.write_all(bytes),
                _ => Ok(()),
            });
            let reader = scope.spawn(|| -> io::Result<Vec<u8>> {
                let mut bytes = Vec::new();
                if let Some(mut pipe) = stdout {
                    pipe.read_to_end(&mut bytes)?;
                }
                Ok(bytes)
            });
            if let Some(pipe) = stderr {
                read_lines(pipe, &mut answer.stderr, on_line)?;
            }
            answer.stdout = reader.join().expect("reading a pipe does not panic")?;
            match writer.join().expect("writing a pipe does not panic") {
                // A program may end without having read all of its input: its exit status says whether that was right.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            }
        })?;
        answer.code = child.wait()?.code();
        Ok(answer)
    }
}

fn read_lines(pipe: impl Read, all: &mut Vec<u8>, on_line: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut reader = BufReader::new(pipe);
    loop {
        let start = all.len();
        if reader.read_until(b'\n', all)? == 0 {
            return Ok(());
        }
        on_line(String::from_utf8_lossy(&all[start..]).trim_end());
    }
}

/// A runner together with the lock that its programs keep open.
#[derive(Clone)]
pub(crate) struct Programs<'a> {
    runner: &'a dyn Runner,
    held: Option<Arc<File>>,
}

impl<'a> Programs<'a> {
    pub(crate) fn new(runner: &'a dyn Runner) -> Self {
        Self { runner, held: None }
    }

    /// The same, with `lock` kept open by every program that has no input of its own.
    pub(crate) fn holding(&self, lock: &Arc<File>) -> Self {
        Self {
            runner: self.runner,
            held: Some(Arc::clone(lock)),
        }
    }

    /// Runs a program and gives its answer, whatever it is.
    pub(crate) fn ask(&self, doing: &str, invocation: Invocation) -> Result<Answer, LabError> {
        self.ask_with_lines(doing, invocation, &mut |_| {})
    }

    /// [`Programs::ask`], with each line of the error output as it comes.
    pub(crate) fn ask_with_lines(
        &self,
        doing: &str,
        mut invocation: Invocation,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Answer, LabError> {
        if let (Input::Nothing, Some(lock)) = (&invocation.input, &self.held) {
            invocation.input = Input::Held(Arc::clone(lock));
        }
        self.runner
            .run(&invocation, on_line)
            .map_err(|source| LabError::CouldNotRun {
                doing: doing.to_owned(),
                program: invocation.program.to_owned(),
                source,
            })
    }

    /// Runs a program that must succeed and gives its output.
    pub(crate) fn must(&self, doing: &str, invocation: Invocation) -> Result<Vec<u8>, LabError> {
        let program = invocation.program;
        let answer = self.ask(doing, invocation)?;
        if answer.code == Some(0) {
            return Ok(answer.stdout);
        }
        Err(LabError::Failed {
            doing: doing.to_owned(),
            program: program.to_owned(),
            status: answer.status(),
            evidence: answer.evidence(),
        })
    }
}

#[cfg(test)]
pub(crate) mod fake {
    //! A runner with prepared answers, which remembers what it was asked.

    use std::sync::Mutex;

    use super::*;

    type Reply = Box<dyn Fn(&str) -> Option<Answer> + Send + Sync>;

    /// Answers by the first rule that knows the command line (words joined by blanks).
    #[derive(Default)]
    pub(crate) struct Fake {
        rules: Vec<Reply>,
        pub(crate) asked: Mutex<Vec<String>>,
    }

    impl Fake {
        /// Answers `stdout` with exit code 0 to a command line that begins with `start`.
        pub(crate) fn says(mut self, start: &'static str, stdout: &'static str) -> Self {
            self.rules.push(Box::new(move |line| {
                line.starts_with(start).then(|| Answer {
                    code: Some(0),
                    stdout: stdout.as_bytes().to_vec(),
                    stderr: Vec::new(),
                })
            }));
            self
        }

        /// Answers with this exit code and error output.
        pub(crate) fn fails(mut self, start: &'static str, code: i32, stderr: &'static str) -> Self {
            self.rules.push(Box::new(move |line| {
                line.starts_with(start).then(|| Answer {
                    code: Some(code),
                    stdout: Vec::new(),
                    stderr: stderr.as_bytes().to_vec(),
                })
            }));
            self
        }

        pub(crate) fn asked(&self) -> Vec<String> {
            self.asked
                .lock()
                .expect("no test panics while it holds this")
                .clone()
        }
    }

    impl Runner for Fake {
        fn run(&self, invocation: &Invocation, on_line: &mut dyn FnMut(&str)) -> io::Result<Answer> {
            let mut words = vec![invocation.program.to_owned()];
            words.extend(
                invocation
                    .arguments
                    .iter()
                    .map(|word| word.to_string_lossy().into_owned()),
            );
            let line = words.join(" ");
            self.asked
                .lock()
                .expect("no test panics while it holds this")
                .push(line.clone());
            let answer = self.rules.iter().find_map(|rule| rule(&line));
            let answer =
                answer.ok_or_else(|| io::Error::other(format!("no answer prepared for `{line}`")))?;
            String::from_utf8_lossy(&answer.stderr).lines().for_each(on_line);
            Ok(answer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_output_and_error_lines_are_carried() {
        let invocation = Invocation::new("sh", ["-c", "cat; echo one >&2; echo two >&2; exit 3"])
            .input(Input::Bytes(vec![b'x'; 300_000]));
        let mut lines = Vec::new();
        let answer = System
            .run(&invocation, &mut |line| lines.push(line.to_owned()))
            .expect("sh runs");
        assert_eq!((answer.code, answer.stdout.len()), (Some(3), 300_000));
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(answer.evidence(), "one\ntwo");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Programs::new(&System)
            .must("trying", Invocation::new("iec-no-such-program", [""; 0]))
            .expect_err("there is none");
        assert_eq!(
            error.to_string(),
            "trying: `iec-no-such-program` could not be run"
        );
    }

    #[test]
    fn a_failure_carries_the_last_lines() {
        let error = Programs::new(&System)
            .must("trying", Invocation::new("sh", ["-c", "echo why >&2; exit 4"]))
            .expect_err("it fails");
        assert_eq!(error.to_string(), "trying: `sh` failed (exit status 4): why");
    }
}
