//! `lab.json`: what a lab is meant to be, written before anything of it is made.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::error::{LabError, at};
use crate::places::{Folder, Places, write_atomically};
use crate::request::{HostKind, Nics, UpRequest};
use crate::subnet;

/// How far a lab has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabState {
    /// `up` is at work, or was cut off.
    Creating,
    /// `up` has finished.
    Ready,
    /// `down` is at work, or was cut off.
    Removing,
}

/// What a host does in the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// It runs the control plane.
    ControlPlane,
    /// It runs workloads only.
    Worker,
}

impl HostRole {
    /// As the site file writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        }
    }
}

/// A host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabHost {
    /// Its name in the lab and its own host name: `edge-1`, `edge-2`, …
    pub name: String,
    /// What it does in the site.
    pub role: HostRole,
    /// Its container's name in podman, or its virtual machine's.
    pub container: String,
    /// What it is made of.
    #[serde(default)]
    pub kind: HostKind,
    /// Its addresses, one per network card, the one to reach it by first; empty until the networks are chosen.
    pub addresses: Vec<Ipv4Addr>,
    /// Its public host key, `ssh-ed25519 AAAA…`; empty until it is made.
    pub host_key: String,
}

/// A network of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabNetwork {
    /// Its name in podman.
    pub(crate) name: String,
    /// Its addresses; `None` until they are chosen.
    pub(crate) subnet: Option<Ipv4Net>,
    /// Whether it has no way out.
    pub(crate) internal: bool,
    /// The link on this machine that joins its hosts; empty until podman has chosen one.
    #[serde(default)]
    pub(crate) bridge: String,
}

/// The content of `lab.json`. Fields are only ever added to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) state: LabState,
    pub(crate) request: UpRequest,
    pub(crate) networks: Vec<LabNetwork>,
    pub(crate) hosts: Vec<LabHost>,
}

impl Record {
    /// What is intended for a request, before addresses and keys are known.
    ///
    /// Names have dots between their parts, which no lab's name has: two labs never have a name in common.
    pub(crate) fn intended(request: &UpRequest) -> Self {
        let lab = &request.name;
        let cards = match request.nics {
            Nics::One => 1,
            Nics::Two => 2,
        };
        let networks = (1..=cards)
            .map(|card| LabNetwork {
                name: format!("iec.{lab}.nic{card}"),
                subnet: None,
                internal: card > 1,
                bridge: String::new(),
            })
            .collect();
        let host = |number: usize| LabHost {
            name: format!("edge-{number}"),
            role: if number <= request.control_planes {
                HostRole::ControlPlane
            } else {
                HostRole::Worker
            },
            container: format!("iec.{lab}.edge-{number}"),
            kind: request.kind(number - 1),
            addresses: Vec::new(),
            host_key: String::new(),
        };
        Self {
            version: 1,
            state: LabState::Creating,
            request: request.clone(),
            networks,
            hosts: (1..=request.hosts).map(host).collect(),
        }
    }

    /// Fills in the networks' addresses and the hosts' ones from them.
    pub(crate) fn set_subnets(&mut self, subnets: &[Ipv4Net]) {
        for (network, chosen) in self.networks.iter_mut().zip(subnets) {
            network.subnet = Some(*chosen);
        }
        for (index, host) in self.hosts.iter_mut().enumerate() {
            host.addresses = subnets
                .iter()
                .map(|chosen| subnet::host(*chosen, index))
                .collect();
        }
    }

    pub(crate) fn write(&self, folder: &Folder) -> Result<(), LabError> {
        let mut text = serde_json::to_vec_pretty(self).expect("a record has only keys that are strings");
        text.push(b'\n');
        write_atomically(&folder.record(), &text, 0o600)
    }

    /// Reads a lab's record; `None` when there is none.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, LabError> {
        let path = folder.record();
        match fs::read(&path) {
            Ok(text) => {
                let record =
                    serde_json::from_slice(&text).map_err(|source| LabError::Record { path, source })?;
                Ok(Some(record))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at("read", path)(error)),
        }
    }
}

