//! Rules about the address of the API server.

use std::net::Ipv4Addr;

use super::fleet::present;
use super::host::Seen;
use super::{network, printable};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::name::{DnsName, SiteName};
use crate::site::{Datastore, Endpoint, EndpointHost, Role};
use crate::spec::Spanned;

/// The port of the API server, unless a site says otherwise.
pub(in crate::site) const DEFAULT_PORT: u16 = 6443;

/// TCP ports that something else on a control plane listens on.
const TAKEN: [(u16, &str); 12] = [
    (22, "the SSH server"),
    (179, "BGP"),
    (2379, "etcd"),
    (2380, "etcd"),
    (2381, "etcd"),
    (9098, "Calico"),
    (9099, "Calico"),
    (10248, "kubelet"),
    (10249, "kube-proxy"),
    (10250, "kubelet"),
    (10256, "kube-proxy"),
    (10257, "the controller manager"),
];
const SCHEDULER_PORT: u16 = 10259;
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

/// The endpoint of a site that gives none.
pub(in crate::site) fn default_endpoint(site: &SiteName) -> Endpoint {
    let name = DnsName::new(format!("api.{site}.iec.internal"))
        .expect("a site name is a label, and short enough for a name with three more");
    Endpoint {
        host: EndpointHost::Name(name),
        port: DEFAULT_PORT,
    }
}

/// The endpoint that a site gives.
pub(in crate::site) fn endpoint(
    given: &Spanned<String>,
    hosts: Option<&[Seen<'_>]>,
    problems: &mut Diagnostics,
) -> Option<Endpoint> {
    let (host, port) = split(given, problems)?;
    check_port(given, port, problems);
    let host = match host.parse::<Ipv4Addr>() {
        Ok(address) => {
            check_address(given, address, hosts.unwrap_or_default(), problems);
            EndpointHost::Address(address)
        }
        Err(_) => EndpointHost::Name(name(given, host, hosts.unwrap_or_default(), problems)?),
    };
    Some(Endpoint { host, port })
}

fn refuse(given: &Spanned<String>, code: &'static str, cause: &str, hint: &str, problems: &mut Diagnostics) {
    let message = format!("`endpoint` cannot be `{}`: {cause}", printable(&given.value));
    problems.push(Diagnostic::error(code, message).at(&given.place).hint(hint));
}

fn split<'s>(given: &'s Spanned<String>, problems: &mut Diagnostics) -> Option<(&'s str, u16)> {
    let text = given.value.as_str();
    let without_port = text.rsplit_once(':').map_or(text, |(host, _)| host);
    if [text, without_port].into_iter().any(network::is_ipv6) {
        network::refuse_ipv6(
            &Spanned {
                value: without_port.to_owned(),
                ..given.clone()
            },
            "endpoint",
            problems,
        );
        return None;
    }
    if text.contains("://") {
        refuse(
            given,
            "IEC0401",
            "it is a URL",
            "write `host:port` alone",
            problems,
        );
        return None;
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let hint = format!("write `{}:{DEFAULT_PORT}`", printable(text));
        refuse(given, "IEC0401", "it has no port", &hint, problems);
        return None;
    };
    match super::port(port) {
        Some(port) => Some((host, port)),
        None => {
            refuse(
                given,
                "IEC0401",
                "what follows the colon is no port",
                "a port is a number from 1 to 65535",
                problems,
            );
            None
        }
    }
}

fn check_port(given: &Spanned<String>, port: u16, problems: &mut Diagnostics) {
    let owner = TAKEN
        .iter()
        .find(|(taken, _)| *taken == port)
        .map(|(_, owner)| *owner);
    let owner = owner.or_else(|| (port == SCHEDULER_PORT).then_some("the scheduler"));
    let owner = owner.or_else(|| NODE_PORTS.contains(&port).then_some("services of type NodePort"));
    if let Some(owner) = owner {
        let cause = format!("port {port} is for {owner}");
        refuse(
            given,
            "IEC0402",
            &cause,
            "6443 is the usual port; 443 works too",
            problems,
        );
    }
}

/// Whether the API server leaves its ports to Calico's own etcd, where the site has one.
pub(in crate::site) fn check_calico_etcd(
    given: &Spanned<String>,
    port: u16,
    datastore: Option<Datastore>,
    problems: &mut Diagnostics,
) {
    if datastore == Some(Datastore::Etcd) && Datastore::ETCD_PORTS.contains(&port) {
        let cause = format!("with `datastore: etcd`, port {port} is for Calico's etcd");
        let hint = "6443 is the usual port; 443 works too";
        refuse(given, "IEC0402", &cause, hint, problems);
    }
}

fn check_address(given: &Spanned<String>, address: Ipv4Addr, hosts: &[Seen<'_>], problems: &mut Diagnostics) {
    let owner = hosts
        .iter()
        .find(|host| host.is_present() && host.node_address.is_some_and(|(own, _)| own == address));
    if owner.is_none_or(|host| host.role != Some(Role::ControlPlane)) {
        let cause = match owner {
            Some(host) => format!("{address} belongs to {}, a worker", host.called()),
            None => format!("{address} is no control plane's node address"),
        };
        let hint = "remove `endpoint`: the default is a name that every host knows";
        refuse(given, "IEC0403", &cause, hint, problems);
        return;
    }
    if present(hosts, Role::ControlPlane).count() > 1 {
        let cause = format!("{address} is one control plane's, and the site would stop with it");
        let hint =
            "remove `endpoint`: the default is a name, under which every host finds all control planes";
        refuse(given, "IEC0406", &cause, hint, problems);
        return;
    }
    let message =
        format!("`endpoint` is the address {address}: it ties every node to this one control plane");
    problems.push(
        Diagnostic::warning("IEC0405", message)
            .at(&given.place)
            .hint("remove `endpoint`: with the default, a name, the site can grow to three control planes"),
    );
}

fn name(
    given: &Spanned<String>,
    host: &str,
    hosts: &[Seen<'_>],
    problems: &mut Diagnostics,
) -> Option<DnsName> {
    let looks_like_address = host
        .split('.')
        .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let name = match DnsName::new(host) {
        Ok(name) if !looks_like_address => name,
        Ok(_) => {
            refuse(
                given,
                "IEC0401",
                "what stands before the colon is neither name nor address",
                "write `name:6443`",
                problems,
            );
            return None;
        }
        Err(reason) => {
            let cause = format!("its name is wrong: {reason}");
            refuse(
                given,
                "IEC0401",
                &cause,
                "use small letters, digits, `-` and `.`",
                problems,
            );
            return None;
        }
    };
    let worker = hosts.iter().find(|seen| {
        seen.role == Some(Role::Worker)
            && seen
                .name
                .as_ref()
                .is_some_and(|(own, _)| own.as_str() == name.as_str())
    });
    let cause = if let Some(worker) = worker {
        format!("this name belongs to {}, a worker", worker.called())
    } else if name == "localhost" || name.as_str().ends_with(".localhost") {
        "every host takes this name for itself".to_owned()
    } else if is_inside_cluster(name.as_str()) {
        "names of this domain exist only inside the cluster".to_owned()
    } else {
        return Some(name);
    };
    refuse(
        given,
        "IEC0404",
        &cause,
        "remove `endpoint`: the default is a name that every host knows",
        problems,
    );
    None
}

fn is_inside_cluster(name: &str) -> bool {
    name == "cluster.local"
        || name.ends_with(".cluster.local")
        || name.ends_with(".svc")
        || ["kubernetes", "kubernetes.default"].contains(&name)
}
