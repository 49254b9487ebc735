//! Rules about where a management controller is: its address, its URL, and whether two hosts share one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::network::{bounds, is_ipv6, parse_network, unusable};
use super::{line, port, printable};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::site::ManagementProtocol;
use crate::spec::{ManagementSpec, Spanned};

/// What the schemes of Redfish controllers are made of, whichever driver reads them.
const REDFISH: [&str; 5] = ["http", "redfish", "virtualmedia", "ilo", "idrac"];

/// The address of a controller, as whoever switches machines on reads it.
pub(super) fn address(
    given: &Spanned<String>,
    protocol: Option<ManagementProtocol>,
    problems: &mut Diagnostics,
) -> Option<String> {
    let text = line(given, "address", problems)?;
    let Some(protocol) = protocol else {
        return Some(text);
    };
    let Some((cause, hint)) = problem(&text, protocol) else {
        return Some(text);
    };
    // A login within the address is nobody's to see.
    let shown = text.rsplit_once('@').map_or(&*text, |(_, place)| place);
    let message = format!(
        "a controller that speaks {} cannot be at `{}`: {cause}",
        protocol.as_str(),
        printable(shown)
    );
    problems.push(Diagnostic::error("IEC0808", message).at(&given.place).hint(hint));
    None
}

/// What is wrong with the address, and what to do about it.
fn problem(text: &str, protocol: ManagementProtocol) -> Option<(&'static str, String)> {
    if text.contains(char::is_whitespace) {
        return Some(("it has a space in it", "remove the space".to_owned()));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        if protocol == ManagementProtocol::Redfish {
            let host = bare_host(text);
            let host = if host_problem(host).is_some() {
                "10.9.0.12"
            } else {
                host
            };
            return Some(("it is no URL", example_url(host)));
        }
        return bare_problem(text);
    };
    let scheme = scheme.to_ascii_lowercase();
    let fits = match protocol {
        ManagementProtocol::Redfish => REDFISH.iter().any(|part| scheme.contains(part)),
        ManagementProtocol::Ipmi => scheme == "ipmi",
        ManagementProtocol::Amt | ManagementProtocol::Libvirt => true,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port_text) = split_port(host);
    if authority
        .rsplit_once('@')
        .is_some_and(|(login, _)| login.contains(':'))
    {
        let hint = "remove the login; `user` has the account, and `credentials` the name of the password";
        return Some(("it has a password in it", hint.to_owned()));
    }
    if !fits {
        return Some(match protocol {
            ManagementProtocol::Redfish => ("it is the URL of something else", example_url(host)),
            _ => (
                "it is the URL of something else",
                format!("give the address alone: {host}"),
            ),
        });
    }
    if port_text.is_some_and(|text| port(text).is_none()) {
        return Some((
            "its port is none",
            "give a port from 1 to 65535, or none".to_owned(),
        ));
    }
    // `qemu:///system` is on the machine that reads it.
    if protocol == ManagementProtocol::Libvirt && host.is_empty() {
        return None;
    }
    host_problem(host).map(|cause| (cause, "give the controller's own address, or its name".to_owned()))
}

fn example_url(host: &str) -> String {
    let host = if host_problem(host).is_some() {
        "10.9.0.12"
    } else {
        host
    };
    format!("write its URL, such as https://{host}/redfish/v1/Systems/1")
}

/// What is wrong with an address that is no URL.
fn bare_problem(text: &str) -> Option<(&'static str, String)> {
    let hint = || "give an address such as 10.9.0.12, or a name".to_owned();
    if text.contains('/') && !is_ipv6(text) {
        let Some(network) = parse_network(text) else {
            return Some(("it is neither an address nor a URL", hint()));
        };
        if bounds(network).is_some_and(|bounds| bounds.cause(network.addr()).is_some()) {
            return Some(("it is at an end of its network, where no machine can be", hint()));
        }
    }
    let (_, port_text) = split_port(text);
    if port_text.is_some_and(|text| port(text).is_none()) {
        return Some(("its port is none", "give the port in `port`".to_owned()));
    }
    host_problem(bare_host(text)).map(|cause| (cause, hint()))
}

/// The host of an address without the length of its network and a port.
fn bare_host(text: &str) -> &str {
    let text = text.split('/').next().unwrap_or_default();
    split_port(text).0
}

