//! Names whose letters are not what they look like: spaces, letters without a shape, and other scripts' doubles of Latin ones.

use std::collections::BTreeMap;

use iec_core::diagnostic::Diagnostic;

/// Letters of the Cyrillic and the Greek script with the Latin ones that look the same.
const DOUBLES: [(char, char); 36] = [
    ('а', 'a'),
    ('е', 'e'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('у', 'y'),
    ('х', 'x'),
    ('ѕ', 's'),
    ('і', 'i'),
    ('ј', 'j'),
    ('ԁ', 'd'),
    ('һ', 'h'),
    ('ո', 'n'),
    ('ԛ', 'q'),
    ('ԝ', 'w'),
    ('в', 'b'),
    ('к', 'k'),
    ('м', 'm'),
    ('т', 't'),
    ('н', 'h'),
    ('А', 'A'),
    ('В', 'B'),
    ('Е', 'E'),
    ('К', 'K'),
    ('М', 'M'),
    ('Н', 'H'),
    ('О', 'O'),
    ('Р', 'P'),
    ('С', 'C'),
    ('Т', 'T'),
    ('Х', 'X'),
    ('ο', 'o'),
    ('α', 'a'),
    ('ν', 'v'),
    ('ρ', 'p'),
    ('ι', 'i'),
];

/// A name for a message: what cannot be told from another letter stands as its code point.
pub(super) fn shown(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars().take(60) {
        if is_odd(letter) {
            text.push_str(&format!("<U+{:04X}>", u32::from(letter)));
        } else {
            text.push(letter);
        }
    }
    if name.chars().nth(60).is_some() {
        text.push('…');
    }
    text
}

/// Says which of these names look like another one of them, or like a known one.
pub(super) fn look_alikes<'n>(
    what: &str,
    names: impl Iterator<Item = &'n str>,
    known: &[&'n str],
) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<String, &str> = known.iter().map(|name| (plain(name), *name)).collect();
    let mut found = Vec::new();
    for name in names {
        match seen.get(&plain(name)) {
            Some(other) if *other != name => found.push(
                Diagnostic::warning(
                    "IEC0840",
                    format!(
                        "the {what} {} and {} look alike, and are two",
                        shown(other),
                        shown(name)
                    ),
                )
                .hint("type the name anew if they are meant to be one"),
            ),
            Some(_) => {}
            None => drop(seen.insert(plain(name), name)),
        }
    }
    found
}

/// The name as it looks.
fn plain(name: &str) -> String {
    let looks = |letter: char| {
        DOUBLES
            .iter()
            .find(|(double, _)| *double == letter)
            .map_or_else(|| full_width(letter), |(_, latin)| *latin)
    };
    name.chars()
        .map(looks)
        .filter(|letter| !is_invisible(*letter))
        .map(|letter| if is_dash(letter) { '-' } else { letter })
        .collect()
}

fn is_odd(letter: char) -> bool {
    is_invisible(letter)
        || is_dash(letter)
        || full_width(letter) != letter
        || DOUBLES.iter().any(|(double, _)| *double == letter)
}

/// A space, a control character, or one that has no shape.
fn is_invisible(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// A dash that is no hyphen-minus.
fn is_dash(letter: char) -> bool {
    matches!(
        letter,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// The letter of usual width for one that is as wide as two.
fn full_width(letter: char) -> char {
    match u32::from(letter) {
        code @ 0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(letter),
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown_as_its_code_point() {
        for (name, text) in [
            ("edge-1", "edge-1"),
            ("käse", "käse"),
            ("n1\u{a0}", "n1<U+00A0>"),
            ("kub\u{435}_node", "kub<U+0435>_node"),
            ("n\u{2011}1", "n<U+2011>1"),
            ("n\u{200b}1", "n<U+200B>1"),
            ("\u{ff4e}1", "<U+FF4E>1"),
            ("a\u{1b}[2J", "a<U+001B>[2J"),
        ] {
            assert_eq!(shown(name), text);
        }
    }

    #[test]
    fn names_that_look_alike_are_told_with_their_code_points() {
        let names = ["kub\u{435}_node", "n1", "n1\u{a0}", "n2", "N2"];
        let found: Vec<String> = look_alikes("names", names.into_iter(), &["kube_node"])
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        assert_eq!(
            found,
            [
                "the names kube_node and kub<U+0435>_node look alike, and are two",
                "the names n1 and n1<U+00A0> look alike, and are two"
            ]
        );
    }
}
