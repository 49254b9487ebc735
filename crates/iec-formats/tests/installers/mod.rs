//! What other installers refuse, or take silently for something else: each a sentence of their own sources.

mod airship;
mod metal3;

use std::collections::BTreeMap;

use iec_core::site::Site;
use iec_formats::Format;
use serde_json::{Value, json};

use super::support::{parse, site, site_names};
use super::{documents, object, rendered, try_rendered};

/// A site whose hosts have these lines, and whose specification ends with these.
fn site_of(hosts: &[&str], rest: &str) -> Site {
    let hosts: String = hosts.iter().map(|host| format!("    - {{{host}}}\n")).collect();
    parse(&format!(
        "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {{name: a}}\nspec:\n  release: \"1.36\"\n  access: {{user: edge}}\n  hosts:\n{hosts}{rest}"
    ))
}

/// All objects of a kind, or of a schema.
fn objects(files: &BTreeMap<String, String>, kind: &str) -> Vec<Value> {
    let all = files.values().flat_map(|text| documents(text));
    all.filter(|document| document["kind"] == kind || document["schema"] == kind)
        .collect()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|entry| entry[key].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn metal3_finds_the_node_of_every_machine_by_its_label() {
    for name in site_names() {
        let files = rendered(&site(&name), Format::Metal3);
        let mut configurations = Vec::new();
        for control_plane in objects(&files, "KubeadmControlPlane") {
            let spec = &control_plane["spec"]["kubeadmConfigSpec"];
            configurations.extend([&spec["initConfiguration"], &spec["joinConfiguration"]].map(Value::clone));
        }
        for template in objects(&files, "KubeadmConfigTemplate") {
            configurations.push(template["spec"]["template"]["spec"]["joinConfiguration"].clone());
        }
        assert!(configurations.len() >= 2, "{name}");
        for configuration in configurations {
            let arguments = &configuration["nodeRegistration"]["kubeletExtraArgs"];
            let list = arguments.as_array().expect("arguments");
            let own = list.iter().filter(|argument| argument["name"] == "node-labels");
            let labels: Vec<&str> = own.filter_map(|argument| argument["value"].as_str()).collect();
            assert_eq!(labels.len(), 1, "{name}");
            assert!(
                labels[0].starts_with("metal3.io/uuid={{ ds.meta_data.uuid }}"),
                "{name}: {labels:?}"
            );
        }
    }
}

#[test]
fn promenade_gets_labels_for_every_node_and_arguments_for_the_first() {
    for name in site_names() {
        let site = site(&name);
        let files = rendered(&site, Format::Airship);
        for node in objects(&files, "promenade/KubernetesNode/v1") {
            let labels = node["data"]["labels"]["dynamic"].as_array().expect("a list");
            assert!(!labels.is_empty(), "{name}: {node}");
        }
        let arguments = &object(&files, "promenade/Genesis/v1")["data"]["apiserver"]["arguments"];
        let range = format!("--service-cluster-ip-range={}", site.network().services());
        assert_eq!(
            *arguments,
            json!(["--authorization-mode=Node,RBAC", range]),
            "{name}"
        );
    }
}

#[test]
fn a_host_name_that_promenade_does_not_take_is_refused_by_name() {
    let wrong = site_of(
        &[
            "name: 9-cp, address: 10.0.0.1, role: control-plane",
            "name: w, address: 10.0.0.2, role: worker",
        ],
        "",
    );
    let problems = try_rendered(&wrong, Format::Airship).expect_err("two names do not fit");
    let told: Vec<(&str, &str)> = problems
        .iter()
        .map(|problem| (problem.code, problem.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("IEC3932", "Promenade takes no host name such as 9-cp"),
            ("IEC3932", "Promenade takes no host name such as w"),
        ]
    );
    assert!(try_rendered(&wrong, Format::Metal3).is_ok());
}

#[test]
fn the_header_claims_calico_only_where_its_file_is() {
    for name in site_names() {
        let files = rendered(&site(&name), Format::Metal3);
        let claimed = files["1-hosts.yaml"].contains("as a ClusterResourceSet");
        assert_eq!(claimed, files.contains_key("5-calico.yaml"), "{name}");
    }
}

#[test]
fn an_address_that_is_the_endpoint_is_in_the_certificate_once() {
    let text = "  controlPlane: {endpoint: \"10.0.0.1:6443\"}\n";
    let site = site_of(&["name: cp, address: 10.0.0.1, role: control-plane"], text);
    let metal3 = rendered(&site, Format::Metal3);
    let spec = &object(&metal3, "KubeadmControlPlane")["spec"]["kubeadmConfigSpec"];
    assert_eq!(
        spec["clusterConfiguration"]["apiServer"]["certSANs"],
        json!(["10.0.0.1"])
    );
    let catalog = object(&rendered(&site, Format::Airship), "promenade/PKICatalog/v1");
    let servers = &catalog["data"]["certificate_authorities"]["kubernetes"]["certificates"][0]["hosts"];
    let count = servers
        .as_array()
        .expect("hosts")
        .iter()
        .filter(|name| **name == "10.0.0.1")
        .count();
    assert_eq!(count, 1, "{servers}");
}

const CONTROL_PLANE: &str = "name: cp, address: 10.0.0.1, role: control-plane, hardware: {management: {protocol: redfish, address: \"https://10.9.0.1/redfish/v1/Systems/1\", port: 8443, user: admin}, interfaces: [{name: eno1, mac: \"02:00:00:00:01:01\", address: 10.0.0.1/24}]}";

#[test]
fn controllers_are_named_as_each_tool_reads_them() {
    let hypervisor = "name: vm, address: 10.0.0.2, role: worker, hardware: {management: {protocol: libvirt, address: \"qemu+ssh://root@10.9.0.2/system\"}, interfaces: [{name: eno1, mac: \"02:00:00:00:01:02\", address: 10.0.0.2/24}]}";
    let silent = "name: old, address: 10.0.0.3, role: worker, hardware: {management: {protocol: ipmi, address: 10.0.0.103}}";
    let site = site_of(&[CONTROL_PLANE, hypervisor, silent], "");

    let metal3 = rendered(&site, Format::Metal3);
    let addresses: Vec<Value> = objects(&metal3, "BareMetalHost")
        .iter()
        .map(|host| host["spec"]["bmc"]["address"].clone())
        .collect();
    assert_eq!(
        addresses,
        [
            json!("redfish+https://10.9.0.1:8443/redfish/v1/Systems/1"),
            Value::Null,
            json!("ipmi://10.0.0.103")
        ]
    );
    assert!(
        metal3["1-hosts.yaml"].contains("# - vm: Metal3 has no driver for a controller that speaks qemu+ssh")
    );

    let instance = object(&rendered(&site, Format::ClusterInstance), "ClusterInstance");
    assert_eq!(
        instance["spec"]["nodes"][0]["bmcAddress"],
        "redfish-virtualmedia+https://10.9.0.1:8443/redfish/v1/Systems/1"
    );

    let airship = rendered(&site, Format::Airship);
    let oob: Vec<Value> = objects(&airship, "drydock/BaremetalNode/v1")
        .iter()
        .map(|node| node["data"]["oob"].clone())
        .collect();
    assert_eq!(
        oob,
        [
            json!({ "type": "redfish", "network": "oob", "account": "admin" }),
            json!({ "type": "libvirt", "libvirt_uri": "qemu+ssh://root@10.9.0.2/system" }),
            json!({ "type": "ipmi" }),
        ]
    );
    for note in [
        "# - old: Drydock wants the controller in a network",
        "# - old: the site names no account",
        "# - cp: Drydock takes the protocol's own port",
    ] {
        assert!(airship["baremetal.yaml"].contains(note), "{note}");
    }
}

#[test]
fn a_single_node_is_installed_before_its_workers() {
    let worker = "name: w, address: 10.0.0.2, role: worker";
    let files = rendered(&site_of(&[CONTROL_PLANE, worker], ""), Format::ClusterInstance);
    let of = |file: &str| {
        let object = &documents(&files[file])[1];
        (
            object["spec"]["clusterType"].clone(),
            names(&object["spec"]["nodes"], "hostName"),
        )
    };
    assert_eq!(of("cluster-instance.yaml"), (json!("SNO"), vec!["cp".to_owned()]));
    assert_eq!(
        of("cluster-instance-with-workers.yaml"),
        (json!("SNO"), vec!["cp".to_owned(), "w".to_owned()])
    );
    assert!(files["cluster-instance.yaml"].contains("only when that cluster stands"));
    let alone = rendered(&site_of(&[CONTROL_PLANE], ""), Format::ClusterInstance);
    assert_eq!(alone.keys().collect::<Vec<_>>(), ["cluster-instance.yaml"]);
}

#[test]
fn a_node_network_has_the_addresses_of_its_cards_or_is_left_out() {
    let tagged = "name: w, address: 10.0.0.2, nodeAddress: 10.5.0.2, role: worker, hardware: {interfaces: [{name: eno1, mac: \"02:00:00:00:01:02\", address: 10.0.0.2/24}, {name: eno2, mac: \"02:00:00:00:02:02\", address: 10.5.0.2/24, vlan: \"7\"}]}";
    let unknown = "name: x, address: 10.0.0.3, role: worker, hardware: {interfaces: [{name: eno1, mac: \"02:00:00:00:01:03\"}]}";
    let facility = "  facility: {networks: [{name: video, cidr: 10.5.0.0/24, interface: 1, vlan: \"7\", gateway: 10.5.0.254, nameservers: [10.5.0.9]}]}\n";
    let files = rendered(
        &site_of(&[CONTROL_PLANE, tagged, unknown], facility),
        Format::ClusterInstance,
    );
    let nodes = &documents(&files["cluster-instance-with-workers.yaml"])[1]["spec"]["nodes"];
    let static_v4 =
        |ip: &str| json!({ "enabled": true, "dhcp": false, "address": [{ "ip": ip, "prefix-length": 24 }] });
    assert_eq!(
        nodes[0]["nodeNetwork"],
        json!({
            "interfaces": [{ "name": "eno1", "macAddress": "02:00:00:00:01:01" }],
            "config": { "interfaces": [
                { "name": "eno1", "type": "ethernet", "state": "up", "ipv4": static_v4("10.0.0.1"), "ipv6": { "enabled": false } },
            ] },
        })
    );
    let config = &nodes[1]["nodeNetwork"]["config"];
    assert_eq!(names(&config["interfaces"], "name"), ["eno1", "eno2", "eno2.7"]);
    assert_eq!(
        config["interfaces"][2]["vlan"],
        json!({ "base-iface": "eno2", "id": 7 })
    );
    assert_eq!(config["interfaces"][2]["ipv4"], static_v4("10.5.0.2"));
    assert_eq!(config["routes"]["config"][0]["next-hop-interface"], "eno2.7");
    assert_eq!(config["dns-resolver"]["config"]["server"], json!(["10.5.0.9"]));
    assert_eq!(nodes[2]["nodeNetwork"], Value::Null);
    assert!(files["cluster-instance.yaml"].contains("# - x: the site does not say which card"));
}

#[test]
fn labels_that_no_annotation_can_carry_are_left_out_by_name() {
    let prefix = |length: usize| "p".repeat(63) + "." + &"q".repeat(length - 64);
    let labels = [
        "abcdefghij0123456789".to_owned(),
        "abcdefghij01234567890".to_owned(),
        format!("example.org/{}", "n".repeat(63)),
    ];
    let long = [
        format!("{}.{}/a", prefix(127), "r".repeat(63)),
        format!("{}.{}.{}/a", prefix(127), "r".repeat(63), "s".repeat(40)),
    ];
    let all: Vec<String> = labels
        .iter()
        .chain(&long)
        .map(|key| format!("\"{key}\": x"))
        .collect();
    let host = format!(
        "name: cp, address: 10.0.0.1, role: control-plane, labels: {{{}}}",
        all.join(", ")
    );
    let files = rendered(&site_of(&[&host], ""), Format::ClusterInstance);
    let nodes = &object(&files, "ClusterInstance")["spec"]["nodes"];
    let carried: Vec<&String> = nodes[0]["nodeLabels"]
        .as_object()
        .expect("labels")
        .keys()
        .collect();
    let mut expected = vec![&labels[0], &labels[2], &long[0]];
    expected.sort();
    assert_eq!(carried, expected);
    for key in carried {
        let annotation = format!("bmac.agent-install.openshift.io.node-label.{key}");
        let (before, name) = annotation.split_once('/').unwrap_or(("", &annotation));
        assert!(before.len() <= 253 && name.len() <= 63, "{annotation}");
    }
    for left_out in [&labels[1], &long[1]] {
        let note = format!("# - cp: the label {left_out} is left out");
        assert!(files["cluster-instance.yaml"].contains(&note), "{note}");
    }
}

/// Drydock's checks DD1007, DD2004 and DD2005, for every link and node of these documents.
fn check_links(files: &BTreeMap<String, String>) {
    let networks = objects(files, "drydock/Network/v1");
    let is_tagged = |name: &str| {
        networks
            .iter()
            .any(|network| network["metadata"]["name"] == name && !network["data"]["vlan"].is_null())
    };
    let list =
        |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).expect("a list of names") };
    let mut carried: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for link in objects(files, "drydock/NetworkLink/v1") {
        let allowed = list(&link["data"]["allowed_networks"]);
        let untagged: Vec<&String> = allowed.iter().filter(|name| !is_tagged(name)).collect();
        assert!(untagged.len() <= 1, "{link}");
        let default = &link["data"]["trunking"]["default_network"];
        assert_eq!(
            default.as_str(),
            untagged.first().map(|name| name.as_str()),
            "{link}"
        );
        let disabled = link["data"]["trunking"]["mode"] == "disabled";
        assert_eq!(disabled, allowed.len() == untagged.len(), "{link}");
        carried.insert(
            link["metadata"]["name"].as_str().expect("a name").to_owned(),
            allowed,
        );
    }
    let mut all: Vec<&String> = carried.values().flatten().collect();
    all.sort();
    assert!(
        all.windows(2).all(|pair| pair[0] != pair[1]),
        "a network is on two links: {all:?}"
    );
    for node in objects(files, "drydock/BaremetalNode/v1") {
        let data = &node["data"];
        let mut reached = vec![data["oob"]["network"].as_str().unwrap_or_default().to_owned()];
        for interface in data["interfaces"]
            .as_object()
            .into_iter()
            .flat_map(|all| all.values())
        {
            let networks = list(&interface["networks"]);
            assert_eq!(
                networks,
                carried[interface["device_link"].as_str().expect("a link")]
            );
            reached.extend(networks);
        }
        let addressed = names(&data["addressing"], "network");
        assert!(addressed.iter().all(|name| reached.contains(name)), "{node}");
        assert!(
            addressed.contains(&data["primary_network"].as_str().expect("a name").to_owned()),
            "{node}"
        );
        assert!(addressed.windows(2).all(|pair| pair[0] != pair[1]), "{node}");
    }
}

