//! Plans in files: written by `iec plan --out`, done by `iec apply FILE` as long as nothing else has changed.

use std::path::{Path, PathBuf};

use iec_core::content::Digest;
use iec_core::saved::{Origin, SavedPlan};
use iec_core::selection::StepSelection;

use super::planning::Planned;
use super::site_file::SiteFile;
use crate::cli::SitePath;
use crate::error::{CliError, unreadable, unwritable};
use crate::settings::Settings;
use crate::ui::count;
use crate::{text_file, whole_file};

/// How many differences are named.
const MOST: usize = 20;

/// A saved plan and the file that it is in.
pub(super) struct Saved {
    path: PathBuf,
    pub(super) plan: SavedPlan,
}

impl Saved {
    /// The site file of the plan.
    pub(super) fn site(&self) -> SitePath {
        SitePath {
            site: self.plan.origin.site_file.clone(),
        }
    }

    /// Refuses what is to be done now where it is something else than the plan shows.
    ///
    /// # Errors
    /// With everything that is different.
    pub(super) fn hold_against(&self, file: &SiteFile, planned: &Planned) -> Result<(), CliError> {
        let origin = &self.plan.origin;
        let now = SavedPlan::new(
            of(file, String::new(), ""),
            (self.plan.limit.clone(), self.plan.selection.clone()),
            &planned.plan,
            &planned.changes,
        );
        let mut differences = self.plan.differences(&now);
        differences.extend(
            planned
                .silent
                .keys()
                .map(|host| format!("{host} does not answer")),
        );
        if differences.is_empty() {
            return Ok(());
        }
        let cause = format!(
            "the plan {} of {} by {} is no longer what would be done",
            self.path.display(),
            origin.made,
            origin.by
        );
        let named = differences.iter().take(MOST);
        let mut error = named.fold(CliError::refused("IEC4021", cause), |error, line| {
            error.evidence(line)
        });
        if let Some(further) = differences.len().checked_sub(MOST).filter(|further| *further > 0) {
            error = error.evidence(format!("and {} more", count(further, "difference")));
        }
        Err(error.next(format!(
            "iec plan {} --out {} makes it anew",
            file.word(),
            self.path.display()
        )))
    }
}

/// The saved plan at this path; none where something else is there, or nothing.
///
/// # Errors
/// When it is a saved plan that cannot be read, or a file that cannot be.
pub(super) fn read(path: &Path) -> Result<Option<Saved>, CliError> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = text_file::read(path, text_file::DOCUMENT)
        .map_err(|error| unreadable("IEC0901", "site file", path, &error))?;
    let Some(plan) = SavedPlan::parse(&text) else {
        return Ok(None);
    };
    let path = path.to_owned();
    match plan {
        Ok(plan) => Ok(Some(Saved { path, plan })),
        Err(error) => {
            let cause = format!("the plan {} cannot be read: {error}", path.display());
            Err(CliError::refused("IEC4022", cause)
                .next(format!("iec plan --out {} makes it anew", path.display())))
        }
    }
}

/// Whether a plan may be written there: where nothing is, or a plan. Seen before a host is asked anything.
///
/// # Errors
/// When there is something else, such as the site file.
pub(super) fn refuse_place(path: &Path) -> Result<(), CliError> {
    if path.is_file() && read(path)?.is_none() {
        let cause = format!("{} is there, and is no saved plan", path.display());
        return Err(CliError::refused("IEC4023", cause).next("name another file by --out"));
    }
    Ok(())
}

/// Writes what was planned to a file.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(
    path: &Path,
    file: &SiteFile,
    planned: &Planned,
    (limit, selection): (&[String], &StepSelection),
    settings: &Settings,
) -> Result<(), CliError> {
    let made = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let plan = SavedPlan::new(
        of(file, made, &settings.who),
        (limit.iter().cloned().collect(), selection.clone()),
        &planned.plan,
        &planned.changes,
    );
    let mut text = serde_json::to_string_pretty(&plan).unwrap_or_default();
    text.push('\n');
    whole_file::replace(path, text.as_bytes()).map_err(|error| unwritable("IEC4024", "plan", path, &error))
}

fn of(file: &SiteFile, made: String, by: &str) -> Origin {
    Origin {
        site: file.site.name().to_string(),
        site_file: std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone()),
        site_digest: Digest::of(file.text.as_bytes()),
        made,
        by: by.to_owned(),
    }
}
