//! What stands for a bundle where none is at hand and nothing is installed: the names of all items, with made-up content.

use crate::architecture::Architecture;
use crate::content::{
    Blob, Digest, ImageItem, Item, Kind, MANIFEST_SCHEMA, MEDIA_TYPE_IMAGE_CONFIG, MEDIA_TYPE_IMAGE_MANIFEST,
    MEDIA_TYPE_LAYER_ZSTD, Manifest,
};
use crate::release::Release;

/// Every item that a plan of this release may ask for, for both architectures. Their digests are those of their names: what is
/// planned with them says what a site is, and can be installed nowhere.
#[must_use]
pub fn unbundled(release: &Release) -> Manifest {
    let mut items = Vec::new();
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        let binaries = [
            "containerd",
            "containerd-shim-runc-v2",
            "ctr",
            "runc",
            "kubelet",
            "kubeadm",
            "kubectl",
            "helm",
            "cni/bridge",
            "cni/host-local",
            "cni/loopback",
            "cni/portmap",
        ];
        let mut add = |name: &str, kind: Kind, digest: Digest| {
            items.push(Item {
                name: name.to_owned(),
                kind,
                architecture: Some(architecture),
                digest,
                size: 1_000_000,
                origin: vec![],
            });
        };
        for name in binaries {
            add(
                name,
                Kind::Binary,
                Digest::of(format!("{name} {architecture}").as_bytes()),
            );
        }
        add(
            "host-tools",
            Kind::Tree,
            Digest::of(format!("host-tools {architecture}").as_bytes()),
        );
        for name in [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "pause",
            "kube-proxy",
            "coredns",
            "calico-node",
            "calico-cni",
            "calico-kube-controllers",
            "nginx",
            "keepalived",
        ] {
            let blob = |what: &str, media_type: &str| Blob {
                media_type: media_type.to_owned(),
                digest: Digest::of(format!("{what} {architecture}").as_bytes()),
                size: 1_000_000,
            };
            let image = ImageItem {
                reference: release.image(name).unwrap_or_default().to_owned(),
                manifest: blob(name, MEDIA_TYPE_IMAGE_MANIFEST),
                config: blob(&format!("{name} config"), MEDIA_TYPE_IMAGE_CONFIG),
                layers: vec![
                    blob("base", MEDIA_TYPE_LAYER_ZSTD),
                    blob(&format!("{name} layer"), MEDIA_TYPE_LAYER_ZSTD),
                ],
            };
            let digest = image.manifest.digest;
            add(name, Kind::Image(image), digest);
        }
    }
    Manifest {
        schema: MANIFEST_SCHEMA,
        release: release.name.clone(),
        kubernetes: release.kubernetes().to_owned(),
        source_date: release.source_date.clone(),
        architectures: vec![Architecture::Amd64, Architecture::Arm64],
        items,
    }
}
