//! Rules about addresses and networks that hold for every site.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use super::printable;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::spec::Spanned;

/// What [`special_range`] calls addresses that count on one link only.
pub(super) const LINK_LOCAL: &str = "link-local addresses";

/// Address ranges that no host, pod or service can have, and what they are for.
const SPECIAL: [([u8; 4], u8, &str); 5] = [
    ([0, 0, 0, 0], 8, "no addresses of hosts"),
    ([127, 0, 0, 0], 8, "loopback addresses"),
    ([169, 254, 0, 0], 16, LINK_LOCAL),
    ([224, 0, 0, 0], 4, "multicast addresses"),
    ([240, 0, 0, 0], 4, "reserved addresses"),
];

/// Address ranges that belong to nobody on the internet.
const PRIVATE: [([u8; 4], u8); 5] = [
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    ([198, 18, 0, 0], 15),
];

fn range(address: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from(address), prefix)
}

/// Whether the two networks have an address in common.
#[must_use]
pub fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// What is special about (a part of) this network, if no host, pod or service can have it.
#[must_use]
pub fn special_range(network: Ipv4Net) -> Option<&'static str> {
    SPECIAL
        .into_iter()
        .find(|(address, prefix, _)| overlap(network, range(*address, *prefix)))
        .map(|(_, _, what)| what)
}

/// What is special about this address, if no interface can have it; on one link, link-local addresses are as good as others.
pub(super) fn unusable(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets()[0] {
        0 | 240.. => Some("no machine can have it"),
        127 => Some("every machine takes it for itself"),
        224..240 => Some("it is a multicast address"),
        _ => None,
    }
}

/// Reports an address that no interface can have.
pub(super) fn check_usable(address: Ipv4Addr, key: &str, place: &Place, problems: &mut Diagnostics) -> bool {
    let Some(cause) = unusable(address) else {
        return true;
    };
    problems.push(
        Diagnostic::error("IEC0206", format!("`{key}` cannot be {address}: {cause}"))
            .at(place)
            .hint("give the address that others use for it, or remove it where nobody knows one"),
    );
    false
}

/// The first and the last address of a network, which no host can have.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(super) network: Ipv4Addr,
    pub(super) broadcast: Ipv4Addr,
}

impl Bounds {
    /// Why a host cannot have this address.
    pub(crate) fn cause(&self, address: Ipv4Addr) -> Option<&'static str> {
        if address == self.network {
            Some("is the network's own address, its first")
        } else if address == self.broadcast {
            Some("is the network's broadcast address, its last")
        } else {
            None
        }
    }
}

/// The bounds of a network; one of a single address (/32) or of two ends of a line (/31) has none.
pub(crate) fn bounds(network: Ipv4Net) -> Option<Bounds> {
    (network.prefix_len() < 31).then(|| Bounds {
        network: network.network(),
        broadcast: network.broadcast(),
    })
}

/// Whether the whole network is private.
fn is_private(network: Ipv4Net) -> bool {
    PRIVATE
        .into_iter()
        .any(|(address, prefix)| range(address, prefix).contains(&network))
}

/// A private network of that prefix length (8 or longer) that overlaps with none of `taken`, if one can be suggested.
#[must_use]
pub fn free_network(prefix: u8, taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    // Away from the ranges that offices, homes and other installers take first.
    let starts = [
        [10, 244, 0, 0],
        [10, 112, 0, 0],
        [172, 28, 0, 0],
        [192, 168, 0, 0],
        [100, 96, 0, 0],
        [10, 0, 0, 0],
    ];
    starts
        .into_iter()
        .filter_map(|start| Ipv4Net::new(Ipv4Addr::from(start), prefix).ok())
        .map(|network| network.trunc())
        .find(|candidate| {
            is_private(*candidate) && !taken.iter().any(|network| overlap(*candidate, *network))
        })
}

/// The IPv4 address of something that is one host.
pub(in crate::site) fn address(
    given: &Spanned<String>,
    key: &str,
    problems: &mut Diagnostics,
) -> Option<Ipv4Addr> {
    let text = given.value.trim();
    if refuse_ipv6(given, key, problems) {
        return None;
    }
    let hint = match text.parse::<Ipv4Addr>() {
        Ok(address) => match special_range(Ipv4Net::from(address)) {
            None => return Some(address),
            Some(what) => {
                let message = format!("`{key}` cannot be {address}: the range is for {what}");
                let hint = "give the address that other hosts of the site use for it";
                problems.push(Diagnostic::error("IEC0206", message).at(&given.place).hint(hint));
                return None;
            }
        },
        Err(_) => match text
            .split_once('/')
            .and_then(|(address, _)| address.parse::<Ipv4Addr>().ok())
        {
            Some(address) => format!("write {address}, without the prefix length"),
            None if text.parse::<std::net::SocketAddrV4>().is_ok() => {
                "give the port in `port`, for one host or under `access`".to_owned()
            }
            None => "give an address such as 10.0.0.11; names may lead elsewhere tomorrow".to_owned(),
        },
    };
    let message = format!("`{key}` is no IPv4 address: `{}`", printable(&given.value));
    problems.push(Diagnostic::error("IEC0204", message).at(&given.place).hint(hint));
    None
}

