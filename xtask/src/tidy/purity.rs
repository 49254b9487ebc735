//! `iec-core`, `iec-formats` and `iec-sh` are pure: what they do depends on their arguments alone, so every plan can be tested and repeated.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::source::{line_of, production_code, uses};
use super::tree::Tree;

/// The crates that do no input and no output.
pub(super) const PURE: [&str; 3] = ["iec-core", "iec-formats", "iec-sh"];

/// Crates that reach the world outside, or a clock, or chance.
const IMPURE_CRATES: [&str; 20] = [
    "anyhow",
    "async-std",
    "chrono",
    "getrandom",
    "hyper",
    "iec-host",
    "jiff",
    "kube",
    "mio",
    "rand",
    "reqwest",
    "russh",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tracing",
];

/// Parts of the standard library that do, and collections whose order differs from run to run.
const IMPURE_PATHS: [&str; 18] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::hash::RandomState",
    "std::time::UNIX_EPOCH",
];

/// Macros that print.
const PRINTING: [&str; 5] = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];

/// The names of the packages that are compiled into each of the pure crates.
pub(super) type Compiled = BTreeMap<&'static str, BTreeSet<String>>;

/// What makes a pure crate impure.
pub(super) fn check(tree: &Tree, compiled: &Compiled) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, below) in compiled {
        let impure = IMPURE_CRATES
            .iter()
            .filter(|crate_name| below.contains(**crate_name));
        problems.extend(impure.map(|found| {
            let text = format!("must stay pure; cargo tree -p {name} -i {found} shows who brings {found}");
            Problem::in_file(&format!("{name} (Cargo.toml)"), text)
        }));
    }
    for name in PURE {
        let folder = format!("crates/{name}/src/");
        let sources = tree
            .ending(".rs")
            .filter(|(path, _)| path.starts_with(&folder) && !tree.is_test(path));
        problems.extend(sources.flat_map(|(path, text)| code(path, text)));
    }
    problems
}

fn code(path: &str, text: &str) -> Vec<Problem> {
    let code = production_code(text);
    let impure = |found: &str| {
        IMPURE_PATHS.iter().find(|impure| {
            found == **impure
                || found
                    .strip_prefix(**impure)
                    .is_some_and(|rest| rest.starts_with("::"))
        })
    };
    let problem =
        |line, what: &str| Problem::at(path, line, format!("{what} does not belong in a pure crate"));
    let mut problems: Vec<Problem> = uses(&code)
        .into_iter()
        .filter_map(|(line, used)| impure(used.trim_end_matches("::self")).map(|what| problem(line, what)))
        .collect();
    for what in IMPURE_PATHS {
        for (at, _) in code.match_indices(what) {
            let declaration = code[..at]
                .rsplit(';')
                .next()
                .is_some_and(|start| start.contains("use "));
            let whole =
                !code[at + what.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
            if whole && !declaration {
                problems.push(problem(line_of(&code, at), what));
            }
        }
    }
    for what in PRINTING {
        for (at, _) in code.match_indices(what) {
            let whole = !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
            if whole {
                problems.push(problem(line_of(&code, at), what));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Option<usize>> {
        let tree = Tree::of([("crates/iec-core/src/plan.rs", text)]);
        check(&tree, &Compiled::new())
            .into_iter()
            .map(|each| each.line)
            .collect()
    }

    #[test]
    fn values_of_the_standard_library_are_pure() {
        let text = "use std::net::Ipv4Addr;\nuse std::time::Duration;\nuse std::collections::BTreeMap;\nfn environment() {}\n";
        assert_eq!(lines(text), []);
    }

    #[test]
    fn files_clock_environment_and_printing_are_not() {
        assert_eq!(lines("use std::{fmt, fs};\n"), [Some(1)]);
        assert_eq!(lines("fn a() {\n  std::fs::read(x);\n}\n"), [Some(2)]);
        assert_eq!(lines("use std::time::{Duration, Instant};\n"), [Some(1)]);
        assert_eq!(
            lines("\nuse std::process::{self, Command};\n"),
            [Some(2), Some(2)]
        );
        assert_eq!(lines("fn a() { eprintln!(\"\"); }\n"), [Some(1)]);
        assert_eq!(lines("use std::collections::HashMap;\n"), [Some(1)]);
    }

    #[test]
    fn tests_comments_and_texts_may_name_them() {
        let text =
            "// std::fs\nconst A: &str = \"std::env\";\n#[cfg(test)]\nmod tests {\n  use std::fs;\n}\n";
        assert_eq!(lines(text), []);
    }

    #[test]
    fn an_impure_crate_is_found() {
        let compiled = Compiled::from([("iec-core", BTreeSet::from(["serde", "tokio"].map(str::to_owned)))]);
        let found = check(&Tree::default(), &compiled);
        assert_eq!(
            found[0].to_string(),
            "iec-core (Cargo.toml): must stay pure; cargo tree -p iec-core -i tokio shows who brings tokio"
        );
    }
}
