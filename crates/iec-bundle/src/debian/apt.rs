//! Asks apt which packages there are and fetches them, for any architecture, without touching the machine's own apt state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use iec_core::architecture::Architecture;
use iec_core::release::Archive;

use super::lock::LockedPackage;
use crate::error::BuildError;
use crate::process::Runner;

/// The keys that Debian signs its archives with.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Takes out the machine's own hooks, which clean the machine's own caches: no business of a build.
const HOOKS: &str = "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n\
                     #clear APT::Update::Post-Invoke-Success;\n#clear DPkg::Post-Invoke;\n";

/// An apt state of our own for one architecture and suite.
pub(crate) struct Apt {
    program: PathBuf,
    folder: PathBuf,
    architecture: Architecture,
}

impl Apt {
    /// An apt that is run as `program` (`apt-get`), with its state and configuration under `folder`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn new(
        program: &Path,
        folder: &Path,
        archives: &[Archive],
        components: &[String],
        architecture: Architecture,
    ) -> Result<Self, BuildError> {
        for path in ["state/lists/partial", "cache/archives/partial", "empty"] {
            let path = folder.join(path);
            fs::create_dir_all(&path).map_err(BuildError::io("create", &path))?;
        }
        let files = [
            ("state/status", String::new()),
            ("sources.list", sources(archives, components)),
            ("apt.conf", HOOKS.to_owned()),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::write(&path, text).map_err(BuildError::io("write", &path))?;
        }
        Ok(Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            architecture,
        })
    }

    /// Fetches the package lists.
    ///
    /// # Errors
    /// When the archive cannot be reached, or its signature is wrong.
    pub(crate) fn update(&self, runner: &Runner<'_>) -> Result<(), BuildError> {
        runner
            .run(
                self.command()
                    .arg("update")
                    .args(["-o", "APT::Update::Error-Mode=any"]),
            )
            .map(drop)
    }

    /// The newest versions of these packages and of all that they need, sorted by name.
    ///
    /// # Errors
    /// When a package does not exist, or apt finds no solution.
    pub(crate) fn resolve(
        &self,
        wanted: &[&str],
        runner: &Runner<'_>,
    ) -> Result<Vec<LockedPackage>, BuildError> {
        let mut command = self.command();
        command
            .args([
                "install",
                "--print-uris",
                "-qq",
                "-y",
                "-o",
                "Acquire::ForceHash=SHA256",
            ])
            .args(wanted);
        let lines = runner.run(&mut command)?;
        let mut packages = lines
            .iter()
            .filter_map(|line| parse_uri_line(line))
            .collect::<Vec<_>>();
        packages.sort();
        for name in wanted {
            if !packages.iter().any(|package| package.name == *name) {
                return Err(BuildError::content(
                    runner.part,
                    format!("apt did not choose a version of {name}"),
                ));
            }
        }
        Ok(packages)
    }

    /// Fetches these packages, at exactly these versions, into `folder`.
    ///
    /// # Errors
    /// [`BuildError::PackageVanished`] when the archive no longer has one of them.
    pub(crate) fn download(
        &self,
        packages: &[&LockedPackage],
        folder: &Path,
        runner: &Runner<'_>,
    ) -> Result<(), BuildError> {
        let mut command = self.command();
        command.arg("download").current_dir(folder);
        command.args(
            packages
                .iter()
                .map(|package| format!("{}={}", package.name, package.version)),
        );
        let error = match runner.run(&mut command) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        // apt stops at the first version that its lists do not have, and names it; an archive whose lists are newer
        // than ours has removed the file already and answers 404.
        let gone = packages.iter().find(|package| {
            error.output().iter().any(|line| {
                let names = line.contains(&format!("'{}'", package.name))
                    || line.contains(&format!("{}_", package.name));
                let quoted = line.contains(&format!("package {}", package.name));
                (tells_of_absence(line) && (names || quoted)) || (line.contains("404") && names)
            })
        });
        match gone {
            Some(package) => Err(BuildError::vanished(
                &package.name,
                &package.version,
                self.architecture,
            )),
            None => Err(error),
        }
    }

    /// Fetches the newest version of one package into `folder` and returns the file.
    ///
    /// # Errors
    /// When the archive does not have the package, or cannot be reached.
    pub(crate) fn download_newest(
        &self,
        name: &str,
        folder: &Path,
        runner: &Runner<'_>,
    ) -> Result<PathBuf, BuildError> {
        runner.run(self.command().args(["download", name]).current_dir(folder))?;
        let mut entries = fs::read_dir(folder)
            .map_err(BuildError::io("read", folder))?
            .flatten();
        let file = entries.find(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("{name}_"))
        });
        file.map(|entry| entry.path())
            .ok_or_else(|| BuildError::content(runner.part, format!("apt did not fetch {name}")))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let path = |name: &str| self.folder.join(name).display().to_string();
        let options = [
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", path("empty")),
            ("Dir::Etc::preferences", path("empty/none")),
            ("Dir::Etc::preferencesparts", path("empty")),
            ("Dir::State", path("state")),
            ("Dir::State::status", path("state/status")),
            ("Dir::Cache", path("cache")),
            ("APT::Architecture", self.architecture.debian_name().to_owned()),
            ("APT::Architectures", self.architecture.debian_name().to_owned()),
            ("APT::Install-Recommends", "false".to_owned()),
            ("APT::Sandbox::User", String::new()),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::Retries", "3".to_owned()),
        ];
        for (name, value) in options {
            command.arg("-o").arg(format!("{name}={value}"));
        }
        command.arg("-c").arg(path("apt.conf")).env("LC_ALL", "C");
        command
    }
}

