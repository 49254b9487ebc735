//! The site file of an inventory that was read.

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::agreed::{self, IDENTITY, USER};
use super::inventory::{Host, Inventory};
use super::origin::{self, Origin};
use super::variable::Layers;
use super::{HostChoice, Wanted, naming, told};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::site::rule::{port, printable};
use crate::site::{Example, ExampleHost, Role, example};

/// The groups whose hosts are control planes, Kubespray's first.
const CONTROL_PLANES: [&str; 11] = [
    "kube_control_plane",
    "kube-master",
    "kube_master",
    "iec_control_planes",
    "control_plane",
    "control_planes",
    "controlplane",
    "masters",
    "master",
    "servers",
    "server",
];
/// The groups whose hosts run workloads, Kubespray's first.
const NODES: [&str; 9] = [
    "kube_node",
    "kube-node",
    "iec_workers",
    "nodes",
    "node",
    "workers",
    "worker",
    "agents",
    "agent",
];
/// The group of control planes in inventories that IEC writes; they may run workloads and are in no other group.
const OWN_CONTROL_PLANES: &str = "iec_control_planes";

/// The variables that name the port, and the address that Ansible connects to; the first that is there counts.
const PORT: [&str; 2] = ["ansible_port", "ansible_ssh_port"];
const ADDRESS: [&str; 2] = ["ansible_host", "ansible_ssh_host"];
/// Kubespray's address by which the hosts of the cluster talk to each other.
const INNER: [&str; 1] = ["ip"];
const PODS: [&str; 1] = ["kube_pods_subnet"];
const SERVICES: [&str; 1] = ["kube_service_addresses"];

/// A host as the site will have it.
struct Chosen {
    name: String,
    address: String,
    role: Role,
    further: Map<String, Value>,
}

/// The text of the site file; `None` when something is wrong.
pub(super) fn site(inventory: &Inventory, wanted: &Wanted<'_>, problems: &mut Diagnostics) -> Option<String> {
    let cluster = Cluster::new(inventory, wanted, problems)?;
    let layers = inventory.layers();
    let mut origins = Vec::new();
    let user = agreed::user(
        &cluster.hosts,
        &cluster.names,
        &layers,
        wanted,
        &mut origins,
        problems,
    );
    let identity = agreed::identity(
        &cluster.hosts,
        &cluster.names,
        &layers,
        wanted,
        &mut origins,
        problems,
    );
    let mut chosen = Vec::new();
    for index in 0..cluster.hosts.len() {
        chosen.extend(choose(
            &layers,
            &cluster,
            index,
            &user,
            wanted,
            &mut origins,
            problems,
        ));
    }
    cluster.tell(inventory, &layers, wanted, problems);
    if problems.has_errors() {
        return None;
    }
    let pods =
        of_site(&cluster, &layers, &PODS).inspect(|(_, place)| origins.push(Origin::of_site("pods", place)));
    let services = of_site(&cluster, &layers, &SERVICES)
        .inspect(|(_, place)| origins.push(Origin::of_site("services", place)));
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
    let mut further = Map::new();
    if !cluster.schedulable(inventory) {
        further.insert("controlPlane".to_owned(), json!({ "schedulable": false }));
    }
    let text = example(&Example {
        name: wanted.name,
        release: wanted.release,
        bundle: wanted.bundle,
        user: &user,
        identity: identity.as_deref(),
        hosts: &hosts,
        pods: pods.map(|(text, _)| text),
        services: services.map(|(text, _)| text),
        avoid: &[],
        further,
    });
    let faults = origin::faults(&text, &origins);
    let right = faults.is_empty();
    problems.extend(faults);
    right.then_some(text)
}

/// A value that the site has once: the control plane's, else the first one that is there.
fn of_site<'i>(
    cluster: &Cluster<'i>,
    layers: &Layers<'i>,
    names: &[&'static str],
) -> Option<(&'i str, &'i Place)> {
    let first = cluster.hosts.get(cluster.control_plane);
    let mut hosts = first.into_iter().chain(&cluster.hosts);
    hosts.find_map(|host| layers.text(host, names))
}