/// The host, and what stands behind its colon.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some(inside) = text.strip_prefix('[')
        && let Some((host, behind)) = inside.split_once(']')
    {
        return (host, behind.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Why nothing can be at this host.
fn host_problem(host: &str) -> Option<&'static str> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        // A controller of a virtual machine may be on the machine that asks it.
        return unusable(address).filter(|_| !address.is_loopback());
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return None;
    }
    if host.is_empty() {
        return Some("it has no host");
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Some("its numbers are no IPv4 address");
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_name = host.len() <= 253 && host.trim_end_matches('.').split('.').all(is_label);
    (!is_name).then_some("its host is neither an address nor a name")
}

/// A controller, as far as its address tells.
pub(super) struct Controller {
    /// The host in small letters.
    host: String,
    /// The port, where it is not the protocol's own.
    port: Option<u16>,
    /// Which of several systems it is: one Redfish service may have them.
    system: String,
    protocol: ManagementProtocol,
}

impl Controller {
    /// The controller of a machine; nothing where its address cannot be read, or names a hypervisor.
    pub(super) fn of(given: &ManagementSpec) -> Option<Self> {
        let word = given.protocol.value()?;
        let (_, protocol) = ManagementProtocol::WORDS
            .iter()
            .find(|(known, _)| known == word)?;
        let address = given.address.value()?;
        if *protocol == ManagementProtocol::Libvirt || problem(address, *protocol).is_some() {
            return None;
        }
        let (scheme, place) = address.split_once("://").unwrap_or(("", address));
        let (authority, system) = place.split_at(place.find('/').unwrap_or(place.len()));
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, named) = split_port(authority);
        let given_port = given.port.value().and_then(|port| u16::try_from(*port).ok());
        let usual = match protocol {
            ManagementProtocol::Ipmi => 623,
            ManagementProtocol::Redfish if scheme.ends_with("http") => 80,
            ManagementProtocol::Redfish => 443,
            ManagementProtocol::Amt | ManagementProtocol::Libvirt => 16992,
        };
        let is_redfish = *protocol == ManagementProtocol::Redfish;
        Some(Self {
            host: host.to_ascii_lowercase(),
            port: named.and_then(port).or(given_port).filter(|port| *port != usual),
            system: if is_redfish {
                system.trim_matches('/').to_owned()
            } else {
                String::new()
            },
            protocol: *protocol,
        })
    }

    /// The address at which it is, if it is named by one.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether it has an address of its own: Intel AMT shares that of the machine, and a port of its own stands for a
    /// program that speaks for virtual machines.
    pub(super) fn has_own_address(&self) -> bool {
        self.protocol != ManagementProtocol::Amt && self.port.is_none()
    }

    fn is(&self, other: &Self) -> bool {
        let systems = [&self.system, &other.system];
        self.system == other.system || systems.iter().any(|system| system.is_empty())
    }
}

/// A controller, and where the site file names it.
type Named<'a> = (&'a Controller, &'a Place);

/// Reports controllers that two hosts share.
pub(super) fn check_shared(controllers: &[Named<'_>], problems: &mut Diagnostics) {
    let mut known: BTreeMap<(&str, Option<u16>), Vec<&Named<'_>>> = BTreeMap::new();
    for entry in controllers {
        let (controller, place) = entry;
        let earlier = known.entry((&controller.host, controller.port)).or_default();
        match earlier.iter().find(|(other, _)| controller.is(other)) {
            Some((_, first)) => problems.push(
                Diagnostic::error(
                    "IEC0821",
                    format!(
                        "two hosts have one management controller, {}",
                        printable(&controller.host)
                    ),
                )
                .at(*place)
                .label(*first, "the first one")
                .hint("correct one of the two: who switches off this host would switch off the other"),
            ),
            None => earlier.push(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_a_controller_can_have() {
        use ManagementProtocol::{Amt, Ipmi, Libvirt, Redfish};
        for (protocol, text) in [
            (Ipmi, "10.9.0.11"),
            (Ipmi, "10.9.0.11/24"),
            (Ipmi, "10.9.0.0/31"),
            (Ipmi, "10.9.0.11:6230"),
            (Ipmi, "169.254.3.4"),
            (Ipmi, "127.0.0.1"),
            (Ipmi, "ILOMXQ74903BN.example.com"),
            (Ipmi, "ipmi://10.9.0.11:623"),
            (Ipmi, "fd00::11"),
            (Ipmi, "fd00::11/64"),
            (Amt, "amt://10.9.0.11"),
            (Amt, "http://10.9.0.11:16992"),
            (Libvirt, "qemu:///system"),
            (Libvirt, "qemu+ssh://root@10.9.0.2/system"),
            (Libvirt, "10.9.0.2"),
            (Redfish, "https://10.9.0.12"),
            (
                Redfish,
                "redfish-virtualmedia+https://[fd00::12]:8443/redfish/v1/Systems/1",
            ),
            (Redfish, "idrac-redfish+http://bmc_1:81/redfish/v1/Systems/A"),
        ] {
            assert_eq!(problem(text, protocol), None, "{text}");
        }
        for (protocol, text) in [
            (Ipmi, "10.9.0"),
            (Ipmi, "10.9.0.300"),
            (Ipmi, "10.9.0.11/33"),
            (Ipmi, "10.9.0.0/24"),
            (Ipmi, "10.9.0.255/24"),
            (Ipmi, "10.9.0.11:0"),
            (Ipmi, "0.0.0.0"),
            (Ipmi, "224.0.0.1"),
            (Ipmi, "https://10.9.0.11"),
            (Ipmi, "the second one"),
            (Ipmi, "a/b"),
            (Ipmi, "a!b"),
            (Libvirt, "qemu+ssh://root:secret@10.9.0.2/system"),
            (Redfish, "10.9.0.12"),
            (Redfish, "bmc.example.com"),
            (Redfish, "https://"),
            (Redfish, "https:///redfish/v1"),
            (Redfish, "https://10.9.0.300/redfish/v1"),
            (Redfish, "https://10.9.0.12:99999/redfish/v1"),
            (Redfish, "https://root:calvin@10.9.0.12/redfish/v1"),
            (Redfish, "qemu:///system"),
            (Redfish, "https://10.9.0.12 /redfish/v1"),
        ] {
            assert!(problem(text, protocol).is_some(), "{text}");
        }
    }
}
