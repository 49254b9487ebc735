//! The rules of a site that need no look at its hosts, one file for each family.
//!
//! A rule reports every problem that it finds and answers `None` where there is no value to go on with.

pub(super) mod addons;
pub(crate) mod addressing;
pub(super) mod cluster;
pub(super) mod cni;
pub(super) mod component;
mod controller;
pub(super) mod document;
pub(super) mod endpoint;
pub(crate) mod facility;
pub(super) mod fleet;
pub(crate) mod hardware;
pub(super) mod helm;
pub(super) mod host;
pub(super) mod label;
pub(crate) mod network;
mod pattern;
pub(super) mod virtual_address;

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::name::NameError;
use crate::nearest::nearest;
use crate::spec::{Field, Spanned, is_safe_plain};

/// The value of a key that must be there; a missing one is reported at `parent`.
pub(super) fn required<'s, T>(
    field: &'s Field<T>,
    key: &str,
    parent: &Place,
    problems: &mut Diagnostics,
) -> Option<&'s Spanned<T>> {
    if field.is_absent() {
        problems.push(
            Diagnostic::error("IEC0007", format!("the key `{key}` is missing"))
                .at(&parent.head())
                .hint(format!(
                    "add `{key}` here; if it is there, look at its indentation"
                )),
        );
    }
    field.given()
}

/// `default` for a missing key, nothing for an unreadable one, else what `check` makes of the value.
pub(super) fn optional<T, U>(
    field: &Field<T>,
    default: U,
    check: impl FnOnce(&Spanned<T>) -> Option<U>,
) -> Option<U> {
    match field {
        Field::Absent => Some(default),
        Field::Broken => None,
        Field::Given(spanned) => check(spanned),
    }
}

/// The meaning of one of several known words.
fn word<T: Copy>(
    given: &Spanned<String>,
    key: &str,
    words: &[(&'static str, T)],
    problems: &mut Diagnostics,
) -> Option<T> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given.value) {
        return Some(*meaning);
    }
    let known = words.iter().map(|(word, _)| *word);
    let hint = match nearest(&given.value, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    let message = format!("`{key}` cannot be `{}`", printable(&given.value));
    problems.push(Diagnostic::error("IEC0012", message).at(&given.place).hint(hint));
    None
}

/// A whole number inside `range`.
fn number<T: TryFrom<i64>>(
    given: &Spanned<i64>,
    key: &str,
    range: RangeInclusive<i64>,
    problems: &mut Diagnostics,
) -> Option<T> {
    let value = Some(given.value).filter(|value| range.contains(value));
    if value.is_none() {
        let message = format!("`{key}` cannot be {}", given.value);
        let hint = format!("it is a whole number from {} to {}", range.start(), range.end());
        problems.push(Diagnostic::error("IEC0013", message).at(&given.place).hint(hint));
    }
    value.and_then(|value| T::try_from(value).ok())
}

/// The ports that a server may listen on.
const PORTS: RangeInclusive<i64> = 1..=65535;

/// The port that this text is, written with digits alone and without a zero before them.
pub(crate) fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// Text of one line that is not empty, such as a path.
pub(super) fn line(given: &Spanned<String>, key: &str, problems: &mut Diagnostics) -> Option<String> {
    let wrong = if given.value.trim().is_empty() {
        "is empty"
    } else if given.value.chars().any(char::is_control) {
        "has a line break or another control character"
    } else {
        return Some(given.value.clone());
    };
    problems.push(
        Diagnostic::error("IEC0014", format!("`{key}` {wrong}"))
            .at(&given.place)
            .hint("write a text of one line, or remove the key"),
    );
    None
}

/// A kind of name, for messages.
struct Kind {
    code: &'static str,
    what: &'static str,
    /// What to do; without it, a similar name that is allowed is suggested.
    hint: Option<&'static str>,
}

/// A name of some kind, or a report of why the text is none.
fn name<T>(
    given: &Spanned<String>,
    kind: &Kind,
    make: impl Fn(String) -> Result<T, NameError>,
    problems: &mut Diagnostics,
) -> Option<T> {
    let reason = match make(given.value.clone()) {
        Ok(name) => return Some(name),
        Err(reason) => reason,
    };
    let tame = tamed(&given.value);
    let hint = match kind.hint {
        Some(hint) => hint.to_owned(),
        None if make(tame.clone()).is_ok() && is_safe_plain(&tame) => format!("`{tame}` would do"),
        None if make(tame.clone()).is_ok() => format!("`\"{tame}\"` would do"),
        None => format!("choose another text for {}", kind.what),
    };
    let message = format!("`{}` cannot be {}: {reason}", printable(&given.value), kind.what);
    problems.push(Diagnostic::error(kind.code, message).at(&given.place).hint(hint));
    None
}

/// The text with small letters, and `-` for what names do not have; a domain is cut off.
pub fn tamed(text: &str) -> String {
    let first_label = text.split('.').next().unwrap_or_default();
    let letters = first_label.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        _ => '-',
    });
    letters.collect::<String>().trim_matches('-').to_owned()
}

/// At most 60 characters of `text`, with control characters made visible.
pub fn printable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(60)
        .flat_map(|letter| letter.escape_debug())
        .collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown.replace("\\\"", "\"").replace("\\'", "'")
}

/// `1 host`, `3 hosts`.
fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {one}{plural}")
}
