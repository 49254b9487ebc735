//! What a lab command tells while it works.

use std::path::PathBuf;
use std::time::Duration;

use iec_core::architecture::Architecture;
use serde::{Serialize, Serializer};

use crate::vm::Accelerator;

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// One piece of progress. Times are since the command began, unless said otherwise; in JSON they are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LabEvent {
    /// A line of apt-get while it installs what was missing.
    Installing {
        /// The line.
        line: String,
    },
    /// The base root file system is in the cache.
    BaseFound {
        /// Its folder.
        path: PathBuf,
    },
    /// The base root file system is not in the cache: it is being built, once.
    BaseBuilding {
        /// The distribution.
        distribution: &'static str,
        /// How long that takes on a small machine with a near mirror.
        #[serde(serialize_with = "seconds")]
        estimate: Duration,
    },
    /// mmdebstrap has come to another part of its work.
    BaseProgress {
        /// Its own words.
        line: String,
    },
    /// The base root file system has been built and is in the cache.
    BaseBuilt {
        /// Its folder.
        path: PathBuf,
        /// How long the build took.
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    /// A network of the lab is there.
    NetworkReady {
        /// Its name in podman.
        network: String,
        /// Its addresses.
        subnet: String,
    },
    /// What runs the lab's virtual machines of an architecture.
    Accelerated {
        /// Their architecture.
        architecture: Architecture,
        /// By what.
        accelerator: Accelerator,
    },
    /// A host has its disk.
    DiskReady {
        /// The host.
        host: String,
        /// When.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A host has been switched on.
    HostStarted {
        /// The host.
        host: String,
        /// When.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// A host answers by SSH and its systemd has finished starting.
    HostReady {
        /// The host.
        host: String,
        /// When.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// Everything is there.
    LabReady {
        /// When.
        #[serde(serialize_with = "seconds")]
        elapsed: Duration,
    },
    /// `up` failed and takes back what it has made.
    TakingBack {
        /// The error.
        because: String,
    },
    /// Something has been removed.
    Removed {
        /// A container, a network, a mount or a folder, with its name.
        what: String,
    },
}
