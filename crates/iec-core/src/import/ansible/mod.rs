//! An Ansible inventory, INI or YAML, made into a site file: Kubespray's groups, and those that others use.

mod ini;
mod inventory;
mod yaml;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::site::{Example, ExampleHost, Role, example};
use crate::spec::source::Source;
use inventory::{Host, Inventory};

/// The groups whose hosts are control planes, Kubespray's first.
const CONTROL_PLANES: [&str; 9] = [
    "kube_control_plane",
    "kube-master",
    "kube_master",
    "iec_control_planes",
    "control_plane",
    "control_planes",
    "controlplane",
    "masters",
    "master",
];
/// The groups whose hosts run workloads, Kubespray's first.
const NODES: [&str; 8] = [
    "kube_node",
    "kube-node",
    "iec_workers",
    "nodes",
    "node",
    "workers",
    "worker",
    "agents",
];
/// Variables that hold a password.
const PASSWORDS: [&str; 6] = [
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
    "ansible_ssh_private_key_passphrase",
];

/// What an inventory does not say.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// The name of the site.
    pub name: &'w str,
    /// The release to install.
    pub release: &'w str,
    /// The bundle.
    pub bundle: Option<&'w str>,
    /// The account to log in with, whatever the inventory says.
    pub user: Option<&'w str>,
    /// The account where nobody names one.
    pub usual_user: &'w str,
    /// The file of the private key, whatever the inventory says.
    pub identity: Option<&'w str>,
    /// Addresses of hosts by name, whatever the inventory says.
    pub addresses: &'w [(&'w str, &'w str)],
}

/// What an inventory became.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The text of the site file. It may still break rules of sites: read it before you trust it.
    pub text: String,
    /// What somebody should know: what was left out, where passwords were.
    pub warnings: Diagnostics,
}

/// Makes a site file of an inventory.
///
/// # Errors
/// Everything that is wrong with it: lines that cannot be read, no control plane, hosts without an address.
pub fn import(text: &str, file: &str, wanted: &Wanted<'_>) -> Result<Imported, Diagnostics> {
    let mut problems = Diagnostics::new();
    let source = Source::new(text, file);
    let inventory = if is_yaml(text, file) {
        yaml::read(&source, &mut problems)
    } else {
        Some(ini::read(&source, &mut problems))
    };
    let Some(inventory) = inventory.filter(|_| !problems.has_errors()) else {
        return Err(problems);
    };
    let site = site(&inventory, wanted, &mut problems);
    match site {
        Some(text) => Ok(Imported {
            text,
            warnings: problems,
        }),
        None => Err(problems),
    }
}

/// By its name; else a first line that ends with a colon is a group of a YAML inventory.
fn is_yaml(text: &str, file: &str) -> bool {
    let named = |ending: &str| file.to_ascii_lowercase().ends_with(ending);
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    named(".yml")
        || named(".yaml")
        || (!named(".ini") && first.is_some_and(|line| line == "---" || line.ends_with(':')))
}

/// A host as the site will have it.
struct Chosen<'i> {
    name: &'i str,
    address: String,
    role: Role,
    further: Map<String, Value>,
}

fn site(inventory: &Inventory, wanted: &Wanted<'_>, problems: &mut Diagnostics) -> Option<String> {
    let control_planes = inventory.members(&CONTROL_PLANES);
    let nodes = inventory.members(&NODES);
    if control_planes.is_empty() {
        problems.push(no_control_plane(inventory));
        return None;
    }
    let user = wanted
        .user
        .map(str::to_owned)
        .or_else(|| usual(inventory, "ansible_user"));
    let user = user.unwrap_or_else(|| wanted.usual_user.to_owned());
    let mut chosen = Vec::new();
    let mut left_out = Vec::new();
    for host in &inventory.hosts {
        let role = match (control_planes.contains(&host.name), nodes.contains(&host.name)) {
            (true, _) => Role::ControlPlane,
            (false, true) => Role::Worker,
            (false, false) => {
                left_out.push(host.name.as_str());
                continue;
            }
        };
        if let Some(host) = choose(inventory, host, role, &user, wanted, problems) {
            chosen.push(host);
        }
    }
    tell(inventory, &control_planes, &left_out, problems);
    if problems.has_errors() {
        return None;
    }
    let schedulable = control_planes.iter().all(|name| nodes.contains(name));
    Some(text(inventory, wanted, &user, &chosen, schedulable))
}

fn no_control_plane(inventory: &Inventory) -> Diagnostic {
    let groups: Vec<&str> = inventory.groups.keys().map(String::as_str).collect();
    let groups = if groups.is_empty() {
        "it has no groups".to_owned()
    } else {
        format!("its groups are {}", groups.join(", "))
    };
    Diagnostic::error(
        "IEC0830",
        format!(
            "the inventory has no control plane: {groups}, and none with a host is called kube_control_plane"
        ),
    )
    .hint("put a host into the group kube_control_plane, and the others into kube_node")
}

