//! How each method takes bare hosts to a site, as its user would.

use std::path::PathBuf;

use crate::e2e::lab::Lab;
use crate::e2e::machine::Machine;
use crate::e2e::{main_job, rendering};

/// `iec apply`, over SSH.
pub(super) fn apply(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    main_job::apply(machine, "apply", lab.site(), true)
}

/// A folder with the site rendered in this format, from what its hosts are.
///
/// # Errors
/// When the hosts cannot be asked, or `iec render` fails.
pub(super) fn rendered(machine: &Machine, lab: &Lab, format: &str) -> anyhow::Result<PathBuf> {
    rendering::rendered(machine, lab, format, format, &["--plain-secrets"])
}
