//! The commands that render a plan for methods without IEC's own connection to hosts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SitePath;

/// Write the plan as files: for other ways of installing, and for other installers
///
/// No host is asked anything. What the hosts are comes from a facts file, else from what the site file assumes, else
/// a bare Debian host; what nobody observed is named. Every format is a reading of the same plan.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum Render {
    /// Write a script for each host, which installs and joins it without IEC
    #[command(after_help = "Examples:\n  \
        iec render script --out usb\n  \
        iec render script shop/site.yaml --out usb --facts facts.json --passphrase-file phrase\n  \
        iec render script --out usb --plain-secrets --content none")]
    Script(RenderCarried),
    Seed(RenderSeed),
    CloudInit(RenderCloudInit),
    /// Write a book for installing by hand: every question and command, as Markdown and as HTML to print
    #[command(after_help = "Examples:\n  \
        iec render runbook --out book\n  \
        iec render runbook shop/site.yaml --out book --facts facts.json --passphrase-file phrase\n  \
        iec render runbook --out book --no-secrets --content none")]
    Runbook(RenderCarried),
    /// Write an inventory and a playbook for Ansible: each step is a task that is ok or changed
    #[command(after_help = "Examples:\n  \
        iec render ansible --out play\n  \
        iec render ansible shop/site.yaml --out play --facts facts.json --passphrase-file phrase\n\n\
        In the folder: ansible-playbook site.yml --check, then without --check.")]
    Ansible(RenderCarried),
    /// Write OPNFV's descriptors: pdf.yaml and idf.yaml, as Pharos' schemas want them
    ///
    /// `iec init --from-pdf pdf.yaml --idf idf.yaml` reads them back. What they cannot carry is said at their top.
    #[command(after_help = "Examples:\n  iec render pdf-idf --out descriptors")]
    PdfIdf(RenderDescription),
    /// Write documents of Airship 1: networks and machines for Drydock, the cluster for Promenade
    #[command(after_help = "Examples:\n  iec render airship --out airship --facts facts.json")]
    Airship(RenderDescription),
    /// Write objects of Metal3 and Cluster API, with kubeadm's configuration from the plan
    #[command(after_help = "Examples:\n  iec render metal3 --out metal3 --facts facts.json")]
    Metal3(RenderDescription),
    /// Write a ClusterInstance, for Red Hat's site configuration operator
    #[command(
        name = "clusterinstance",
        after_help = "Examples:\n  iec render clusterinstance --out ztp"
    )]
    ClusterInstance(RenderDescription),
}

/// From what is rendered, and to where: the same for every format.
#[derive(Debug, Args)]
pub struct RenderPlace {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// The folder to write to; it is made, and must be empty
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Write into a folder that is not empty, over files of the same names; secrets of an earlier rendering are removed
    #[arg(long)]
    pub force: bool,
    /// The hosts are what this file says; `iec check --probe --facts-out` writes it
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
}

/// A description of the site for another installer. It names secrets and has none.
#[derive(Debug, Args)]
pub struct RenderDescription {
    /// From what, and to where
    #[command(flatten)]
    pub place: RenderPlace,
}

/// How the secrets of hosts go along.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct RenderSecrets {
    /// Encrypt the hosts' secrets with the first line of this file; without it, and with a terminal, it is asked for
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Write the hosts' secrets as they are: only for a medium that is guarded otherwise
    #[arg(long)]
    pub plain_secrets: bool,
    /// Write no secrets
    #[arg(long)]
    pub no_secrets: bool,
}

/// Where the hosts get the blobs of the bundle from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RenderContent {
    /// Copied into the folder
    Copy,
    /// From somewhere else, named when the installation is started
    None,
}

/// What somebody carries to the hosts, with their secrets and their content.
#[derive(Debug, Args)]
pub struct RenderCarried {
    /// From what, and to where
    #[command(flatten)]
    pub place: RenderPlace,
    /// How secrets go along
    #[command(flatten)]
    pub secrets: RenderSecrets,
    /// Where the hosts get the blobs of the bundle from
    #[arg(long, value_name = "FROM", default_value = "copy")]
    pub content: RenderContent,
}

/// Write a medium that installs whichever host of the site it is put into
///
/// It has the scripts of all hosts, what they install, and autorun.sh, which knows a host by its machine-id, its serial
/// number or a hardware address, from the facts or from `hardware` in the site file.
///
/// iec-seed.service and iec-seed.sh belong into the image of the hosts. They start the installation at boot, from a medium
/// that was rendered with this site's secrets and from no other, and are disabled once the host is installed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec render seed --facts facts.json --out /media/stick --plain-secrets\n  \
    iec render seed --facts facts.json --out seed --passphrase-file phrase --iso")]
pub struct RenderSeed {
    /// From what, and to where
    #[command(flatten)]
    pub place: RenderPlace,
    /// How secrets go along
    #[command(flatten)]
    pub secrets: RenderSecrets,
    /// Write seed.iso too, an image of the medium with its label; xorriso writes it
    #[arg(long)]
    pub iso: bool,
}

/// Write a NoCloud seed for each host: its first boot installs and joins it
///
/// A host's folder becomes a medium with the label CIDATA, the folder content one with the label IEC-CONTENT. The
/// passphrase of encrypted secrets is the first line of the file passphrase on a medium with the label IEC-PHRASE.
/// On the host, cloud-init status --wait says how its installation ended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec render cloud-init --out seeds --plain-secrets\n  \
    iec render cloud-init --out seeds --plain-secrets --url http://10.0.0.1/iec\n  \
    iec render cloud-init --out seeds --passphrase-file phrase --iso")]
pub struct RenderCloudInit {
    /// From what, and to where
    #[command(flatten)]
    pub place: RenderPlace,
    /// How secrets go along
    #[command(flatten)]
    pub secrets: RenderSecrets,
    /// Fetch the blobs of the bundle from below this address instead of a medium
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Let who has one of these keys log in: a file as authorized_keys is one; without it, the key of `access.identity`
    #[arg(long, value_name = "FILE")]
    pub authorized_keys: Option<PathBuf>,
    /// Write an image of each medium too, HOST.iso and content.iso with their labels; xorriso writes them
    #[arg(long)]
    pub iso: bool,
}