/// Reports IPv6 and dual-stack values; the answer is whether it was one.
pub(in crate::site) fn refuse_ipv6(given: &Spanned<String>, key: &str, problems: &mut Diagnostics) -> bool {
    let parts: Vec<&str> = given
        .value
        .split([',', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    let six = parts.iter().filter(|part| is_ipv6(part)).count();
    if six == 0 {
        return false;
    }
    let what = if six == parts.len() { "IPv6" } else { "dual-stack" };
    let message = format!(
        "`{key}` is {what} (`{}`), which IEC does not install yet",
        printable(&given.value)
    );
    problems.push(
        Diagnostic::error("IEC0205", message)
            .at(&given.place)
            .hint("give IPv4 alone; what hosts have besides does no harm"),
    );
    true
}

/// Whether the text is an IPv6 address or network, in brackets or not.
pub(in crate::site) fn is_ipv6(text: &str) -> bool {
    let text = text.trim_start_matches('[');
    let text = text.split([']', '%', '/']).next().unwrap_or_default();
    text.parse::<Ipv6Addr>().is_ok()
}

/// A network in CIDR notation that pods or services could have.
pub(in crate::site) fn network(
    given: &Spanned<String>,
    key: &str,
    problems: &mut Diagnostics,
) -> Option<Ipv4Net> {
    if refuse_ipv6(given, key, problems) {
        return None;
    }
    let network = match parse_network(&given.value) {
        Some(network) => network,
        None => {
            let hint = match given.value.parse::<IpAddr>() {
                Ok(address) => format!("add a prefix length, as in {address}/16"),
                Err(_) if given.value.contains(',') => "give one network".to_owned(),
                Err(_) if given.value.parse::<Ipv4Net>().is_ok() => {
                    "write its numbers without zeros before them: some programs read those as octal"
                        .to_owned()
                }
                Err(_) => "give a network such as 192.168.0.0/16".to_owned(),
            };
            let message = format!("`{key}` is no IPv4 network: `{}`", printable(&given.value));
            problems.push(Diagnostic::error("IEC0301", message).at(&given.place).hint(hint));
            return None;
        }
    };
    if network.trunc() != network {
        let message = format!("`{key}` is {network}, which is an address inside a network");
        let hint = format!("the network is {}", network.trunc());
        problems.push(Diagnostic::error("IEC0302", message).at(&given.place).hint(hint));
        return None;
    }
    Some(network)
}

/// The network that this text is, as every program reads it: no number has a zero before it.
pub fn parse_network(text: &str) -> Option<Ipv4Net> {
    let (address, prefix) = text.split_once('/')?;
    let prefix_is_plain = prefix == "0" || !prefix.starts_with(['0', '+']);
    let prefix = prefix.parse().ok().filter(|_| prefix_is_plain)?;
    Ipv4Net::new(address.parse().ok()?, prefix).ok()
}

/// Whether pods or services can have the network, wherever else they are.
pub(in crate::site) fn check_range(
    network: Ipv4Net,
    key: &str,
    place: Option<&Place>,
    problems: &mut Diagnostics,
) {
    if let Some(what) = special_range(network) {
        let message = format!("`{key}` cannot be {network}: the range has {what}");
        problems.push(
            Diagnostic::error("IEC0309", message)
                .at(place)
                .hint("take a private network"),
        );
    } else if !is_private(network) {
        let message = format!(
            "`{key}` is {network}, which is not private: what it hides on the internet cannot be reached"
        );
        problems.push(
            Diagnostic::warning("IEC0310", message)
                .at(place)
                .hint("take a network inside 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10"),
        );
    }
}

/// The sizes that kubeadm and the API server take for services; the tenth address must be among them.
const SERVICE_PREFIXES: std::ops::RangeInclusive<u8> = 12..=28;

/// Whether services can have a network of this size.
pub(in crate::site) fn check_service_size(
    network: Ipv4Net,
    place: Option<&Place>,
    problems: &mut Diagnostics,
) {
    let prefix = network.prefix_len();
    if prefix > *SERVICE_PREFIXES.end() {
        let message = format!(
            "`services` is {network}, too small: the cluster's DNS needs the tenth address of at least a /28"
        );
        problems.push(
            Diagnostic::error("IEC0305", message)
                .at(place)
                .hint("a /24 has room for 254 services"),
        );
    } else if prefix < *SERVICE_PREFIXES.start() {
        let message = format!(
            "`services` is {network}, too large: the API server keeps a bit for each address, a /12 at most"
        );
        problems.push(
            Diagnostic::error("IEC0306", message)
                .at(place)
                .hint("a /16 has room for 65534 services"),
        );
    }
}

/// A network of the site with its key, and its place unless it is the default.
#[derive(Clone, Copy)]
pub(in crate::site) struct Named<'s> {
    pub(in crate::site) key: &'static str,
    pub(in crate::site) network: Ipv4Net,
    pub(in crate::site) place: Option<&'s Place>,
}

impl Named<'_> {
    pub(super) fn describe(&self) -> String {
        let default = if self.place.is_none() {
            " (the default)"
        } else {
            ""
        };
        format!("`{}` {}{default}", self.key, self.network)
    }
}

