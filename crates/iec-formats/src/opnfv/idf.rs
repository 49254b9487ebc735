//! The Installer Descriptor File, version 0.1: the networks of a pod, and what installers were told about its nodes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::Ipv4Addr;

use iec_core::diagnostic::{Diagnostic, Place};
use iec_core::site::is_vlan;
use iec_core::site::parse_network;
use iec_core::site::printable;
use iec_core::site::{AddressRange, FacilityNetwork};
use iec_core::spec::Spanned;
use iec_core::spec::tree::Node;
use ipnet::Ipv4Net;

use super::form::{Form, Item, Keys, Mapping};

/// What an Installer Descriptor File says that IEC understands.
pub(super) struct Idf {
    pub(super) networks: Vec<IdfNetwork>,
    /// The lists that are in the order of the nodes, by what they are called: how many items they have.
    pub(super) counts: Vec<(String, usize, Place)>,
    /// What the operating system calls the interfaces of each node, and where they are on its bus.
    pub(super) interfaces: Vec<Vec<Card>>,
    /// The roles of nodes, by the nodes' names.
    pub(super) roles: BTreeMap<String, Spanned<Vec<String>>>,
    /// The host names of nodes, by the nodes' names.
    pub(super) hostnames: BTreeMap<String, Spanned<String>>,
    /// Which networks installers use for what: `net_admin`, `net_mgmt`, `net_public`.
    pub(super) mapping: BTreeMap<String, String>,
    /// The networks of pods and services.
    pub(super) pods: Option<Spanned<Ipv4Net>>,
    pub(super) services: Option<Spanned<Ipv4Net>>,
    /// What the pod is called.
    pub(super) pod_name: Option<String>,
}

/// A network, with the places of what is compared with the other descriptor.
pub(super) struct IdfNetwork {
    pub(super) network: FacilityNetwork,
    /// Where it is described.
    pub(super) place: Place,
    pub(super) interface_place: Option<Place>,
    /// Where its address stands.
    pub(super) cidr_place: Option<Place>,
    pub(super) gateway_place: Option<Place>,
    pub(super) range_place: Option<Place>,
}

/// What an interface is called, and where it is.
#[derive(Default, Clone)]
pub(super) struct Card {
    pub(super) name: Option<String>,
    pub(super) bus_address: Option<String>,
}

const TOP: Keys = Keys {
    required: &["idf"],
    optional: &["xci"],
};
const IDF: Keys = Keys {
    required: &["version"],
    optional: &[
        "installer",
        "net_config",
        "compass",
        "daisy",
        "fuel",
        "osa",
        "kubespray",
    ],
};
const FUEL: Keys = Keys {
    required: &["jumphost", "network"],
    optional: &["maas", "reclass"],
};
const FUEL_JUMPHOST: Keys = Keys {
    required: &["bridges"],
    optional: &["trunks"],
};
const FUEL_BRIDGES: Keys = Keys {
    required: &["admin", "mgmt", "private", "public"],
    optional: &[],
};
const FUEL_MAAS: Keys = Keys {
    // The schema misspells it.
    required: &["timeout_comissioning", "timeout_deploying"],
    optional: &[],
};
const FUEL_NETWORK: Keys = Keys {
    required: &["node"],
    optional: &["interface_mtu", "ntp_strata_host1", "ntp_strata_host2"],
};
const FUEL_NODE: Keys = Keys {
    required: &["interfaces", "busaddr"],
    optional: &[],
};

