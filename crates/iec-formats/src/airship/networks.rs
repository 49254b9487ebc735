//! Networks, and the links that carry them to the machines, as Drydock has them.

use std::net::Ipv4Addr;

use iec_core::render::Subject;
use iec_core::site::{AddressRange, FacilityNetwork, Management};
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::document;
use super::out_of_band::is_addressed;
use crate::header::Description;
use crate::machine::{Machine, USUAL_MTU};

/// What a network of management controllers is called, by sites and here.
const MANAGEMENT: [&str; 3] = ["oob", "ipmi", "bmc"];

/// A network, whose addresses are known or assumed.
pub(super) struct Network {
    given: FacilityNetwork,
    pub(super) cidr: Ipv4Net,
    pub(super) name: String,
    management: bool,
    /// The largest packet, in bytes.
    mtu: u32,
}

/// The networks of the place; without any, those in which the addresses of hosts and controllers lie.
pub(super) fn networks(
    subject: &Subject<'_>,
    machines: &[Machine<'_>],
    description: &mut Description<'_>,
) -> Vec<Network> {
    let mut networks: Vec<Network> = Vec::new();
    for given in &subject.site.facility().networks {
        networks.extend(of_facility(subject, machines, given, description));
    }
    for machine in machines {
        let controller = machine.hardware.management.as_ref().and_then(controller_network);
        let wanted = [
            ("site", machine.host.address(), None),
            ("cluster", machine.host.node_address(), None),
        ];
        let controller = controller.map(|(address, prefix)| (MANAGEMENT[0], address, prefix));
        for (name, address, prefix) in wanted.into_iter().chain(controller) {
            if networks.iter().any(|network| network.cidr.contains(&address)) {
                continue;
            }
            let cidr = prefix
                .and_then(|prefix| Ipv4Net::new(address, prefix).ok())
                .map(|network| network.trunc())
                .or_else(|| machine.network_of(address, subject.site.facility()))
                .unwrap_or_else(|| {
                    description.note(format!("the network of {address} is not known: /24 is assumed"));
                    Ipv4Net::new_assert(address, 24).trunc()
                });
            let mut cards = machine.hardware.interfaces.iter();
            let index = cards.position(|card| card.address.is_some_and(|known| known.address == address));
            networks.push(Network {
                given: FacilityNetwork {
                    interface: Some(index.unwrap_or(0)),
                    ..FacilityNetwork::default()
                },
                cidr,
                name: free_name(name, &networks),
                management: name == MANAGEMENT[0],
                mtu: mtu(subject, machines, cidr),
            });
        }
    }
    networks
}

/// A network that the site names, if Drydock has a form for it.
fn of_facility(
    subject: &Subject<'_>,
    machines: &[Machine<'_>],
    given: &FacilityNetwork,
    description: &mut Description<'_>,
) -> Option<Network> {
    let name = &given.name;
    let Some(cidr) = given.cidr else {
        description.note(format!(
            "the network {name} is left out: its addresses are not known"
        ));
        return None;
    };
    let vlan = given.vlan.as_deref().filter(|vlan| *vlan != "native");
    if let Some(vlan) = vlan
        && vlan.parse::<u16>().is_err()
    {
        description.note(format!(
            "the network {name} is left out: a network of Drydock has one VLAN, and this one has {vlan}; write a network for each"
        ));
        return None;
    }
    Some(Network {
        given: given.clone(),
        cidr,
        name: name.clone(),
        management: MANAGEMENT.contains(&name.as_str()),
        mtu: mtu(subject, machines, cidr),
    })
}

/// The largest packet that every card in this network can send, as far as somebody says it.
fn mtu(subject: &Subject<'_>, machines: &[Machine<'_>], cidr: Ipv4Net) -> u32 {
    let addresses = machines.iter().flat_map(|machine| {
        machine
            .addresses()
            .into_iter()
            .map(move |address| (machine, address))
    });
    addresses
        .filter(|(_, address)| cidr.contains(address))
        .filter_map(|(machine, address)| machine.packet_size(subject, address))
        .min()
        .unwrap_or(USUAL_MTU)
}

/// The address of a controller that Drydock reaches over a network of its own, and the length of that network.
fn controller_network(management: &Management) -> Option<(Ipv4Addr, Option<u8>)> {
    let address = management.ip().filter(|_| is_addressed(management))?;
    let prefix = management
        .address
        .rsplit_once('/')
        .and_then(|(_, prefix)| prefix.parse().ok())
        .filter(|prefix| *prefix <= 32 && !management.address.contains("://"));
    Some((address, prefix))
}

fn free_name(name: &str, networks: &[Network]) -> String {
    let taken = |name: &str| networks.iter().any(|network| network.name == name);
    let mut own = name.to_owned();
    let mut number = 2;
    while taken(&own) {
        own = format!("{name}-{number}");
        number += 1;
    }
    own
}

impl Network {
    /// The VLAN, if it has one.
    fn vlan(&self) -> Option<u16> {
        self.given.vlan.as_deref()?.parse().ok()
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
        let ranges = self.ranges(machines);
        if !ranges.is_empty() {
            put("ranges", json!(ranges));
        }
        if !self.given.nameservers.is_empty() {
            let servers: Vec<String> = self.given.nameservers.iter().map(ToString::to_string).collect();
            put("dns", json!({ "servers": servers.join(",") }));
        }
        document("drydock/Network/v1", &self.name, &Value::Object(data))
    }

    /// Whether this machine starts from it: it has no tag, and is on the card of the machine's boot address.
    pub(super) fn boots(&self, machine: &Machine<'_>) -> bool {
        !self.management && self.vlan().is_none() && self.given.interface.unwrap_or(0) == machine.boot_card()
    }

    /// The addresses that machines get while they start from it: those of the site's range before or after all that
    /// somebody has. Nothing where no machine starts from it, or where there are fewer than machines.
    pub(super) fn boot_range(&self, machines: &[Machine<'_>]) -> Option<AddressRange> {
        let range = self.given.range?;
        let count = u32::try_from(machines.iter().filter(|machine| self.boots(machine)).count()).ok()?;
        if count == 0 {
            return None;
        }
        let within = |address: &Ipv4Addr| (range.first..=range.last).contains(address);
        let taken = self.own(machines).into_iter().chain(self.given.gateway);
        let taken: Vec<Ipv4Addr> = taken
            .chain(self.given.nameservers.iter().copied())
            .filter(within)
            .collect();
        let (first, last) = (range.first.to_bits(), range.last.to_bits());
        let (least, most) = match (taken.iter().min(), taken.iter().max()) {
            (Some(least), Some(most)) => (least.to_bits(), most.to_bits()),
            _ => return (last - first >= count - 1).then_some(range),
        };
        let (before, after) = (least - first, last - most);
        let (first, length) = if before > after {
            (first, before)
        } else {
            (most.saturating_add(1), after)
        };
        (length >= count).then(|| AddressRange {
            first: first.into(),
            last: (first + (length - 1)).into(),
        })
    }

    /// The ranges: what machines start with, and on its sides the addresses that they have; elsewhere as the site says it,
    /// else as machines have them.
    fn ranges(&self, machines: &[Machine<'_>]) -> Vec<Value> {
        let range = |kind: &str, first: Ipv4Addr, last: Ipv4Addr| json!({ "type": kind, "start": first, "end": last });
        let own = self.own(machines);
        let span = |own: Vec<Ipv4Addr>| own.iter().min().copied().zip(own.iter().max().copied());
        let Some(boot) = self.boot_range(machines) else {
            let known = self.given.range.map(|range| (range.first, range.last));
            let known = known.or_else(|| span(own));
            return known
                .map(|(first, last)| range("static", first, last))
                .into_iter()
                .collect();
        };
        let (before, after) = own.into_iter().partition(|address| *address < boot.first);
        let mut ranges: Vec<Value> = [before, after]
            .into_iter()
            .filter_map(span)
            .map(|(first, last)| range("static", first, last))
            .collect();
        ranges.push(range("dhcp", boot.first, boot.last));
        ranges
    }

    /// The addresses in it that machines and their controllers have.
    fn own(&self, machines: &[Machine<'_>]) -> Vec<Ipv4Addr> {
        let controllers = machines
            .iter()
            .filter_map(|machine| machine.hardware.management.as_ref())
            .filter(|management| is_addressed(management))
            .filter_map(Management::ip);
        machines
            .iter()
            .flat_map(Machine::addresses)
            .chain(controllers)
            .filter(|address| self.cidr.contains(address))
            .collect()
    }
}

/// What carries networks: a card of the machines, or the cards of those that are in another network without a tag.
pub(super) struct Link<'a> {
    pub(super) name: String,
    /// Which card, counted from 0; nothing for the controllers.
    pub(super) card: Option<usize>,
    /// The one whose packets have no tag.
    pub(super) native: Option<&'a Network>,
    tagged: Vec<&'a Network>,
}

/// The links. Drydock has one network without a tag on a link, and each network on one link: a second one without a tag on
/// the same card, as hosts of different places have it, gets a link of its own.
pub(super) fn links<'a>(networks: &'a [Network], description: &mut Description<'_>) -> Vec<Link<'a>> {
    let mut links: Vec<Link<'a>> = Vec::new();
    for network in networks {
        let card = (!network.management).then(|| network.given.interface.unwrap_or(0));
        let tagged = network.vlan().is_some();
        let fits = |link: &&mut Link<'a>| link.card == card && (tagged || link.native.is_none());
        if let Some(link) = links.iter_mut().find(fits) {
            if tagged {
                link.tagged.push(network);
            } else {
                link.native = Some(network);
            }
            continue;
        }
        let base = card.map_or_else(|| "management".to_owned(), |card| format!("link-{card}"));
        let name = match links.iter().find(|link| link.card == card) {
            Some(other) => {
                let first = other.native.map_or("", |network| network.name.as_str());
                description.note(format!(
                    "the networks {first} and {} are both without a tag on one card: the second is on a link of its own, to which no tagged network belongs",
                    network.name
                ));
                format!("{base}-{}", network.name)
            }
            None => base,
        };
        links.push(Link {
            name,
            card,
            native: (!tagged).then_some(network),
            tagged: tagged.then_some(network).into_iter().collect(),
        });
    }
    links
}

impl Link<'_> {
    /// The names of the networks that it carries.
    pub(super) fn networks(&self) -> Vec<&str> {
        let all = self.native.iter().chain(&self.tagged);
        all.map(|network| network.name.as_str()).collect()
    }

    pub(super) fn document(&self) -> Value {
        let mode = if self.tagged.is_empty() {
            "disabled"
        } else {
            "802.1q"
        };
        let mut trunking = json!({ "mode": mode });
        // Its packets have no tag: a network that is tagged cannot be it.
        if let Some(native) = self.native {
            trunking["default_network"] = json!(native.name);
        }
        let data = json!({
            "bonding": { "mode": "disabled" },
            // As large as its networks ask for.
            "mtu": self.native.iter().chain(&self.tagged).map(|network| network.mtu).max(),
            "linkspeed": "auto",
            "trunking": trunking,
            "allowed_networks": self.networks(),
        });
        document("drydock/NetworkLink/v1", &self.name, &data)
    }
}
