//! Compares the processor that programs were made for with the architecture of the item that carries them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, BufReader, Read};

use iec_core::architecture::Architecture;
use iec_core::content::{Blob, Digest, Item, Kind, MEDIA_TYPE_LAYER_ZSTD};
use serde_json::Value;

use crate::bundle::Bundle;
use crate::elf;
use crate::problem::{BundleError, Problem};

/// What a layer has that is not for an architecture, by both: layers are shared by images, and each is read once.
pub(crate) type Layers = BTreeMap<(Digest, Architecture), Option<Foreign>>;

/// Something that is not for the architecture that it should be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// Its path inside the item; none where it is the item.
    path: Option<String>,
    /// What it is for instead.
    found: String,
}

/// The blob by which an item is known at first sight, where it is for one architecture.
pub(crate) fn face(item: &Item) -> Option<Digest> {
    item.architecture?;
    match &item.kind {
        Kind::Binary => Some(item.digest),
        Kind::Image(image) => Some(image.config.digest),
        Kind::Manifest | Kind::Tree => None,
    }
}

/// What an item has at first sight that is for another architecture: a program by its first bytes, an image by its
/// configuration. Both are read in no time, whatever their size.
///
/// # Errors
/// When a blob cannot be read.
pub(crate) fn at_first_sight(bundle: &Bundle, item: &Item) -> Result<Option<Problem>, BundleError> {
    let (Some(architecture), Some(digest)) = (item.architecture, face(item)) else {
        return Ok(None);
    };
    let path = bundle.path_of(&digest);
    let file = File::open(&path).map_err(BundleError::unreadable(&path))?;
    let foreign = if let Kind::Image(_) = item.kind {
        let config: Value = serde_json::from_reader(BufReader::new(file)).unwrap_or_default();
        // A configuration that is none, or does not say it, is for no architecture.
        let found = config["architecture"].as_str().unwrap_or("none").to_owned();
        (found != architecture.go_name()).then_some(Foreign { path: None, found })
    } else {
        program(file, architecture).map_err(BundleError::unreadable(&path))?
    };
    Ok(foreign.map(|foreign| problem(item, architecture, foreign)))
}

/// The first program of an image or a tree that is for another architecture: all its layers are read.
///
/// # Errors
/// When a blob cannot be read, or is no tar.
pub(crate) fn inside(
    bundle: &Bundle,
    item: &Item,
    layers: &mut Layers,
) -> Result<Option<Problem>, BundleError> {
    let Some(architecture) = item.architecture else {
        return Ok(None);
    };
    let tree = match &item.kind {
        Kind::Tree => vec![(item.digest, Compression::None)],
        Kind::Image(image) => image.layers.iter().map(compression).collect(),
        Kind::Binary | Kind::Manifest => return Ok(None),
    };
    for (digest, compression) in tree {
        let foreign = match layers.entry((digest, architecture)) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let path = bundle.path_of(&digest);
                let found = File::open(&path).and_then(|file| archive(file, compression, architecture));
                unknown
                    .insert(found.map_err(BundleError::unreadable(&path))?)
                    .clone()
            }
        };
        if let Some(foreign) = foreign {
            return Ok(Some(problem(item, architecture, foreign)));
        }
    }
    Ok(None)
}

/// How a tar is written.
#[derive(Debug, Clone, Copy)]
enum Compression {
    None,
    Zstd,
}

fn compression(layer: &Blob) -> (Digest, Compression) {
    let compression = if layer.media_type == MEDIA_TYPE_LAYER_ZSTD {
        Compression::Zstd
    } else {
        Compression::None
    };
    (layer.digest, compression)
}

fn problem(item: &Item, architecture: Architecture, foreign: Foreign) -> Problem {
    Problem::Architecture {
        item: item.name.clone(),
        architecture,
        path: foreign.path,
        found: foreign.found,
    }
}

/// The first program in a tar that is for another architecture.
fn archive(file: File, compression: Compression, architecture: Architecture) -> io::Result<Option<Foreign>> {
    match compression {
        Compression::None => first_foreign(BufReader::new(file), architecture),
        Compression::Zstd => first_foreign(zstd::Decoder::new(file)?, architecture),
    }
}

fn first_foreign(stream: impl Read, architecture: Architecture) -> io::Result<Option<Foreign>> {
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if let Some(foreign) = program(&mut entry, architecture)? {
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            return Ok(Some(Foreign {
                path: Some(path),
                ..foreign
            }));
        }
    }
    Ok(None)
}

/// What a program is for, if that is another architecture. What is no program at all is for any.
fn program(file: impl Read, architecture: Architecture) -> io::Result<Option<Foreign>> {
    let mut head = Vec::new();
    file.take(elf::HEAD).read_to_end(&mut head)?;
    let foreign = elf::machine(&head).filter(|machine| *machine != elf::machine_of(architecture));
    Ok(foreign.map(|machine| {
        let mut known = Architecture::ALL.into_iter();
        let known = known.find(|architecture| elf::machine_of(*architecture) == machine);
        Foreign {
            path: None,
            found: known.map_or_else(|| format!("ELF machine {machine}"), |known| known.to_string()),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a program for this ELF machine.
    fn elf(machine: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = machine;
        bytes
    }

    fn tar_of(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            archive
                .append_data(&mut header, path, bytes.as_slice())
                .expect("written");
        }
        archive.into_inner().expect("finished")
    }

    #[test]
    fn a_program_is_known_by_its_elf_machine() {
        let found = |bytes: &[u8], architecture| {
            program(bytes, architecture)
                .expect("bytes can be read")
                .map(|foreign| foreign.found)
        };
        assert_eq!(found(&elf(62), Architecture::Amd64), None);
        assert_eq!(found(&elf(183), Architecture::Arm64), None);
        assert_eq!(found(&elf(183), Architecture::Amd64).as_deref(), Some("arm64"));
        assert_eq!(
            found(&elf(243), Architecture::Arm64).as_deref(),
            Some("ELF machine 243")
        );
        for other in [b"#!/bin/sh\n".as_slice(), b"", b"\x7fELF"] {
            assert_eq!(found(other, Architecture::Amd64), None);
        }
        let own = std::fs::read("/bin/sh").expect("a shell");
        let here = Architecture::from_uname(std::env::consts::ARCH).expect("a known architecture");
        assert_eq!(found(&own, here), None);
    }

    #[test]
    fn one_foreign_program_in_a_layer_is_named() {
        let tar = tar_of(&[
            ("etc/motd", b"hello".to_vec()),
            ("usr/bin/good", elf(62)),
            ("usr/bin/bad", elf(183)),
        ]);
        let found = first_foreign(tar.as_slice(), Architecture::Amd64).expect("a tar");
        let expected = Foreign {
            path: Some("usr/bin/bad".into()),
            found: "arm64".into(),
        };
        assert_eq!(found, Some(expected));
        let whole = tar_of(&[("usr/bin/good", elf(62))]);
        assert_eq!(
            first_foreign(whole.as_slice(), Architecture::Amd64).expect("a tar"),
            None
        );
    }
}