/// Reads the descriptor as far as it can be read.
pub(super) fn read(root: &Node, form: &mut Form<'_>) -> Option<Idf> {
    let top = Item::root(root).mapping(&TOP, form)?;
    let item = top.filled("idf", "a mapping", form)?;
    let body = item.mapping(&IDF, form)?;
    if let Some(version) = body.filled("version", "a number", form) {
        version.version(0.1, form);
    }
    let mut idf = Idf {
        networks: Vec::new(),
        counts: Vec::new(),
        interfaces: Vec::new(),
        roles: BTreeMap::new(),
        hostnames: BTreeMap::new(),
        mapping: BTreeMap::new(),
        pods: None,
        services: None,
        pod_name: None,
    };
    let installers = ["fuel", "daisy", "osa", "kubespray"];
    if let Some(networks) = body.some("net_config").and_then(|item| item.any_mapping(form)) {
        for (name, _, item) in networks.items() {
            idf.networks.extend(network(name, &item, form));
        }
    } else if let Some(installer) = installers.into_iter().find(|key| body.get(key).is_some()) {
        let message = format!("the key `net_config` is missing in `idf`, which has `{installer}`");
        let hint = "add the networks of the pod".to_owned();
        form.deviation("IEC0811", message, &item.place().head(), hint);
    }
    if let Some(fuel) = body.some("fuel").and_then(|item| item.mapping(&FUEL, form)) {
        read_fuel(&fuel, &mut idf, form);
    }
    if let Some(kubespray) = body.some("kubespray").and_then(|item| item.any_mapping(form)) {
        read_kubespray(&kubespray, &mut idf, form);
    }
    for key in ["compass", "daisy", "osa"] {
        if let Some(item) = body.some(key) {
            // What is in it the schemas leave open.
            item.any_mapping(form);
            form.left_out(
                &format!("`{}`", item.way),
                item.place(),
                "it is for another installer",
            );
        }
    }
    read_further(&top, &body, &mut idf, form);
    Some(idf)
}

/// Reads what stands beside `idf` in Kuberef's files, and the list of installers.
fn read_further(top: &Mapping<'_>, body: &Mapping<'_>, idf: &mut Idf, form: &mut Form<'_>) {
    const INSTALLERS: [&str; 7] = ["apex", "compass4nfv", "daisy", "fuel", "joid", "osa", "kubespray"];
    if let Some(list) = body.some("installer") {
        for item in list.list(form) {
            item.word(&INSTALLERS, form);
        }
    }
    if let Some(engine) = top.some("engine").and_then(|item| item.any_mapping(form)) {
        let text = |key: &str| Some(engine.some(key)?.scalar()?.value);
        const KNOWN: [&str; 6] = [
            "pod_name",
            "net_config",
            "pxe_network",
            "public_network",
            "pxe_interface",
            "installers",
        ];
        for (_, place, item) in engine.items().filter(|(key, ..)| !KNOWN.contains(key)) {
            form.left_out(&format!("`{}`", item.way), place, "IEC knows no such key");
        }
        idf.pod_name = text("pod_name");
        for (key, meaning) in [("pxe_network", "net_admin"), ("public_network", "net_public")] {
            if let Some(network) = text(key) {
                idf.mapping.entry(meaning.to_owned()).or_insert(network);
            }
        }
    }
    for key in ["xci", "bmra"] {
        if let Some(item) = top.some(key) {
            item.any_mapping(form);
            form.left_out(&format!("`{key}`"), item.place(), "it is for another installer");
        }
    }
}

fn network(name: &str, item: &Item<'_>, form: &mut Form<'_>) -> Option<IdfNetwork> {
    let given = item.any_mapping(form)?;
    let mut network = FacilityNetwork {
        name: name.to_owned(),
        ..FacilityNetwork::default()
    };
    let (mut interface_place, mut gateway_place, mut range_place) = (None, None, None);
    let (mut address, mut mask) = (None, None);
    for (key, key_place, item) in given.items().filter(|(.., item)| !item.is_null()) {
        match key {
            "interface" => {
                network.interface = item
                    .number(63, form)
                    .and_then(|index| usize::try_from(index).ok());
                interface_place = Some(item.place().clone());
            }
            "vlan" => network.vlan = vlan(&item, form),
            "network" => address = item.address(form),
            "mask" => mask = item.number(32, form).and_then(|mask| u8::try_from(mask).ok()),
            "gateway" => {
                network.gateway = item.address(form).map(|gateway| gateway.value);
                gateway_place = Some(item.place().clone());
            }
            "dns" => {
                for server in item.one_or_more(form) {
                    network
                        .nameservers
                        .extend(server.address(form).map(|server| server.value));
                }
            }
            "ip-range" => {
                let what = "two addresses, the smaller one first, joined by `-`";
                let range = item.parsed(what, form, |text| text.parse::<AddressRange>().ok());
                network.range = range.map(|range| range.value);
                range_place = Some(item.place().clone());
            }
            _ => form.left_out(&format!("`{}`", item.way), key_place, "IEC knows no such key"),
        }
    }
    let cidr_place = address
        .as_ref()
        .map(|address: &Spanned<Ipv4Addr>| address.place.clone());
    // A network without an address of its own is the one that its range lies in.
    let first = address.map_or_else(
        || network.range.map(|range| range.first),
        |given| Some(given.value),
    );
    network.cidr = first
        .zip(mask)
        .and_then(|(first, mask)| Ipv4Net::new(first, mask).ok())
        .map(|network| network.trunc());
    let with_bits = first
        .zip(network.cidr)
        .filter(|(first, cidr)| *first != cidr.network());
    if let (Some((first, cidr)), Some(place)) = (with_bits, &cidr_place) {
        let message = format!(
            "the network `{}` is {first}, which is an address in {cidr}",
            printable(name)
        );
        let problem = Diagnostic::warning("IEC0819", message).at(place);
        form.report(problem.hint(format!("write {}, if that network is meant", cidr.network())));
    }
    Some(IdfNetwork {
        network,
        place: item.place().clone(),
        interface_place,
        cidr_place,
        gateway_place,
        range_place,
    })
}

