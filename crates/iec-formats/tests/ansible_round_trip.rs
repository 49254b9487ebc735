//! `iec init --from-ansible` makes of IEC's own rendering the site that was rendered.

#![expect(clippy::disallowed_methods, reason = "a test reads the example sites")]

#[path = "../../iec-core/tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;

use iec_core::release::Release;
use iec_core::render::{FileContent, Format, Options, Subject, render};
use iec_core::site::{Site, load};
use iec_formats::ansible::{File, Wanted, import, read};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{facts, manifest, plain_host, plan_of, site, site_names};

fn inventory(site: &Site) -> String {
    let facts = facts(site, plain_host);
    let release = Release::bundled(site.release()).expect("a release of the program");
    let subject = Subject {
        site,
        facts: &facts,
        release: &release,
        content: &manifest(&release),
        plan: &plan_of(site, &facts),
        moment: "2026-11-23 19:12 UTC",
        who: "alice@laptop",
        run: "run-1",
    };
    let files = render(&subject, Format::Ansible, &Options::default());
    match &files["inventory.yml"].content {
        FileContent::Text(text) => text.clone(),
        FileContent::Secret(_) | FileContent::Blob { .. } => panic!("an inventory is a text"),
    }
}

fn imported(inventory: &str) -> (Site, String) {
    let wanted = Wanted {
        name: None,
        usual_name: "another",
        release: "0.0",
        bundle: None,
        user: None,
        usual_user: "nobody",
        identity: None,
        hosts: &[],
        configuration: None,
    };
    let file = File {
        text: inventory,
        file: "inventory.yml",
    };
    let read = read(&[file]).unwrap_or_else(|problems| panic!("{problems}\n{inventory}"));
    let imported = import(read, &[], &wanted).unwrap_or_else(|problems| panic!("{problems}\n{inventory}"));
    let (site, _) =
        load(&imported.text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}\n{}", imported.text));
    (site, imported.warnings.to_string())
}

/// What a site means, whichever way it says it: accounts and ports of every host, and no order of hosts. Where the bundle is,
/// absent hosts and Helm's releases are not in an inventory.
fn meaning(site: &Site) -> Value {
    let mut site = json!(site);
    let access = site["access"].clone();
    site["content"] = Value::Null;
    site["helm"] = Value::Null;
    site["access"] = json!({ "identity": access["identity"] });
    let hosts = site["hosts"].as_array_mut().expect("hosts");
    hosts.retain(|host| host["state"] == "present");
    for host in hosts.iter_mut() {
        for key in ["user", "port"] {
            if host[key].is_null() {
                host[key] = access[key].clone();
            }
        }
        if host["port"].is_null() {
            host["port"] = json!(22);
        }
    }
    hosts.sort_by_key(|host| host["name"].as_str().map(str::to_owned));
    site
}

fn comes_back(site: &Site) {
    let text = inventory(site);
    let (again, warnings) = imported(&text);
    assert_eq!(meaning(&again), meaning(site), "{text}\n{warnings}");
    for release in site.helm() {
        assert!(warnings.contains(release.name().as_str()), "{warnings}");
    }
}

#[test]
fn every_example_site_comes_back() {
    for name in site_names() {
        comes_back(&site(&name));
    }
}

/// A host of a generated site: whether it has the first one's address, and what else it says.
#[derive(Debug, Clone)]
struct Host {
    behind: bool,
    node_address: bool,
    user: Option<&'static str>,
    port: Option<u16>,
    labels: Vec<(&'static str, &'static str)>,
    taint: bool,
    assume: Option<&'static str>,
}

fn host() -> impl Strategy<Value = Host> {
    let labels = prop::sample::subsequence(
        vec![
            ("zone", "rack-a"),
            ("a.io/yes", "yes"),
            ("b", ""),
            ("n", "012"),
            ("t", "true"),
        ],
        0..4,
    );
    (
        any::<bool>(),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec!["core", "yes", "012", "null"])),
        prop::option::of(1_u16..),
        labels,
        any::<bool>(),
        prop::option::of(prop::sample::select(vec![
            "architecture: arm64",
            "cgroup: v1",
            "nameservers: [192.0.2.53]",
            "container: true, cpus: 4, memoryMib: 4096",
        ])),
    )
        .prop_map(|(behind, node_address, user, port, labels, taint, assume)| Host {
            behind,
            node_address,
            user,
            port,
            labels,
            taint,
            assume,
        })
}

/// The text of a site with these hosts.
fn text(hosts: &[Host], port: Option<u16>, cluster: &str) -> String {
    let mut text = format!(
        "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {{name: shop}}\nspec:\n  release: \"1.36\"\n  access: {{user: edge, identity: \"~/k y\"{}}}\n  accept: [cgroup-v1, container-host, small-host]\n{cluster}  hosts:\n",
        port.map_or_else(String::new, |port| format!(", port: {port}"))
    );
    for (index, host) in hosts.iter().enumerate() {
        let role = if index == 0 { "control-plane" } else { "worker" };
        let behind = host.behind && index > 0;
        // Behind one address each host has a port of its own.
        let address = if behind { 1 } else { index + 1 };
        let port = if behind || index == 0 {
            Some(2000 + u16::try_from(index).expect("few hosts"))
        } else {
            host.port
        };
        let mut line = format!("name: h{index}, address: 10.0.0.{address}, role: {role}");
        let mut put = |part: &str| write!(line, ", {part}").expect("a string takes everything");
        if host.node_address || behind {
            put(&format!("nodeAddress: 10.3.0.{}", index + 1));
        }
        if let Some(user) = host.user {
            put(&format!("user: \"{user}\""));
        }
        if let Some(port) = port {
            put(&format!("port: {port}"));
        }
        if let Some(assume) = host.assume {
            put(&format!("assume: {{{assume}}}"));
        }
        let labels: Vec<String> = host
            .labels
            .iter()
            .map(|(key, value)| format!("{key}: \"{value}\""))
            .collect();
        put(&format!("labels: {{{}}}", labels.join(", ")));
        if host.taint && index > 0 {
            put("taints: [{key: edge, value: \"1\", effect: PreferNoSchedule}]");
        }
        writeln!(text, "    - {{{line}}}").expect("a string takes everything");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_generated_site_comes_back(
        hosts in prop::collection::vec(host(), 1..5),
        port in prop::option::of(1_u16..),
        cluster in prop::sample::select(vec![
            "",
            "  controlPlane: {endpoint: \"api.shop.example.com:7443\"}\n",
            "  network: {pods: 10.244.0.0/16, services: 10.96.0.0/16, cni: {calico: {encapsulation: VXLANCrossSubnet, mtu: 1400, blockSize: 25, nodeAddress: {cidr: [10.0.0.0/8]}}}}\n  kubelet: {maxPods: 64, evictionHard: {memory.available: 100Mi}, systemReserved: {cpu: 250m}}\n",
            "  network: {cni: {calico: {nodeAddress: {interface: en(o|p).*}}}}\n  runtime: {takeOver: true}\n",
            "  network: {cni: {calico: {nodeAddress: {can-reach: 192.0.2.1}}}}\n  facility: {owner: \"a: {{ b }}\", networks: [{name: oob, cidr: 10.9.0.0/24, vlan: \"101\"}]}\n",
        ]),
    ) {
        let text = text(&hosts, port, cluster);
        let (site, _) = load(&text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        comes_back(&site);
    }
}
