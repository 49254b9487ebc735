//! Reads what the probe says about interfaces, routes, listeners, name resolution and time.

use std::net::IpAddr;

use ipnet::IpNet;

use super::answer::Lines;
use crate::facts::{Ability, Clock, Interface, Listener, Network, Protocol, Resolver, ResolverAnswer, Route};

/// The identity of the probe's query, which comes back in the answer.
const QUERY_ID: [u8; 2] = [0x49, 0x45];

/// The words with which `ip route` begins a route that is not an ordinary one.
const ROUTE_KINDS: &[&str] = &[
    "anycast",
    "blackhole",
    "broadcast",
    "local",
    "multicast",
    "prohibit",
    "throw",
    "unicast",
    "unreachable",
];

pub(super) fn network(lines: &mut Lines) -> Network {
    let mut interfaces = lines.each("link", interface);
    for (name, address) in lines.each("address", interface_address) {
        if let Some(known) = interfaces.iter_mut().find(|known| known.name == name) {
            known.addresses.push(address);
        } else {
            interfaces.push(Interface {
                name,
                addresses: vec![address],
                ..Interface::default()
            });
        }
    }
    Network {
        interfaces,
        routes: lines.each("route", route),
    }
}

/// The word after `key`.
fn after<'t>(words: &[&'t str], key: &str) -> Option<&'t str> {
    let position = words.iter().position(|word| *word == key)?;
    words.get(position + 1).copied()
}

/// `2: eth0@if5: <UP> mtu 1500 … state UP … link/ether 02:fc:00:00:00:01 brd …`
fn interface(text: &str) -> Option<Interface> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let name = words.get(1)?.strip_suffix(':')?;
    Some(Interface {
        name: name.split('@').next().unwrap_or(name).to_owned(),
        mac: after(&words, "link/ether").map(str::to_owned),
        mtu: after(&words, "mtu")?.parse().ok()?,
        state: after(&words, "state").unwrap_or_default().to_owned(),
        addresses: Vec::new(),
    })
}

/// `4: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global eth0\ …`
fn interface_address(text: &str) -> Option<(String, IpNet)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let address = after(&words, "inet").or_else(|| after(&words, "inet6"))?;
    Some(((*words.get(1)?).to_owned(), net(address)?))
}

/// A network or a single address.
fn net(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// `default via 192.0.2.1 dev eth0 metric 100`, `blackhole 10.1.0.0/26 proto 80`
fn route(text: &str) -> Option<Route> {
    let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "\\").collect();
    let (kind, rest) = match words.split_first()? {
        (first, rest) if ROUTE_KINDS.contains(first) => (*first, rest),
        _ => ("unicast", words.as_slice()),
    };
    let gateway = match after(rest, "via") {
        Some("inet" | "inet6") => after(rest, "inet6").or_else(|| after(rest, "inet")),
        gateway => gateway,
    };
    let gateway: Option<IpAddr> = gateway.and_then(|gateway| gateway.parse().ok());
    let destination = match *rest.first()? {
        // `pref` is a word of IPv6 routes only.
        "default" if gateway.is_some_and(|gateway| gateway.is_ipv6()) || rest.contains(&"pref") => {
            "::/0".parse().ok()?
        }
        "default" => "0.0.0.0/0".parse().ok()?,
        destination => net(destination)?,
    };
    Some(Route {
        destination,
        kind: kind.to_owned(),
        gateway,
        interface: after(rest, "dev").map(str::to_owned),
        metric: after(rest, "metric")
            .and_then(|metric| metric.parse().ok())
            .unwrap_or_default(),
    })
}

pub(super) fn listeners(lines: &mut Lines) -> Vec<Listener> {
    lines.each("listener", listener)
}

/// `tcp LISTEN 0 128 127.0.0.1%lo:53 0.0.0.0:* users:(("sshd",pid=1,fd=3))`
fn listener(text: &str) -> Option<Listener> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let protocol = match *words.first()? {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let (address, port) = words.get(4)?.rsplit_once(':')?;
    let address = address
        .trim_start_matches('[')
        .split([']', '%'])
        .next()
        .unwrap_or_default();
    let users = text
        .split_once("users:((\"")
        .and_then(|(_, users)| users.split_once("\",pid="));
    Some(Listener {
        protocol,
        address: address.to_owned(),
        port: port.parse().ok()?,
        process: users.map(|(name, _)| name.to_owned()),
        pid: users.and_then(|(_, rest)| rest.split(',').next()?.parse().ok()),
    })
}

