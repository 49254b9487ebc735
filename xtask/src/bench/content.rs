//! The content of a bundle as trees that belong on a host: what `bench/bare.sh` sends as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use iec_core::plan::image_names;
use iec_core::site::Role;
use serde::Deserialize;
use serde_json::{Value, json};

/// Programs and where they belong; CNI plugins are found by their names.
const PROGRAMS: [(&str, &str); 7] = [
    ("containerd", "usr/local/bin"),
    ("containerd-shim-runc-v2", "usr/local/bin"),
    ("ctr", "usr/local/bin"),
    ("kubelet", "usr/local/bin"),
    ("kubeadm", "usr/local/bin"),
    ("kubectl", "usr/local/bin"),
    ("runc", "usr/local/sbin"),
];
const HOST_TOOLS: &str = "opt/iec/host-tools";

/// A bundle, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Manifest {
    kubernetes: String,
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    name: String,
    digest: String,
    kind: Value,
    architecture: Option<String>,
}

/// A descriptor of an OCI image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    media_type: String,
    digest: String,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Image {
    reference: String,
    manifest: Blob,
    config: Blob,
    layers: Vec<Blob>,
}

/// Lays a bundle out in `folder`: `control-plane/`, `worker/` and `versions`. Files are linked, not copied.
///
/// # Errors
/// When the bundle lacks something, or a file cannot be made.
pub(super) fn lay_out(bundle: &Path, folder: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(bundle.join("manifest.json"))
        .with_context(|| format!("{} holds no bundle", bundle.display()))?;
    let manifest: Manifest = serde_json::from_str(&text)?;
    let own = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let items: BTreeMap<&str, &Item> = manifest
        .items
        .iter()
        .filter(|item| {
            item.architecture
                .as_deref()
                .is_none_or(|architecture| architecture == own)
        })
        .map(|item| (item.name.as_str(), item))
        .collect();
    let layout = Layout { bundle, items };
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    // The same role-only content as the plan's.
    for (name, role) in Role::WORDS {
        layout.tree(&folder.join(name), &image_names(role))?;
    }
    layout.link(
        "calico-vxlan.yaml",
        &folder.join("control-plane/var/tmp/calico.yaml"),
        0o644,
    )?;
    let tag = |name| -> anyhow::Result<String> {
        let reference = layout.image(name)?.reference;
        Ok(reference.rsplit(':').next().unwrap_or_default().to_owned())
    };
    let versions = format!(
        "kubernetes={}\netcd={}\ncoredns={}\n",
        manifest.kubernetes,
        tag("etcd")?,
        tag("coredns")?
    );
    Ok(fs::write(folder.join("versions"), versions)?)
}

struct Layout<'a> {
    bundle: &'a Path,
    items: BTreeMap<&'a str, &'a Item>,
}

impl Layout<'_> {
    /// Everything that a host of a role gets.
    fn tree(&self, root: &Path, images: &[&str]) -> anyhow::Result<()> {
        for (name, place) in PROGRAMS {
            self.link(name, &root.join(place).join(name), 0o755)?;
        }
        for name in self.items.keys() {
            if let Some(plugin) = name.strip_prefix("cni/") {
                self.link(name, &root.join("opt/cni/bin").join(plugin), 0o755)?;
            }
        }
        self.host_tools(root)?;
        let pause = self.image("pause")?.reference;
        let layout = root.join("var/tmp/images");
        self.images(&layout, images)?;
        Ok(fs::write(root.join("var/tmp/pause"), pause)?)
    }

    fn host_tools(&self, root: &Path) -> anyhow::Result<()> {
        let place = root.join(HOST_TOOLS);
        fs::create_dir_all(&place)?;
        let unpacked = Command::new("tar")
            .arg("-xf")
            .arg(self.blob(&self.item("host-tools")?.digest))
            .args(["--no-same-owner", "-C"])
            .arg(&place)
            .status()?;
        ensure!(unpacked.success(), "the host tools cannot be unpacked");
        let links = root.join("usr/local/sbin");
        for tool in fs::read_dir(place.join("bin"))? {
            let name = tool?.file_name();
            symlink(
                Path::new("/").join(HOST_TOOLS).join("bin").join(&name),
                links.join(&name),
            )?;
        }
        Ok(())
    }

    fn images(&self, layout: &Path, names: &[&str]) -> anyhow::Result<()> {
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let mut manifests = Vec::new();
        for name in names {
            let image = self.image(name)?;
            for blob in [&image.manifest, &image.config].into_iter().chain(&image.layers) {
                let source = self.blob(&blob.digest);
                let target = blobs.join(source.file_name().context("a digest is a name")?);
                if !target.exists() {
                    link_or_copy(&source, &target)?;
                }
            }
            manifests.push(json!({
                "mediaType": image.manifest.media_type,
                "digest": image.manifest.digest,
                "size": image.manifest.size,
                "annotations": {"io.containerd.image.name": image.reference},
            }));
        }
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(layout.join("index.json"), index.to_string())?;
        Ok(fs::write(
            layout.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?)
    }

    fn item(&self, name: &str) -> anyhow::Result<&Item> {
        self.items
            .get(name)
            .copied()
            .with_context(|| format!("the bundle has no {name}"))
    }

    fn image(&self, name: &str) -> anyhow::Result<Image> {
        serde_json::from_value(self.item(name)?.kind.clone()).with_context(|| format!("{name} is no image"))
    }

    fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.bundle.join("blobs/sha256").join(hex)
    }

    /// A file of the bundle at its place, with its mode. A copy, because links share one mode.
    fn link(&self, name: &str, target: &Path, mode: u32) -> anyhow::Result<()> {
        let parent = target.parent().context("a path below a folder")?;
        fs::create_dir_all(parent)?;
        fs::copy(self.blob(&self.item(name)?.digest), target)?;
        Ok(fs::set_permissions(target, fs::Permissions::from_mode(mode))?)
    }
}

