//! What Metal3's provider and Cluster API need of a site: addresses, networks, labels, and rollouts that end.

use iec_formats::Format;
use serde_json::{Value, json};

use super::{objects, site_of};
use crate::support::{site, site_names};
use crate::{documents, object, rendered, rendered_at_a_desk};

/// The `KubeadmConfigSpec` of every group.
fn configurations(files: &std::collections::BTreeMap<String, String>) -> Vec<Value> {
    let control_planes = objects(files, "KubeadmControlPlane");
    let workers = objects(files, "KubeadmConfigTemplate");
    control_planes
        .iter()
        .map(|object| object["spec"]["kubeadmConfigSpec"].clone())
        .chain(
            workers
                .iter()
                .map(|object| object["spec"]["template"]["spec"].clone()),
        )
        .collect()
}

fn file<'a>(configuration: &'a Value, path: &str) -> Option<&'a str> {
    let mut files = configuration["files"].as_array()?.iter();
    files.find(|file| file["path"] == path)?["content"].as_str()
}

#[test]
fn pods_get_the_name_servers_of_the_place_or_those_of_the_machine() {
    let kubelet = "/etc/iec/kubeadm-patches/kubeletconfiguration1+strategic.yaml";
    let known = rendered_at_a_desk(&site("machines"), Format::Metal3);
    for configuration in configurations(&known) {
        assert_eq!(
            file(&configuration, "/etc/iec/resolv.conf"),
            Some("nameserver 10.1.0.1\n")
        );
        let patch = &documents(file(&configuration, kubelet).expect("the common part"))[0];
        assert_eq!(patch["resolvConf"], "/etc/iec/resolv.conf");
    }
    let unknown = rendered_at_a_desk(&site("three-hosts"), Format::Metal3);
    for configuration in configurations(&unknown) {
        assert_eq!(file(&configuration, "/etc/iec/resolv.conf"), None);
        let patch = &documents(file(&configuration, kubelet).expect("the common part"))[0];
        assert_eq!(patch["resolvConf"], Value::Null, "a file that is not there");
        assert_eq!(patch["maxPods"], 110);
    }
    assert!(unknown["1-hosts.yaml"].contains("# - nobody knows the name servers of control-plane"));
    for text in known.values().chain(unknown.values()) {
        assert!(!text.contains("192.0.2.53"), "{text}");
    }
}

#[test]
fn etcd_and_the_api_server_have_the_address_of_the_node() {
    for name in site_names() {
        let files = rendered(&site(&name), Format::Metal3);
        let spec = &object(&files, "KubeadmControlPlane")["spec"]["kubeadmConfigSpec"];
        let init = &spec["initConfiguration"]["localAPIEndpoint"];
        assert_eq!(
            init["advertiseAddress"], "{{ ds.meta_data.nodeAddress }}",
            "{name}"
        );
        assert_eq!(
            spec["joinConfiguration"]["controlPlane"]["localAPIEndpoint"], *init,
            "{name}"
        );
    }
    let port = site_of(
        &["name: cp, address: 10.0.0.1, role: control-plane"],
        "  controlPlane: {endpoint: \"api.a.example:7443\"}\n",
    );
    let spec = &object(&rendered(&port, Format::Metal3), "KubeadmControlPlane")["spec"]["kubeadmConfigSpec"];
    for endpoint in [
        &spec["initConfiguration"]["localAPIEndpoint"],
        &spec["joinConfiguration"]["controlPlane"]["localAPIEndpoint"],
    ] {
        assert_eq!(endpoint["bindPort"], 7443);
    }
}

#[test]
fn a_rollout_ends_where_every_host_is_used() {
    for name in site_names() {
        let files = rendered(&site(&name), Format::Metal3);
        for deployment in objects(&files, "MachineDeployment") {
            assert_eq!(
                deployment["spec"]["rollout"]["strategy"],
                json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } }),
                "{name}"
            );
        }
        // Cluster API refuses to shrink a control plane of fewer than three.
        let control_plane = object(&files, "KubeadmControlPlane");
        let has_spare = control_plane["spec"]["replicas"] == 3;
        let rollout = if has_spare {
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}})
        } else {
            Value::Null
        };
        assert_eq!(control_plane["spec"]["rollout"], rollout, "{name}");
        assert_ne!(
            files["1-hosts.yaml"].contains("# - a change to the control plane needs a spare host"),
            has_spare,
            "{name}"
        );
    }
}

