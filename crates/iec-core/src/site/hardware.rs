//! Machines and the place where they stand, as far as installers of whole machines must know them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Serialize, Serializer};

/// The place where the hosts stand. Empty texts and lists are what the site does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facility {
    /// Who the site belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The e-mail address of whoever looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// What the laboratory, shop or plant is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lab: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Where more is written about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What it is for: `production` or `development`.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
    /// The networks that the hosts are connected to, in the order of the site file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<FacilityNetwork>,
}

impl Facility {
    /// What [`Self::purpose`] may be.
    pub const PURPOSES: [&'static str; 2] = ["production", "development"];

    /// Whether nothing is said about the place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The network that this address belongs to.
    #[must_use]
    pub fn network_of(&self, address: Ipv4Addr) -> Option<&FacilityNetwork> {
        self.networks
            .iter()
            .find(|network| network.cidr.is_some_and(|cidr| cidr.contains(&address)))
    }

    /// The name servers of the first network that has any: of those that these addresses belong to, in their order, else of
    /// those that hosts are connected to, else of any; the management network of a place has hosts' controllers only.
    #[must_use]
    pub fn nameservers_for(&self, addresses: impl IntoIterator<Item = Ipv4Addr>) -> &[Ipv4Addr] {
        let own = addresses
            .into_iter()
            .filter_map(|address| self.network_of(address));
        let connected = self.networks.iter().filter(|network| network.interface.is_some());
        own.chain(connected)
            .chain(&self.networks)
            .map(|network| network.nameservers.as_slice())
            .find(|servers| !servers.is_empty())
            .unwrap_or_default()
    }
}

/// A network that the hosts are connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FacilityNetwork {
    /// What it is called.
    pub name: String,
    /// Its addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Ipv4Net>,
    /// Which interface of every host is connected to it, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<usize>,
    /// Its VLAN: `native`, a number from 1 to 4094, a range, or several of them, joined by `|` or `,`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<String>,
    /// The router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// The name servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<Ipv4Addr>,
    /// The addresses that may be given to machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<AddressRange>,
}

/// Whether this is what a VLAN may be: `native`, a number from 1 to 4094, a range of them, or several, joined by `|` or `,`.
/// 0 and 4095 are no VLANs: the first stands for none, the last is reserved.
pub fn is_vlan(text: &str) -> bool {
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse::<u16>()
            .ok()
            .filter(|id| is_plain && (1..=4094).contains(id))
    };
    text.split(['|', ',']).all(|one| {
        one == "native"
            || match one.split_once('-') {
                Some((first, last)) => number(first)
                    .zip(number(last))
                    .is_some_and(|(first, last)| first <= last),
                None => number(one).is_some(),
            }
    })
}

/// Addresses from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// The first one.
    pub first: Ipv4Addr,
    /// The last one, not before the first.
    pub last: Ipv4Addr,
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not two IPv4 addresses, the smaller one first, joined by `-`")]
pub struct ParseRangeError;

impl FromStr for AddressRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').ok_or(ParseRangeError)?;
        let parse = |text: &str| text.trim().parse::<Ipv4Addr>().map_err(|_| ParseRangeError);
        let (first, last) = (parse(first)?, parse(last)?);
        if first > last {
            return Err(ParseRangeError);
        }
        Ok(Self { first, last })
    }
}

/// What a host is made of, as far as the site says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hardware {
    /// `baremetal` or `virtual`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// What its maker calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many processors it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processors: Option<u16>,
    /// How many cores each of them has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u16>,
    /// The processors' features or family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_flags: Option<String>,
    /// Its memory: a number with `M`, `G` or `T`, perhaps `B` after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Its management controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management: Option<Management>,
    /// Its disks, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Its network interfaces, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
}

impl Hardware {
    /// What [`Self::kind`] may be.
    pub const KINDS: [&'static str; 2] = ["baremetal", "virtual"];

    /// Whether nothing is said about the machine.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The management controller of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Management {
    /// What it speaks.
    pub protocol: ManagementProtocol,
    /// The versions of the protocol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Where it is: an address, perhaps with the length of its network, or a URL.
    pub address: String,
    /// The port, where it is not the protocol's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name under which the password is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
}

impl Management {
    /// Its address without the length of the network.
    #[must_use]
    pub fn bare_address(&self) -> &str {
        if self.address.contains("://") {
            return &self.address;
        }
        self.address
            .split_once('/')
            .map_or(self.address.as_str(), |(address, _)| address)
    }

    /// The IPv4 address in it, of a URL too; nothing where it has a name.
    #[must_use]
    pub fn ip(&self) -> Option<Ipv4Addr> {
        let address = self.bare_address();
        let place = address.split_once("://").map_or(address, |(_, place)| place);
        let host = place.split('/').next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        host.split(':').next().unwrap_or_default().parse().ok()
    }
}

/// What a management controller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ManagementProtocol {
    /// IPMI.
    Ipmi,
    /// Intel AMT.
    Amt,
    /// libvirt, for virtual machines.
    Libvirt,
    /// Redfish.
    Redfish,
}

