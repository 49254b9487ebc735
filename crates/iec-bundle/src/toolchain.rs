//! The release's Go toolchain: fetched as the module that it is, compared with the sum in the release, then run.
//!
//! Go compares what it fetches with a public database, unless its user has told it not to. What compiles everything must
//! not hang on a setting: the sum is data of the release, and is taken over the files that will run.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iec_core::architecture::Architecture;
use iec_core::release::Toolchain;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::error::BuildError;
use crate::process::Runner;

/// The module in which Go is published.
const MODULE: &str = "golang.org/toolchain";
/// The part of a build that messages name.
const PART: &str = "go";

/// What `go mod download -json` says, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    dir: PathBuf,
}

/// Fetches the toolchain for this machine with an installed Go, and gives its `go` when its files have the release's sum.
///
/// # Errors
/// When it cannot be fetched, or has another sum.
pub(crate) fn fetch(go: &Path, toolchain: &Toolchain, runner: &Runner<'_>) -> Result<PathBuf, BuildError> {
    let machine = Architecture::from_uname(std::env::consts::ARCH)
        .ok_or_else(|| BuildError::content(PART, "there is no Go for this machine's architecture"))?;
    let expected = toolchain.sums.get(&machine).ok_or_else(|| {
        BuildError::content(
            PART,
            format!("the release has no sum of the toolchain for {machine}"),
        )
    })?;
    let version = format!("v0.0.1-go{}.linux-{}", toolchain.go, machine.go_name());
    let nowhere = tempfile::tempdir().map_err(BuildError::io("create", Path::new("a temporary folder")))?;
    let mut download = Command::new(go);
    download
        .args(["mod", "download", "-json", &format!("{MODULE}@{version}")])
        // A file of modules in the folder would have a say.
        .current_dir(nowhere.path())
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("GOWORK", "off")
        .env_remove("GO111MODULE");
    let answer = runner.run(&mut download)?.join("\n");
    let Downloaded { dir } = serde_json::from_str(&answer).map_err(|error| {
        BuildError::content(
            PART,
            format!("`go mod download` says what nobody expects: {error}"),
        )
    })?;
    compare(&dir, &version, expected)?;
    // Go marks the programs as such before their first use. It would look for another toolchain of that name on the
    // search path first; what an installed Go may be a wrapper of is the system's.
    let mut first = Command::new(go);
    first
        .arg("version")
        .current_dir(nowhere.path())
        .env("PATH", "/usr/bin:/bin")
        .env("GOTOOLCHAIN", format!("go{}", toolchain.go));
    runner.run(&mut first)?;
    Ok(dir.join("bin/go"))
}

fn compare(folder: &Path, version: &str, expected: &str) -> Result<(), BuildError> {
    let found = sum(folder, &format!("{MODULE}@{version}")).map_err(BuildError::io("read", folder))?;
    if found == expected {
        return Ok(());
    }
    let reason = format!(
        "the toolchain in {} is not the one of the release: its sum is {found}, and {expected} was expected. \
         Remove the folder, and see where your Go takes modules from (`go env GOPROXY GOSUMDB`)",
        folder.display()
    );
    Err(BuildError::content(PART, reason))
}

/// The sum of a module's files as Go takes it (`h1:`), whose names begin with `prefix`.
fn sum(folder: &Path, prefix: &str) -> io::Result<String> {
    let mut files = Vec::new();
    collect(folder, prefix, &mut files)?;
    files.sort();
    let mut all = Sha256::new();
    for (name, path) in files {
        let one = digest(&path)?;
        let hex: String = one.iter().map(|byte| format!("{byte:02x}")).collect();
        all.update(format!("{hex}  {name}\n"));
    }
    Ok(format!("h1:{}", STANDARD.encode(all.finalize())))
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = fs::File::open(path)?;
    let mut sum = Sha256::new();
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut bytes)?;
        if read == 0 {
            return Ok(sum.finalize().into());
        }
        sum.update(&bytes[..read]);
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| io::Error::other("it has a file whose name is no text"))?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, &format!("{prefix}/{name}"), files)?;
        } else if !kind.is_file() {
            return Err(io::Error::other(format!("{} is no file", path.display())));
        } else if name == "go.mod" {
            // The module has them under another name; Go puts the right one beside it before the first use.
            let original = folder.join("_go.mod");
            if fs::read(&path)? != fs::read(&original)? {
                return Err(io::Error::other(format!("{} was changed", path.display())));
            }
        } else {
            files.push((format!("{prefix}/{name}"), path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use iec_core::release::Release;

    use super::*;

    fn toolchain() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("go");
        for (name, text) in [
            ("bin/go", "#!/bin/sh\n"),
            ("src/_go.mod", "module std\n"),
            ("LICENSE", "free\n"),
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (folder, root)
    }

    #[test]
    fn the_sum_is_the_one_that_go_takes() {
        let (_folder, root) = toolchain();
        // The lines of `sha256sum` in the order of their names, through sha256sum again and base64.
        let expected = "h1:MwFpvQHmlur2Ln933kiAP54eYSFVWUcoi+rGqpcc43k=";
        assert_eq!(sum(&root, "m@v1").unwrap(), expected);
        fs::write(root.join("src/go.mod"), "module std\n").unwrap();
        assert_eq!(sum(&root, "m@v1").unwrap(), expected, "Go's own copy");
        fs::write(root.join("src/go.mod"), "module other\n").unwrap();
        assert!(
            sum(&root, "m@v1")
                .unwrap_err()
                .to_string()
                .contains("was changed")
        );
        fs::remove_file(root.join("src/go.mod")).unwrap();
        fs::write(root.join("bin/go"), "#!/bin/sh\nevil\n").unwrap();
        assert_ne!(sum(&root, "m@v1").unwrap(), expected);
        std::os::unix::fs::symlink("/bin/sh", root.join("bin/gofmt")).unwrap();
        assert!(sum(&root, "m@v1").is_err());
    }

    #[test]
    fn a_toolchain_with_another_sum_is_never_run() {
        let (folder, root) = toolchain();
        let ran = folder.path().join("ran");
        let script = format!(
            "#!/bin/sh\ncase $* in *download*) echo '{{\"Dir\": \"{}\"}}' ;; *) touch {} ;; esac\n",
            root.display(),
            ran.display()
        );
        let go = folder.path().join("fetcher");
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).write(true).mode(0o755).open(&go).unwrap();
        io::Write::write_all(&mut file, script.as_bytes()).unwrap();
        drop(file);
        let mut release = Release::bundled("1.36").unwrap().toolchain.clone();
        let cancel = std::sync::atomic::AtomicBool::new(false);
        let runner = Runner {
            part: "go",
            cancel: &cancel,
            progress: &|_| {},
        };
        let error = fetch(&go, &release, &runner).unwrap_err();
        assert!(
            error.to_string().contains("is not the one of the release"),
            "{error}"
        );
        assert!(!ran.exists());
        let machine = Architecture::from_uname(std::env::consts::ARCH).unwrap();
        let version = format!("v0.0.1-go{}.linux-{}", release.go, machine.go_name());
        release
            .sums
            .insert(machine, sum(&root, &format!("{MODULE}@{version}")).unwrap());
        assert_eq!(fetch(&go, &release, &runner).unwrap(), root.join("bin/go"));
        assert!(ran.exists());
    }
}
