//! OPNFV's Pod Descriptor File and Installer Descriptor File, as Pharos' schemas want them. They are made together: the
//! second counts the nodes and interfaces of the first.

use std::net::Ipv4Addr;

use iec_core::render::{Files, Subject};
use iec_core::site::{
    Disk, Facility, FacilityNetwork, Interface, Management, ManagementProtocol, Role, Site,
};
use serde_json::{Map, Value, json};

use super::pdf::{REFERENCE, UNKNOWN, UNKNOWN_CONTACT, UNKNOWN_SIZE, is_contact, is_vlan};
use crate::header::{Description, Header};
use crate::machine::{Machine, machines};

const HEADER: Header = Header {
    what: "OPNFV descriptors",
    covers: &[
        "hosts, their machines, disks, cards and management controllers; the networks of the place",
        "roles of hosts, pod and service networks: in the block of kubespray, which the schema leaves open",
    ],
    differs: &[
        "the schema requires what a site need not say; `unknown`, 0, 1M and 00:00:00:00:00:00 stand for it, and IEC reads them as nothing",
        "`pass` is `ref:` and the name of a password, never a password",
        "the jump host is not described: IEC needs none",
    ],
};

/// Both descriptors.
pub(crate) fn files(subject: &Subject<'_>) -> Files {
    let mut description = Description::new(subject, HEADER);
    let machines = machines(subject);
    not_carried(subject.site, &mut description);
    let nodes: Vec<Value> = machines
        .iter()
        .map(|machine| node(machine, &mut description))
        .collect();
    let pod = json!({
        "version": 1.0,
        "details": details(subject.site.facility(), &mut description),
        "jumphost": jumphost(subject.site),
        "nodes": nodes,
    });
    let idf = installer(subject.site, &machines);
    description.file("pdf.yaml", vec![pod]);
    description.file("idf.yaml", vec![json!({ "idf": idf })]);
    description.files()
}

fn or_unknown(text: Option<&str>) -> &str {
    text.unwrap_or(UNKNOWN)
}

fn details(facility: &Facility, description: &mut Description<'_>) -> Value {
    let contact = facility.contact.as_deref().filter(|contact| {
        let fits = is_contact(contact);
        if !fits {
            description.note(
                "the contact is left out: the schema wants an e-mail address, or several of them".to_owned(),
            );
        }
        fits
    });
    if facility.purpose.is_none() {
        description.note(
            "the use of the place is unknown; the schema wants one, and it is called `development`"
                .to_owned(),
        );
    }
    json!({
        "type": facility.purpose.unwrap_or("development"),
        "pod_owner": or_unknown(facility.owner.as_deref()),
        "contact": contact.unwrap_or(UNKNOWN_CONTACT),
        "lab": or_unknown(facility.lab.as_deref()),
        "location": or_unknown(facility.location.as_deref()),
        "link": or_unknown(facility.link.as_deref()),
    })
}

/// What the schema requires of a machine that nobody describes.
fn jumphost(site: &Site) -> Value {
    json!({
        "name": format!("{}-jumphost", site.name()),
        "node": {
            "type": "virtual", "vendor": UNKNOWN, "model": UNKNOWN, "arch": "x86_64",
            "cpus": 0, "cpu_cflags": UNKNOWN, "cores": 0, "memory": UNKNOWN_SIZE,
        },
        "disks": [],
        "os": UNKNOWN,
        "remote_management": no_management(),
        "interfaces": [],
    })
}

fn no_management() -> Value {
    json!({ "type": "libvirt", "user": UNKNOWN, "pass": UNKNOWN, "address": UNKNOWN })
}

