//! Helm charts: an archive as it is, or a folder packed into one, always into the same bytes.

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
#[derive(Deserialize)]
struct Description {
    name: String,
    version: String,
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
    } else {
        fs::read(path).map_err(unreadable)?
    };
    let text = described(&archive)
        .map_err(|error| no_chart(format!("it is no tar that gzip has compressed ({error})")))?
        .ok_or_else(|| no_chart("the archive holds no Chart.yaml in a folder".to_owned()))?;
    let Description { name, version } =
        serde_saphyr::from_str(&text).map_err(|error| no_chart(format!("its Chart.yaml: {error}")))?;
    Ok(Chart {
        archive,
        name,
        version,
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

/// The text of the chart's own Chart.yaml: the one that is a single folder deep.
fn described(archive: &[u8]) -> io::Result<Option<String>> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive).take(LONGEST));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let is_own =
            path.components().count() == 2 && path.file_name().is_some_and(|name| name == "Chart.yaml");
        if is_own {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            return Ok(Some(text));
        }
    }
    Ok(None)
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
        fs::write(broken.path().join("Chart.yaml"), "name: web\n").expect("written");
        assert!(said(broken.path()).contains("version"));
    }
}
