//! The cards of hosts as Metal3's data templates have them: links found by hardware addresses, addresses from pools.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use iec_core::render::Subject;
use iec_core::render::first_network::{self, Card};
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::group::Group;
use crate::header::Description;
use crate::machine::Machine;

/// The packet sizes that a data template takes.
const MTU: RangeInclusive<u32> = 1280..=9000;

/// The cards of one host.
pub(super) struct HostNetwork {
    /// The hardware addresses of its links, in order.
    pub(super) macs: Vec<String>,
    /// Its addresses, in the order of [`Shape::addresses`].
    addresses: Vec<(Ipv4Net, Option<Ipv4Addr>)>,
    /// What it has in common with the hosts of its group.
    pub(super) shape: Shape,
}

/// How cards are connected, without what is each host's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// The packet size of each link, where it is known.
    links: Vec<Option<u32>>,
    addresses: Vec<AddressShape>,
    servers: Vec<String>,
}

/// How an address is given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AddressShape {
    /// The link, counted from 0.
    link: usize,
    /// Its tagged network.
    tag: Option<u16>,
    kind: AddressKind,
}

/// Who gives an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressKind {
    /// The site's, without a way out of its network.
    Pool,
    /// The site's, and the default route.
    PoolAndRouter,
    /// The network, with the default route that the site does not know.
    Dhcp,
}

impl HostNetwork {
    /// The cards with the host's addresses, where the site says enough of them; else it is noted what gives the addresses.
    pub(super) fn of(
        subject: &Subject<'_>,
        machine: &Machine<'_>,
        description: &mut Description<'_>,
    ) -> Option<Self> {
        let name = machine.name();
        let network = match Self::known(subject, machine) {
            Ok(network) => network,
            Err(why) => {
                description.note(format!(
                    "{name}: its cards get their addresses by DHCP or by the image, since {why}"
                ));
                return None;
            }
        };
        for ((net, _), address) in network.addresses.iter().zip(&network.shape.addresses) {
            if address.kind == AddressKind::Dhcp {
                description.note(format!(
                    "{name}: the site does not say the router of its networks, so the card of {} asks for an address and a router by DHCP, and has to be given this address",
                    net.addr()
                ));
            }
            if let Some(size) = machine.packet_size(subject, net.addr())
                && size > *MTU.end()
            {
                description.note(format!(
                    "{name}: packets on the card of {} have {size} bytes; Metal3 takes {} at most",
                    net.addr(),
                    MTU.end()
                ));
            }
        }
        Some(network)
    }

    fn known(subject: &Subject<'_>, machine: &Machine<'_>) -> Result<Self, &'static str> {
        let host = machine.host;
        let unknown = "the site does not say which card, of which hardware address, has which of them";
        let facts = subject.facts.host(machine.name());
        let mut cards = first_network::cards(subject, host, facts).ok_or(unknown)?;
        cards.retain(|card| card.mac.is_some());
        let has = |address: Ipv4Addr| cards.iter().flat_map(nets).any(|net| net.addr() == address);
        if !has(host.address()) || !has(host.node_address()) {
            return Err(unknown);
        }
        let is_routed = cards.iter().any(|card| card.gateway.is_some());
        let mut network = Self {
            macs: Vec::new(),
            addresses: Vec::new(),
            shape: Shape {
                links: Vec::new(),
                addresses: Vec::new(),
                servers: Vec::new(),
            },
        };
        for card in &cards {
            network.add(subject, machine, card, is_routed);
        }
        let shape = &network.shape;
        if shape
            .addresses
            .iter()
            .all(|address| address.kind == AddressKind::Dhcp)
        {
            return Err("the site does not say the router of its network");
        }
        let mut tags: Vec<u16> = shape.addresses.iter().filter_map(|address| address.tag).collect();
        tags.sort_unstable();
        if tags.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(
                "two of its addresses are in networks of one VLAN, which a data template cannot have",
            );
        }
        Ok(network)
    }

    fn add(&mut self, subject: &Subject<'_>, machine: &Machine<'_>, card: &Card, is_routed: bool) {
        let Some(mac) = &card.mac else {
            return;
        };
        // A card and its tagged networks have one hardware address, and are one link.
        let link = self
            .macs
            .iter()
            .position(|known| known == mac)
            .unwrap_or_else(|| {
                self.macs.push(mac.clone());
                self.shape.links.push(None);
                self.macs.len() - 1
            });
        let mut gateway = card.gateway.and_then(|gateway| match gateway {
            IpAddr::V4(gateway) => Some(gateway),
            IpAddr::V6(_) => None,
        });
        for net in nets(card) {
            let own = machine.packet_size(subject, net.addr());
            let size = &mut self.shape.links[link];
            *size = (*size).max(own.map(|own| own.clamp(*MTU.start(), *MTU.end())));
            // Without any router the host would be cut off, so the card that it is reached by asks the network for one.
            let kind = if !is_routed && net.addr() == machine.host.address() {
                AddressKind::Dhcp
            } else if gateway.is_some() {
                AddressKind::PoolAndRouter
            } else {
                AddressKind::Pool
            };
            self.shape.addresses.push(AddressShape {
                link,
                tag: card.tag,
                kind,
            });
            self.addresses.push((net, gateway.take()));
        }
        for server in &card.servers {
            if !self.shape.servers.contains(server) {
                self.shape.servers.push(server.clone());
            }
        }
    }
}

