//! Rules about name resolution and proxies.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Subject;
use crate::diagnostic::Diagnostics;
use crate::facts::ProxyVariable;
use crate::name::DnsName;
use crate::site::EndpointHost;

pub(super) fn name_servers(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let resolver = &subject.facts.resolver;
    if resolver.is_assumed() {
        return;
    }
    let servers = resolver.pod_nameservers();
    if servers.is_empty() {
        let stubs: Vec<&str> = resolver.loopback_stubs().collect();
        let found = if stubs.is_empty() {
            "none".to_owned()
        } else {
            format!("{} only", stubs.join(", "))
        };
        problems.push(
            subject
                .warning("IEC1841", format!("{} has no name server that pods can reach: they will know names of the cluster only", subject.name()))
                .evidence(format!("in /etc/resolv.conf: {found}; in /run/systemd/resolve/resolv.conf: none"))
                .hint("name a real server in /etc/resolv.conf (127.0.0.53 in a pod is the pod itself); leave it so if the site has none"),
        );
        return;
    }
    for answer in resolver
        .answers
        .iter()
        .filter(|answer| servers.contains(&answer.server.as_str()))
    {
        if let Some(message) = answer.udp.failure() {
            problems.push(
                subject
                    .warning("IEC1842", format!("the name server {} does not answer {}", answer.server, subject.name()))
                    .evidence(format!("over UDP: {message}"))
                    .hint("pods will know names of the cluster only; name a server that answers in /etc/resolv.conf"),
            );
        } else if let Some(message) = answer.tcp.failure() {
            problems.push(
                subject
                    .warning("IEC1843", format!("the name server {} answers {} over UDP, but not over TCP", answer.server, subject.name()))
                    .evidence(format!("over TCP: {message}"))
                    .hint("pods will miss answers that do not fit into one packet; name another server in /etc/resolv.conf"),
            );
        }
    }
}

/// Warns of proxies that would be asked for addresses inside the site.
pub(super) fn proxies(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let environment = &subject.facts.environment;
    if environment.is_assumed() {
        return;
    }
    let is_exception = |variable: &&ProxyVariable| variable.name.eq_ignore_ascii_case("no_proxy");
    let (exceptions, proxies): (Vec<_>, Vec<_>) = environment.proxies.iter().partition(is_exception);
    let excepted: Vec<&str> = exceptions
        .iter()
        .flat_map(|variable| variable.value.split(','))
        .map(str::trim)
        .collect();
    let site = subject.site;
    let mut inside: Vec<IpNet> = vec![
        IpNet::V4(site.network().pods()),
        IpNet::V4(site.network().services()),
    ];
    inside.extend(
        site.present_hosts()
            .map(|host| IpNet::from(IpAddr::V4(host.node_address()))),
    );
    let mut missing: Vec<String> = inside
        .iter()
        .filter(|net| !covers(&excepted, net))
        .map(|net| net.to_string().trim_end_matches("/32").to_owned())
        .collect();
    if let EndpointHost::Name(name) = site.control_plane().endpoint().host()
        && !covers_name(&excepted, name)
    {
        missing.push(name.to_string());
    }
    if proxies.is_empty() || missing.is_empty() {
        return;
    }
    let message = format!(
        "a proxy is set on {} without exceptions for the site's own addresses",
        subject.name()
    );
    let problem = subject.warning("IEC1844", message).hint(format!(
        "add to NO_PROXY in the same places: {}",
        missing.join(",")
    ));
    problems.push(proxies.iter().fold(problem, |problem, variable| {
        problem.evidence(format!(
            "{}={} in {}",
            variable.name, variable.value, variable.origin
        ))
    }));
}

/// Whether programs take this name for an exception: they compare it as it is, and ask nobody for its address.
fn covers_name(excepted: &[&str], name: &DnsName) -> bool {
    let name = name.as_str();
    excepted.iter().any(|exception| {
        let suffix = exception.trim_start_matches("*.").trim_start_matches('.');
        let below = || name.strip_suffix(suffix).is_some_and(|head| head.ends_with('.'));
        *exception == "*" || (!suffix.is_empty() && (name.eq_ignore_ascii_case(suffix) || below()))
    })
}

fn covers(excepted: &[&str], net: &IpNet) -> bool {
    excepted.iter().any(|exception| {
        let exception: Option<IpNet> = if *exception == "*" {
            return true;
        } else {
            exception
                .parse()
                .ok()
                .or_else(|| exception.parse::<IpAddr>().ok().map(IpNet::from))
        };
        exception.is_some_and(|exception| exception.contains(net))
    })
}
