//! Words for a log without the secrets among them: those that are known, and what looks like one.

use crate::credentials::{Credentials, KeyPair};
use crate::secret::Secret;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The shortest line of a known secret that is looked for: what is shorter is in every text.
const SHORTEST: usize = 12;
/// How a private key begins and ends in PEM.
const KEY_BEGINS: &str = "-----BEGIN ";
const KEY: &str = "PRIVATE KEY-----";
const KEY_ENDS: &str = "-----END ";
/// The lengths of the parts of a bootstrap token, `<id>.<secret>`.
const TOKEN: (usize, usize) = (6, 16);

/// Takes secrets out of texts.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// Each line of each known secret that is long enough to be one.
    lines: Vec<Secret<String>>,
}

impl Redaction {
    /// One that knows the secrets of a site.
    #[must_use]
    pub fn of(credentials: &Credentials) -> Self {
        let authorities = [
            Some(&credentials.cluster_ca),
            Some(&credentials.etcd_ca),
            Some(&credentials.front_proxy_ca),
            credentials.calico_etcd_ca.as_ref(),
        ];
        let keys = authorities
            .into_iter()
            .flatten()
            .map(|pair: &KeyPair| &pair.key_pem);
        let others = [&credentials.service_account.private_pem, &credentials.token];
        Self::knowing(keys.chain(others))
    }

    /// One that knows these secrets.
    #[must_use]
    pub fn knowing<'a>(secrets: impl IntoIterator<Item = &'a Secret<String>>) -> Self {
        let lines = secrets.into_iter().flat_map(|secret| secret.expose().lines());
        let is_secret = |line: &&str| line.len() >= SHORTEST && !line.starts_with("-----");
        Self {
            lines: lines
                .map(str::trim)
                .filter(is_secret)
                .map(|line| Secret::new(line.to_owned()))
                .collect(),
        }
    }

    /// The text without secrets: the known ones, private keys in PEM, and whatever has the form of a bootstrap token.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut clean = without_keys(text);
        for line in &self.lines {
            if clean.contains(line.expose().as_str()) {
                clean = clean.replace(line.expose().as_str(), REDACTED);
            }
        }
        without_tokens(&clean)
    }
}

/// A key that was cut off before its end is taken out to the end of the text.
fn without_keys(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = begin_of_key(rest) {
        clean.push_str(&rest[..at]);
        clean.push_str(REDACTED);
        let key = &rest[at..];
        let end = key.find(KEY_ENDS).and_then(|end| {
            let tail = end + KEY_ENDS.len();
            key[tail..].find("-----").map(|dashes| tail + dashes + 5)
        });
        rest = end.map_or("", |end| &key[end..]);
    }
    clean.push_str(rest);
    clean
}

fn begin_of_key(text: &str) -> Option<usize> {
    text.match_indices(KEY_BEGINS).map(|(at, _)| at).find(|at| {
        let head = &text[at + KEY_BEGINS.len()..];
        head.find("-----")
            .is_some_and(|dashes| head[..dashes + 5].ends_with(KEY))
    })
}

fn without_tokens(text: &str) -> String {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let bytes = text.as_bytes();
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for (dot, _) in text.match_indices('.') {
        let (Some(start), end) = (dot.checked_sub(TOKEN.0), dot + 1 + TOKEN.1) else {
            continue;
        };
        if start < from || end > bytes.len() {
            continue;
        }
        let alone = start.checked_sub(1).is_none_or(|before| !is_word(&bytes[before]))
            && bytes
                .get(end)
                .is_none_or(|after| !is_word(after) || *after == b'.');
        let has_form = bytes[start..dot].iter().all(is_letter) && bytes[dot + 1..end].iter().all(is_letter);
        if alone && has_form {
            clean.push_str(&text[from..start]);
            clean.push_str(REDACTED);
            from = end;
        }
    }
    clean.push_str(&text[from..]);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_TEXT: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBvery\n-----END EC PRIVATE KEY-----";

    #[test]
    fn keys_and_tokens_are_taken_out_wherever_they_stand() {
        let redaction = Redaction::default();
        assert_eq!(redaction.text(&format!("a {KEY_TEXT}\nb\n")), "a [redacted]\nb\n");
        assert_eq!(
            redaction.text("x\n-----BEGIN PRIVATE KEY-----\nMHcCAQ"),
            "x\n[redacted]",
            "a key that was cut off"
        );
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        assert_eq!(redaction.text(certificate), certificate);
        assert_eq!(
            redaction.text("join --token abcdef.0123456789abcdef, or token=ghijkl.0123456789abcdef."),
            "join --token [redacted], or token=[redacted]."
        );
        for plain in [
            "é.abcdefghijklmnop",
            "system.containerd",
            "registry.k8s.io/pause:3.10",
            "edge-1.shop.iec.internal",
        ] {
            assert_eq!(redaction.text(plain), plain);
        }
    }

    #[test]
    fn a_known_secret_is_taken_out_in_parts_too() {
        let secret = Secret::new("first line of it\nshort\nsecond-line-of-it\n".to_owned());
        let redaction = Redaction::knowing([&secret]);
        assert_eq!(
            redaction.text("the second-line-of-it, a short one"),
            "the [redacted], a short one"
        );
        assert_eq!(format!("{redaction:?}").matches("line").count(), 1);
    }
}
