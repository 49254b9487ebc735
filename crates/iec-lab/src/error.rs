//! What can go wrong with a lab: each error has a code, its evidence and the next thing to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a lab command did not do what it was asked.
///
/// `Display` says the cause and the evidence, [`LabError::code`] gives the stable code and
/// [`LabError::help`] the next action.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The caller is not root.
    #[error("a lab needs root: it makes containers with their own systemd, and networks")]
    NotRoot,
    /// Programs that a lab is made with are not installed.
    #[error("not installed on this machine: {}", programs.join(", "))]
    MissingPrograms {
        /// The programs (or files) that were looked for and not found.
        programs: Vec<String>,
        /// The Debian packages that bring them.
        packages: Vec<String>,
    },
    /// The lab's name cannot be used.
    #[error("`{name}` cannot be a lab's name: {reason}")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The request asks for something that cannot be made.
    #[error("this lab cannot be made: {0}")]
    InvalidRequest(String),
    /// A lab of this name is there already.
    #[error("a lab `{name}` exists already, in {folder}")]
    Exists {
        /// The lab's name.
        name: String,
        /// Where it is.
        folder: String,
    },
    /// There is no lab of this name.
    #[error("there is no lab `{name}` in {root}")]
    NoSuchLab {
        /// The name that was asked for.
        name: String,
        /// The folder of labs that was searched.
        root: PathBuf,
    },
    /// The lab has no host of this name.
    #[error("lab `{lab}` has no host `{host}`; it has {}", known.join(", "))]
    NoSuchHost {
        /// The lab's name.
        lab: String,
        /// The host that was asked for.
        host: String,
        /// The hosts that it has.
        known: Vec<String>,
    },
    /// Another command is at work on this lab.
    #[error("lab `{name}` is in use by another command ({owner}), waited {} s for it", waited.as_secs())]
    Busy {
        /// The lab's name.
        name: String,
        /// What the lock file says about its owner.
        owner: String,
        /// How long this command waited.
        waited: Duration,
    },
    /// No free network was found for the lab.
    #[error(
        "no free /24 network for the lab: {tried} were tried, each overlaps a route or a network of this machine"
    )]
    NoFreeSubnet {
        /// How many networks were tried.
        tried: usize,
    },
    /// A program answered with a failure.
    #[error("{doing}: `{program}` failed ({status}){}", evidence_of(evidence))]
    Failed {
        /// What it was run for.
        doing: String,
        /// The program.
        program: String,
        /// Its exit status, or the signal that ended it.
        status: String,
        /// The last lines it wrote to its error output.
        evidence: String,
    },
    /// A program could not be run, or its pipes broke.
    #[error("{doing}: `{program}` could not be run")]
    CouldNotRun {
        /// What it was to be run for.
        doing: String,
        /// The program.
        program: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A program's answer was not of the known form.
    #[error("the answer of `{program}` is not of the known form")]
    UnknownAnswer {
        /// The program.
        program: String,
        /// What was wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file or folder could not be read, written or removed.
    #[error("cannot {doing} {path}")]
    File {
        /// The verb: read, write, create, remove.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A lab's record cannot be understood.
    #[error("the record {path} cannot be read as a lab's record")]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What was wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The base root file system could not be built.
    #[error(
        "the root file system of Debian {distribution} could not be built{}",
        evidence_of(evidence)
    )]
    Base {
        /// The distribution.
        distribution: &'static str,
        /// The last lines of mmdebstrap.
        evidence: String,
    },
    /// A host did not come up.
    #[error("host {host} was not up after {} s{}", waited.as_secs(), evidence_of(evidence))]
    NotReady {
        /// The host.
        host: String,
        /// How long it was waited for.
        waited: Duration,
        /// Its last answer, and what it says about itself.
        evidence: String,
    },
    /// A host is in a state in which this cannot be done.
    #[error("host {host} is {state}: it cannot be {wanted}")]
    HostState {
        /// The host.
        host: String,
        /// Its state.
        state: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A host has a snapshot of this name already.
    #[error("host {host} has a snapshot `{name}` already")]
    SnapshotExists {
        /// The host.
        host: String,
        /// The name.
        name: String,
    },
    /// A host has no snapshot of this name.
    #[error("host {host} has no snapshot `{name}`; it has {}", list_or_none(known))]
    NoSuchSnapshot {
        /// The host.
        host: String,
        /// The name that was asked for.
        name: String,
        /// The snapshots that it has.
        known: Vec<String>,
    },
    /// This machine makes no links for virtual machines.
    #[error(
        "this machine makes no network link for a virtual machine{}",
        evidence_of(evidence)
    )]
    NoTap {
        /// What `ip` said.
        evidence: String,
    },
    /// podman uses another network stack than netavark.
    #[error("podman's network backend on this machine is `{found}`; a lab's fixed addresses need netavark")]
    NetworkBackend {
        /// What podman says.
        found: String,
    },
    /// Something is left over after `down`.
    #[error("left over after taking down lab `{name}`: {}", left.join(", "))]
    LeftOver {
        /// The lab's name.
        name: String,
        /// What is still there.
        left: Vec<String>,
    },
    /// `up` failed, and what it had made could not be taken back.
    #[error("{first}; and what was made until then could not be removed: {second}")]
    NotTakenBack {
        /// The lab's name.
        name: String,
        /// Why `up` failed.
        #[source]
        first: Box<LabError>,
        /// Why the removal failed.
        second: Box<LabError>,
    },
}

