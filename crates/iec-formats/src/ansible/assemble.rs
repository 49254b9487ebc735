//! The site file of an inventory that was read.

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::site::printable;
use iec_core::site::unwritten::{self, Origins};
use iec_core::site::{Example, ExampleHost, Role, example, fitting_control_planes};
use serde_json::{Map, Value, json};

use super::agreed;
use super::connection::{self, IDENTITY, USER};
use super::groups::{self, OWN_CONTROL_PLANES, Roles};
use super::inventory::{Host, Inventory};
use super::letters::shown;
use super::own::{self, Own};
use super::variable::Layers;
use super::{HostChoice, Wanted, naming, told};

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
pub(super) fn site(
    inventory: &Inventory,
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    problems: &mut Diagnostics,
) -> Option<String> {
    groups::tell_look_alikes(inventory, problems);
    let cluster = Cluster::new(inventory, layers, wanted, problems)?;
    let mut origins = Origins::default();
    let (hosts, names) = (&cluster.hosts, &cluster.names);
    let user = agreed::user(hosts, names, layers, wanted, &mut origins, problems);
    let identity = agreed::identity(hosts, names, layers, wanted, &mut origins, problems);
    let chosen: Vec<Chosen> = (0..hosts.len())
        .filter_map(|index| choose(layers, &cluster, index, &user, wanted, &mut origins, problems))
        .collect();
    cluster.tell(inventory, layers, wanted, problems);
    let own = Own::of(layers, hosts[cluster.control_plane], &mut origins, problems);
    if problems.has_errors() {
        return None;
    }
    let text = write(
        &cluster,
        inventory,
        layers,
        wanted,
        own,
        &Written {
            chosen: &chosen,
            user: &user,
            identity: identity.as_deref(),
        },
        &mut origins,
    );
    let faults = unwritten::faults(&text, &origins);
    let right = faults.is_empty();
    problems.extend(faults);
    right.then_some(text)
}

/// What was made of the hosts.
struct Written<'w> {
    chosen: &'w [Chosen],
    user: &'w str,
    identity: Option<&'w str>,
}

fn write(
    cluster: &Cluster<'_>,
    inventory: &Inventory,
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    own: Own,
    written: &Written<'_>,
    origins: &mut Origins,
) -> String {
    let mut once = |names: &[&'static str], key: &str| {
        let (text, place) = of_site(cluster, layers, names)?;
        origins.note(format!("spec.network.{key}"), place);
        Some(text.to_owned())
    };
    let pods = once(&PODS, "pods").or(own.pods);
    let services = once(&SERVICES, "services").or(own.services);
    let hosts: Vec<ExampleHost<'_>> = written
        .chosen
        .iter()
        .map(|host| {
            // The example has a line of its own for a host's key.
            let (mut further, key) = (host.further.clone(), host.further.get("hostKey"));
            further.remove("hostKey");
            ExampleHost {
                name: &host.name,
                address: &host.address,
                role: host.role,
                host_key: key.and_then(Value::as_str),
                further,
            }
        })
        .collect();
    let mut further = own.further;
    if !further.contains_key("controlPlane") && !cluster.schedulable(inventory) {
        further.insert("controlPlane".to_owned(), json!({ "schedulable": false }));
    }
    example(&Example {
        name: wanted.name.or(own.name.as_deref()).unwrap_or(wanted.usual_name),
        release: own.release.as_deref().unwrap_or(wanted.release),
        bundle: wanted.bundle,
        user: written.user,
        identity: written.identity,
        hosts: &hosts,
        pods: pods.as_deref(),
        services: services.as_deref(),
        avoid: &[],
        further,
    })
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

/// The hosts of the site, and which of them are control planes.
struct Cluster<'i> {
    hosts: Vec<&'i Host>,
    /// What they are called in the site.
    names: Vec<String>,
    /// The index of the first control plane, whose settings count for the site.
    control_plane: usize,
    /// The indices of all control planes.
    control_planes: Vec<usize>,
    /// The indices of those that would be control planes too.
    others: Vec<usize>,
    /// The hosts of the inventory that are left out, and those of them that Ansible does not reach over SSH, with how it does.
    without: Vec<&'i str>,
    elsewhere: Vec<(&'i str, &'i str)>,
    /// The groups' control planes and nodes.
    roles: Roles,
}

