//! The sums beside a bundle's manifest: what its manifest and its lock of packages were when it was built.

use super::{DEBIAN_LOCK_FILE, Digest, MANIFEST_FILE};

/// The file inside a bundle folder that holds [`Sums`].
pub const SUMS_FILE: &str = "manifest.sha256";

/// The digests of the files that no manifest can name: the manifest itself, and the lock that it was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Of `manifest.json`.
    pub manifest: Digest,
    /// Of `debian.lock`.
    pub debian_lock: Digest,
}

impl Sums {
    /// The sums of a manifest and a lock of these bytes.
    #[must_use]
    pub fn of(manifest: &[u8], debian_lock: &[u8]) -> Self {
        Self {
            manifest: Digest::of(manifest),
            debian_lock: Digest::of(debian_lock),
        }
    }

    /// The text of the file, which `sha256sum --check` reads too.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}  {MANIFEST_FILE}\n{}  {DEBIAN_LOCK_FILE}\n",
            self.manifest.hex(),
            self.debian_lock.hex()
        )
    }

    /// Reads the text of the file; `None` when it is another one than [`Sums::to_text`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut next = || {
            let (hex, _) = lines.next()?.split_once(' ')?;
            format!("sha256:{hex}").parse().ok()
        };
        let sums = Self {
            manifest: next()?,
            debian_lock: next()?,
        };
        (sums.to_text() == text).then_some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_back_and_nothing_else_is() {
        let sums = Sums::of(b"{}", b"");
        let text = sums.to_text();
        assert!(
            text.ends_with(
                "\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  debian.lock\n"
            )
        );
        assert_eq!(Sums::parse(&text), Some(sums));
        let (first, second) = text.split_once('\n').expect("two lines");
        for other in [
            String::new(),
            first.to_owned(),
            format!("{second}{first}\n"),
            format!("{text}\n"),
            text.to_uppercase(),
            text.replace("  ", " "),
        ] {
            assert_eq!(Sums::parse(&other), None, "{other}");
        }
    }
}