fn node(machine: &Machine<'_>, description: &mut Description<'_>) -> Value {
    let hardware = &machine.hardware;
    let name = machine.name();
    if hardware.kind.is_none() {
        description.note(format!(
            "{name} is called `baremetal`; the site does not say what it is"
        ));
    }
    if machine.architecture.is_none() {
        description.note(format!("{name} is called x86_64; nobody knows its architecture"));
    }
    if machine.interface_of(machine.host.address()).is_none() {
        let address = machine.host.address();
        description.note(format!(
            "no card of {name} has the address {address}, by which IEC reaches it; it is not in these files"
        ));
    }
    let node_address = machine.host.node_address();
    if node_address != machine.host.address() && machine.interface_of(node_address).is_none() {
        description.note(format!(
            "no card of {name} has the node address {node_address}; it is not in these files"
        ));
    }
    let architecture = machine
        .architecture
        .map_or("x86_64", iec_core::architecture::Architecture::uname);
    let mut node = Map::new();
    node.insert("name".to_owned(), json!(name));
    node.insert(
        "node".to_owned(),
        json!({
            "type": hardware.kind.unwrap_or("baremetal"),
            "vendor": or_unknown(hardware.vendor.as_deref()),
            "model": or_unknown(hardware.model.as_deref()),
            "arch": architecture,
            "cpus": hardware.processors.unwrap_or(0),
            "cpu_cflags": or_unknown(hardware.processor_flags.as_deref()),
            "cores": hardware.cores.unwrap_or(0),
            "memory": hardware.memory.as_deref().unwrap_or(UNKNOWN_SIZE),
        }),
    );
    node.insert("disks".to_owned(), disks(name, &hardware.disks, description));
    if let Some(distribution) = &machine.distribution {
        node.insert("os".to_owned(), json!(distribution));
    }
    let management = hardware
        .management
        .as_ref()
        .map_or_else(no_management, |management| {
            management_of(name, management, description)
        });
    node.insert("remote_management".to_owned(), management);
    let interfaces = hardware.interfaces.iter().enumerate();
    node.insert(
        "interfaces".to_owned(),
        interfaces
            .map(|(index, interface)| card(name, index, interface, description))
            .collect(),
    );
    Value::Object(node)
}

fn disks(name: &str, disks: &[Disk], description: &mut Description<'_>) -> Value {
    let mut written = Vec::new();
    for disk in disks {
        let Disk {
            capacity: Some(capacity),
            medium: Some(medium),
            interface: Some(interface),
            rotation: Some(rotation),
        } = disk
        else {
            description.note(format!(
                "a disk of {name} is left out: the schema wants size, type, connection and turns of each"
            ));
            continue;
        };
        written.push(json!({
            "name": format!("disk{}", written.len() + 1),
            "disk_capacity": capacity,
            "disk_type": medium,
            "disk_interface": interface,
            "disk_rotation": rotation,
        }));
    }
    Value::Array(written)
}

fn management_of(name: &str, management: &Management, description: &mut Description<'_>) -> Value {
    let pass = management.credentials.as_deref().map_or_else(
        || UNKNOWN.to_owned(),
        |reference| format!("{REFERENCE}{reference}"),
    );
    let mut entry = Map::new();
    let word = match management.protocol {
        ManagementProtocol::Redfish => {
            description.note(format!(
                "the management controller of {name} speaks Redfish, for which the schema has no word: it is written as an address of `libvirt`"
            ));
            "libvirt"
        }
        other => other.as_str(),
    };
    entry.insert("type".to_owned(), json!(word));
    entry.insert("user".to_owned(), json!(or_unknown(management.user.as_deref())));
    entry.insert("pass".to_owned(), json!(pass));
    let address = match management.protocol {
        ManagementProtocol::Redfish if !management.address.starts_with("redfish") => {
            format!("redfish://{}", management.address)
        }
        _ => management.address.clone(),
    };
    entry.insert("address".to_owned(), json!(address));
    if let Some(port) = management.port {
        entry.insert("port".to_owned(), json!(port));
    }
    if word == "libvirt" {
        if let Some(mac) = management.mac {
            entry.insert("mac_address".to_owned(), json!(mac));
        }
    } else {
        let versions: Vec<f64> = management
            .versions
            .iter()
            .filter_map(|version| version.parse().ok())
            .filter(|version| [1.0, 2.0].contains(version))
            .collect();
        entry.insert("versions".to_owned(), json!(versions));
        let mac = management
            .mac
            .map_or_else(|| NO_MAC.to_owned(), |mac| mac.to_string());
        entry.insert("mac_address".to_owned(), json!(mac));
    }
    Value::Object(entry)
}

const NO_MAC: &str = "00:00:00:00:00:00";

/// The VLAN, unless the schema has no form for it.
fn vlan_of<'v>(vlan: Option<&'v String>, of: &str, description: &mut Description<'_>) -> Option<&'v String> {
    vlan.filter(|vlan| {
        let fits = is_vlan(vlan);
        if !fits {
            description.note(format!(
                "the VLAN of {of} is left out: the schema wants `native`, a number, or several joined by `|`"
            ));
        }
        fits
    })
}

