//! Plan → files: every method of installation that is carried to the hosts.
//!
//! Each format is a reading of the same plan, in a file or folder of its own, and adds no knowledge of what a step does.

pub mod ansible;
mod assumption;
mod carried;
mod cloud_init;
pub mod first_network;
mod medium;
pub mod runbook;
mod script;
mod seed;

use std::collections::BTreeMap;

pub use assumption::{Assumption, assumptions};
use carried::carried;
pub use carried::is_secrets;
pub use medium::{LIST, Medium, SIGNATURE, media, signed_list};

use crate::content::{Digest, Manifest};
use crate::facts::Facts;
use crate::plan::Plan;
use crate::release::Release;
use crate::secret::Secret;
use crate::site::Site;

/// How often the passphrase of encrypted secrets is hashed: a second on a small board, and for who guesses it as often.
pub const SEAL_ITERATIONS: u32 = 600_000;

/// Everything that a rendering is made from. The same subject gives the same files.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What should be.
    pub site: &'a Site,
    /// What the hosts are, observed or assumed.
    pub facts: &'a Facts,
    /// The versions that go together.
    pub release: &'a Release,
    /// What the bundle holds.
    pub content: &'a Manifest,
    /// What is to be done, made from all of the above.
    pub plan: &'a Plan,
    /// When it is rendered, in words for people: `2026-11-23 19:12 UTC`.
    pub moment: &'a str,
    /// Who renders it, for people and for the lock of a host: `edge@laptop`.
    pub who: &'a str,
    /// The name of the run that the rendered methods are, `[a-z0-9-]+`; the journals know it.
    pub run: &'a str,
}

/// A form in which a plan leaves IEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A script for each host, and one that carries them there.
    Script,
    /// A medium that finds out which host it is in.
    Seed,
    /// A NoCloud seed for each host.
    CloudInit,
    /// A book for somebody who installs by hand.
    Runbook,
    /// An inventory and a playbook for Ansible.
    Ansible,
}

impl Format {
    /// What it is called on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Seed => "seed",
            Self::CloudInit => "cloud-init",
            Self::Runbook => "runbook",
            Self::Ansible => "ansible",
        }
    }
}

/// What a rendering leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How secrets go along.
    pub secrets: Secrets,
    /// Where the hosts get their content from.
    pub content: ContentFrom,
    /// Who may log in to a host that has no account yet: lines of an `authorized_keys` file.
    pub authorized_keys: Vec<String>,
    /// The public key by which hosts know the media of their site, as an `authorized_keys` file has it.
    pub medium_key: String,
}

/// How the secrets of hosts go along with a rendering: one file per host beside the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Encrypted with a passphrase, by whoever writes the files.
    #[default]
    Encrypted,
    /// As they are, for media that are guarded otherwise.
    Plain,
    /// Not at all: they come to the hosts in another way.
    None,
}

/// Where the hosts of a rendering get the blobs of the bundle from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ContentFrom {
    /// From copies beside the rest.
    #[default]
    Copied,
    /// From somewhere else, which whoever starts the installation names.
    Elsewhere,
    /// From this address, below which lies `blobs/sha256`.
    At(String),
}

/// Whether hosts may fetch from this address: one of the web, of letters that mean nothing to any shell or program. The scripts
/// ask the same once more.
#[must_use]
pub fn is_web_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/._~%+@,=[]-".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain))
}

/// The files of a rendering, by their path below its folder.
pub type Files = BTreeMap<String, File>;

/// A file of a rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub content: FileContent,
    /// The permission bits.
    pub mode: u32,
}

/// What is in a file of a rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// This text.
    Text(String),
    /// This secret, which whoever writes the files encrypts where [`Secrets::Encrypted`] was asked for.
    Secret(Secret<String>),
    /// A blob of the bundle, which whoever writes the files copies.
    Blob {
        /// Its digest.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
    },
}

impl File {
    /// A file that everybody may read.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: FileContent::Text(text.into()),
            mode: 0o644,
        }
    }

    /// A script that everybody may run.
    pub fn script(text: impl Into<String>) -> Self {
        Self {
            content: FileContent::Text(text.into()),
            mode: 0o755,
        }
    }

    /// A file that only its owner may read.
    #[must_use]
    pub const fn secret(secret: Secret<String>) -> Self {
        Self {
            content: FileContent::Secret(secret),
            mode: 0o600,
        }
    }

    /// A copy of a blob.
    #[must_use]
    pub const fn blob(digest: Digest, size: u64) -> Self {
        Self {
            content: FileContent::Blob { digest, size },
            mode: 0o644,
        }
    }
}

/// Renders the plan.
#[must_use]
pub fn render(subject: &Subject<'_>, format: Format, options: &Options) -> Files {
    match format {
        Format::Script => script::files(subject, options),
        Format::Seed => seed::files(subject, options),
        Format::CloudInit => cloud_init::files(subject, options),
        Format::Ansible => ansible::files(subject, options),
        Format::Runbook => runbook::files(subject, options),
    }
}
