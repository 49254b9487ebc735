//! Reading known_hosts files as OpenSSH does: hashed names, wildcards, negation, `@revoked`, several files.

use std::path::PathBuf;

use russh::keys::PublicKey;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};

use crate::error::Place;

/// A host as known_hosts files name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownName {
    /// The name with the port where it is not 22, as files are searched for first.
    full: String,
    /// The name alone.
    bare: String,
}

impl KnownName {
    /// The name of `host` at `port`; an `alias` (`HostKeyAlias`) stands for both.
    pub(crate) fn new(host: &str, port: u16, alias: Option<&str>) -> Self {
        let bare = alias.unwrap_or(host).to_ascii_lowercase();
        let full = if port == 22 || alias.is_some() {
            bare.clone()
        } else {
            format!("[{bare}]:{port}")
        };
        Self { full, bare }
    }

    /// The name as a new line of a known_hosts file has it.
    pub(crate) fn for_file(&self) -> &str {
        &self.full
    }
}

/// One line of a known_hosts file.
#[derive(Debug, Clone)]
struct Line {
    place: Place,
    entry: Entry,
}

/// All lines of all known_hosts files that apply to a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownHosts {
    lines: Vec<Line>,
}

/// What known_hosts files say about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The key is recorded for the host.
    Known,
    /// No key is recorded for the host; a line with a certificate authority may be.
    Unknown { authority: Option<Place> },
    /// Another key is recorded for the host.
    Changed { known: Box<PublicKey>, place: Place },
    /// The key is revoked.
    Revoked { place: Place },
}

impl KnownHosts {
    /// Adds the text of a file. Lines that cannot be read (older key types, damage) are passed over, as OpenSSH does.
    pub(crate) fn add(&mut self, file: &std::path::Path, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fields = line.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Ok(entry) = fields.parse::<Entry>() {
                let place = Place {
                    file: PathBuf::from(file),
                    line: index + 1,
                };
                self.lines.push(Line { place, entry });
            }
        }
    }

    /// The keys that are recorded for the host, certificate authorities and revoked keys left out.
    pub(crate) fn keys_of<'a>(&'a self, name: &'a KnownName) -> impl Iterator<Item = &'a PublicKey> {
        self.matching(&name.full)
            .filter(|line| line.entry.marker().is_none())
            .map(|line| line.entry.public_key())
    }

    fn matching<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines
            .iter()
            .filter(move |line| matches(line.entry.host_patterns(), name))
    }

    /// What the files say about `key` being the key of the host.
    pub(crate) fn verdict(&self, name: &KnownName, key: &PublicKey) -> Verdict {
        match self.verdict_for(&name.full, key) {
            // OpenSSH looks for the name without its port too, and takes a matching key only.
            Verdict::Unknown { authority } if name.full != name.bare => {
                match self.verdict_for(&name.bare, key) {
                    found @ (Verdict::Known | Verdict::Revoked { .. }) => found,
                    Verdict::Unknown { .. } | Verdict::Changed { .. } => Verdict::Unknown { authority },
                }
            }
            verdict => verdict,
        }
    }

    fn verdict_for(&self, name: &str, key: &PublicKey) -> Verdict {
        let mut known = false;
        let mut other: Option<&Line> = None;
        let mut authority = None;
        for line in self.matching(name) {
            let recorded = line.entry.public_key();
            let same = recorded.key_data() == key.key_data();
            match line.entry.marker() {
                Some(Marker::Revoked) if same => {
                    return Verdict::Revoked {
                        place: line.place.clone(),
                    };
                }
                Some(Marker::Revoked) => {}
                Some(Marker::CertAuthority) => authority = Some(line.place.clone()),
                None if same => known = true,
                // A key of the same kind says the most about what has changed.
                None if other.is_none() || recorded.algorithm() == key.algorithm() => other = Some(line),
                None => {}
            }
        }
        match other {
            _ if known => Verdict::Known,
            Some(line) => Verdict::Changed {
                known: Box::new(line.entry.public_key().clone()),
                place: line.place.clone(),
            },
            None => Verdict::Unknown { authority },
        }
    }
}

/// Whether a line's patterns mean `name`: one of them must match, and no negated one may.
fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            ring::hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let mut matched = false;
            for pattern in patterns {
                let pattern = pattern.to_ascii_lowercase();
                match pattern.strip_prefix('!') {
                    Some(negated) if glob(negated.as_bytes(), name.as_bytes()) => return false,
                    Some(_) => {}
                    None => matched |= glob(pattern.as_bytes(), name.as_bytes()),
                }
            }
            matched
        }
    }
}

