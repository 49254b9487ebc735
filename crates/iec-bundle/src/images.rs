//! The images: which layers each is stacked from, how its program is started, and the two JSON blobs that say so.

use std::path::{Path, PathBuf};

use iec_core::architecture::Architecture;
use iec_core::content::{
    Blob, Digest, ImageItem, Item, Kind, MEDIA_TYPE_IMAGE_CONFIG, MEDIA_TYPE_IMAGE_MANIFEST,
};
use serde_json::{Value, json};

use crate::layer::Layer;
use crate::tree::Tree;

/// The start script of calico-node: what the upstream image's init system does, in VXLAN mode or without a dataplane of
/// its own for routes.
const CALICO_NODE_ENTRY: &str = include_str!("calico-node.sh");

/// How an image's program is started.
pub(crate) struct Start {
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    user: &'static str,
    folder: &'static str,
    path: &'static str,
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const fn start(entrypoint: &'static [&'static str]) -> Start {
    Start {
        entrypoint,
        command: &[],
        user: "",
        folder: "/",
        path: PATH,
    }
}

/// A layer below others, shared by several images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    /// Users and certificates.
    Base,
    /// The C library, a shell, a few commands.
    Shell,
    /// The tools that change a host's network.
    NetworkTools,
    /// nginx and curl.
    Nginx,
    /// keepalived, and openssl to ask an API server with.
    Keepalived,
}

/// Puts an image's own files into a tree; the function gives the path of a part's file by part and name.
pub(crate) type FillTop = fn(&mut Tree, &dyn Fn(&str, &str) -> PathBuf);

/// One image.
pub(crate) struct ImageRecipe {
    /// The item's name, and its key among the release's images.
    pub(crate) name: &'static str,
    /// The shared layers, lowest first.
    pub(crate) roots: &'static [Root],
    /// The Go parts (or `pause`) whose programs are in it.
    pub(crate) parts: &'static [&'static str],
    /// How it starts.
    pub(crate) start: Start,
    /// Its own layer on top; none when the shared ones are all of it. Takes the path of a part's file.
    pub(crate) top: Option<FillTop>,
}

macro_rules! kubernetes_image {
    ($name:literal, $roots:expr) => {
        ImageRecipe {
            name: $name,
            roots: $roots,
            parts: &["kubernetes"],
            start: start(&[concat!("/usr/local/bin/", $name)]),
            top: Some(|tree, file| {
                tree.program(concat!("usr/local/bin/", $name), file("kubernetes", $name));
            }),
        }
    };
}

/// The CNI plugins that the image calico/cni installs beside its own, as far as they are modules of this release.
const CALICO_CNI_PLUGINS: [&str; 5] = ["bandwidth", "host-local", "loopback", "portmap", "tuning"];

