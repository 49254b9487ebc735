//! What a site file says about machines and the place where they stand, for installers of whole machines.

use schemars::JsonSchema;

use super::field::{Field, List};
use super::read::read_mapping;

/// The form of VLANs.
const VLAN: &str = "^(native|([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4])(-([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4]))?)([|,](native|([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4])(-([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4]))?))*$";

/// The place where the hosts stand: whose it is, and its networks.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Facility", rename_all = "camelCase", deny_unknown_fields)]
pub struct FacilitySpec {
    /// Who the site belongs to.
    #[schemars(default)]
    pub owner: Field<String>,
    /// The e-mail address of whoever looks after it, or several, joined by commas.
    #[schemars(default)]
    pub contact: Field<String>,
    /// What the laboratory, shop or plant is called.
    #[schemars(default)]
    pub lab: Field<String>,
    /// Where it is.
    #[schemars(default)]
    pub location: Field<String>,
    /// Where more is written about it.
    #[schemars(default)]
    pub link: Field<String>,
    /// What it is for.
    #[schemars(default, rename = "use", extend("enum" = ["production", "development"]))]
    pub purpose: Field<String>,
    /// The networks that the hosts are connected to.
    #[schemars(default)]
    pub networks: Field<List<FacilityNetworkSpec>>,
}

read_mapping! {
    FacilitySpec {
        owner: "owner",
        contact: "contact",
        lab: "lab",
        location: "location",
        link: "link",
        purpose: "use",
        networks: "networks",
    }
}

/// A network that the hosts are connected to.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "FacilityNetwork", rename_all = "camelCase", deny_unknown_fields)]
pub struct FacilityNetworkSpec {
    /// What it is called: `admin`, `oob`, `public`. No other network has this name.
    pub name: Field<String>,
    /// Its addresses, such as `10.1.0.0/24`: none of them belongs to pods or services.
    #[schemars(default)]
    pub cidr: Field<String>,
    /// Which interface of every host is connected to it, counted from 0 in `hardware.interfaces`.
    #[schemars(default, range(min = 0, max = 63))]
    pub interface: Field<i64>,
    /// Its VLAN: `native`, a number from 1 to 4094 in quotes, a range, or several of them, joined by `|`.
    #[schemars(default, extend("pattern" = VLAN))]
    pub vlan: Field<String>,
    /// The router: an address in `cidr`, and no host's.
    #[schemars(default, extend("format" = "ipv4"))]
    pub gateway: Field<String>,
    /// The name servers.
    #[schemars(default, extend("items" = {"type": "string", "format": "ipv4"}))]
    pub nameservers: Field<List<String>>,
    /// The addresses in `cidr` that may be given to machines: `10.1.0.10-10.1.0.99`.
    #[schemars(default)]
    pub range: Field<String>,
}

read_mapping! {
    FacilityNetworkSpec {
        name: "name",
        cidr: "cidr",
        interface: "interface",
        vlan: "vlan",
        gateway: "gateway",
        nameservers: "nameservers",
        range: "range",
    }
}

/// What a host is made of.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Hardware", rename_all = "camelCase", deny_unknown_fields)]
pub struct HardwareSpec {
    /// Whether it is a machine of its own.
    #[schemars(default, extend("enum" = ["baremetal", "virtual"]))]
    pub kind: Field<String>,
    /// Who made it.
    #[schemars(default)]
    pub vendor: Field<String>,
    /// What its maker calls it.
    #[schemars(default)]
    pub model: Field<String>,
    /// How many processors it has.
    #[schemars(default, range(min = 1, max = 1024))]
    pub processors: Field<i64>,
    /// How many cores each of them has.
    #[schemars(default, range(min = 1, max = 1024))]
    pub cores: Field<i64>,
    /// The processors' features or family.
    #[schemars(default)]
    pub processor_flags: Field<String>,
    /// Its memory: `16G`.
    #[schemars(default, extend("pattern" = "^[1-9][0-9]*[MGT]B?$"))]
    pub memory: Field<String>,
    /// Its management controller.
    #[schemars(default)]
    pub management: Field<ManagementSpec>,
    /// Its disks, in their order.
    #[schemars(default)]
    pub disks: Field<List<DiskSpec>>,
    /// Its network interfaces, in their order; networks of the facility count in it.
    #[schemars(default)]
    pub interfaces: Field<List<InterfaceSpec>>,
}

