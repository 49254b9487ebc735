//! Words of a host on their way to a person: what a terminal or an eye would act on is shown, and not done.

use serde::{Deserialize, Deserializer};

/// The text with its lines and tabs, and every other character that acts on whoever shows it as `\u{..}`: no word of a host
/// moves the cursor, colours what follows, or turns it round.
#[must_use]
pub fn said(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            _ if acts(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether a character acts on a terminal, or is not seen and changes what is: control characters, marks of direction, line
/// ends of Unicode, and the mark of byte order (Unicode Standard Annex 9; CVE-2021-42574).
#[must_use]
pub fn acts(character: char) -> bool {
    let unseen = matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    unseen || character.is_control()
}

/// Reads a text of a host's own file.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| said(&text))
}

/// The same, where there may be none.
pub(crate) fn read_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| said(&text)))
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn nothing_that_acts_is_left() {
        assert_eq!(said("plain\n\tżółć"), "plain\n\tżółć");
        assert_eq!(said("\u{1b}[31mred\u{1b}[0m\r"), "\\u{1b}[31mred\\u{1b}[0m\\u{d}");
        assert_eq!(
            said("\u{9b}2J\u{202e}cba\0\u{7f}"),
            "\\u{9b}2J\\u{202e}cba\\u{0}\\u{7f}"
        );
    }
}
