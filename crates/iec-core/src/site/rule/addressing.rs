//! Rules about all addresses of a site together: hosts, their interfaces and controllers, the networks of the place, pods and services.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::controller::{self, Controller};
use super::facility::SeenNetwork;
use super::host::Seen;
use super::network::{Bounds, Named, bounds, free_network, overlap};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Severity};
use crate::site::hardware::{InterfaceAddress, MacAddress};
use crate::spec::{Field, HostSpec, Spanned};

/// A host with what its description says about its cards and its controller.
struct Machine<'s> {
    seen: &'s Seen<'s>,
    interfaces: Vec<(InterfaceAddress, &'s Place)>,
    /// How many interfaces are described.
    described: usize,
    macs: Vec<(MacAddress, &'s Place)>,
    controller: Option<(Controller, &'s Place)>,
}

/// Everything that has an address, as far as it could be read.
pub(in crate::site) struct Addressing<'s> {
    machines: Vec<Machine<'s>>,
    networks: &'s [SeenNetwork<'s>],
}

impl<'s> Addressing<'s> {
    /// Puts together what the hosts, one entry of `seen` for each of `given`, and the networks of the place say.
    pub(in crate::site) fn new(
        seen: &'s [Seen<'s>],
        given: &'s [Spanned<HostSpec>],
        networks: &'s [SeenNetwork<'s>],
    ) -> Self {
        let machines = seen
            .iter()
            .zip(given)
            .map(|(seen, given)| machine(seen, &given.value));
        Self {
            machines: machines.collect(),
            networks,
        }
    }

    /// Applies every rule.
    pub(in crate::site) fn check(&self, problems: &mut Diagnostics) {
        self.check_hardware_addresses(problems);
        self.check_networks(problems);
        self.check_places(problems);
        self.check_shared(problems);
        self.check_controllers(problems);
    }

    /// Reports hardware addresses that two machines share. One may have one twice: a card and its VLANs.
    fn check_hardware_addresses(&self, problems: &mut Diagnostics) {
        let mut first: BTreeMap<MacAddress, (usize, &Place)> = BTreeMap::new();
        for (index, machine) in self.machines.iter().enumerate() {
            for (mac, place) in machine.macs.iter().filter(|(mac, _)| !mac.is_zero()) {
                let (owner, earlier) = *first.entry(*mac).or_insert((index, place));
                if owner != index {
                    problems.push(repeated_mac(*mac, place, earlier));
                }
            }
        }
    }

    /// Reports networks that have only a part of each other, and interfaces that no host has.
    fn check_networks(&self, problems: &mut Diagnostics) {
        let most = self
            .machines
            .iter()
            .map(|machine| machine.described)
            .max()
            .unwrap_or(0);
        for (index, network) in self.networks.iter().enumerate() {
            if let Some((interface, place)) =
                network.interface.filter(|(index, _)| most > 0 && *index >= most)
            {
                let message = format!(
                    "{} is on interface {interface}, which no host has",
                    network.called()
                );
                problems.push(
                    Diagnostic::warning("IEC0823", message)
                        .at(place)
                        .hint("interfaces are counted from 0, in the order of `hardware.interfaces`"),
                );
            }
            let Some((cidr, place)) = network.cidr else {
                continue;
            };
            // Several names for one network are no slip: a range of it, or another VLAN, may have its own.
            let partly = self.networks[..index].iter().find_map(|earlier| {
                let (other, first) = earlier.cidr?;
                (other != cidr && overlap(other, cidr)).then_some((earlier, other, first))
            });
            if let Some((earlier, other, first)) = partly {
                let message = format!(
                    "{} ({cidr}) and {} ({other}) have addresses in common",
                    network.called(),
                    earlier.called()
                );
                problems.push(
                    Diagnostic::warning("IEC0822", message)
                        .at(place)
                        .label(first, "the other network")
                        .hint("correct one of the two, unless one is a part of the other on purpose"),
                );
            }
        }
    }

    /// Reports addresses of hosts that lie in no network, or where no host can be.
    fn check_places(&self, problems: &mut Diagnostics) {
        let known: Vec<Ipv4Net> = self.cidrs().collect();
        for machine in &self.machines {
            let mut told: Vec<Ipv4Addr> = Vec::new();
            for (address, prefix, place) in machine.own_addresses() {
                if told.contains(&address) {
                    continue;
                }
                if let Some(problem) = self.misplaced(machine, address, prefix, place) {
                    told.push(address);
                    problems.push(problem);
                }
            }
            for (given, place) in &machine.interfaces {
                if let Some(mut problem) = outside_networks(given.address, &known, place) {
                    // Installing over SSH does not depend on it.
                    problem.severity = Severity::Warning;
                    problems.push(problem);
                }
            }
        }
    }

    /// Why no host can have this address in its network.
    fn misplaced(
        &self,
        machine: &Machine<'_>,
        address: Ipv4Addr,
        prefix: Option<u8>,
        place: &Place,
    ) -> Option<Diagnostic> {
        let gateway = self
            .networks
            .iter()
            .filter_map(|network| Some((network, network.gateway?)));
        for (network, (gateway, first)) in gateway {
            if gateway == address {
                let message = format!("{address} is the address of the gateway of {}", network.called());
                let problem = Diagnostic::error("IEC0217", message)
                    .at(place)
                    .label(first, "the gateway");
                return Some(problem.hint("give the host its own address, or correct the gateway"));
            }
        }
        // What the interface itself says about its network counts more than the list of networks.
        let of_interface = prefix.or_else(|| machine.prefix_of(address));
        let network = match of_interface {
            Some(prefix) => Ipv4Net::new(address, prefix).ok().map(|network| network.trunc()),
            None => smallest_with(address, self.cidrs()),
        }?;
        let cause = bounds(network).and_then(|bounds: Bounds| bounds.cause(address))?;
        let message = format!("no host can have the address {address} in {network}: it {cause}");
        Some(
            Diagnostic::error("IEC0216", message)
                .at(place)
                .hint("give the host an address between the two ends of its network, or correct the length of the network"),
        )
    }

    /// Reports addresses of interfaces that another host has too.
    fn check_shared(&self, problems: &mut Diagnostics) {
        // A host that is gone for good may have left its addresses to its successor.
        let present = || {
            let machines = self.machines.iter().enumerate();
            machines.filter(|(_, machine)| machine.seen.unreachable != Some(true))
        };
        let mut known: BTreeMap<Ipv4Addr, Vec<(usize, &Place)>> = BTreeMap::new();
        for (index, machine) in present() {
            for (address, place) in [machine.seen.address, machine.seen.node_address]
                .into_iter()
                .flatten()
            {
                known.entry(address).or_default().push((index, place));
            }
        }
        let mut first: BTreeMap<Ipv4Addr, (usize, &Place)> = BTreeMap::new();
        for (index, machine) in present() {
            // On a link of one machine and its controller, every machine may have the same.
            let interfaces = machine
                .interfaces
                .iter()
                .filter(|(given, _)| !given.address.is_link_local());
            for (given, place) in interfaces {
                let address = given.address;
                let of_other = known
                    .get(&address)
                    .into_iter()
                    .flatten()
                    .find(|(owner, _)| *owner != index);
                let (owner, earlier) = *first.entry(address).or_insert((index, place));
                if let Some((owner, theirs)) = of_other {
                    let owner = self.machines[*owner].seen.called();
                    let message = format!("{address} is the address of {owner}");
                    problems.push(shared(message, place, theirs));
                } else if owner != index {
                    let message = format!("two machines have the address {address}");
                    let mut problem = shared(message, place, earlier);
                    // A network that every machine has for itself is possible; those of the place are everybody's.
                    if !self.cidrs().any(|cidr| cidr.contains(&address)) {
                        problem.severity = Severity::Warning;
                    }
                    problems.push(problem);
                }
            }
        }
    }

    /// Reports controllers that two hosts share, and those at a host's own address.
    fn check_controllers(&self, problems: &mut Diagnostics) {
        let mut owners: BTreeMap<Ipv4Addr, (usize, &Place)> = BTreeMap::new();
        let mut controllers = Vec::new();
        for (index, machine) in self.machines.iter().enumerate() {
            for (address, _, place) in machine.own_addresses() {
                owners.entry(address).or_insert((index, place));
            }
        }
        for (index, machine) in self.machines.iter().enumerate() {
            let Some((controller, place)) = &machine.controller else {
                continue;
            };
            let ip = match controller.ip() {
                Some(IpAddr::V4(ip)) if controller.has_own_address() => Some(ip),
                _ => None,
            };
            if let Some((ip, (owner, theirs))) = ip.and_then(|ip| Some((ip, owners.get(&ip)?)))
                && *owner != index
            {
                let owner = self.machines[*owner].seen.called();
                let message = format!("the management controller has {ip}, which is the address of {owner}");
                problems.push(
                    Diagnostic::error("IEC0821", message)
                        .at(*place)
                        .label(*theirs, "the host's")
                        .hint("give the controller's own address"),
                );
            }
            controllers.push((controller, *place));
        }
        controller::check_shared(&controllers, problems);
    }

    /// Reports what pods or services would hide: networks of the place, and what hosts ask in them.
    pub(in crate::site) fn check_hidden(
        &self,
        hiding: Named<'_>,
        other: Option<Ipv4Net>,
        problems: &mut Diagnostics,
    ) {
        let taken = || {
            self.cidrs()
                .chain(self.host_networks())
                .chain(other)
                .collect::<Vec<_>>()
        };
        let hint = || match free_network(hiding.network.prefix_len(), &taken()) {
            Some(free) => format!("choose another network, such as `{}: {free}`", hiding.key),
            None => format!("choose another network for `{}`, or correct this one", hiding.key),
        };
        for network in self.networks {
            if let Some((cidr, place)) = network.cidr.filter(|(cidr, _)| overlap(*cidr, hiding.network)) {
                let message = format!(
                    "{} ({cidr}) overlaps with {}",
                    network.called(),
                    hiding.describe()
                );
                let problem = Diagnostic::error("IEC0311", message).at(place);
                problems.push(problem.label(hiding.place, "the other network").hint(hint()));
                continue;
            }
            let servers = network.nameservers.iter().map(|given| ("a name server", *given));
            let asked = network
                .gateway
                .map(|given| ("the gateway", given))
                .into_iter()
                .chain(servers);
            for (what, (address, place)) in asked.filter(|(_, (address, _))| hiding.network.contains(address))
            {
                let message = format!(
                    "{} contains {address}, {what} of {}",
                    hiding.describe(),
                    network.called()
                );
                let problem = Diagnostic::error("IEC0312", message).at(place);
                problems.push(problem.label(hiding.place, "the network").hint(hint()));
            }
        }
        for machine in &self.machines {
            let Some((controller, place)) = &machine.controller else {
                continue;
            };
            if let Some(IpAddr::V4(ip)) = controller.ip().filter(|ip| is_in(hiding.network, *ip))
                && !self
                    .cidrs()
                    .any(|cidr| cidr.contains(&ip) && overlap(cidr, hiding.network))
            {
                let called = machine.seen.called();
                let message = format!(
                    "{} contains {ip}, the management controller of {called}",
                    hiding.describe()
                );
                // Nothing in the cluster need reach it.
                let problem = Diagnostic::warning("IEC0312", message).at(*place);
                problems.push(problem.label(hiding.place, "the network").hint(hint()));
            }
        }
    }

    /// The addresses of interfaces that are not those by which the host is known, with what each is.
    pub(in crate::site) fn further_addresses(&self) -> Vec<(Ipv4Addr, String, &'s Place)> {
        let mut further = Vec::new();
        for machine in &self.machines {
            let known = [machine.seen.address, machine.seen.node_address];
            for (given, place) in &machine.interfaces {
                if !known
                    .iter()
                    .flatten()
                    .any(|(address, _)| *address == given.address)
                {
                    let what = format!("an interface's address of {}", machine.seen.called());
                    further.push((given.address, what, *place));
                }
            }
        }
        further
    }

    fn cidrs(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        self.networks.iter().filter_map(|network| Some(network.cidr?.0))
    }

    /// The /16 around each host: a fair guess of what a site routes.
    fn host_networks(&self) -> impl Iterator<Item = Ipv4Net> + '_ {
        let addresses = self.machines.iter().flat_map(Machine::own_addresses);
        addresses.filter_map(|(address, ..)| Some(Ipv4Net::new(address, 16).ok()?.trunc()))
    }
}