#[test]
fn a_link_of_drydock_has_one_network_without_a_tag_and_every_node_is_on_its_own() {
    for name in site_names() {
        check_links(&rendered(&site(&name), Format::Airship));
    }
    let subnets = [
        "name: cp, address: 10.0.0.1, role: control-plane",
        "name: wa, address: 10.0.1.1, role: worker",
        "name: wb, address: 10.0.2.1, role: worker",
    ];
    let files = rendered(&site_of(&subnets, ""), Format::Airship);
    check_links(&files);
    let primary: Vec<Value> = objects(&files, "drydock/BaremetalNode/v1")
        .iter()
        .map(|node| node["data"]["primary_network"].clone())
        .collect();
    assert_eq!(primary, ["site", "site-2", "site-3"]);
    let shared = "  facility: {networks: [{name: admin, cidr: 10.0.0.0/24, interface: 0}, {name: video, cidr: 10.5.0.0/24, interface: 0}, {name: storage, cidr: 10.7.0.0/24, interface: 0, vlan: \"7\"}, {name: ranged, cidr: 10.8.0.0/24, interface: 0, vlan: 300-310}]}\n";
    let files = rendered(&site_of(&[CONTROL_PLANE], shared), Format::Airship);
    check_links(&files);
    for note in [
        "the networks admin and video are both without a tag",
        "the network ranged is left out",
    ] {
        assert!(files["networks.yaml"].contains(note), "{note}");
    }
}
