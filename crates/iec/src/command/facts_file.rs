//! Facts files: what hosts were found to be, kept for a time at which nobody can ask them.

use std::io::ErrorKind;
use std::path::Path;

use iec_core::facts::Facts;

use crate::error::{CliError, Kind, unreadable, unwritable};
use crate::text_file;
use crate::whole_file;

/// The facts in a facts file.
///
/// # Errors
/// When the file cannot be read, or when it is none.
pub(super) fn read(path: &Path) -> Result<Facts, CliError> {
    let text = text_file::read(path, text_file::FACTS)
        .map_err(|error| unreadable("IEC1094", "facts file", path, &error))?;
    Facts::from_json(&text).map_err(|error| {
        CliError::of(Kind::Refused, error.code(), &error)
            .next("iec check --probe --facts-out FILE writes one")
    })
}

/// Where facts are going to be written.
pub(super) struct Place<'a> {
    path: &'a Path,
    /// Whether facts are there already that somebody can use.
    has_facts: bool,
}

impl<'a> Place<'a> {
    /// A place where nothing is lost: nothing is there, or an older facts file.
    ///
    /// # Errors
    /// When another file is there, such as the site file.
    pub(super) fn choose(path: &'a Path) -> Result<Self, CliError> {
        let none = Self {
            path,
            has_facts: false,
        };
        // What is no file, such as /dev/stdout, has nothing that could be lost.
        if !path.is_file() {
            return Ok(none);
        }
        let text = match text_file::read(path, text_file::FACTS) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(unreadable("IEC1094", "facts file", path, &error));
            }
            read => read.unwrap_or_else(|_| "something else".to_owned()),
        };
        if text.is_empty() {
            return Ok(none);
        }
        match Facts::from_json(&text) {
            Ok(facts) => Ok(Self {
                path,
                has_facts: facts.known().next().is_some(),
            }),
            Err(error) => Err(CliError::refused(
                "IEC1093",
                format!("{} is there already, and it is no facts file", path.display()),
            )
            .caused_by(&error)
            .next("name another file, or remove this one")),
        }
    }

    /// Writes the facts, unless no host answered and better ones are there. Gives the sentence that says so.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, facts: &Facts) -> Result<String, CliError> {
        let path = self.path;
        if self.has_facts && facts.known().next().is_none() {
            return Ok(format!(
                "No host answered: what {} says is kept as it is.",
                path.display()
            ));
        }
        whole_file::replace(path, facts.to_json().as_bytes())
            .map_err(|error| unwritable("IEC1093", "facts file", path, &error))?;
        Ok(format!("Wrote what the hosts are to {}.", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use iec_core::facts::{Assumptions, HostAnswer, HostFacts, ProbeFailure};

    use super::*;

    fn facts(answer: HostAnswer) -> Facts {
        let mut facts = Facts::default();
        facts.insert("edge-1", answer);
        facts
    }

    fn known() -> Facts {
        facts(HostAnswer::Known(Box::new(HostFacts::assume(
            &Assumptions::default(),
        ))))
    }

    fn failed() -> Facts {
        facts(HostAnswer::Failed(ProbeFailure {
            code: "IEC1201".into(),
            cause: "no route to host".into(),
            evidence: String::new(),
            next: String::new(),
        }))
    }

    #[test]
    fn another_file_is_never_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site.yaml");
        for text in ["apiVersion: iec/v1\n", "{}", "\u{0}"] {
            std::fs::write(&path, text).expect("written");
            let error = Place::choose(&path).err().expect("it is refused");
            assert_eq!(error.code, "IEC1093");
        }
    }

    #[test]
    fn good_facts_outlive_a_probe_that_nobody_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.json");
        let write = |facts: &Facts| Place::choose(&path).and_then(|place| place.write(facts));
        write(&failed()).expect("nothing was there");
        write(&known()).expect("nothing better was there");
        let kept = write(&failed()).expect("no failure");
        assert!(kept.starts_with("No host answered"), "{kept}");
        assert!(read(&path).expect("a facts file").known().next().is_some());
    }
}