fn choose<'i>(
    inventory: &Inventory,
    host: &'i Host,
    role: Role,
    user: &str,
    wanted: &Wanted<'_>,
    problems: &mut Diagnostics,
) -> Option<Chosen<'i>> {
    let variable = |name: &str| inventory.variable(host, name);
    let given = wanted.addresses.iter().find(|(name, _)| *name == host.name);
    let reached = given
        .map(|(_, address)| (*address).to_owned())
        .or_else(|| variable("ansible_host"))
        .or_else(|| variable("ansible_ssh_host"))
        .or_else(|| variable("ip"))
        .unwrap_or_else(|| host.name.clone());
    if reached.parse::<Ipv4Addr>().is_err() {
        problems.push(
            Diagnostic::error(
                "IEC0832",
                format!("{} has no IPv4 address: its ansible_host is {reached}", host.name),
            )
            .at(&host.place)
            .hint(format!(
                "write ansible_host=ADDRESS, or iec init --host {}=ADDRESS",
                host.name
            )),
        );
        return None;
    }
    let mut further = Map::new();
    // Kubespray's `ip` is the address by which the hosts of the cluster talk to each other.
    if let Some(inner) = variable("ip").filter(|ip| *ip != reached && ip.parse::<Ipv4Addr>().is_ok()) {
        further.insert("nodeAddress".to_owned(), json!(inner));
    }
    if wanted.user.is_none()
        && let Some(own) = variable("ansible_user").filter(|own| own != user)
    {
        further.insert("user".to_owned(), json!(own));
    }
    if let Some(port) = variable("ansible_port").or_else(|| variable("ansible_ssh_port"))
        && let Ok(port) = port.parse::<u16>()
        && port != 22
    {
        further.insert("port".to_owned(), json!(port));
    }
    Some(Chosen {
        name: &host.name,
        address: reached,
        role,
        further,
    })
}

/// Says what the site will not have.
fn tell(inventory: &Inventory, control_planes: &[String], left_out: &[&str], problems: &mut Diagnostics) {
    let mut warn = |message: String| {
        problems.push(
            Diagnostic::warning("IEC0833", message).hint("keep the inventory if another tool needs it"),
        );
    };
    if !left_out.is_empty() {
        warn(format!(
            "{} left out: in no group of control planes or nodes",
            are(left_out)
        ));
    }
    let elsewhere = inventory.members(&["etcd"]);
    let elsewhere: Vec<&str> = elsewhere
        .iter()
        .filter(|name| !control_planes.contains(name))
        .map(String::as_str)
        .collect();
    if !elsewhere.is_empty() {
        warn(format!(
            "{} not used for etcd: IEC runs it on control planes",
            are(&elsewhere)
        ));
    }
    let with_password: Vec<&str> = inventory
        .hosts
        .iter()
        .filter(|host| {
            PASSWORDS
                .iter()
                .any(|name| inventory.variable(host, name).is_some())
        })
        .map(|host| host.name.as_str())
        .collect();
    if !with_password.is_empty() {
        warn(format!(
            "the passwords of {} are left out: IEC logs in with a key, and asks for a password of sudo",
            with_password.join(", ")
        ));
    }
}

fn are(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is"),
        some => format!("{} are", some.join(", ")),
    }
}

/// The value that most hosts have.
fn usual(inventory: &Inventory, name: &str) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for host in &inventory.hosts {
        if let Some(value) = inventory.variable(host, name) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(value, _)| value)
}

