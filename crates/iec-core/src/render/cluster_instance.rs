//! A `ClusterInstance` of Red Hat's site configuration operator: the same hosts and networks, for OpenShift.

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::header::{Description, Header};
use super::machine::{Machine, machines};
use super::{Files, Subject};
use crate::site::{ManagementProtocol, Role};

const HEADER: Header = Header {
    what: "A ClusterInstance (siteconfig.open-cluster-management.io/v1alpha1)",
    covers: &[
        "hosts with their roles, hardware addresses, cards and management controllers",
        "the networks of machines, pods and services",
    ],
    differs: &[
        "it installs OpenShift, not upstream's Kubernetes: release, kubeadm's configuration, Calico, runtime and Helm releases of the site are not used",
        "the operating system is replaced",
        "pull secret, image set and templates are names of objects on the hub, which are not in this file",
        "passwords are Secrets on the hub, named here",
    ],
};

/// The one object.
pub(super) fn files(subject: &Subject<'_>) -> Files {
    let mut description = Description::new(subject, HEADER);
    let machines = machines(subject);
    let site = subject.site;
    let name = site.name().as_str();
    let nodes: Vec<Value> = machines
        .iter()
        .map(|machine| node(machine, &mut description))
        .collect();
    let mut architectures: Vec<&str> = machines
        .iter()
        .filter_map(|machine| machine.architecture.map(crate::architecture::Architecture::uname))
        .collect();
    architectures.sort_unstable();
    architectures.dedup();
    if architectures.is_empty() {
        description
            .note("nobody knows the architecture of the hosts: x86_64 stands for it in cpuArchitecture");
    }
    let architecture = match architectures.as_slice() {
        [] => "x86_64",
        [one] => one,
        _ => "multi",
    };
    description.note("baseDomain, clusterImageSetNameRef, pullSecretRef and templateRefs name objects of your hub: put in your own");
    let cluster_type = if site.control_planes().count() > 1 {
        "HighlyAvailable"
    } else {
        "SNO"
    };
    let pods = site.network().pods();
    let instance = json!({
        "apiVersion": "siteconfig.open-cluster-management.io/v1alpha1",
        "kind": "ClusterInstance",
        "metadata": { "name": name, "namespace": name },
        "spec": {
            "clusterName": name,
            "baseDomain": "example.invalid",
            "pullSecretRef": { "name": "pull-secret" },
            "clusterImageSetNameRef": "image-set",
            "clusterType": cluster_type,
            "cpuArchitecture": architecture,
            "machineNetwork": machine_networks(subject, &machines, &mut description),
            "clusterNetwork": [{ "cidr": pods, "hostPrefix": pods.prefix_len().max(23).saturating_add(1).min(28) }],
            "serviceNetwork": [{ "cidr": site.network().services() }],
            "templateRefs": [{ "name": "ai-cluster-templates-v1", "namespace": "open-cluster-management" }],
            "nodes": nodes,
        },
    });
    description.file("cluster-instance.yaml", vec![instance]);
    description.files()
}

fn machine_networks(
    subject: &Subject<'_>,
    machines: &[Machine<'_>],
    description: &mut Description<'_>,
) -> Vec<Value> {
    let mut networks: Vec<Ipv4Net> = Vec::new();
    for machine in machines {
        let address = machine.host.node_address();
        let network = machine.network_of(address, subject.site.facility()).or_else(|| {
            description.note(format!("the network of {address} is not known: /24 is assumed"));
            Ipv4Net::new(address, 24).ok().map(|network| network.trunc())
        });
        networks.extend(network.filter(|network| !networks.contains(network)));
    }
    networks
        .iter()
        .map(|network| json!({ "cidr": network }))
        .collect()
}

fn node(machine: &Machine<'_>, description: &mut Description<'_>) -> Value {
    let name = machine.name();
    let mut node = Map::new();
    let mut put = |key: &str, value: Value| node.insert(key.to_owned(), value);
    put("hostName", json!(name));
    let role = match machine.host.role() {
        Role::ControlPlane => "master",
        Role::Worker => "worker",
    };
    put("role", json!(role));
    if let Some(architecture) = machine.architecture {
        put("cpuArchitecture", json!(architecture.uname()));
    }
    let management = machine.hardware.management.as_ref();
    let address = management.map(|management| {
        let bare = management.bare_address();
        match management.protocol {
            _ if bare.contains("://") => bare.to_owned(),
            ManagementProtocol::Redfish => format!("redfish-virtualmedia://{bare}/redfish/v1/Systems/1"),
            other => format!("{}://{bare}", other.as_str()),
        }
    });
    if management.is_some_and(|management| management.protocol != ManagementProtocol::Redfish) {
        description.note(format!(
            "{name}: the assisted installer wants Redfish with virtual media; the site names another protocol"
        ));
    }
    let address = address.unwrap_or_else(|| {
        description.note(format!(
            "{name}: the site names no management controller; bmcAddress leads nowhere"
        ));
        format!("redfish-virtualmedia://{name}-bmc.invalid/redfish/v1/Systems/1")
    });
    put("bmcAddress", json!(address));
    let credentials = management
        .and_then(|management| management.credentials.clone())
        .unwrap_or_else(|| format!("{name}-bmc"));
    put("bmcCredentialsName", json!({ "name": credentials }));
    let mac = machine.boot_mac().map_or_else(
        || {
            description.note(format!(
                "{name}: nobody knows a hardware address; bootMACAddress has only zeros"
            ));
            "00:00:00:00:00:00".to_owned()
        },
        |mac| mac.to_string(),
    );
    put("bootMACAddress", json!(mac));
    put("bootMode", json!("UEFI"));
    put(
        "templateRefs",
        json!([{ "name": "ai-node-templates-v1", "namespace": "open-cluster-management" }]),
    );
    let labels = machine.host.labels();
    if !labels.is_empty() {
        put("nodeLabels", json!(labels));
    }
    if !machine.host.taints().is_empty() {
        description.note(format!("the taints of {name} are not in this file"));
    }
    let interfaces: Vec<Value> = machine
        .hardware
        .interfaces
        .iter()
        .enumerate()
        .filter_map(|(index, card)| {
            let mac = card.mac.filter(|mac| !mac.is_zero())?;
            let name = card.name.clone().unwrap_or_else(|| format!("nic{}", index + 1));
            Some(json!({ "name": name, "macAddress": mac }))
        })
        .collect();
    if !interfaces.is_empty() {
        put("nodeNetwork", json!({ "interfaces": interfaces }));
    }
    Value::Object(node)
}