/// Every image of a bundle.
pub(crate) const IMAGES: [ImageRecipe; 12] = [
    kubernetes_image!("kube-apiserver", &[Root::Base]),
    kubernetes_image!("kube-controller-manager", &[Root::Base]),
    kubernetes_image!("kube-scheduler", &[Root::Base]),
    kubernetes_image!("kube-proxy", &[Root::Base, Root::Shell, Root::NetworkTools]),
    ImageRecipe {
        name: "etcd",
        roots: &[Root::Base],
        parts: &["etcd"],
        start: start(&["/usr/local/bin/etcd"]),
        top: Some(|tree, file| {
            for name in ["etcd", "etcdctl", "etcdutl"] {
                tree.program(&format!("usr/local/bin/{name}"), file("etcd", name));
            }
        }),
    },
    ImageRecipe {
        name: "coredns",
        roots: &[Root::Base],
        parts: &["coredns"],
        // Port 53 is open to all users in a pod: containerd sets ip_unprivileged_port_start to 0.
        start: Start {
            user: "65532:65532",
            ..start(&["/coredns"])
        },
        top: Some(|tree, file| {
            tree.program("coredns", file("coredns", "coredns"));
        }),
    },
    ImageRecipe {
        name: "pause",
        roots: &[],
        parts: &["pause"],
        start: Start {
            user: "65535:65535",
            ..start(&["/pause"])
        },
        top: Some(|tree, file| {
            tree.program("pause", file("pause", "pause"));
        }),
    },
    ImageRecipe {
        name: "calico-node",
        roots: &[Root::Base, Root::Shell, Root::NetworkTools],
        parts: &["calico"],
        start: start(&["/usr/local/bin/start-calico-node"]),
        top: Some(|tree, file| {
            tree.program("usr/bin/calico-node", file("calico", "calico-node"))
                .file("usr/local/bin/start-calico-node", 0o755, CALICO_NODE_ENTRY)
                .copy("etc/calico/felix.cfg", 0o644, file("calico", "felix.cfg"))
                .folder("etc/calico/confd/config", 0o755)
                .folder("var/lib/calico", 0o755)
                .folder("var/log/calico", 0o755);
        }),
    },
    ImageRecipe {
        name: "calico-cni",
        roots: &[Root::Base],
        parts: &["calico", "cni-plugins"],
        start: Start {
            command: &["/opt/cni/bin/install"],
            folder: "/opt/cni/bin",
            path: "/opt/cni/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ..start(&[])
        },
        top: Some(|tree, file| {
            for name in ["calico", "install"] {
                tree.program(&format!("opt/cni/bin/{name}"), file("calico", name));
            }
            // One program under two names: it looks at the name it was called by.
            tree.hard_link("opt/cni/bin/calico-ipam", "opt/cni/bin/calico");
            for name in CALICO_CNI_PLUGINS {
                tree.program(&format!("opt/cni/bin/{name}"), file("cni-plugins", name));
            }
        }),
    },
    ImageRecipe {
        name: "calico-kube-controllers",
        roots: &[Root::Base],
        parts: &["calico"],
        start: Start {
            user: "999",
            ..start(&["/usr/bin/kube-controllers"])
        },
        top: Some(|tree, file| {
            tree.program("usr/bin/kube-controllers", file("calico", "kube-controllers"))
                .program("usr/bin/check-status", file("calico", "check-status"));
            for (folder, files) in [
                ("status", ["status.json"].as_slice()),
                ("profiles", &["mem.pprof", "cpu.pprof"]),
            ] {
                tree.folder(folder, 0o755).own(folder, 999);
                for name in files {
                    let path = format!("{folder}/{name}");
                    tree.file(&path, 0o644, "").own(&path, 999);
                }
            }
        }),
    },
    ImageRecipe {
        name: "nginx",
        roots: &[Root::Base, Root::Shell, Root::Nginx],
        parts: &[],
        start: start(&["/usr/sbin/nginx", "-g", "daemon off;"]),
        top: None,
    },
    ImageRecipe {
        name: "keepalived",
        // The network tools are on every host already.
        roots: &[Root::Base, Root::Shell, Root::NetworkTools, Root::Keepalived],
        parts: &[],
        start: start(&["/usr/local/bin/start-keepalived"]),
        top: None,
    },
];

/// The JSON blobs of an image and the item that names them.
pub(crate) struct Assembled {
    pub(crate) item: ImageItem,
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
}

/// Puts an image together from its layers.
pub(crate) fn assemble(
    start: &Start,
    reference: &str,
    layers: &[Layer],
    architecture: Architecture,
    source_date: &str,
) -> Assembled {
    let created = format!("{source_date}T00:00:00Z");
    let mut process = json!({"Env": [format!("PATH={}", start.path)], "WorkingDir": start.folder});
    for (name, words) in [("Entrypoint", start.entrypoint), ("Cmd", start.command)] {
        if !words.is_empty() {
            process[name] = json!(words);
        }
    }
    if !start.user.is_empty() {
        process["User"] = json!(start.user);
    }
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let mut config = json!({
        "created": created,
        "architecture": architecture.go_name(),
        "os": "linux",
        "config": process,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": layers.iter().map(|_| json!({"created": created, "created_by": "iec bundle build"})).collect::<Vec<_>>(),
    });
    if architecture == Architecture::Arm64 {
        config["variant"] = json!("v8");
    }
    let (config, config_blob) = blob(&config, MEDIA_TYPE_IMAGE_CONFIG);
    let layers: Vec<Blob> = layers.iter().map(|layer| layer.blob.clone()).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE_IMAGE_MANIFEST,
        "config": config_blob,
        "layers": layers,
    });
    let (manifest, manifest_blob) = blob(&manifest, MEDIA_TYPE_IMAGE_MANIFEST);
    let item = ImageItem {
        reference: reference.to_owned(),
        manifest: manifest_blob,
        config: config_blob,
        layers,
    };
    Assembled {
        item,
        manifest,
        config,
    }
}