/// Whether `text` matches `pattern`, where `*` is any number of characters and `?` is one.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match last_star {
                Some((star, covered)) => {
                    last_star = Some((star, covered + 1));
                    at_pattern = star + 1;
                    at_text = covered + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    fn key(text: &str) -> PublicKey {
        text.parse().expect("a key")
    }

    fn verdict(text: &str, host: &str, port: u16, shown: &str) -> Verdict {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), text);
        known.verdict(&KnownName::new(host, port, None), &key(shown))
    }

    fn at(line: usize) -> Place {
        Place {
            file: "known_hosts".into(),
            line,
        }
    }

    #[test]
    fn plain_names_and_ports() {
        let text = format!("# a comment\n\nhost.example,10.0.0.1 {ONE} somebody\n[other]:2222\t{TWO}\n");
        assert_eq!(verdict(&text, "host.example", 22, ONE), Verdict::Known);
        assert_eq!(verdict(&text, "HOST.example", 22, ONE), Verdict::Known);
        assert_eq!(verdict(&text, "10.0.0.1", 22, ONE), Verdict::Known);
        assert_eq!(verdict(&text, "other", 2222, TWO), Verdict::Known);
        assert_eq!(
            verdict(&text, "other", 22, TWO),
            Verdict::Unknown { authority: None }
        );
        // A key recorded without a port is good for any port, but a different one proves nothing.
        assert_eq!(verdict(&text, "host.example", 2200, ONE), Verdict::Known);
        assert_eq!(
            verdict(&text, "host.example", 2200, TWO),
            Verdict::Unknown { authority: None }
        );
    }

    #[test]
    fn another_key_is_a_change_with_its_place() {
        let text = format!("x {TWO}\nhost {ONE}\n");
        let changed = Verdict::Changed {
            known: Box::new(key(ONE)),
            place: at(2),
        };
        assert_eq!(verdict(&text, "host", 22, TWO), changed);
        // Nor does another kind of key make the host a new one.
        assert_eq!(verdict(&text, "host", 22, ECDSA), changed);
        let text = format!("host {ONE}\nhost {TWO}\n");
        assert_eq!(verdict(&text, "host", 22, TWO), Verdict::Known);
    }

    #[test]
    fn hashed_names() {
        let text = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF\n";
        let shown = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
        assert_eq!(verdict(text, "example.com", 22, shown), Verdict::Known);
        assert_eq!(
            verdict(text, "example.org", 22, shown),
            Verdict::Unknown { authority: None }
        );
    }

    #[test]
    fn wildcards_and_negation() {
        let text = format!("*.example,!secret.example,node-? {ONE}\n");
        assert_eq!(verdict(&text, "a.example", 22, ONE), Verdict::Known);
        assert_eq!(verdict(&text, "node-3", 22, ONE), Verdict::Known);
        assert_eq!(
            verdict(&text, "node-33", 22, ONE),
            Verdict::Unknown { authority: None }
        );
        assert_eq!(
            verdict(&text, "secret.example", 22, ONE),
            Verdict::Unknown { authority: None }
        );
        assert!(glob(b"*a*b*", b"xxaxxbxx"));
        assert!(!glob(b"*a*b", b"xxaxxbxx"));
        assert!(glob(b"", b""));
        assert!(!glob(b"", b"x"));
    }

    #[test]
    fn a_revoked_key_is_refused_even_where_it_is_recorded() {
        let text = format!("host {ONE}\n@revoked * {ONE}\n");
        assert_eq!(verdict(&text, "host", 22, ONE), Verdict::Revoked { place: at(2) });
        assert_eq!(
            verdict(&text, "host", 2222, ONE),
            Verdict::Revoked { place: at(2) }
        );
    }

    #[test]
    fn a_certificate_authority_is_no_host_key() {
        let text = format!("@cert-authority *.example {ONE}\n");
        assert_eq!(
            verdict(&text, "a.example", 22, ONE),
            Verdict::Unknown {
                authority: Some(at(1))
            }
        );
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        let text = format!("host ssh-ed25519 not-base64\n|1|x|y {ONE}\nhost {ONE}\n");
        assert_eq!(verdict(&text, "host", 22, ONE), Verdict::Known);
    }

    #[test]
    fn an_alias_stands_for_name_and_port() {
        let mut known = KnownHosts::default();
        known.add(Path::new("known_hosts"), &format!("store {ONE}\n"));
        let name = KnownName::new("10.0.0.1", 2222, Some("store"));
        assert_eq!(known.verdict(&name, &key(ONE)), Verdict::Known);
        assert_eq!(known.keys_of(&name).count(), 1);
    }
}
