//! `iec check`: is the site file right?

use iec_core::site::Site;
use serde_json::json;

use super::site_file::{self, SiteFile};
use crate::cli::Check;
use crate::error::{CliError, Outcome};
use crate::ui::{Ui, count, list};

/// Reads the file and reports every problem in it.
pub(super) fn run(arguments: &Check, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    ui.diagnostics(&file.warnings, &file.text);
    let value = json!({ "file": file.path, "site": file.site, "warnings": file.warnings });
    ui.result("check", &value, || text(&file));
    Ok(Outcome::Done)
}

fn text(file: &SiteFile) -> String {
    format!(
        "The site file {} has no errors: {}.",
        file.path.display(),
        describe(&file.site)
    )
}

/// A site in a few words: `site store-0417, release 1.36, 1 control plane and 2 workers`.
pub(super) fn describe(site: &Site) -> String {
    let mut roles = vec![count(site.control_planes().count(), "control plane")];
    let workers = site.workers().count();
    if workers > 0 {
        roles.push(count(workers, "worker"));
    }
    format!(
        "site {}, release {}, {}",
        site.name(),
        site.release(),
        list(&roles)
    )
}
