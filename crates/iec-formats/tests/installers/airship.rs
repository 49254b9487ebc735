//! What Promenade's build and Drydock's design need of a site: certificates, labels, ranges, packet sizes, other documents.

use std::collections::BTreeMap;

use iec_formats::Format;
use serde_json::{Value, json};

use super::{names, objects, site_of};
use crate::support::{site, site_names};
use crate::{object, rendered, rendered_at_a_desk};

/// The names of an authority's certificates.
fn certificates(files: &BTreeMap<String, String>, authority: &str) -> Vec<String> {
    let catalog = object(files, "promenade/PKICatalog/v1");
    names(
        &catalog["data"]["certificate_authorities"][authority]["certificates"],
        "document_name",
    )
}

#[test]
fn the_catalog_has_what_charts_of_both_etcds_ask_for() {
    let files = rendered(&site("three-hosts"), Format::Airship);
    for (authority, expected) in [
        (
            "kubernetes-etcd",
            &[
                "apiserver-etcd",
                "kubernetes-etcd-anchor",
                "kubernetes-etcd-genesis",
                "kubernetes-etcd-edge-1",
            ][..],
        ),
        (
            "kubernetes-etcd-peer",
            &["kubernetes-etcd-genesis-peer", "kubernetes-etcd-edge-1-peer"],
        ),
        (
            "calico-etcd",
            &["calico-etcd-anchor", "calico-etcd-edge-1", "calico-node"],
        ),
        (
            "calico-etcd-peer",
            &["calico-etcd-edge-1-peer", "calico-node-peer"],
        ),
    ] {
        assert_eq!(certificates(&files, authority), expected, "{authority}");
    }
    let catalog = object(&files, "promenade/PKICatalog/v1");
    let members = &catalog["data"]["certificate_authorities"]["calico-etcd"]["certificates"][1]["hosts"];
    assert_eq!(
        *members,
        json!(["edge-1", "10.0.0.11", "127.0.0.1", "localhost", "172.16.1.136"])
    );
    assert!(files["pki-catalog.yaml"].contains("for the service address 172.16.1.136"));
}

#[test]
fn a_name_of_a_certificate_is_there_once_whatever_the_authority() {
    for name in site_names() {
        let files = rendered(&site(&name), Format::Airship);
        let catalog = object(&files, "promenade/PKICatalog/v1");
        let authorities = catalog["data"]["certificate_authorities"].as_object();
        let mut all: Vec<String> = authorities
            .expect("authorities")
            .values()
            .flat_map(|authority| names(&authority["certificates"], "document_name"))
            .collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{name}: {all:?}");
    }
}

#[test]
fn the_labels_are_those_that_charts_select() {
    let of = |name: &str, schema: &str| -> Vec<Vec<String>> {
        let documents = objects(&rendered(&site(name), Format::Airship), schema);
        let labels = documents
            .iter()
            .map(|document| document["data"]["labels"]["dynamic"].clone());
        labels
            .map(|labels| serde_json::from_value(labels).expect("a list of texts"))
            .collect()
    };
    let selected = [
        "coredns=enabled",
        "kubernetes-apiserver=enabled",
        "kubernetes-controller-manager=enabled",
        "kubernetes-etcd=enabled",
        "kubernetes-scheduler=enabled",
        "ucp-control-plane=enabled",
    ];
    let nodes = of("three-hosts", "promenade/KubernetesNode/v1");
    assert_eq!(nodes[0], selected);
    assert_eq!(
        nodes[2],
        ["iec.dev/role=worker", "topology.kubernetes.io/zone=rack-b"]
    );
    let genesis = of("three-hosts", "promenade/Genesis/v1");
    assert_eq!(
        genesis[0],
        [&selected[..], &["promenade-genesis=enabled"]].concat()
    );
    // Only where Calico has an etcd of its own.
    let etcd = of("calico-etcd", "promenade/KubernetesNode/v1");
    assert!(etcd[0].contains(&"calico-etcd=enabled".to_owned()), "{etcd:?}");
    assert!(!etcd[1].contains(&"calico-etcd=enabled".to_owned()), "{etcd:?}");
}

/// The ranges of a site with two hosts at 10.0.0.11 and 10.0.0.12 whose first network has this.
fn ranges(network: &str) -> (Value, BTreeMap<String, String>) {
    let host = |name: &str, role: &str, number: u8| {
        format!(
            "name: {name}, address: 10.0.0.{number}, role: {role}, hardware: {{interfaces: [{{name: eno1, mac: \"02:00:00:00:01:{number}\", address: 10.0.0.{number}/24}}, {{name: eno2, mac: \"02:00:00:00:02:{number}\"}}]}}"
        )
    };
    let hosts = [host("cp", "control-plane", 11), host("w1", "worker", 12)];
    let site = site_of(
        &[&hosts[0], &hosts[1]],
        &format!("  facility: {{networks: [{{{network}}}]}}\n"),
    );
    let files = rendered_at_a_desk(&site, Format::Airship);
    let ranges = object(&files, "drydock/Network/v1")["data"]["ranges"].clone();
    (ranges, files)
}

