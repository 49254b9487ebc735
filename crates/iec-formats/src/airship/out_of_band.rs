//! How Drydock switches a machine on.

use std::net::Ipv4Addr;

use iec_core::site::{Management, ManagementProtocol};
use serde_json::{Map, Value, json};

use super::networks::Network;
use crate::header::Description;
use crate::machine::Machine;

/// What Drydock asks of the address of libvirt.
const LIBVIRT: &str = "qemu+ssh";

/// Adds it to the document of the machine; the password comes by substitution.
pub(super) fn out_of_band(
    machine: &Machine<'_>,
    networks: &[Network],
    node: &mut Value,
    description: &mut Description<'_>,
) {
    let name = machine.name();
    let manual = json!({ "type": "manual" });
    let Some(management) = &machine.hardware.management else {
        description.note(format!(
            "{name}: the site names no management controller; somebody has to switch it on"
        ));
        node["data"]["oob"] = manual;
        return;
    };
    let kind = match management.protocol {
        ManagementProtocol::Ipmi => "ipmi",
        ManagementProtocol::Redfish => "redfish",
        ManagementProtocol::Libvirt => {
            node["data"]["oob"] = libvirt(name, management, description);
            return;
        }
        ManagementProtocol::Amt => {
            description.note(format!(
                "{name}: Drydock does not speak AMT; somebody has to switch it on"
            ));
            node["data"]["oob"] = manual;
            return;
        }
    };
    let mut oob = Map::new();
    oob.insert("type".to_owned(), json!(kind));
    match own_network(machine, networks) {
        Some((network, _)) => {
            oob.insert("network".to_owned(), json!(network.name));
        }
        None => description.note(format!(
            "{name}: Drydock wants the controller in a network in which the host itself has no address; add such a network, its address to addressing, and oob.network"
        )),
    }
    match &management.user {
        Some(user) => {
            oob.insert("account".to_owned(), json!(user));
        }
        None => description.note(format!(
            "{name}: the site names no account of its controller; add oob.account"
        )),
    }
    if let Some(port) = management.port {
        description.note(format!(
            "{name}: Drydock takes the protocol's own port of the controller, not {port}"
        ));
    }
    node["data"]["oob"] = Value::Object(oob);
    node["metadata"]["substitutions"] = json!([password(name, management)]);
}

/// Where the password comes from.
fn password(name: &str, management: &Management) -> Value {
    let credentials = management
        .credentials
        .clone()
        .unwrap_or_else(|| format!("{name}-bmc"));
    json!({
        "src": { "schema": "deckhand/Passphrase/v1", "name": credentials, "path": "." },
        "dest": { "path": ".oob.credential" },
    })
}

/// A virtual machine, whose hypervisor is reached by SSH and a key.
fn libvirt(name: &str, management: &Management, description: &mut Description<'_>) -> Value {
    let address = management.bare_address();
    if address.starts_with(LIBVIRT) {
        return json!({ "type": "libvirt", "libvirt_uri": address });
    }
    description.note(format!(
        "{name}: Drydock reaches libvirt by {LIBVIRT}://USER@HOST/system only, and the site has no such address; until oob has the type libvirt and this libvirt_uri, somebody has to switch it on"
    ));
    json!({ "type": "manual" })
}

/// The network of the machine's controller with its address. Drydock knows one address of a machine in a network: the
/// host's own must not be taken for the controller's, nor the other way round.
pub(super) fn own_network<'a>(
    machine: &Machine<'_>,
    networks: &'a [Network],
) -> Option<(&'a Network, Ipv4Addr)> {
    let management = machine.hardware.management.as_ref()?;
    let address = management.ip().filter(|_| is_addressed(management))?;
    let network = networks.iter().find(|network| network.cidr.contains(&address))?;
    let host = [machine.host.address(), machine.host.node_address()];
    let shared = host.iter().any(|own| network.cidr.contains(own));
    (!shared).then_some((network, address))
}

/// Whether Drydock reaches the controller by an address in a network of the site.
pub(super) fn is_addressed(management: &Management) -> bool {
    [ManagementProtocol::Ipmi, ManagementProtocol::Redfish].contains(&management.protocol)
}
