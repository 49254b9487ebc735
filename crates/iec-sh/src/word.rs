//! `Word`: one argument, printed as exactly one POSIX word.

use std::fmt;

/// One argument of a command.
///
/// It prints itself so that any POSIX shell reads it back as exactly one word with exactly these characters:
/// plain where that is safe, otherwise in single quotes (POSIX.1-2024, XCU 2.2.2).
/// A NUL can not be part of any argument of a process, so it becomes U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(String);

impl Word {
    /// The word with this text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.contains('\0') {
            text.replace('\0', "\u{fffd}")
        } else {
            text
        })
    }

    /// The text itself, without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Word {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "@%+=:,./_-".contains(character)
}

impl fmt::Display for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            return out.write_str(&self.0);
        }
        write!(out, "'{}'", self.0.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::Word;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(
            Word::new("/etc/containerd/config.toml").to_string(),
            "/etc/containerd/config.toml"
        );
    }

    #[test]
    fn everything_else_is_quoted() {
        assert_eq!(Word::new("").to_string(), "''");
        assert_eq!(
            Word::new("it's; rm -rf $HOME").to_string(),
            r"'it'\''s; rm -rf $HOME'"
        );
        assert_eq!(Word::new("~").to_string(), "'~'");
        assert_eq!(Word::new("a\0b").to_string(), "'a\u{fffd}b'");
    }
}
