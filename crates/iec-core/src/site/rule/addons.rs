//! Rules about kube-proxy and the cluster's DNS.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Kind, name, network, number, optional, port, printable, required, word};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::name::DnsName;
use crate::site::addons::{Dns, DnsZone, Forwarder, KubeProxy, ProxyMode};
use crate::spec::{DnsSpec, DnsZoneSpec, KubeProxySpec, List, Spanned};

/// The domain of the cluster's own names.
const CLUSTER_DOMAIN: &str = "cluster.local";
/// So many name servers CoreDNS' `forward` takes.
const MOST_FORWARDERS: usize = 15;

const ZONE: Kind = Kind {
    code: "IEC0513",
    what: "the name of a zone",
    hint: None,
};

/// How kube-proxy makes services of pods.
pub(in crate::site) fn kube_proxy(
    given: &Spanned<KubeProxySpec>,
    problems: &mut Diagnostics,
) -> Option<KubeProxy> {
    let given = &given.value;
    let usual = KubeProxy::default();
    let mode = optional(&given.mode, usual.mode, |given| mode(given, problems));
    let networks = optional(&given.node_port_addresses, Vec::new(), |given| {
        let networks: Vec<Option<Ipv4Net>> = given
            .value
            .items
            .iter()
            .map(|item| network::network(item, "nodePortAddresses", problems))
            .collect();
        let networks: Option<Vec<Ipv4Net>> = networks.into_iter().collect();
        networks.filter(|_| given.value.complete)
    });
    Some(KubeProxy {
        mode: mode?,
        node_port_addresses: networks?,
    })
}

/// The modes that Kubernetes knows and IEC does not install, and why.
const REFUSED: [(&str, &str); 2] = [
    (
        "nftables",
        "Calico 3.28 writes rules of iptables only, and a dataplane of nftables beside it comes with Calico 3.29",
    ),
    (
        "ipvs",
        "Kubernetes has deprecated it, and it puts every service's address on an interface of each host, past the guard of the service network",
    ),
];

fn mode(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<ProxyMode> {
    let lower = given.value.to_ascii_lowercase();
    if let Some((mode, reason)) = REFUSED.iter().find(|(mode, _)| *mode == lower) {
        let message = format!("`mode` of kube-proxy cannot be `{mode}`: {reason}");
        problems.push(
            Diagnostic::error("IEC0510", message)
                .at(&given.place)
                .hint("write `iptables`, or remove `mode`"),
        );
        return None;
    }
    word(given, "mode", &ProxyMode::WORDS, problems)
}

/// The cluster's DNS.
pub(in crate::site) fn dns(
    given: &Spanned<DnsSpec>,
    services: Option<Ipv4Net>,
    problems: &mut Diagnostics,
) -> Option<Dns> {
    let given = &given.value;
    let replicas = optional(&given.replicas, None, |given| {
        number(given, "replicas", 1..=32, problems).map(Some)
    });
    let servers = optional(&given.forwarders, Vec::new(), |given| {
        forwarders(given, services, problems)
    });
    let zones = optional(&given.zones, Vec::new(), |given| {
        let mut zones: Vec<DnsZone> = Vec::new();
        let mut whole = given.value.complete;
        for item in &given.value.items {
            match zone(item, &zones, services, problems) {
                Some(zone) => zones.push(zone),
                None => whole = false,
            }
        }
        Some(zones).filter(|_| whole)
    });
    Some(Dns {
        replicas: replicas?,
        forwarders: servers?,
        zones: zones?,
    })
}

fn zone(
    given: &Spanned<DnsZoneSpec>,
    others: &[DnsZone],
    services: Option<Ipv4Net>,
    problems: &mut Diagnostics,
) -> Option<DnsZone> {
    let servers = required(&given.value.forwarders, "forwarders", &given.place, problems)
        .and_then(|list| forwarders(list, services, problems));
    let zone = required(&given.value.name, "name", &given.place, problems)
        .and_then(|text| zone_name(text, others, problems));
    Some(DnsZone {
        name: zone?,
        forwarders: servers?,
    })
}

fn zone_name(given: &Spanned<String>, others: &[DnsZone], problems: &mut Diagnostics) -> Option<DnsName> {
    let zone = name(given, &ZONE, DnsName::new, problems)?;
    let cause = if zone == CLUSTER_DOMAIN || zone.as_str().ends_with(&format!(".{CLUSTER_DOMAIN}")) {
        "the cluster itself answers for it"
    } else if others.iter().any(|other| other.name == zone) {
        "it is there twice"
    } else {
        return Some(zone);
    };
    problems.push(
        Diagnostic::error("IEC0513", format!("the zone `{zone}` cannot be: {cause}"))
            .at(&given.place)
            .hint("name a domain outside the cluster, once"),
    );
    None
}

fn forwarders(
    given: &Spanned<List<String>>,
    services: Option<Ipv4Net>,
    problems: &mut Diagnostics,
) -> Option<Vec<Forwarder>> {
    let items = &given.value.items;
    if (items.is_empty() && given.value.complete) || items.len() > MOST_FORWARDERS {
        let message = format!("`forwarders` has {} name servers", items.len());
        problems.push(
            Diagnostic::error("IEC0512", message)
                .at(&given.place)
                .hint(format!("name 1 to {MOST_FORWARDERS} of them, or remove the key")),
        );
        return None;
    }
    let servers: Vec<Option<Forwarder>> = items
        .iter()
        .map(|item| forwarder(item, services, problems))
        .collect();
    let servers: Option<Vec<Forwarder>> = servers.into_iter().collect();
    servers.filter(|_| given.value.complete)
}

fn forwarder(
    given: &Spanned<String>,
    services: Option<Ipv4Net>,
    problems: &mut Diagnostics,
) -> Option<Forwarder> {
    if network::refuse_ipv6(given, "forwarders", problems) {
        return None;
    }
    let (address, given_port) = match given.value.split_once(':') {
        Some((address, given_port)) => (address, port(given_port)),
        None => (given.value.as_str(), Some(Forwarder::USUAL_PORT)),
    };
    let cause = match (address.parse::<Ipv4Addr>(), given_port) {
        (Ok(address), Some(port)) => {
            let special = network::special_range(Ipv4Net::from(address));
            if services.is_some_and(|services| services.contains(&address)) {
                "it is in `services`, so that the cluster's DNS might ask itself"
            } else if special.is_some() {
                "in a pod it leads to no name server of the site"
            } else {
                return Some(Forwarder { address, port });
            }
        }
        _ => "it is no IPv4 address",
    };
    let message = format!("`forwarders` cannot have `{}`: {cause}", printable(&given.value));
    problems.push(
        Diagnostic::error("IEC0512", message)
            .at(&given.place)
            .hint("give the address of a name server, and its port where that is not 53: 10.0.0.53:5353"),
    );
    None
}
