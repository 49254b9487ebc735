//! `cargo xtask proof requirements`: the smallest host that works and the largest that fails, for each role.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::e2e::{self, Host, Lab, Machine};
use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::stage::time;
use crate::{record, terminal};

/// Where the figures are kept.
const DOCUMENT: &str = "docs/requirements.md";
/// What a command on a host that is too small may take: one that thrashes would go on for hours.
const PATIENCE: [(&str, &str); 2] = [("apply", "360"), ("verify", "180")];

/// What a host has less of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    /// Memory in MiB, swap included.
    Memory(u32),
    /// Time of processors: 0.5 is half of one.
    Processors(f64),
}

impl Limit {
    /// The words by which podman sets it on a running host.
    fn words(self) -> Vec<String> {
        match self {
            Self::Memory(mebibytes) => vec![
                format!("--memory={mebibytes}m"),
                format!("--memory-swap={mebibytes}m"),
            ],
            Self::Processors(processors) => vec![format!("--cpus={processors}")],
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(mebibytes) => write!(formatter, "{mebibytes} MiB"),
            Self::Processors(processors) => write!(formatter, "{processors} processors"),
        }
    }
}

/// One thing to find out: of a role's hosts, which of these limits work. From the smallest to the largest.
struct Question {
    role: &'static str,
    limits: &'static [Limit],
}

const QUESTIONS: &[Question] = &[
    Question {
        role: "control-plane",
        limits: &[
            Limit::Memory(512),
            Limit::Memory(640),
            Limit::Memory(768),
            Limit::Memory(1024),
            Limit::Memory(1280),
            Limit::Memory(1700),
        ],
    },
    Question {
        role: "worker",
        limits: &[
            Limit::Memory(128),
            Limit::Memory(192),
            Limit::Memory(256),
            Limit::Memory(384),
            Limit::Memory(512),
            Limit::Memory(700),
        ],
    },
    Question {
        role: "control-plane",
        limits: &[
            Limit::Processors(0.1),
            Limit::Processors(0.25),
            Limit::Processors(0.5),
            Limit::Processors(1.0),
            Limit::Processors(2.0),
        ],
    },
    Question {
        role: "worker",
        limits: &[
            Limit::Processors(0.05),
            Limit::Processors(0.1),
            Limit::Processors(0.25),
            Limit::Processors(0.5),
            Limit::Processors(1.0),
        ],
    },
];

/// What came of a run under a limit.
enum Verdict {
    /// Installed and verified, in this time.
    Works(Duration),
    /// Not, for this reason.
    Fails(String),
}

/// What is known once a question is answered.
struct Answer {
    role: &'static str,
    smallest: Option<(Limit, Duration)>,
    largest_failing: Option<(Limit, String)>,
}

/// Finds the answers by runs on real hosts, and writes each into the document as soon as it is known. `words` name a role
/// or what is limited, where only a part is to be found out.
///
/// # Errors
/// When a lab cannot be made, or the largest host does not work.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<bool> {
    let questions: Vec<&Question> = QUESTIONS
        .iter()
        .filter(|question| words.iter().all(|word| question.is_about(word)))
        .collect();
    ensure!(
        !questions.is_empty(),
        "nothing is asked about {}",
        words.join(" ")
    );
    let interrupt = Interrupt::watch()?;
    e2e::prepare(root, &interrupt)?;
    let machine = e2e::machine(root, "requirements", &interrupt)?;
    machine.iec_done("bundle", &["bundle", "build"])?;
    let run = record::Run::now(root)?;
    for question in questions {
        let row = question.answer(&machine)?.row(&run);
        terminal::line(format_args!("{row}"));
        record::append(root, DOCUMENT, &row)?;
    }
    Ok(true)
}

impl Question {
    /// Whether a word of the command line is the role, or what is limited.
    fn is_about(&self, word: &str) -> bool {
        self.role == word
            || self.limits.iter().all(|limit| match limit {
                Limit::Memory(_) => word == "memory",
                Limit::Processors(_) => word == "processors",
            })
    }

    /// Halves the list until what works and what does not are neighbours.
    fn answer(&self, machine: &Machine) -> anyhow::Result<Answer> {
        let mut answer = Answer {
            role: self.role,
            smallest: None,
            largest_failing: None,
        };
        // Everything below `from` fails; everything from `to` on works.
        let (mut from, mut to) = (0, self.limits.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            let limit = self.limits[middle];
            match trial(machine, self.role, limit)? {
                Verdict::Works(took) => {
                    terminal::line(format_args!("{} with {limit}: works ({})", self.role, time(took)));
                    answer.smallest = Some((limit, took));
                    to = middle;
                }
                Verdict::Fails(reason) => {
                    terminal::line(format_args!("{} with {limit}: fails: {reason}", self.role));
                    answer.largest_failing = Some((limit, reason));
                    from = middle + 1;
                }
            }
        }
        ensure!(
            answer.smallest.is_some(),
            "a {} does not work with {} either",
            self.role,
            self.limits[self.limits.len() - 1]
        );
        Ok(answer)
    }
}

