//! Rules about machines and the place where they stand.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

use super::{PORTS, line, number, optional, printable, required, word};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Severity};
use crate::site::hardware::{
    AddressRange, Disk, Facility, FacilityNetwork, Hardware, Interface, InterfaceAddress, MacAddress,
    Management, ManagementProtocol,
};
use crate::spec::{
    DiskSpec, FacilityNetworkSpec, FacilitySpec, Field, HardwareSpec, HostSpec, InterfaceSpec, List,
    ManagementSpec, Spanned,
};

/// What a site says about the place.
pub(in crate::site) fn facility(given: &FacilitySpec, problems: &mut Diagnostics) -> Option<Facility> {
    let text = |field: &Field<String>, key: &str, problems: &mut Diagnostics| {
        optional(field, None, |given| line(given, key, problems).map(Some))
    };
    let owner = text(&given.owner, "owner", problems);
    let contact = text(&given.contact, "contact", problems);
    let lab = text(&given.lab, "lab", problems);
    let location = text(&given.location, "location", problems);
    let link = text(&given.link, "link", problems);
    let purpose = optional(&given.purpose, None, |given| {
        choice(given, "use", &Facility::PURPOSES, problems).map(Some)
    });
    let networks = list(&given.networks, |item| network(item, problems));
    Some(Facility {
        owner: owner?,
        contact: contact?,
        lab: lab?,
        location: location?,
        link: link?,
        purpose: purpose?,
        networks: networks?,
    })
}

fn network(given: &Spanned<FacilityNetworkSpec>, problems: &mut Diagnostics) -> Option<FacilityNetwork> {
    let spec = &given.value;
    let name =
        required(&spec.name, "name", &given.place, problems).and_then(|given| line(given, "name", problems));
    let cidr = optional(&spec.cidr, None, |given| {
        super::network::network(given, "cidr", problems).map(Some)
    });
    let interface = optional(&spec.interface, None, |given| {
        number::<u8>(given, "interface", 0..=63, problems).map(|index| Some(usize::from(index)))
    });
    let vlan = optional(&spec.vlan, None, |given| line(given, "vlan", problems).map(Some));
    let gateway = optional(&spec.gateway, None, |given| {
        parsed::<Ipv4Addr>(given, "gateway", "an IPv4 address", problems).map(Some)
    });
    let nameservers = list(&spec.nameservers, |given| {
        parsed::<Ipv4Addr>(given, "nameservers", "an IPv4 address", problems)
    });
    let range = optional(&spec.range, None, |given| {
        parsed::<AddressRange>(given, "range", "two IPv4 addresses, joined by `-`", problems).map(Some)
    });
    Some(FacilityNetwork {
        name: name?,
        cidr: cidr?,
        interface: interface?,
        vlan: vlan?,
        gateway: gateway?,
        nameservers: nameservers?,
        range: range?,
    })
}

/// What a site says about a machine.
pub(in crate::site) fn hardware(given: &HardwareSpec, problems: &mut Diagnostics) -> Option<Hardware> {
    let kind = optional(&given.kind, None, |given| {
        choice(given, "kind", &Hardware::KINDS, problems).map(Some)
    });
    let vendor = optional(&given.vendor, None, |given| {
        line(given, "vendor", problems).map(Some)
    });
    let model = optional(&given.model, None, |given| {
        line(given, "model", problems).map(Some)
    });
    let processors = optional(&given.processors, None, |given| {
        number(given, "processors", 1..=1024, problems).map(Some)
    });
    let cores = optional(&given.cores, None, |given| {
        number(given, "cores", 1..=1024, problems).map(Some)
    });
    let processor_flags = optional(&given.processor_flags, None, |given| {
        line(given, "processorFlags", problems).map(Some)
    });
    let memory = optional(&given.memory, None, |given| {
        size(given, "memory", problems).map(Some)
    });
    let management = optional(&given.management, None, |given| {
        management(&given.value, &given.place, problems).map(Some)
    });
    let disks = list(&given.disks, |given| disk(&given.value, problems));
    let interfaces = list(&given.interfaces, |given| interface(&given.value, problems));
    Some(Hardware {
        kind: kind?,
        vendor: vendor?,
        model: model?,
        processors: processors?,
        cores: cores?,
        processor_flags: processor_flags?,
        memory: memory?,
        management: management?,
        disks: disks?,
        interfaces: interfaces?,
    })
}

