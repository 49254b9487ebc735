//! Helm charts: an archive as it is, or a folder packed into one, always into the same bytes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde::Deserialize;

use crate::tree::Tree;

/// The most that is read of an archive while its description is looked for, in bytes.
const LONGEST: u64 = 64 << 20;

/// A chart, as Helm takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The archive: a tar, compressed by gzip.
    pub archive: Vec<u8>,
    /// The name that its Chart.yaml says.
    pub name: String,
    /// The version that its Chart.yaml says.
    pub version: String,
}

/// Why there is no chart at a path.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is something else than a chart.
    #[error("{} is no Helm chart: {reason}", path.display())]
    NoChart {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What IEC wants to know of a Chart.yaml.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Description {
    api_version: String,
    name: String,
    version: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    dependencies: Vec<Dependency>,
}

/// Another chart that this one needs.
#[derive(Deserialize)]
struct Dependency {
    name: String,
}

impl Description {
    /// Everything for which Helm would refuse to install the chart, given the names of what is in its folder `charts`.
    fn problems(&self, inside: &BTreeSet<String>) -> Vec<String> {
        let mut problems = Vec::new();
        if !["v1", "v2"].contains(&self.api_version.as_str()) {
            problems.push("apiVersion is neither v1 nor v2".to_owned());
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if !is_name(&self.name) || [".", ".."].contains(&self.name.as_str()) {
            problems.push(format!(
                "the name {:?} has other characters than letters, digits, `-`, `_` and `.`",
                self.name
            ));
        }
        if !is_version(&self.version) {
            problems.push(format!("the version {:?} is not of the form 1.2.3", self.version));
        }
        if self.kind.as_deref() == Some("library") {
            problems.push("it is a library, from which nothing can be installed".to_owned());
        }
        for dependency in &self.dependencies {
            let archive = format!("{}-", dependency.name);
            let is_there = |name: &String| {
                *name == dependency.name || (name.ends_with(".tgz") && name.starts_with(&archive))
            };
            if !inside.iter().any(is_there) {
                problems.push(format!(
                    "it needs the chart {}, which is not in its folder charts (helm dependency build puts it there)",
                    dependency.name
                ));
            }
        }
        problems
    }
}

/// Whether this is a version as Helm reads it: Semantic Versioning 2, where a `v` may stand first and the second and
/// third number may be missing.
fn is_version(version: &str) -> bool {
    let version = version.strip_prefix('v').unwrap_or(version);
    let (version, build) = version
        .split_once('+')
        .map_or((version, None), |(version, build)| (version, Some(build)));
    let (numbers, before) = version
        .split_once('-')
        .map_or((version, None), |(numbers, before)| (numbers, Some(before)));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let count = numbers.split('.').count();
    count <= 3
        && numbers.split('.').all(is_number)
        && [before, build]
            .into_iter()
            .flatten()
            .all(|words| words.split('.').all(is_word))
}

/// Reads a chart: an archive, or a folder, which is packed whole but for names that begin with a dot.
///
/// # Errors
/// When it cannot be read, or is no chart.
pub fn chart(path: &Path) -> Result<Chart, ChartError> {
    let unreadable = |source| ChartError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let no_chart = |reason: String| ChartError::NoChart {
        path: path.to_owned(),
        reason,
    };
    let archive = if path.is_dir() {
        if !path.join("Chart.yaml").is_file() {
            return Err(no_chart("the folder holds no Chart.yaml".to_owned()));
        }
        packed(path).map_err(unreadable)?
    } else if fs::metadata(path).map_err(unreadable)?.is_file() {
        fs::read(path).map_err(unreadable)?
    } else {
        return Err(no_chart("it is neither a file nor a folder".to_owned()));
    };
    let Described { text, inside } = described(&archive)
        .map_err(|error| no_chart(format!("it is no tar that gzip has compressed ({error})")))?;
    let text = text.ok_or_else(|| no_chart("the archive holds no Chart.yaml in a folder".to_owned()))?;
    let description: Description =
        serde_saphyr::from_str(&text).map_err(|error| no_chart(format!("its Chart.yaml: {error}")))?;
    let problems = description.problems(&inside);
    if !problems.is_empty() {
        return Err(no_chart(problems.join("; ")));
    }
    Ok(Chart {
        archive,
        name: description.name,
        version: description.version,
    })
}

/// The folder as an archive. Its bytes depend on names and contents, and on nothing else.
fn packed(folder: &Path) -> io::Result<Vec<u8>> {
    let mut tree = Tree::default();
    add(&mut tree, "chart", folder)?;
    // No name and no time in the header of gzip.
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(9));
    tree.write_tar(&mut encoder, 0)?;
    encoder.finish()
}

fn add(tree: &mut Tree, to: &str, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| io::Error::other(format!("{} is not plain text", Path::new(&name).display())))?;
        if name.starts_with('.') {
            continue;
        }
        let (path, to) = (entry.path(), format!("{to}/{name}"));
        // A link is followed: the archive has no place outside of itself.
        if fs::metadata(&path)?.is_dir() {
            add(tree, &to, &path)?;
        } else {
            tree.copy(&to, 0o644, path);
        }
    }
    Ok(())
}

