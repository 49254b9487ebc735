//! The files of the repository as the rules read them: paths and texts, and nothing of the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::source;

/// The text files of the repository, by their paths below its root.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the files that git knows or would add. Files that are not text are left out.
    ///
    /// # Errors
    /// When git or a file cannot be read.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new("git")
            .current_dir(root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("git cannot be started")?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let mut files = BTreeMap::new();
        for path in String::from_utf8(output.stdout)?.split_terminator('\0') {
            let place = root.join(path);
            // A deleted file stays in git's list until the deletion is added; a link has no text of its own.
            if !place.symlink_metadata().is_ok_and(|found| found.is_file()) {
                continue;
            }
            let bytes = std::fs::read(&place).with_context(|| format!("{path} cannot be read"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.insert(path.to_owned(), text);
            }
        }
        Ok(Self { files })
    }

    /// A tree of these files.
    #[cfg(test)]
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(path, text): (&str, &str)| (path.to_owned(), text.to_owned());
        Self {
            files: files.into_iter().map(own).collect(),
        }
    }

    /// Every file: path and text.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose names end so.
    pub(super) fn ending(&self, suffix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(suffix))
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is a file or a folder of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Whether a Rust file is compiled for tests or examples only.
    pub(super) fn is_test(&self, path: &str) -> bool {
        path.split('/')
            .any(|part| matches!(part, "tests" | "benches" | "examples"))
            || path.ends_with("/tests.rs")
            || self.is_test_module(path)
    }

    /// Whether the module that a file is, or one above it, is declared under `#[cfg(test)]`.
    fn is_test_module(&self, path: &str) -> bool {
        let Some((folder, file)) = path.rsplit_once('/') else {
            return false;
        };
        let stem = file.trim_end_matches(".rs");
        let (place, name) = if stem == "mod" {
            let Some(split) = folder.rsplit_once('/') else {
                return false;
            };
            split
        } else {
            (folder, stem)
        };
        let parents = [
            format!("{place}/mod.rs"),
            format!("{place}/lib.rs"),
            format!("{place}/main.rs"),
            format!("{place}.rs"),
        ];
        parents.iter().filter(|parent| *parent != path).any(|parent| {
            let Some(text) = self.text(parent) else {
                return false;
            };
            source::test_modules(text).iter().any(|module| module == name)
                || (!parent.ends_with("/lib.rs")
                    && !parent.ends_with("/main.rs")
                    && self.is_test_module(parent))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_for_tests_is_test_code_with_all_below_it() {
        let tree = Tree::of([
            ("crates/a/src/lib.rs", "#[cfg(test)]\nmod testing;\nmod real;\n"),
            ("crates/a/src/testing/mod.rs", "mod server;\n"),
            ("crates/a/src/testing/server.rs", ""),
            ("crates/a/src/real.rs", ""),
            ("crates/a/tests/b.rs", ""),
        ]);
        assert!(tree.is_test("crates/a/src/testing/mod.rs"));
        assert!(tree.is_test("crates/a/src/testing/server.rs"));
        assert!(tree.is_test("crates/a/tests/b.rs"));
        assert!(!tree.is_test("crates/a/src/real.rs"));
        assert!(!tree.is_test("crates/a/src/lib.rs"));
    }

    #[test]
    fn what_git_ignores_or_has_lost_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let git = |words: &[&str]| {
            let output = Command::new("git")
                .current_dir(root)
                .args(words)
                .output()
                .expect("git");
            assert!(output.status.success(), "{output:?}");
        };
        git(&["init", "-q"]);
        for (name, bytes) in [
            (".gitignore", b"/target\n".as_slice()),
            ("a.md", b"text"),
            ("gone.md", b"text"),
            ("target", b"built"),
            ("picture", b"\xff\x00"),
        ] {
            std::fs::write(root.join(name), bytes).expect("written");
        }
        git(&["add", "."]);
        std::fs::remove_file(root.join("gone.md")).expect("removed");
        let tree = Tree::read(root).expect("read");
        let paths: Vec<&str> = tree.files().map(|(path, _)| path).collect();
        assert_eq!(paths, [".gitignore", "a.md"]);
    }
}
