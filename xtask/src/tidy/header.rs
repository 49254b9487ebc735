//! Every Rust file begins with one sentence that says what it owns.

use super::Problem;
use super::tree::Tree;

/// The files that do not.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.ending(".rs")
        .filter_map(|(path, text)| problem(path, text))
        .collect()
}

fn problem(path: &str, text: &str) -> Option<Problem> {
    let paragraph: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//! "))
        .map(str::trim)
        .collect();
    let Some(last) = paragraph.last() else {
        return Some(Problem::at(
            path,
            1,
            "begin the file with a sentence: `//! What this file owns.`",
        ));
    };
    let ends = last.ends_with(['.', ':', '?']);
    (!ends).then(|| Problem::at(path, paragraph.len(), "end the file's first sentence"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_sentence_is_found() {
        let tree = Tree::of([
            (
                "good.rs",
                "//! What it owns, in\n//! two lines.\n//!\n//! More\n\nuse a::b;\n",
            ),
            ("none.rs", "use a::b;\n"),
            ("late.rs", "use a::b;\n//! Too late.\n"),
            ("open.rs", "//! No full stop\n"),
        ]);
        let files: Vec<String> = check(&tree).into_iter().map(|each| each.file).collect();
        assert_eq!(files, ["late.rs", "none.rs", "open.rs"]);
    }
}
