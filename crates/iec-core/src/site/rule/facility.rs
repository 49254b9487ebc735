//! Rules about the place where the hosts stand: whose it is, and each of its networks by itself.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::hardware::{choice, list, parsed};
use super::network::{self, bounds, check_usable, refuse_ipv6};
use super::{line, number, optional, printable, required};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Severity};
use crate::site::hardware::{AddressRange, Facility, FacilityNetwork, is_vlan};
use crate::spec::{FacilityNetworkSpec, FacilitySpec, Field, Spanned};

/// What is known about a network even if something about it is wrong, for the rules about all addresses together.
pub(in crate::site) struct SeenNetwork<'s> {
    pub(in crate::site) name: Option<(&'s str, &'s Place)>,
    pub(in crate::site) cidr: Option<(Ipv4Net, &'s Place)>,
    pub(in crate::site) interface: Option<(usize, &'s Place)>,
    pub(in crate::site) gateway: Option<(Ipv4Addr, &'s Place)>,
    pub(in crate::site) nameservers: Vec<(Ipv4Addr, &'s Place)>,
}

impl SeenNetwork<'_> {
    /// How a message calls the network.
    pub(in crate::site) fn called(&self) -> String {
        match self.name {
            Some((name, _)) => format!("network `{}`", printable(name)),
            None => "a network".to_owned(),
        }
    }
}

/// What a site says about the place; the place is there only if nothing about it is wrong.
pub(in crate::site) fn facility<'s>(
    given: &'s FacilitySpec,
    problems: &mut Diagnostics,
) -> (Vec<SeenNetwork<'s>>, Option<Facility>) {
    let text = |field: &Field<String>, key: &str, problems: &mut Diagnostics| {
        optional(field, None, |given| line(given, key, problems).map(Some))
    };
    let owner = text(&given.owner, "owner", problems);
    let contact = optional(&given.contact, None, |given| contact(given, problems).map(Some));
    let lab = text(&given.lab, "lab", problems);
    let location = text(&given.location, "location", problems);
    let link = text(&given.link, "link", problems);
    let purpose = optional(&given.purpose, None, |given| {
        choice(given, "use", &Facility::PURPOSES, problems).map(Some)
    });
    let items = given.networks.value().map_or(&[][..], |list| &list.items);
    let (seen, networks): (Vec<_>, Vec<_>) = items.iter().map(|item| network(item, problems)).unzip();
    check_names(&seen, problems);
    let networks = match &given.networks {
        Field::Broken => None,
        field if field.value().is_some_and(|list| !list.complete) => None,
        _ => networks.into_iter().collect::<Option<Vec<_>>>(),
    };
    let whole = || {
        Some(Facility {
            owner: owner?,
            contact: contact?,
            lab: lab?,
            location: location?,
            link: link?,
            purpose: purpose?,
            networks: networks?,
        })
    };
    (seen, whole())
}

/// One e-mail address, or several.
fn contact(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    let text = line(given, "contact", problems)?;
    if is_contact(&text) {
        return Some(text);
    }
    let message = format!("`contact` is no e-mail address: `{}`", printable(&text));
    problems.push(
        Diagnostic::error("IEC0809", message)
            .at(&given.place)
            .hint("write one such as edge@example.com, or several with commas between them; `owner`, `lab` and `link` take any text"),
    );
    None
}

/// Whether this is one e-mail address, or several with commas, semicolons or spaces between them.
fn is_contact(text: &str) -> bool {
    let mut words = text
        .split([',', ';', ' '])
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek().is_some() && words.all(is_mail_address)
}

/// Whether this has the form of a mail address that a person types: nothing quoted, no comment.
fn is_mail_address(text: &str) -> bool {
    let Some((account, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_account_letter =
        |letter: char| letter.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(letter);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|letter| letter.is_alphanumeric() || letter == '-')
    };
    !account.is_empty()
        && account.chars().all(is_account_letter)
        && !account.starts_with('.')
        && !account.ends_with('.')
        && domain.split('.').all(is_label)
}

fn network<'s>(
    given: &'s Spanned<FacilityNetworkSpec>,
    problems: &mut Diagnostics,
) -> (SeenNetwork<'s>, Option<FacilityNetwork>) {
    let spec = &given.value;
    let name =
        required(&spec.name, "name", &given.place, problems).and_then(|given| line(given, "name", problems));
    let cidr = optional(&spec.cidr, None, |given| cidr(given, problems).map(Some));
    let interface = optional(&spec.interface, None, |given| {
        number::<u8>(given, "interface", 0..=63, problems).map(|index| Some(usize::from(index)))
    });
    let vlan = optional(&spec.vlan, None, |given| vlan(given, problems).map(Some));
    let gateway = optional(&spec.gateway, None, |given| {
        address(given, "gateway", problems).map(Some)
    });
    let nameservers = list(&spec.nameservers, |given| address(given, "nameservers", problems));
    let range = optional(&spec.range, None, |given| {
        let what = "two IPv4 addresses, the smaller one first, joined by `-`";
        parsed::<AddressRange>(given, "range", what, problems).map(Some)
    });
    let inside = Inside {
        name: spec.name.value().map_or("", String::as_str),
        gateway: gateway.flatten().zip(spec.gateway.place()),
        range: range.flatten().zip(spec.range.place()),
    };
    if let Some(cidr) = cidr.flatten() {
        inside.check(cidr, "`cidr`", problems);
    }
    let servers = spec.nameservers.value().map_or(&[][..], |list| &list.items);
    let servers = servers
        .iter()
        .filter_map(|item| Some((item.value.parse().ok()?, &item.place)));
    let seen = SeenNetwork {
        name: spec.name.given().map(|given| (&*given.value, &given.place)),
        cidr: cidr.flatten().zip(spec.cidr.place()),
        interface: interface.flatten().zip(spec.interface.place()),
        gateway: inside.gateway,
        nameservers: servers.collect(),
    };
    let whole = || {
        Some(FacilityNetwork {
            name: name?,
            cidr: cidr?,
            interface: interface?,
            vlan: vlan?,
            gateway: gateway?,
            nameservers: nameservers?,
            range: range?,
        })
    };
    (seen, whole())
}