fn management(given: &ManagementSpec, place: &Place, problems: &mut Diagnostics) -> Option<Management> {
    let protocol = required(&given.protocol, "protocol", place, problems)
        .and_then(|given| word(given, "protocol", &ManagementProtocol::WORDS, problems));
    let versions = list(&given.versions, |given| line(given, "versions", problems));
    let address = required(&given.address, "address", place, problems)
        .and_then(|given| line(given, "address", problems));
    let port = optional(&given.port, None, |given| {
        number(given, "port", PORTS, problems).map(Some)
    });
    let mac = optional(&given.mac, None, |given| mac(given, problems).map(Some));
    let user = optional(&given.user, None, |given| line(given, "user", problems).map(Some));
    let credentials = optional(&given.credentials, None, |given| {
        line(given, "credentials", problems).map(Some)
    });
    Some(Management {
        protocol: protocol?,
        versions: versions?,
        address: address?,
        port: port?,
        mac: mac?,
        user: user?,
        credentials: credentials?,
    })
}

fn disk(given: &DiskSpec, problems: &mut Diagnostics) -> Option<Disk> {
    let capacity = optional(&given.capacity, None, |given| {
        size(given, "capacity", problems).map(Some)
    });
    let medium = optional(&given.medium, None, |given| {
        choice(given, "type", &Disk::MEDIA, problems).map(Some)
    });
    let interface = optional(&given.interface, None, |given| {
        choice(given, "interface", &Disk::INTERFACES, problems).map(Some)
    });
    let rotation = optional(&given.rotation, None, |given| {
        let known = Disk::ROTATIONS
            .iter()
            .find(|known| i64::from(**known) == given.value);
        if known.is_none() {
            problems.push(
                Diagnostic::error("IEC0013", format!("`rotation` cannot be {}", given.value))
                    .at(&given.place)
                    .hint("it is one of 0, 5400, 7200, 10000, 15000"),
            );
        }
        known.copied().map(Some)
    });
    Some(Disk {
        capacity: capacity?,
        medium: medium?,
        interface: interface?,
        rotation: rotation?,
    })
}

fn interface(given: &InterfaceSpec, problems: &mut Diagnostics) -> Option<Interface> {
    let name = optional(&given.name, None, |given| line(given, "name", problems).map(Some));
    let mac = optional(&given.mac, None, |given| mac(given, problems).map(Some));
    let address = optional(&given.address, None, |given| {
        let what = "an IPv4 address, perhaps with the length of its network";
        parsed::<InterfaceAddress>(given, "address", what, problems).map(Some)
    });
    let vlan = optional(&given.vlan, None, |given| line(given, "vlan", problems).map(Some));
    let speed = optional(&given.speed, None, |given| {
        choice(given, "speed", &Interface::SPEEDS, problems).map(Some)
    });
    let features = list(&given.features, |given| {
        choice(given, "features", &Interface::FEATURES, problems)
    });
    let bus_address = optional(&given.bus_address, None, |given| {
        line(given, "busAddress", problems).map(Some)
    });
    Some(Interface {
        name: name?,
        mac: mac?,
        address: address?,
        vlan: vlan?,
        speed: speed?,
        features: features?,
        bus_address: bus_address?,
    })
}

