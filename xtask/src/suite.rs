//! `cargo xtask test`: everything that CI runs, the fast first, real hosts last.

use std::path::Path;

use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::stage::{Count, Stages};
use crate::{e2e, inventories, packages, terminal, tidy, workspace};

/// How much to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What takes minutes.
    Fast,
    /// That, and then real hosts.
    All,
}

/// Runs the stages and prints the table; true when everything passed.
///
/// The fast stages all run, so that one run tells everything; the slow ones only after fast ones that passed.
///
/// # Errors
/// When signals cannot be watched.
pub(crate) fn run(root: &Path, extent: Extent) -> anyhow::Result<bool> {
    let interrupt = Interrupt::watch()?;
    let mut stages = Stages::default();
    let cargo = |words: &[&str]| {
        let ended = Program::new(root, workspace::cargo(), words, &interrupt).shown()?;
        Ok(Count::one(ended.succeeded()))
    };
    let mut good = stages.run("packages", || packages::install(root, &interrupt));
    good &= stages.run("format", || cargo(&["fmt", "--all", "--check"]));
    good &= stages.run("lints", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ])
    });
    good &= stages.run("tidy", || tidy::run(root));
    good &= stages.run("tests", || {
        let words = ["test", "--workspace", "--locked", "--no-fail-fast"];
        let ended = Program::new(root, workspace::cargo(), words, &interrupt).shown()?;
        let count = libtest_count(&ended.stdout);
        // A test that does not even compile is not in any summary.
        let broken = !ended.succeeded() && count.is_good();
        Ok(if broken {
            count.and(Count::one(false))
        } else {
            count
        })
    });
    good &= stages.run("inventories", || inventories::stage(root, &interrupt));
    if extent == Extent::All {
        e2e::stages(root, &e2e::Options::all(), &mut stages, good, &interrupt);
    }
    if interrupt.is_set() {
        terminal::line("stopped by the user");
    }
    Ok(stages.finish() && !interrupt.is_set())
}

/// Sums up the summaries that the test programs print.
fn libtest_count(output: &str) -> Count {
    let number = |text: &str, word: &str| -> Option<usize> {
        let part = text.split("; ").find_map(|part| part.trim().strip_suffix(word))?;
        part.rsplit(' ').find(|word| !word.is_empty())?.parse().ok()
    };
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test result: "))
        .map(|line| Count {
            passed: number(line, "passed").unwrap_or(0),
            failed: number(line, "failed").unwrap_or(0),
        })
        .fold(Count::default(), Count::and)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_all_test_programs_are_added() {
        let output = "running 2 tests\n..\n\
            test result: ok. 35 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.85s\n\
            test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(
            libtest_count(output),
            Count {
                passed: 39,
                failed: 2
            }
        );
    }
}
