//! Rules about what the host's owner has laid out by hand, and what would win over IEC's own files and units.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Subject;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Interface;
use crate::site::{EndpointHost, SiteHost};

/// Units that IEC starts on every host.
const UNITS: [&str; 3] = [
    "containerd.service",
    "kubelet.service",
    "iec-service-network.service",
];
/// The drop-in of the kubelet's that IEC writes itself. It replaces what a file with an earlier name says.
const KUBELET_DROP_IN: &str = "10-kubeadm.conf";
/// How IEC knows its own lines again.
const OWN_LINES: [&str; 2] = ["# IEC: API server", "# IEC: another API server"];

/// A masked unit starts for nobody.
pub(super) fn masked_units(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let software = &subject.facts.software;
    let is_masked = |name: &&&str| {
        let unit = software.unit(name);
        unit.is_some_and(|unit| unit.enabled.starts_with("masked"))
    };
    let masked: Vec<&str> = UNITS.iter().filter(is_masked).copied().collect();
    if software.is_assumed() || masked.is_empty() {
        return;
    }
    let names = masked.join(" and ");
    problems.push(
        subject
            .error(
                "IEC1893",
                format!("{names} of {} cannot be started: masked", subject.name()),
            )
            .evidence(format!(
                "/etc/systemd/system/{} is a link to /dev/null",
                masked[0]
            ))
            .hint(format!("`systemctl unmask {}` on the host", masked.join(" "))),
    );
}

/// A drop-in that replaces what a unit runs wins over the unit that IEC writes.
pub(super) fn overrides(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let software = &subject.facts.software;
    if software.is_assumed() {
        return;
    }
    let wins = |file: &str, unit: &str| {
        let name = file.rsplit('/').next().unwrap_or(file);
        unit != "kubelet.service" || name > KUBELET_DROP_IN
    };
    for found in software
        .overrides
        .iter()
        .filter(|found| wins(&found.file, &found.unit))
    {
        problems.push(
            subject
                .error(
                    "IEC1892",
                    format!("a file on {} replaces what {} runs", subject.name(), found.unit),
                )
                .evidence(format!("{}: {}", found.file, found.line))
                .hint("remove the file, or its lines with `ExecStart`; other lines may stay"),
        );
    }
}

/// Arguments that somebody gives the kubelet on this host: one that it does not know ends it.
pub(super) fn kubelet_arguments(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let software = &subject.facts.software;
    let given = |line: &&String| {
        let value = line.split_once('=').map_or("", |(_, value)| value);
        !value.trim().trim_matches(['"', '\'']).trim().is_empty()
    };
    let lines: Vec<&String> = software.kubelet_arguments.iter().filter(given).collect();
    if software.is_assumed() || lines.is_empty() {
        return;
    }
    let problem = subject.warning(
        "IEC1891",
        format!(
            "the kubelet of {} gets further arguments, and does not start with one that its version does not know",
            subject.name()
        ),
    );
    let problem = lines.into_iter().fold(problem, |problem, line| {
        problem.evidence(format!("/etc/default/kubelet: {line}"))
    });
    problems.push(problem.hint("remove what an earlier installation left in /etc/default/kubelet"));
}

/// A line of `/etc/hosts` that gives the API server's name to another address: the first line wins.
pub(super) fn endpoint_name(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let resolver = &subject.facts.resolver;
    let site = subject.site;
    let EndpointHost::Name(name) = site.control_plane().endpoint().host() else {
        return;
    };
    let addresses: Vec<IpAddr> = site
        .control_planes()
        .map(SiteHost::node_address)
        .map(IpAddr::from)
        .collect();
    let name = name.to_string();
    let otherwise = |line: &&String| {
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_whitespace();
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        !OWN_LINES.iter().any(|own| line.contains(own))
            && address.is_some_and(|address| !addresses.contains(&address))
            && words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(&name))
    };
    let lines: Vec<&String> = resolver.host_names.iter().filter(otherwise).collect();
    if resolver.is_assumed() || lines.is_empty() {
        return;
    }
    let message = format!(
        "/etc/hosts of {} gives the API server's name {name} to another address",
        subject.name()
    );
    let problem = lines
        .into_iter()
        .fold(subject.error("IEC1890", message), |problem, line| {
            problem.evidence(line.as_str())
        });
    problems.push(problem.hint("remove the name from that line: the first line with a name wins over IEC's"));
}

/// Whether `sudo` writes down what passes through it: keys and tokens would lie in its log.
pub(super) fn logging_sudo(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let login = &subject.facts.login;
    if login.is_assumed() || login.sudo.is_private() {
        return;
    }
    let message = format!(
        "sudo on {} passes {} on to somebody who reads along, as its log does",
        subject.name(),
        login.sudo
    );
    let settings = &login.sudo.settings;
    let problem = settings
        .iter()
        .fold(subject.error("IEC1106", message), |problem, line| {
            problem.evidence(line.as_str())
        });
    problems.push(problem.hint(format!(
        "write `Defaults:{} !log_input, !log_output` into /etc/sudoers.d/iec on the host (with `visudo -f`), or log in as root",
        login.account()
    )));
}

/// Interfaces of one network that take packets of different sizes, on one host or on several: what the one sends in full
/// size never comes to the other.
pub(super) fn packet_sizes(subjects: &[Subject<'_>], problems: &mut Diagnostics) {
    let known = || {
        subjects
            .iter()
            .filter(|subject| !subject.facts.network.is_assumed())
    };
    let mut networks: BTreeMap<Ipv4Net, Vec<(&Subject<'_>, &Interface)>> = BTreeMap::new();
    for subject in known() {
        for interface in &subject.facts.network.interfaces {
            for address in &interface.addresses {
                if let IpNet::V4(net) = address {
                    networks
                        .entry(net.trunc())
                        .or_default()
                        .push((subject, interface));
                }
            }
        }
    }
    for (net, interfaces) in networks {
        let sizes: BTreeSet<u32> = interfaces.iter().map(|(_, interface)| interface.mtu).collect();
        // Pods and the cluster go by the networks of the nodes' addresses.
        let is_of_nodes = known().any(|subject| net.contains(&subject.host.node_address()));
        if sizes.len() < 2 || !is_of_nodes || net.prefix_len() == 32 {
            continue;
        }
        let told: Vec<String> = interfaces
            .iter()
            .map(|(subject, interface)| format!("{} of {} {}", interface.name, subject.name(), interface.mtu))
            .collect();
        problems.push(
            Diagnostic::warning(
                "IEC1894",
                format!("interfaces of the network {net} take packets of different sizes"),
            )
            .at(interfaces[0].0.host.place())
            .evidence(told.join(", "))
            .hint("give them one MTU, that of the switch between them: larger packets vanish without a word"),
        );
    }
}
