//! What may be below the workspace: `deny.toml` read as data and checked against cargo's metadata.
//!
//! cargo-deny reads the same file and knows more (advisories, clarified licence texts). Building it takes longer than
//! everything else that is checked here, so what can be checked without it is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Problem;
use super::metadata::{Metadata, Package};

/// The registry that everything comes from.
pub(super) const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// `deny.toml`, as far as it is checked here.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
    /// Who may use it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
}

impl Policy {
    /// Reads `deny.toml`.
    ///
    /// # Errors
    /// When it is not of the form that cargo-deny wants, or a ban has no reason.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(toml::from_str(text)?)
    }
}

/// The packages that the policy refuses.
pub(super) fn check(metadata: &Metadata, policy: &Policy) -> Vec<Problem> {
    let used = used(metadata);
    let mut problems = Vec::new();
    for (package, parents) in used.values() {
        let name = format!("{} {}", package.name, package.version);
        problems.extend(
            license(package, policy)
                .into_iter()
                .chain(source(package))
                .chain(ban(package, parents, policy))
                .map(|text| Problem::in_file("Cargo.lock", format!("{name}: {text}"))),
        );
    }
    problems
}

/// Every package that is compiled into something of the workspace, tests too, with all that ask for it.
fn used(metadata: &Metadata) -> BTreeMap<&str, (&Package, Vec<&str>)> {
    let mut used: BTreeMap<&str, (&Package, Vec<&str>)> = BTreeMap::new();
    for package in &metadata.packages {
        used.insert(package.id.as_str(), (package, Vec::new()));
    }
    for package in &metadata.packages {
        for child in metadata.children(&package.id) {
            if let Some((_, parents)) = used.get_mut(child) {
                parents.push(package.name.as_str());
            }
        }
    }
    used
}

fn license(package: &Package, policy: &Policy) -> Option<String> {
    let Some(expression) = &package.license else {
        return Some("names no licence".to_owned());
    };
    (!permitted(expression, &policy.licenses.allow))
        .then(|| format!("its licence is {expression}, which deny.toml does not allow"))
}

fn source(package: &Package) -> Option<String> {
    let source = package.source.as_deref()?;
    (source != CRATES_IO).then(|| format!("comes from {source}, not from crates.io"))
}

fn ban(package: &Package, parents: &[&str], policy: &Policy) -> Option<String> {
    let ban = policy.bans.deny.iter().find(|ban| ban.name == package.name)?;
    let offender = parents
        .iter()
        .find(|parent| !ban.wrappers.iter().any(|wrapper| wrapper == *parent))?;
    Some(format!("{offender} must not use it: {}", ban.reason))
}

/// Whether an SPDX expression can be satisfied by allowed licences. `A/B` is the old way to write `A OR B`.
fn permitted(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Expression {
        words: &words,
        allowed,
    };
    let permitted = reader.any();
    permitted && reader.words.is_empty()
}

struct Expression<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Expression<'_> {
    /// `all OR all OR …`
    fn any(&mut self) -> bool {
        let mut permitted = self.all();
        while self.take("OR") {
            permitted |= self.all();
        }
        permitted
    }

    /// `one AND one AND …`
    fn all(&mut self) -> bool {
        let mut permitted = self.one();
        while self.take("AND") {
            permitted &= self.one();
        }
        permitted
    }

    /// `( any )`, `license` or `license WITH exception`.
    fn one(&mut self) -> bool {
        if self.take("(") {
            let permitted = self.any();
            return self.take(")") && permitted;
        }
        let Some((name, rest)) = self.words.split_first() else {
            return false;
        };
        self.words = rest;
        let whole = match self.words {
            ["WITH", exception, rest @ ..] => {
                self.words = rest;
                format!("{name} WITH {exception}")
            }
            _ => (*name).to_owned(),
        };
        self.allowed.contains(&whole)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::metadata::fake::workspace;
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0"]
        [bans]
        deny = [
            { crate = "openssl-sys", reason = "TLS is rustls" },
            { crate = "russh", wrappers = ["iec-host"], reason = "SSH is iec-host's" },
        ]
    "#;

    fn texts(metadata: &Metadata) -> Vec<String> {
        let policy = Policy::parse(POLICY).expect("the policy");
        check(metadata, &policy).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn expressions_are_read() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("(GPL-3.0 OR MIT) AND ISC", true),
            ("GPL-3.0 OR MIT AND BSD-2-Clause", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(permitted(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_refused() {
        let metadata = workspace(&["iec: greedy"]).with("greedy", "GPL-3.0-only", &[]);
        assert_eq!(
            texts(&metadata),
            ["Cargo.lock: greedy 1.0.0: its licence is GPL-3.0-only, which deny.toml does not allow"]
        );
    }

    #[test]
    fn a_banned_crate_is_refused_with_the_one_that_brings_it() {
        let metadata = workspace(&["iec: tls"])
            .with("tls", "MIT", &["openssl-sys"])
            .with("openssl-sys", "MIT", &[]);
        assert_eq!(
            texts(&metadata),
            ["Cargo.lock: openssl-sys 1.0.0: tls must not use it: TLS is rustls"]
        );
    }

    #[test]
    fn a_wrapped_crate_is_for_its_wrapper() {
        let right = workspace(&["iec: iec-host", "iec-host: russh"]).with("russh", "MIT", &[]);
        assert_eq!(texts(&right), [] as [&str; 0]);
        let wrong = workspace(&["iec: iec-host russh", "iec-host: russh"]).with("russh", "MIT", &[]);
        assert_eq!(
            texts(&wrong),
            ["Cargo.lock: russh 1.0.0: iec must not use it: SSH is iec-host's"]
        );
    }

    #[test]
    fn another_source_is_refused() {
        let mut metadata = workspace(&["iec: a"]).with("a", "MIT", &[]);
        metadata.packages[1].source = Some("git+https://example.org/a".to_owned());
        assert_eq!(
            texts(&metadata),
            ["Cargo.lock: a 1.0.0: comes from git+https://example.org/a, not from crates.io"]
        );
    }
}
