//! What every method that is carried to the hosts has beside it: the blobs of the bundle, and each host's secrets.

use std::fmt::Write as _;

use base64::Engine as _;

use super::{ContentFrom, File, Files, Options, Secrets, Subject};
use crate::plan::{HostPart, SecretName};
use crate::secret::Secret;

/// The blobs under `blobs/sha256/` and the secrets as `secrets-HOST`, as far as the options ask for them.
pub(super) fn carried(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = Files::new();
    for part in subject.plan.hosts.iter().filter(|part| part.whole) {
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
    let mut text = String::new();
    for (name, secret) in &part.secrets {
        let content = Secret::new(base64::engine::general_purpose::STANDARD.encode(secret.expose()));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{} {}", name.file_name(), content.expose());
    }
    Secret::new(text)
}

/// Whether a text is the secrets of a host in this form, as they are or as much of them as was written.
#[must_use]
pub fn is_secrets(text: &str) -> bool {
    let known = |line: &str| SecretName::is_file_name(line.split(' ').next().unwrap_or_default());
    !text.is_empty() && text.lines().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_nothing_else_is() {
        assert!(is_secrets(
            "ca.key aGVsbG8=\nkubeadm-init.yaml d29ybGQ=\nhelm-00ff00ff00ff00ff.yaml e30=\n"
        ));
        for other in [
            "",
            "my list\n",
            "ca.key aGVsbG8=\nand my notes\n",
            "helm-values.yaml e30=\n",
        ] {
            assert!(!is_secrets(other), "{other:?}");
        }
    }
}