fn text(
    inventory: &Inventory,
    wanted: &Wanted<'_>,
    user: &str,
    chosen: &[Chosen<'_>],
    schedulable: bool,
) -> String {
    let hosts: Vec<ExampleHost<'_>> = chosen
        .iter()
        .map(|host| ExampleHost {
            name: host.name,
            address: &host.address,
            role: host.role,
            host_key: None,
            further: host.further.clone(),
        })
        .collect();
    let identity = wanted
        .identity
        .map(str::to_owned)
        .or_else(|| usual(inventory, "ansible_ssh_private_key_file"));
    let mut further = Map::new();
    if schedulable {
        further.insert("controlPlane".to_owned(), json!({ "schedulable": true }));
    }
    let pods = usual(inventory, "kube_pods_subnet");
    let services = usual(inventory, "kube_service_addresses");
    example(&Example {
        name: wanted.name,
        release: wanted.release,
        bundle: wanted.bundle,
        user,
        identity: identity.as_deref(),
        hosts: &hosts,
        pods: pods.as_deref(),
        services: services.as_deref(),
        avoid: &[],
        further,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        name: "store-0417",
        release: "1.36",
        bundle: None,
        user: None,
        usual_user: "edge",
        identity: None,
        addresses: &[],
    };

    fn site(text: &str, file: &str) -> (crate::site::Site, Diagnostics) {
        let imported = import(text, file, &WANTED).unwrap_or_else(|problems| panic!("{problems}"));
        let (site, _) = crate::site::load(&imported.text, "site.yaml")
            .unwrap_or_else(|problems| panic!("{problems}\n{}", imported.text));
        (site, imported.warnings)
    }

    fn hosts(site: &crate::site::Site) -> Vec<(String, String, Role)> {
        let hosts = site.hosts().iter();
        hosts
            .map(|host| (host.name().to_string(), host.address().to_string(), host.role()))
            .collect()
    }

    const KUBESPRAY_INI: &str = "\
# ## Configure 'ip' variable to bind kubernetes services
[all]
node1 ansible_host=95.54.0.12 ip=10.3.0.1 etcd_member_name=etcd1
node2 ansible_host=95.54.0.13 ip=10.3.0.2
bastion ansible_host=95.54.0.2 ansible_user=jump

[kube_control_plane]
node1

[etcd]
node1

[kube_node]
node2 ansible_port=2222

[calico_rr]

[k8s_cluster:children]
kube_control_plane
kube_node
calico_rr

[all:vars]
ansible_user=core
ansible_ssh_private_key_file='~/.ssh/edge key'
ansible_become_password=hunter2
";

    #[test]
    fn kubespray_s_ini_becomes_a_site() {
        let (site, warnings) = site(KUBESPRAY_INI, "inventory.ini");
        assert_eq!(
            hosts(&site),
            [
                ("node1".into(), "95.54.0.12".into(), Role::ControlPlane),
                ("node2".into(), "95.54.0.13".into(), Role::Worker)
            ]
        );
        assert_eq!(site.access().user().as_str(), "core");
        assert_eq!(site.access().identity(), Some("~/.ssh/edge key"));
        assert_eq!(site.hosts()[0].node_address().to_string(), "10.3.0.1");
        assert_eq!(site.hosts()[1].port(), Some(2222));
        let warnings = warnings.to_string();
        assert!(warnings.contains("bastion is left out"), "{warnings}");
        assert!(
            warnings.contains("passwords of node1, node2, bastion"),
            "{warnings}"
        );
        assert!(!warnings.contains("hunter2"), "{warnings}");
    }

    #[test]
    fn kubespray_s_yaml_becomes_a_site() {
        let text = "\
all:
  hosts:
    node1: {ansible_host: 10.0.0.1, ip: 10.0.0.1, access_ip: 10.0.0.1}
    node2:
      ansible_host: 10.0.0.2
      ansible_user: debian
  vars:
    ansible_user: ubuntu
    kube_pods_subnet: 10.40.0.0/16
    kube_service_addresses: 10.41.0.0/16
  children:
    kube_control_plane:
      hosts:
        node1:
    kube_node:
      hosts:
        node1:
        node2:
    k8s_cluster:
      children:
        kube_control_plane:
        kube_node:
";
        let (site, _) = site(text, "hosts.yaml");
        assert_eq!(
            hosts(&site),
            [
                ("node1".into(), "10.0.0.1".into(), Role::ControlPlane),
                ("node2".into(), "10.0.0.2".into(), Role::Worker)
            ]
        );
        assert!(site.control_plane().schedulable());
        assert_eq!(site.network().pods().to_string(), "10.40.0.0/16");
        assert_eq!(site.hosts()[1].user().map(|user| user.as_str()), Some("debian"));
    }

    #[test]
    fn ranges_are_counted_out() {
        let text = "[masters]\n10.0.0.1\n[workers]\nedge-[01:03] ansible_host=10.0.0.9\n";
        let problems = import(text, "hosts", &WANTED).map(|imported| imported.text);
        let text = problems.unwrap_or_else(|problems| panic!("{problems}"));
        for name in ["edge-01", "edge-02", "edge-03"] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_site_is_refused_with_a_code() {
        for (text, file, code) in [
            ("[kube_node]\na ansible_host=10.0.0.1\n", "hosts.ini", "IEC0830"),
            ("[kube_control_plane]\n", "hosts.ini", "IEC0830"),
            ("", "hosts.ini", "IEC0830"),
            (
                "all: {hosts: {a: {ansible_host: 10.0.0.1}}}\n",
                "hosts.yaml",
                "IEC0830",
            ),
            ("[kube_control_plane]\na\n", "hosts.ini", "IEC0832"),
            (
                "[kube_control_plane]\na ansible_host=a.example.org\n",
                "hosts.ini",
                "IEC0832",
            ),
            ("[kube_control_plane\na\n", "hosts.ini", "IEC0831"),
            ("[kube_control_plane]\na ansible_host\n", "hosts.ini", "IEC0831"),
            ("[kube_control_plane]\na-[1:x]\n", "hosts.ini", "IEC0831"),
            ("[kube_control_plane]\na-[1:99999999]\n", "hosts.ini", "IEC0831"),
            ("[a:children]\nb\n[b:children]\na\n", "hosts.ini", "IEC0830"),
            ("all: [a]\n", "hosts.yml", "IEC0831"),
        ] {
            let problems = import(text, file, &WANTED).expect_err(text);
            assert!(
                problems.iter().any(|problem| problem.code == code),
                "{text}: {problems}"
            );
        }
    }
}
