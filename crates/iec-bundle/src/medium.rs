//! Images of media: files in an ISO 9660 file system, written by xorriso.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// How many of the last lines of what xorriso printed an error carries.
const LINES: usize = 5;

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// The program is not on this machine.
    #[error("xorriso, which writes images, is not installed")]
    Missing,
    /// The program did not do it.
    #[error("xorriso cannot write {}", image.display())]
    Failed {
        /// The image.
        image: PathBuf,
        /// The last lines that it printed.
        output: Vec<String>,
    },
    /// A file cannot be read or written, or the program cannot be started.
    #[error("{} cannot be written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The program that writes images.
#[derive(Debug, Clone)]
pub struct MediumWriter {
    program: PathBuf,
}

impl MediumWriter {
    /// The writer of this machine.
    ///
    /// # Errors
    /// When it has none.
    pub fn find() -> Result<Self, MediumError> {
        Self::with("xorriso".into())
    }

    fn with(program: PathBuf) -> Result<Self, MediumError> {
        let asked = Command::new(&program).arg("-version").output();
        match asked {
            Ok(output) if output.status.success() => Ok(Self { program }),
            _ => Err(MediumError::Missing),
        }
    }

    /// Writes an image whose file system has this label, with these files: their path in it, and where they are. Names and
    /// modes stay, everything belongs to root, and only its owner may read the image. It comes to its place whole or not
    /// at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, image: &Path, label: &str, files: &[(String, PathBuf)]) -> Result<(), MediumError> {
        let partial = image.with_extension("partial");
        let written = self.write_partial(&partial, image, label, files);
        if written.is_err() {
            // What is left says nothing to anybody; that it could not be removed says less than the error.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    fn write_partial(
        &self,
        partial: &Path,
        image: &Path,
        label: &str,
        files: &[(String, PathBuf)],
    ) -> Result<(), MediumError> {
        let failed = |source| MediumError::Io {
            path: image.to_owned(),
            source,
        };
        // Made beforehand: secrets may be in it from its first byte on.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(partial).map_err(failed)?;
        let list: String = files
            .iter()
            .map(|(inside, file)| format!("{}={}\n", escaped(inside), escaped(&file.display().to_string())))
            .collect();
        let output = self.run(partial, label, list).map_err(failed)?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            return Err(MediumError::Failed {
                image: image.to_owned(),
                output: lines[lines.len().saturating_sub(LINES)..].to_vec(),
            });
        }
        fs::rename(partial, image).map_err(failed)
    }

    fn run(&self, image: &Path, label: &str, list: String) -> io::Result<Output> {
        let mut child = Command::new(&self.program)
            .args(["-as", "mkisofs", "-quiet", "-V", label])
            // Rock Ridge for Linux: long names and modes. Joliet for who looks at it elsewhere.
            .args(["-R", "-J", "-joliet-long", "-uid", "0", "-gid", "0", "-o"])
            .arg(image)
            .args(["-graft-points", "-path-list", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A thread, because a program may print before it has read everything.
        let feeder = std::thread::spawn(move || stdin.write_all(list.as_bytes()));
        let output = child.wait_with_output()?;
        // A program that ended early has said why.
        let _ = feeder.join();
        Ok(output)
    }
}

/// A path as one side of `TARGET=SOURCE`.
fn escaped(path: &str) -> String {
    path.replace('\\', "\\\\").replace('=', "\\=")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn xorriso(image: &Path, words: &[&str]) -> String {
        let output = Command::new("xorriso")
            .args(["-osirrox", "on", "-indev"])
            .arg(image)
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    #[test]
    fn what_was_written_is_read_back_with_its_label_names_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let digest = "4f".repeat(32);
        let contents = [
            ("install-edge-1.sh".to_owned(), "script", 0o755),
            ("secrets-edge-1".to_owned(), "secret", 0o600),
            (format!("blobs/sha256/{digest}"), "blob", 0o644),
            ("odd = name".to_owned(), "odd", 0o644),
        ];
        let files: Vec<(String, PathBuf)> = contents
            .iter()
            .enumerate()
            .map(|(index, (inside, text, mode))| {
                let path = folder.path().join(format!("a=b {index}"));
                fs::write(&path, text).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                (inside.clone(), path)
            })
            .collect();
        let image = folder.path().join("seed.iso");
        MediumWriter::find()
            .unwrap()
            .write(&image, "IEC-SEED", &files)
            .unwrap();
        assert_eq!(fs::metadata(&image).unwrap().permissions().mode() & 0o777, 0o600);
        // The label is in the first volume descriptor, 32 bytes from its 40th on: what `by-label` goes by.
        let bytes = fs::read(&image).unwrap();
        assert_eq!(
            &bytes[16 * 2048 + 40..16 * 2048 + 72],
            format!("{:32}", "IEC-SEED").as_bytes()
        );
        let out = folder.path().join("out");
        xorriso(&image, &["-extract", "/", out.to_str().unwrap()]);
        for (inside, text, mode) in &contents {
            let path = out.join(inside);
            assert_eq!(fs::read_to_string(&path).unwrap(), *text, "{inside}");
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                *mode,
                "{inside}"
            );
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
        let listed = xorriso(&image, &["-lsl", "/"]);
        assert!(
            listed
                .lines()
                .any(|line| line.starts_with("-rw-------") && line.contains(" 0 ")),
            "{listed}"
        );
    }

    #[test]
    fn what_cannot_be_written_says_so_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("seed.iso");
        let files = [("a".to_owned(), folder.path().join("nowhere"))];
        let error = MediumWriter::find()
            .unwrap()
            .write(&image, "IEC-SEED", &files)
            .unwrap_err();
        assert!(
            matches!(&error, MediumError::Failed { output, .. } if output.concat().contains("nowhere")),
            "{error:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(
            MediumWriter::with(folder.path().join("xorriso")),
            Err(MediumError::Missing)
        ));
    }
}
