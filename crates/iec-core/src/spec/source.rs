//! From byte offsets in a text to lines and columns.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::Place;

/// A text, its file name, and where its lines begin.
pub struct Source<'t> {
    /// The text.
    pub text: &'t str,
    file: Arc<str>,
    line_starts: Vec<usize>,
}

impl<'t> Source<'t> {
    /// The text of the file that diagnostics call so.
    #[must_use]
    pub fn new(text: &'t str, file: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            text,
            file: file.into(),
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// Where the first tab stands that indents a line.
    pub(crate) fn first_tab_indentation(&self) -> Option<usize> {
        self.line_starts.iter().find_map(|&start| {
            let line = &self.text[start..];
            let spaces = line.len() - line.trim_start_matches(' ').len();
            line[spaces..].starts_with('\t').then_some(start + spaces)
        })
    }

    /// Where the first letter stands that looks like a space before a line and is none to YAML.
    pub(crate) fn first_odd_indentation(&self) -> Option<(usize, char)> {
        self.line_starts.iter().find_map(|&start| {
            let line = &self.text[start..];
            let spaces = line.len() - line.trim_start_matches(' ').len();
            // A byte-order mark may stand before the first line.
            let first = line[spaces..].chars().next()?;
            let is_mark = start + spaces == 0 && first == '\u{feff}';
            (is_invisible(first) && !is_mark).then_some((start + spaces, first))
        })
    }

    /// The place of a stretch of bytes; offsets outside the text, or inside a character, are moved to the left.
    pub fn place(&self, span: Range<usize>) -> Place {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.floor_char_boundary(span.end).max(start);
        let line = self
            .line_starts
            .partition_point(|&line_start| line_start <= start);
        let line_start = self.line_starts[line - 1];
        let column = self.text[line_start..start].chars().count() + 1;
        Place {
            file: self.file.clone(),
            line,
            column,
            span: start..end,
        }
    }
}

/// Whether nobody sees that this letter is no space, or sees it at all.
pub(crate) fn is_invisible(letter: char) -> bool {
    !letter.is_ascii()
        && (letter.is_whitespace()
            || matches!(letter, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'))
}

/// The letters of a text that nobody sees, with their code points: `U+00A0 (a no-break space)`.
pub(crate) fn invisible_in(text: &str) -> String {
    let mut named: Vec<String> = text
        .chars()
        .filter(|letter| is_invisible(*letter))
        .map(named)
        .collect();
    named.dedup();
    named.join(", ")
}

/// A letter's code point, and what people call it.
pub(crate) fn named(letter: char) -> String {
    let point = u32::from(letter);
    let called = match letter {
        '\u{a0}' => " (a no-break space)",
        '\u{202f}' => " (a narrow no-break space)",
        '\u{200b}' => " (a space of no width)",
        '\u{feff}' => " (a byte-order mark)",
        '\u{3000}' => " (an ideographic space)",
        _ => "",
    };
    format!("U+{point:04X}{called}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("a: ä\nbü: c", "f");
        let place = source.place(9..10);
        assert_eq!((place.line, place.column, place.span), (2, 3, 9..10));
    }

    #[test]
    fn offsets_outside_the_text_are_moved_inside() {
        let source = Source::new("ä", "f");
        assert_eq!(source.place(1..99).span, 0..2);
        assert_eq!(source.place(7..9).span, 2..2);
        assert_eq!(Source::new("", "f").place(0..0).line, 1);
    }
}
