//! Which crates of the workspace may use which: the arrows of ARCHITECTURE.md, and no others.

use super::Problem;
use super::metadata::{Metadata, Package};

/// What each crate may use. `iec-formats`, `iec-host`, `iec-kube`, `iec-bundle` and `iec-lab` do not know each other; `iec` joins them.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("iec-sh", &[]),
    ("iec-core", &["iec-sh"]),
    ("iec-formats", &["iec-core", "iec-sh"]),
    ("iec-host", &["iec-core", "iec-sh"]),
    ("iec-kube", &["iec-core"]),
    ("iec-bundle", &["iec-core"]),
    ("iec-lab", &["iec-core"]),
    (
        "iec",
        &[
            "iec-sh",
            "iec-core",
            "iec-formats",
            "iec-host",
            "iec-kube",
            "iec-bundle",
            "iec-lab",
        ],
    ),
    ("iec-testkit", &["iec-core", "iec-host", "iec-sh"]),
    ("xtask", &["iec-core"]),
];

/// For tests only, so everybody's tests may use it.
const TESTKIT: &str = "iec-testkit";

/// The arrows that are against the table.
pub(super) fn check(metadata: &Metadata) -> Vec<Problem> {
    metadata
        .members()
        .flat_map(|package| problems(package, metadata))
        .collect()
}

fn problems(package: &Package, metadata: &Metadata) -> Vec<Problem> {
    let file = format!("{} (Cargo.toml)", package.name);
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        let text = "a new crate: give it a row in ARCHITECTURE.md and in xtask/src/tidy/edges.rs";
        return vec![Problem::in_file(&file, text)];
    };
    let mut problems = Vec::new();
    for dependency in &package.dependencies {
        let for_tests = dependency.kind.as_deref() == Some("dev");
        let name = dependency.name.as_str();
        if metadata.member(name).is_some() && !allowed.contains(&name) && !(for_tests && name == TESTKIT) {
            problems.push(Problem::in_file(&file, format!("must not use {name}")));
        }
        if package.name == "iec-sh" && !for_tests && metadata.member(name).is_none() {
            let text = format!("must not use {name}: it is the kernel of safety and depends on nothing");
            problems.push(Problem::in_file(&file, text));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::metadata::fake::workspace;
    use super::*;

    fn texts(lines: &[&str]) -> Vec<String> {
        check(&workspace(lines)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_arrows_of_the_design_are_allowed() {
        let lines = [
            "iec-sh:",
            "iec-core: iec-sh serde",
            "iec-host: iec-core iec-sh tokio dev/iec-testkit",
            "iec-testkit: iec-core iec-host",
            "iec: iec-host iec-core",
        ];
        assert_eq!(texts(&lines), [] as [&str; 0]);
    }

    #[test]
    fn an_arrow_that_turns_is_refused() {
        let lines = ["iec-core: iec-host", "iec-host: iec-kube", "iec-kube:"];
        assert_eq!(
            texts(&lines),
            [
                "iec-core (Cargo.toml): must not use iec-host",
                "iec-host (Cargo.toml): must not use iec-kube"
            ]
        );
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert_eq!(
            texts(&["iec: iec-testkit", "iec-testkit:"]),
            ["iec (Cargo.toml): must not use iec-testkit"]
        );
    }

    #[test]
    fn the_shell_crate_depends_on_nothing() {
        assert_eq!(
            texts(&["iec-sh: serde dev/proptest"]),
            ["iec-sh (Cargo.toml): must not use serde: it is the kernel of safety and depends on nothing"]
        );
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        assert!(texts(&["iec-web:"])[0].contains("a new crate"));
    }
}