#[test]
fn the_namespace_of_the_objects_comes_first() {
    for name in site_names() {
        let site = site(&name);
        for format in [Format::Metal3, Format::ClusterInstance] {
            let files = rendered(&site, format);
            let all: Vec<Value> = files.values().flat_map(|text| documents(text)).collect();
            assert_eq!(
                all[0],
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": site.name() } })
            );
            for object in &all {
                let namespace = &object["metadata"]["namespace"];
                assert!(object["kind"] == "Namespace" || *namespace == site.name().as_str());
            }
        }
    }
}

#[test]
fn the_card_of_the_node_and_its_vlan_are_configured() {
    let files = rendered_at_a_desk(&site("machines"), Format::Metal3);
    let hosts = objects(&files, "BareMetalHost");
    assert_eq!(
        hosts[0]["metadata"]["annotations"],
        json!({
            "iec.dev/node-address": "10.2.0.11",
            "iec.dev/nic0-mac": "02:00:00:00:01:11",
            "iec.dev/nic1-mac": "02:00:00:00:02:11",
        })
    );
    let mac = |link: usize| json!({ "fromAnnotation": { "object": "baremetalhost", "annotation": format!("iec.dev/nic{link}-mac") } });
    let template = object(&files, "Metal3DataTemplate");
    assert_eq!(template["spec"]["clusterName"], Value::Null, "it is deprecated");
    assert_eq!(
        template["spec"]["networkData"],
        json!({
            "links": {
                "ethernets": [
                    { "type": "phy", "id": "nic0", "macAddress": mac(0) },
                    { "type": "phy", "id": "nic1", "macAddress": mac(1) },
                ],
                "vlans": [{ "id": "nic1-101", "vlanID": 101, "vlanLink": "nic1", "macAddress": mac(1) }],
            },
            "networks": { "ipv4": [
                {
                    "id": "address-0", "link": "nic0", "ipAddressFromIPPool": "control-plane-address-0",
                    "routes": [{ "network": "0.0.0.0", "prefix": 0, "gateway": { "fromIPPool": "control-plane-address-0" } }],
                },
                { "id": "address-1", "link": "nic1-101", "ipAddressFromIPPool": "control-plane-address-1" },
            ] },
            "services": { "dns": ["10.1.0.1"] },
        })
    );
    let pools = objects(&files, "IPPool");
    let of = |name: &str| {
        let mut pools = pools.iter();
        pools
            .find(|pool| pool["metadata"]["name"] == name)
            .expect("a pool")["spec"]
            .clone()
    };
    assert_eq!(
        of("control-plane-address-0"),
        json!({
            "clusterName": "kiosk", "namePrefix": "control-plane-address-0",
            "pools": [{ "start": "10.1.0.11", "end": "10.1.0.11", "prefix": 24, "gateway": "10.1.0.1" }],
        })
    );
    assert_eq!(
        of("worker-address-1")["pools"],
        json!([{ "start": "10.2.0.12", "end": "10.2.0.12", "prefix": 24 }])
    );
    assert_eq!(pools.len(), 4);
}

const FACILITY: &str = "  facility: {networks: [{name: lan, cidr: 10.0.0.0/24, interface: 0, gateway: 10.0.0.254, nameservers: [10.0.0.9]}, {name: cluster, cidr: 10.5.0.0/24, interface: 1, vlan: \"7\"}, {name: other, cidr: 10.6.0.0/24, interface: 1, vlan: \"7\"}]}\n  network: {cni: {calico: {mtu: 8950}}}\n";

fn host(name: &str, role: &str, number: u8, cluster: &str) -> String {
    format!(
        "name: {name}, address: 10.0.0.{number}, nodeAddress: {cluster}.{number}, role: {role}, hardware: {{interfaces: [{{mac: \"02:00:00:00:01:{number:02}\", address: 10.0.0.{number}/24}}, {{mac: \"02:00:00:00:02:{number:02}\", address: {cluster}.{number}/24, vlan: \"7\"}}]}}"
    )
}

