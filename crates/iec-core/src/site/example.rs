//! A first site file for given hosts, with comments for whoever goes on with it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value};

use super::rule::network::{free_network, overlap};
use super::validate::{DEFAULT_PODS, DEFAULT_SERVICES};
use super::{Role, rule};
use crate::spec::is_safe_plain;

/// What a first site file is made from. Texts may be anything; whatever a rule refuses is reported when the file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example<'e> {
    /// The name of the site.
    pub name: &'e str,
    /// The release to install.
    pub release: &'e str,
    /// The bundle; without one, the line is there as a comment.
    pub bundle: Option<&'e str>,
    /// The account to log in with.
    pub user: &'e str,
    /// The file of the private key; without one, the line is there as a comment.
    pub identity: Option<&'e str>,
    /// The hosts, in the order of the file.
    pub hosts: &'e [ExampleHost<'e>],
    /// The network of the pods; without one, a network that keeps clear of the others.
    pub pods: Option<&'e str>,
    /// The network of the services; without one, a network that keeps clear of the others.
    pub services: Option<&'e str>,
    /// Further networks that chosen ones keep clear of.
    pub avoid: &'e [Ipv4Net],
    /// Further keys of `spec`, as the site file has them; those of `network` stand behind pods and services.
    pub further: Map<String, Value>,
}

/// A host of a first site file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleHost<'e> {
    /// The name.
    pub name: &'e str,
    /// The address.
    pub address: &'e str,
    /// What it is in the cluster.
    pub role: Role,
    /// The SSH host key; without one, the line is there as a comment.
    pub host_key: Option<&'e str>,
    /// Further keys of the host, as the site file has them.
    pub further: Map<String, Value>,
}

/// The text of a first site file; its networks keep clear of the hosts' addresses.
#[must_use]
pub fn example(example: &Example<'_>) -> String {
    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes everything");
    line(&format!(
        "# The site {}: its hosts, and what is installed on them.",
        one_line(example.name)
    ));
    line("# docs/site-reference.md has every key; `iec check` tells what is wrong with this file.");
    line(&format!("apiVersion: {}", rule::document::API_VERSION));
    line(&format!("kind: {}", rule::document::KIND));
    line("metadata:");
    line(&format!("  name: {}", scalar(example.name)));
    line("spec:");
    line("  # A Kubernetes minor version. The quotes keep it from being read as a number.");
    line(&format!("  release: {}", quoted(example.release)));
    line("");
    line(
        "  # Where the parts come from. Without this, the bundle that `iec bundle build` keeps for the release.",
    );
    match example.bundle {
        Some(bundle) => line(&format!("  content:\n    bundle: {}", scalar(bundle))),
        None => line("  # content:\n  #   bundle: ./bundle"),
    }
    line("");
    line("  access:");
    line("    # root, or an account that may use sudo without a password.");
    line(&format!("    user: {}", scalar(example.user)));
    line("    # Without a key file, your SSH agent and your own SSH configuration are used.");
    match example.identity {
        Some(identity) => line(&format!("    identity: {}", scalar(identity))),
        None => line("    # identity: ~/.ssh/id_ed25519"),
    }
    line("");
    line("  hosts:");
    for host in example.hosts {
        hosts_entry(host, &mut line);
    }
    line("");
    line("  network:");
    line("    # None of the hosts may know these networks, neither as an address nor as a route.");
    let (pods, services) = networks(example);
    line(&format!("    pods: {}", scalar(&pods)));
    line(&format!("    services: {}", scalar(&services)));
    let mut further = example.further.clone();
    if let Some(Value::Object(network)) = further.remove("network") {
        mapping(&network, 2, &mut line);
    }
    if !further.is_empty() {
        line("");
        mapping(&further, 1, &mut line);
    }
    text
}

/// The entries of a mapping, each on lines of its own.
fn mapping(entries: &Map<String, Value>, level: usize, line: &mut impl FnMut(&str)) {
    let indentation = "  ".repeat(level);
    for (key, value) in entries {
        let key = format!("{indentation}{}:", scalar(key));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                line(&key);
                mapping(inner, level + 1, line);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                line(&key);
                for item in items {
                    line(&format!("{indentation}  - {}", in_line(item)));
                }
            }
            other => line(&format!("{key} {}", in_line(other))),
        }
    }
}

