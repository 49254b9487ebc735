//! Links between documents lead somewhere.

use super::Problem;
use super::markdown::Document;
use super::tree::Tree;

/// The links to files and headings that do not exist. Links to other sites are not followed.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (line, target) in Document::parse(text).links() {
            if !target.contains("://")
                && !target.starts_with("mailto:")
                && !leads_somewhere(tree, path, target)
            {
                problems.push(Problem::at(
                    path,
                    line,
                    format!("the link {target} leads nowhere"),
                ));
            }
        }
    }
    problems
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        from.to_owned()
    } else {
        resolve(from, file)
    };
    if !tree.has(&path) {
        return false;
    }
    let has_anchor = || {
        let text = tree.text(&path).unwrap_or_default();
        Document::parse(text).anchors().any(|found| found == anchor)
    };
    anchor.is_empty() || has_anchor()
}

/// The path that a relative one means in a file.
fn resolve(from: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](b.md) [c](../README.md#start) [d](https://example.org) [e](#here)\n## Here\n\
                    [f](gone.md)\n[g](b.md#gone)\n[h](../crates)\n";
        let tree = Tree::of([
            ("docs/a.md", text),
            ("docs/b.md", ""),
            ("README.md", "# Start\n"),
            ("crates/iec/src/lib.rs", ""),
        ]);
        let lines: Vec<Option<usize>> = check(&tree).into_iter().map(|each| each.line).collect();
        assert_eq!(lines, [Some(3), Some(4)]);
    }
}
