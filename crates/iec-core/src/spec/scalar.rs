//! What a plain scalar means in YAML 1.2, and where YAML 1.1 differs.

/// The words that YAML 1.1 reads as booleans and YAML 1.2 as text.
pub(crate) fn is_old_boolean(text: &str) -> bool {
    ["y", "n", "yes", "no", "on", "off"].iter().any(|word| {
        text == *word || text == word.to_ascii_uppercase() || {
            let mut letters = word.chars();
            letters
                .next()
                .is_some_and(|first| text.strip_prefix(first.to_ascii_uppercase()) == Some(letters.as_str()))
        }
    })
}

/// Whether a text can stand without quotes, and every YAML reader takes it for this very text.
#[must_use]
pub fn is_safe_plain(text: &str) -> bool {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./@+=".contains(letter);
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || "./_".contains(first))
        && text.chars().all(safe)
        && !is_old_boolean(text)
        && !is_null(text)
        && boolean(text).is_none()
        // Whatever begins like a number might be one for somebody, but addresses are common and safe.
        && (!text.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            || text.parse::<std::net::Ipv4Addr>().is_ok()
            || text.starts_with("./")
            || text.starts_with("../"))
}

/// The scalars that stand for nothing.
#[must_use]
pub fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The scalars that stand for a boolean in YAML 1.2.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Whether a plain scalar is a number in YAML 1.2.
#[must_use]
pub fn is_number(text: &str) -> bool {
    is_integer(text) || is_float(text)
}

/// Whether a plain scalar is an integer in YAML 1.2: decimal, `0o…` or `0x…`.
pub(crate) fn is_integer(text: &str) -> bool {
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    text.strip_prefix("0o").is_some_and(|octal| digits(octal, 8))
        || text
            .strip_prefix("0x")
            .is_some_and(|hexadecimal| digits(hexadecimal, 16))
        || digits(text.strip_prefix(['-', '+']).unwrap_or(text), 10)
}

/// Whether a plain scalar is a floating-point number in YAML 1.2.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.chars().all(|digit| digit.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
        && (mantissa.contains('.') || exponent.is_some())
}

/// Whether YAML 1.1 and YAML 1.2 disagree about a decimal integer, because it begins with a zero.
pub(crate) fn has_leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.chars().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_read_as_yaml_1_2_says() {
        for old in ["y", "Y", "yes", "Yes", "YES", "no", "On", "OFF", "n"] {
            assert!(is_old_boolean(old), "{old}");
        }
        for text in ["true", "yES", "none", "", "yes "] {
            assert!(!is_old_boolean(text), "{text}");
        }
        for number in [
            "0", "-1", "1.36", "1e3", ".5", "5.", "0x1F", "0o17", ".inf", "-.inf", ".nan",
        ] {
            assert!(is_number(number), "{number}");
        }
        for text in [
            "", "1.2.3", "10.0.0.1", "1e", "e1", ".", "-", "1_000", "0b1", "1:30", "0x",
        ] {
            assert!(!is_number(text), "{text}");
        }
        assert!(has_leading_zero("022") && !has_leading_zero("0") && !has_leading_zero("0.5"));
    }

    #[test]
    fn safe_texts_are_text_for_everybody() {
        for text in ["edge-1", "./bundle", "/srv/a", "10.0.0.11", "_apt", "../a", "a.b"] {
            assert!(is_safe_plain(text), "{text}");
        }
        for text in [
            "", "yes", "1.36", "~", "a b", "a:", "#a", "022", "1e3", ".5", "-a", "true", "ä", "~/.ssh",
        ] {
            assert!(!is_safe_plain(text), "{text}");
        }
    }
}
