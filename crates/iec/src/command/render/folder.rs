//! The folder of a rendering: refused where it is in use, then filled file by file, each whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use iec_core::content::Digest;
use iec_core::plan::StoreBlob;
use iec_core::render::{FileContent, Files, LIST, SIGNATURE, signed_list};
use iec_core::secret::Secret;
use iec_host::MediumKey;
use serde_json::{Value, json};

use super::super::content::Content;
use super::seal::seal;
use crate::error::{CliError, unreadable, unwritable};
use crate::whole_file;

/// A file that was written.
pub(super) struct Written {
    /// Its path below the folder.
    pub(super) path: String,
    /// Its permission bits.
    pub(super) mode: u32,
    /// Its length in bytes.
    pub(super) size: u64,
    /// It holds secrets.
    pub(super) secret: bool,
    /// They are encrypted.
    pub(super) encrypted: bool,
    /// It is a blob of the bundle.
    pub(super) blob: bool,
    /// The digest of what was written; nothing for blobs and images.
    pub(super) digest: Option<Digest>,
}

impl Written {
    fn written(&mut self, (size, digest): (u64, Digest)) {
        self.size = size;
        self.digest = Some(digest);
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "path": self.path,
            "mode": format!("{:04o}", self.mode),
            "bytes": self.size,
            "secret": self.secret,
            "encrypted": self.encrypted,
        })
    }
}

/// Refuses a folder that is not empty, unless it is to be written over.
///
/// # Errors
/// When it is not empty, is no folder, or cannot be read.
pub(super) fn refuse(folder: &Path, force: bool) -> Result<(), CliError> {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable("IEC3922", "output folder", folder, &error)),
    };
    match entries.next() {
        Some(_) if !force => Err(CliError::refused(
            "IEC3921",
            format!("the output folder {} is not empty", folder.display()),
        )
        .next("name another folder, or add --force to write over files of the same names and to remove an earlier rendering's secrets")),
        _ => Ok(()),
    }
}

/// The paths under which the secrets among the files are written; encrypted ones have `.enc` behind their name.
pub(super) fn secrets(files: &Files, encrypted: bool) -> BTreeSet<String> {
    let secret = files
        .iter()
        .filter(|(_, file)| matches!(file.content, FileContent::Secret(_)));
    secret
        .map(|(path, _)| {
            if encrypted {
                format!("{path}.enc")
            } else {
                path.clone()
            }
        })
        .collect()
}

/// Writes the files; secrets are encrypted where there is a passphrase, and then have `.enc` behind their name.
///
/// # Errors
/// When one cannot be written, or when a blob of the bundle is missing or damaged, before anything is written.
pub(super) fn write(
    files: &Files,
    folder: &Path,
    passphrase: Option<&Secret<String>>,
    content: &Content,
) -> Result<Vec<Written>, CliError> {
    let blobs = files.values().filter_map(|file| match &file.content {
        FileContent::Blob { digest, .. } => Some(digest),
        _ => None,
    });
    content.check(blobs)?;
    let mut written = Vec::new();
    for (path, file) in files {
        let mut entry = Written {
            path: path.clone(),
            mode: file.mode,
            size: 0,
            secret: false,
            encrypted: false,
            blob: false,
            digest: None,
        };
        match &file.content {
            FileContent::Text(text) => {
                entry.written(put(folder, path, file.mode, text.as_bytes())?);
            }
            FileContent::Secret(secret) => {
                entry.secret = true;
                if let Some(passphrase) = passphrase {
                    entry.encrypted = true;
                    entry.path = format!("{path}.enc");
                    let sealed = seal(secret, passphrase)?;
                    entry.written(put(folder, &entry.path, file.mode, sealed.as_bytes())?);
                } else {
                    entry.written(put(folder, path, file.mode, secret.expose().as_bytes())?);
                }
            }
            FileContent::Blob { digest, size } => {
                entry.blob = true;
                entry.size = *size;
                let blob = StoreBlob {
                    digest: *digest,
                    size: *size,
                    name: String::new(),
                };
                copy(&content.file_of(&blob), folder, path, *size)?;
            }
        }
        written.push(entry);
    }
    Ok(written)
}

/// Writes the list of a seed medium's files and its signature.
///
/// # Errors
/// When one cannot be written.
pub(super) fn sign(written: &[Written], folder: &Path, key: &MediumKey) -> Result<Vec<Written>, CliError> {
    let files = written
        .iter()
        .filter_map(|file| Some((file.path.as_str(), file.digest?)));
    let list = signed_list(files);
    let signature = key.sign(&list);
    [(LIST, list), (SIGNATURE, signature)]
        .into_iter()
        .map(|(path, text)| {
            let mut entry = Written {
                path: path.to_owned(),
                mode: 0o644,
                size: 0,
                secret: false,
                encrypted: false,
                blob: false,
                digest: None,
            };
            entry.written(put(folder, path, entry.mode, text.as_bytes())?);
            Ok(entry)
        })
        .collect()
}

/// Writes one file with its mode. Gives its length in bytes and its digest.
fn put(folder: &Path, path: &str, mode: u32, bytes: &[u8]) -> Result<(u64, Digest), CliError> {
    let place = folder.join(path);
    fs::create_dir_all(whole_file::folder_of(&place))
        .and_then(|()| whole_file::write(&place, mode, bytes))
        .map_err(|error| unwritable("IEC3922", "file", &place, &error))?;
    Ok((bytes.len() as u64, Digest::of(bytes)))
}

/// Copies a blob; one that is there with its length stays, since its name is its digest and hosts compare it.
fn copy(from: &Path, folder: &Path, path: &str, size: u64) -> Result<(), CliError> {
    let place = folder.join(path);
    if fs::metadata(&place).is_ok_and(|present| present.len() == size) {
        return Ok(());
    }
    let parent = place.parent().unwrap_or(folder);
    let partial = place.with_extension("partial");
    let write = || {
        fs::create_dir_all(parent)?;
        fs::copy(from, &partial)?;
        fs::set_permissions(&partial, Permissions::from_mode(0o644))?;
        fs::rename(&partial, &place)
    };
    write().map_err(|error| unwritable("IEC3922", "copy of a blob", &place, &error))
}