/// The hosts of the site, and which of them is the control plane.
struct Cluster<'i> {
    hosts: Vec<&'i Host>,
    /// What they are called in the site.
    names: Vec<String>,
    /// The index of the control plane.
    control_plane: usize,
    /// The indices of those that would be control planes too.
    others: Vec<usize>,
    /// The hosts of the inventory that are left out.
    without: Vec<&'i str>,
    /// The groups' control planes and nodes.
    control_planes: Vec<String>,
    nodes: Vec<String>,
}

impl<'i> Cluster<'i> {
    fn new(inventory: &'i Inventory, wanted: &Wanted<'_>, problems: &mut Diagnostics) -> Option<Self> {
        let control_planes = inventory.members(&CONTROL_PLANES);
        let nodes = inventory.members(&NODES);
        let (hosts, without): (Vec<&Host>, Vec<&Host>) = inventory.hosts.iter().partition(|host| {
            let asked = |choice: &HostChoice<'_>| choice.name == host.name && choice.role.is_some();
            control_planes.contains(&host.name)
                || nodes.contains(&host.name)
                || wanted.hosts.iter().any(asked)
        });
        let given: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        let names = naming::site_names(&given, problems);
        check_choices(inventory, &names, wanted, problems);
        let role =
            |index: usize| choice_of(hosts[index], &names[index], wanted).and_then(|choice| choice.role);
        let all = 0..hosts.len();
        let mut leading: Vec<usize> = all
            .clone()
            .filter(|index| role(*index) == Some(Role::ControlPlane))
            .collect();
        // Who names one has chosen it.
        if leading.is_empty() {
            leading = all
                .filter(|index| role(*index).is_none() && control_planes.contains(&hosts[*index].name))
                .collect();
        }
        let Some((control_plane, others)) = leading.split_first() else {
            problems.push(no_control_plane(inventory));
            return None;
        };
        let (control_plane, others) = (*control_plane, others.to_vec());
        Some(Self {
            control_plane,
            others,
            without: without.iter().map(|host| host.name.as_str()).collect(),
            hosts,
            names,
            control_planes,
            nodes,
        })
    }

    /// Says what the site will not have.
    fn tell(
        &self,
        inventory: &Inventory,
        layers: &Layers<'_>,
        wanted: &Wanted<'_>,
        problems: &mut Diagnostics,
    ) {
        let others: Vec<&str> = self
            .others
            .iter()
            .map(|index| self.names[*index].as_str())
            .collect();
        told::tell_of_others(&self.names[self.control_plane], &others, problems);
        told::tell(inventory, layers, &self.control_planes, &self.without, problems);
        let mut decided: Vec<&str> = ADDRESS.to_vec();
        decided.extend(wanted.user.iter().flat_map(|_| USER));
        decided.extend(wanted.identity.iter().flat_map(|_| IDENTITY));
        told::tell_unknown(&self.hosts, layers, &decided, problems);
    }

    fn schedulable(&self, inventory: &Inventory) -> bool {
        let name = &self.hosts[self.control_plane].name;
        self.nodes.contains(name)
            || self.hosts.len() == 1
            || inventory.members(&[OWN_CONTROL_PLANES]).contains(name)
    }
}

/// Reports what the user says about hosts that are not there.
fn check_choices(inventory: &Inventory, names: &[String], wanted: &Wanted<'_>, problems: &mut Diagnostics) {
    for choice in wanted.hosts {
        let known =
            inventory.hosts().any(|name| name == choice.name) || names.iter().any(|name| name == choice.name);
        if !known {
            let hosts: Vec<&str> = inventory.hosts().collect();
            let message = format!(
                "--host names `{}`, which is no host of the inventory",
                printable(choice.name)
            );
            problems.push(
                Diagnostic::error("IEC0835", message).hint(format!("its hosts are {}", told::named(&hosts))),
            );
        }
    }
}

/// What the user says about this host.
fn choice_of<'w>(host: &Host, name: &str, wanted: &Wanted<'w>) -> Option<HostChoice<'w>> {
    let named = |choice: &&HostChoice<'_>| choice.name == host.name || choice.name == name;
    wanted.hosts.iter().find(named).copied()
}

