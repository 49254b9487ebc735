//! Rules about machines: what each is made of.

use std::fmt::Display;
use std::str::FromStr;

use super::{PORTS, controller, facility, line, network, number, optional, printable, required, word};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::site::hardware::{
    Disk, Hardware, Interface, InterfaceAddress, MacAddress, Management, ManagementProtocol,
};
use crate::spec::{DiskSpec, Field, HardwareSpec, InterfaceSpec, List, ManagementSpec, Spanned};

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
        .and_then(|given| controller::address(given, protocol, problems));
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
        interface_address(given, problems).map(Some)
    });
    let vlan = optional(&given.vlan, None, |given| {
        facility::vlan(given, problems).map(Some)
    });
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

/// The address of an interface, and the length of its network if that is given.
fn interface_address(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<InterfaceAddress> {
    if network::refuse_ipv6(given, "address", problems) {
        return None;
    }
    let what = "an IPv4 address, perhaps with the length of its network";
    let read = parsed::<InterfaceAddress>(given, "address", what, problems)?;
    network::check_usable(read.address, "address", &given.place, problems).then_some(read)
}

/// What `read` makes of every item, if nothing about the list is wrong.
pub(super) fn list<T, U>(
    field: &Field<List<T>>,
    mut read: impl FnMut(&Spanned<T>) -> Option<U>,
) -> Option<Vec<U>> {
    optional(field, Vec::new(), |given| {
        let items: Vec<Option<U>> = given.value.items.iter().map(&mut read).collect();
        let whole: Option<Vec<U>> = items.into_iter().collect();
        whole.filter(|_| given.value.complete)
    })
}

/// One of several known words, as the word itself.
pub(super) fn choice(
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
pub(super) fn parsed<T: FromStr<Err: Display>>(
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
pub fn is_size(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_suffix('B').unwrap_or(text);
    number.strip_suffix(['M', 'G', 'T']).is_some_and(|number| {
        let (whole, fraction) = number
            .split_once('.')
            .map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
        digits(whole) && !whole.starts_with('0') && fraction.is_none_or(digits)
    })
}