/// Whether pods and services stay out of each other's way.
pub(in crate::site) fn check_overlap(pods: Named<'_>, services: Named<'_>, problems: &mut Diagnostics) {
    if !overlap(pods.network, services.network) {
        return;
    }
    let (subject, other) = if services.place.is_some() {
        (services, pods)
    } else {
        (pods, services)
    };
    let problem = Diagnostic::error(
        "IEC0303",
        format!("{} overlaps with {}", subject.describe(), other.describe()),
    )
    .at(subject.place)
    .label(other.place, "the other network");
    let hint = match free_network(subject.network.prefix_len(), &[other.network]) {
        Some(free) => format!("{free} would not overlap"),
        None => "take smaller networks: none of this size is free beside the other".to_owned(),
    };
    problems.push(problem.hint(hint));
}

/// Whether a network stays clear of every host's addresses; `addresses` has the address, its key, host and place.
pub(in crate::site) fn check_hosts_outside(
    network: Named<'_>,
    other: Option<Ipv4Net>,
    addresses: &[(Ipv4Addr, String, &Place)],
    problems: &mut Diagnostics,
) {
    let inside: Vec<_> = addresses
        .iter()
        .filter(|(address, ..)| network.network.contains(address))
        .collect();
    let Some((first, first_what, first_place)) = inside.first() else {
        return;
    };
    let message = format!("{} contains {first}, {first_what}", network.describe());
    let mut problem = Diagnostic::error("IEC0304", message).at(network.place.unwrap_or(first_place));
    let labelled = if network.place.is_some() {
        &inside[..]
    } else {
        &inside[1..]
    };
    for (address, what, place) in labelled.iter().take(4) {
        problem = problem.label(*place, format!("{address}, {what}"));
    }
    // Hosts have more than their address; the /16 around each is a fair guess of what a site routes.
    let mut taken: Vec<Ipv4Net> = addresses
        .iter()
        .filter_map(|(address, ..)| Ipv4Net::new(*address, 16).ok())
        .map(|net| net.trunc())
        .collect();
    taken.extend(other);
    let hint = match free_network(network.network.prefix_len(), &taken) {
        Some(free) => format!("choose another network, such as `{}: {free}`", network.key),
        None => "choose a network in which no host has an address".to_owned(),
    };
    problem = problem.hint(hint);
    problems.push(problem);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().expect("a network")
    }

    #[test]
    fn networks_overlap_when_they_share_an_address() {
        assert!(overlap(net("10.0.0.0/8"), net("10.1.0.0/16")));
        assert!(overlap(net("10.1.0.0/16"), net("10.0.0.0/8")));
        assert!(overlap(net("10.0.0.0/24"), net("10.0.0.0/24")));
        assert!(!overlap(net("10.0.0.0/24"), net("10.0.1.0/24")));
        assert!(overlap(net("0.0.0.0/0"), net("192.0.2.1/32")));
    }

    #[test]
    fn networks_are_what_every_program_reads() {
        assert_eq!(parse_network("10.0.0.0/8"), Some(net("10.0.0.0/8")));
        assert_eq!(parse_network("0.0.0.0/0"), Some(net("0.0.0.0/0")));
        for text in [
            "010.0.0.0/8",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/33",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/8 ",
            "10.00.0.0/8",
        ] {
            assert_eq!(parse_network(text), None, "{text}");
        }
    }

    #[test]
    fn special_ranges_are_known() {
        assert_eq!(special_range(net("127.0.0.0/16")), Some("loopback addresses"));
        assert_eq!(
            special_range(net("169.254.10.1/32")),
            Some("link-local addresses")
        );
        assert_eq!(
            special_range(net("255.255.255.255/32")),
            Some("reserved addresses")
        );
        assert_eq!(special_range(net("0.0.0.0/0")), Some("no addresses of hosts"));
        assert_eq!(special_range(net("192.168.0.0/16")), None);
    }

    #[test]
    fn suggestions_are_free_and_private() {
        let taken = [net("10.0.0.0/8"), net("172.16.0.0/12")];
        let free = free_network(16, &taken).expect("one is left");
        assert!(is_private(free) && !taken.iter().any(|network| overlap(free, *network)));
        assert_eq!(free_network(16, &[net("0.0.0.0/0")]), None);
        assert_eq!(free_network(4, &[]), None);
        assert_eq!(free_network(99, &[]), None);
    }
}
