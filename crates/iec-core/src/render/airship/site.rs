//! Networks, links, profiles and machines, as Drydock has them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::document;
use crate::architecture::Architecture;
use crate::render::Subject;
use crate::render::header::Description;
use crate::render::machine::Machine;
use crate::site::{FacilityNetwork, Management, ManagementProtocol, Role};

/// A network, whose addresses are known or assumed.
pub(super) struct Network {
    given: FacilityNetwork,
    cidr: Ipv4Net,
    name: String,
    mtu: u16,
}

/// The networks of the place; without any, those in which the hosts' addresses lie.
pub(super) fn networks(
    subject: &Subject<'_>,
    machines: &[Machine<'_>],
    description: &mut Description<'_>,
) -> Vec<Network> {
    let mut networks: Vec<Network> = Vec::new();
    for given in &subject.site.facility().networks {
        match given.cidr {
            Some(cidr) => networks.push(Network {
                given: given.clone(),
                cidr,
                name: given.name.clone(),
                mtu: 1500,
            }),
            None => description.note(format!(
                "the network {} is left out: its addresses are not known",
                given.name
            )),
        }
    }
    for machine in machines {
        for (name, address) in [
            ("site", machine.host.address()),
            ("cluster", machine.host.node_address()),
        ] {
            if networks.iter().any(|network| network.cidr.contains(&address)) {
                continue;
            }
            let cidr = machine
                .network_of(address, subject.site.facility())
                .unwrap_or_else(|| {
                    description.note(format!("the network of {address} is not known: /24 is assumed"));
                    Ipv4Net::new_assert(address, 24).trunc()
                });
            let taken =
                |name: &str, networks: &[Network]| networks.iter().any(|network| network.name == name);
            let mut own = name.to_owned();
            let mut number = 2;
            while taken(&own, &networks) {
                own = format!("{name}-{number}");
                number += 1;
            }
            let index = machine
                .hardware
                .interfaces
                .iter()
                .position(|card| card.address.is_some_and(|known| known.address == address));
            let given = FacilityNetwork {
                interface: Some(index.unwrap_or(0)),
                ..FacilityNetwork::default()
            };
            networks.push(Network {
                given,
                cidr,
                name: own,
                mtu: 1500,
            });
        }
    }
    networks
}

impl Network {
    /// The VLAN, if it is one number.
    fn vlan(&self) -> Option<u16> {
        self.given.vlan.as_deref()?.parse().ok()
    }

    fn is_management(&self) -> bool {
        ["oob", "ipmi", "bmc"].contains(&self.name.as_str())
    }

    fn link(&self) -> String {
        if self.is_management() {
            "management".to_owned()
        } else {
            format!("link-{}", self.given.interface.unwrap_or(0))
        }
    }

    pub(super) fn document(&self, machines: &[Machine<'_>]) -> Value {
        let mut data = Map::new();
        let mut put = |key: &str, value: Value| data.insert(key.to_owned(), value);
        put("cidr", json!(self.cidr));
        if let Some(vlan) = self.vlan() {
            put("vlan", json!(vlan.to_string()));
        }
        put("mtu", json!(self.mtu));
        if let Some(gateway) = self.given.gateway {
            put(
                "routes",
                json!([{ "subnet": "0.0.0.0/0", "gateway": gateway, "metric": 100 }]),
            );
        }
        let mut ranges: Vec<Value> = Vec::new();
        if let Some(range) = self.given.range {
            ranges.push(json!({ "type": "static", "start": range.first, "end": range.last }));
        } else {
            let mut own: Vec<Ipv4Addr> = machines
                .iter()
                .flat_map(|machine| [machine.host.address(), machine.host.node_address()])
                .filter(|address| self.cidr.contains(address))
                .collect();
            own.sort_unstable();
            if let (Some(first), Some(last)) = (own.first(), own.last()) {
                ranges.push(json!({ "type": "static", "start": first, "end": last }));
            }
        }
        if !ranges.is_empty() {
            put("ranges", json!(ranges));
        }
        if !self.given.nameservers.is_empty() {
            let servers: Vec<String> = self.given.nameservers.iter().map(ToString::to_string).collect();
            put("dns", json!({ "servers": servers.join(",") }));
        }
        document("drydock/Network/v1", &self.name, &Value::Object(data))
    }
}

/// A link for each card that networks are on.
pub(super) fn links(networks: &[Network]) -> Vec<Value> {
    let mut links: BTreeMap<String, Vec<&Network>> = BTreeMap::new();
    for network in networks {
        links.entry(network.link()).or_default().push(network);
    }
    links
        .into_iter()
        .map(|(name, networks)| {
            let tagged = networks.iter().any(|network| network.vlan().is_some());
            let mut trunking = json!({ "mode": if tagged { "802.1q" } else { "disabled" } });
            // Its packets have no tag: a network that is tagged cannot be it.
            if let Some(native) = networks.iter().find(|network| network.vlan().is_none()) {
                trunking["default_network"] = json!(native.name);
            }
            let data = json!({
                "bonding": { "mode": "disabled" },
                "mtu": 1500,
                "linkspeed": "auto",
                "trunking": trunking,
                "allowed_networks": networks.iter().map(|network| &network.name).collect::<Vec<_>>(),
            });
            document("drydock/NetworkLink/v1", &name, &data)
        })
        .collect()
}

fn profile_name(subject: &Subject<'_>, architecture: Option<Architecture>) -> String {
    format!(
        "{}-{}",
        subject.site.name(),
        architecture.unwrap_or(Architecture::Amd64)
    )
}

/// A profile for each architecture.
pub(super) fn profiles(
    subject: &Subject<'_>,
    machines: &[Machine<'_>],
    networks: &[Network],
    description: &mut Description<'_>,
) -> Vec<Value> {
    let mut profiles: BTreeMap<String, Value> = BTreeMap::new();
    for machine in machines {
        let name = profile_name(subject, machine.architecture);
        let image = match machine.distribution.as_deref() {
            Some("ubuntu-24.04") => "noble",
            Some("ubuntu-22.04") => "jammy",
            other => {
                let runs = other.unwrap_or("a distribution that is not known");
                description.note(format!(
                    "{} runs {runs}; MAAS would install Ubuntu 24.04",
                    machine.name()
                ));
                "noble"
            }
        };
        let kernel = if image == "jammy" { "ga-22.04" } else { "ga-24.04" };
        let primary = networks
            .iter()
            .find(|network| network.cidr.contains(&machine.host.address()))
            .map(|network| &network.name);
        let data = json!({
            "primary_network": primary,
            "hardware_profile": name,
            "platform": { "image": image, "kernel": kernel },
        });
        profiles
            .entry(name.clone())
            .or_insert_with(|| document("drydock/HostProfile/v1", &name, &data));
    }
    description.note("hardware profiles of the names in host profiles, and the storage of machines, are not in these files");
    profiles.into_values().collect()
}

/// A machine.
pub(super) fn node(
    subject: &Subject<'_>,
    machine: &Machine<'_>,
    networks: &[Network],
    description: &mut Description<'_>,
) -> Value {
    let name = machine.name();
    let mut addressing = Vec::new();
    let mut add = |address: Ipv4Addr| {
        if let Some(network) = networks.iter().find(|network| network.cidr.contains(&address)) {
            let entry = json!({ "network": network.name, "address": address });
            if !addressing.contains(&entry) {
                addressing.push(entry);
            }
        }
    };
    let cards = &machine.hardware.interfaces;
    let management = machine.hardware.management.as_ref();
    management
        .and_then(Management::ip)
        .into_iter()
        .chain([machine.host.address(), machine.host.node_address()])
        .chain(
            cards
                .iter()
                .filter_map(|card| card.address.map(|known| known.address)),
        )
        .for_each(&mut add);
    let mut interfaces = Map::new();
    for (index, card) in cards.iter().enumerate() {
        let link = format!("link-{index}");
        let carried: Vec<&String> = networks
            .iter()
            .filter(|network| network.link() == link)
            .map(|network| &network.name)
            .collect();
        if carried.is_empty() {
            continue;
        }
        let slave = card.name.clone().unwrap_or_else(|| {
            description.note(format!(
                "nobody knows what the system calls card {} of {name}: `nic{0}` stands for it",
                index + 1
            ));
            format!("nic{}", index + 1)
        });
        interfaces.insert(
            link.clone(),
            json!({ "device_link": link, "slaves": [slave], "networks": carried }),
        );
    }
    let tag = match machine.host.role() {
        Role::ControlPlane => "masters",
        Role::Worker => "workers",
    };
    let mut metadata = Map::new();
    match machine.boot_mac() {
        Some(mac) => {
            metadata.insert("boot_mac".to_owned(), json!(mac));
        }
        None => description.note(format!("{name}: nobody knows a hardware address; add boot_mac")),
    }
    metadata.insert("tags".to_owned(), json!([tag]));
    let data = json!({
        "host_profile": profile_name(subject, machine.architecture),
        "addressing": addressing,
        "interfaces": interfaces,
        "metadata": metadata,
    });
    let mut node = document("drydock/BaremetalNode/v1", name, &data);
    out_of_band(machine, networks, &mut node, description);
    node
}

/// How the machine is switched on; the password comes by substitution.
fn out_of_band(
    machine: &Machine<'_>,
    networks: &[Network],
    node: &mut Value,
    description: &mut Description<'_>,
) {
    let name = machine.name();
    let Some(management) = &machine.hardware.management else {
        description.note(format!(
            "{name}: the site names no management controller; somebody has to switch it on"
        ));
        node["data"]["oob"] = json!({ "type": "manual" });
        return;
    };
    let mut oob = Map::new();
    let kind = match management.protocol {
        ManagementProtocol::Ipmi => "ipmi",
        ManagementProtocol::Redfish => "redfish",
        ManagementProtocol::Libvirt => "libvirt",
        ManagementProtocol::Amt => {
            description.note(format!(
                "{name}: Drydock does not speak AMT; somebody has to switch it on"
            ));
            "manual"
        }
    };
    oob.insert("type".to_owned(), json!(kind));
    let address = management.ip();
    if let Some(network) = networks
        .iter()
        .find(|network| address.is_some_and(|address| network.cidr.contains(&address)))
    {
        oob.insert("network".to_owned(), json!(network.name));
    }
    if let Some(user) = &management.user {
        oob.insert("account".to_owned(), json!(user));
    }
    node["data"]["oob"] = Value::Object(oob);
    let credentials = management
        .credentials
        .clone()
        .unwrap_or_else(|| format!("{name}-bmc"));
    node["metadata"]["substitutions"] = json!([{
        "src": { "schema": "deckhand/Passphrase/v1", "name": credentials, "path": "." },
        "dest": { "path": ".oob.credential" },
    }]);
}
