//! A site rendered from what its hosts are, as its user would.

use std::path::PathBuf;

use anyhow::Context as _;

use super::lab::Lab;
use super::machine::Machine;

/// A folder of this name below the logs, with the site in this format; `words` are the other options of `iec render`.
///
/// # Errors
/// When the hosts cannot be asked, or `iec render` fails.
pub(super) fn rendered(
    machine: &Machine,
    lab: &Lab,
    format: &str,
    name: &str,
    words: &[&str],
) -> anyhow::Result<PathBuf> {
    let folder = machine.logs.join(name);
    let out = folder
        .to_str()
        .context("the log folder has a name of plain text")?;
    let (facts, site) = (format!("{out}.facts.json"), lab.site());
    let check = ["check", site, "--probe", "--facts-out", &facts];
    machine.iec_done(&format!("{name}-check"), &check)?;
    let mut render = vec!["render", format, site, "--facts", &facts, "--out", out];
    render.extend(words);
    machine.iec_done(&format!("{name}-render"), &render)?;
    Ok(folder)
}
