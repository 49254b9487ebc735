//! The program under test: run with a log of its own, within a time, to its end; and what it answers.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::interrupt::Interrupt;
use crate::program::{Ended, Meanwhile, Program};

/// How much of what a failed command printed is shown: so many lines, so many characters of each.
const LINES: usize = 20;
const LINE: usize = 400;

/// The program under test, and where what it prints is kept.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The built `iec`.
    pub(crate) iec: PathBuf,
    /// A folder for logs.
    pub(crate) logs: PathBuf,
    /// The bundle to install from, instead of the one in the cache.
    pub(crate) bundle: Option<PathBuf>,
    /// Whether hosts stay for inspection.
    pub(crate) keep: bool,
    /// The methods of installation to look at, instead of all.
    pub(crate) methods: Vec<String>,
    /// Folders of schemas more than those that package registries have.
    pub(crate) schemas: Vec<PathBuf>,
    /// What the choices of a scenario that has any depend on.
    pub(crate) seed: u64,
    /// How often such a scenario is run through.
    pub(crate) rounds: usize,
    /// Whether somebody wants to stop.
    pub(crate) interrupt: Interrupt,
}

impl Machine {
    /// The same machine, with the logs in a folder of this name below.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn with_logs(&self, name: &str) -> anyhow::Result<Self> {
        let logs = self.logs.join(name);
        fs::create_dir_all(&logs).with_context(|| format!("{} cannot be made", logs.display()))?;
        Ok(Self { logs, ..self.clone() })
    }

    /// Runs `iec` with these words; what it prints goes to a log of this name, and its standard output is the answer.
    ///
    /// # Errors
    /// When it cannot be run, or the user wants to stop.
    pub(crate) fn iec(&self, log: &str, words: &[&str]) -> anyhow::Result<Ended> {
        let log = self.logs.join(format!("{log}.log"));
        Program::new(&self.logs, &self.iec, words, &self.interrupt).logged(&log)
    }

    /// The same, and it has to end in this time.
    ///
    /// # Errors
    /// When it does not; it is killed then.
    pub(crate) fn iec_within(&self, patience: Duration, log: &str, words: &[&str]) -> anyhow::Result<Ended> {
        let path = self.logs.join(format!("{log}.log"));
        let deadline = Instant::now() + patience;
        let program = Program::new(&self.logs, &self.iec, words, &self.interrupt);
        let ended = program.logged_until(&path, &mut || {
            Ok(match Instant::now() > deadline {
                true => Meanwhile::Kill,
                false => Meanwhile::GoOn,
            })
        })?;
        ended.with_context(|| {
            format!(
                "iec {} did not end in time, see {}",
                words.join(" "),
                path.display()
            )
        })
    }

    /// The same, and it has to end with exit code 0.
    ///
    /// # Errors
    /// When it does not; with the last lines that it printed.
    pub(crate) fn iec_done(&self, log: &str, words: &[&str]) -> anyhow::Result<String> {
        let ended = self.iec(log, words)?;
        if !ended.succeeded() {
            bail!("{}", self.failure(log, words, &ended));
        }
        Ok(ended.stdout)
    }

    /// The folder of the bundle that hosts are installed from.
    ///
    /// # Errors
    /// When the one in the cache cannot be found or built.
    pub(crate) fn bundle_folder(&self) -> anyhow::Result<PathBuf> {
        #[derive(Deserialize)]
        struct Built {
            folder: PathBuf,
        }
        if let Some(folder) = &self.bundle {
            return Ok(folder.clone());
        }
        let lines = self.iec_done("bundle", &["bundle", "build", "-o", "json"])?;
        Ok(answer::<Built>("bundle", &lines)?.folder)
    }

    /// What to say of a run that ended otherwise than it should.
    pub(crate) fn failure(&self, log: &str, words: &[&str], ended: &Ended) -> String {
        let code = ended
            .code
            .map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        let lines: Vec<String> = ended
            .stdout
            .lines()
            .map(|line| line.chars().take(LINE).collect())
            .collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n    ");
        let log = self.logs.join(format!("{log}.log"));
        format!(
            "iec {} ended with {code}; all of it is in {}\n    {last}",
            words.join(" "),
            log.display()
        )
    }
}

/// The object of this type among the lines of JSON that a command printed.
///
/// # Errors
/// When there is none, or it is of another form.
pub(crate) fn answer<T: for<'de> Deserialize<'de>>(kind: &str, lines: &str) -> anyhow::Result<T> {
    let object = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .rfind(|value| value["type"] == kind)
        .with_context(|| format!("iec printed no {kind} object"))?;
    serde_json::from_value(object).with_context(|| format!("the {kind} object is of another form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_object_of_a_type_is_the_answer() {
        #[derive(Deserialize)]
        struct Lab {
            name: String,
        }
        let lines = "a warning\n{\"version\":1,\"type\":\"lab.event\"}\n{\"version\":1,\"type\":\"lab\",\"name\":\"x\"}\n";
        assert_eq!(answer::<Lab>("lab", lines).expect("it is there").name, "x");
        assert!(answer::<Lab>("apply", lines).is_err());
    }
}