#[test]
fn hosts_of_a_group_get_their_own_addresses_and_routers_from_one_template() {
    let hosts = [
        host("cp", "control-plane", 11, "10.5.0"),
        host("w1", "worker", 12, "10.5.0"),
        host("w2", "worker", 13, "10.6.0"),
    ];
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let files = rendered_at_a_desk(&site_of(&hosts, FACILITY), Format::Metal3);
    assert_eq!(objects(&files, "MachineDeployment").len(), 1);
    let pools = objects(&files, "IPPool");
    let cluster = pools
        .iter()
        .find(|pool| pool["metadata"]["name"] == "worker-address-1")
        .expect("a pool");
    assert_eq!(
        cluster["spec"]["preAllocations"],
        json!({ "w1-worker-address-1": "10.5.0.12", "w2-worker-address-1": "10.6.0.13" })
    );
    assert!(files["1-hosts.yaml"].contains("ENABLE_BMH_NAME_BASED_PREALLOCATION=true"));
    // Calico's packets of 8950 bytes need 50 more between hosts, on the card of the node only.
    let links = &objects(&files, "Metal3DataTemplate")[1]["spec"]["networkData"]["links"];
    let sizes = |kind: &str| -> Vec<Value> {
        let links = links[kind].as_array().expect("links").iter();
        links.map(|link| link["mtu"].clone()).collect()
    };
    assert_eq!(sizes("ethernets"), [Value::Null, json!(9000)]);
    assert_eq!(sizes("vlans"), [json!(9000)]);
}

#[test]
fn hosts_that_are_connected_differently_are_groups_of_their_own() {
    let plain = "name: w2, address: 10.0.0.13, role: worker, hardware: {interfaces: [{mac: \"02:00:00:00:01:13\", address: 10.0.0.13/24}]}";
    let silent = "name: w3, address: 10.0.0.14, role: worker";
    let hosts = [
        host("cp", "control-plane", 11, "10.5.0"),
        host("w1", "worker", 12, "10.5.0"),
    ];
    let files = rendered_at_a_desk(
        &site_of(&[&hosts[0], &hosts[1], plain, silent], FACILITY),
        Format::Metal3,
    );
    let cards: Vec<usize> = objects(&files, "Metal3DataTemplate")
        .iter()
        .map(|template| {
            let links = &template["spec"]["networkData"]["links"]["ethernets"];
            links.as_array().map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(cards, [2, 2, 1, 0]);
    assert!(files["1-hosts.yaml"].contains("# - w3: its cards get their addresses by DHCP or by the image"));
}

#[test]
fn a_host_without_a_router_asks_for_one_and_keeps_its_node_address() {
    let facility =
        "  facility: {networks: [{name: cluster, cidr: 10.5.0.0/24, interface: 1, vlan: \"7\"}]}\n";
    let hosts = host("cp", "control-plane", 11, "10.5.0");
    let files = rendered_at_a_desk(&site_of(&[&hosts], facility), Format::Metal3);
    let networks = &object(&files, "Metal3DataTemplate")["spec"]["networkData"]["networks"];
    assert_eq!(
        networks["ipv4DHCP"],
        json!([{ "id": "address-0", "link": "nic0" }])
    );
    assert_eq!(
        networks["ipv4"],
        json!([{ "id": "address-1", "link": "nic1-7", "ipAddressFromIPPool": "control-plane-address-1" }])
    );
    assert!(files["1-hosts.yaml"].contains("# - cp: the site does not say the router"));
}

#[test]
fn the_labels_of_every_host_come_with_its_machine() {
    for name in site_names() {
        let site = site(&name);
        let files = rendered(&site, Format::Metal3);
        let annotated: Vec<Value> = objects(&files, "BareMetalHost")
            .iter()
            .map(|host| host["metadata"]["annotations"]["iec.dev/node-labels"].clone())
            .collect();
        let expected: Vec<Value> = site
            .present_hosts()
            .map(|host| {
                let labels: Vec<String> = host
                    .labels()
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                if labels.is_empty() {
                    Value::Null
                } else {
                    json!(labels.join(","))
                }
            })
            .collect();
        assert_eq!(annotated, expected, "{name}");
        assert!(
            !files["1-hosts.yaml"].contains("labels of"),
            "{name}: nothing is left to kubectl"
        );
    }
    let files = rendered(&site("machines"), Format::Metal3);
    let worker = &object(&files, "KubeadmConfigTemplate")["spec"]["template"]["spec"];
    let arguments = worker["joinConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
        .as_array()
        .expect("arguments");
    assert!(arguments.contains(&json!({
        "name": "node-labels",
        "value": "metal3.io/uuid={{ ds.meta_data.uuid }},{{ ds.meta_data.nodeLabels }}",
    })));
    let from = &objects(&files, "Metal3DataTemplate")[1]["spec"]["metaData"]["fromAnnotations"];
    assert!(from.as_array().expect("a list").contains(&json!({
        "key": "nodeLabels", "object": "baremetalhost", "annotation": "iec.dev/node-labels",
    })));
}
