//! Running other programs: watched, stopped when the user wants to stop, with what they print shown or kept.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::interrupt::Interrupt;
use crate::terminal;

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long a program may take to end by itself after it was asked to: a step on a host may have to end first.
const GRACE: Duration = Duration::from_secs(90);

/// How a program ended, and what it printed on its standard output.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed, where that was kept.
    pub(crate) stdout: String,
    /// The most memory that it had at a time, in KiB, as it was last seen; what it started is not in it.
    pub(crate) peak_memory: u64,
}

impl Ended {
    /// Whether the exit code is 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// What is done while a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    /// Nothing.
    GoOn,
    /// It is interrupted as by Ctrl-C, with all that it has started.
    Interrupt,
    /// It is killed with all that it has started, as if its machine had lost its power.
    Kill,
}

/// A command that stops when the user wants to stop.
pub(crate) struct Program<'a> {
    command: Command,
    interrupt: &'a Interrupt,
}

impl<'a> Program<'a> {
    /// A program with its words, in this folder.
    pub(crate) fn new(
        folder: &Path,
        program: impl AsRef<OsStr>,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
        interrupt: &'a Interrupt,
    ) -> Self {
        let mut command = Command::new(program);
        // A group of its own: Ctrl-C reaches this task alone, which then stops the program in good order.
        command
            .current_dir(folder)
            .args(words)
            .stdin(Stdio::null())
            .process_group(0);
        Self { command, interrupt }
    }

    /// The same with more words.
    pub(crate) fn words(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(words);
        self
    }

    /// The same with a variable of the environment.
    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs to the end; what it prints is shown, and its standard output is kept too.
    ///
    /// # Errors
    /// When it cannot be started, or the user wants to stop.
    pub(crate) fn shown(mut self) -> anyhow::Result<Ended> {
        let mut child = self.spawn(Stdio::piped(), Stdio::inherit())?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut kept = String::new();
        let mut show = |line: String| {
            terminal::line(&line);
            kept.push_str(&line);
            kept.push('\n');
        };
        let (status, peak_memory) = self.wait(&mut child, &mut || lines.try_iter().for_each(&mut show))?;
        reader.join().expect("the reader does not panic");
        lines.try_iter().for_each(&mut show);
        Ok(Ended {
            code: status.code(),
            stdout: kept,
            peak_memory,
        })
    }

    /// Runs to the end; what it prints goes to this file, errors too.
    ///
    /// # Errors
    /// When it cannot be started, the file cannot be written, or the user wants to stop.
    pub(crate) fn logged(mut self, log: &Path) -> anyhow::Result<Ended> {
        let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut child = self.spawn(Stdio::from(file.try_clone()?), Stdio::from(file))?;
        let (status, peak_memory) = self.wait(&mut child, &mut || {})?;
        let mut stdout = String::new();
        File::open(log)?.read_to_string(&mut stdout)?;
        Ok(Ended {
            code: status.code(),
            stdout,
            peak_memory,
        })
    }

    /// Runs until it ends, and asks again and again what to do meanwhile. Where it is killed there is no answer. What it
    /// prints goes to this file, errors too.
    ///
    /// # Errors
    /// When it cannot be started, the file cannot be written, the user wants to stop, or the question fails.
    pub(crate) fn logged_until(
        mut self,
        log: &Path,
        question: &mut dyn FnMut() -> anyhow::Result<Meanwhile>,
    ) -> anyhow::Result<Option<Ended>> {
        let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut child = self.spawn(Stdio::from(file.try_clone()?), Stdio::from(file))?;
        let mut peak_memory = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            peak_memory = peak_memory.max(memory(&child));
            match question() {
                Ok(Meanwhile::GoOn) => {}
                Ok(Meanwhile::Interrupt) => signal(&child, Signal::INT),
                cut => {
                    signal(&child, Signal::KILL);
                    child.wait()?;
                    return cut.map(|_| None);
                }
            }
            if self.interrupt.is_set() {
                stop(&mut child);
                self.interrupt.check()?;
            }
            std::thread::sleep(POLL);
        };
        let mut stdout = String::new();
        File::open(log)?.read_to_string(&mut stdout)?;
        Ok(Some(Ended {
            code: status.code(),
            stdout,
            peak_memory,
        }))
    }

    fn spawn(&mut self, stdout: Stdio, stderr: Stdio) -> anyhow::Result<Child> {
        self.interrupt.check()?;
        let name = self.command.get_program().to_owned();
        self.command
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("{} cannot be started", name.display()))
    }

    /// Waits for its end; gives that and the most memory that it had.
    fn wait(&self, child: &mut Child, meanwhile: &mut dyn FnMut()) -> anyhow::Result<(ExitStatus, u64)> {
        let mut peak_memory = 0;
        loop {
            meanwhile();
            if let Some(status) = child.try_wait()? {
                return Ok((status, peak_memory));
            }
            peak_memory = peak_memory.max(memory(child));
            if self.interrupt.is_set() {
                stop(child);
                self.interrupt.check()?;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The most memory that a running program had at a time so far, in KiB: the kernel keeps count.
fn memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Sends a signal to a program and all that it has started.
fn signal(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A group that is gone already is what is wanted, so what kill says does not matter.
        let _ = kill_process_group(group, signal);
    }
}

/// Asks a program and all that it has started to end, and ends them when they do not.
fn stop(child: &mut Child) {
    signal(child, Signal::INT);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(POLL);
    }
    signal(child, Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell<'a>(script: &str, interrupt: &'a Interrupt) -> Program<'a> {
        Program::new(Path::new("/"), "sh", ["-c", script], interrupt)
    }

    #[test]
    fn a_log_has_output_and_errors() {
        let folder = tempfile::tempdir().expect("a folder");
        let interrupt = Interrupt::default();
        let ended = shell("echo out; echo err >&2; exit 3", &interrupt)
            .logged(&folder.path().join("log"))
            .expect("it runs");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), "out\nerr\n"));
        assert!(!ended.succeeded());
    }

    #[test]
    fn the_memory_of_a_program_is_seen_while_it_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let interrupt = Interrupt::default();
        let ended = shell("sleep 0.2", &interrupt).logged(&folder.path().join("log"));
        let peak = ended.expect("it runs").peak_memory;
        assert!((100..100_000).contains(&peak), "{peak} KiB");
    }

    #[test]
    fn a_program_runs_until_enough_was_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let interrupt = Interrupt::default();
        let run = |script: &str, then: Meanwhile| {
            let said = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("now"));
            let mut question = || Ok(if said() { then } else { Meanwhile::GoOn });
            let ended = shell(script, &interrupt).logged_until(&log, &mut question);
            ended.expect("it runs").map(|ended| ended.code)
        };
        assert_eq!(run("echo now; sleep 60", Meanwhile::Kill), None);
        let asked = run(
            "trap 'exit 130' INT; echo now; while :; do sleep 0.1; done",
            Meanwhile::Interrupt,
        );
        assert_eq!(asked, Some(Some(130)));
        assert_eq!(run("echo then; exit 3", Meanwhile::Kill), Some(Some(3)));
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let interrupt = Interrupt::default();
        let error = Program::new(Path::new("/"), "no-such-program", [""; 0], &interrupt)
            .shown()
            .expect_err("it does not exist");
        assert_eq!(error.to_string(), "no-such-program cannot be started");
    }
}
