//! Reads what the probe says about software, clusters, earlier runs, firewalls and proxies.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::answer::Lines;
use crate::facts::{
    Binary, CalicoPool, ClosedChain, Cluster, Environment, Guards, Hook, LockHolder, Override, Package,
    Previous, ProxyVariable, Software, Unit,
};
use crate::pace::Pace;

/// The units that keep the time, the usual one first.
const TIME_SERVICES: &[&str] = &[
    "systemd-timesyncd.service",
    "chrony.service",
    "ntpsec.service",
    "ntp.service",
    "openntpd.service",
];

pub(super) fn software(lines: &mut Lines) -> Software {
    let pair = |text: &str| {
        let (name, rest) = text.split_once(' ')?;
        Some((name.to_owned(), rest.trim().to_owned()))
    };
    let mut versions: BTreeMap<String, String> = lines.each("version", pair).into_iter().collect();
    let binaries = lines.each("binary", pair).into_iter().map(|(name, path)| Binary {
        version: versions.remove(&name).unwrap_or_default(),
        name,
        path,
    });
    Software {
        binaries: binaries.collect(),
        packages: lines.each("package", package).into_iter().flatten().collect(),
        units: units(lines),
        tools: lines
            .each("tool", pair)
            .into_iter()
            .map(|(name, there)| (name, there == "yes"))
            .collect(),
        docker_containers: lines.read("docker", |text| text.parse().ok()).unwrap_or_default(),
        containers: lines.all("container"),
        overrides: lines.each("override", over),
        runtime_data: lines.yes("runtime-data"),
        kubelet_arguments: lines.all("kubelet-arguments"),
    }
}

/// `ii  kmod 30+20221128-1`; a package that is known but not installed gives nothing.
fn package(text: &str) -> Option<Option<Package>> {
    let mut words = text.split_whitespace();
    let status = words.next()?;
    let name = words.next()?.to_owned();
    let installed = status.as_bytes().get(1) == Some(&b'i');
    Some(installed.then(|| Package {
        name,
        version: words.next().unwrap_or_default().to_owned(),
    }))
}

/// `containerd.service /etc/systemd/system/containerd.service.d/a.conf ExecStart=/usr/bin/containerd`
fn over(text: &str) -> Option<Override> {
    let (unit, rest) = text.split_once(' ')?;
    let (file, line) = rest.split_once(' ')?;
    Some(Override {
        unit: unit.to_owned(),
        file: file.to_owned(),
        line: line.trim().to_owned(),
    })
}

/// Blocks of `Name=value` lines, an empty line between them; units that systemd does not have are left out.
fn units(lines: &mut Lines) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut block: BTreeMap<String, String> = BTreeMap::new();
    let mut texts = lines.all("unit");
    texts.push(String::new());
    for text in texts {
        if let Some((name, value)) = text.split_once('=') {
            block.insert(name.to_owned(), value.to_owned());
        } else if text.is_empty() {
            let mut value = |name| block.remove(name).unwrap_or_default();
            let (load, name) = (value("LoadState"), value("Id"));
            if !name.is_empty() && load != "not-found" {
                units.push(Unit {
                    name,
                    active: value("ActiveState"),
                    enabled: value("UnitFileState"),
                });
            }
            block.clear();
        } else {
            lines.complain("unit", &text, "was not understood");
        }
    }
    units
}

pub(super) fn time_service(software: &Software) -> Option<String> {
    let active = |name: &&&str| software.unit(name).is_some_and(Unit::is_active);
    TIME_SERVICES.iter().find(active).map(|name| (*name).to_owned())
}

pub(super) fn guards(lines: &mut Lines, software: &Software) -> Guards {
    let active = |name: &str| software.unit(name).is_some_and(Unit::is_active);
    let ufw = lines
        .one("ufw")
        .is_some_and(|text| text.to_ascii_lowercase().ends_with("yes"));
    Guards {
        ufw: ufw && software.package("ufw").is_some(),
        firewalld: active("firewalld.service"),
        nftables: active("nftables.service"),
        apparmor: lines.one("apparmor").is_some_and(|text| text == "Y"),
        selinux: lines
            .one("selinux")
            .map(|text| if text == "1" { "enforcing" } else { "permissive" }.to_owned()),
        unattended_upgrades: software.package("unattended-upgrades").is_some(),
        needrestart: software.package("needrestart").is_some(),
        network_manager: active("NetworkManager.service"),
        networkd: active("systemd-networkd.service"),
        closed_chains: lines.each("filter", chain).into_iter().flatten().collect(),
    }
}

