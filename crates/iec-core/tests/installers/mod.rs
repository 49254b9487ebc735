//! What other installers refuse, or take silently for something else: each a sentence of their own sources.

use std::collections::BTreeMap;

use iec_core::render::Format;
use iec_core::site::Site;
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
            let label = json!({ "name": "node-labels", "value": "metal3.io/uuid={{ ds.meta_data.uuid }}" });
            let list = arguments.as_array().expect("arguments");
            assert_eq!(
                list.iter().filter(|argument| **argument == label).count(),
                1,
                "{name}"
            );
        }
    }
}

#[test]
fn promenade_has_a_certificate_of_its_own_for_each_member_and_authority() {
    let files = rendered(&site("three-hosts"), Format::Airship);
    let authorities = &object(&files, "promenade/PKICatalog/v1")["data"]["certificate_authorities"];
    let of = |authority: &str| names(&authorities[authority]["certificates"], "document_name");
    let first = site("three-hosts")
        .control_planes()
        .next()
        .expect("one")
        .name()
        .to_string();
    assert_eq!(
        of("kubernetes-etcd"),
        [
            "apiserver-etcd".to_owned(),
            "kubernetes-etcd-genesis".to_owned(),
            format!("kubernetes-etcd-{first}")
        ]
    );
    assert_eq!(
        of("kubernetes-etcd-peer"),
        [
            "kubernetes-etcd-genesis-peer".to_owned(),
            format!("kubernetes-etcd-{first}-peer")
        ]
    );
    let mut all: Vec<String> = ["kubernetes", "kubernetes-etcd", "kubernetes-etcd-peer"]
        .iter()
        .flat_map(|name| of(name))
        .collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "two certificates have one name: {all:?}");
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
