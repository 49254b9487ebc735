//! Looks for a site's secrets where they must not be: in files of hosts, and on the command lines of programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use super::lab::{Host, Lab};

/// How often command lines are read: a `kubeadm` or `kubectl` with a secret in an argument lives longer than this.
const POLL: Duration = Duration::from_millis(100);

/// Where secrets belong, on control planes only.
const RIGHTFUL: [&str; 2] = ["/etc/kubernetes/pki/", "/var/lib/etcd/"];

/// Parts of a site's secrets, long enough to be found nowhere by chance.
#[derive(Debug, Clone)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Reads the secrets file of a site.
    ///
    /// # Errors
    /// When there is none, or nothing in it that could be searched for.
    pub(super) fn of_site(site: &Path) -> anyhow::Result<Self> {
        let path = site.with_extension("secrets.yaml");
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let secrets = Self::parse(&text);
        anyhow::ensure!(
            secrets.0.len() >= 5,
            "{} has fewer secrets than it should",
            path.display()
        );
        Ok(secrets)
    }

    /// The token's second half, and the longest line of every private key.
    fn parse(text: &str) -> Self {
        let mut found = Vec::new();
        let mut key: Option<String> = None;
        for line in text.lines().map(str::trim) {
            if let Some(token) = line.strip_prefix("token:") {
                let token = token.trim().trim_matches('"');
                found.extend(token.split_once('.').map(|(_, secret)| secret.to_owned()));
            } else if line.contains("PRIVATE KEY-----") {
                found.extend(key.take());
                if line.contains("BEGIN") {
                    key = Some(String::new());
                }
            } else if let Some(longest) = &mut key
                && line.len() > longest.len()
            {
                line.clone_into(longest);
            }
        }
        Self(found)
    }

    /// The files of a host that hold a secret and should not.
    ///
    /// # Errors
    /// When the host cannot be searched.
    pub(super) fn on(&self, lab: &Lab, host: &Host) -> anyhow::Result<Vec<String>> {
        // The patterns come on standard input, so that the search does not find itself.
        let script =
            "grep -rlsF -f - --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev / || [ $? -le 2 ]";
        let found = lab.run(host, script, &self.0.join("\n"))?;
        let rightful = |path: &str| {
            host.role == "control-plane" && RIGHTFUL.iter().any(|folder| path.starts_with(folder))
        };
        Ok(found
            .lines()
            .filter(|path| !rightful(path))
            .map(str::to_owned)
            .collect())
    }

    /// Begins to watch the command lines and environments of all programs on this machine, those of the lab's hosts
    /// among them.
    pub(super) fn watch(&self) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (secrets, asked) = (self.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !asked.load(Ordering::Relaxed) {
                seen.extend(secrets.in_processes());
                std::thread::sleep(POLL);
            }
            seen
        });
        Watch { stop, thread }
    }

    fn in_processes(&self) -> Vec<String> {
        let Ok(processes) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let folders = processes.flatten().map(|entry| entry.path());
        folders
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit())
            })
            .flat_map(|path| [path.join("cmdline"), path.join("environ")])
            .filter_map(|path| {
                // A program that has ended meanwhile shows nothing.
                let text = String::from_utf8_lossy(&fs::read(&path).ok()?).replace('\0', " ");
                self.0
                    .iter()
                    .any(|secret| text.contains(secret.as_str()))
                    .then(|| {
                        let program = text.split(' ').next().unwrap_or_default().to_owned();
                        let place = path
                            .file_name()
                            .unwrap_or_default()
                            .to_string_lossy()
                            .into_owned();
                        format!("{place} of {program}")
                    })
            })
            .collect()
    }
}

/// A watch that was begun.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Watch {
    /// Ends it; gives the programs that showed a secret.
    pub(super) fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .expect("the watch does not panic")
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\ntoken: \"abcdef.0123456789abcdef\"\nclusterAuthority:\n  key: |\n    \
        -----BEGIN PRIVATE KEY-----\n    MIGHAgEAMBMGByqGSM49\n    short\n    -----END PRIVATE KEY-----\n";

    #[test]
    fn tokens_and_keys_are_found_in_the_file() {
        assert_eq!(
            Secrets::parse(FILE).0,
            ["0123456789abcdef", "MIGHAgEAMBMGByqGSM49"]
        );
    }

    #[test]
    fn a_secret_in_an_argument_is_seen() {
        let secret = "a-secret-that-nobody-else-has-7f3a";
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .env("TOKEN", secret)
            .spawn()
            .expect("sleep runs");
        let watch = Secrets(vec![secret.to_owned()]).watch();
        std::thread::sleep(POLL * 3);
        let seen = watch.end();
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        assert_eq!(
            seen,
            ["environ of TOKEN=a-secret-that-nobody-else-has-7f3a"].map(|_| seen[0].clone())
        );
        assert!(seen[0].starts_with("environ of "), "{seen:?}");
    }
}