pub(super) fn resolver(lines: &mut Lines) -> Resolver {
    let mut resolver = Resolver {
        host_names: lines.all("host-name"),
        ..Resolver::default()
    };
    for text in lines.all("resolv") {
        let mut words = text.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => resolver.nameservers.extend(words.next()),
            // The last one of the two counts.
            Some("search" | "domain") => resolver.search = words.collect(),
            Some("options") => resolver.options.extend(words),
            _ => lines.complain("resolv", &text, "was not understood"),
        }
    }
    let server = |text: &str| text.split_whitespace().nth(1).map(str::to_owned);
    resolver.upstream = lines.each("upstream", server);
    for (protocol, server, ability) in lines.each("answer", answer) {
        let index = resolver
            .answers
            .iter()
            .position(|known| known.server == server)
            .unwrap_or_else(|| {
                resolver.answers.push(ResolverAnswer {
                    server,
                    ..ResolverAnswer::default()
                });
                resolver.answers.len() - 1
            });
        match protocol {
            Protocol::Udp => resolver.answers[index].udp = ability,
            Protocol::Tcp => resolver.answers[index].tcp = ability,
        }
    }
    // They were asked at the same time and answered in any order.
    resolver
        .answers
        .sort_by(|one, other| one.server.cmp(&other.server));
    resolver
}

/// `udp 192.0.2.53 0 49 45 81 80 …`: protocol, server, exit code, the head of the answer or a message.
fn answer(text: &str) -> Option<(Protocol, String, Ability)> {
    let mut words = text.split_whitespace();
    let protocol = match words.next()? {
        "udp" => Protocol::Udp,
        "tcp" => Protocol::Tcp,
        _ => return None,
    };
    let server = words.next()?.to_owned();
    let code = words.next()?;
    let said: Vec<&str> = words.collect();
    let bytes: Option<Vec<u8>> = said
        .iter()
        .map(|word| u8::from_str_radix(word, 16).ok())
        .collect();
    let head = bytes.map(|bytes| {
        bytes
            .into_iter()
            .skip(if protocol == Protocol::Tcp { 2 } else { 0 })
            .collect::<Vec<_>>()
    });
    let ability = match (code, head) {
        ("untested", _) => Ability::Untested("the host has no bash to ask with".to_owned()),
        (_, Some(head))
            if head.starts_with(&QUERY_ID) && head.get(2).is_some_and(|flags| flags & 0x80 != 0) =>
        {
            Ability::Works
        }
        (_, Some(head)) if head.is_empty() => Ability::Fails("no answer within a second".to_owned()),
        (_, Some(_)) => Ability::Fails("what answers there is no name server".to_owned()),
        (_, None) => Ability::Fails(last_message(&said)),
    };
    Some((protocol, server, ability))
}

/// What follows the last colon of a program's message: `Connection refused`.
fn last_message(words: &[&str]) -> String {
    let text = words.join(" ");
    text.rsplit(": ").next().unwrap_or_default().to_owned()
}

pub(super) fn clock(lines: &mut Lines) -> Clock {
    Clock {
        now_millis: lines.read("began", millis).unwrap_or_default(),
        ended_millis: lines.read("ended", millis).unwrap_or_default(),
        synchronised: lines.read("synchronised", |text| match text {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }),
        service: None,
        hardware: lines.read("hardware", |text| text.parse().ok()),
        skew_millis: None,
    }
}

