//! The keys that a server may be offered: those of the agent and those in files, in the order of their likelihood.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use iec_core::secret::Secret;
use russh::keys::agent::AgentIdentity;
use russh::keys::{PrivateKey, PublicKey};

use super::host_key::fingerprint;
use super::own_file;
use crate::error::HostError;

/// What to offer a server.
#[derive(Debug, Clone)]
pub(crate) struct Offers {
    pub agent: Option<PathBuf>,
    /// Key files, the most wanted first.
    pub files: Vec<PathBuf>,
    /// Whether the first file is the one that the site names: it must be usable.
    pub named: bool,
    /// Whether to offer only keys that belong to one of the files.
    pub only_files: bool,
}

/// A key file as far as it can be read without its passphrase.
#[derive(Debug, Clone)]
pub(crate) struct FileKey {
    pub path: PathBuf,
    pub public: Option<PublicKey>,
    pub private: Private,
}

/// The private half of a key file.
#[derive(Debug, Clone)]
pub(crate) enum Private {
    Open(Arc<PrivateKey>),
    /// Locked by a passphrase: the file's text.
    Locked(Arc<Secret<String>>),
    /// The file holds a public key only, to choose one of the agent's.
    Elsewhere,
}

/// One key to offer.
#[derive(Debug, Clone)]
pub(crate) enum Candidate {
    Agent(Box<AgentIdentity>),
    File(FileKey),
}

/// The keys in the order in which they are offered. Servers count attempts, so the likely ones come first: the key that the site
/// names, the agent's keys that belong to a file, the agent's others, and at last the other files.
pub(crate) fn order(files: Vec<FileKey>, identities: Vec<AgentIdentity>, offers: &Offers) -> Vec<Candidate> {
    let file_of = |identity: &AgentIdentity| {
        let key = identity.public_key();
        files.iter().position(|file| {
            file.public
                .as_ref()
                .is_some_and(|public| public.key_data() == key.key_data())
        })
    };
    let is_named = |index: usize| offers.named && index == 0;
    let mut ranked: Vec<((u8, usize), Candidate)> = Vec::new();
    let mut in_agent = Vec::new();
    for identity in identities {
        let rank = match file_of(&identity) {
            Some(index) => {
                in_agent.push(index);
                (if is_named(index) { 0 } else { 1 }, index)
            }
            None if offers.only_files => continue,
            None => (2, 0),
        };
        ranked.push((rank, Candidate::Agent(Box::new(identity))));
    }
    for (index, file) in files
        .into_iter()
        .enumerate()
        .filter(|(index, _)| !in_agent.contains(index))
    {
        if !matches!(file.private, Private::Elsewhere) {
            ranked.push((
                (if is_named(index) { 0 } else { 3 }, index),
                Candidate::File(file),
            ));
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Reads the key files. A missing file counts only where the site names it.
pub(crate) fn read_files(offers: &Offers, tried: &mut Vec<String>) -> Result<Vec<FileKey>, HostError> {
    let mut files = Vec::new();
    for (index, path) in offers.files.iter().enumerate() {
        let evidence = match own_file::read_text(path).map(Secret::new) {
            Ok(text) => match read_key(path, text) {
                Some(key) => {
                    files.push(key);
                    continue;
                }
                None => "it holds no key of a kind that is known".to_owned(),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !(offers.named && index == 0) => {
                continue;
            }
            Err(error) => error.to_string(),
        };
        if offers.named && index == 0 {
            return Err(HostError::Identity {
                file: path.clone(),
                evidence,
            });
        }
        tried.push(format!("{}: {evidence}", path.display()));
    }
    Ok(files)
}

/// The public half of the key in a file, as `authorized_keys` has it; nothing where the file is not there, or does not show
/// it: a PEM file that is locked does not, unless the public half lies beside it.
#[must_use]
pub fn public_key(file: &Path) -> Option<String> {
    let text = own_file::read_text(file).map(Secret::new).ok()?;
    read_key(file, text)?.public?.to_openssh().ok()
}

fn read_key(path: &Path, text: Secret<String>) -> Option<FileKey> {
    let path = path.to_owned();
    if let Ok(public) = PublicKey::from_openssh(text.expose().trim()) {
        return Some(FileKey {
            path,
            public: Some(public),
            private: Private::Elsewhere,
        });
    }
    let beside = || {
        let mut beside = path.clone().into_os_string();
        beside.push(".pub");
        own_file::read_text(Path::new(&beside))
            .ok()
            .and_then(|text| PublicKey::from_openssh(text.trim()).ok())
    };
    match russh::keys::decode_secret_key(text.expose(), None) {
        Ok(key) => Some(FileKey {
            public: Some(key.public_key().clone()),
            private: Private::Open(Arc::new(key)),
            path,
        }),
        Err(_) => {
            // An OpenSSH file shows its public half even when it is locked; a PEM file does not.
            let shown = PrivateKey::from_openssh(text.expose())
                .ok()
                .map(|key| key.public_key().clone());
            let locked = shown.is_some() || text.expose().contains("ENCRYPTED");
            let public = shown.or_else(beside);
            locked.then(|| FileKey {
                public,
                private: Private::Locked(Arc::new(text)),
                path,
            })
        }
    }
}

/// How a key is called in messages.
pub(crate) fn describe(candidate: &Candidate) -> String {
    match candidate {
        Candidate::Agent(identity) => {
            format!(
                "agent key {} ({})",
                fingerprint(&identity.public_key()),
                identity.comment()
            )
        }
        Candidate::File(file) => match &file.public {
            Some(public) => format!("{} {}", file.path.display(), fingerprint(public)),
            None => file.path.display().to_string(),
        },
    }
}