/// A site of a control plane and a worker, of which one is limited: installed and verified, or not.
fn trial(machine: &Machine, role: &str, limit: Limit) -> anyhow::Result<Verdict> {
    let lab = Lab::up(machine, "requirements", 2)?;
    let host = lab.hosts.iter().find(|host| host.role == role);
    let host: &Host = host.context("a lab has a host of each role")?;
    let mut words = vec!["update".to_owned()];
    words.extend(limit.words());
    words.push(host.container.clone());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    record::ask(&machine.logs, "podman", &words)?;
    let site = fs::read_to_string(&lab.site)?;
    let accepting = site.replace("accept: [", "accept: [small-host, ");
    ensure!(site != accepting, "the lab's site file accepts nothing");
    fs::write(&lab.site, accepting)?;
    let began = Instant::now();
    for (command, seconds) in PATIENCE {
        let name = format!("{role}-{limit}-{command}").replace(' ', "-");
        let log = machine.logs.join(format!("{name}.log"));
        let words = ["--signal=INT", "--kill-after=60", seconds];
        let program = Program::new(&machine.logs, "timeout", words, &machine.interrupt).words([
            machine.iec.as_os_str(),
            command.as_ref(),
            lab.site().as_ref(),
        ]);
        let ended = program.logged(&log)?;
        if !ended.succeeded() {
            return Ok(Verdict::Fails(reason(command, &ended.stdout, ended.code)));
        }
    }
    Ok(Verdict::Works(began.elapsed()))
}

/// Why a command ended otherwise than well, in a few words.
fn reason(command: &str, output: &str, code: Option<i32>) -> String {
    // No code: timeout has killed it, and itself by the same signal.
    let Some(code) = code.filter(|code| ![124, 130, 137].contains(code)) else {
        return format!("`iec {command}` did not end in time");
    };
    let because = failed_row(output).or_else(|| error_line(output));
    format!(
        "`iec {command}` ended with exit code {code}: {}",
        because.unwrap_or_default().replace('|', "/")
    )
}

/// The first row of verify's report that failed, and what was found instead.
fn failed_row(output: &str) -> Option<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = output.lines().skip_while(|line| !line.starts_with("FAILED "));
    let row = words(lines.next()?);
    let found = lines.find_map(|line| line.trim_start().strip_prefix("found "));
    let found = found.map(words).unwrap_or_default();
    Some(format!("{row}: {found}"))
}

/// The first line that names an error.
fn error_line(output: &str) -> Option<String> {
    let mut lines = output.lines();
    let line = lines.find(|line| line.starts_with("error"))?;
    Some(line.trim().to_owned())
}

impl Answer {
    /// The row of the document's table.
    fn row(&self, run: &record::Run) -> String {
        let (smallest, took) = self.smallest.as_ref().map_or_else(
            || ("none".to_owned(), String::new()),
            |(limit, took)| (limit.to_string(), time(*took)),
        );
        let (largest, how) = self.largest_failing.as_ref().map_or_else(
            || ("none of those tried".to_owned(), String::new()),
            |(limit, reason)| (limit.to_string(), reason.clone()),
        );
        let record::Run { date, commit, .. } = run;
        let row = [self.role, &smallest, &took, &largest, &how, date, commit].join(" | ");
        format!("| {row} |")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_in_order_and_those_of_one_question_are_alike() {
        for question in QUESTIONS {
            for pair in question.limits.windows(2) {
                let ordered = match (pair[0], pair[1]) {
                    (Limit::Memory(less), Limit::Memory(more)) => less < more,
                    (Limit::Processors(less), Limit::Processors(more)) => less < more,
                    _ => false,
                };
                assert!(ordered, "{}: {} before {}", question.role, pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn a_reason_is_the_first_error_or_the_time() {
        let output = "warning[IEC1843]: a name server\nerror[IEC4901]: a step failed | on edge-1\n";
        assert_eq!(
            reason("apply", output, Some(2)),
            "`iec apply` ended with exit code 2: error[IEC4901]: a step failed / on edge-1"
        );
        for code in [None, Some(124)] {
            assert_eq!(reason("verify", output, code), "`iec verify` did not end in time");
        }
    }

    #[test]
    fn a_reason_is_the_row_that_failed() {
        let output = "the hosts are asked\n\
            passed          node.ready     a node is Ready  [2 hosts]  0.01 s\n\
            FAILED          calico.daemon  Calico is complete  [cluster]  61.00 s\n\
            \x20               expected  2 ready\n\
            \x20               found     1 ready\n\
            \x20               next      See its log. (IEC5202)\n";
        assert_eq!(
            reason("verify", output, Some(3)),
            "`iec verify` ended with exit code 3: FAILED calico.daemon Calico is complete [cluster] 61.00 s: 1 ready"
        );
    }

    #[test]
    fn an_answer_is_a_row() {
        let answer = Answer {
            role: "worker",
            smallest: Some((Limit::Memory(256), Duration::from_secs(187))),
            largest_failing: Some((Limit::Processors(0.5), "no".to_owned())),
        };
        let run = record::Run {
            date: "2026-11-24".to_owned(),
            commit: "abc".to_owned(),
            machine: String::new(),
        };
        assert_eq!(
            answer.row(&run),
            "| worker | 256 MiB | 3:07 min | 0.5 processors | no | 2026-11-24 | abc |"
        );
    }

    #[test]
    fn a_part_of_the_questions_can_be_asked() {
        let about = |words: &[&str]| {
            let questions = QUESTIONS.iter();
            questions
                .filter(|question| words.iter().all(|word| question.is_about(word)))
                .count()
        };
        assert_eq!(
            [
                about(&[]),
                about(&["worker"]),
                about(&["memory"]),
                about(&["worker", "memory"]),
                about(&["disk"])
            ],
            [4, 2, 2, 1, 0]
        );
    }
}
