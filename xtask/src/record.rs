//! What a proof or a benchmark found, written into the documents by the one who ran it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// When, on what, and of which commit.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The day, in UTC.
    pub(crate) date: String,
    /// The commit, with `-dirty` behind it when files were changed.
    pub(crate) commit: String,
    /// Processors, memory, distribution.
    pub(crate) machine: String,
}

impl Run {
    /// This moment, this checkout, this machine.
    ///
    /// # Errors
    /// When git or date cannot tell.
    pub(crate) fn now(root: &Path) -> anyhow::Result<Self> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Ok(Self {
            date: ask(root, "date", &["-u", "+%F"])?,
            commit: ask(
                root,
                "git",
                &["describe", "--always", "--dirty", "--exclude", "*"],
            )?,
            machine: format!(
                "{cpus} processors, {} GiB of memory, {}",
                gibibytes(&memory),
                pretty_name(&release)
            ),
        })
    }
}

/// Memory as a machine has it: the kernel keeps a part for itself, so the next whole number.
fn gibibytes(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 = total
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    kibibytes.div_ceil(1024 * 1024)
}

fn pretty_name(release: &str) -> &str {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("an unknown distribution").trim_matches('"')
}

/// The answer of a program that always has one.
///
/// # Errors
/// When it has none.
pub(crate) fn ask(folder: &Path, program: &str, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .current_dir(folder)
        .args(words)
        .output()
        .with_context(|| format!("{program} cannot be started"))?;
    ensure!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Adds a text to the end of a document.
///
/// # Errors
/// When the document cannot be read or written.
pub(crate) fn append(root: &Path, document: &str, text: &str) -> anyhow::Result<()> {
    let path = root.join(document);
    let mut whole = fs::read_to_string(&path).with_context(|| format!("{document} cannot be read"))?;
    if !text.starts_with('|') {
        whole.push('\n');
    }
    whole.push_str(text.trim_end());
    whole.push('\n');
    fs::write(&path, whole).with_context(|| format!("{document} cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        assert_eq!(gibibytes("MemTotal:       24610840 kB\nMemFree: 1 kB\n"), 24);
        assert_eq!(
            pretty_name("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            "Debian GNU/Linux 12 (bookworm)"
        );
    }

    #[test]
    fn rows_go_under_their_table_and_sections_after_a_blank_line() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.md"), "# A\n\n| a |\n|---|\n").expect("written");
        append(folder.path(), "a.md", "| 1 |").expect("added");
        append(folder.path(), "a.md", "## B\n").expect("added");
        let text = fs::read_to_string(folder.path().join("a.md")).expect("read");
        assert_eq!(text, "# A\n\n| a |\n|---|\n| 1 |\n\n## B\n");
    }
}