fn blob(value: &Value, media_type: &str) -> (Vec<u8>, Blob) {
    let bytes = value.to_string().into_bytes();
    let blob = Blob {
        media_type: media_type.to_owned(),
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
    };
    (bytes, blob)
}

/// The first image that a YAML manifest names and none of these items is.
pub(crate) fn absent<'a>(manifest: &'a str, items: &[Item]) -> Option<&'a str> {
    let named = manifest.lines().filter_map(|line| {
        let line = line.trim_start();
        let value = line.strip_prefix("- ").unwrap_or(line).trim_start();
        let value = value.strip_prefix("image:")?.split(" #").next()?;
        let reference = value.trim().trim_matches(['"', '\'']);
        // Definitions of resources have fields of this name, with the field's own description below.
        (!reference.is_empty()).then_some(reference)
    });
    let carried = |reference: &str| {
        items
            .iter()
            .any(|item| matches!(&item.kind, Kind::Image(image) if image.reference == reference))
    };
    named.into_iter().find(|reference| !carried(reference))
}

/// Whether an image manifest's bytes name the configuration and layers that the item names.
pub(crate) fn manifest_agrees(path: &Path, item: &ImageItem) -> bool {
    let Ok(bytes) = std::fs::read(path) else {
        return false;
    };
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
        return false;
    };
    value["config"] == json!(item.config) && value["layers"] == json!(item.layers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iec_core::release::Release;

    #[test]
    fn the_release_names_a_reference_for_every_image_and_no_other() {
        let release = Release::bundled("1.36").unwrap();
        let mut names: Vec<_> = IMAGES.iter().map(|image| image.name).collect();
        names.sort_unstable();
        assert_eq!(
            release.images.keys().map(String::as_str).collect::<Vec<_>>(),
            names
        );
    }

    #[test]
    fn an_image_is_assembled_the_same_each_time_and_names_its_layers() {
        let layer = Layer {
            blob: Blob {
                media_type: "layer".into(),
                digest: Digest::of(b"compressed"),
                size: 10,
            },
            diff_id: Digest::of(b"tar"),
        };
        let make = || {
            assemble(
                &IMAGES[0].start,
                "registry.k8s.io/x:v1",
                std::slice::from_ref(&layer),
                Architecture::Arm64,
                "2026-11-20",
            )
        };
        let image = make();
        assert_eq!(image.manifest, make().manifest);
        assert_eq!(image.item.config.digest, Digest::of(&image.config));
        let config: Value = serde_json::from_slice(&image.config).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], layer.diff_id.to_string());
        assert_eq!(
            (&config["architecture"], &config["variant"]),
            (&json!("arm64"), &json!("v8"))
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest");
        std::fs::write(&path, &image.manifest).unwrap();
        assert!(manifest_agrees(&path, &image.item));
        let mut other = image.item;
        other.layers.clear();
        assert!(!manifest_agrees(&path, &other));
    }

    #[test]
    fn an_image_that_a_manifest_names_and_nothing_carries_is_found() {
        let image = assemble(
            &IMAGES[0].start,
            "docker.io/calico/node:v3.28.5",
            &[],
            Architecture::Amd64,
            "2026-11-20",
        );
        let items = [Item {
            name: "calico-node".to_owned(),
            architecture: Some(Architecture::Amd64),
            digest: image.item.manifest.digest,
            size: image.item.manifest.size,
            origin: Vec::new(),
            kind: Kind::Image(image.item),
        }];
        let node = "containers:\n  - name: calico-node\n    image: docker.io/calico/node:v3.28.5\n";
        let definition = "properties:\n  image:\n    type: string\n";
        assert_eq!(absent(&format!("{node}{definition}"), &items), None);
        for other in [
            "- image: docker.io/calico/cni:v3.28.5",
            "    image: \"docker.io/calico/cni:v3.28.5\"  # the plugin",
        ] {
            let found = absent(&format!("{node}{other}\n"), &items).map(str::to_owned);
            assert_eq!(found.as_deref(), Some("docker.io/calico/cni:v3.28.5"), "{other}");
        }
        assert!(absent(&node.replace("v3.28.5", "v3.28.6"), &items).is_some());
    }
}
