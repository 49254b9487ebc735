//! A command that a document names exists, with the options it is given.
//!
//! `docs/command-line.md` is printed from the clap types and compared by a test of `iec`, so it is what exists.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::markdown::Document;
use super::tree::Tree;

/// The printed manual.
const MANUAL: &str = "docs/command-line.md";
/// How documents of the project run `iec` from its sources.
const FROM_SOURCE: &str = "cargo run --release -- ";

/// The commands in documents that do not exist.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let Some(manual) = tree.text(MANUAL) else {
        return vec![Problem::in_file(
            MANUAL,
            "is missing: UPDATE_DOCS=1 cargo test -p iec --test cli manual",
        )];
    };
    let known = Known::parse(manual);
    let mut problems = Vec::new();
    for (path, text) in tree
        .ending(".md")
        .filter(|(path, _)| *path != MANUAL && *path != "CHANGELOG.md")
    {
        for (line, command) in commands(text) {
            if let Some(text) = known.problem(command) {
                problems.push(Problem::at(path, line, text));
            }
        }
    }
    problems
}

/// The lines of shell blocks and the code spans of a document, which may be commands.
fn commands(text: &str) -> Vec<(usize, &str)> {
    let document = Document::parse(text);
    let shell = |language: &str| matches!(language, "sh" | "shell" | "bash" | "console");
    let lines = document
        .blocks
        .iter()
        .filter(|block| shell(block.language))
        .flat_map(|block| &block.lines);
    let lines = lines.map(|(number, line)| (*number, line.trim_start_matches("$ ").trim()));
    lines.chain(document.spans()).collect()
}

/// The commands that exist, each with its options.
struct Known {
    options: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// Reads the printed manual: a heading for each command, below it what its `--help` says.
    fn parse(manual: &str) -> Self {
        let mut options: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut command = String::new();
        for line in manual.lines() {
            if let Some(name) = line.strip_prefix("## iec") {
                command = name.trim().to_owned();
                options.entry(command.clone()).or_default();
            } else if let Some(found) = options.get_mut(&command) {
                let words = line.split(|character: char| !(character.is_alphanumeric() || character == '-'));
                found.extend(words.filter(|word| word.starts_with('-')).map(str::to_owned));
            }
        }
        Self { options }
    }

    /// What is wrong with a text, if it is a command of this project.
    fn problem(&self, text: &str) -> Option<String> {
        if let Some(task) = text.strip_prefix("cargo xtask ") {
            let task = task.split_whitespace().next()?;
            let known = crate::TASKS
                .iter()
                .any(|(name, _)| name.split_whitespace().next() == Some(task));
            return (!known && task.starts_with(char::is_lowercase))
                .then(|| format!("there is no task `{task}`"));
        }
        let words = text
            .strip_prefix(FROM_SOURCE)
            .or_else(|| text.strip_prefix("iec "))?;
        let words: Vec<&str> = words
            .split_whitespace()
            .take_while(|word| !matches!(*word, "--" | "|" | ">" | "&&" | "#" | ";"))
            .collect();
        let mut command = String::new();
        let mut rest = words.as_slice();
        while let Some((word, after)) = rest.split_first() {
            let longer = format!("{command} {word}").trim().to_owned();
            if !self.options.contains_key(&longer) {
                break;
            }
            (command, rest) = (longer, after);
        }
        let prefix = format!("{command} ").trim_start().to_owned();
        let has_commands = self
            .options
            .keys()
            .any(|name| !name.is_empty() && name.starts_with(&prefix) && *name != command);
        if let Some(word) = rest
            .first()
            .filter(|word| has_commands && word.starts_with(char::is_lowercase))
        {
            return Some(format!("there is no command `iec {prefix}{word}`"));
        }
        let own = self.options.get(&command)?;
        let shared = self.options.get("")?;
        let option = rest
            .iter()
            .filter(|word| word.starts_with('-'))
            .find_map(|word| {
                let name = word.split('=').next().unwrap_or_default();
                (!own.contains(name) && !shared.contains(name)).then_some(name)
            })?;
        Some(format!("`iec {command}` has no option {option}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL_TEXT: &str = "# The command line\n## iec\n```text\n  -o, --output <FORMAT>\n  -h, --help\n```\n\
        ## iec apply\n```text\nUsage: iec apply [OPTIONS] [SITE]\n      --yes\n```\n\
        ## iec lab\n```text\n```\n## iec lab up\n```text\n      --hosts <N>\n```\n";

    fn problems(text: &str) -> Vec<String> {
        let tree = Tree::of([(MANUAL, MANUAL_TEXT), ("README.md", text)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_exists_may_be_named() {
        let text = "`iec apply`, `iec lab up`, `iec-core`, `iec`, `cargo xtask tidy`, `cargo xtask NAME`\n\
            ```sh\niec apply site.yaml --yes -o json\n$ iec lab up try --hosts=3 # comment of new\n\
            cargo run --release -- lab up\n```\n```text\niec nonsense\n```\n";
        assert_eq!(problems(text), [] as [&str; 0]);
    }

    #[test]
    fn what_does_not_exist_is_found() {
        assert_eq!(
            problems(
                "`iec fly`\n`iec lab sink`\n`iec apply --fast`\n`cargo xtask dance`\n`cargo run --release -- demo`\n"
            ),
            [
                "README.md:1: there is no command `iec fly`",
                "README.md:2: there is no command `iec lab sink`",
                "README.md:3: `iec apply` has no option --fast",
                "README.md:4: there is no task `dance`",
                "README.md:5: there is no command `iec demo`",
            ]
        );
    }
}
