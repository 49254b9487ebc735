//! Rust source as the rules read it: without comments, without what is inside strings, without tests.

/// The text with comments and the inside of strings and characters turned into blanks. Lines keep their numbers.
pub(super) fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match token(bytes, at) {
            Token::Plain => {
                out.push(bytes[at]);
                at += 1;
                continue;
            }
            Token::Comment(end) => {
                blank(&mut out, &bytes[at..end]);
                end
            }
            Token::Literal { open, close, end } => {
                out.extend_from_slice(&bytes[at..open]);
                blank(&mut out, &bytes[open..close]);
                out.extend_from_slice(&bytes[close..end]);
                end
            }
        };
        at = end;
    }
    String::from_utf8(out).expect("only whole characters are replaced, by ASCII")
}

/// What begins at a place.
enum Token {
    /// One byte of code.
    Plain,
    /// A comment up to this place.
    Comment(usize),
    /// A literal: where its inside begins and ends, and where it ends itself.
    Literal { open: usize, close: usize, end: usize },
}

fn token(bytes: &[u8], at: usize) -> Token {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return Token::Comment(at + length);
    }
    if rest.starts_with(b"/*") {
        return Token::Comment(at + block_comment(rest));
    }
    let inside_a_word = at > 0 && is_word(bytes[at - 1]);
    match rest[0] {
        b'"' => quoted(bytes, at, b'"'),
        b'\'' if is_character(rest) => quoted(bytes, at, b'\''),
        b'r' | b'b' | b'c' if !inside_a_word => raw_string(bytes, at),
        _ => Token::Plain,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// A quote begins a character, not a lifetime: `'a'`, `'\n'`, `'é'`.
fn is_character(rest: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&rest[1..rest.len().min(8)]);
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

fn quoted(bytes: &[u8], at: usize, quote: u8) -> Token {
    let open = at + 1;
    let mut close = open;
    while close < bytes.len() && bytes[close] != quote {
        close += if bytes[close] == b'\\' { 2 } else { 1 };
    }
    let close = close.min(bytes.len());
    Token::Literal {
        open,
        close,
        end: (close + 1).min(bytes.len()),
    }
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`; anything else is plain.
fn raw_string(bytes: &[u8], at: usize) -> Token {
    let mut open = at;
    if matches!(bytes[open], b'b' | b'c') {
        open += 1;
    }
    if bytes.get(open) != Some(&b'r') {
        return Token::Plain;
    }
    open += 1;
    let hashes = bytes[open..].iter().take_while(|byte| **byte == b'#').count();
    open += hashes;
    if bytes.get(open) != Some(&b'"') {
        return Token::Plain;
    }
    open += 1;
    let mut end_mark = vec![b'"'];
    end_mark.resize(hashes + 1, b'#');
    let close = bytes[open..]
        .windows(end_mark.len())
        .position(|window| window == end_mark)
        .map_or(bytes.len(), |length| open + length);
    Token::Literal {
        open,
        close,
        end: (close + end_mark.len()).min(bytes.len()),
    }
}

fn blank(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
}

/// [`code`] with every item under `#[cfg(test)]` turned into blanks.
pub(super) fn production_code(text: &str) -> String {
    let mut code = code(text).into_bytes();
    for (start, end) in test_items(&code) {
        for byte in &mut code[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(code).expect("only whole items are replaced, by ASCII")
}

/// How many lines of a file are not under `#[cfg(test)]`.
pub(super) fn production_lines(text: &str) -> usize {
    let code = code(text);
    let tests: usize = test_items(code.as_bytes())
        .iter()
        .map(|(start, end)| code[*start..*end].lines().count())
        .sum();
    text.lines().count() - tests
}

/// The modules that a file declares for tests only: `#[cfg(test)] mod fake;`.
pub(super) fn test_modules(text: &str) -> Vec<String> {
    let code = code(text);
    test_items(code.as_bytes())
        .into_iter()
        .filter_map(|(start, end)| {
            let item = code[start..end].strip_suffix(';')?;
            let (_, name) = item.rsplit_once("mod ")?;
            Some(name.trim().to_owned())
        })
        .collect()
}

const MARK: &[u8] = b"#[cfg(test)]";

/// Where the items under `#[cfg(test)]` begin and end.
fn test_items(code: &[u8]) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(found) = code[at..].windows(MARK.len()).position(|window| window == MARK) {
        let start = at + found;
        at = item_end(code, start + MARK.len());
        items.push((start, at));
    }
    items
}

/// The end of the item that begins here: its closing brace, or the semicolon of one without a body.
fn item_end(code: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The paths that the `use` declarations of some code bring in, groups taken apart: `use a::{b, c::d}` is `a::b`, `a::c::d`.
pub(super) fn uses(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let starts = at == 0 || !is_word(code.as_bytes()[at - 1]);
        let Some(length) = code[at..].find(';') else {
            continue;
        };
        if !starts {
            continue;
        }
        let line = line_of(code, at);
        let tree: String = code[at + 4..at + length]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        take_apart(tree.trim_start_matches("::"), "", &mut |path| {
            found.push((line, path))
        });
    }
    found
}

fn take_apart(tree: &str, prefix: &str, found: &mut dyn FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            found(format!("{prefix}{path}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inside = tree[open + 1..].strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                take_apart(&inside[start..at], &prefix, found);
                start = at + 1;
            }
            _ => {}
        }
    }
    take_apart(&inside[start..], &prefix, found);
}

/// The number of the line that a place is in, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank_and_lines_stay() {
        let text = "a // x\nb /* y /* z */\n */ c \"std::fs\\\"\" d r#\"q\"\"# 'e' '\\n' &'life f b\"g\"\n";
        let code = code(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert_eq!(code.len(), text.len());
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words.join(" "), "a b c \" \" d r#\" \"# ' ' ' ' &'life f b\" \"");
    }

    #[test]
    fn an_identifier_that_ends_in_r_begins_no_raw_string() {
        assert_eq!(code("for\"x\" r#type"), "for\" \" r#type");
    }

    #[test]
    fn tests_are_not_production_code() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { if x { y } }\n}\nfn c() {}\n#[cfg(test)]\nuse d::e;\n";
        let code = production_code(text);
        assert!(code.contains("fn a") && code.contains("fn c"), "{code}");
        assert!(!code.contains("fn b") && !code.contains("d::e"), "{code}");
        assert_eq!(production_lines(text), 2);
    }

    #[test]
    fn modules_for_tests_are_found() {
        assert_eq!(
            test_modules("#[cfg(test)]\npub(crate) mod fake;\nmod real;\n"),
            ["fake"]
        );
    }

    #[test]
    fn uses_are_taken_apart() {
        let paths: Vec<String> = uses("use std::{fs, io::{self, Read as _}, env as e};\npub use a::B;\n")
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        assert_eq!(
            paths,
            ["std::fs", "std::io::self", "std::io::Read", "std::env", "a::B"]
        );
    }
}