fn nets(card: &Card) -> impl Iterator<Item = Ipv4Net> {
    card.addresses.iter().filter_map(|address| address.parse().ok())
}

/// The annotation of a host that has the hardware address of a link.
pub(super) fn mac_annotation(link: usize) -> String {
    format!("iec.dev/nic{link}-mac")
}

fn link_name(link: usize) -> String {
    format!("nic{link}")
}

/// The pool of a group's addresses of this number.
fn pool_name(group: &str, address: usize) -> String {
    format!("{group}-address-{address}")
}

impl Shape {
    /// As plain data, to compare it with others.
    pub(super) fn document(&self) -> Value {
        self.network_data("")
    }

    /// What a `Metal3DataTemplate` says of it for the machines of a group.
    pub(super) fn network_data(&self, group: &str) -> Value {
        let mac = |link: usize| json!({ "fromAnnotation": { "object": "baremetalhost", "annotation": mac_annotation(link) } });
        let sized = |mut link: Value, size: Option<u32>| {
            if let Some(size) = size {
                link["mtu"] = json!(size);
            }
            link
        };
        let ethernets = self.links.iter().enumerate().map(|(index, size)| {
            let link = json!({ "type": "phy", "id": link_name(index), "macAddress": mac(index) });
            sized(link, *size)
        });
        let mut links = Map::new();
        links.insert("ethernets".to_owned(), ethernets.collect());
        let (mut vlans, mut pooled, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for (index, address) in self.addresses.iter().enumerate() {
            let link = link_name(address.link);
            let own = address
                .tag
                .map_or_else(|| link.clone(), |tag| format!("{link}-{tag}"));
            if let Some(tag) = address.tag {
                let vlan =
                    json!({ "id": own, "vlanID": tag, "vlanLink": link, "macAddress": mac(address.link) });
                vlans.push(sized(vlan, self.links[address.link]));
            }
            let id = format!("address-{index}");
            let pool = pool_name(group, index);
            match address.kind {
                AddressKind::Dhcp => asked.push(json!({ "id": id, "link": own })),
                AddressKind::Pool => {
                    pooled.push(json!({ "id": id, "link": own, "ipAddressFromIPPool": pool }));
                }
                AddressKind::PoolAndRouter => {
                    let route =
                        json!({ "network": "0.0.0.0", "prefix": 0, "gateway": { "fromIPPool": pool } });
                    pooled.push(
                        json!({ "id": id, "link": own, "ipAddressFromIPPool": pool, "routes": [route] }),
                    );
                }
            }
        }
        let mut networks = Map::new();
        for (key, list) in [("ipv4", pooled), ("ipv4DHCP", asked)] {
            if !list.is_empty() {
                networks.insert(key.to_owned(), Value::Array(list));
            }
        }
        if !vlans.is_empty() {
            links.insert("vlans".to_owned(), Value::Array(vlans));
        }
        let mut data = json!({ "links": links, "networks": networks });
        if !self.servers.is_empty() {
            data["services"] = json!({ "dns": self.servers });
        }
        data
    }
}

/// The pools of a group: one for each address that its hosts have, with the address of each host by its name.
pub(super) fn pools(
    subject: &Subject<'_>,
    group: &Group<'_>,
    description: &mut Description<'_>,
) -> Vec<Value> {
    let Some(shape) = group.shape() else {
        return Vec::new();
    };
    let members = || {
        group
            .members
            .iter()
            .filter_map(|member| Some((member.machine.name(), member.network.as_ref()?)))
    };
    let several = members().count() > 1;
    let pooled = shape.addresses.iter().enumerate();
    let pooled = pooled.filter(|(_, address)| address.kind != AddressKind::Dhcp);
    let pools: Vec<Value> = pooled
        .map(|(index, _)| {
            let name = pool_name(&group.name, index);
            let (mut ranges, mut allocations) = (Vec::new(), BTreeMap::new());
            for (host, network) in members() {
                let (net, gateway) = network.addresses[index];
                let mut range = json!({ "start": net.addr(), "end": net.addr(), "prefix": net.prefix_len() });
                if let Some(gateway) = gateway {
                    range["gateway"] = json!(gateway);
                }
                ranges.push(range);
                allocations.insert(format!("{host}-{name}"), net.addr());
            }
            let mut spec =
                json!({ "clusterName": super::name_of(subject), "namePrefix": name, "pools": ranges });
            if several {
                spec["preAllocations"] = json!(allocations);
            }
            json!({
                "apiVersion": "ipam.metal3.io/v1alpha1",
                "kind": "IPPool",
                "metadata": super::metadata(subject, &name),
                "spec": spec,
            })
        })
        .collect();
    if several && !pools.is_empty() {
        description.note("each host gets its own address from an IPPool by its name: Metal3's provider does that with ENABLE_BMH_NAME_BASED_PREALLOCATION=true, and without it machines wait with \"Exhausted IP Pools\"");
    }
    pools
}
