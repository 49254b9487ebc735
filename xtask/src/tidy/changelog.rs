//! What a reader looks for in the root folder is there.

use super::Problem;
use super::tree::Tree;

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "ARCHITECTURE.md",
    "STYLE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
];

/// The missing documents, and a changelog that does not begin with what is to come.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems: Vec<Problem> = DOCUMENTS
        .iter()
        .filter(|path| tree.text(path).is_none())
        .map(|path| Problem::in_file(path, "is missing"))
        .collect();
    let changes = tree.text("CHANGELOG.md").unwrap_or_default();
    let first = changes.lines().find_map(|line| line.strip_prefix("## "));
    if !changes.is_empty() && first != Some("Unreleased") {
        problems.push(Problem::in_file(
            "CHANGELOG.md",
            "its first section must be `## Unreleased`",
        ));
    }
    let license = tree.text("LICENSE").unwrap_or_default();
    if !license.is_empty() && !license.contains("Apache License") {
        problems.push(Problem::in_file("LICENSE", "is not the Apache License"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let whole = |changes| {
            Tree::of([
                ("README.md", "a"),
                ("ARCHITECTURE.md", "a"),
                ("STYLE.md", "a"),
                ("CONTRIBUTING.md", "a"),
                ("CHANGELOG.md", changes),
                ("LICENSE", "Apache License"),
            ])
        };
        assert_eq!(check(&whole("# Changes\n\n## Unreleased\n")), []);
        assert_eq!(check(&whole("# Changes\n\n## 0.1.0\n")).len(), 1);
        assert_eq!(check(&Tree::of([("LICENSE", "MIT")])).len(), DOCUMENTS.len());
    }
}