impl ManagementProtocol {
    /// Every protocol with the word that a site file uses for it.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("ipmi", Self::Ipmi),
        ("amt", Self::Amt),
        ("libvirt", Self::Libvirt),
        ("redfish", Self::Redfish),
    ];

    /// The word that a site file uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Amt => "amt",
            Self::Libvirt => "libvirt",
            Self::Redfish => "redfish",
        }
    }
}

/// A disk of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// Its size: a number with `M`, `G` or `T`, perhaps `B` after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<String>,
    /// `hdd`, `ssd`, `cdrom` or `tape`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub medium: Option<&'static str>,
    /// `sata`, `sas`, `ssd`, `nvme`, `scsi` or `iscsi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<&'static str>,
    /// Its turns in a minute; 0 for what does not turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u16>,
}

impl Disk {
    /// What [`Self::medium`] may be.
    pub const MEDIA: [&'static str; 4] = ["hdd", "ssd", "cdrom", "tape"];
    /// What [`Self::interface`] may be.
    pub const INTERFACES: [&'static str; 6] = ["sata", "sas", "ssd", "nvme", "scsi", "iscsi"];
    /// What [`Self::rotation`] may be.
    pub const ROTATIONS: [u16; 5] = [0, 5400, 7200, 10000, 15000];
}

/// A network interface of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// What the operating system calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
    /// Its address, with the length of its network if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<InterfaceAddress>,
    /// Its VLAN: `native`, a number from 1 to 4094, a range, or several of them, joined by `|` or `,`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<String>,
    /// `1gb`, `10gb`, `25gb` or `40gb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<&'static str>,
    /// What it can do: `dpdk`, `sriov`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<&'static str>,
    /// Where it is on the machine's bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus_address: Option<String>,
}

impl Interface {
    /// What [`Self::speed`] may be.
    pub const SPEEDS: [&'static str; 4] = ["1gb", "10gb", "25gb", "40gb"];
    /// What [`Self::features`] may have.
    pub const FEATURES: [&'static str; 2] = ["dpdk", "sriov"];
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// The length of its network, if it is known.
    pub prefix: Option<u8>,
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            Some(prefix) => write!(formatter, "{}/{prefix}", self.address),
            None => self.address.fmt(formatter),
        }
    }
}

impl Serialize for InterfaceAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for InterfaceAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(network) = super::rule::network::parse_network(text) {
            return Ok(Self {
                address: network.addr(),
                prefix: Some(network.prefix_len()),
            });
        }
        text.parse().map(|address| Self {
            address,
            prefix: None,
        })
    }
}

/// A hardware address: six bytes, written in small letters with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// Whether it has only zeros, which stands for a card that is not known.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text is no hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not six pairs of hexadecimal digits, joined by `:`")]
pub struct ParseMacError;

impl FromStr for MacAddress {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 6];
        let mut pairs = text.split([':', '-']);
        for byte in &mut bytes {
            let pair = pairs.next().ok_or(ParseMacError)?;
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(ParseMacError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseMacError)?;
        }
        pairs.next().map_or(Ok(Self(bytes)), |_| Err(ParseMacError))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_read_in_both_forms() {
        for text in ["14:58:D0:5D:AB:6A", "14-58-d0-5d-ab-6a"] {
            let read: MacAddress = text.parse().unwrap();
            assert_eq!(read.to_string(), "14:58:d0:5d:ab:6a");
        }
        for text in [
            "",
            "14:58:d0:5d:ab",
            "14:58:d0:5d:ab:6a:00",
            "1:458:d0:5d:ab:6a",
            "+1:58:d0:5d:ab:6a",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn vlans_are_numbers_that_a_tag_can_have() {
        for text in [
            "native",
            "1",
            "4094",
            "1000-1999",
            "7-7",
            "native|101",
            "101,102-104",
        ] {
            assert!(is_vlan(text), "{text}");
        }
        for text in [
            "", "0", "4095", "5000", "abc", "01", "+1", "-1", "1-", "20-10", "1|", "1 2", "0-5", "99999",
        ] {
            assert!(!is_vlan(text), "{text}");
        }
    }

    #[test]
    fn addresses_and_ranges_come_back_as_they_were() {
        for text in ["10.0.0.1", "10.0.0.1/24"] {
            assert_eq!(text.parse::<InterfaceAddress>().unwrap().to_string(), text);
        }
        assert_eq!(
            "10.0.0.3 - 10.0.0.9".parse::<AddressRange>().unwrap().to_string(),
            "10.0.0.3-10.0.0.9"
        );
        for text in ["10.0.0.9-10.0.0.3", "10.0.0.1", "a-b"] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }
}
