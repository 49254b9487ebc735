//! Deciding whether the key that a host shows is the host's own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::known_hosts::{KnownHosts, KnownName, Verdict};
use super::own_file;
use crate::error::HostError;

/// A text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a public key of the form `ssh-ed25519 AAAA…`")]
pub struct InvalidHostKey(pub String);

/// A host's public key, as the site pins it: `ssh-ed25519 AAAA…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

impl HostKey {
    /// The fingerprint: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }
}

impl FromStr for HostKey {
    type Err = InvalidHostKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        PublicKey::from_openssh(text.trim())
            .map(Self)
            .map_err(|_| InvalidHostKey(text.to_owned()))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&one_line(&self.0))
    }
}

/// A key's fingerprint as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// A key without its comment.
fn one_line(key: &PublicKey) -> String {
    let text = key.to_openssh().unwrap_or_default();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// By what a host's key is judged.
#[derive(Debug, Clone)]
pub(crate) enum HostKeyPolicy {
    /// The site names the key: nothing else counts.
    Pinned(HostKey),
    /// The known_hosts files decide.
    KnownHosts {
        known: KnownHosts,
        name: KnownName,
        /// Where to record the key of a host that is not known yet; `None` refuses it.
        record_in: Option<PathBuf>,
    },
}

impl HostKeyPolicy {
    /// The policy that reads `files` (a missing one is an empty one).
    pub(crate) fn from_files(
        files: &[PathBuf],
        name: KnownName,
        record_in: Option<PathBuf>,
    ) -> Result<Self, HostError> {
        let mut known = KnownHosts::default();
        for file in files {
            match own_file::read(file) {
                Ok(bytes) => known.add(file, &String::from_utf8_lossy(&bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(HostError::KnownHosts {
                        file: file.clone(),
                        doing: "read",
                        source,
                    });
                }
            }
        }
        Ok(Self::KnownHosts {
            known,
            name,
            record_in,
        })
    }

    /// The order in which to ask for kinds of host keys: those that are known first, so that a host with several keys
    /// shows the one that can be checked.
    pub(crate) fn preferred_algorithms(&self, default: &[Algorithm]) -> Vec<Algorithm> {
        let known: Vec<Algorithm> = match self {
            Self::Pinned(key) => vec![key.0.algorithm()],
            Self::KnownHosts { known, name, .. } => known.keys_of(name).map(PublicKey::algorithm).collect(),
        };
        let is_known = |algorithm: &&Algorithm| known.iter().any(|known| same_kind(known, algorithm));
        let first = default.iter().filter(is_known);
        let rest = default.iter().filter(|algorithm| !is_known(algorithm));
        first.chain(rest).cloned().collect()
    }

    /// Accepts the key that the host at `address` shows, or says why not.
    pub(crate) fn check(&self, address: &str, key: &PublicKey) -> Result<(), HostError> {
        match self {
            Self::Pinned(pinned) if pinned.0.key_data() == key.key_data() => Ok(()),
            Self::Pinned(pinned) => Err(changed(address, key, &pinned.0, "the site's hostKey".to_owned())),
            Self::KnownHosts {
                known,
                name,
                record_in,
            } => match (known.verdict(name, key), record_in) {
                (Verdict::Known, _) => Ok(()),
                (Verdict::Revoked { place }, _) => Err(HostError::HostKeyRevoked {
                    address: address.to_owned(),
                    fingerprint: fingerprint(key),
                    revoked_at: place,
                }),
                (Verdict::Changed { known, place }, _) => {
                    Err(changed(address, key, &known, place.to_string()))
                }
                (Verdict::Unknown { .. }, Some(file)) => record(file, name, key),
                (Verdict::Unknown { authority }, None) => Err(HostError::HostKeyUnknown {
                    address: address.to_owned(),
                    algorithm: key.algorithm().to_string(),
                    fingerprint: fingerprint(key),
                    key: one_line(key),
                    note: authority
                        .map(|place| format!("the certificate authority at {place} is not used by IEC")),
                }),
            },
        }
    }
}

fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
    }
}

fn changed(address: &str, shown: &PublicKey, known: &PublicKey, known_at: String) -> HostError {
    HostError::HostKeyChanged {
        address: address.to_owned(),
        algorithm: shown.algorithm().to_string(),
        fingerprint: fingerprint(shown),
        known_fingerprint: fingerprint(known),
        known_at,
    }
}

/// Appends the key to a known_hosts file.
fn record(file: &Path, name: &KnownName, key: &PublicKey) -> Result<(), HostError> {
    let append = || {
        use std::io::Write;
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        if let Some(folder) = file.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let open_end =
            own_file::read(file).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
        let newline = if open_end { "\n" } else { "" };
        let mut opened = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(file)?;
        // One write, so that several hosts can be recorded at the same time.
        opened.write_all(format!("{newline}{} {}\n", name.for_file(), one_line(key)).as_bytes())
    };
    append().map_err(|source| HostError::KnownHosts {
        file: file.to_owned(),
        doing: "written",
        source,
    })
}

#[cfg(test)]
mod tests {
    use russh::Preferred;

    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    fn key(text: &str) -> PublicKey {
        text.parse().expect("a key")
    }

    #[test]
    fn a_pinned_key_is_the_only_one() {
        let policy = HostKeyPolicy::Pinned(format!("{ONE} comment\n").parse().expect("a key"));
        assert!(policy.check("10.0.0.1:22", &key(ONE)).is_ok());
        let error = policy.check("10.0.0.1:22", &key(TWO)).expect_err("another key");
        assert_eq!(error.code(), "IEC1102");
        let text = error.to_string();
        assert!(
            text.contains(&fingerprint(&key(ONE))) && text.contains(&fingerprint(&key(TWO))),
            "{text}"
        );
        assert!("10.0.0.1 ssh-ed25519".parse::<HostKey>().is_err());
    }

    #[test]
    fn accept_new_records_once_and_refuses_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ssh").join("known_hosts");
        let policy = |record_in: Option<&PathBuf>| {
            HostKeyPolicy::from_files(
                std::slice::from_ref(&file),
                KnownName::new("edge-1", 2222, None),
                record_in.cloned(),
            )
            .expect("readable files")
        };
        let error = policy(None).check("edge-1:2222", &key(ONE)).expect_err("strict");
        assert_eq!(error.code(), "IEC1101");
        assert!(error.next().contains(ONE));
        policy(Some(&file))
            .check("edge-1:2222", &key(ONE))
            .expect("recorded");
        assert_eq!(
            std::fs::read_to_string(&file).expect("a file"),
            format!("[edge-1]:2222 {ONE}\n")
        );
        policy(None)
            .check("edge-1:2222", &key(ONE))
            .expect("known by now");
        let error = policy(Some(&file))
            .check("edge-1:2222", &key(TWO))
            .expect_err("changed");
        assert_eq!(error.code(), "IEC1102");
        assert!(error.to_string().contains("known_hosts:1"), "{error}");
    }

    #[test]
    fn known_kinds_of_keys_are_asked_for_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("known_hosts");
        std::fs::write(&file, format!("host {ECDSA}\n")).expect("written");
        let policy =
            HostKeyPolicy::from_files(&[file], KnownName::new("host", 22, None), None).expect("a policy");
        let order = policy.preferred_algorithms(&Preferred::DEFAULT.key);
        assert_eq!(order[0].to_string(), "ecdsa-sha2-nistp256");
        assert_eq!(order.len(), Preferred::DEFAULT.key.len());
    }
}
