//! The Pod Descriptor File, version 1.0: the machines of a pod.

use iec_core::diagnostic::{Diagnostic, Place};
use iec_core::site::{Disk, Facility, Hardware, Interface, InterfaceAddress, MacAddress};
use iec_core::site::{is_size, is_vlan as site_vlan};
use iec_core::spec::Spanned;
use iec_core::spec::tree::Node;

use super::form::{Form, Item, Keys, Mapping};
use super::management::{Password, management};

/// What stands for a text that nobody knows, in files that IEC writes.
pub(crate) const UNKNOWN: &str = "unknown";
/// What stands for an e-mail address that nobody knows, in files that IEC writes.
pub(crate) const UNKNOWN_CONTACT: &str = "unknown@example.invalid";
/// What stands for a size that nobody knows, in files that IEC writes; the schema allows no zero.
pub(crate) const UNKNOWN_SIZE: &str = "1M";
/// How a reference to a password begins, in files that IEC writes.
pub(crate) const REFERENCE: &str = "ref:";

/// What a Pod Descriptor File says that IEC understands.
pub(super) struct Pdf {
    pub(super) facility: Facility,
    pub(super) nodes: Vec<PdfNode>,
    pub(super) nodes_place: Place,
    /// The machine that IEC does not need; its addresses are taken all the same.
    pub(super) jumphost: Option<PdfNode>,
}

/// A machine.
pub(super) struct PdfNode {
    pub(super) name: Spanned<String>,
    pub(super) architecture: Option<&'static str>,
    pub(super) os: Option<Spanned<String>>,
    pub(super) hardware: Hardware,
    pub(super) management_place: Option<Place>,
    /// The addresses of the interfaces, in their order, with their places.
    pub(super) addresses: Vec<Option<Spanned<InterfaceAddress>>>,
    /// Every hardware address of the machine.
    pub(super) macs: Vec<Spanned<MacAddress>>,
    pub(super) password: Option<Password>,
}

const TOP: Keys = Keys {
    required: &["version", "details", "jumphost", "nodes"],
    optional: &[],
};
const DETAILS: Keys = Keys {
    required: &["type", "pod_owner", "contact", "lab", "location", "link"],
    optional: &[],
};
const JUMPHOST: Keys = Keys {
    required: &["name", "node", "disks", "os", "remote_management", "interfaces"],
    optional: &["remote_params"],
};
const NODE: Keys = Keys {
    required: &["name", "node", "disks", "remote_management", "interfaces"],
    optional: &["os", "remote_params"],
};
const MACHINE: Keys = Keys {
    required: &[
        "type",
        "vendor",
        "model",
        "arch",
        "cpus",
        "cpu_cflags",
        "cores",
        "memory",
    ],
    optional: &[],
};
const DISK: Keys = Keys {
    required: &[
        "name",
        "disk_capacity",
        "disk_type",
        "disk_interface",
        "disk_rotation",
    ],
    optional: &[],
};
const MANAGEMENT: Keys = Keys {
    required: &["type", "user", "pass", "address"],
    optional: &["versions", "mac_address", "port", "privilege_level"],
};
const INTERFACE: Keys = Keys {
    required: &["name", "mac_address"],
    optional: &["address", "vlan", "speed", "features"],
};

/// Reads the descriptor as far as it can be read.
pub(super) fn read(root: &Node, form: &mut Form<'_>) -> Option<Pdf> {
    let top = Item::root(root).mapping(&TOP, form)?;
    if let Some(version) = top.filled("version", "a number", form) {
        version.version(1.0, form);
    }
    let facility = match top.filled("details", "a mapping", form) {
        Some(details) => details
            .mapping(&DETAILS, form)
            .map(|given| facility(&given, form)),
        None => None,
    };
    let mut jumphost = None;
    if let Some(item) = top.filled("jumphost", "a mapping", form)
        && let Some(given) = item.mapping(&JUMPHOST, form)
    {
        // Held against the schema like the nodes, for a pod is right or wrong as a whole.
        jumphost = machine(&given, form);
        let reason = "IEC runs wherever its user does and needs no jump host";
        form.left_out("`jumphost`", item.place(), reason);
    }
    let nodes = top.filled("nodes", "a list", form)?;
    let mut read = Vec::new();
    for item in nodes.list(form) {
        if let Some(given) = item.mapping(&NODE, form) {
            read.extend(machine(&given, form));
        }
    }
    if read.is_empty() {
        let problem = Diagnostic::error("IEC0815", "the Pod Descriptor File has no node with a name");
        form.report(
            problem
                .at(&nodes.place().head())
                .hint("a site needs at least one host"),
        );
    }
    Some(Pdf {
        facility: facility.unwrap_or_default(),
        nodes: read,
        nodes_place: nodes.place().clone(),
        jumphost,
    })
}

