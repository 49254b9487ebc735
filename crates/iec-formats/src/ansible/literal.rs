//! What a value of an inventory is to Ansible: Python's literals in the INI form, YAML 1.1's plain values in the other.

use super::variable::Value;

/// A value of the INI form, which Ansible gives to Python's `ast.literal_eval`; what is no literal is a text.
pub(super) fn of_ini(text: &str) -> Value {
    let trimmed = text.trim_start_matches([' ', '\t']);
    if let Some(texts) = quoted(trimmed) {
        return Value::Text(texts);
    }
    // Behind a literal Python has comments, though Ansible's inventories have none there.
    let literal = trimmed.split('#').next().unwrap_or_default().trim_end();
    match literal {
        "None" => return Value::Null,
        "True" | "False" => return Value::Text(literal.to_owned()),
        _ => {}
    }
    let pairs = [("[", "]"), ("{", "}"), ("(", ")")];
    let is_list = |(open, close): &(&str, &str)| literal.starts_with(open) && literal.ends_with(close);
    // A template begins like a set in a mapping, which is no literal.
    if pairs.iter().any(is_list) && !literal.starts_with("{{") {
        return Value::Structure(None);
    }
    match python_integer(literal) {
        Some(number) => Value::Text(number.to_string()),
        None => Value::Text(text.to_owned()),
    }
}

/// The texts of one or several literals in quotes, joined as Python joins them; `None` where there is anything else.
fn quoted(text: &str) -> Option<String> {
    let mut joined = String::new();
    let mut rest = text;
    let mut found = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let quote = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            None | Some('#') => return found.then_some(joined),
            Some(_) => return None,
        };
        let mut letters = rest[1..].char_indices();
        loop {
            match letters.next()? {
                (at, letter) if letter == quote => {
                    rest = &rest[at + 2..];
                    break;
                }
                (_, '\\') => joined.push_str(&escaped(&mut letters)?),
                (_, letter) => joined.push(letter),
            }
        }
        found = true;
    }
}

/// What an escape of Python stands for; one that is none is two letters.
fn escaped(letters: &mut std::str::CharIndices<'_>) -> Option<String> {
    let (_, letter) = letters.next()?;
    let mut number = |digits: usize| {
        let text: String = letters.by_ref().take(digits).map(|(_, digit)| digit).collect();
        u32::from_str_radix(&text, 16)
            .ok()
            .filter(|_| text.len() == digits)
            .and_then(char::from_u32)
    };
    Some(match letter {
        '\\' | '\'' | '"' => letter.to_string(),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        'r' => "\r".to_owned(),
        'x' => number(2)?.to_string(),
        'u' => number(4)?.to_string(),
        'U' => number(8)?.to_string(),
        other => format!("\\{other}"),
    })
}

/// A whole number as Python writes them in its source.
fn python_integer(text: &str) -> Option<i64> {
    let (sign, digits) = signed(text);
    let digits = digits.to_ascii_lowercase();
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        // Python refuses a zero before other digits, and Ansible takes the text.
        _ if digits.starts_with('0') && !digits.trim_start_matches(['0', '_']).is_empty() => return None,
        _ => (digits.as_str(), 10),
    };
    number(digits, radix).map(|number| sign * number)
}

/// A plain value of YAML 1.1 as Python would print it.
pub(super) fn of_yaml(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    let is = |words: &[&str]| {
        let small = text.to_ascii_lowercase();
        let capital = small.get(..1).map(|first| first.to_uppercase() + &small[1..]);
        words.contains(&small.as_str())
            && (text == small || text == small.to_uppercase() || capital.as_deref() == Some(text))
    };
    if is(&["yes", "true", "on"]) {
        return Value::Text("True".to_owned());
    }
    if is(&["no", "false", "off"]) {
        return Value::Text("False".to_owned());
    }
    Value::Text(yaml_integer(text).map_or_else(|| text.to_owned(), |number| number.to_string()))
}

