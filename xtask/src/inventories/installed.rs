//! Ansible in a folder of its own: one version, whatever the machine has.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::{terminal, workspace};

/// The newest that runs with the Python of Debian 12.
pub(super) const VERSION: &str = "2.19.14";

/// The folder, made if it is not there yet.
///
/// # Errors
/// When Python or its package index cannot be had: what is not compared must not count as the same.
pub(super) fn venv(root: &Path, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let folder = workspace::target().join(format!("ansible-core-{VERSION}"));
    if folder.join("bin/ansible-inventory").is_file() {
        return Ok(folder);
    }
    terminal::line(format_args!(
        "Installing ansible-core {VERSION} into {}",
        folder.display()
    ));
    let make = ["-m".as_ref(), "venv".as_ref(), folder.as_os_str()];
    let made = Program::new(root, "python3", make, interrupt).shown()?;
    ensure!(
        made.succeeded(),
        "python3 -m venv failed; its package is python3-venv"
    );
    let package = format!("ansible-core=={VERSION}");
    let words = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        package.as_str(),
    ];
    let installed = Program::new(root, folder.join("bin/pip"), words, interrupt).shown()?;
    ensure!(installed.succeeded(), "pip cannot install {package}");
    Ok(folder)
}
