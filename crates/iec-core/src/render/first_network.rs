//! The network of a first boot, as cloud-init takes it: what the host told, else what the site file says of its cards.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value, json};

use super::Subject;
use crate::facts::HostFacts;
use crate::site::{Facility, SiteHost};

/// A card that gets an address of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its name, else one that stands for it in the file.
    pub id: String,
    /// Its hardware address, where somebody says it.
    pub mac: Option<String>,
    /// The number of its tagged network; nothing where packets have no tag.
    pub tag: Option<u16>,
    /// The addresses with the length of their network.
    pub addresses: Vec<String>,
    /// Where packets to everywhere else go.
    pub gateway: Option<IpAddr>,
    /// Its name servers.
    pub servers: Vec<String>,
}

/// The cards with the site's addresses on them, if one of them has the address that IEC reaches the host by.
#[must_use]
pub fn cards(subject: &Subject<'_>, host: &SiteHost, facts: Option<&HostFacts>) -> Option<Vec<Card>> {
    let cards = match facts.map(|facts| observed(host, facts)) {
        Some(cards) if !cards.is_empty() => cards,
        _ => described(subject.site.facility(), host),
    };
    let reached = format!("{}/", host.address());
    cards
        .iter()
        .any(|card| card.addresses.iter().any(|address| address.starts_with(&reached)))
        .then_some(cards)
}

/// The network configuration of a host. Where nobody knows the card of its address there is nothing to say: cloud-init by
/// itself takes what the network gives, and most of its renderers do not understand a pattern of names.
pub(super) fn network(subject: &Subject<'_>, host: &SiteHost, facts: &HostFacts) -> Option<Value> {
    let cards = cards(subject, host, Some(facts))?;
    let (mut ethernets, mut tagged) = (Map::new(), Map::new());
    for card in cards {
        let mut settings = Map::new();
        if let Some(mac) = &card.mac {
            settings.insert("match".to_owned(), json!({ "macaddress": mac }));
        }
        match card.tag {
            Some(tag) => {
                let link = card.id.clone();
                // The card may have addresses of its own besides.
                ethernets.entry(link.clone()).or_insert(Value::Object(settings));
                let mut settings = addresses(card);
                settings.insert("id".to_owned(), json!(tag));
                settings.insert("link".to_owned(), json!(link));
                tagged.insert(format!("{link}.{tag}"), Value::Object(settings));
            }
            None => {
                let id = card.id.clone();
                settings.append(&mut addresses(card));
                ethernets.insert(id, Value::Object(settings));
            }
        }
    }
    let mut value = json!({ "version": 2, "ethernets": ethernets });
    if !tagged.is_empty() {
        value["vlans"] = Value::Object(tagged);
    }
    Some(value)
}

fn addresses(card: Card) -> Map<String, Value> {
    let mut settings = Map::new();
    settings.insert("addresses".to_owned(), json!(card.addresses));
    if let Some(gateway) = card.gateway {
        settings.insert(
            "routes".to_owned(),
            json!([{ "to": "0.0.0.0/0", "via": gateway }]),
        );
    }
    if !card.servers.is_empty() {
        settings.insert("nameservers".to_owned(), json!({ "addresses": card.servers }));
    }
    settings
}

/// The addresses that the site has of a host: where it is reached, and where its node is.
fn own_addresses(host: &SiteHost) -> Vec<Ipv4Addr> {
    let mut own = vec![host.address()];
    own.extend((host.node_address() != host.address()).then(|| host.node_address()));
    own
}

/// The cards that the host told of, with the site's addresses on them.
fn observed(host: &SiteHost, facts: &HostFacts) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::new();
    let route = facts.network.default_route();
    for address in own_addresses(host).into_iter().map(IpAddr::from) {
        let Some(interface) = facts.network.interface_of(address) else {
            continue;
        };
        let nets = interface.addresses.iter().filter(|net| net.addr() == address);
        let addresses = nets.map(ToString::to_string);
        let (id, tag) = card_and_tag(facts, &interface.name);
        if let Some(card) = cards.iter_mut().find(|card| card.id == id && card.tag == tag) {
            card.addresses.extend(addresses);
            continue;
        }
        cards.push(Card {
            id: id.to_owned(),
            mac: interface.mac.as_ref().map(|mac| mac.to_lowercase()),
            tag,
            addresses: addresses.collect(),
            gateway: route
                .filter(|route| route.interface.as_deref() == Some(interface.name.as_str()))
                .and_then(|route| route.gateway),
            servers: Vec::new(),
        });
    }
    if let Some(first) = cards.first_mut() {
        let servers = facts.resolver.pod_nameservers();
        first.servers = servers.into_iter().map(str::to_owned).collect();
    }
    cards
}

/// The card under an interface, and the number of its tagged network, where it is one of those that are called `CARD.NUMBER`.
fn card_and_tag<'a>(facts: &HostFacts, interface: &'a str) -> (&'a str, Option<u16>) {
    let has = |name: &str| facts.network.interfaces.iter().any(|known| known.name == name);
    interface
        .rsplit_once('.')
        .filter(|(card, _)| has(card))
        .and_then(|(card, number)| Some((card, Some(number.parse().ok()?))))
        .unwrap_or((interface, None))
}

/// The cards that the site file describes, as far as they have an address and one can tell which they are.
fn described(facility: &Facility, host: &SiteHost) -> Vec<Card> {
    let mut cards = Vec::new();
    for (index, interface) in host.hardware().interfaces.iter().enumerate() {
        let connected = |address: &Ipv4Addr| {
            facility
                .network_of(*address)
                .is_some_and(|network| network.interface == Some(index))
        };
        let Some(address) = interface
            .address
            .map(|own| own.address)
            .or_else(|| own_addresses(host).into_iter().find(connected))
        else {
            continue;
        };
        let network = facility.network_of(address);
        let length = interface
            .address
            .and_then(|own| own.prefix)
            .or_else(|| Some(network?.cidr?.prefix_len()));
        let mac = interface
            .mac
            .filter(|mac| !mac.is_zero())
            .map(|mac| mac.to_string());
        let id = interface
            .name
            .clone()
            .or_else(|| mac.is_some().then(|| format!("card{index}")));
        let (Some(length), Some(id)) = (length, id) else {
            continue;
        };
        let servers = network.map_or(&[][..], |network| &network.nameservers);
        cards.push(Card {
            id,
            mac,
            tag: interface.vlan.as_deref().and_then(|vlan| vlan.parse().ok()),
            addresses: vec![format!("{address}/{length}")],
            gateway: network.and_then(|network| network.gateway).map(IpAddr::from),
            servers: servers.iter().map(ToString::to_string).collect(),
        });
    }
    one_gateway(&mut cards, host);
    cards
}

/// Two default routes would take turns: the one of the address that the host is reached by stays, else the first.
fn one_gateway(cards: &mut [Card], host: &SiteHost) {
    let reached = format!("{}/", host.address());
    let is_reached = |card: &Card| card.addresses.iter().any(|address| address.starts_with(&reached));
    let leads_on = |card: &&Card| card.gateway.is_some();
    let kept = cards
        .iter()
        .filter(leads_on)
        .find(|card| is_reached(card))
        .or_else(|| cards.iter().find(leads_on))
        .map(|card| card.id.clone());
    for card in cards.iter_mut().filter(|card| Some(&card.id) != kept.as_ref()) {
        card.gateway = None;
    }
}