impl LabError {
    /// The stable code, `IEC19nn`, that the manual explains.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRoot => "IEC1901",
            Self::MissingPrograms { .. } => "IEC1902",
            Self::InvalidName { .. } => "IEC1903",
            Self::InvalidRequest(_) => "IEC1904",
            Self::Exists { .. } => "IEC1905",
            Self::NoSuchLab { .. } => "IEC1906",
            Self::NoSuchHost { .. } => "IEC1907",
            Self::Busy { .. } => "IEC1908",
            Self::NoFreeSubnet { .. } => "IEC1909",
            Self::Failed { .. } => "IEC1910",
            Self::CouldNotRun { .. } => "IEC1911",
            Self::UnknownAnswer { .. } => "IEC1912",
            Self::File { .. } => "IEC1913",
            Self::Record { .. } => "IEC1914",
            Self::Base { .. } => "IEC1915",
            Self::NotReady { .. } => "IEC1916",
            Self::HostState { .. } => "IEC1917",
            Self::NetworkBackend { .. } => "IEC1918",
            Self::LeftOver { .. } => "IEC1919",
            Self::NotTakenBack { .. } => "IEC1920",
            Self::SnapshotExists { .. } => "IEC1921",
            Self::NoSuchSnapshot { .. } => "IEC1922",
            Self::NoTap { .. } => "IEC1923",
        }
    }

    /// The next thing to do, for a person, in one sentence.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NotRoot => "run it as root, or with sudo".to_owned(),
            Self::MissingPrograms { packages, .. } => format!("type: {}", crate::requirements::apt_line(packages)),
            Self::InvalidName { .. } => "take 1 to 30 of a-z, 0-9 and -, beginning with a letter".to_owned(),
            Self::InvalidRequest(_) => "change the numbers and try again".to_owned(),
            Self::Exists { name, .. } => {
                format!("take it down with `iec lab down {name}`, or choose another name")
            }
            Self::NoSuchLab { .. } => "`iec lab list` shows the labs there are".to_owned(),
            Self::NoSuchHost { .. } => "use one of the hosts named here".to_owned(),
            Self::Busy { .. } => "wait until the other command has ended, then try again".to_owned(),
            Self::NoFreeSubnet { .. } => {
                "take labs down that are not needed (`iec lab list`), or remove unused podman networks".to_owned()
            }
            Self::Failed { .. } | Self::CouldNotRun { .. } | Self::UnknownAnswer { .. } => {
                "see what the program says; `iec lab down` removes what was made".to_owned()
            }
            Self::File { .. } => "check the folder's permissions and the free space of its disk".to_owned(),
            Self::Record { .. } => "`iec lab down` removes the lab without its record".to_owned(),
            Self::Base { .. } => {
                "check that this machine reaches its Debian mirror and has 1 GB of free disk, then try again".to_owned()
            }
            Self::NotReady { .. } => "is the machine very busy, or short of memory? try again".to_owned(),
            Self::HostState { .. } => "`iec lab list` shows the state of each host".to_owned(),
            Self::SnapshotExists { .. } => "choose another name; `iec lab down` removes a lab with its snapshots".to_owned(),
            Self::NoSuchSnapshot { .. } => "use one of those named here, or make one with `iec lab snapshot`".to_owned(),
            Self::NoTap { .. } => {
                "load the kernel's module tun, or, in a container, allow it /dev/net/tun and CAP_NET_ADMIN; `iec lab up` without virtual machines needs neither".to_owned()
            }
            Self::NetworkBackend { .. } => {
                "set `network_backend = \"netavark\"` under [network] in /etc/containers/containers.conf, then run `podman system reset` (it removes all containers)".to_owned()
            }
            Self::LeftOver { name, .. } | Self::NotTakenBack { name, .. } => {
                format!("run `iec lab down {name}`; if it says the same again, remove what it names by hand")
            }
        }
    }
}

fn list_or_none(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn evidence_of(evidence: &str) -> String {
    let evidence = evidence.trim();
    if evidence.is_empty() {
        String::new()
    } else {
        format!(": {evidence}")
    }
}

/// Turns an I/O error into [`LabError::File`], for use with `map_err`.
pub(crate) fn at(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> LabError {
    let path = path.into();
    move |source| LabError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_cause_evidence_and_next_action() {
        let error = LabError::MissingPrograms {
            programs: vec!["podman".to_owned(), "mmdebstrap".to_owned()],
            packages: vec!["podman".to_owned(), "mmdebstrap".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "not installed on this machine: podman, mmdebstrap"
        );
        assert_eq!(error.code(), "IEC1902");
        assert_eq!(
            error.help(),
            "type: apt-get install -y --no-install-recommends podman mmdebstrap"
        );
    }

    #[test]
    fn evidence_is_left_out_where_there_is_none() {
        let error = LabError::Failed {
            doing: "making the network".to_owned(),
            program: "podman".to_owned(),
            status: "exit status 125".to_owned(),
            evidence: " \n".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "making the network: `podman` failed (exit status 125)"
        );
    }
}
