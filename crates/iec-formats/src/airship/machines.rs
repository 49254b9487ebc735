//! Profiles and machines, as Drydock has them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use iec_core::architecture::Architecture;
use iec_core::render::Subject;
use iec_core::site::Role;
use serde_json::{Map, Value, json};

use super::document;
use super::networks::{Link, Network};
use super::out_of_band::{self, out_of_band};
use crate::header::Description;
use crate::machine::Machine;

fn profile_name(subject: &Subject<'_>, architecture: Option<Architecture>) -> String {
    format!(
        "{}-{}",
        subject.site.name(),
        architecture.unwrap_or(Architecture::Amd64)
    )
}

/// The name of the network by which the machine is reached.
fn primary<'a>(machine: &Machine<'_>, networks: &'a [Network]) -> Option<&'a str> {
    let mut networks = networks.iter();
    let network = networks.find(|network| network.cidr.contains(&machine.host.address()))?;
    Some(&network.name)
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
        let data = json!({
            "primary_network": primary(machine, networks),
            "hardware_profile": name,
            "platform": { "image": image, "kernel": kernel },
        });
        profiles
            .entry(name.clone())
            .or_insert_with(|| document("drydock/HostProfile/v1", &name, &data));
    }
    profiles.into_values().collect()
}

/// A machine.
pub(super) fn node(
    subject: &Subject<'_>,
    machine: &Machine<'_>,
    machines: &[Machine<'_>],
    networks: &[Network],
    links: &[Link<'_>],
    description: &mut Description<'_>,
) -> Value {
    let name = machine.name();
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
    let interfaces = interfaces(machine, links, description);
    let connected: Vec<&str> = interfaces
        .values()
        .filter_map(|interface| interface["networks"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let data = json!({
        "host_profile": profile_name(subject, machine.architecture),
        // A profile is of an architecture; its machines may be in different networks.
        "primary_network": primary(machine, networks),
        "addressing": addressing(machine, machines, networks, &connected),
        "interfaces": interfaces,
        "metadata": metadata,
    });
    let mut node = document("drydock/BaremetalNode/v1", name, &data);
    out_of_band(machine, networks, &mut node, description);
    node
}

/// The machine's addresses, one a network: Drydock takes the first that it finds.
/// Where it starts from a network without an address of its own there, it takes what it is given.
fn addressing(
    machine: &Machine<'_>,
    machines: &[Machine<'_>],
    networks: &[Network],
    connected: &[&str],
) -> Vec<Value> {
    let mut used: Vec<&str> = Vec::new();
    let mut addressing = Vec::new();
    let mut add = |address: Ipv4Addr| {
        if let Some(network) = networks.iter().find(|network| network.cidr.contains(&address))
            && !used.contains(&network.name.as_str())
        {
            used.push(&network.name);
            addressing.push(json!({ "network": network.name, "address": address }));
        }
    };
    let cards = machine.hardware.interfaces.iter();
    out_of_band::own_network(machine, networks)
        .map(|(_, address)| address)
        .into_iter()
        .chain([machine.host.address(), machine.host.node_address()])
        .chain(cards.filter_map(|card| card.address.map(|known| known.address)))
        .for_each(&mut add);
    let boots = networks.iter().filter(|network| {
        network.boots(machine)
            && network.boot_range(machines).is_some()
            && connected.contains(&network.name.as_str())
    });
    for network in boots {
        if !used.contains(&network.name.as_str()) {
            addressing.push(json!({ "network": network.name, "address": "dhcp" }));
        }
    }
    addressing
}

/// The machine's cards with the link that each is on: of several for one card the one that has its address.
fn interfaces(
    machine: &Machine<'_>,
    links: &[Link<'_>],
    description: &mut Description<'_>,
) -> Map<String, Value> {
    let mut interfaces = Map::new();
    for (index, card) in machine.hardware.interfaces.iter().enumerate() {
        let own = |link: &&Link<'_>| {
            let known = card.address.map(|known| known.address);
            let addresses = known
                .into_iter()
                .chain([machine.host.address(), machine.host.node_address()]);
            link.native.is_some_and(|native| {
                addresses
                    .into_iter()
                    .any(|address| native.cidr.contains(&address))
            })
        };
        let of_card = || links.iter().filter(|link| link.card == Some(index));
        let Some(link) = of_card().find(own).or_else(|| of_card().next()) else {
            continue;
        };
        let slave = card.name.clone().unwrap_or_else(|| {
            description.note(format!(
                "nobody knows what the system calls card {} of {}: `nic{0}` stands for it",
                index + 1,
                machine.name()
            ));
            format!("nic{}", index + 1)
        });
        interfaces.insert(
            link.name.clone(),
            json!({ "device_link": link.name, "slaves": [slave], "networks": link.networks() }),
        );
    }
    interfaces
}