#[test]
fn machines_start_with_addresses_that_nobody_has() {
    let fixed = json!({ "type": "static", "start": "10.0.0.11", "end": "10.0.0.12" });
    let free = |first: &str, last: &str| json!({ "type": "dhcp", "start": first, "end": last });
    for (network, expected) in [
        // Beside the hosts, behind them, before them, and around a router.
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 0, range: 10.0.0.100-10.0.0.199",
            json!([fixed, free("10.0.0.100", "10.0.0.199")]),
        ),
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 0, range: 10.0.0.11-10.0.0.99",
            json!([fixed, free("10.0.0.13", "10.0.0.99")]),
        ),
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 0, range: 10.0.0.2-10.0.0.12",
            json!([fixed, free("10.0.0.2", "10.0.0.10")]),
        ),
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 0, gateway: 10.0.0.100, nameservers: [10.0.0.101], range: 10.0.0.100-10.0.0.110",
            json!([fixed, free("10.0.0.102", "10.0.0.110")]),
        ),
    ] {
        let (ranges, files) = ranges(network);
        assert_eq!(ranges, expected, "{network}");
        assert!(
            !files["networks.yaml"].contains("nothing boots by PXE"),
            "{network}"
        );
    }
}

#[test]
fn where_nothing_can_boot_by_pxe_it_is_said() {
    for (network, first) in [
        ("name: lan, cidr: 10.0.0.0/24, interface: 0", "10.0.0.11"),
        // Too few, not without a tag, not of the card that starts the machine, not of the machines.
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 0, range: 10.0.0.11-10.0.0.13",
            "10.0.0.11",
        ),
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 0, vlan: \"7\", range: 10.0.0.100-10.0.0.199",
            "10.0.0.100",
        ),
        (
            "name: lan, cidr: 10.0.0.0/24, interface: 1, range: 10.0.0.100-10.0.0.199",
            "10.0.0.100",
        ),
        (
            "name: oob, cidr: 10.9.0.0/24, range: 10.9.0.1-10.9.0.99}, {name: lan, cidr: 10.0.0.0/24, interface: 0",
            "10.9.0.1",
        ),
    ] {
        let (ranges, files) = ranges(network);
        assert!(
            files["networks.yaml"]
                .contains("# - no network has a range for DHCP, so that nothing boots by PXE"),
            "{network}"
        );
        assert_eq!(ranges[0]["type"], "static", "{network}");
        assert_eq!(ranges[0]["start"], first, "{network}");
    }
}

#[test]
fn a_machine_without_an_address_where_it_starts_takes_what_it_is_given() {
    let (_, files) = ranges(
        "name: pxe, cidr: 10.7.0.0/24, interface: 0, range: 10.7.0.10-10.7.0.99}, {name: lan, cidr: 10.0.0.0/24, interface: 0, vlan: \"7\"",
    );
    for node in objects(&files, "drydock/BaremetalNode/v1") {
        let addressing = node["data"]["addressing"].as_array().expect("addresses");
        assert!(
            addressing.contains(&json!({ "network": "pxe", "address": "dhcp" })),
            "{node}"
        );
        assert_eq!(node["data"]["primary_network"], "lan");
    }
}

#[test]
fn packets_are_as_large_as_the_site_says() {
    let files = rendered_at_a_desk(&site("two-nics"), Format::Airship);
    let sizes = |schema: &str| -> BTreeMap<String, Value> {
        let documents = objects(&files, schema);
        documents
            .iter()
            .map(|document| {
                let name = document["metadata"]["name"].as_str().expect("a name");
                (name.to_owned(), document["data"]["mtu"].clone())
            })
            .collect()
    };
    assert_eq!(
        sizes("drydock/Network/v1"),
        BTreeMap::from([
            ("site".to_owned(), json!(1500)),
            ("cluster".to_owned(), json!(9000))
        ])
    );
    assert_eq!(
        sizes("drydock/NetworkLink/v1"),
        BTreeMap::from([
            ("link-0".to_owned(), json!(1500)),
            ("link-1".to_owned(), json!(9000))
        ])
    );
}

#[test]
fn the_header_names_the_documents_that_are_needed_besides() {
    let files = rendered(&site("single-host"), Format::Airship);
    for text in files.values() {
        for needed in [
            "LayeringPolicy",
            "Docker",
            "HostSystem",
            "Kubelet",
            "Region",
            "HardwareProfile",
            "storage",
        ] {
            let head = text.split("---").next().expect("a header");
            assert!(head.contains(needed), "{needed}");
        }
    }
}