/// `inet filter input|filter hook input priority filter; policy drop;|counter packets 0 bytes 0 drop`, or of the older
/// interface `ip filter (iptables-legacy) INPUT|:INPUT DROP [0:0]|-A INPUT -j DROP|`. An open chain gives nothing.
fn chain(text: &str) -> Option<Option<ClosedChain>> {
    let mut parts = text.split('|').map(str::trim);
    let (name, head) = (parts.next()?, parts.next()?);
    let last = parts.next().unwrap_or_default();
    let lower = head.to_ascii_lowercase();
    let hook = match () {
        () if lower.contains("hook input") || lower.starts_with(":input") => Hook::Input,
        () if lower.contains("hook forward") || lower.starts_with(":forward") => Hook::Forward,
        () => return None,
    };
    // Pods and services have addresses of IPv4.
    if !(name.starts_with("ip ") || name.starts_with("inet ")) {
        return Some(None);
    }
    let policy = lower.contains("policy drop") || lower.split_whitespace().nth(1) == Some("drop");
    let end = match policy {
        true => Some("policy drop".to_owned()),
        false => refuses_all(last).then(|| last.to_owned()),
    };
    Some(end.map(|end| ClosedChain {
        name: name.to_owned(),
        hook,
        end,
    }))
}

/// Whether a rule drops or rejects whatever comes to it.
fn refuses_all(rule: &str) -> bool {
    let mut words = rule.split_whitespace().peekable();
    if words.peek() == Some(&"-A") {
        let target: Vec<&str> = words.skip(2).collect();
        return matches!(target.as_slice(), ["-j", "DROP" | "REJECT", ..]);
    }
    if words.peek() == Some(&"counter") {
        // `counter packets 12 bytes 720`
        words.nth(4);
    }
    matches!(words.next(), Some("drop" | "reject"))
}

pub(super) fn cluster(lines: &mut Lines) -> Cluster {
    let ca_certificate = lines.raw("ca").into_iter().find(|text| !text.is_empty());
    let ca_sha256 = ca_certificate.as_deref().and_then(certificate_sha256);
    if ca_certificate.is_some() && ca_sha256.is_none() {
        lines.complain("ca", "", "is no certificate");
    }
    let mut kubernetes_files = lines.all("kubernetes");
    kubernetes_files.sort();
    let etcd_files = lines.all("etcd");
    Cluster {
        kubernetes_files,
        ca_certificate,
        ca_sha256,
        server: lines.one("server"),
        pod_range: lines.one("pod-range"),
        service_range: lines.one("service-range"),
        installed_with: lines.all("installed-with"),
        node_address: lines.read("node-address", |text| text.parse().ok()),
        // A file system of its own has this folder from the start.
        etcd_data: etcd_files.iter().any(|name| name != "lost+found"),
        cni_files: lines.all("cni"),
        proxy_mode: lines.one("proxy-mode"),
        calico_pool: calico_pool(&lines.all("calico-pool")),
        others: lines.all("other"),
    }
}

