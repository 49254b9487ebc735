//! The words of a line, as Python's `shlex` splits them in its POSIX mode with comments: what Ansible reads hosts with.

/// The words; a `#` outside quotes ends the line, inside a word too.
///
/// # Errors
/// Where a quote is not closed, or nothing follows a backslash.
pub(super) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' => break,
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a quote is not closed")? {
                        '\'' => break,
                        inner => word.push(inner),
                    }
                }
            }
            '"' => in_double_quotes(&mut letters, word.get_or_insert_default())?,
            '\\' => {
                let escaped = letters.next().ok_or("nothing follows the backslash")?;
                word.get_or_insert_default().push(escaped);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads to the closing quote; a backslash counts before a quote or another backslash only.
fn in_double_quotes(letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    const OPEN: &str = "a quote is not closed";
    loop {
        match letters.next().ok_or(OPEN)? {
            '"' => return Ok(()),
            '\\' => match letters.next().ok_or(OPEN)? {
                escaped @ ('"' | '\\') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_those_of_shlex() {
        for (line, words) in [
            ("a b=c", vec!["a", "b=c"]),
            ("\"cp1\" \"a=b c\"", vec!["cp1", "a=b c"]),
            ("a x='b  c' # d", vec!["a", "x=b  c"]),
            ("a key=x#y z", vec!["a", "key=x"]),
            ("a x='#' y=\"#\"", vec!["a", "x=#", "y=#"]),
            (
                "a u=D\\x v=\"D\\x\" w=\"\\\"\"",
                vec!["a", "u=Dx", "v=D\\x", "w=\""],
            ),
            ("a ; b", vec!["a", ";", "b"]),
            ("'' a", vec!["", "a"]),
            ("", vec![]),
        ] {
            assert_eq!(split(line).expect("words"), words, "{line}");
        }
        for line in ["'a", "\"a", "\"a\\", "a\\"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
