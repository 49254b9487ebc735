//! A release: one Kubernetes patch version and everything that goes with it, read from `releases/<name>.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;

/// The version of the release file format that this program reads.
const SCHEMA: u32 = 1;

/// The releases that the program carries: name and text, oldest first.
const BUNDLED: [(&str, &str); 1] = [("1.36", include_str!("../../../releases/1.36.toml"))];

/// One release, as its file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version of the file format.
    pub schema: u32,
    /// The name that site files use: `1.36`.
    #[serde(rename = "release")]
    pub name: String,
    /// The release's date (`YYYY-MM-DD`, UTC): the time stamp of everything inside its content.
    pub source_date: String,
    /// The compiler that builds the content.
    pub toolchain: Toolchain,
    /// The distribution that base layers and host tools come from.
    pub debian: Debian,
    /// The parts, by name: `kubernetes`, `containerd`, `runc`, `cni-plugins`, `coredns`, `etcd`, `helm`, `calico`, `pause`.
    pub parts: BTreeMap<String, Part>,
    /// The full image references, by item name: `kube-apiserver`, `etcd`, `calico-node`.
    pub images: BTreeMap<String, String>,
    /// What is known about pairs of parts.
    pub compatibility: Vec<Compatibility>,
}

/// The compiler that builds the content of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// The exact Go version, without `go`: `1.26.10`. Another one gives other bytes.
    pub go: String,
    /// The oldest installed Go that can fetch that version by itself.
    pub minimum: String,
    /// The sum of the module `golang.org/toolchain` of that version for a machine that builds, as Go writes it (`h1:…`).
    pub sums: BTreeMap<Architecture, String>,
    /// Where Go is published.
    pub upstream: String,
    /// What fetches it where no Go is installed.
    pub bootstrap: Bootstrap,
}

/// A Debian package with a Go that is new enough to fetch another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The archive that has the package.
    pub archive: Archive,
    /// The package's name.
    pub package: String,
    /// The path of `go` inside the package.
    pub program: String,
}

/// The Debian suite that base layers and host tools come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debian {
    /// The suite's code name: `bookworm`.
    pub suite: String,
    /// The components of its archive.
    pub components: Vec<String>,
    /// The archives that hold the suite. They are signed, so a mirror is as good.
    pub archives: Vec<Archive>,
    /// The page about the suite.
    pub upstream: String,
    /// The upstream version of nginx in the suite; the image's tag claims it, so the build compares it.
    pub nginx: String,
    /// The same of keepalived.
    pub keepalived: String,
}

/// A Debian archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// The archive's address.
    pub address: String,
    /// The suite or pocket inside it: `bookworm-updates`.
    pub suite: String,
}

/// One part of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The version, as its authors write it: `v2.4.2`, `3.10.2`.
    pub version: String,
    /// Where its authors publish it.
    pub upstream: String,
    /// The Go modules it is built from, the main one first.
    pub modules: Vec<Module>,
}

impl Part {
    /// The version without a leading `v`.
    #[must_use]
    pub fn plain_version(&self) -> &str {
        self.version.trim_start_matches('v')
    }
}

/// A Go module at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// The module's path: `k8s.io/kubernetes`.
    pub module: String,
    /// The module's version, which may be a pseudo-version.
    pub version: String,
    /// The module's sum, as `go.sum` has it (`h1:…`).
    pub sum: String,
}

/// Whether the authors of a pair of parts have tested them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    /// Upstream tests or supports this pair.
    Tested,
    /// Upstream does not: a standing warning.
    Untested,
}

/// What is known about a pair of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compatibility {
    /// The names of the two parts.
    pub parts: [String; 2],
    /// What upstream says.
    pub upstream: Upstream,
    /// Why, in a few words.
    pub reason: String,
    /// Where upstream says it.
    pub source: String,
    /// The proof of IEC's own that exercises the pair.
    pub iec: String,
}

/// Why a release cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The program does not carry a release of this name.
    #[error("release `{name}` is unknown; this program carries: {known}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The text is not of the form of a release file.
    #[error("the release file cannot be read")]
    Syntax(#[source] toml::de::Error),
    /// The file was written for another version of the program.
    #[error("the release file has schema {0}, this program reads schema {SCHEMA}")]
    Schema(u32),
    /// A pair of parts, or an image's part, is not in the release.
    #[error("the release file names the part `{0}` but does not describe it")]
    MissingPart(String),
    /// The date is not of the form `YYYY-MM-DD`.
    #[error("the release's source_date `{0}` is no date of the form YYYY-MM-DD")]
    Date(String),
}