fn facility(given: &Mapping<'_>, form: &mut Form<'_>) -> Facility {
    let contact = given.filled("contact", "text", form).and_then(|item| {
        let text = item.text(form)?;
        if !is_contact(&text.value) {
            item.not_allowed(form, "an e-mail address, or several of them");
            return None;
        }
        Some(text.value)
    });
    let purpose = given
        .filled("type", "text", form)
        .and_then(|item| item.word(&Facility::PURPOSES, form));
    let mut text = |key| known(given.text(key, form).map(|text| text.value));
    let mut facility = Facility {
        owner: text("pod_owner"),
        lab: text("lab"),
        location: text("location"),
        link: text("link"),
        contact: known(contact).filter(|contact| contact != UNKNOWN_CONTACT),
        purpose: None,
        networks: Vec::new(),
    };
    // The schema wants a purpose even where nobody gave one.
    facility.purpose = purpose.filter(|_| !facility.is_empty() || purpose == Some("production"));
    facility
}

/// The text, unless it stands for one that nobody knows.
pub(super) fn known(text: Option<String>) -> Option<String> {
    // A folded text (`>`) has a line break at its end.
    let text = text?.trim_end().to_owned();
    let is_known = !text.trim().is_empty() && text != UNKNOWN && !text.chars().any(char::is_control);
    is_known.then_some(text)
}

/// Whether this is one e-mail address or several, as the schema's expression has it.
pub(crate) fn is_contact(text: &str) -> bool {
    let mut words = text
        .split([',', ';', ' '])
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek().is_some()
        && words.all(|word| {
            word.split_once('@').is_some_and(|(account, domain)| {
                let allowed = |text: &str, extra: &str| {
                    !text.is_empty()
                        && text
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
                };
                allowed(account, "_.+-")
                    && domain
                        .split_once('.')
                        .is_some_and(|(host, rest)| allowed(host, "-") && allowed(rest, "-."))
            })
        })
}

fn machine(given: &Mapping<'_>, form: &mut Form<'_>) -> Option<PdfNode> {
    let name = given.text("name", form);
    let mut hardware = Hardware::default();
    let mut architecture = None;
    if let Some(item) = given.filled("node", "a mapping", form)
        && let Some(node) = item.mapping(&MACHINE, form)
    {
        architecture = processor(&node, &mut hardware, form);
    }
    if let Some(disks) = given.filled("disks", "a list", form) {
        for item in disks.list(form) {
            if let Some(disk) = item.mapping(&DISK, form) {
                hardware.disks.push(disk_of(&disk, form));
            }
        }
    }
    let os = given.some("os").and_then(|item| item.text(form));
    if let Some(item) = given.some("remote_params") {
        item.any_mapping(form);
    }
    let mut macs = Vec::new();
    let mut password = None;
    let mut management_place = None;
    if let Some(item) = given.filled("remote_management", "a mapping", form)
        && let Some(given) = item.mapping(&MANAGEMENT, form)
    {
        management_place = Some(item.place().clone());
        (hardware.management, password) = management(&given, &mut macs, form);
    }
    let mut addresses = Vec::new();
    if let Some(interfaces) = given.filled("interfaces", "a list", form) {
        for item in interfaces.list(form) {
            let (interface, address) = match item.mapping(&INTERFACE, form) {
                Some(given) => interface(&given, &mut macs, form),
                None => (Interface::default(), None),
            };
            hardware.interfaces.push(interface);
            addresses.push(address);
        }
    }
    Some(PdfNode {
        name: name?,
        architecture,
        os,
        hardware,
        management_place,
        addresses,
        macs,
        password,
    })
}

/// Reads what the machine is made of; gives its architecture.
fn processor(node: &Mapping<'_>, hardware: &mut Hardware, form: &mut Form<'_>) -> Option<&'static str> {
    hardware.kind = node
        .filled("type", "text", form)
        .and_then(|item| item.word(&Hardware::KINDS, form));
    hardware.vendor = known(node.text("vendor", form).map(|text| text.value));
    hardware.model = known(node.text("model", form).map(|text| text.value));
    hardware.processor_flags = known(node.text("cpu_cflags", form).map(|text| text.value));
    let mut count = |key| {
        let count = node.filled(key, "a number", form)?.number(1024, form)?;
        u16::try_from(count).ok().filter(|count| *count > 0)
    };
    hardware.processors = count("cpus");
    hardware.cores = count("cores");
    hardware.memory = node.filled("memory", "text", form).and_then(|item| {
        let what = "a whole number with M, G or T after it, such as 16G";
        let size = item.parsed(what, form, |text| {
            (is_size(text) && !text.contains('.')).then(|| text.to_owned())
        })?;
        Some(size.value).filter(|size| size != UNKNOWN_SIZE)
    });
    node.filled("arch", "text", form)
        .and_then(|item| item.word(&["aarch64", "x86_64"], form))
}

