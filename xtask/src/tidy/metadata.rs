//! What cargo says about the workspace and everything below it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// The target that dependencies are looked at for: what IEC itself runs on.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The answer of `cargo metadata`, as far as the rules need it.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    pub(super) workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// A package of the workspace or below it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    /// Where it comes from; none for a package of the workspace.
    pub(super) source: Option<String>,
    pub(super) manifest_path: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// A line of a package's `Cargo.toml`.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `dev`, `build`, or none for an ordinary one.
    pub(super) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    pkg: String,
    dep_kinds: Vec<LinkKind>,
}

#[derive(Debug, Deserialize)]
struct LinkKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo fails, for example because `Cargo.lock` is out of date.
    pub(super) fn of_workspace(root: &Path) -> anyhow::Result<Self> {
        let words = [
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            TARGET,
        ];
        let answer = ask(root, &words)?;
        serde_json::from_str(&answer).context("the answer of cargo metadata is of another form")
    }

    /// The packages of the workspace.
    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The package of the workspace with this name.
    pub(super) fn member(&self, name: &str) -> Option<&Package> {
        self.members().find(|package| package.name == name)
    }

    /// The ids of the packages that a package is compiled with. Tests are left out.
    pub(super) fn children<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        self.resolve
            .nodes
            .iter()
            .filter(move |node| node.id == id)
            .flat_map(|node| &node.deps)
            .filter(|link| {
                link.dep_kinds
                    .iter()
                    .any(|kind| kind.kind.as_deref() != Some("dev"))
            })
            .map(|link| link.pkg.as_str())
    }
}

/// The names of the packages that are compiled into a package's own code when it is built alone. Tests are left out.
///
/// The metadata cannot tell: in it, every package has the features that anybody in the workspace wants.
///
/// # Errors
/// When cargo fails.
pub(super) fn compiled_into(root: &Path, package: &str) -> anyhow::Result<BTreeSet<String>> {
    let words = [
        "tree",
        "--locked",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--target",
        TARGET,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let names = |line: &str| line.split_whitespace().next().map(str::to_owned);
    Ok(ask(root, &words)?
        .lines()
        .filter_map(names)
        .filter(|name| name != package)
        .collect())
}

fn ask(root: &Path, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(crate::workspace::cargo())
        .current_dir(root)
        .args(words)
        .output()
        .context("cargo cannot be started")?;
    if !output.status.success() {
        bail!(
            "cargo {}: {}",
            words[0],
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
pub(super) mod fake {
    //! Metadata written by hand, for the rules' tests.

    use super::{Dependency, Link, LinkKind, Metadata, Node, Package, Resolve};

    /// A workspace: each line is a package, a colon, and what it needs; `dev/x` is needed by its tests only.
    /// Packages that begin a line are members, the others are from crates.io.
    pub(in crate::tidy) fn workspace(lines: &[&str]) -> Metadata {
        let mut metadata = Metadata {
            packages: Vec::new(),
            workspace_members: std::collections::BTreeSet::new(),
            resolve: Resolve { nodes: Vec::new() },
        };
        for line in lines {
            let (name, needs) = line.split_once(':').expect("name: needs");
            let needs: Vec<(&str, Option<String>)> = needs
                .split_whitespace()
                .map(|need| match need.strip_prefix("dev/") {
                    Some(name) => (name, Some("dev".to_owned())),
                    None => (need, None),
                })
                .collect();
            metadata.workspace_members.insert(name.to_owned());
            metadata.packages.push(Package {
                source: None,
                dependencies: needs
                    .iter()
                    .map(|(name, kind)| Dependency {
                        name: (*name).to_owned(),
                        kind: kind.clone(),
                    })
                    .collect(),
                ..package(name, "Apache-2.0")
            });
            metadata.resolve.nodes.push(Node {
                id: name.to_owned(),
                deps: needs
                    .into_iter()
                    .map(|(name, kind)| Link {
                        pkg: name.to_owned(),
                        dep_kinds: vec![LinkKind { kind }],
                    })
                    .collect(),
            });
        }
        metadata
    }

    impl Metadata {
        /// The same with a package from crates.io, and what that one needs.
        pub(in crate::tidy) fn with(mut self, name: &str, license: &str, needs: &[&str]) -> Self {
            self.packages.push(package(name, license));
            let link = |name: &&str| Link {
                pkg: (*name).to_owned(),
                dep_kinds: vec![LinkKind { kind: None }],
            };
            self.resolve.nodes.push(Node {
                id: name.to_owned(),
                deps: needs.iter().map(link).collect(),
            });
            self
        }
    }

    fn package(name: &str, license: &str) -> Package {
        Package {
            id: name.to_owned(),
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: Some(license.to_owned()),
            source: Some(crate::tidy::dependencies::CRATES_IO.to_owned()),
            manifest_path: format!("/repository/crates/{name}/Cargo.toml"),
            dependencies: Vec::new(),
        }
    }
}
