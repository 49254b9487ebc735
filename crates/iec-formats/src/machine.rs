//! What a host is made of: as the site says it, else as the host itself said.

use std::net::Ipv4Addr;

use iec_core::architecture::Architecture;
use iec_core::facts::HostFacts;
use iec_core::render::Subject;
use iec_core::site::{Facility, Hardware, Interface, InterfaceAddress, MacAddress, SiteHost};
use ipnet::{IpNet, Ipv4Net};

/// What a host is made of.
pub(super) struct Machine<'a> {
    /// The host.
    pub(super) host: &'a SiteHost,
    /// Its architecture, if it is known.
    pub(super) architecture: Option<Architecture>,
    /// The distribution and its version: `ubuntu-24.04`.
    pub(super) distribution: Option<String>,
    /// What is known about the machine.
    pub(super) hardware: Hardware,
}

/// Interfaces that programs make, not makers of machines.
const MADE: [&str; 11] = [
    "lo", "veth", "cali", "docker", "br-", "cni", "flannel", "vxlan", "tunl", "kube", "virbr",
];

/// The largest packet of a card of which nobody has said more, in bytes.
pub(super) const USUAL_MTU: u32 = 1500;

/// The machines of all present hosts, in the order of the site.
pub(super) fn machines<'a>(subject: &Subject<'a>) -> Vec<Machine<'a>> {
    let site = subject.site;
    site.present_hosts()
        .map(|host| machine(host, subject.facts.host(host.name().as_str())))
        .collect()
}

fn machine<'a>(host: &'a SiteHost, facts: Option<&HostFacts>) -> Machine<'a> {
    let mut hardware = host.hardware().clone();
    if let Some(facts) = facts {
        if hardware.interfaces.is_empty() && !facts.network.is_assumed() {
            hardware.interfaces = observed_interfaces(facts);
        }
        if hardware.memory.is_none() && !facts.capacity.is_assumed() {
            let mebibytes = facts.capacity.memory_total / (1024 * 1024);
            hardware.memory = (mebibytes > 0).then(|| format!("{mebibytes}M"));
        }
        if hardware.model.is_none() && !facts.identity.is_assumed() {
            hardware.model.clone_from(&facts.identity.product);
        }
    }
    if hardware.interfaces.is_empty() {
        let mut addresses = vec![host.address()];
        addresses.extend((host.node_address() != host.address()).then(|| host.node_address()));
        hardware.interfaces = addresses
            .into_iter()
            .map(|address| Interface {
                address: Some(InterfaceAddress {
                    address,
                    prefix: None,
                }),
                ..Interface::default()
            })
            .collect();
    }
    let observed = facts
        .filter(|facts| !facts.distribution.is_assumed() && !facts.distribution.id.is_empty())
        .map(|facts| format!("{}-{}", facts.distribution.id, facts.distribution.version));
    Machine {
        host,
        architecture: facts
            .and_then(|facts| facts.kernel.architecture())
            .or(host.assume().architecture()),
        distribution: observed.or_else(|| host.assume().distribution().map(str::to_owned)),
        hardware,
    }
}

/// The cards that the host told of.
fn observed_interfaces(facts: &HostFacts) -> Vec<Interface> {
    let cards = facts.network.interfaces.iter().filter(|interface| {
        interface.mac.is_some() && !MADE.iter().any(|made| interface.name.starts_with(made))
    });
    cards
        .map(|card| Interface {
            name: Some(card.name.clone()),
            mac: card.mac.as_deref().and_then(|mac| mac.parse().ok()),
            address: card.addresses.iter().find_map(|address| match address {
                IpNet::V4(network) => Some(InterfaceAddress {
                    address: network.addr(),
                    prefix: Some(network.prefix_len()),
                }),
                IpNet::V6(_) => None,
            }),
            ..Interface::default()
        })
        .collect()
}

impl Machine<'_> {
    /// The name of the host.
    pub(super) fn name(&self) -> &str {
        self.host.name().as_str()
    }

    /// The interface that has this address.
    pub(super) fn interface_of(&self, address: Ipv4Addr) -> Option<&Interface> {
        let mut interfaces = self.hardware.interfaces.iter();
        interfaces.find(|interface| interface.address.is_some_and(|own| own.address == address))
    }

    /// The hardware address by which the machine starts from the network: of the card that IEC reaches, else of the first
    /// that is known.
    pub(super) fn boot_mac(&self) -> Option<MacAddress> {
        let known = |interface: &Interface| interface.mac.filter(|mac| !mac.is_zero());
        self.interface_of(self.host.address())
            .and_then(known)
            .or_else(|| self.hardware.interfaces.iter().find_map(known))
    }

    /// The largest packet on the card of this address, in bytes: as the host told, else what Calico's packets between hosts
    /// need, where that is more than every card sends. Nothing where nobody says either.
    pub(super) fn packet_size(&self, subject: &Subject<'_>, address: Ipv4Addr) -> Option<u32> {
        let facts = subject.facts.host(self.name());
        if let Some(told) = facts.and_then(|facts| facts.network.mtu_of(address.into())) {
            return Some(told);
        }
        let calico = subject.site.network().cni().calico()?;
        let needed = u32::from(calico.mtu()?) + calico.overhead();
        (address == self.host.node_address() && needed > USUAL_MTU).then_some(needed)
    }

    /// Every address that it has, as far as somebody says them: that by which it is reached first.
    pub(super) fn addresses(&self) -> Vec<Ipv4Addr> {
        let cards = self.hardware.interfaces.iter();
        let cards = cards.filter_map(|card| card.address.map(|known| known.address));
        let mut addresses: Vec<Ipv4Addr> = Vec::new();
        for address in [self.host.address(), self.host.node_address()]
            .into_iter()
            .chain(cards)
        {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// The card by which it starts from the network, counted from 0: that of [`Self::boot_mac`].
    pub(super) fn boot_card(&self) -> usize {
        let mac = self.boot_mac();
        let is_it = |card: &Interface| match mac {
            Some(_) => card.mac == mac,
            None => card.address.is_some_and(|own| own.address == self.host.address()),
        };
        self.hardware.interfaces.iter().position(is_it).unwrap_or(0)
    }

    /// The network of this address: of the place, else as its interface has it.
    pub(super) fn network_of(&self, address: Ipv4Addr, facility: &Facility) -> Option<Ipv4Net> {
        if let Some(cidr) = facility.network_of(address).and_then(|network| network.cidr) {
            return Some(cidr);
        }
        let prefix = self.interface_of(address)?.address?.prefix?;
        Ipv4Net::new(address, prefix).ok().map(|network| network.trunc())
    }
}
