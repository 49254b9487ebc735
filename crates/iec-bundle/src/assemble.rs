//! Turns finished parts into layers, images, trees and binaries: the items of a bundle.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use iec_core::architecture::Architecture;
use iec_core::content::{Digest, Item, Kind, MANIFEST_SCHEMA, Manifest, Origin};
use iec_core::release::Release;

use crate::build::{BuildRequest, Outputs};
use crate::cache::{CachedFile, Output, Slot, Stamp};
use crate::debian::Locked;
use crate::error::BuildError;
use crate::folder::{self, Source};
use crate::images::{self, IMAGES, ImageRecipe, Root};
use crate::jobs::{self, BuildEvent, How, Job};
use crate::layer::{self, Layer};
use crate::modules::GO_PARTS;
use crate::roots::{self, Roots};
use crate::tree::{Bytes, Node, Tree};

/// How many layers are compressed at a time.
const WORKERS: usize = 2;
/// The binaries of a bundle: the part, and the prefix of the item's name.
const BINARY_PARTS: [(&str, &[&str], &str); 5] = [
    ("kubernetes", &["kubeadm", "kubectl", "kubelet"], ""),
    (
        "containerd",
        &["containerd", "containerd-shim-runc-v2", "ctr"],
        "",
    ),
    ("runc", &["runc"], ""),
    ("helm", &["helm"], ""),
    ("cni-plugins", &[], "cni/"),
];
/// The YAML files that are taken from Calico's module.
const MANIFESTS: [&str; 3] = ["calico-vxlan.yaml", "calico-etcd.yaml", "crds.yaml"];
/// The tree's name.
const HOST_TOOLS: &str = "host-tools";

/// What the first stages have made.
pub(crate) struct Parts<'a> {
    pub(crate) outputs: Outputs,
    pub(crate) locked: Vec<Locked>,
    pub(crate) cache: &'a Path,
}

/// Makes everything that is made of parts, and writes the bundle.
///
/// # Errors
/// When a part lacks a file, or writing fails.
pub(crate) fn assemble(
    request: &BuildRequest,
    parts: &Parts<'_>,
    output: &Path,
    sink: &mut dyn FnMut(BuildEvent),
) -> Result<Manifest, BuildError> {
    let release = &request.release;
    let unpack = parts.locked.iter().map(|locked| Job {
        part: "package contents".to_owned(),
        architecture: Some(locked.architecture),
        estimate_seconds: 5,
        work: Box::new(move |_| Ok((roots::unpack(release, locked, parts.cache)?, How::Built))),
    });
    let roots = jobs::run(unpack.collect(), WORKERS, &request.cancel, sink)?;
    let mut bundle = Assembly {
        release,
        parts,
        items: Vec::new(),
        blobs: BTreeMap::new(),
    };
    let layers = bundle.layers(&roots, request, sink)?;
    for roots in &roots {
        bundle.add_images(roots, &layers)?;
        bundle.add_binaries(roots.architecture)?;
        bundle.add_host_tools(roots)?;
    }
    bundle.add_manifests()?;
    bundle
        .items
        .sort_by(|one, other| (&one.name, one.architecture).cmp(&(&other.name, other.architecture)));
    let mut architectures = request.architectures.clone();
    architectures.sort_unstable();
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        release: release.name.clone(),
        kubernetes: release.kubernetes().to_owned(),
        source_date: release.source_date.clone(),
        architectures,
        items: bundle.items,
    };
    folder::write(output, &manifest, &bundle.blobs, &request.trust)?;
    Ok(manifest)
}

/// Names a layer: a shared root, or the top of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LayerName {
    Root(Root),
    Top(&'static str),
}

/// A layer's name and architecture, the layer, and the file that holds it.
type MadeLayer = ((LayerName, Architecture), (Layer, PathBuf));
type Layers = BTreeMap<(LayerName, Architecture), (Layer, PathBuf)>;

struct Assembly<'a> {
    release: &'a Release,
    parts: &'a Parts<'a>,
    items: Vec<Item>,
    blobs: BTreeMap<Digest, Source>,
}

