//! The steps of a scenario: run one after the other, each printed with what it took.

use std::time::Instant;

use crate::stage::time;
use crate::terminal;

/// Counts the steps that passed.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// How many there were.
    pub(super) passed: usize,
}

impl Steps {
    /// Runs a step and prints how it went.
    ///
    /// # Errors
    /// The step's own, with its name.
    pub(crate) fn run<T>(
        &mut self,
        what: &str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        let result = work();
        let mark = if result.is_ok() { "ok" } else { "FAILED" };
        terminal::line(format_args!("  {mark:<6} {what} ({})", time(began.elapsed())));
        self.passed += usize::from(result.is_ok());
        result.map_err(|error| error.context(what.to_owned()))
    }
}
