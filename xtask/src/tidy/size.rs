//! Files stay short enough to be read at once.

use super::Problem;
use super::source::production_lines;
use super::tree::Tree;

/// More lines than this, tests not counted, and a file is worth a thought.
const AIM: usize = 400;
/// More lines than this, tests not counted, are refused.
const LIMIT: usize = 800;

/// The files that must be split.
pub(super) fn too_long(tree: &Tree) -> Vec<Problem> {
    longer_than(LIMIT, tree)
        .map(|(path, lines)| {
            Problem::in_file(
                path,
                format!("{lines} lines without tests, the limit is {LIMIT}: split it"),
            )
        })
        .collect()
}

/// The files that are longer than the project aims at, and not yet refused.
pub(super) fn long(tree: &Tree) -> Vec<Problem> {
    longer_than(AIM, tree)
        .filter(|(_, lines)| *lines <= LIMIT)
        .map(|(path, lines)| Problem::in_file(path, format!("{lines} lines without tests, the aim is {AIM}")))
        .collect()
}

fn longer_than(limit: usize, tree: &Tree) -> impl Iterator<Item = (&str, usize)> {
    tree.ending(".rs")
        .filter(|(path, _)| !tree.is_test(path))
        .map(|(path, text)| (path, production_lines(text)))
        .filter(move |(_, lines)| *lines > limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        let code = "fn a() {}\n".repeat(LIMIT);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn b() {}\n".repeat(LIMIT));
        let whole = format!("{code}{tests}");
        assert_eq!(too_long(&Tree::of([("a.rs", whole.as_str())])), []);
        let more = format!("fn c() {{}}\n{whole}");
        let found = too_long(&Tree::of([("a.rs", more.as_str())]));
        assert_eq!(
            found[0].to_string(),
            "a.rs: 801 lines without tests, the limit is 800: split it"
        );
    }

    #[test]
    fn a_long_file_is_noted_but_not_refused() {
        let code = "fn a() {}\n".repeat(AIM + 1);
        let tree = Tree::of([
            ("a.rs", code.as_str()),
            ("b.rs", "fn b() {}\n"),
            ("tests/c.rs", code.as_str()),
        ]);
        assert_eq!(too_long(&tree), []);
        assert_eq!(long(&tree).len(), 1);
    }
}
