//! How each method takes bare hosts to a site, as its user would.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::e2e::lab::{Lab, Machine};
use crate::e2e::main_job;

/// `iec apply`, over SSH.
pub(super) fn apply(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    main_job::apply(machine, "apply", lab.site(), true)
}

/// A folder with the site rendered in this format, from what its hosts are.
///
/// # Errors
/// When the hosts cannot be asked, or `iec render` fails.
pub(super) fn rendered(machine: &Machine, lab: &Lab, format: &str) -> anyhow::Result<PathBuf> {
    let path = |name: &str| -> anyhow::Result<(PathBuf, String)> {
        let path = machine.logs.join(name);
        let text = path.to_str().context("the log folder has a name of plain text")?;
        Ok((path.clone(), text.to_owned()))
    };
    let (_, facts) = path("facts.json")?;
    let (folder, out) = path(format)?;
    let site = lab.site();
    machine.iec_done("check", &["check", site, "--probe", "--facts-out", &facts])?;
    let words = [
        "render",
        format,
        site,
        "--facts",
        &facts,
        "--out",
        &out,
        "--plain-secrets",
    ];
    machine.iec_done("render", &words)?;
    Ok(folder)
}