impl Assembly<'_> {
    fn output(&self, part: &str, architecture: Architecture) -> Result<&Output, BuildError> {
        let found = self
            .parts
            .outputs
            .iter()
            .find(|((name, other), _)| *name == part && *other == architecture);
        found
            .map(|(_, output)| output)
            .ok_or_else(|| BuildError::content(part, "it was not built"))
    }

    /// Makes every layer, the largest images' first.
    fn layers(
        &self,
        roots: &[Roots],
        request: &BuildRequest,
        sink: &mut dyn FnMut(BuildEvent),
    ) -> Result<Layers, BuildError> {
        let mut jobs: Vec<Job<'_, MadeLayer>> = Vec::new();
        let seconds = self.release.source_epoch();
        for roots in roots {
            let architecture = roots.architecture;
            let shared = roots
                .selections
                .iter()
                .map(|(root, selection)| (LayerName::Root(*root), selection.tree.clone()));
            let mut trees: Vec<_> = shared.collect();
            for image in &IMAGES {
                if let Some(tree) = self.top(image, architecture)? {
                    trees.push((LayerName::Top(image.name), tree));
                }
            }
            for (name, tree) in trees {
                let cache = self.parts.cache;
                let part = match name {
                    LayerName::Root(root) => format!("{root:?} layer").to_lowercase(),
                    LayerName::Top(image) => format!("{image} layer"),
                };
                let title = part.clone();
                let work = move |_: &crate::process::Runner<'_>| {
                    let (layer, path, how) = make_layer(&title, &tree, cache, seconds)?;
                    Ok((((name, architecture), (layer, path)), how))
                };
                jobs.push(Job {
                    part,
                    architecture: Some(architecture),
                    estimate_seconds: 2,
                    work: Box::new(work),
                });
            }
        }
        Ok(jobs::run(jobs, WORKERS, &request.cancel, sink)?
            .into_iter()
            .collect())
    }

    fn top(&self, image: &ImageRecipe, architecture: Architecture) -> Result<Option<Tree>, BuildError> {
        let Some(fill) = image.top else { return Ok(None) };
        let mut tree = Tree::default();
        fill(&mut tree, &|part, name| {
            // A file that is not there is found when the layer is written, with its path in the error.
            self.output(part, architecture)
                .and_then(|output| output.path(name))
                .unwrap_or_else(|_| PathBuf::from(name))
        });
        Ok(Some(tree))
    }

    fn add_images(&mut self, roots: &Roots, layers: &Layers) -> Result<(), BuildError> {
        for image in &IMAGES {
            let architecture = roots.architecture;
            let reference = self.release.image(image.name);
            let reference =
                reference.ok_or_else(|| BuildError::content(image.name, "the release names no reference"))?;
            let names = image
                .roots
                .iter()
                .map(|root| LayerName::Root(*root))
                .chain(image.top.map(|_| LayerName::Top(image.name)));
            let stack: Vec<&(Layer, PathBuf)> = names.map(|name| &layers[&(name, architecture)]).collect();
            for (layer, path) in &stack {
                self.blobs.insert(layer.blob.digest, Source::File(path.clone()));
            }
            let own: Vec<Layer> = stack.iter().map(|(layer, _)| layer.clone()).collect();
            let made = images::assemble(
                &image.start,
                reference,
                &own,
                architecture,
                &self.release.source_date,
            );
            let mut origin = self.origins(image.parts);
            origin.extend(image.roots.iter().map(|root| roots.selections[root].origin()));
            self.items.push(Item {
                name: image.name.to_owned(),
                architecture: Some(architecture),
                digest: made.item.manifest.digest,
                size: made.item.manifest.size,
                origin,
                kind: Kind::Image(made.item.clone()),
            });
            self.blobs
                .insert(made.item.manifest.digest, Source::Bytes(made.manifest));
            self.blobs
                .insert(made.item.config.digest, Source::Bytes(made.config));
        }
        Ok(())
    }

    fn origins(&self, parts: &[&str]) -> Vec<Origin> {
        let mut origins = Vec::new();
        for name in parts {
            for module in self.release.part(name).into_iter().flat_map(|part| &part.modules) {
                let (module, version, sum) =
                    (module.module.clone(), module.version.clone(), module.sum.clone());
                origins.push(if *name == "pause" {
                    Origin::File {
                        module,
                        version,
                        sum,
                        path: "build/pause/linux/pause.c".to_owned(),
                    }
                } else {
                    Origin::GoModule { module, version, sum }
                });
            }
        }
        origins
    }

    fn add_binaries(&mut self, architecture: Architecture) -> Result<(), BuildError> {
        for (part, names, prefix) in BINARY_PARTS {
            let commands = GO_PARTS
                .iter()
                .find(|known| known.name == part)
                .map(|part| part.commands)
                .unwrap_or_default();
            let all: Vec<&str> = commands.iter().map(|command| command.name).collect();
            for name in if names.is_empty() { &all } else { names } {
                let (path, CachedFile { digest, size }) = self.output(part, architecture)?.file(name)?;
                self.blobs.insert(digest, Source::File(path));
                let item = Item {
                    name: format!("{prefix}{name}"),
                    kind: Kind::Binary,
                    architecture: Some(architecture),
                    digest,
                    size,
                    origin: self.origins(&[part]),
                };
                self.items.push(item);
            }
        }
        Ok(())
    }

    fn add_host_tools(&mut self, roots: &Roots) -> Result<(), BuildError> {
        let seconds = self.release.source_epoch();
        let file = format!("{HOST_TOOLS}.tar");
        let stamp = fingerprint(&roots.host_tools.tree, self.parts.cache, seconds);
        let slot = Slot::new(
            self.parts.cache,
            &format!("{HOST_TOOLS}-{}", roots.architecture),
            stamp,
        );
        let output = match slot.finished() {
            Some(output) => output,
            None => slot.make(|folder| {
                let path = folder.join(&file);
                let target = fs::File::create(&path).map_err(BuildError::io("create", &path))?;
                let written = roots.host_tools.tree.write_tar(BufWriter::new(target), seconds);
                written.map_err(BuildError::io("write", &path))
            })?,
        };
        let (path, CachedFile { digest, size }) = output.file(&file)?;
        self.blobs.insert(digest, Source::File(path));
        self.items.push(Item {
            name: HOST_TOOLS.to_owned(),
            kind: Kind::Tree,
            architecture: Some(roots.architecture),
            digest,
            size,
            origin: vec![roots.host_tools.origin()],
        });
        Ok(())
    }

    fn add_manifests(&mut self) -> Result<(), BuildError> {
        let Some(module) = self.release.part("calico").and_then(|part| part.modules.first()) else {
            return Ok(());
        };
        let Some(((_, architecture), _)) = self.parts.outputs.iter().find(|((part, _), _)| *part == "calico")
        else {
            return Ok(());
        };
        for name in MANIFESTS {
            let (path, CachedFile { digest, size }) = self.output("calico", *architecture)?.file(name)?;
            let text = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
            // A host would look for it in a registry, which a site need not have, and wait in vain.
            if let Some(absent) = images::absent(&text, &self.items) {
                let reason = format!("{name} names the image {absent}, which the bundle does not carry");
                return Err(BuildError::content("calico", reason));
            }
            self.blobs.insert(digest, Source::File(path));
            self.items.push(Item {
                name: name.to_owned(),
                kind: Kind::Manifest,
                architecture: None,
                digest,
                size,
                origin: vec![Origin::File {
                    module: module.module.clone(),
                    version: module.version.clone(),
                    sum: module.sum.clone(),
                    path: format!("manifests/{name}"),
                }],
            });
        }
        Ok(())
    }
}

