//! Passwords in a text made unreadable, with every other byte where it was.

/// The keys whose values nobody should see.
const KEYS: [&str; 4] = ["pass", "password", "passwd", "secret"];

/// The text with what stands behind `pass:` and its like replaced by `*`, byte by byte: places in it stay right.
///
/// More is hidden rather than less: everything to the end of the line, and the lines after it that are indented
/// deeper.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // The indentation of the key whose value may go on in the next line.
    let mut inside: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches(' ').len();
        let blank = line.trim().is_empty();
        if inside.is_some_and(|key| blank || indentation > key) {
            hide(line, &mut shown);
            continue;
        }
        inside = None;
        match value_of_secret(line) {
            Some(start) => {
                shown.push_str(&line[..start]);
                hide(&line[start..], &mut shown);
                inside = Some(indentation);
            }
            None => shown.push_str(line),
        }
    }
    shown
}

fn hide(text: &str, shown: &mut String) {
    for letter in text.chars() {
        if letter.is_whitespace() {
            shown.push(letter);
        } else {
            shown.extend(std::iter::repeat_n('*', letter.len_utf8()));
        }
    }
}

/// Where the value of a secret key begins in this line.
fn value_of_secret(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    lower
        .match_indices(':')
        .map(|(colon, _)| colon)
        .find(|colon| {
            let before = lower[..*colon].trim_end().trim_end_matches(['"', '\'']);
            let word = before
                .rsplit(|letter: char| !letter.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default();
            KEYS.contains(&word)
        })
        .map(|colon| colon + 1)
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn values_of_passwords_are_hidden_and_nothing_moves() {
        let text = "a: 1\n  pass: s3cret # x\n  'pass' : |\n     s3cret\n\n     s3cret\nipmi: {user: me, pass: s3cret}\nipmi_pass: sücret\nb: passing\n";
        let shown = masked(text);
        assert!(!shown.contains("cret"), "{shown}");
        assert_eq!(shown.len(), text.len());
        assert!(shown.starts_with("a: 1\n  pass: ****** * *\n"), "{shown}");
        assert!(shown.ends_with("b: passing\n"), "{shown}");
    }
}