fn card(name: &str, index: usize, interface: &Interface, description: &mut Description<'_>) -> Value {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(format!("nic{}", index + 1)));
    let mac = interface
        .mac
        .map_or_else(|| NO_MAC.to_owned(), |mac| mac.to_string());
    entry.insert("mac_address".to_owned(), json!(mac));
    if let Some(address) = interface.address {
        entry.insert("address".to_owned(), json!(address));
    }
    let of = format!("card {} of {name}", index + 1);
    if let Some(vlan) = vlan_of(interface.vlan.as_ref(), &of, description) {
        entry.insert("vlan".to_owned(), json!(vlan));
    }
    if let Some(speed) = interface.speed {
        entry.insert("speed".to_owned(), json!(speed));
    }
    entry.insert("features".to_owned(), json!(interface.features.join("|")));
    Value::Object(entry)
}

fn installer(site: &Site, machines: &[Machine<'_>]) -> Value {
    let facility = site.facility();
    let mut networks: Map<String, Value> = facility
        .networks
        .iter()
        .map(|given| {
            let same = facility.networks.iter().filter(|other| other.cidr == given.cidr);
            (given.name.clone(), network(given, same.count() > 1))
        })
        .collect();
    let uses = uses(site, machines);
    for network in &uses {
        if let Some(card) = network.card {
            networks.insert(network.name.clone(), json!({ "interface": card }));
        }
    }
    let mut idf = Map::new();
    idf.insert("version".to_owned(), json!(0.1));
    idf.insert("installer".to_owned(), json!(["kubespray"]));
    idf.insert("net_config".to_owned(), Value::Object(networks));
    let cards = || machines.iter().flat_map(|machine| &machine.hardware.interfaces);
    if cards().any(|card| card.name.is_some() || card.bus_address.is_some()) {
        let nodes: Vec<Value> = machines.iter().map(names_of_cards).collect();
        let bridges = json!({ "admin": null, "mgmt": null, "private": null, "public": null });
        idf.insert(
            "fuel".to_owned(),
            json!({ "jumphost": { "bridges": bridges }, "network": { "node": nodes } }),
        );
    }
    idf.insert("kubespray".to_owned(), kubespray(site, machines, &uses));
    Value::Object(idf)
}

/// What a network is used for.
struct Use {
    /// What installers call it.
    meaning: &'static str,
    /// The network.
    name: String,
    /// The card of every machine by which it is known, where the site does not describe it.
    card: Option<usize>,
}

/// An address that each machine has, under whatever name.
type AddressOf<'a> = &'a dyn Fn(&Machine<'_>) -> Ipv4Addr;

/// Which networks the hosts' addresses are in. One that the site does not describe is known by the card that has these
/// addresses, if it is the same one on every machine: without it, nobody could tell the two addresses of a host apart.
fn uses(site: &Site, machines: &[Machine<'_>]) -> Vec<Use> {
    let facility = site.facility();
    let Some(first) = machines.first() else {
        return Vec::new();
    };
    let differ = |machine: &Machine<'_>| machine.host.address() != machine.host.node_address();
    let address = |machine: &Machine<'_>| machine.host.address();
    let node_address = |machine: &Machine<'_>| machine.host.node_address();
    let meanings: [(&str, &str, AddressOf<'_>); 2] = [
        ("net_admin", "admin", &address),
        ("net_mgmt", "mgmt", &node_address),
    ];
    let used = meanings.into_iter().filter_map(|(meaning, name, address)| {
        if let Some(network) = facility.network_of(address(first)) {
            return Some(Use {
                meaning,
                name: network.name.clone(),
                card: None,
            });
        }
        let card = card_of(first, address(first))?;
        let is_common = machines
            .iter()
            .all(|machine| card_of(machine, address(machine)) == Some(card));
        let is_free = !facility.networks.iter().any(|network| network.name == name);
        (is_common && is_free && machines.iter().any(differ)).then(|| Use {
            meaning,
            name: name.to_owned(),
            card: Some(card),
        })
    });
    used.collect()
}

/// Which of its cards has this address.
fn card_of(machine: &Machine<'_>, address: Ipv4Addr) -> Option<usize> {
    let mut cards = machine.hardware.interfaces.iter();
    cards.position(|card| card.address.is_some_and(|own| own.address == address))
}

fn names_of_cards(machine: &Machine<'_>) -> Value {
    let cards = &machine.hardware.interfaces;
    json!({
        "interfaces": cards.iter().map(|card| &card.name).collect::<Vec<_>>(),
        "busaddr": cards.iter().map(|card| &card.bus_address).collect::<Vec<_>>(),
    })
}

/// A network. Where another one is the same, its range says where it is: descriptors name no network twice.
fn network(given: &FacilityNetwork, is_shared: bool) -> Value {
    let mut entry = Map::new();
    if let Some(interface) = given.interface {
        entry.insert("interface".to_owned(), json!(interface));
    }
    // The schema of networks asks nothing of it, ranges included.
    if let Some(vlan) = &given.vlan {
        entry.insert("vlan".to_owned(), json!(vlan));
    }
    if let Some(cidr) = given.cidr {
        if !is_shared || given.range.is_none() {
            entry.insert("network".to_owned(), json!(cidr.network()));
        }
        entry.insert("mask".to_owned(), json!(cidr.prefix_len()));
    }
    if let Some(range) = given.range {
        entry.insert("ip-range".to_owned(), json!(range));
    }
    if let Some(gateway) = given.gateway {
        entry.insert("gateway".to_owned(), json!(gateway));
    }
    if !given.nameservers.is_empty() {
        entry.insert("dns".to_owned(), json!(given.nameservers));
    }
    Value::Object(entry)
}

fn kubespray(site: &Site, machines: &[Machine<'_>], uses: &[Use]) -> Value {
    let names = || {
        machines
            .iter()
            .map(|machine| (machine.name().to_owned(), json!(machine.name())))
    };
    let roles: Map<String, Value> = machines
        .iter()
        .map(|machine| {
            let roles = match machine.host.role() {
                Role::ControlPlane => json!(["kube_control_plane", "etcd"]),
                Role::Worker => json!(["kube_node"]),
            };
            (machine.name().to_owned(), roles)
        })
        .collect();
    let mut block = Map::new();
    block.insert("nodes_roles".to_owned(), Value::Object(roles));
    block.insert(
        "groups".to_owned(),
        json!({ "k8s_cluster": ["kube_control_plane", "kube_node"] }),
    );
    block.insert("hostnames".to_owned(), Value::Object(names().collect()));
    let mapping: Map<String, Value> = uses
        .iter()
        .map(|network| (network.meaning.to_owned(), json!(network.name)))
        .collect();
    if !mapping.is_empty() {
        block.insert("network".to_owned(), json!({ "network_mapping": mapping }));
    }
    block.insert("kube_pods_subnet".to_owned(), json!(site.network().pods()));
    block.insert(
        "kube_service_addresses".to_owned(),
        json!(site.network().services()),
    );
    Value::Object(block)
}

/// Says what of the site these files have no place for.
fn not_carried(site: &Site, description: &mut Description<'_>) {
    description
        .note("the name of the site, its release, its content and how IEC logs in are not in these files");
    for host in site.hosts() {
        let things = [
            ("labels", !host.labels().is_empty()),
            ("taints", !host.taints().is_empty()),
            ("the host key", host.host_key().is_some()),
            (
                "the account or port of its own",
                host.user().is_some() || host.port().is_some(),
            ),
            (
                "name servers, control groups, processors that are assumed",
                has_other_assumptions(host),
            ),
            (
                "the host, which is absent",
                host.state() == iec_core::site::HostState::Absent,
            ),
        ];
        let lost: Vec<&str> = things
            .iter()
            .filter(|(_, there)| *there)
            .map(|(what, _)| *what)
            .collect();
        if !lost.is_empty() {
            description.note(format!(
                "of {} these files do not have: {}",
                host.name(),
                lost.join(", ")
            ));
        }
    }
    description.note(
        "the endpoint and the settings of Calico, kubelet, Helm and the runtime are not in these files",
    );
}

fn has_other_assumptions(host: &iec_core::site::SiteHost) -> bool {
    let assume = host.assume();
    assume.cgroup().is_some()
        || assume.container().is_some()
        || assume.cpus().is_some()
        || !assume.nameservers().is_empty()
}
