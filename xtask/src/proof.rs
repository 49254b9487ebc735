//! `cargo xtask proof NAME`: what takes too long for CI. A proof writes its own entry into `docs/tested.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::stage::time;
use crate::{e2e, record, terminal, workspace};

/// Where proofs are told.
const DOCUMENT: &str = "docs/tested.md";

/// Two builds of the bundle from empty caches agree byte for byte; the second has the first one's lock of Debian
/// packages, as every later build of a site has.
///
/// # Errors
/// When a build fails, or the bundles differ.
pub(crate) fn reproducible(root: &Path) -> anyhow::Result<bool> {
    let interrupt = Interrupt::watch()?;
    e2e::prepare(root, &interrupt)?;
    let run = record::Run::now(root)?;
    let folder = workspace::target().join("proof/reproducible");
    if folder.exists() {
        remove(&folder)?;
    }
    let (first, first_time) = built(&folder.join("first"), None, &interrupt)?;
    let lock = folder.join("first/bundle/debian.lock");
    let (second, second_time) = built(&folder.join("second"), Some(&lock), &interrupt)?;
    let different = differences(&first, &second);
    let result = match different.as_slice() {
        [] => format!("agree: {} files, {}", first.len(), manifest_digest(&folder)?),
        some => format!("**differ** in {} of {} files", some.len(), first.len()),
    };
    let row = format!(
        "| two builds of the bundle from empty caches agree byte for byte | {} | {} | {} | {} | {result} | {} and {} |",
        run.date,
        run.commit,
        run.machine,
        versions(&folder)?,
        time(first_time),
        time(second_time),
    );
    record::append(root, DOCUMENT, &row)?;
    terminal::line(row);
    if !different.is_empty() {
        bail!("these files differ: {}", different.join(", "));
    }
    remove(&folder)?;
    Ok(true)
}

/// The proofs whose moments are chosen by chance.
const POWER_CUTS: &str = "power-cuts";
const MACHINE_CUTS: &str = "machine-cuts";

/// A proof that is a scenario on real hosts.
struct Shown {
    /// The proof's name.
    proof: &'static str,
    /// The scenario's name.
    scenario: &'static str,
    /// What it shows: a row for each.
    rows: &'static [&'static str],
}

const SCENARIOS: [Shown; 14] = [
    Shown {
        proof: "real-kernel",
        scenario: "real-kernel",
        rows: &[
            "one host with Debian's own kernel, of this machine's architecture: bare, installed, verified, rebooted, its power cut, reset, bare again",
        ],
    },
    Shown {
        proof: "arm64",
        scenario: "arm64",
        rows: &[
            "one arm64 host with Debian's own kernel: bare, installed, verified, rebooted, its power cut, reset, bare again",
        ],
    },
    Shown {
        proof: "mixed",
        scenario: "mixed",
        rows: &[
            "a site of two architectures: an amd64 control plane, a worker of each, rebooted, power cut, reset; 3 hosts",
        ],
    },
    Shown {
        proof: "recover",
        scenario: "recover",
        rows: &[
            "two of three control planes lost for good: the cluster starts again from the third, cut off in the middle and resumed; the lost ones come back with their old data and are taken in anew",
        ],
    },
    Shown {
        proof: "join-cuts",
        scenario: "join-cuts",
        rows: &[
            "three control planes installed at once, of which one loses its power before its etcd votes, and then the first one",
        ],
    },
    Shown {
        proof: "five-control-planes",
        scenario: "five-control-planes",
        rows: &[
            "five control planes: two lost at once without another node missing them, then a third; started again from one of the two that are left, the other and a new host join it",
        ],
    },
    Shown {
        proof: "calico-etcd",
        scenario: "calico-etcd",
        rows: &[
            "Calico with an etcd of its own (`datastore: etcd`), from bare hosts to verified and back, 2 hosts",
        ],
    },
    Shown {
        proof: "calico-etcd-three-control-planes",
        scenario: "calico-etcd-three-control-planes",
        rows: &[
            "Calico with an etcd of its own on three control planes: one lost, down to one member and up to three, 3 hosts",
        ],
    },
    Shown {
        proof: "virtual-address",
        scenario: "virtual-address",
        rows: &[
            "`controlPlane.virtualAddress` on three control planes: its holder cut hard, its API server stopped, the address taken away again, 3 hosts",
        ],
    },
    Shown {
        proof: "methods",
        scenario: "methods-three-hosts",
        // The names by which `iec methods` looks for them.
        rows: &[
            "method apply",
            "method runbook",
            "method script",
            "method cloud-init",
            "method seed",
            "method ansible",
        ],
    },
    Shown {
        proof: "methods-three-control-planes",
        scenario: "methods-three-control-planes",
        rows: &["every method installs three control planes, and leaves the same state as `iec apply`"],
    },
    Shown {
        proof: "conditions",
        scenario: "conditions",
        rows: &[
            "a host in bad shape: what is told of it beforehand, and a site on links, disks and packet filters of its owner's, from bare to verified and back",
        ],
    },
    Shown {
        proof: MACHINE_CUTS,
        scenario: "machine-cuts",
        rows: &[
            "a virtual machine whose disk loses what was not flushed, or its operator, dies at random moments of `apply`; resumed, verified, reset",
        ],
    },
    Shown {
        proof: POWER_CUTS,
        scenario: "power-cuts",
        rows: &[
            "hosts, their operator or both die at random moments of `apply`; resumed, verified, reset; 2 hosts",
        ],
    },
];