/// A whole number of YAML 1.1, which knows octal ones (`022`) and those of base 60 (`22:30`).
fn yaml_integer(text: &str) -> Option<i64> {
    let (sign, digits) = signed(text);
    let value = match digits.as_bytes() {
        [b'0', b'b', ..] => number(&digits[2..], 2)?,
        [b'0', b'x', ..] => number(&digits[2..], 16)?,
        [b'0', _, ..] => number(&digits[1..], 8)?,
        [b'0'..=b'9', ..] if digits.contains(':') => {
            let mut sum = 0_i64;
            for (index, part) in digits.split(':').enumerate() {
                let part_value = number(part, 10).filter(|value| index == 0 || *value < 60)?;
                sum = sum.checked_mul(60)?.checked_add(part_value)?;
            }
            sum
        }
        [b'0'..=b'9', ..] => number(digits, 10)?,
        _ => return None,
    };
    Some(sign * value)
}

/// The port that Python's `int` makes of this text, if a server may listen on it.
pub(super) fn port(text: &str) -> Option<u16> {
    let (sign, digits) = signed(text.trim());
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    let is_whole = digits.bytes().next().is_some_and(|first| first.is_ascii_digit());
    let port = number(digits, 10).filter(|_| is_whole)? * sign;
    u16::try_from(port).ok().filter(|port| *port > 0)
}

fn signed(text: &str) -> (i64, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits with underscores between them.
fn number(digits: &str, radix: u32) -> Option<i64> {
    let plain: String = digits.chars().filter(|letter| *letter != '_').collect();
    let is_number = !plain.is_empty() && plain.chars().all(|letter| letter.is_digit(radix));
    i64::from_str_radix(&plain, radix).ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value) -> String {
        match value {
            Value::Text(text) => text,
            Value::Null => "<null>".to_owned(),
            Value::Encrypted | Value::Structure(_) => "<other>".to_owned(),
        }
    }

    #[test]
    fn values_of_the_ini_form_are_literals_of_python_or_texts() {
        for (written, read) in [
            ("core", "core"),
            ("22 # the port", "22"),
            ("core # me", "core # me"),
            ("\"core\"", "core"),
            ("'core' # me", "core"),
            ("\"core\" ; me", "\"core\" ; me"),
            ("\"a\" 'b'", "ab"),
            ("'a\\'b\\t\\q\\x41'", "a'b\t\\qA"),
            ("'open", "'open"),
            ("None", "<null>"),
            ("True", "True"),
            ("true", "true"),
            ("1_0", "10"),
            ("0x16", "22"),
            ("022", "022"),
            ("00", "0"),
            ("+22", "22"),
            ("", ""),
            ("[1, 2]", "<other>"),
            ("{{ a }}", "{{ a }}"),
            ("10.0.0.1", "10.0.0.1"),
            ("DOMAIN\\admin", "DOMAIN\\admin"),
        ] {
            assert_eq!(text(of_ini(written)), read, "{written}");
        }
    }

    #[test]
    fn plain_values_of_yaml_are_those_of_its_first_version() {
        for (written, read) in [
            ("core", "core"),
            ("yes", "True"),
            ("Off", "False"),
            ("yEs", "yEs"),
            ("~", "<null>"),
            ("022", "18"),
            ("0o22", "0o22"),
            ("22:30", "1350"),
            ("22:60", "22:60"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("10.0.0.1", "10.0.0.1"),
            ("09", "09"),
        ] {
            assert_eq!(text(of_yaml(written)), read, "{written}");
        }
    }

    #[test]
    fn ports_are_what_python_takes_for_whole_numbers() {
        for (text, read) in [
            ("22", Some(22)),
            (" 022 ", Some(22)),
            ("+22", Some(22)),
            ("2_222", Some(2222)),
            ("0", None),
            ("-1", None),
            ("65536", None),
            ("ssh", None),
            ("", None),
        ] {
            assert_eq!(port(text), read, "{text}");
        }
    }
}