/// The names of the folders in which labs are, in order.
pub(crate) fn lab_names(places: &Places) -> Result<Vec<String>, LabError> {
    let entries = match fs::read_dir(&places.labs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at("read", &places.labs)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at("read", &places.labs))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && crate::request::validate_name(&name).is_ok() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A lab that is there: its hosts, and the files to reach them with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lab {
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub state: LabState,
    /// Where all of it is.
    pub folder: PathBuf,
    /// Its hosts, control planes first.
    pub hosts: Vec<LabHost>,
    /// The site file that was written for it.
    pub site_file: PathBuf,
    /// The private SSH key of the user `edge` on every host.
    pub identity_file: PathBuf,
    /// The public host keys, in the form of OpenSSH.
    pub known_hosts_file: PathBuf,
    /// Where the site's kubeconfig belongs; nothing is there until somebody writes it.
    pub kubeconfig_file: PathBuf,
}

impl Lab {
    pub(crate) fn of(folder: &Folder, record: Record) -> Self {
        Self {
            name: record.request.name,
            state: record.state,
            folder: folder.path.clone(),
            hosts: record.hosts,
            site_file: folder.site(),
            identity_file: folder.identity(),
            known_hosts_file: folder.known_hosts(),
            kubeconfig_file: folder.kubeconfig(),
        }
    }

    /// The host of this name.
    ///
    /// # Errors
    /// [`LabError::NoSuchHost`] with the names that there are.
    pub fn host(&self, name: &str) -> Result<&LabHost, LabError> {
        self.hosts
            .iter()
            .find(|host| host.name == name)
            .ok_or_else(|| LabError::NoSuchHost {
                lab: self.name.clone(),
                host: name.to_owned(),
                known: self.hosts.iter().map(|host| host.name.clone()).collect(),
            })
    }

    /// The root of a container host's disk as a folder of this machine; its `/usr` is empty here, see [`Lab::usr`].
    #[must_use]
    pub fn disk(&self, host: &LabHost) -> PathBuf {
        Folder {
            path: self.folder.clone(),
        }
        .disk(&host.name)
    }

    /// What a host has changed below `/usr`, as a folder of this machine: new and changed files, and a character device
    /// in the place of each removed one.
    #[must_use]
    pub fn usr(&self, host: &LabHost) -> PathBuf {
        Folder {
            path: self.folder.clone(),
        }
        .usr_overlay(&host.name)
        .0
    }

    /// The words of an OpenSSH command line that reaches a host as `edge` with the lab's key and nothing of
    /// the user's own configuration; the remote command's words may follow.
    ///
    /// # Errors
    /// [`LabError::NoSuchHost`], and [`LabError::HostState`] for a host that has no address yet.
    pub fn ssh_words(&self, host: &str) -> Result<Vec<String>, LabError> {
        let host = self.host(host)?;
        let address = host.addresses.first().ok_or_else(|| LabError::HostState {
            host: host.name.clone(),
            state: "without an address".to_owned(),
            wanted: "reached",
        })?;
        let option = |name: &str, path: &Path| format!("{name}={}", path.display());
        let mut words: Vec<String> = [
            "ssh",
            "-F",
            "/dev/null",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ]
        .map(str::to_owned)
        .to_vec();
        words.extend(["-o".to_owned(), "StrictHostKeyChecking=yes".to_owned()]);
        words.extend(["-o".to_owned(), "GlobalKnownHostsFile=/dev/null".to_owned()]);
        words.extend([
            "-o".to_owned(),
            option("UserKnownHostsFile", &self.known_hosts_file),
        ]);
        words.extend(["-o".to_owned(), option("IdentityFile", &self.identity_file)]);
        words.push(format!("{}@{address}", crate::base::USER));
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_name_everything_before_it_is_made() {
        let request = UpRequest {
            nics: Nics::Two,
            control_planes: 2,
            ..UpRequest::new("demo")
        };
        let mut record = Record::intended(&request);
        assert_eq!(
            record
                .hosts
                .iter()
                .map(|host| (host.container.as_str(), host.role.name()))
                .collect::<Vec<_>>(),
            [
                ("iec.demo.edge-1", "control-plane"),
                ("iec.demo.edge-2", "control-plane"),
                ("iec.demo.edge-3", "worker")
            ]
        );
        assert_eq!(
            record
                .networks
                .iter()
                .map(|network| (network.name.as_str(), network.internal))
                .collect::<Vec<_>>(),
            [("iec.demo.nic1", false), ("iec.demo.nic2", true)]
        );
        record.set_subnets(&["10.89.70.0/24", "10.89.71.0/24"].map(|net| net.parse().expect("a network")));
        assert_eq!(
            record.hosts[2].addresses,
            [Ipv4Addr::new(10, 89, 70, 13), Ipv4Addr::new(10, 89, 71, 13)]
        );
    }

    #[test]
    fn a_record_survives_being_written() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder {
            path: root.path().to_owned(),
        };
        assert_eq!(Record::read(&folder).expect("no record is no error"), None);
        let record = Record::intended(&UpRequest::new("demo"));
        record.write(&folder).expect("written");
        assert_eq!(Record::read(&folder).expect("readable"), Some(record));
        fs::write(folder.record(), "{").expect("broken");
        assert_eq!(Record::read(&folder).expect_err("broken").code(), "IEC1914");
    }

    #[test]
    fn an_unknown_host_is_named_with_the_known_ones() {
        let folder = Folder {
            path: PathBuf::from("/labs/demo"),
        };
        let lab = Lab::of(&folder, Record::intended(&UpRequest::new("demo")));
        let error = lab.host("edge-9").expect_err("there are three");
        assert_eq!(
            error.to_string(),
            "lab `demo` has no host `edge-9`; it has edge-1, edge-2, edge-3"
        );
        assert_eq!(
            lab.ssh_words("edge-1").expect_err("no address yet").code(),
            "IEC1917"
        );
    }
}
