//! The stages of a long task: what each took, what came of it, and a table of all at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::terminal;

/// How many things passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// What is as it should be.
    pub(crate) passed: usize,
    /// What is not.
    pub(crate) failed: usize,
}

impl Count {
    /// One thing that passed, or did not.
    pub(crate) fn one(passed: bool) -> Self {
        Self {
            passed: usize::from(passed),
            failed: usize::from(!passed),
        }
    }

    /// Nothing failed.
    pub(crate) fn is_good(self) -> bool {
        self.failed == 0
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

struct Stage {
    name: String,
    took: Duration,
    /// None for a stage that did not run.
    count: Option<Count>,
}

/// The stages so far.
#[derive(Default)]
pub(crate) struct Stages(Vec<Stage>);

impl Stages {
    /// Runs a stage. An error counts as one failure and is shown.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> anyhow::Result<Count>) -> bool {
        terminal::line(format_args!("\n== {name}"));
        let began = Instant::now();
        let count = work().unwrap_or_else(|error| {
            terminal::line(format_args!("error: {error:#}"));
            Count::one(false)
        });
        self.0.push(Stage {
            name: name.to_owned(),
            took: began.elapsed(),
            count: Some(count),
        });
        count.is_good()
    }

    /// Notes that a stage was not run.
    pub(crate) fn skip(&mut self, name: &str) {
        self.0.push(Stage {
            name: name.to_owned(),
            took: Duration::ZERO,
            count: None,
        });
    }

    /// What came of the last stage, and what it took; none if it did not run.
    pub(crate) fn last(&self) -> Option<(Count, Duration)> {
        let stage = self.0.last()?;
        Some((stage.count?, stage.took))
    }

    /// Prints the table and the sum; true when nothing failed and nothing was left out.
    pub(crate) fn finish(&self) -> bool {
        terminal::line(format_args!("\n{}", self.table()));
        let counts = || self.0.iter().map(|stage| stage.count);
        let sum = counts().flatten().fold(Count::default(), Count::and);
        terminal::line(format_args!("{} passed, {} failed", sum.passed, sum.failed));
        sum.is_good() && counts().all(|count| count.is_some())
    }

    fn table(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|stage| stage.name.chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut text = format!("{:width$}  {:>8}  result\n", "stage", "time");
        let mut total = Duration::ZERO;
        for stage in &self.0 {
            total += stage.took;
            let result = match stage.count {
                None => "not run".to_owned(),
                Some(Count { passed, failed: 0 }) => format!("{passed} passed"),
                Some(Count { passed, failed }) => format!("{passed} passed, {failed} failed"),
            };
            let _ = writeln!(text, "{:width$}  {:>8}  {result}", stage.name, time(stage.took));
        }
        let _ = writeln!(text, "{:width$}  {:>8}", "total", time(total));
        text
    }
}

/// A time as a person reads it: `0.4 s`, `41 s`, `3:07 min`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else if seconds < 100.0 {
        format!("{seconds:.0} s")
    } else {
        let whole = time.as_secs();
        format!("{}:{:02} min", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_all_stages() {
        let mut stages = Stages::default();
        assert!(stages.run("format", || Ok(Count::one(true))));
        assert!(!stages.run("tests", || Ok(Count {
            passed: 40,
            failed: 2
        })));
        assert!(!stages.run("bundle", || anyhow::bail!("no disk")));
        stages.skip("real hosts");
        let table = stages.table();
        let results: Vec<&str> = table
            .lines()
            .map(|line| line.rsplit("  ").next().unwrap_or_default())
            .collect();
        assert_eq!(
            results[..5],
            [
                "result",
                "1 passed",
                "40 passed, 2 failed",
                "0 passed, 1 failed",
                "not run"
            ]
        );
        assert!(!stages.finish());
    }

    #[test]
    fn what_was_left_out_is_not_success() {
        let mut stages = Stages::default();
        stages.run("format", || Ok(Count::one(true)));
        assert!(stages.finish());
        stages.skip("tests");
        assert!(!stages.finish());
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(time(Duration::from_millis(440)), "0.4 s");
        assert_eq!(time(Duration::from_secs(41)), "41 s");
        assert_eq!(time(Duration::from_secs(187)), "3:07 min");
    }
}