/// The addresses of a network that hosts are connected to.
fn cidr(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<Ipv4Net> {
    let cidr = network::network(given, "cidr", problems)?;
    let message = match network::special_range(cidr).filter(|what| *what != network::LINK_LOCAL) {
        Some(what) => format!("`cidr` cannot be {cidr}: the range has {what}"),
        None => return Some(cidr),
    };
    problems.push(
        Diagnostic::error("IEC0309", message)
            .at(&given.place)
            .hint("give the network in which the hosts have their addresses, or remove the key"),
    );
    None
}

/// The address of something that hosts ask.
fn address(given: &Spanned<String>, key: &str, problems: &mut Diagnostics) -> Option<Ipv4Addr> {
    if refuse_ipv6(given, key, problems) {
        return None;
    }
    let read = parsed::<Ipv4Addr>(given, key, "an IPv4 address", problems)?;
    check_usable(read, key, &given.place, problems).then_some(read)
}

/// The VLANs of a network or an interface.
pub(super) fn vlan(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    if is_vlan(&given.value) {
        return Some(given.value.clone());
    }
    let message = format!("`vlan` cannot be `{}`", printable(&given.value));
    let hint = if given.value.trim() == "0" || given.value.trim().eq_ignore_ascii_case("untagged") {
        "write `native` for packets without a tag, or remove the key"
    } else {
        "it is `native`, a number from 1 to 4094, a range such as \"100-199\", or several of them, joined by `|`"
    };
    problems.push(Diagnostic::error("IEC0810", message).at(&given.place).hint(hint));
    None
}

/// What should lie inside a network.
pub struct Inside<'s> {
    /// The name of the network.
    pub name: &'s str,
    /// Its gateway, and where that stands.
    pub gateway: Option<(Ipv4Addr, &'s Place)>,
    /// The addresses that may be given to machines, and where they stand.
    pub range: Option<(AddressRange, &'s Place)>,
}

impl Inside<'_> {
    /// Reports a gateway and a range that lie outside the network, or at an end of it where no host can be; `keys` has
    /// what says where the network is.
    pub fn check(&self, cidr: Ipv4Net, keys: &str, problems: &mut Diagnostics) {
        let name = printable(self.name);
        let mut report = |severity, what: &str, text: String, cause: String, place: &Place| {
            let message = format!("the {what} {text} of network `{name}` {cause}");
            let mut problem = Diagnostic::error("IEC0805", message);
            problem.severity = severity;
            problems.push(problem.at(place).hint(format!("correct the {what}, or {keys}")));
        };
        // A host that is alone in its network (a /32) has its gateway outside of it.
        let outside = |address: Ipv4Addr| !cidr.contains(&address) && cidr.prefix_len() < 32;
        let bounds = bounds(cidr);
        if let Some((gateway, place)) = self.gateway {
            let at_end = || bounds.and_then(|bounds| bounds.cause(gateway));
            if outside(gateway) {
                let cause = format!("lies outside {cidr}");
                report(Severity::Error, "gateway", gateway.to_string(), cause, place);
            } else if let Some(cause) = at_end() {
                report(
                    Severity::Error,
                    "gateway",
                    gateway.to_string(),
                    cause.to_owned(),
                    place,
                );
            }
        }
        let Some((range, place)) = self.range else { return };
        if outside(range.first) || outside(range.last) {
            let cause = format!("lies outside {cidr}");
            report(Severity::Error, "range", range.to_string(), cause, place);
            return;
        }
        let contains = |address: Ipv4Addr| range.first <= address && address <= range.last;
        let mut lost: Vec<String> = Vec::new();
        if let Some(bounds) = bounds {
            lost.extend(contains(bounds.network).then(|| format!("{}, the network's own", bounds.network)));
            lost.extend(contains(bounds.broadcast).then(|| format!("{}, for everybody", bounds.broadcast)));
        }
        let gateway = self.gateway.map(|(gateway, _)| gateway);
        lost.extend(
            gateway
                .filter(|it| contains(*it))
                .map(|it| format!("{it}, the gateway's")),
        );
        if !lost.is_empty() {
            let cause = format!("has addresses that no machine can be given: {}", lost.join("; "));
            report(Severity::Warning, "range", range.to_string(), cause, place);
        }
    }
}

/// Reports networks of one name: whatever names a network would mean either.
fn check_names(networks: &[SeenNetwork<'_>], problems: &mut Diagnostics) {
    let mut first: BTreeMap<&str, &Place> = BTreeMap::new();
    for (name, place) in networks.iter().filter_map(|network| network.name) {
        match first.get(name) {
            Some(earlier) => problems.push(
                Diagnostic::error(
                    "IEC0806",
                    format!("two networks are called `{}`", printable(name)),
                )
                .at(place)
                .label(*earlier, "the first one")
                .hint("give each network a name of its own"),
            ),
            None => {
                first.insert(name, place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_contact;

    #[test]
    fn contacts_are_mail_addresses() {
        for text in [
            "edge@example.com",
            "a@b.c, d@e.f; g@h.i j@k.l",
            "o'neil+edge@mail.example.com",
            "root@localhost",
            "jörg@exämple.de",
        ] {
            assert!(is_contact(text), "{text}");
        }
        for text in [
            "",
            " , ",
            "nobody",
            "Edge Team",
            "@example.com",
            "edge@",
            "edge@@example.com",
            "edge@.com",
            "edge@example..com",
            "edge@-a.com",
            "<edge@example.com>",
            "+49 30 1234",
            "a@b.c, d",
        ] {
            assert!(!is_contact(text), "{text}");
        }
    }
}