/// Reports hardware addresses that two machines share (one may have one twice: a card and its VLANs), and addresses of interfaces that lie in no network of the place.
pub(in crate::site) fn check_together(
    hosts: &List<HostSpec>,
    networks: &[FacilityNetwork],
    problems: &mut Diagnostics,
) {
    let known: Vec<Ipv4Net> = networks.iter().filter_map(|network| network.cidr).collect();
    let mut first: BTreeMap<MacAddress, (usize, &Place)> = BTreeMap::new();
    for (index, host) in hosts.items.iter().enumerate() {
        let Some(hardware) = host.value.hardware.value() else {
            continue;
        };
        let interfaces = hardware.interfaces.value();
        let interfaces: Vec<&InterfaceSpec> = interfaces
            .into_iter()
            .flat_map(|list| &list.items)
            .map(|item| &item.value)
            .collect();
        let management = hardware.management.value().map(|management| &management.mac);
        let cards = management
            .into_iter()
            .chain(interfaces.iter().map(|card| &card.mac));
        for given in cards.filter_map(Field::given) {
            let Ok(mac) = given.value.parse::<MacAddress>() else {
                continue;
            };
            let (owner, earlier) = *first.entry(mac).or_insert((index, &given.place));
            if owner != index && !mac.is_zero() {
                problems.push(repeated(mac, &given.place, earlier));
            }
        }
        for given in interfaces.iter().filter_map(|card| card.address.given()) {
            if let Ok(read) = given.value.parse::<InterfaceAddress>()
                && let Some(mut problem) = outside(read.address, &known, &given.place)
            {
                // Installing over SSH does not depend on it.
                problem.severity = Severity::Warning;
                problems.push(problem);
            }
        }
    }
}

/// A hardware address that two machines have.
pub(crate) fn repeated(mac: MacAddress, place: &Place, first: &Place) -> Diagnostic {
    Diagnostic::error("IEC0802", format!("two machines have the hardware address {mac}"))
        .at(place)
        .label(first, "the first one")
        .hint("read it from the card (`ip link`), and correct one of the two")
}

/// An address that lies in none of the networks, where there are any.
pub(crate) fn outside(address: Ipv4Addr, networks: &[Ipv4Net], place: &Place) -> Option<Diagnostic> {
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

/// What `read` makes of every item, if nothing about the list is wrong.
fn list<T, U>(field: &Field<List<T>>, mut read: impl FnMut(&Spanned<T>) -> Option<U>) -> Option<Vec<U>> {
    optional(field, Vec::new(), |given| {
        let items: Vec<Option<U>> = given.value.items.iter().map(&mut read).collect();
        let whole: Option<Vec<U>> = items.into_iter().collect();
        whole.filter(|_| given.value.complete)
    })
}

/// One of several known words, as the word itself.
fn choice(
    given: &Spanned<String>,
    key: &str,
    known: &[&'static str],
    problems: &mut Diagnostics,
) -> Option<&'static str> {
    let words: Vec<(&'static str, &'static str)> = known.iter().map(|word| (*word, *word)).collect();
    word(given, key, &words, problems)
}

fn mac(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<MacAddress> {
    parsed(
        given,
        "mac",
        "six pairs of hexadecimal digits, joined by `:`",
        problems,
    )
}

/// A text as a value of another type, or a report that it is none.
fn parsed<T: FromStr<Err: Display>>(
    given: &Spanned<String>,
    key: &str,
    what: &str,
    problems: &mut Diagnostics,
) -> Option<T> {
    let read = given.value.parse().ok();
    if read.is_none() {
        problems.push(
            Diagnostic::error(
                "IEC0801",
                format!("`{key}` cannot be `{}`", printable(&given.value)),
            )
            .at(&given.place)
            .hint(format!("it is {what}")),
        );
    }
    read
}

/// A size: a number with its unit.
fn size(given: &Spanned<String>, key: &str, problems: &mut Diagnostics) -> Option<String> {
    // Memory comes in whole units, as other installers want it.
    if is_size(&given.value) && (key != "memory" || !given.value.contains('.')) {
        return Some(given.value.clone());
    }
    problems.push(
        Diagnostic::error(
            "IEC0801",
            format!("`{key}` cannot be `{}`", printable(&given.value)),
        )
        .at(&given.place)
        .hint("it is a number with M, G or T after it, such as 16G"),
    );
    None
}

/// Whether this is a number with `M`, `G` or `T`, perhaps with a fraction, perhaps with `B` at its end.
pub(crate) fn is_size(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_suffix('B').unwrap_or(text);
    number.strip_suffix(['M', 'G', 'T']).is_some_and(|number| {
        let (whole, fraction) = number
            .split_once('.')
            .map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
        digits(whole) && !whole.starts_with('0') && fraction.is_none_or(digits)
    })
}
