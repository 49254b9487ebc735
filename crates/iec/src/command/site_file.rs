//! The site file that a command works on: found, read, checked.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::site::{self, Site};
use iec_sh::Word;

use crate::cli::SitePath;
use crate::credentials::Place;
use crate::error::{CliError, unreadable};
use crate::text_file;
use crate::ui::count;

/// A site file without errors.
pub(super) struct SiteFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it says.
    pub(super) text: String,
    /// The site that it describes.
    pub(super) site: Site,
    /// What somebody should know about it.
    pub(super) warnings: Diagnostics,
}

impl SiteFile {
    /// Its path as one types it.
    pub(super) fn word(&self) -> Word {
        Word::new(self.path.to_string_lossy())
    }

    /// Where its secrets are.
    pub(super) fn secrets(&self) -> Place {
        Place::beside(&self.path, self.site.name().as_str())
    }
}

/// The name of a site file in a folder of its own.
const NAME: &str = "site.yaml";

/// Finds, reads and checks a site file.
///
/// # Errors
/// When there is none, or with every problem in it.
pub(super) fn read(place: &SitePath) -> Result<SiteFile, CliError> {
    let path = find(&place.site);
    let text = text_file::read(&path, text_file::DOCUMENT).map_err(|error| {
        let refusal = unreadable("IEC0901", "site file", &path, &error);
        if error.kind() == ErrorKind::NotFound {
            refusal.next("iec init writes a first one")
        } else {
            refusal
        }
    })?;
    match site::load(&text, &path.to_string_lossy()) {
        Ok((site, warnings)) => Ok(SiteFile {
            path,
            text,
            site,
            warnings,
        }),
        Err(problems) => Err(refuse(&path, text, problems)),
    }
}

/// A folder stands for the site file in it.
fn find(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(NAME)
    } else {
        path.to_owned()
    }
}

fn refuse(path: &Path, text: String, problems: Diagnostics) -> CliError {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let first = problems
        .iter()
        .find(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.code);
    let refusal = CliError::refused(
        "IEC0902",
        format!("the site file {} has {}", path.display(), count(errors, "error")),
    )
    .with_diagnostics(text, problems);
    match first {
        Some(code) => refusal.next(format!(
            "iec explain {code} says more about an error; type its own code"
        )),
        None => refusal,
    }
}