read_mapping! {
    HardwareSpec {
        kind: "kind",
        vendor: "vendor",
        model: "model",
        processors: "processors",
        cores: "cores",
        processor_flags: "processorFlags",
        memory: "memory",
        management: "management",
        disks: "disks",
        interfaces: "interfaces",
    }
}

/// The management controller of a host, by which it is switched on and off. Its password is never in a site file.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(
    rename = "Management",
    rename_all = "camelCase",
    deny_unknown_fields,
    extend(
        "if" = {"properties": {"protocol": {"const": "redfish"}}},
        "then" = {"properties": {"address": {"pattern": "^[A-Za-z][A-Za-z0-9+.-]*://[^/\\s][^\\s]*$"}}}
    )
)]
pub struct ManagementSpec {
    /// What it speaks.
    #[schemars(extend("enum" = ["ipmi", "amt", "libvirt", "redfish"]))]
    pub protocol: Field<String>,
    /// The versions of the protocol, in quotes.
    #[schemars(default)]
    pub versions: Field<List<String>>,
    /// Where it is: an address, with the length of its network if that is known, or a name; of Redfish, a URL such as `https://10.9.0.12/redfish/v1/Systems/1`. No other host has the same.
    pub address: Field<String>,
    /// The port, where it is not the protocol's own.
    #[schemars(default, range(min = 1, max = 65535))]
    pub port: Field<i64>,
    /// Its hardware address.
    #[schemars(default)]
    pub mac: Field<String>,
    /// The account.
    #[schemars(default)]
    pub user: Field<String>,
    /// The name under which the password is kept: of a Kubernetes Secret, a Deckhand document, an entry of a password store.
    #[schemars(default)]
    pub credentials: Field<String>,
}

read_mapping! {
    ManagementSpec {
        protocol: "protocol",
        versions: "versions",
        address: "address",
        port: "port",
        mac: "mac",
        user: "user",
        credentials: "credentials",
    }
}

/// A disk of a host.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Disk", rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskSpec {
    /// Its size: `128G`.
    #[schemars(default, extend("pattern" = "^[1-9][0-9]*(\\.[0-9]+)?[MGT]B?$"))]
    pub capacity: Field<String>,
    /// What it is.
    #[schemars(default, rename = "type", extend("enum" = ["hdd", "ssd", "cdrom", "tape"]))]
    pub medium: Field<String>,
    /// How it is connected.
    #[schemars(default, extend("enum" = ["sata", "sas", "ssd", "nvme", "scsi", "iscsi"]))]
    pub interface: Field<String>,
    /// Its turns in a minute; 0 for what does not turn.
    #[schemars(default, extend("enum" = [0, 5400, 7200, 10000, 15000]))]
    pub rotation: Field<i64>,
}

read_mapping! { DiskSpec { capacity: "capacity", medium: "type", interface: "interface", rotation: "rotation" } }

/// A network interface of a host.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Interface", rename_all = "camelCase", deny_unknown_fields)]
pub struct InterfaceSpec {
    /// What the operating system calls it.
    #[schemars(default)]
    pub name: Field<String>,
    /// Its hardware address.
    #[schemars(default)]
    pub mac: Field<String>,
    /// Its address, with the length of its network if that is known.
    #[schemars(default)]
    pub address: Field<String>,
    /// Its VLAN: `native`, a number from 1 to 4094 in quotes, a range, or several of them, joined by `|`.
    #[schemars(default, extend("pattern" = VLAN))]
    pub vlan: Field<String>,
    /// How fast it is.
    #[schemars(default, extend("enum" = ["1gb", "10gb", "25gb", "40gb"]))]
    pub speed: Field<String>,
    /// What it can do.
    #[schemars(default, extend("items" = {"type": "string", "enum": ["dpdk", "sriov"]}))]
    pub features: Field<List<String>>,
    /// Where it is on the machine's bus: `0000:01:00.1`.
    #[schemars(default)]
    pub bus_address: Field<String>,
}

read_mapping! {
    InterfaceSpec {
        name: "name",
        mac: "mac",
        address: "address",
        vlan: "vlan",
        speed: "speed",
        features: "features",
        bus_address: "busAddress",
    }
}
