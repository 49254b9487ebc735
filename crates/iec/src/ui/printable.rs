//! Texts that came from somewhere else, made safe for a terminal: what a host says must not move the cursor, name
//! the window, or hide what was printed before.

use std::borrow::Cow;

use iec_core::said::acts;

/// The text with colours and line ends as they are, and every other control character as `\u{..}`.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| !is_control(character)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_control) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let taken = if let Some(style) = style(rest) {
            out.push_str(style);
            style.len()
        } else if rest.starts_with("\r\n") {
            1
        } else {
            let control = rest.chars().next().expect("one was found");
            out.extend(control.escape_default());
            control.len_utf8()
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn is_control(character: char) -> bool {
    acts(character) && character != '\n' && character != '\t'
}

/// The sequence that chooses a colour or a weight at the start of a text (SGR, ECMA-48 §8.3.117), where there is one.
fn style(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let length = parameters
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
        .count();
    (parameters.as_bytes().get(length) == Some(&b'm')).then(|| &text[..length + 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_and_lines_reach_a_terminal() {
        for (text, shown) in [
            ("plain\n\tżółć", "plain\n\tżółć"),
            ("\x1b[1;31merror\x1b[0m", "\x1b[1;31merror\x1b[0m"),
            ("a line\r\nanother", "a line\nanother"),
            ("good\rbad", "good\\rbad"),
            ("a\u{202e}cba\u{2066}", "a\\u{202e}cba\\u{2066}"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("cut \x1b[1;3", "cut \\u{1b}[1;3"),
            ("\0", "\\u{0}"),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }
}
