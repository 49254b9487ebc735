//! An Ansible inventory, INI or YAML, made into a site file: Kubespray's groups, and those that others use.

mod ini;
mod inventory;
mod naming;
mod told;
mod yaml;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::site::rule::{port, printable};
use crate::site::{Example, ExampleHost, Role, example};
use crate::spec::source::Source;
use inventory::{Host, Inventory, Layers};

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
/// The group of control planes in inventories that IEC writes; they may run workloads and are in no other group.
const OWN_CONTROL_PLANES: &str = "iec_control_planes";

/// A file of `group_vars` or `host_vars` beside an inventory.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'b> {
    /// Whose variables it has.
    pub of: Owner<'b>,
    /// Its text.
    pub text: &'b str,
    /// What messages call it.
    pub file: &'b str,
}

/// Whose variables a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'b> {
    /// Those of a group, by its name.
    Group(&'b str),
    /// Those of a host, by its name.
    Host(&'b str),
}

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

/// Makes a site file of an inventory and the files beside it, the weaker of two for one owner first.
///
/// # Errors
/// Everything that is wrong with it: lines that cannot be read, no control plane, hosts without an address.
pub fn import(
    text: &str,
    file: &str,
    beside: &[Beside<'_>],
    wanted: &Wanted<'_>,
) -> Result<Imported, Diagnostics> {
    let mut problems = Diagnostics::new();
    let source = Source::new(text, file);
    let inventory = if is_yaml(text, file) {
        yaml::read(&source, &mut problems)
    } else {
        Some(ini::read(&source, &mut problems))
    };
    let Some(mut inventory) = inventory.filter(|_| !problems.has_errors()) else {
        return Err(problems);
    };
    for beside in beside {
        read_beside(&mut inventory, beside, &mut problems);
    }
    let site = site(&inventory, wanted, &mut problems);
    match site {
        Some(text) => Ok(Imported {
            text,
            warnings: problems,
        }),
        None => Err(problems),
    }
}

/// Adds the variables of a file; one that cannot be read is told, and left out.
fn read_beside(inventory: &mut Inventory, beside: &Beside<'_>, problems: &mut Diagnostics) {
    let file = printable(beside.file);
    if inventory::is_encrypted(beside.text) {
        problems.push(told::left_out(format!(
            "{file} is left out: all of it is encrypted, and IEC does not ask for a passphrase of ansible-vault"
        )));
        return;
    }
    let has_nothing = |line: &str| line.is_empty() || line.starts_with('#') || line == "---" || line == "...";
    if beside.text.lines().map(str::trim).all(has_nothing) {
        return;
    }
    let mut found = Diagnostics::new();
    let source = Source::new(beside.text, beside.file);
    let variables = yaml::variables(&source, inventory, &mut found);
    // Without a place: what is drawn there would be of another file, and might be a password.
    for problem in &found {
        let line = problem.place.as_ref().map_or(1, |place| place.line);
        problems.push(told::left_out(format!(
            "a part of {file} is left out, line {line} cannot be read"
        )));
    }
    let Some(variables) = variables else { return };
    match beside.of {
        Owner::Group(name) => inventory.group(name).beside.extend(variables),
        Owner::Host(name) => {
            if let Some(host) = inventory.hosts.iter_mut().find(|host| host.name == name) {
                host.beside.extend(variables);
            }
        }
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
struct Chosen {
    name: String,
    address: String,
    role: Role,
    further: Map<String, Value>,
}

fn site(inventory: &Inventory, wanted: &Wanted<'_>, problems: &mut Diagnostics) -> Option<String> {
    let control_planes = inventory.members(&CONTROL_PLANES);
    let nodes = inventory.members(&NODES);
    let Some(control_plane) = control_planes.first() else {
        problems.push(no_control_plane(inventory));
        return None;
    };
    let layers = inventory.layers();
    let user = wanted.user.map(str::to_owned);
    let user = user.or_else(|| usual(inventory, &layers, &USER));
    let user = user.unwrap_or_else(|| wanted.usual_user.to_owned());
    let (within, without): (Vec<&Host>, Vec<&Host>) = inventory
        .hosts
        .iter()
        .partition(|host| control_planes.contains(&host.name) || nodes.contains(&host.name));
    let given: Vec<&str> = within.iter().map(|host| host.name.as_str()).collect();
    let names = naming::site_names(&given, problems);
    let mut chosen = Vec::new();
    for (host, name) in within.iter().zip(&names) {
        let role = if host.name == *control_plane {
            Role::ControlPlane
        } else {
            Role::Worker
        };
        chosen.extend(choose(&layers, host, name, role, &user, wanted, problems));
    }
    let called = |host: &String| {
        let mut pairs = given.iter().zip(&names);
        pairs
            .find(|(given, _)| *given == host)
            .map(|(_, name)| name.as_str())
    };
    let others: Vec<&str> = control_planes.iter().skip(1).filter_map(called).collect();
    told::tell_of_others(called(control_plane).unwrap_or_default(), &others, problems);
    let without: Vec<&str> = without.iter().map(|host| host.name.as_str()).collect();
    told::tell(inventory, &layers, &control_planes, &without, problems);
    if problems.has_errors() {
        return None;
    }
    let schedulable = nodes.contains(control_plane)
        || within.len() == 1
        || inventory.members(&[OWN_CONTROL_PLANES]).contains(control_plane);
    Some(text(inventory, &layers, wanted, &user, &chosen, schedulable))
}

/// The variables that name the account, the port, and the address; the first that is there counts.
const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
const ADDRESS: [&str; 3] = ["ansible_host", "ansible_ssh_host", "ip"];

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

fn choose(
    layers: &Layers<'_>,
    host: &Host,
    name: &str,
    role: Role,
    user: &str,
    wanted: &Wanted<'_>,
    problems: &mut Diagnostics,
) -> Option<Chosen> {
    let variable = |names: &[&str]| names.iter().find_map(|name| layers.variable(host, name));
    let mut given = wanted.addresses.iter();
    let given = given.find(|(given, _)| *given == host.name || *given == name);
    let reached = given
        .map(|(_, address)| (*address).to_owned())
        .or_else(|| variable(&ADDRESS))
        .unwrap_or_else(|| host.name.clone());
    if reached.parse::<Ipv4Addr>().is_err() {
        let called = printable(&host.name);
        problems.push(
            Diagnostic::error(
                "IEC0832",
                format!(
                    "{called} has no IPv4 address: its ansible_host is {}",
                    printable(&reached)
                ),
            )
            .at(&host.place)
            .hint(format!(
                "write ansible_host=ADDRESS, or iec init --host {name}=ADDRESS"
            )),
        );
        return None;
    }
    let mut further = Map::new();
    // Kubespray's `ip` is the address by which the hosts of the cluster talk to each other.
    if let Some(inner) = variable(&["ip"]).filter(|ip| *ip != reached && ip.parse::<Ipv4Addr>().is_ok()) {
        further.insert("nodeAddress".to_owned(), json!(inner));
    }
    if wanted.user.is_none()
        && let Some(own) = variable(&USER).filter(|own| own != user)
    {
        further.insert("user".to_owned(), json!(own));
    }
    match variable(&PORT).map(|text| (port(&text), text)) {
        None | Some((Some(22), _)) => {}
        Some((Some(port), _)) => {
            further.insert("port".to_owned(), json!(port));
        }
        Some((None, text)) => problems.push(told::left_out(format!(
            "the port of {} is left out: {} is none",
            printable(&host.name),
            printable(&text)
        ))),
    }
    Some(Chosen {
        name: name.to_owned(),
        address: reached,
        role,
        further,
    })
}

/// The value that most hosts have.
fn usual(inventory: &Inventory, layers: &Layers<'_>, names: &[&str]) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for host in &inventory.hosts {
        if let Some(value) = names.iter().find_map(|name| layers.variable(host, name)) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(value, _)| value)
}

fn text(
    inventory: &Inventory,
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    user: &str,
    chosen: &[Chosen],
    schedulable: bool,
) -> String {
    let hosts: Vec<ExampleHost<'_>> = chosen
        .iter()
        .map(|host| ExampleHost {
            name: &host.name,
            address: &host.address,
            role: host.role,
            host_key: None,
            further: host.further.clone(),
        })
        .collect();
    let usual = |name| usual(inventory, layers, &[name]);
    let identity = wanted
        .identity
        .map(str::to_owned)
        .or_else(|| usual("ansible_ssh_private_key_file"));
    let mut further = Map::new();
    if !schedulable {
        further.insert("controlPlane".to_owned(), json!({ "schedulable": false }));
    }
    let pods = usual("kube_pods_subnet");
    let services = usual("kube_service_addresses");
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
mod tests;
