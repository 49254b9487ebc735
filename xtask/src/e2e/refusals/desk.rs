//! What an operator has in front of him in one case: a folder with a site file of its own, beside which IEC puts things.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use iec_core::content::{DEBIAN_LOCK_FILE, MANIFEST_FILE, SUMS_FILE, Sums};

use super::super::lab::Lab;
use super::super::machine::Machine;
use crate::program::{Ended, Program};
use crate::record::ask;

/// A folder for one case. Bundles in it share their files with the real one.
pub(in crate::e2e) struct Desk {
    machine: Machine,
    folder: PathBuf,
    site: String,
}

impl Desk {
    /// A folder with a copy of the lab's site file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(in crate::e2e) fn new(machine: &Machine, lab: &Lab, name: &str) -> anyhow::Result<Self> {
        let folder = machine.logs.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let site = folder.join("site.yaml");
        fs::copy(&lab.site, &site)?;
        let site = site
            .to_str()
            .context("the folder of the logs has a name of plain text")?;
        Ok(Self {
            machine: machine.clone(),
            folder: folder.clone(),
            site: site.to_owned(),
        })
    }

    /// The path of the site file as an argument.
    pub(in crate::e2e) fn site(&self) -> &str {
        &self.site
    }

    /// A path in the folder.
    pub(in crate::e2e) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Changes the site file.
    ///
    /// # Errors
    /// When it cannot be read or written, or the change changes nothing.
    pub(super) fn edit(&self, change: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
        let text = fs::read_to_string(&self.site)?;
        let changed = change(&text);
        ensure!(changed != text, "nothing in the site file was changed");
        Ok(fs::write(&self.site, changed)?)
    }

    /// Takes the worker out of the site.
    ///
    /// # Errors
    /// When the site file cannot be changed.
    pub(super) fn without_worker(&self) -> anyhow::Result<()> {
        let is_worker = |line: &&str| line.contains("role: worker");
        self.edit(|site| {
            site.lines()
                .filter(|line| !is_worker(line))
                .map(|line| format!("{line}\n"))
                .collect()
        })
    }

    /// The part of the site file behind `before` and up to the next `"`.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn quoted(&self, before: &str) -> anyhow::Result<String> {
        let text = fs::read_to_string(&self.site)?;
        let rest = text
            .split_once(&format!("{before}\""))
            .context("the site file has no such key")?
            .1;
        Ok(rest.split_once('"').context("a text has two ends")?.0.to_owned())
    }

    /// Makes a key of this name in the folder; gives the public one.
    ///
    /// # Errors
    /// When ssh-keygen cannot make one.
    pub(super) fn new_key(&self, name: &str) -> anyhow::Result<String> {
        let words = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name];
        ask(&self.folder, "ssh-keygen", &words)?;
        Ok(fs::read_to_string(self.path(&format!("{name}.pub")))?
            .trim()
            .to_owned())
    }

    /// The fingerprint of a public key.
    ///
    /// # Errors
    /// When ssh-keygen cannot read the key.
    pub(super) fn fingerprint(&self, key: &str) -> anyhow::Result<String> {
        fs::write(self.path("key.pub"), key)?;
        let said = ask(&self.folder, "ssh-keygen", &["-lf", "key.pub"])?;
        let word = said.split_whitespace().find(|word| word.starts_with("SHA256:"));
        Ok(word.context("ssh-keygen names a fingerprint")?.to_owned())
    }

    /// Lets the operator make the plan once, which makes the site's secrets.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn make_secrets(&self) -> anyhow::Result<PathBuf> {
        let log = format!("{}-before", self.folder.file_name().unwrap_or_default().display());
        self.machine.iec_done(&log, &["plan", &self.site, "-o", "json"])?;
        Ok(self.path("site.secrets.yaml"))
    }

    /// A bundle in the folder that shares its files with the real one where it can, named by the site file, with the
    /// manifest after this change, and the sums of that.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn bundle(&self, manifest: impl FnOnce(String) -> String) -> anyhow::Result<PathBuf> {
        let (real, own) = (self.machine.bundle_folder()?, self.path("bundle"));
        let name = |path: &Path| path.to_str().map(str::to_owned).context("a path of plain text");
        let (real, copy) = (name(&real)?, name(&own)?);
        let linked = ask(&self.folder, "cp", &["-al", &real, &copy]);
        if linked.is_err() {
            // Hard links end at the border of a file system.
            ask(&self.folder, "rm", &["-rf", &copy])?;
            ask(&self.folder, "cp", &["-a", &real, &copy])?;
        }
        let text = manifest(fs::read_to_string(own.join(MANIFEST_FILE))?);
        let lock = fs::read(own.join(DEBIAN_LOCK_FILE))?;
        let sums = Sums::of(text.as_bytes(), &lock).to_text();
        for (file, content) in [(MANIFEST_FILE, text), (SUMS_FILE, sums)] {
            let path = own.join(file);
            // The link must go, or the real bundle would change.
            ask(&self.folder, "rm", &["-f", &name(&path)?])?;
            fs::write(&path, content)?;
        }
        self.edit(|site| {
            let lines = site.lines().filter(|line| !line.starts_with("  content:"));
            let mut site: String = lines.map(|line| format!("{line}\n")).collect();
            site.insert_str(
                site.find("  access:").unwrap_or(site.len()),
                "  content: {bundle: bundle}\n",
            );
            site
        })?;
        Ok(own)
    }

    /// Runs `iec` inside a script, which has a mount namespace of its own. Its words are the folder, and the command.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(super) fn iec_inside(&self, script: &str, log: &str, words: &[&str]) -> anyhow::Result<Ended> {
        let mut command: Vec<std::ffi::OsString> =
            ["--mount", "sh", "-ec", script, "sh"].map(Into::into).to_vec();
        command.extend([self.folder.clone().into(), self.machine.iec.clone().into()]);
        command.extend(words.iter().map(Into::into));
        let log = self.machine.logs.join(format!("{log}.log"));
        Program::new(&self.machine.logs, "unshare", command, &self.machine.interrupt).logged(&log)
    }
}

impl Drop for Desk {
    /// Removes the bundle of links: nobody who looks for logs wants to see it.
    fn drop(&mut self) {
        // Nobody is hurt by what stays.
        let _ = Command::new("rm").arg("-rf").arg(self.path("bundle")).status();
    }
}