fn disk_of(given: &Mapping<'_>, form: &mut Form<'_>) -> Disk {
    if let Some(item) = given.filled("name", "text", form) {
        item.parsed("`disk` and a number", form, |text| numbered(text, "disk"));
    }
    let capacity = given.filled("disk_capacity", "text", form).and_then(|item| {
        let what = "a number with M, G or T after it, such as 128G";
        let size = item.parsed(what, form, |text| is_size(text).then(|| text.to_owned()))?;
        Some(size.value)
    });
    let medium = given
        .filled("disk_type", "text", form)
        .and_then(|item| item.word(&Disk::MEDIA, form));
    let interface = given
        .filled("disk_interface", "text", form)
        .and_then(|item| item.word(&Disk::INTERFACES, form));
    let rotation = given.filled("disk_rotation", "a number", form).and_then(|item| {
        let read = item.number(u32::from(u16::MAX), form)?;
        let known = Disk::ROTATIONS
            .into_iter()
            .find(|known| u32::from(*known) == read);
        if known.is_none() {
            item.not_allowed(form, "one of 0, 5400, 7200, 10000, 15000");
        }
        known
    });
    Disk {
        capacity,
        medium,
        interface,
        rotation,
    }
}

/// A word and a number, such as `nic1`.
fn numbered(text: &str, word: &str) -> Option<()> {
    let number = text.strip_prefix(word)?;
    (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())).then_some(())
}

pub(super) fn mac(item: &Item<'_>, form: &mut Form<'_>) -> Option<Spanned<MacAddress>> {
    let what = "six pairs of hexadecimal digits, joined by `:`";
    item.parsed(what, form, |text| text.parse().ok())
}

fn interface(
    given: &Mapping<'_>,
    macs: &mut Vec<Spanned<MacAddress>>,
    form: &mut Form<'_>,
) -> (Interface, Option<Spanned<InterfaceAddress>>) {
    // The name counts in the descriptor only; one that is not `nic1` is what the system calls the card.
    let name = given.filled("name", "text", form).and_then(|item| {
        let text = item.text(form)?;
        if numbered(&text.value, "nic").is_some() {
            return None;
        }
        item.not_allowed(form, "`nic` and a number");
        known(Some(text.value))
    });
    let mac = given
        .filled("mac_address", "text", form)
        .and_then(|item| mac(&item, form));
    let mac = mac.filter(|mac| !mac.value.is_zero());
    macs.extend(mac.clone());
    let what = "an IPv4 address, perhaps with the length of its network";
    let address = given
        .some("address")
        .and_then(|item| item.parsed(what, form, |text| text.parse::<InterfaceAddress>().ok()));
    let vlan = given.some("vlan").and_then(|item| {
        let text = item.scalar()?;
        if !is_vlan(&text.value) {
            item.not_allowed(
                form,
                "`native`, a number from 1 to 4094, or several of them, joined by `|`",
            );
        }
        known(Some(text.value)).filter(|text| site_vlan(text))
    });
    let speed = match given.get("speed") {
        Some(_) => given
            .filled("speed", "text", form)
            .and_then(|item| item.word(&Interface::SPEEDS, form)),
        None => None,
    };
    let mut features = Vec::new();
    if let Some(item) = given.some("features")
        && let Some(text) = item.text(form)
    {
        for word in text.value.split('|').filter(|word| !word.is_empty()) {
            match Interface::FEATURES.into_iter().find(|known| *known == word) {
                Some(known) if !features.contains(&known) => features.push(known),
                Some(_) => {}
                None => item.not_allowed(form, "`dpdk` and `sriov`, joined by `|`"),
            }
        }
    }
    let interface = Interface {
        name,
        mac: mac.map(|mac| mac.value),
        address: address.as_ref().map(|address| address.value),
        vlan,
        speed,
        features,
        bus_address: None,
    };
    (interface, address)
}

/// Whether this is a VLAN as the schema has it.
pub(crate) fn is_vlan(text: &str) -> bool {
    text.split('|').all(|one| {
        one == "native" || (!one.starts_with(['0', '+']) && one.parse::<u16>().is_ok_and(|id| id <= 4094))
    })
}
