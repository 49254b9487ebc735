//! The commands that read or write a site file.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::Reach;

/// The site file of a command.
#[derive(Debug, Clone, Args)]
pub struct SitePath {
    /// The site file, or a folder that holds a site.yaml
    #[arg(value_name = "SITE", default_value = "site.yaml")]
    pub site: PathBuf,
}

/// Write a first site file
///
/// With a terminal it asks for what the options leave open. Without one it asks nothing: at least one --host
/// must be given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec init\n  \
    iec init --name store-0417 --host edge-1=10.0.0.11 --host edge-2=10.0.0.12\n  \
    iec init shop/site.yaml --host edge-1=10.0.0.11:control-plane --host edge-2=10.0.0.12:worker --user admin\n  \
    iec init --from-ansible inventory/hosts.yaml --name store-0417\n  \
    iec init --from-pdf pod1.yaml --idf idf-pod1.yaml --name store-0417")]
pub struct Init {
    /// The site file to write
    #[arg(value_name = "SITE", default_value = "site.yaml")]
    pub site: PathBuf,
    /// The name of the site [default: the name of the folder]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A host, in the form name=address[:role], role control-plane or worker (can be repeated)
    ///
    /// Where no host has a role, the first one is the control plane and the others are workers.
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<HostArgument>,
    /// The user to log in as; it needs sudo without a password, or to be root
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// The private key to log in with [default: the SSH agent and ~/.ssh]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<String>,
    /// The bundle to install from
    #[arg(long, value_name = "FOLDER")]
    pub bundle: Option<PathBuf>,
    /// Make the site of this OPNFV Pod Descriptor File
    ///
    /// What IEC makes nothing of is named, and so is each password, which never comes into the site file. A
    /// --host then gives the address or the role of a node that the descriptors do not have.
    #[arg(long, value_name = "FILE", requires = "idf")]
    pub from_pdf: Option<PathBuf>,
    /// The Installer Descriptor File that belongs to it
    #[arg(long, value_name = "FILE", requires = "from_pdf")]
    pub idf: Option<PathBuf>,
    /// The form of the descriptors
    #[arg(long, value_name = "DIALECT", default_value = "pharos", requires = "from_pdf")]
    pub dialect: Dialect,
    /// Make the site of this Ansible inventory, a file or a folder; Kubespray's groups are known
    ///
    /// INI and YAML, with groups, ranges such as edge-[1:3], and how hosts are reached, as Ansible reads them;
    /// `group_vars` and `host_vars` beside it count, and the account of the nearest ansible.cfg. What IEC makes nothing
    /// of is named. A folder stands for the inventories in it. A --host then gives a host of the inventory its address,
    /// and its role if one is named. What `iec render ansible` has written becomes the same site again.
    #[arg(long, value_name = "INVENTORY", conflicts_with = "from_pdf")]
    pub from_ansible: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
}

/// The form of OPNFV descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// As Pharos' schemas say; a deviation is an error
    Pharos,
    /// As Kuberef wrote them; a deviation is a warning
    Kuberef,
}

/// Check a site file, and with --probe its hosts
///
/// Reports every problem in the file with its line and column. With --probe it also logs in to each host and
/// reads what the host is. Changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec check\n  \
    iec check shop/site.yaml -o json\n  \
    iec check --probe --facts-out facts.json")]
pub struct Check {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// Ask every host what it is
    #[arg(long)]
    pub probe: bool,
    /// Write what the hosts are to a file; implies --probe
    #[arg(long, value_name = "FILE")]
    pub facts_out: Option<PathBuf>,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// A host as it is typed: `name=address[:role]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostArgument {
    /// The host's name.
    pub name: String,
    /// How to reach it.
    pub address: String,
    /// What it is to be, when given.
    pub role: Option<Role>,
}

/// What a host is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Runs the cluster's control plane
    ControlPlane,
    /// Runs workloads only
    Worker,
}

impl FromStr for HostArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, rest) = text
            .split_once('=')
            .ok_or("a host is name=address[:role], for example edge-1=10.0.0.11")?;
        let (address, role) = match rest.rsplit_once(':') {
            // An IPv6 address is left whole: the site file's rules refuse it by name.
            Some((address, role)) if !address.contains(':') => {
                let role = Role::from_str(role, false)
                    .map_err(|_| format!("`{role}` is not a role: type control-plane or worker"))?;
                (address, Some(role))
            }
            _ => (rest, None),
        };
        if name.is_empty() || address.is_empty() {
            return Err("a host is name=address[:role], for example edge-1=10.0.0.11".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            address: address.to_owned(),
            role,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{HostArgument, Role};

    #[track_caller]
    fn host(text: &str) -> (String, String, Option<Role>) {
        let host: HostArgument = text.parse().unwrap();
        (host.name, host.address, host.role)
    }

    #[test]
    fn a_host_has_a_name_an_address_and_perhaps_a_role() {
        assert_eq!(host("a=10.0.0.1"), ("a".into(), "10.0.0.1".into(), None));
        assert_eq!(
            host("a=10.0.0.1:worker"),
            ("a".into(), "10.0.0.1".into(), Some(Role::Worker))
        );
        assert_eq!(host("a=h.example:control-plane").2, Some(Role::ControlPlane));
        assert_eq!(host("a=fd00::1").1, "fd00::1");
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for text in ["a", "=10.0.0.1", "a=", "a=:worker", "a=10.0.0.1:boss"] {
            assert!(text.parse::<HostArgument>().is_err(), "{text}");
        }
    }
}