fn is_in(network: Ipv4Net, ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if network.contains(&ip))
}

impl<'s> Machine<'s> {
    /// Every address of the host, with the length of its network if that is known, and its place.
    fn own_addresses(&self) -> impl Iterator<Item = (Ipv4Addr, Option<u8>, &'s Place)> + '_ {
        let known = [self.seen.address, self.seen.node_address].into_iter().flatten();
        let known = known.map(|(address, place)| (address, None, place));
        known.chain(
            self.interfaces
                .iter()
                .map(|(given, place)| (given.address, given.prefix, *place)),
        )
    }

    /// The length of the network of this address, as its interface has it.
    fn prefix_of(&self, address: Ipv4Addr) -> Option<u8> {
        let mut interfaces = self.interfaces.iter();
        interfaces.find(|(given, _)| given.address == address)?.0.prefix
    }
}

fn machine<'s>(seen: &'s Seen<'s>, given: &'s HostSpec) -> Machine<'s> {
    let hardware = given.hardware.value();
    let interfaces = hardware.and_then(|hardware| hardware.interfaces.value());
    let interfaces = || {
        interfaces
            .into_iter()
            .flat_map(|list| &list.items)
            .map(|item| &item.value)
    };
    let management = hardware.and_then(|hardware| hardware.management.value());
    let addresses = interfaces().filter_map(|card| read::<InterfaceAddress>(&card.address));
    let controller_mac = management.and_then(|given| read::<MacAddress>(&given.mac));
    let macs = interfaces().filter_map(|card| read::<MacAddress>(&card.mac));
    Machine {
        seen,
        interfaces: addresses.collect(),
        described: interfaces().count(),
        macs: controller_mac.into_iter().chain(macs).collect(),
        controller: management.and_then(|given| Controller::of(given).zip(given.address.place())),
    }
}