/// A second name for a file; a copy where the two folders are on different disks.
fn link_or_copy(source: &Path, target: &Path) -> anyhow::Result<()> {
    if fs::hard_link(source, target).is_err() {
        fs::copy(source, target).with_context(|| format!("{} cannot be copied", source.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle in which every blob is called after what it is.
    fn bundle(folder: &Path) {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("a folder");
        fs::create_dir_all(folder.join("tools/bin")).expect("a folder");
        fs::write(folder.join("tools/bin/nft"), "tool").expect("written");
        let tar = Command::new("tar")
            .args(["-cf"])
            .arg(blobs.join("host-tools"))
            .arg("-C")
            .arg(folder.join("tools"))
            .arg("bin")
            .status();
        assert!(tar.expect("tar").success());
        let mut items =
            vec![json!({"name": "host-tools", "digest": "sha256:host-tools", "kind": {"type": "tree"}})];
        let file = |name: &str| {
            let blob = name.replace('/', "-");
            fs::write(blobs.join(&blob), name).expect("written");
            format!("sha256:{blob}")
        };
        for name in PROGRAMS
            .iter()
            .map(|(name, _)| *name)
            .chain(["cni/bridge", "calico-vxlan.yaml"])
        {
            items.push(json!({"name": name, "digest": file(name), "kind": {"type": "binary"}}));
        }
        for name in image_names(Role::ControlPlane) {
            let blob =
                |part: &str| json!({"mediaType": "x", "digest": file(&format!("{name}-{part}")), "size": 1});
            items.push(json!({"name": name, "digest": file(&format!("{name}-manifest")), "kind": {
                "type": "image", "reference": format!("example.org/{name}:v1"), "manifest": blob("manifest"),
                "config": blob("config"), "layers": [{"mediaType": "x", "digest": file("base"), "size": 1}],
            }}));
        }
        let manifest = json!({"kubernetes": "v1.36.3", "items": items});
        fs::write(folder.join("manifest.json"), manifest.to_string()).expect("written");
    }

    #[test]
    fn each_role_gets_its_own_content() {
        let folder = tempfile::tempdir().expect("a folder");
        bundle(&folder.path().join("bundle"));
        let out = folder.path().join("out");
        lay_out(&folder.path().join("bundle"), &out).expect("it is laid out");
        let has = |path: &str| out.join(path).symlink_metadata().is_ok();
        for path in [
            "worker/usr/local/bin/kubelet",
            "worker/opt/cni/bin/bridge",
            "worker/opt/iec/host-tools/bin/nft",
            "worker/usr/local/sbin/nft",
            "worker/var/tmp/images/blobs/sha256/nginx-config",
            "control-plane/var/tmp/images/blobs/sha256/etcd-config",
            "control-plane/var/tmp/calico.yaml",
        ] {
            assert!(has(path), "{path}");
        }
        assert!(!has("worker/var/tmp/images/blobs/sha256/etcd-config"));
        assert!(!has("worker/var/tmp/calico.yaml"));
        let versions = fs::read_to_string(out.join("versions")).expect("written");
        assert_eq!(versions, "kubernetes=v1.36.3\netcd=v1\ncoredns=v1\n");
    }
}
