//! How old the proofs in `docs/tested.md` are: a row tells of its commit, and readers should know what came after it.

use std::collections::BTreeMap;
use std::path::Path;

use super::Problem;
use super::tree::Tree;
use crate::record::ask;

const DOCUMENT: &str = "docs/tested.md";

/// What a proof is about: a change to anything else does not make it older.
const SOURCES: [&str; 3] = ["crates", "content", "releases"];

/// A note for the newest row of each proof whose sources have changed since.
pub(super) fn old(tree: &Tree, root: &Path) -> Vec<Problem> {
    let text = tree.text(DOCUMENT).unwrap_or_default();
    rows(text)
        .into_values()
        .filter_map(|row| {
            let since = changes(root, row.commit)?;
            (since != "0").then(|| {
                let text = format!(
                    "shown at {}; commits to the sources since then: {since}",
                    row.commit
                );
                Problem::at(DOCUMENT, row.line, text)
            })
        })
        .collect()
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    /// Its line, counted from 1.
    line: usize,
    /// The commit that was tried.
    commit: &'a str,
}

/// The newest row of each proof, by what it shows. Figures in that, such as a seed, make no other proof.
fn rows(text: &str) -> BTreeMap<String, Row<'_>> {
    let mut rows = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(proof), Some(_date), Some(commit)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let is_commit = commit.len() >= 7 && commit.bytes().take(7).all(|byte| byte.is_ascii_hexdigit());
        if is_commit {
            let proof = proof.replace(|character: char| character.is_ascii_digit(), "");
            let line = index + 1;
            rows.insert(proof, Row { line, commit });
        }
    }
    rows
}

/// How many commits have touched the sources since; nothing where the history is not there to be counted.
fn changes(root: &Path, commit: &str) -> Option<String> {
    let range = format!("{}..HEAD", commit.trim_end_matches("-dirty"));
    let mut words = vec!["rev-list", "--count", &range, "--"];
    words.extend(SOURCES);
    ask(root, "git", &words).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_of_a_proof_counts() {
        let text = "| proof | date | commit |\n|---|---|---|\n\
            | power, seed 12 | 2026-11-23 | 0123abc | m |\n\
            | power, seed 13 | 2026-11-24 | 4567def-dirty | m |\n\
            | other | 2026-11-24 | 89abcde | m |\n";
        let rows = rows(text);
        let found: Vec<(usize, &str)> = rows.values().map(|row| (row.line, row.commit)).collect();
        assert_eq!(found, [(5, "89abcde"), (4, "4567def-dirty")]);
    }

    #[test]
    fn a_history_that_is_not_there_says_nothing() {
        let root = crate::workspace::root();
        assert_eq!(changes(&root, "HEAD").as_deref(), Some("0"));
        assert_eq!(changes(&root, "0000000"), None);
    }
}
