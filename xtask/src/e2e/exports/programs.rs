//! Programs out of the bundle, to run on this machine: files of their own, or of the last layer of an image.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use iec_core::architecture::Architecture;
use iec_core::content::{MANIFEST_FILE, Manifest};

use crate::e2e::machine::Machine;

/// The programs, in a folder of the logs.
pub(super) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those that the scenario runs.
    ///
    /// # Errors
    /// When the bundle has not all of them for this machine.
    pub(super) fn of(machine: &Machine) -> anyhow::Result<Self> {
        let bundle = machine.bundle_folder()?;
        let manifest = Manifest::parse(&fs::read_to_string(bundle.join(MANIFEST_FILE))?)?;
        let own = Architecture::from_uname(std::env::consts::ARCH).context("an unknown architecture")?;
        let folder = machine.logs.join("programs");
        fs::create_dir_all(&folder)?;
        for name in ["kubectl", "kubeadm"] {
            let item = manifest
                .binary(name, own)
                .with_context(|| format!("the bundle has no {name} for {own}"))?;
            let file = folder.join(name);
            fs::copy(bundle.join(item.digest.blob_path()), &file)?;
            executable(&file)?;
        }
        for name in ["etcd", "kube-apiserver"] {
            let (_, image) = manifest
                .image(name, own)
                .with_context(|| format!("the bundle has no image {name} for {own}"))?;
            let layer = image.layers.last().context("the image has no layers")?;
            from_layer(&bundle.join(layer.digest.blob_path()), name, &folder.join(name))?;
        }
        Ok(Self { folder })
    }

    /// Where this program is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Writes the file of this name in a layer.
fn from_layer(layer: &Path, name: &str, to: &Path) -> anyhow::Result<()> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(layer)?)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.ends_with(name) && entry.header().entry_type().is_file() {
            io::copy(&mut entry, &mut File::create(to)?)?;
            return executable(to);
        }
    }
    bail!("{} has no {name}", layer.display())
}

fn executable(file: &Path) -> anyhow::Result<()> {
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_a_layer() {
        let folder = tempfile::tempdir().expect("a folder");
        let layer = folder.path().join("layer");
        let mut archive =
            tar::Builder::new(zstd::Encoder::new(File::create(&layer).expect("a file"), 1).expect("zstd"));
        for (path, content) in [
            ("usr/local/bin/etcdctl", "other"),
            ("usr/local/bin/etcd", "etcd itself"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, path, content.as_bytes())
                .expect("an entry");
        }
        archive.into_inner().expect("a layer").finish().expect("a layer");
        let to = folder.path().join("etcd");
        from_layer(&layer, "etcd", &to).expect("it is there");
        assert_eq!(fs::read_to_string(&to).expect("a file"), "etcd itself");
        let mode = fs::metadata(&to).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(from_layer(&layer, "kubelet", &to).is_err());
    }
}
