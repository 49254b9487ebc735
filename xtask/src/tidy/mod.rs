//! `cargo xtask tidy`: the rules of the project that neither the compiler nor clippy knows.

mod changelog;
mod commands;
mod dependencies;
mod edges;
mod header;
mod links;
mod markdown;
mod metadata;
mod names;
mod places;
mod purity;
mod shown;
mod size;
mod source;
mod tree;

use std::fmt;
use std::path::Path;

use anyhow::Context;

use self::dependencies::Policy;
use self::metadata::Metadata;
use self::purity::Compiled;
use self::tree::Tree;
use crate::stage::Count;
use crate::terminal;

/// One thing that is against a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    file: String,
    line: Option<usize>,
    text: String,
}

impl Problem {
    /// Something about a file as a whole.
    fn in_file(file: &str, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            text: text.into(),
        }
    }

    /// Something about a line of a file, counted from 1.
    fn at(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::in_file(file, text)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file, self.text),
            None => write!(formatter, "{}: {}", self.file, self.text),
        }
    }
}

/// What tidy found.
#[derive(Debug, Default)]
struct Findings {
    /// What must be mended.
    problems: Vec<Problem>,
    /// What one should know: files that are longer than the project aims at, and proofs of older commits.
    notes: Vec<Problem>,
}

/// Checks the repository, prints what was found, and counts the problems.
///
/// # Errors
/// When the repository cannot be read.
pub(crate) fn run(root: &Path) -> anyhow::Result<Count> {
    let found = check(root)?;
    for note in &found.notes {
        terminal::line(format_args!("note: {note}"));
    }
    for problem in &found.problems {
        terminal::line(problem);
    }
    let failed = found.problems.len();
    terminal::line(format_args!("{failed} against the rules"));
    Ok(Count {
        passed: usize::from(failed == 0),
        failed,
    })
}

/// Checks the repository at `root` against every rule.
///
/// # Errors
/// When the repository, its `deny.toml` or cargo's metadata cannot be read.
fn check(root: &Path) -> anyhow::Result<Findings> {
    let tree = Tree::read(root)?;
    let metadata = Metadata::of_workspace(root)?;
    let policy = Policy::parse(tree.text("deny.toml").context("there is no deny.toml")?)?;
    let mut compiled = Compiled::new();
    for name in purity::PURE {
        compiled.insert(name, metadata::compiled_into(root, name)?);
    }
    let mut problems = [
        size::too_long(&tree),
        header::check(&tree),
        names::check(&tree, &metadata),
        edges::check(&metadata),
        purity::check(&tree, &compiled),
        dependencies::check(&metadata, &policy),
        places::check(&tree, root),
        links::check(&tree),
        commands::check(&tree),
        changelog::check(&tree),
    ]
    .concat();
    problems.sort();
    Ok(Findings {
        problems,
        notes: [size::long(&tree), shown::old(&tree, root)].concat(),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_repository_is_tidy() {
        let root = crate::workspace::root();
        let found = super::check(&root).expect("the repository can be read").problems;
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}
