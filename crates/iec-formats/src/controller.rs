//! The address of a management controller as Metal3's operator reads it, which OpenShift's assisted installer uses too.

use iec_core::site::{Management, ManagementProtocol};

/// How a machine starts what installs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// From the network.
    Network,
    /// From a medium that its controller shows it.
    VirtualMedium,
}

/// The operator's drivers, each with the one that starts the same machine from a virtual medium, if there is one.
const DRIVERS: [(&str, &str); 9] = [
    ("ipmi", "ipmi"),
    ("libvirt", "libvirt"),
    ("redfish", "redfish-virtualmedia"),
    ("redfish-virtualmedia", "redfish-virtualmedia"),
    ("redfish-uefihttp", "redfish-uefihttp"),
    ("ilo5-redfish", "ilo5-virtualmedia"),
    ("ilo5-virtualmedia", "ilo5-virtualmedia"),
    ("idrac-redfish", "idrac-virtualmedia"),
    ("idrac-virtualmedia", "idrac-virtualmedia"),
];

/// The address with the operator's driver and the port; an error is the form of address that it has no driver for.
pub(super) fn address(management: &Management, start: Start) -> Result<String, String> {
    let bare = management.bare_address();
    let (scheme, place) = bare
        .split_once("://")
        .unwrap_or((management.protocol.as_str(), bare));
    let scheme = scheme.to_ascii_lowercase();
    let (name, transport) = match scheme.split_once('+') {
        Some((name, transport)) => (name, Some(transport)),
        None => (scheme.as_str(), None),
    };
    let (name, transport) = match (management.protocol, name, transport) {
        // The address of Redfish's own service, as a browser has it.
        (ManagementProtocol::Redfish, "http" | "https", None) => ("redfish", Some(name)),
        (_, name, transport) => (name, transport),
    };
    let speaks_http = !["ipmi", "libvirt"].contains(&name);
    let carried = transport.is_none_or(|transport| speaks_http && ["http", "https"].contains(&transport));
    let known = DRIVERS.iter().find(|(driver, _)| *driver == name && carried);
    let Some((network, medium)) = known else {
        return Err(scheme.clone());
    };
    let driver = match start {
        Start::Network => network,
        Start::VirtualMedium => medium,
    };
    let transport = transport
        .map(|transport| format!("+{transport}"))
        .unwrap_or_default();
    Ok(format!(
        "{driver}{transport}://{}",
        with_port(place, management.port)
    ))
}

/// The place with the port, unless it names one.
fn with_port(place: &str, port: Option<u16>) -> String {
    let (machine, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let named = machine
        .rsplit_once(':')
        .is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()));
    match port {
        Some(port) if !named => format!("{machine}:{port}{path}"),
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn management(protocol: ManagementProtocol, address: &str, port: Option<u16>) -> Management {
        Management {
            protocol,
            versions: Vec::new(),
            address: address.to_owned(),
            port,
            mac: None,
            user: None,
            credentials: None,
        }
    }

    #[test]
    fn addresses_have_a_driver_that_the_operator_knows_and_the_port() {
        use ManagementProtocol::{Amt, Ipmi, Libvirt, Redfish};
        for (protocol, given, port, network, medium) in [
            (
                Ipmi,
                "10.9.0.1/24",
                Some(6230),
                Ok("ipmi://10.9.0.1:6230"),
                Ok("ipmi://10.9.0.1:6230"),
            ),
            (
                Redfish,
                "10.9.0.1",
                Some(8443),
                Ok("redfish://10.9.0.1:8443"),
                Ok("redfish-virtualmedia://10.9.0.1:8443"),
            ),
            (
                Redfish,
                "https://10.9.0.1/redfish/v1/Systems/1",
                Some(8443),
                Ok("redfish+https://10.9.0.1:8443/redfish/v1/Systems/1"),
                Ok("redfish-virtualmedia+https://10.9.0.1:8443/redfish/v1/Systems/1"),
            ),
            (
                Redfish,
                "idrac-redfish+http://bmc:81/redfish/v1/Systems/A",
                Some(80),
                Ok("idrac-redfish+http://bmc:81/redfish/v1/Systems/A"),
                Ok("idrac-virtualmedia+http://bmc:81/redfish/v1/Systems/A"),
            ),
            (
                Redfish,
                "redfish-uefihttp://b/r",
                None,
                Ok("redfish-uefihttp://b/r"),
                Ok("redfish-uefihttp://b/r"),
            ),
            (
                Libvirt,
                "10.9.0.1",
                Some(6230),
                Ok("libvirt://10.9.0.1:6230"),
                Ok("libvirt://10.9.0.1:6230"),
            ),
            (
                Libvirt,
                "qemu+ssh://root@10.9.0.1/system",
                None,
                Err("qemu+ssh"),
                Err("qemu+ssh"),
            ),
            (Ipmi, "https://10.9.0.1", None, Err("https"), Err("https")),
            (
                Ipmi,
                "ipmi+https://10.9.0.1",
                None,
                Err("ipmi+https"),
                Err("ipmi+https"),
            ),
            (Amt, "10.9.0.1", None, Err("amt"), Err("amt")),
        ] {
            let known = management(protocol, given, port);
            for (start, expected) in [(Start::Network, network), (Start::VirtualMedium, medium)] {
                let address = address(&known, start);
                assert_eq!(
                    address.as_deref().map_err(String::as_str),
                    expected,
                    "{given} {start:?}"
                );
            }
        }
    }
}