impl<'i> Cluster<'i> {
    fn new(
        inventory: &'i Inventory,
        layers: &Layers<'i>,
        wanted: &Wanted<'_>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let roles = Roles::of(inventory);
        let (mut hosts, mut without, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
        for host in &inventory.hosts {
            let choice = wanted.hosts.iter().find(|choice| choice.name == host.name);
            let grouped = roles.control_planes.contains(&host.name) || roles.nodes.contains(&host.name);
            if !grouped && choice.is_none_or(|choice| choice.role.is_none()) {
                without.push(host.name.as_str());
                continue;
            }
            // Who gives it an address says that IEC reaches it.
            match connection::other_than_ssh(layers, host).filter(|_| choice.is_none()) {
                Some(plugin) => elsewhere.push((host.name.as_str(), plugin)),
                None => hosts.push(host),
            }
        }
        let given: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        let names = naming::site_names(&given, problems);
        check_choices(inventory, &names, wanted, problems);
        let leading = leading(&hosts, &names, &roles, wanted);
        let fitting = fitting_control_planes(leading.len()).min(leading.len());
        let (control_planes, others) = leading.split_at(fitting);
        let Some(control_plane) = control_planes.first() else {
            problems.push(no_control_plane(inventory, &elsewhere));
            return None;
        };
        Some(Self {
            control_plane: *control_plane,
            control_planes: control_planes.to_vec(),
            others: others.to_vec(),
            without,
            elsewhere,
            hosts,
            names,
            roles,
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
        let (chosen, others) = (self.named(&self.control_planes), self.named(&self.others));
        told::tell_of_others(&chosen, &others, problems);
        told::tell_without(&self.without, &self.roles.unused, &self.elsewhere, problems);
        told::tell(inventory, layers, &self.roles.control_planes, problems);
        let mut decided: Vec<&str> = connection::of_address().collect();
        decided.extend(wanted.user.iter().flat_map(|_| USER));
        decided.extend(wanted.identity.iter().flat_map(|_| IDENTITY));
        told::tell_unknown(&self.hosts, layers, &decided, problems);
    }

    fn named(&self, indices: &[usize]) -> Vec<&str> {
        indices.iter().map(|index| self.names[*index].as_str()).collect()
    }

    fn schedulable(&self, inventory: &Inventory) -> bool {
        let name = &self.hosts[self.control_plane].name;
        self.roles.nodes.contains(name)
            || self.hosts.len() == 1
            || inventory.members(&[OWN_CONTROL_PLANES]).contains(name)
    }
}

/// The hosts that would be control planes: those that the user has named, else those of the groups in the groups' order.
fn leading(hosts: &[&Host], names: &[String], roles: &Roles, wanted: &Wanted<'_>) -> Vec<usize> {
    let role = |index: usize| choice_of(hosts[index], &names[index], wanted).and_then(|choice| choice.role);
    let chosen: Vec<usize> = (0..hosts.len())
        .filter(|index| role(*index) == Some(Role::ControlPlane))
        .collect();
    if !chosen.is_empty() {
        return chosen;
    }
    let at = |name: &String| hosts.iter().position(|host| host.name == *name);
    let grouped = roles.control_planes.iter().filter_map(at);
    grouped.filter(|index| role(*index).is_none()).collect()
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

fn no_control_plane(inventory: &Inventory, elsewhere: &[(&str, &str)]) -> Diagnostic {
    let known: Vec<&str> = groups::known().collect();
    let hint = format!(
        "put a host into the group kube_control_plane, and the others into kube_node: in an INI inventory, below the lines \
         [kube_control_plane] and [kube_node]. Groups that IEC knows are {}. Or say it: --host NAME=ADDRESS:control-plane",
        told::named(&known)
    );
    if let Some((host, plugin)) = elsewhere.first() {
        let message = format!(
            "the inventory has no control plane that is reached over SSH: Ansible reaches {} by `{}`",
            shown(host),
            printable(plugin)
        );
        return Diagnostic::error("IEC0830", message).hint(format!(
            "if IEC can log in there over SSH, say where: --host {}=ADDRESS",
            shown(host)
        ));
    }
    let groups: Vec<&str> = inventory
        .groups()
        .filter(|name| !["all", "ungrouped"].contains(name))
        .collect();
    let groups = if groups.is_empty() {
        "its hosts are in no group".to_owned()
    } else {
        format!("its groups are {}", told::named(&groups))
    };
    let message = format!(
        "the inventory has no control plane: {groups}, and none with a host is called kube_control_plane"
    );
    Diagnostic::error("IEC0830", message).hint(hint)
}

fn choose(
    layers: &Layers<'_>,
    cluster: &Cluster<'_>,
    index: usize,
    user: &str,
    wanted: &Wanted<'_>,
    origins: &mut Origins,
    problems: &mut Diagnostics,
) -> Option<Chosen> {
    let (host, name) = (cluster.hosts[index], &cluster.names[index]);
    let path = |key: &str| format!("spec.hosts[{index}].{key}");
    origins.note(format!("spec.hosts[{index}]"), &host.place);
    let mut further = own::of_host(layers, host, index, origins, problems);
    let address = match choice_of(host, name, wanted) {
        Some(choice) => {
            origins.note_nowhere(path("address"));
            choice.address.to_owned()
        }
        None => {
            let (address, place) = connection::address(layers, host, name, problems)?;
            origins.note(path("address"), place);
            address.to_owned()
        }
    };
    if let Some((inner, place)) = connection::inner(layers, host, problems)
        && inner != address
    {
        further.insert("nodeAddress".to_owned(), json!(inner));
        origins.note(path("nodeAddress"), place);
    }
    if wanted.user.is_none()
        && let Some((own, place)) = layers.text(host, &USER)
        && own != user
    {
        further.insert("user".to_owned(), json!(own));
        origins.note(path("user"), place);
    }
    if let Some(port) = connection::port(layers, host, problems) {
        further.insert("port".to_owned(), json!(port));
    }
    let role = if cluster.control_planes.contains(&index) {
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