fn no_control_plane(inventory: &Inventory) -> Diagnostic {
    let groups: Vec<&str> = inventory
        .groups
        .keys()
        .map(String::as_str)
        .filter(|name| !["all", "ungrouped"].contains(name))
        .collect();
    let groups = if groups.is_empty() {
        "its hosts are in no group".to_owned()
    } else {
        format!("its groups are {}", told::named(&groups))
    };
    Diagnostic::error(
        "IEC0830",
        format!(
            "the inventory has no control plane: {groups}, and none with a host is called kube_control_plane"
        ),
    )
    .hint("put a host into the group kube_control_plane, and the others into kube_node: in an INI inventory, below the lines [kube_control_plane] and [kube_node]")
}

fn choose(
    layers: &Layers<'_>,
    cluster: &Cluster<'_>,
    index: usize,
    user: &str,
    wanted: &Wanted<'_>,
    origins: &mut Vec<Origin>,
    problems: &mut Diagnostics,
) -> Option<Chosen> {
    let (host, name) = (cluster.hosts[index], &cluster.names[index]);
    let mut note = |key, place: &Place| origins.push(Origin::of_host(index, key, place));
    let address = match choice_of(host, name, wanted) {
        Some(choice) => choice.address.to_owned(),
        None => {
            let (address, place) = address(layers, host, name)
                .map_err(|problem| problems.push(*problem))
                .ok()?;
            note("address", place);
            address.to_owned()
        }
    };
    let mut further = Map::new();
    if let Some((inner, place)) = layers.text(host, &INNER)
        && inner != address
        && inner.parse::<Ipv4Addr>().is_ok()
    {
        further.insert("nodeAddress".to_owned(), json!(inner));
        note("nodeAddress", place);
    }
    if wanted.user.is_none()
        && let Some((own, place)) = layers.text(host, &USER)
        && own != user
    {
        further.insert("user".to_owned(), json!(own));
        note("user", place);
    }
    match layers.text(host, &PORT).map(|(text, _)| (port(text), text)) {
        None | Some((Some(22), _)) => {}
        Some((Some(port), _)) => {
            further.insert("port".to_owned(), json!(port));
        }
        Some((None, text)) => problems.push(told::left_out(format!(
            "the port of {} is left out: {} is none",
            printable(&host.name),
            printable(text)
        ))),
    }
    let role = if index == cluster.control_plane {
        Role::ControlPlane
    } else {
        Role::Worker
    };
    Some(Chosen {
        name: name.clone(),
        address,
        role,
        further,
    })
}

/// The address that Ansible connects to: that of `ansible_host`, else the name; Kubespray's `ip` where the name is none.
fn address<'h>(
    layers: &Layers<'h>,
    host: &'h Host,
    name: &str,
) -> Result<(&'h str, &'h Place), Box<Diagnostic>> {
    let called = printable(&host.name);
    let fault = |message: String, place: &Place| {
        let hint = format!("write ansible_host=ADDRESS, or iec init --host {name}=ADDRESS");
        Box::new(Diagnostic::error("IEC0832", message).at(place).hint(hint))
    };
    let is_address = |text: &str| text.parse::<Ipv4Addr>().is_ok();
    if let Some((key, variable)) = layers.first(host, &ADDRESS) {
        return match variable.text() {
            Some(text) if is_address(text) => Ok((text, &variable.place)),
            Some(text) => Err(fault(
                format!("{called} has no IPv4 address: its {key} is {}", printable(text)),
                &variable.place,
            )),
            None => {
                let message =
                    format!("the address of {called} is known to Ansible only, which works out its {key}");
                let mut problem = fault(message, &variable.place);
                problem.evidence.push(variable.shown(key));
                Err(problem)
            }
        };
    }
    if is_address(&host.name) {
        return Ok((&host.name, &host.place));
    }
    let inner = layers.text(host, &INNER).filter(|(inner, _)| is_address(inner));
    inner.ok_or_else(|| {
        fault(
            format!("{called} has no IPv4 address: the inventory has no ansible_host for it"),
            &host.place,
        )
    })
}