/// Milliseconds of `date +%s%N`; a `date` without `%N` gives seconds and leaves letters behind.
fn millis(text: &str) -> Option<i64> {
    if let Some(seconds) = text
        .len()
        .checked_sub(9)
        .filter(|length| *length >= 9)
        .and_then(|length| text.get(..length))
    {
        return Some(text.get(seconds.len()..).and_then(|_| text.parse::<i64>().ok())? / 1_000_000);
    }
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    digits.parse::<i64>().ok()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_of_every_form() {
        for (text, address, port, process) in [
            (
                "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=12,fd=3))",
                "0.0.0.0",
                22,
                Some("sshd"),
            ),
            (
                "udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*",
                "127.0.0.53",
                53,
                None,
            ),
            (
                "tcp LISTEN 0 4096 *:10250 *:* users:((\"my \\\"x\",pid=9,fd=1),(\"b\",pid=10,fd=2))",
                "*",
                10250,
                Some("my \\\"x"),
            ),
            ("tcp LISTEN 0 4096 [::1]:6443 [::]:*", "::1", 6443, None),
        ] {
            let found = listener(text).expect(text);
            assert_eq!(
                (found.address.as_str(), found.port, found.process.as_deref()),
                (address, port, process)
            );
        }
        assert_eq!(
            listener("tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=12,fd=3))")
                .unwrap()
                .pid,
            Some(12)
        );
        assert_eq!(listener("tcp LISTEN"), None);
    }

    #[test]
    fn routes_of_every_form() {
        for (text, destination, kind, gateway, interface, metric) in [
            (
                "default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.2 metric 100",
                "0.0.0.0/0",
                "unicast",
                Some("192.0.2.1"),
                Some("eth0"),
                100,
            ),
            (
                "default dev ppp0 scope link",
                "0.0.0.0/0",
                "unicast",
                None,
                Some("ppp0"),
                0,
            ),
            (
                "default via fe80::1 dev eth0 proto ra metric 1024 pref medium",
                "::/0",
                "unicast",
                Some("fe80::1"),
                Some("eth0"),
                1024,
            ),
            (
                "default dev wg0 metric 5 pref medium",
                "::/0",
                "unicast",
                None,
                Some("wg0"),
                5,
            ),
            (
                "10.9.8.7 via inet6 fe80::2 dev eth1",
                "10.9.8.7/32",
                "unicast",
                Some("fe80::2"),
                Some("eth1"),
                0,
            ),
            (
                "blackhole 192.168.77.0/26 proto 80",
                "192.168.77.0/26",
                "blackhole",
                None,
                None,
                0,
            ),
            (
                "default proto static \\  nexthop via 10.0.0.1 dev a weight 1 \\  nexthop via 10.0.0.2 dev b weight 1",
                "0.0.0.0/0",
                "unicast",
                Some("10.0.0.1"),
                Some("a"),
                0,
            ),
        ] {
            let found = route(text).expect(text);
            assert_eq!(
                (found.destination.to_string().as_str(), found.kind.as_str()),
                (destination, kind),
                "{text}"
            );
            assert_eq!(
                found.gateway.map(|gateway| gateway.to_string()).as_deref(),
                gateway,
                "{text}"
            );
            assert_eq!(
                (found.interface.as_deref(), found.metric),
                (interface, metric),
                "{text}"
            );
        }
        assert_eq!(route("nonsense"), None);
    }

    #[test]
    fn answers_of_name_servers() {
        let works = "49 45 81 83 00 01 00 00 00 00 00 00";
        for (text, ability) in [
            (format!("udp 10.0.0.1 0 {works}"), Ability::Works),
            (format!("tcp 10.0.0.1 0 00 11 {works}"), Ability::Works),
            ("tcp 10.0.0.1 0 48 54 54 50".to_owned(), Ability::Fails("what answers there is no name server".to_owned())),
            ("udp 10.0.0.1 124 ".to_owned(), Ability::Fails("no answer within a second".to_owned())),
            ("tcp 10.0.0.1 1 ask: connect: Connection refused ask: /dev/tcp/10.0.0.1/53: Connection refused".to_owned(), Ability::Fails("Connection refused".to_owned())),
            ("udp 10.0.0.1 untested".to_owned(), Ability::Untested("the host has no bash to ask with".to_owned())),
        ] {
            assert_eq!(answer(&text).expect("an answer").2, ability, "{text}");
        }
    }

    #[test]
    fn times_with_and_without_nanoseconds() {
        assert_eq!(millis("1795458672051557558"), Some(1_795_458_672_051));
        assert_eq!(millis("1795458672"), Some(1_795_458_672_000));
        assert_eq!(millis("1795458672%N"), Some(1_795_458_672_000));
        assert_eq!(millis("%"), None);
    }
}
