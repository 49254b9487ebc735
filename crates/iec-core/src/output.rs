//! What a host has kept of what a step said.

use iec_sh::events;
use serde::Serialize;

use crate::event::{MalformedLine, words};

/// What printed an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputOf {
    /// The commands of the step.
    Apply,
    /// The questions of its check, of which only errors are kept, and only while they matter.
    Check,
    /// What took it back.
    Undo,
}

/// The output of one step when it was last done, asked or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptOutput {
    /// What printed it.
    pub of: OutputOf,
    /// When it was written last, in seconds since 1970 by the host's clock.
    pub seconds: i64,
    /// How long it is, in bytes.
    pub size: u64,
    /// Its end.
    pub text: String,
}

/// Reads one line of an answer to [`iec_sh::OutputQuestion`]; nothing where it is another line.
///
/// # Errors
/// When the line begins as such an answer does but cannot be read.
pub fn kept_output(line: &str) -> Result<Option<KeptOutput>, MalformedLine> {
    let fields: Vec<&str> = line.split('\t').collect();
    let ["iec", kind, rest @ ..] = fields.as_slice() else {
        return Ok(None);
    };
    if *kind != events::OUTPUT {
        return Ok(None);
    }
    read(rest).map(Some).ok_or_else(|| MalformedLine::of(line))
}

fn read(fields: &[&str]) -> Option<KeptOutput> {
    let [of, seconds, size, text] = fields else {
        return None;
    };
    Some(KeptOutput {
        of: match *of {
            "apply" => OutputOf::Apply,
            "check" => OutputOf::Check,
            "undo" => OutputOf::Undo,
            _ => return None,
        },
        seconds: seconds.parse().ok()?,
        size: size.parse().ok()?,
        text: words(text)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_and_nothing_else_is_taken_for_one() {
        let kept = KeptOutput {
            of: OutputOf::Undo,
            seconds: 1_795_993_550,
            size: 2,
            text: "a\n".to_owned(),
        };
        assert_eq!(
            kept_output("iec\toutput\tundo\t1795993550\t2\tYQo="),
            Ok(Some(kept))
        );
        assert_eq!(kept_output("iec\tend\t0"), Ok(None));
        assert_eq!(kept_output("something"), Ok(None));
        for wrong in [
            "iec\toutput\tundo\tnow\t2\tYQo=",
            "iec\toutput\tdance\t1\t2\tYQo=",
            "iec\toutput\tundo",
        ] {
            assert!(kept_output(wrong).is_err(), "{wrong}");
        }
    }
}