/// What an archive says of itself.
#[derive(Default)]
struct Described {
    /// The chart's own Chart.yaml: the one that is a single folder deep.
    text: Option<String>,
    /// The charts in its folder `charts`: folders, and archives, whose names go on with a version.
    inside: BTreeSet<String>,
}

fn described(archive: &[u8]) -> io::Result<Described> {
    let mut described = Described::default();
    let mut archive = tar::Archive::new(GzDecoder::new(archive).take(LONGEST));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        match parts.as_slice() {
            [_, "Chart.yaml"] => {
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                described.text = Some(text);
            }
            [_, "charts", archive] if archive.ends_with(".tgz") => {
                described.inside.insert((*archive).to_owned());
            }
            [_, "charts", name, "Chart.yaml"] => {
                described.inside.insert((*name).to_owned());
            }
            _ => {}
        }
    }
    Ok(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("templates")).expect("made");
        let text = "apiVersion: v2\nname: web\nversion: 1.2.3\n";
        fs::write(folder.path().join("Chart.yaml"), text).expect("written");
        fs::write(folder.path().join("templates/a.yaml"), "a: 1\n").expect("written");
        folder
    }

    #[test]
    fn a_folder_and_its_archive_are_the_same_chart() {
        let folder = folder();
        let first = chart(folder.path()).expect("a chart");
        assert_eq!((first.name.as_str(), first.version.as_str()), ("web", "1.2.3"));
        let file = folder.path().join("../chart-of-a-test.tgz");
        fs::write(&file, &first.archive).expect("written");
        let second = chart(&file);
        fs::remove_file(&file).expect("removed");
        assert_eq!(second.expect("a chart"), first);
    }

    #[test]
    fn the_same_files_give_the_same_bytes_and_others_do_not() {
        let (one, other) = (folder(), folder());
        fs::write(other.path().join(".git"), "not a part of it").expect("written");
        let bytes = |folder: &tempfile::TempDir| chart(folder.path()).expect("a chart").archive;
        assert_eq!(bytes(&one), bytes(&other));
        fs::write(other.path().join("templates/a.yaml"), "a: 2\n").expect("written");
        assert_ne!(bytes(&one), bytes(&other));
    }

    #[test]
    fn what_is_no_chart_is_refused_with_the_reason() {
        let empty = tempfile::tempdir().expect("a folder");
        let file = empty.path().join("text.tgz");
        fs::write(&file, "not compressed").expect("written");
        let said = |path: &Path| chart(path).expect_err("no chart").to_string();
        assert!(said(empty.path()).contains("holds no Chart.yaml"));
        assert!(said(&file).contains("is no tar"));
        assert!(said(&empty.path().join("nothing")).contains("cannot be read"));
        let broken = folder();
        for (text, reasons) in [
            ("name: web\n", ["apiVersion", "the version \"\""].as_slice()),
            (
                "apiVersion: v2\nname: web\nversion: 1.x\n",
                &["the version \"1.x\""],
            ),
            (
                "apiVersion: v2\nname: a/b\nversion: 1.0.0\n",
                &["the name \"a/b\""],
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1.0.0\ntype: library\n",
                &["is a library"],
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ndependencies: [{name: redis}, {name: db}]\n",
                &["needs the chart redis", "needs the chart db"],
            ),
        ] {
            fs::write(broken.path().join("Chart.yaml"), text).expect("written");
            let said = said(broken.path());
            assert!(
                reasons.iter().all(|reason| said.contains(reason)),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn charts_that_a_chart_needs_are_found_inside_of_it() {
        let folder = folder();
        let text =
            "apiVersion: v2\nname: a\nversion: v1.0.0-rc.1+5\ndependencies: [{name: redis}, {name: my-db}]\n";
        fs::write(folder.path().join("Chart.yaml"), text).expect("written");
        fs::create_dir_all(folder.path().join("charts/redis")).expect("made");
        fs::write(folder.path().join("charts/redis/Chart.yaml"), "name: redis\n").expect("written");
        fs::write(folder.path().join("charts/my-db-2.0.1-rc.1.tgz"), "").expect("written");
        assert_eq!(chart(folder.path()).expect("a chart").name, "a");
    }
}
