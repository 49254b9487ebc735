//! Looks for a site's secrets where they must not be: in files of hosts, and on the command lines of programs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::lab::{Host, Lab};

/// How often command lines are read: a `kubeadm` or `kubectl` with a secret in an argument lives longer than this.
const POLL: Duration = Duration::from_millis(100);

/// Where secrets belong, on control planes only.
const RIGHTFUL: [&str; 3] = ["/etc/kubernetes/pki/", "/var/lib/etcd/", "/etc/iec/helm/"];

/// A file that the search must find, or it has not looked.
const PLANTED: &str = "/var/tmp/iec-planted-secret";

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

    /// One that no file of a site has.
    pub(super) fn only(secret: &str) -> Self {
        Self(vec![secret.to_owned()])
    }

    /// These, and the others.
    pub(super) fn and(mut self, others: &Self) -> Self {
        self.0.extend(others.0.iter().cloned());
        self
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

    /// The files of a host that hold a secret and should not, its memory file systems among them.
    ///
    /// # Errors
    /// When the host cannot be searched, or the search does not find what was put there for it to find.
    pub(super) fn on(&self, lab: &Lab, host: &Host) -> anyhow::Result<Vec<String>> {
        let last = self.0.last().context("there are secrets")?;
        // As a carried file of secrets has it.
        let planted = encoded(last).swap_remove(1);
        lab.run(host, &format!("cat >{PLANTED}"), &format!("x{planted}x"))?;
        let forms: Vec<String> = self
            .0
            .iter()
            .flat_map(|secret| {
                let mut forms = encoded(secret);
                forms.push(secret.clone());
                forms
            })
            .collect();
        // The patterns come on standard input, so that the search does not find itself.
        let script =
            "grep -rlsF -f - --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev / || [ $? -le 2 ]";
        let found = lab.run(host, script, &forms.join("\n"));
        lab.run(host, &format!("rm {PLANTED}"), "")?;
        let found = found?;
        anyhow::ensure!(
            found.lines().any(|path| path == PLANTED),
            "the search of {} is blind: it did not find {PLANTED}",
            host.name
        );
        let rightful = |path: &str| {
            host.role == "control-plane" && RIGHTFUL.iter().any(|folder| path.starts_with(folder))
        };
        Ok(found
            .lines()
            .filter(|path| *path != PLANTED && !rightful(path))
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

/// The three texts of which one is in any base64 of something that holds this secret: its bytes may begin at each place
/// of a group of three.
fn encoded(secret: &str) -> Vec<String> {
    (0..3)
        .map(|before| {
            let text = STANDARD_NO_PAD.encode([&vec![0; before], secret.as_bytes()].concat());
            let whole = (before + secret.len()) * 8 / 6;
            let first = (before * 8).div_ceil(6);
            text[first..whole].to_owned()
        })
        .collect()
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
    fn a_secret_is_known_in_base64_wherever_it_begins() {
        let forms = encoded("0123456789abcdef");
        for before in 0..7 {
            for behind in 0..4 {
                let text = format!("{}0123456789abcdef{}", "x".repeat(before), "y".repeat(behind));
                let text = STANDARD_NO_PAD.encode(text);
                assert!(forms.iter().any(|form| text.contains(form.as_str())), "{text}");
            }
        }
        assert!(forms.iter().all(|form| form.len() >= 20), "{forms:?}");
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