fn sources(archives: &[Archive], components: &[String]) -> String {
    let components = components.join(" ");
    archives
        .iter()
        .map(|archive| {
            format!(
                "deb [signed-by={KEYRING}] {} {} {components}\n",
                archive.address, archive.suite
            )
        })
        .collect()
}

fn tells_of_absence(line: &str) -> bool {
    line.contains("was not found")
        || line.contains("Unable to locate package")
        || line.contains("Can't find a source")
}

/// Reads a line of `--print-uris`: `'address' file_name size SHA256:sum`.
fn parse_uri_line(line: &str) -> Option<LockedPackage> {
    let mut fields = line.strip_prefix('\'')?.split_once("' ")?.1.split(' ');
    let mut name_parts = fields.next()?.strip_suffix(".deb")?.split('_');
    let (name, version, architecture) = (name_parts.next()?, name_parts.next()?, name_parts.next()?);
    let size = fields.next()?.parse().ok()?;
    let sha256 = fields.next()?.strip_prefix("SHA256:")?;
    Some(LockedPackage {
        name: name.to_owned(),
        // The only character that a file name cannot hold is the epoch's colon.
        version: version.replace("%3a", ":"),
        architecture: architecture.to_owned(),
        sha256: sha256.to_owned(),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_s_address_lines_are_read() {
        let sum = "139adf54b27522e838f3ce895c10d27a5fb406809b7b12d477dd5c13d2b2d286";
        let line = format!(
            "'http://example.org/libcap2.deb' libcap2-bin_1%3a2.66-4+deb12u3_arm64.deb 34452 SHA256:{sum}"
        );
        let package = parse_uri_line(&line).unwrap();
        assert_eq!(
            (package.name.as_str(), package.version.as_str()),
            ("libcap2-bin", "1:2.66-4+deb12u3")
        );
        assert_eq!((package.architecture.as_str(), package.size), ("arm64", 34_452));
        assert_eq!(package.sha256, sum);
        for other in ["", "Reading package lists...", "'x' y_1_all.deb 3 MD5Sum:00"] {
            assert_eq!(parse_uri_line(other), None, "{other}");
        }
    }
}
