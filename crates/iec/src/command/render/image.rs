//! Images of the media of a rendering, beside the files that they are made from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use iec_bundle::{MediumError, MediumWriter};
use iec_core::render::Medium;

use super::folder::Written;
use crate::error::{CliError, unwritable};

/// The program that writes images, before anything is written.
///
/// # Errors
/// When this machine has none.
pub(super) fn writer() -> Result<MediumWriter, CliError> {
    MediumWriter::find().map_err(explained)
}

/// The images of these media that get secrets, by the paths of the files that have them.
pub(super) fn with_secrets(media: &[Medium], secrets: &BTreeSet<String>) -> BTreeSet<String> {
    let on_it = |medium: &&Medium| secrets.iter().any(|path| path.starts_with(&medium.folder));
    media
        .iter()
        .filter(on_it)
        .map(|medium| medium.image.clone())
        .collect()
}

/// Writes an image for each medium, of the files that were written. Only its owner may read it.
///
/// # Errors
/// When one cannot be written.
pub(super) fn write(
    writer: &MediumWriter,
    folder: &Path,
    media: &[Medium],
    written: &[Written],
) -> Result<Vec<Written>, CliError> {
    let image = |medium: &Medium| {
        let path = folder.join(&medium.image);
        let inside = written
            .iter()
            .filter_map(|file| Some((file.path.strip_prefix(&medium.folder)?, file)));
        let files: Vec<(String, PathBuf)> = inside
            .clone()
            .map(|(inside, file)| (inside.to_owned(), folder.join(&file.path)))
            .collect();
        writer.write(&path, medium.label, &files).map_err(explained)?;
        let size = std::fs::metadata(&path).map_err(|error| unwritable("IEC3930", "image", &path, &error))?;
        let secret = inside.clone().any(|(_, file)| file.secret);
        Ok(Written {
            path: medium.image.clone(),
            mode: 0o600,
            size: size.len(),
            secret,
            encrypted: secret && inside.clone().all(|(_, file)| file.encrypted || !file.secret),
            blob: false,
            digest: None,
        })
    };
    media.iter().map(image).collect()
}

fn explained(error: MediumError) -> CliError {
    match &error {
        MediumError::Missing => CliError::refused("IEC3929", error.to_string()).next(
            "apt-get install xorriso, or leave --iso out and copy the folder to a medium with the same label",
        ),
        MediumError::Failed { output, .. } => {
            let told = output
                .iter()
                .fold(CliError::refused("IEC3930", error.to_string()), |told, line| {
                    told.evidence(line.as_str())
                });
            told.next("see whether the disk is full")
        }
        MediumError::Io { path, source } => unwritable("IEC3930", "image", path, source),
    }
}