/// The VLAN of a network; the schema leaves it open, a site does not.
fn vlan(item: &Item<'_>, form: &mut Form<'_>) -> Option<String> {
    let text = item.scalar()?;
    if is_vlan(&text.value) {
        return Some(text.value);
    }
    // Some pods write 0 where packets have no tag.
    if text.value == "0" {
        let message = format!("`{}` is 0, which is read as `native`", item.way);
        let problem = Diagnostic::warning("IEC0819", message).at(item.place());
        form.report(problem.hint("write `native` for packets without a tag"));
        return Some("native".to_owned());
    }
    form.left_out(
        &format!("`{}`", item.way),
        item.place(),
        "a VLAN is `native`, a number from 1 to 4094, a range, or several of them",
    );
    None
}

/// Whether this is a text of one line with something in it.
fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

fn read_fuel(fuel: &Mapping<'_>, idf: &mut Idf, form: &mut Form<'_>) {
    if let Some(network) = fuel
        .some("network")
        .and_then(|item| item.mapping(&FUEL_NETWORK, form))
    {
        if let Some(nodes) = network.filled("node", "a list", form) {
            let items = nodes.list(form);
            idf.counts
                .push((nodes.way.clone(), items.len(), nodes.place().clone()));
            for item in items {
                let cards = item.mapping(&FUEL_NODE, form).map(|node| cards(&node, form));
                idf.interfaces.push(cards.unwrap_or_default());
            }
        }
        for key in FUEL_NETWORK.optional {
            if let Some(item) = network.some(key) {
                form.left_out(&format!("`{}`", item.way), item.place(), "IEC does not set it");
            }
        }
    }
    let reclass = fuel.some("reclass").and_then(|item| item.any_mapping(form));
    if let Some(nodes) = reclass.and_then(|reclass| reclass.filled("node", "a list", form)) {
        let count = nodes.list(form).len();
        idf.counts.push((nodes.way.clone(), count, nodes.place().clone()));
        let reason = "it is for another installer";
        form.left_out(&format!("`{}`", nodes.way), nodes.place(), reason);
    }
    check_fuel(fuel, form);
    for key in ["jumphost", "maas"] {
        if let Some(item) = fuel.some(key) {
            form.left_out(
                &format!("`{}`", item.way),
                item.place(),
                "it is for another installer",
            );
        }
    }
}

/// Holds what is left out against the schema: a pod is right or wrong as a whole.
fn check_fuel(fuel: &Mapping<'_>, form: &mut Form<'_>) {
    let jumphost = fuel
        .some("jumphost")
        .and_then(|item| item.mapping(&FUEL_JUMPHOST, form));
    let bridges = jumphost
        .and_then(|jumphost| jumphost.filled("bridges", "a mapping", form))
        .and_then(|item| item.mapping(&FUEL_BRIDGES, form));
    for (.., bridge) in bridges.iter().flat_map(Mapping::items) {
        if !bridge.is_null() {
            bridge.text(form);
        }
    }
    let maas = fuel.some("maas").and_then(|item| item.mapping(&FUEL_MAAS, form));
    for (.., timeout) in maas.iter().flat_map(Mapping::items) {
        timeout.number(u32::MAX, form);
    }
}