/// The digest of everything that decides a tree's bytes. A file of a part is named by the part's own stamp.
fn fingerprint(tree: &Tree, cache: &Path, seconds: u64) -> Stamp {
    let mut stamp = Stamp::default().with("seconds", seconds.to_string());
    for (path, entry) in tree.iter() {
        stamp = stamp.with(path, format!("{} {} {}", entry.mode, entry.user, entry.group));
        stamp = match &entry.node {
            Node::Folder => stamp.with("folder", ""),
            Node::Link(target) => stamp.with("link", target),
            Node::HardLink(target) => stamp.with("hard link", target),
            Node::File(Bytes::Memory(bytes)) => stamp.with("bytes", bytes),
            Node::File(Bytes::File(file)) => stamp.with(
                "file",
                file.strip_prefix(cache)
                    .unwrap_or(file)
                    .as_os_str()
                    .as_encoded_bytes(),
            ),
        };
    }
    stamp
}

fn make_layer(
    title: &str,
    tree: &Tree,
    cache: &Path,
    seconds: u64,
) -> Result<(Layer, PathBuf, How), BuildError> {
    let stamp = fingerprint(tree, cache, seconds).with("compression", layer::SETTINGS);
    let slot = Slot::new(cache, &title.replace(' ', "-"), stamp);
    let (output, how) = match slot.finished() {
        Some(output) => (output, How::Reused),
        None => (
            slot.make(|folder| {
                let path = folder.join("layer");
                let layer = layer::write(tree, seconds, &path).map_err(BuildError::io("write", &path))?;
                let description = serde_json::to_vec(&layer).expect("a layer has string keys only");
                let path = folder.join("layer.json");
                fs::write(&path, description).map_err(BuildError::io("write", &path))
            })?,
            How::Built,
        ),
    };
    let description = output.path("layer.json")?;
    let text = fs::read(&description).map_err(BuildError::io("read", &description))?;
    let layer =
        serde_json::from_slice(&text).map_err(|error| BuildError::content(title, error.to_string()))?;
    Ok((layer, output.path("layer")?, how))
}
