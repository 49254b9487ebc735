//! What would change in a text, line by line.

use std::fmt::Write as _;

use similar::{ChangeTag, TextDiff};

use super::style;

/// How many unchanged lines are shown around a change.
const CONTEXT: usize = 2;

/// The lines that go (`-`) and come (`+`) between two texts, with a little of what stays around them. Empty when
/// the texts are the same.
pub(super) fn lines(before: &str, after: &str) -> String {
    let mut drawn = String::new();
    let difference = TextDiff::from_lines(before, after);
    for (index, group) in difference.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            drawn.push_str("…\n");
        }
        for change in group
            .iter()
            .flat_map(|operation| difference.iter_changes(operation))
        {
            let (mark, style) = match change.tag() {
                ChangeTag::Delete => ('-', style::ERROR),
                ChangeTag::Insert => ('+', style::GOOD),
                ChangeTag::Equal => (' ', style::DIM),
            };
            let line = change.value().trim_end_matches(['\n', '\r']);
            let _ = writeln!(drawn, "{style}{mark} {line}{style:#}");
            if change.missing_newline() {
                drawn.push_str("\\ no newline at the end\n");
            }
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(before: &str, after: &str) -> String {
        anstream::adapter::strip_str(&lines(before, after)).to_string()
    }

    #[test]
    fn only_what_changes_is_shown_with_its_surroundings() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(plain(before, before), "");
        assert_eq!(
            plain(before, &before.replace('5', "five")),
            "  3\n  4\n- 5\n+ five\n  6\n  7\n"
        );
        let both = before.replace("1\n", "").replace("9\n", "nine\n");
        assert_eq!(plain(before, &both), "- 1\n  2\n  3\n…\n  7\n  8\n- 9\n+ nine\n");
    }

    #[test]
    fn a_missing_newline_is_said() {
        assert_eq!(plain("a\n", "a"), "- a\n+ a\n\\ no newline at the end\n");
    }

    #[test]
    fn a_new_text_is_all_plus() {
        assert_eq!(plain("", "a\nb\n"), "+ a\n+ b\n");
    }
}