/// A scenario on real hosts that is too long for CI, or asked for by few sites. `words` name another program or bundle.
///
/// # Errors
/// When one of its steps does not pass.
pub(crate) fn scenario(root: &Path, name: &str, words: &[&str]) -> anyhow::Result<bool> {
    let shown = SCENARIOS.iter().find(|shown| shown.proof == name);
    let shown = shown.with_context(|| {
        let names = SCENARIOS.each_ref().map(|shown| shown.proof).join(", ");
        format!("there is no proof {name}; there are conformance, inventories, reproducible, requirements, {names}")
    })?;
    let run = record::Run::now(root)?;
    let proof = e2e::proof(root, shown.scenario, words)?;
    let chance = if matches!(name, POWER_CUTS | MACHINE_CUTS) {
        format!(", {} rounds with seed {}", proof.rounds, proof.seed)
    } else {
        String::new()
    };
    for shown in shown.rows {
        let row = format!(
            "| {shown}{chance} | {} | {} | {} | {} | passed: {} steps | {} |",
            run.date,
            run.commit,
            run.machine,
            content_versions(&proof.content["manifest"]),
            proof.steps,
            time(proof.took),
        );
        record::append(root, DOCUMENT, &row)?;
        terminal::line(row);
    }
    terminal::line("Now: UPDATE_DOCS=1 cargo test -p iec --test cli methods");
    Ok(true)
}

/// Builds a bundle with caches of its own; gives the digests of its files, and how long it took.
fn built(
    folder: &Path,
    lock: Option<&Path>,
    interrupt: &Interrupt,
) -> anyhow::Result<(BTreeMap<PathBuf, String>, Duration)> {
    let out = folder.join("bundle");
    fs::create_dir_all(&out)?;
    if let Some(lock) = lock {
        fs::copy(lock, out.join("debian.lock"))?;
    }
    let began = Instant::now();
    let mut words = ["bundle", "build", "--out"]
        .map(std::ffi::OsString::from)
        .to_vec();
    words.push(out.clone().into());
    let build = Program::new(folder, e2e::iec(), &words, interrupt)
        .variable("XDG_CACHE_HOME", folder.join("cache"))
        .variable("GOCACHE", folder.join("go-build"))
        .variable("GOMODCACHE", folder.join("go-modules"));
    ensure!(build.shown()?.succeeded(), "the build failed");
    let took = began.elapsed();
    let mut files = BTreeMap::new();
    digests(&out, &out, &mut files)?;
    // Four times what a bundle is: the disk is needed for the other build.
    for cache in ["cache", "go-build", "go-modules"] {
        let cache = folder.join(cache);
        if cache.exists() {
            remove(&cache)?;
        }
    }
    Ok((files, took))
}

/// The digests of all files below a folder, by their paths in it.
fn digests(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            digests(root, &path, files)?;
        } else {
            let name = path.to_str().context("names in bundles are plain text")?;
            let digest = record::ask(root, "sha256sum", &[name])?;
            let own = path.strip_prefix(root)?.to_owned();
            files.insert(
                own,
                digest.split_whitespace().next().unwrap_or_default().to_owned(),
            );
        }
    }
    Ok(())
}

/// The paths that are not the same on both sides.
fn differences(first: &BTreeMap<PathBuf, String>, second: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut paths: Vec<&PathBuf> = first.keys().chain(second.keys()).collect();
    paths.sort();
    paths.dedup();
    let differ = |path: &&&PathBuf| first.get(**path) != second.get(**path);
    paths
        .iter()
        .filter(differ)
        .map(|path| path.display().to_string())
        .collect()
}

fn manifest_digest(folder: &Path) -> anyhow::Result<String> {
    let digest = record::ask(folder, "sha256sum", &["first/bundle/manifest.json"])?;
    Ok(format!("manifest sha256:{}", &digest[..12]))
}

/// The release and the program, as the row names them.
fn versions(folder: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(folder.join("first/bundle/manifest.json"))?;
    Ok(content_versions(&serde_json::from_str(&text)?))
}

/// The same, of the bundle with this manifest.
fn content_versions(manifest: &serde_json::Value) -> String {
    let word = |name: &str| manifest[name].as_str().unwrap_or("?").to_owned();
    format!(
        "iec {}, release {}, Kubernetes {}",
        env!("CARGO_PKG_VERSION"),
        word("release"),
        word("kubernetes")
    )
}

/// Removes a folder; Go makes the files of its module cache read-only.
fn remove(folder: &Path) -> anyhow::Result<()> {
    let name = folder
        .to_str()
        .context("the target folder has a name of plain text")?;
    record::ask(Path::new("/"), "chmod", &["-R", "u+w", name])?;
    fs::remove_dir_all(folder).with_context(|| format!("{} cannot be removed", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_between_two_folders_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in [
            ("a/same", "1"),
            ("a/other", "1"),
            ("b/same", "1"),
            ("b/other", "2"),
            ("b/deep/new", "3"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let of = |name: &str| {
            let mut files = BTreeMap::new();
            digests(&folder.path().join(name), &folder.path().join(name), &mut files).expect("read");
            files
        };
        assert_eq!(differences(&of("a"), &of("b")), ["deep/new", "other"]);
        assert_eq!(differences(&of("a"), &of("a")), [] as [&str; 0]);
    }
}
