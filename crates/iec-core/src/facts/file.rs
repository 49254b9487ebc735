//! The facts file: what `iec check --probe --facts-out` writes and `plan --facts` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Facts, HostAnswer};

/// The version of the facts file that this program writes. It reads files of this version; sections and values
/// that it does not know are left out, those that the file lacks are `assumed`.
pub const FORMAT: &str = "iec.dev/facts/v1";

#[derive(Serialize)]
struct Written<'f> {
    format: &'static str,
    taken: Option<i64>,
    hosts: &'f BTreeMap<String, HostAnswer>,
}

#[derive(Deserialize)]
struct Read {
    #[serde(default)]
    taken: Option<i64>,
    hosts: BTreeMap<String, HostAnswer>,
}

#[derive(Deserialize)]
struct Envelope {
    format: String,
}

/// Why a text is no facts file.
#[derive(Debug, thiserror::Error)]
pub enum ParseFactsError {
    /// It is not JSON, or lacks what every facts file has.
    #[error("this is no facts file")]
    Syntax(#[source] serde_json::Error),
    /// It has a format that this program does not read.
    #[error("the facts file has format `{0}`, this program reads `{FORMAT}`")]
    Format(String),
}

impl ParseFactsError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "IEC1090",
            Self::Format(_) => "IEC1091",
        }
    }
}

impl Facts {
    /// Reads a facts file.
    ///
    /// # Errors
    ///
    /// When the text is no facts file, or one of another format.
    pub fn from_json(text: &str) -> Result<Self, ParseFactsError> {
        let envelope: Envelope = serde_json::from_str(text).map_err(ParseFactsError::Syntax)?;
        if envelope.format != FORMAT {
            return Err(ParseFactsError::Format(envelope.format));
        }
        let read: Read = serde_json::from_str(text).map_err(ParseFactsError::Syntax)?;
        Ok(Self {
            taken: read.taken,
            hosts: read.hosts,
        })
    }

    /// The text of a facts file; the same facts give the same bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        let written = Written {
            format: FORMAT,
            taken: self.taken,
            hosts: &self.hosts,
        };
        let mut text = serde_json::to_string_pretty(&written).expect("facts have text keys only");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Assumptions, Fact, HostFacts, ProbeFailure};

    #[test]
    fn a_file_gives_back_what_was_written() {
        let mut facts = Facts::new(Some(1_795_000_000));
        let mut known = HostFacts::assume(&Assumptions::default());
        known.login = Fact::Observed(crate::facts::Login::default());
        facts.insert("edge-1", HostAnswer::Known(Box::new(known)));
        let failure = ProbeFailure {
            code: "IEC1001".into(),
            cause: "no route to host".into(),
            evidence: String::new(),
            next: "switch it on".into(),
        };
        facts.insert("edge-2", HostAnswer::Failed(failure));
        let text = facts.to_json();
        assert_eq!(Facts::from_json(&text).unwrap(), facts);
        assert!(text.contains(
            r#""login": {
          "observed""#
        ));
    }

    #[test]
    fn a_section_that_the_file_lacks_is_assumed() {
        let text = r#"{"format":"iec.dev/facts/v1","later":1,"hosts":{"a":{"known":{"cgroup":{"observed":{"version":"hybrid","new":2}}}}}}"#;
        let facts = Facts::from_json(text).unwrap();
        let host = facts.host("a").unwrap();
        assert!(!host.cgroup.is_assumed());
        assert!(host.kernel.is_assumed());
        assert_eq!(facts.assumed().len(), HostFacts::SECTIONS.len() - 1);
    }

    #[test]
    fn other_formats_and_other_texts_are_refused() {
        let other = Facts::from_json(r#"{"format":"iec.dev/facts/v9","hosts":{}}"#).unwrap_err();
        assert_eq!(other.code(), "IEC1091");
        for text in ["", "[]", "{}", r#"{"format":"iec.dev/facts/v1"}"#] {
            assert_eq!(Facts::from_json(text).unwrap_err().code(), "IEC1090", "{text}");
        }
    }
}