/// A value on one line.
fn in_line(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_line).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key), in_line(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn hosts_entry(host: &ExampleHost<'_>, line: &mut impl FnMut(&str)) {
    line(&format!("    - name: {}", scalar(host.name)));
    line(&format!("      address: {}", scalar(host.address)));
    line(&format!("      role: {}", host.role));
    if let Some(key) = host.host_key {
        line(&format!("      hostKey: {}", scalar(key)));
    } else {
        line("      # Pin the host's key: the two words of its /etc/ssh/ssh_host_ed25519_key.pub.");
        line("      # hostKey: ssh-ed25519 AAAA…");
    }
    mapping(&host.further, 3, line);
}

/// Networks for pods and services: the given ones, else some that keep clear of the /16 around each host.
fn networks(example: &Example<'_>) -> (String, String) {
    let addresses = example.hosts.iter().flat_map(|host| {
        let node_address = host.further.get("nodeAddress").and_then(Value::as_str);
        [Some(host.address), node_address]
    });
    let mut taken: Vec<Ipv4Net> = addresses
        .flatten()
        .filter_map(|address| Ipv4Net::new(address.parse::<Ipv4Addr>().ok()?, 16).ok())
        .map(|network| network.trunc())
        .chain(example.avoid.iter().copied())
        .collect();
    let given = [example.pods, example.services].into_iter().flatten();
    taken.extend(given.filter_map(|network| network.parse::<Ipv4Net>().ok()));
    let choose = |default: Ipv4Net, taken: &[Ipv4Net]| {
        let clear = !taken.iter().any(|network| overlap(*network, default));
        if clear {
            default
        } else {
            free_network(default.prefix_len(), taken).unwrap_or(default)
        }
    };
    let services = example.services.map_or_else(
        || {
            let services = choose(DEFAULT_SERVICES, &taken);
            taken.push(services);
            services.to_string()
        },
        str::to_owned,
    );
    let pods = || choose(DEFAULT_PODS, &taken).to_string();
    (example.pods.map_or_else(pods, str::to_owned), services)
}

/// The text as it stands where that is safe, otherwise in quotes.
fn scalar(text: &str) -> String {
    if is_safe_plain(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// The text in double quotes, with escapes that YAML and JSON have in common.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut yaml = String::with_capacity(json.len());
    for letter in json.chars() {
        // JSON lets these stand as they are, YAML does not.
        if letter.is_control() || matches!(letter, '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            write!(yaml, "\\u{:04x}", u32::from(letter)).expect("a string takes everything");
        } else {
            yaml.push(letter);
        }
    }
    yaml
}

fn one_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site;

    fn host<'e>(name: &'e str, address: &'e str, role: Role) -> ExampleHost<'e> {
        ExampleHost {
            name,
            address,
            role,
            host_key: None,
            further: Map::new(),
        }
    }

    fn of<'e>(hosts: &'e [ExampleHost<'e>]) -> Example<'e> {
        Example {
            name: "store-0417",
            release: "1.36",
            bundle: None,
            user: "edge",
            identity: None,
            hosts,
            pods: None,
            services: None,
            avoid: &[],
            further: Map::new(),
        }
    }

    #[test]
    fn it_is_a_site_without_warnings() {
        let hosts = [
            host("edge-1", "10.0.0.11", Role::ControlPlane),
            host("edge-2", "10.0.0.12", Role::Worker),
        ];
        let text = example(&of(&hosts));
        let (site, warnings) =
            site::load(&text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        assert!(warnings.is_empty(), "{warnings}");
        assert_eq!(site.hosts().len(), 2);
        assert_eq!(site.network().pods(), DEFAULT_PODS);
        assert_eq!((site.content(), site.access().identity()), (None, None));
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn further_keys_are_written_as_the_site_file_has_them() {
        let further = serde_json::json!({
            "labels": {"zone": "yes", "x/y": ""},
            "assume": {"architecture": "arm64", "nameservers": ["10.0.0.1"]},
        });
        let Value::Object(further) = further else { panic!() };
        let hosts = [ExampleHost {
            further,
            ..host("edge-1", "10.0.0.11", Role::ControlPlane)
        }];
        let facility = serde_json::json!({"facility": {"owner": "a: b", "networks": [
            {"name": "admin", "cidr": "10.0.0.0/24", "interface": 0, "vlan": "101"},
        ]}});
        let Value::Object(further) = facility else {
            panic!()
        };
        let avoid = ["192.168.0.0/24".parse().unwrap()];
        let text = example(&Example {
            further,
            avoid: &avoid,
            services: Some("10.96.0.0/16"),
            ..of(&hosts)
        });
        let (site, warnings) =
            site::load(&text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        assert!(warnings.is_empty(), "{warnings}");
        assert_eq!(site.facility().owner.as_deref(), Some("a: b"));
        assert_eq!(site.facility().networks[0].vlan.as_deref(), Some("101"));
        assert_eq!(site.hosts()[0].assume().nameservers().len(), 1);
        assert_eq!(site.network().services().to_string(), "10.96.0.0/16");
        assert_ne!(site.network().pods(), DEFAULT_PODS);
    }

    #[test]
    fn its_networks_keep_clear_of_the_hosts() {
        for address in ["192.168.1.10", "172.16.1.200", "10.244.3.4", "100.96.0.9"] {
            let hosts = [
                host("edge-1", address, Role::ControlPlane),
                host("edge-2", "10.112.0.1", Role::Worker),
            ];
            let text = example(&of(&hosts));
            site::load(&text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        }
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        for text in [
            "/srv/it's \"mine\"",
            "yes",
            "1.36",
            "",
            " a",
            "a: b",
            "a #b",
            "~",
            "#",
            "- a",
            "ä\t\u{7f}",
            "*a",
            "null",
        ] {
            let hosts = [host("edge-1", "10.0.0.11", Role::ControlPlane)];
            let text_of = example(&Example {
                bundle: Some(text),
                identity: Some(text),
                ..of(&hosts)
            });
            let spec = crate::spec::parse(&text_of, "site.yaml")
                .unwrap_or_else(|problems| panic!("{problems}\n{text_of}"));
            let body = spec.document().spec.value().expect("it is there");
            let bundle = body.content.value().and_then(|content| content.bundle.value());
            assert_eq!(bundle.map(String::as_str), Some(text));
            let identity = body.access.value().and_then(|access| access.identity.value());
            assert_eq!(identity.map(String::as_str), Some(text));
        }
    }
}