/// What can be read of a text; what cannot was reported where it stands.
fn read<T: std::str::FromStr>(field: &Field<String>) -> Option<(T, &Place)> {
    let given = field.given()?;
    Some((given.value.parse().ok()?, &given.place))
}

/// The smallest of the networks that have this address.
pub(crate) fn smallest_with(address: Ipv4Addr, networks: impl Iterator<Item = Ipv4Net>) -> Option<Ipv4Net> {
    networks
        .filter(|network| network.contains(&address))
        .max_by_key(Ipv4Net::prefix_len)
}

fn shared(message: String, place: &Place, first: &Place) -> Diagnostic {
    Diagnostic::error("IEC0804", message)
        .at(place)
        .label(first, "the first one")
        .hint("correct one of the two")
}

/// A hardware address that two machines have.
pub fn repeated_mac(mac: MacAddress, place: &Place, first: &Place) -> Diagnostic {
    Diagnostic::error("IEC0802", format!("two machines have the hardware address {mac}"))
        .at(place)
        .label(first, "the first one")
        .hint("read it from the card (`ip link`), and correct one of the two")
}

/// An address that lies in none of the networks, where there are any.
pub fn outside_networks(address: Ipv4Addr, networks: &[Ipv4Net], place: &Place) -> Option<Diagnostic> {
    if networks.is_empty() || networks.iter().any(|network| network.contains(&address)) {
        return None;
    }
    let known: Vec<String> = networks.iter().map(ToString::to_string).collect();
    Some(
        Diagnostic::error("IEC0803", format!("{address} lies in no network of the place"))
            .at(place)
            .evidence(format!("the networks are {}", known.join(", ")))
            .hint("correct the address, or add its network"),
    )
}