impl Release {
    /// The names of the releases that the program carries, oldest first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.into_iter().map(|(name, _)| name)
    }

    /// The release of this name that the program carries.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn bundled(name: &str) -> Result<Self, ReleaseError> {
        let (_, text) = BUNDLED
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ReleaseError::Unknown {
                name: name.to_owned(),
                known: Self::names().collect::<Vec<_>>().join(", "),
            })?;
        Self::parse(text)
    }

    /// Reads the text of a release file.
    ///
    /// # Errors
    /// When the text is not of the form of a release file, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let release: Self = toml::from_str(text).map_err(ReleaseError::Syntax)?;
        if release.schema != SCHEMA {
            return Err(ReleaseError::Schema(release.schema));
        }
        release
            .date_parts()
            .ok_or_else(|| ReleaseError::Date(release.source_date.clone()))?;
        let named = release.compatibility.iter().flat_map(|pair| &pair.parts);
        for name in named.map(String::as_str).chain(["kubernetes"]) {
            if !release.parts.contains_key(name) {
                return Err(ReleaseError::MissingPart(name.to_owned()));
            }
        }
        Ok(release)
    }

    /// The part of this name, if the release has one.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.get(name)
    }

    /// The Kubernetes version: `v1.36.3`.
    #[must_use]
    pub fn kubernetes(&self) -> &str {
        &self.parts["kubernetes"].version
    }

    /// The full reference of the image of this name, if the release has one.
    #[must_use]
    pub fn image(&self, name: &str) -> Option<&str> {
        self.images.get(name).map(String::as_str)
    }

    /// The pairs of parts that upstream has not tested together: a standing warning wherever both are used.
    pub fn untested(&self) -> impl Iterator<Item = &Compatibility> {
        self.compatibility
            .iter()
            .filter(|pair| pair.upstream == Upstream::Untested)
    }

    /// Midnight UTC of [`Release::source_date`], in seconds since 1970.
    #[must_use]
    pub fn source_epoch(&self) -> u64 {
        let (year, month, day) = self
            .date_parts()
            .expect("parse() refuses a release without a date");
        // Days from 1970 in the civil calendar, counted in years that begin in March so that leap days come last.
        let (year, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
        (days - 719_468) * 86_400
    }

    fn date_parts(&self) -> Option<(u64, u64, u64)> {
        let mut fields = self.source_date.split('-');
        let mut next = |width: usize| {
            let field = fields.next().filter(|field| field.len() == width)?;
            field
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| field.parse().ok())?
        };
        let (year, month, day): (u64, u64, u64) = (next(4)?, next(2)?, next(2)?);
        let valid = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
        (fields.next().is_none() && valid).then_some((year, month, day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_release_is_valid_and_carries_its_own_name() {
        for name in Release::names() {
            assert_eq!(Release::bundled(name).unwrap().name, name);
        }
    }

    #[test]
    fn an_unknown_release_lists_the_known_ones() {
        let message = Release::bundled("1.99").unwrap_err().to_string();
        assert!(message.contains("1.99") && message.contains("1.36"), "{message}");
    }

    #[test]
    fn calico_with_this_kubernetes_is_a_standing_warning() {
        let release = Release::bundled("1.36").unwrap();
        assert!(
            release
                .untested()
                .any(|pair| pair.parts == ["calico", "kubernetes"])
        );
    }

    #[test]
    fn tags_say_what_is_inside() {
        let release = Release::bundled("1.36").unwrap();
        let version = |part: &str| release.part(part).unwrap().version.clone();
        for (image, tag) in [
            ("kube-apiserver", version("kubernetes")),
            ("kube-proxy", version("kubernetes")),
            (
                "etcd",
                format!("{}-0", release.part("etcd").unwrap().plain_version()),
            ),
            ("coredns", version("coredns")),
            ("pause", version("pause")),
            ("calico-node", version("calico")),
            ("calico-cni", version("calico")),
            ("calico-kube-controllers", version("calico")),
            ("nginx", format!("{}-debian12", release.debian.nginx)),
            ("keepalived", format!("{}-debian12", release.debian.keepalived)),
        ] {
            let reference = release.image(image).unwrap();
            assert!(
                reference.ends_with(&format!(":{tag}")),
                "{reference} should be tagged {tag}"
            );
        }
    }

    #[test]
    fn the_source_epoch_is_midnight_utc() {
        let mut release = Release::bundled("1.36").unwrap();
        for (date, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2026-11-20", 1_795_132_800),
        ] {
            release.source_date = date.to_owned();
            assert_eq!(release.source_epoch(), seconds, "{date}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let text = BUNDLED[0].1;
        let date = text.replace("2026-11-20", "20.11.2026");
        assert!(matches!(Release::parse(&date), Err(ReleaseError::Date(_))));
        let part = text.replace("[parts.helm]", "[parts.helmet]");
        assert!(matches!(Release::parse(&part), Err(ReleaseError::MissingPart(name)) if name == "helm"));
        let schema = text.replace("schema = 1", "schema = 9");
        assert!(matches!(Release::parse(&schema), Err(ReleaseError::Schema(9))));
    }
}
