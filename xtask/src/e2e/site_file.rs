//! The site file of a lab, changed a line at a time.

use std::fs;

use anyhow::Context as _;

use super::lab::Lab;

/// What a host has in the file that was given up.
pub(super) const GIVEN_UP: &str = "state: absent, unreachable: true,";
/// What a host has in it that is to leave.
pub(crate) const ABSENT: &str = "state: absent,";

/// The site file of the lab, from which hosts are left out, or given words more.
pub(crate) struct SiteFile<'l> {
    lab: &'l Lab,
    whole: String,
}

impl<'l> SiteFile<'l> {
    /// The file as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn of(lab: &'l Lab) -> anyhow::Result<Self> {
        let whole = fs::read_to_string(&lab.site)?;
        Ok(Self { lab, whole })
    }

    /// Writes the file with these hosts changed: without those of `None`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, hosts: &[(&str, Option<&str>)]) -> anyhow::Result<()> {
        let mut text = String::new();
        for line in self.whole.lines() {
            let host = hosts
                .iter()
                .find(|(name, _)| line.contains(&format!("{{name: {name},")));
            match host {
                Some((_, None)) => {}
                Some((name, Some(words))) => {
                    let entry = format!("name: {name},");
                    text.push_str(&line.replace(&entry, &format!("{entry} {words}")));
                    text.push('\n');
                }
                None => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        fs::write(&self.lab.site, text).context("the site file cannot be written")
    }

    /// Gives a host of the file as it is now another role.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn role(&self, host: &str, role: &str) -> anyhow::Result<()> {
        let text = fs::read_to_string(&self.lab.site)?;
        let mut changed = String::new();
        for line in text.lines() {
            let own = line.contains(&format!("{{name: {host},"));
            let new = line.replace("role: worker", &format!("role: {role}"));
            changed.push_str(if own { &new } else { line });
            changed.push('\n');
        }
        fs::write(&self.lab.site, changed).context("the site file cannot be written")
    }
}
