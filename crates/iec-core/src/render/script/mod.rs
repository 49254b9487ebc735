//! A POSIX script for each host, with the very steps that `apply` runs, and what they need beside them.

use std::fmt::Write as _;

use iec_sh::Mode;

use super::{ContentFrom, File, Files, Options, Secrets, Subject};
use crate::plan::HostPart;
use crate::secret::Secret;

/// The scripts, the blobs that they install from, and the secrets of each host.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = Files::new();
    for part in &subject.plan.hosts {
        let owner = format!("install-{}.sh rendered by {}", part.host, subject.who);
        let script = part.script(&owner, subject.run, Mode::Apply);
        files.insert(
            format!("install-{}.sh", part.host),
            File::script(format!("#!/bin/sh\n{script}")),
        );
        if options.secrets != Secrets::None {
            files.insert(format!("secrets-{}", part.host), File::secret(secrets(part)));
        }
        if options.content == ContentFrom::Copied {
            for blob in &part.blobs {
                files.insert(blob.digest.blob_path(), File::blob(blob.digest, blob.size));
            }
        }
    }
    files
}

/// The secrets of a host as one text: a line for each, its file name and its content as base64.
fn secrets(part: &HostPart) -> Secret<String> {
    use base64::Engine as _;
    let mut text = String::new();
    for (name, secret) in &part.secrets {
        let content = Secret::new(base64::engine::general_purpose::STANDARD.encode(secret.expose()));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{} {}", name.file_name(), content.expose());
    }
    Secret::new(text)
}
