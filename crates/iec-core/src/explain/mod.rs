//! What each stable code means: one table, which `iec explain` and the manual print.
//!
//! A new code is a new [`row`] in the file of its part, in ascending order. A test compares the table with
//! every code in the sources of the workspace.

mod command_line;
mod content;
mod host;
mod import;
mod kubeconfig;
mod lab;
mod network;
mod plan;
mod preflight;
mod run;
mod site;
mod verify;

use std::fmt;

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code: `IEC` and four digits.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why IEC minds.
    pub cause: &'static str,
    /// What to do about it.
    pub action: &'static str,
    /// A right and a wrong way, or what the message looks like; may be empty.
    pub example: &'static str,
}

/// One row of the table: code, title, cause, action, example.
const fn row(
    code: &'static str,
    title: &'static str,
    cause: &'static str,
    action: &'static str,
    example: &'static str,
) -> Explanation {
    Explanation {
        code,
        title,
        cause,
        action,
        example,
    }
}

/// The table, part by part, each in ascending order.
const PARTS: [&[Explanation]; 13] = [
    site::ROWS,
    network::ROWS,
    import::ROWS,
    command_line::ROWS,
    host::ROWS,
    preflight::ROWS,
    lab::ROWS,
    content::ROWS,
    plan::ROWS,
    kubeconfig::ROWS,
    run::ROWS,
    verify::ROWS,
    crate::check::EXPLANATIONS,
];

/// Every code that IEC can report, in ascending order.
pub fn all() -> impl Iterator<Item = &'static Explanation> {
    PARTS.into_iter().flatten()
}

/// What `code` means; capital or small letters, with or without `IEC`.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Explanation> {
    let upper = code.trim().to_ascii_uppercase();
    let digits = upper.strip_prefix("IEC").unwrap_or(&upper);
    all().find(|row| row.code.strip_prefix("IEC") == Some(digits))
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{}: {}\n\n{}\n\nWhat to do: {}",
            self.code, self.title, self.cause, self.action
        )?;
        if !self.example.is_empty() {
            writeln!(formatter, "\nExample:\n")?;
            for line in self.example.lines() {
                writeln!(formatter, "    {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_however_they_are_typed() {
        for typed in ["IEC0003", "iec0003", " 0003 "] {
            assert_eq!(explain(typed).map(|row| row.code), Some("IEC0003"), "{typed}");
        }
        for typed in ["", "IEC", "IEC003", "3", "IEC9999", "IECIEC0003"] {
            assert_eq!(explain(typed), None, "{typed}");
        }
    }

    #[test]
    fn the_table_is_in_order_and_says_something() {
        let codes: Vec<&str> = all().map(|row| row.code).collect();
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
        for row in all() {
            assert!(row.code.len() == 7 && row.code.starts_with("IEC"), "{}", row.code);
            assert!(!row.title.is_empty() && !row.title.ends_with('.'), "{}", row.code);
            assert!(
                row.cause.ends_with('.') && row.action.ends_with('.'),
                "{}",
                row.code
            );
        }
    }

    #[test]
    fn a_part_has_the_codes_of_its_digits() {
        let beginnings: [&[&str]; PARTS.len()] = [
            &["IEC00", "IEC01", "IEC02"],
            &["IEC03", "IEC04", "IEC05", "IEC06", "IEC07"],
            &["IEC08"],
            &["IEC09"],
            &["IEC1"],
            &["IEC18"],
            &["IEC19"],
            &["IEC2"],
            &["IEC3"],
            &["IEC395", "IEC396"],
            &["IEC4"],
            &["IEC50"],
            &["IEC5"],
        ];
        for (beginnings, part) in beginnings.into_iter().zip(PARTS) {
            for row in part {
                assert!(
                    beginnings.iter().any(|beginning| row.code.starts_with(beginning)),
                    "{}",
                    row.code
                );
            }
        }
    }

    #[test]
    fn text_has_every_part() {
        let text = row("IEC0000", "title", "cause.", "action.", "a\nb").to_string();
        assert_eq!(
            text,
            "IEC0000: title\n\ncause.\n\nWhat to do: action.\n\nExample:\n\n    a\n    b\n"
        );
    }
}
