//! The commands that deal with content.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use iec_core::architecture::Architecture;

use super::SitePath;

/// Build, verify and inspect the content that sites are made from
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum Bundle {
    Build(BundleBuild),
    /// Read every item of a bundle and compare it with its digest
    ///
    /// Fails on one flipped bit, one missing and one extra file, and names all of them.
    #[command(after_help = "Examples:\n  iec bundle verify\n  iec bundle verify ./bundle -o json")]
    Verify(BundleFolder),
    /// Print what a bundle holds and where each item comes from
    #[command(after_help = "Examples:\n  iec bundle inspect\n  iec bundle inspect ./bundle -o json")]
    Inspect(BundleFolder),
    Seed(BundleSeed),
}

/// Build a bundle from source
///
/// Builds each part from its Go module, and base layers from Debian packages, all by pinned sums. What was built
/// before is taken from the cache; an interrupted build goes on where it was.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec bundle build\n  \
    iec bundle build --arch amd64,arm64 --out ./bundle")]
pub struct BundleBuild {
    /// The release to build
    #[arg(long, value_name = "RELEASE", default_value = "1.36")]
    pub release: String,
    /// The architectures to build for, amd64 or arm64, separated by commas [default: this machine's]
    #[arg(long, value_name = "ARCH", value_delimiter = ',')]
    pub arch: Vec<Architecture>,
    /// The folder to write the bundle to [default: in the cache]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Choose Debian packages anew instead of the locked ones; the digests of what they make will change
    #[arg(long)]
    pub relock: bool,
}

/// Unpack a host's images on this machine, for the host to take
///
/// A slow board takes minutes to unpack what this machine unpacks in seconds, for any architecture. The archive becomes
/// the host's containerd data, unless there is some already. Takes root, and a bundle that is for this machine too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec bundle seed --host edge-3 --out edge-3.seed.tar.gz && iec apply --seed edge-3.seed.tar.gz\n  \
    iec bundle seed shop/site.yaml --host edge-3 --facts facts.json --out edge-3.seed.tar.gz")]
pub struct BundleSeed {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// The host
    #[arg(long, value_name = "NAME")]
    pub host: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What the hosts are, by which the architecture is known [default: what the site file assumes]
    #[arg(long, value_name = "FILE")]
    pub facts: Option<PathBuf>,
}

/// A bundle's folder.
#[derive(Debug, Args)]
pub struct BundleFolder {
    /// The bundle's folder [default: the one in the cache]
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}