fn cards(node: &Mapping<'_>, form: &mut Form<'_>) -> Vec<Card> {
    let mut texts = |key| {
        let items = node
            .filled(key, "a list", form)
            .map(|item| item.list(form))
            .unwrap_or_default();
        let text = |item: &Item<'_>, form: &mut Form<'_>| {
            let text = (!item.is_null()).then(|| item.text(form)).flatten()?;
            Some(text.value).filter(|text| is_plain(text))
        };
        items.iter().map(|item| text(item, form)).collect::<Vec<_>>()
    };
    let (names, buses) = (texts("interfaces"), texts("busaddr"));
    let count = names.len().max(buses.len());
    (0..count)
        .map(|index| Card {
            name: names.get(index).cloned().flatten(),
            bus_address: buses.get(index).cloned().flatten(),
        })
        .collect()
}

fn read_kubespray(given: &Mapping<'_>, idf: &mut Idf, form: &mut Form<'_>) {
    for (key, _, item) in given.items().filter(|(.., item)| !item.is_null()) {
        match key {
            "nodes_roles" => {
                for (node, _, roles) in item.any_mapping(form).iter().flat_map(Mapping::items) {
                    let place = roles.place().clone();
                    let value = roles
                        .one_or_more(form)
                        .iter()
                        .filter_map(|role| Some(role.text(form)?.value))
                        .collect();
                    idf.roles.insert(node.to_owned(), Spanned { value, place });
                }
            }
            "hostnames" => {
                for (node, _, name) in item.any_mapping(form).iter().flat_map(Mapping::items) {
                    if let Some(name) = name.text(form) {
                        idf.hostnames.insert(node.to_owned(), name);
                    }
                }
            }
            "network" => read_mapping(&item, idf, form),
            "kube_pods_subnet" => idf.pods = subnet(&item, form),
            "kube_service_addresses" => idf.services = subnet(&item, form),
            // Which roles a group has follows from the nodes' roles.
            "groups" => {}
            _ => form.left_out(&format!("`{}`", item.way), item.place(), "IEC knows no such key"),
        }
    }
}

fn subnet(item: &Item<'_>, form: &mut Form<'_>) -> Option<Spanned<Ipv4Net>> {
    item.parsed("a network, such as 10.244.0.0/16", form, parse_network)
}

/// What networks may be used for.
const USES: [&str; 3] = ["net_admin", "net_mgmt", "net_public"];

/// Which networks are used for what.
fn read_mapping(item: &Item<'_>, idf: &mut Idf, form: &mut Form<'_>) {
    let network = item.any_mapping(form);
    for (key, place, item) in network.iter().flat_map(Mapping::items) {
        if key != "network_mapping" {
            form.left_out(&format!("`{}`", item.way), place, "IEC knows no such key");
        }
    }
    let mapping = network
        .and_then(|network| network.some("network_mapping"))
        .and_then(|item| item.any_mapping(form));
    // Some write `net-mgmt`; where both are there, the usual spelling counts.
    for usual in [true, false] {
        for (given, place, network) in mapping.iter().flat_map(Mapping::items) {
            let meaning = given.replace('-', "_");
            if (given == meaning) != usual {
                continue;
            }
            if !USES.contains(&&*meaning) {
                let known = USES.join(", ");
                let reason = format!("IEC knows {known}");
                form.left_out(&format!("`{}`", network.way), place, &reason);
                continue;
            }
            match idf.mapping.entry(meaning) {
                Entry::Occupied(there) => {
                    let reason = format!("`{}` is there too", there.key());
                    form.left_out(&format!("`{}`", network.way), place, &reason);
                }
                Entry::Vacant(free) => {
                    if let Some(network) = network.text(form) {
                        free.insert(network.value);
                    }
                }
            }
        }
    }
}