fn calico_pool(variables: &[String]) -> Option<CalicoPool> {
    let value = |name: &str| {
        let mut found = variables.iter().filter_map(|line| line.split_once(' '));
        found.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    Some(CalicoPool {
        vxlan_mode: value("VXLAN")?.to_owned(),
        block_size: value("BLOCK_SIZE")?.parse().ok()?,
    })
}

/// The SHA-256 of the first certificate of a PEM text, in lower-case hexadecimal: what [`Cluster::ca_sha256`] holds.
#[must_use]
pub fn certificate_sha256(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (coded, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let coded: String = coded.split_whitespace().collect();
    let bytes = STANDARD.decode(coded).ok()?;
    Some(
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

pub(super) fn previous(lines: &mut Lines) -> Previous {
    let kibibytes = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
    let site = lines.one("site").unwrap_or_default();
    let since = lines.read("lock-since", |text| text.parse().ok());
    let mut site = site.split_whitespace();
    let pace = lines.read("pace", Pace::from_record);
    Previous {
        journal: lines.yes("journal"),
        site: site.next().map(str::to_owned),
        site_id: site.next().map(str::to_owned),
        lock: lines.one("lock").map(|owner| LockHolder { owner, since }),
        store: lines
            .read("store", kibibytes)
            .unwrap_or_default()
            .saturating_mul(1024),
        transfer: lines.yes("transfer"),
        joined: lines.yes("joined"),
        pace,
    }
}

pub(super) fn environment(lines: &mut Lines, software: &Software) -> Environment {
    let mut proxies = Vec::new();
    for text in lines.all("proxy") {
        let found = text
            .split_once(':')
            .map(|(origin, line)| proxy_variables(origin, line))
            .unwrap_or_default();
        if found.is_empty() {
            lines.complain("proxy", "", "was not understood");
        }
        proxies.extend(found);
    }
    let cloud_init = lines.yes("cloud-init") || software.package("cloud-init").is_some();
    let managed = |text: &str| {
        let value = text.split_once(':')?.1;
        let value = value
            .split('#')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches(['"', '\''])
            .to_ascii_lowercase();
        Some(!matches!(value.as_str(), "" | "false" | "no" | "off"))
    };
    // cloud-init reads its files in this order, and the last one counts.
    let manages = lines.each("hosts-file", managed).last().copied().unwrap_or(false);
    Environment {
        proxies,
        cloud_init,
        manages_hosts_file: cloud_init && manages,
    }
}

/// The variables `…_proxy=value` of a line, of which systemd allows several.
fn proxy_variables(origin: &str, line: &str) -> Vec<ProxyVariable> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before
            .trim_end()
            .rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .next();
        let name = name.unwrap_or_default();
        rest = after;
        if !name.to_ascii_lowercase().ends_with("_proxy") {
            continue;
        }
        let value = after
            .trim_start_matches(['"', '\''])
            .split(['"', '\'', ' ', ';'])
            .next()
            .unwrap_or_default();
        let value = value
            .rsplit_once('@')
            .map_or_else(|| value.to_owned(), |(_, host)| format!("***@{host}"));
        found.push(ProxyVariable {
            name: name.to_owned(),
            value,
            origin: origin.to_owned(),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_variables_of_every_form() {
        for (line, expected) in [
            (
                "http_proxy=http://10.0.0.1:3128",
                vec![("http_proxy", "http://10.0.0.1:3128")],
            ),
            (
                "export HTTPS_PROXY=\"http://p:3128\"; x=1",
                vec![("HTTPS_PROXY", "http://p:3128")],
            ),
            (
                "DefaultEnvironment=\"HTTP_PROXY=http://p:1\" \"NO_PROXY=10.0.0.0/8,.local\"",
                vec![("HTTP_PROXY", "http://p:1"), ("NO_PROXY", "10.0.0.0/8,.local")],
            ),
            (
                "http_proxy=***@10.0.0.1:3128",
                vec![("http_proxy", "***@10.0.0.1:3128")],
            ),
            (
                "http_proxy=http://joe:secret@10.0.0.1:3128",
                vec![("http_proxy", "***@10.0.0.1:3128")],
            ),
            ("nothing", vec![]),
        ] {
            let found = proxy_variables("/etc/environment", line);
            let pairs: Vec<_> = found
                .iter()
                .map(|one| (one.name.as_str(), one.value.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{line}");
        }
    }

    #[test]
    fn chains_that_end_what_nothing_allows() {
        let of = |text| chain(text).flatten().map(|found| (found.hook, found.end));
        let drop = "policy drop".to_owned();
        for (text, expected) in [
            (
                "inet filter input|filter hook input priority filter; policy drop;|iifname \"lo\" accept",
                Some((Hook::Input, drop.clone())),
            ),
            (
                "ip filter FORWARD|filter hook forward priority filter; policy drop;|",
                Some((Hook::Forward, drop.clone())),
            ),
            (
                "inet filter input|filter hook input priority filter; policy accept;|counter packets 3 bytes 180 reject with icmpx admin-prohibited",
                Some((
                    Hook::Input,
                    "counter packets 3 bytes 180 reject with icmpx admin-prohibited".to_owned(),
                )),
            ),
            (
                "inet filter input|filter hook input priority filter; policy accept;|tcp dport 25 drop",
                None,
            ),
            (
                "inet filter input|filter hook input priority filter; policy accept;|type filter hook input priority filter; policy accept;",
                None,
            ),
            (
                "ip6 filter INPUT|filter hook input priority filter; policy drop;|",
                None,
            ),
            (
                "ip filter (iptables-legacy) INPUT|:INPUT DROP [0:0]|-A INPUT -i lo -j ACCEPT|",
                Some((Hook::Input, drop)),
            ),
            (
                "ip filter (iptables-legacy) FORWARD|:FORWARD ACCEPT [0:0]|-A FORWARD -j REJECT --reject-with icmp-port-unreachable|",
                Some((
                    Hook::Forward,
                    "-A FORWARD -j REJECT --reject-with icmp-port-unreachable".to_owned(),
                )),
            ),
            (
                "ip filter (iptables-legacy) FORWARD|:FORWARD ACCEPT [0:0]|-A FORWARD -s 10.0.0.0/8 -j DROP|",
                None,
            ),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        assert_eq!(chain("nonsense"), None);
    }

    #[test]
    fn packages_that_are_only_known_are_left_out() {
        let name = |text| package(text).map(|found| found.map(|package| package.name));
        assert_eq!(name("ii  kmod 30"), Some(Some("kmod".to_owned())));
        assert_eq!(name("hi  runc 1"), Some(Some("runc".to_owned())));
        assert_eq!(name("un  ufw "), Some(None));
        assert_eq!(name("rc  ufw 1"), Some(None));
        assert_eq!(name(""), None);
    }
}
