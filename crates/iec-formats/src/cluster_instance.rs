//! A `ClusterInstance` of Red Hat's site configuration operator: the same hosts and networks, for OpenShift.

use std::net::Ipv4Addr;

use iec_core::architecture::Architecture;
use iec_core::render::first_network::{self, Card};
use iec_core::render::{Files, Subject};
use iec_core::site::Role;
use ipnet::{IpNet, Ipv4Net};
use serde_json::{Map, Value, json};

use crate::controller::{self, Start};
use crate::header::{Description, Header};
use crate::machine::{Machine, machines};
use crate::namespace::namespace;

/// What OpenShift calls a control plane.
const MASTER: &str = "master";
/// The machine of a controller that has one, as many makers call it.
const FIRST_SYSTEM: &str = "/redfish/v1/Systems/1";

/// What the operator's templates put before the key of a label, to make an annotation of it.
const LABEL_ANNOTATION: &str = "bmac.agent-install.openshift.io.node-label.";
/// How long the name of an annotation may be, and what stands before its `/`.
const MOST_NAME: usize = 63;
const MOST_PREFIX: usize = 253;

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

/// The object. A single node is installed without workers; a second file then has the object with them.
pub(crate) fn files(subject: &Subject<'_>) -> Files {
    let mut description = Description::new(subject, HEADER);
    let machines = machines(subject);
    let nodes: Vec<Value> = machines
        .iter()
        .map(|machine| node(subject, machine, &mut description))
        .collect();
    description.note("baseDomain, clusterImageSetNameRef, pullSecretRef and templateRefs name objects of your hub: put in your own");
    let mut instance = instance(subject, &machines, &mut description);
    let masters = |node: &&Value| node["role"] == MASTER;
    let alone: Vec<Value> = nodes.iter().filter(masters).cloned().collect();
    if alone.len() == 1 && nodes.len() > 1 {
        description.note("the assisted installer refuses workers beside a single node that it installs: apply cluster-instance.yaml first, and cluster-instance-with-workers.yaml only when that cluster stands; never both at once");
        let mut whole = instance.clone();
        whole["spec"]["nodes"] = json!(nodes);
        instance["spec"]["nodes"] = json!(alone);
        description.file("cluster-instance.yaml", vec![namespace(subject), instance]);
        description.file(
            "cluster-instance-with-workers.yaml",
            vec![namespace(subject), whole],
        );
    } else {
        instance["spec"]["nodes"] = json!(nodes);
        description.file("cluster-instance.yaml", vec![namespace(subject), instance]);
    }
    description.files()
}

/// The object without its nodes.
fn instance(subject: &Subject<'_>, machines: &[Machine<'_>], description: &mut Description<'_>) -> Value {
    let site = subject.site;
    let name = site.name().as_str();
    let cluster_type = if site.control_planes().count() > 1 {
        "HighlyAvailable"
    } else {
        "SNO"
    };
    let pods = site.network().pods();
    json!({
        "apiVersion": "siteconfig.open-cluster-management.io/v1alpha1",
        "kind": "ClusterInstance",
        "metadata": { "name": name, "namespace": name },
        "spec": {
            "clusterName": name,
            "baseDomain": "example.invalid",
            "pullSecretRef": { "name": "pull-secret" },
            "clusterImageSetNameRef": "image-set",
            "clusterType": cluster_type,
            "cpuArchitecture": architecture(machines, description),
            "machineNetwork": machine_networks(subject, machines, description),
            "clusterNetwork": [{ "cidr": pods, "hostPrefix": pods.prefix_len().max(23).saturating_add(1).min(28) }],
            "serviceNetwork": [{ "cidr": site.network().services() }],
            "templateRefs": [{ "name": "ai-cluster-templates-v1", "namespace": "open-cluster-management" }],
        },
    })
}

/// The architecture of all machines.
fn architecture(machines: &[Machine<'_>], description: &mut Description<'_>) -> &'static str {
    let mut architectures: Vec<&str> = machines
        .iter()
        .filter_map(|machine| machine.architecture.map(Architecture::uname))
        .collect();
    architectures.sort_unstable();
    architectures.dedup();
    match architectures.as_slice() {
        [] => {
            description
                .note("nobody knows the architecture of the hosts: x86_64 stands for it in cpuArchitecture");
            "x86_64"
        }
        [one] => one,
        _ => "multi",
    }
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

fn node(subject: &Subject<'_>, machine: &Machine<'_>, description: &mut Description<'_>) -> Value {
    let name = machine.name();
    let mut node = Map::new();
    let mut put = |key: &str, value: Value| node.insert(key.to_owned(), value);
    put("hostName", json!(name));
    let role = match machine.host.role() {
        Role::ControlPlane => MASTER,
        Role::Worker => "worker",
    };
    put("role", json!(role));
    if let Some(architecture) = machine.architecture {
        put("cpuArchitecture", json!(architecture.uname()));
    }
    put("bmcAddress", json!(controller_address(machine, description)));
    let management = machine.hardware.management.as_ref();
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
    let labels = labels(machine, description);
    if !labels.is_empty() {
        put("nodeLabels", Value::Object(labels));
    }
    if !machine.host.taints().is_empty() {
        description.note(format!("the taints of {name} are not in this file"));
    }
    match network(subject, machine, description) {
        Some(network) => {
            put("nodeNetwork", network);
        }
        None => description.note(format!(
            "{name}: the site does not say which card, of which hardware address, has its address, so nodeNetwork is left out and DHCP has to give the address"
        )),
    }
    Value::Object(node)
}

/// The labels of the node. The operator's templates make annotations of the machine's object of them, whose names may not be
/// longer than Kubernetes takes; an object with a longer one would be refused whole.
fn labels(machine: &Machine<'_>, description: &mut Description<'_>) -> Map<String, Value> {
    let mut labels = Map::new();
    for (key, value) in machine.host.labels() {
        let (first, most) = match key.as_str().split_once('/') {
            Some((prefix, _)) => (prefix, MOST_PREFIX),
            None => (key.as_str(), MOST_NAME),
        };
        let most = most - LABEL_ANNOTATION.len();
        if first.len() <= most {
            labels.insert(key.to_string(), json!(value));
        } else {
            description.note(format!(
                "{}: the label {key} is left out: the operator would make an annotation {LABEL_ANNOTATION}{key} of it, and of {first} it takes {most} characters at most; kubectl label sets it when the node is there",
                machine.name()
            ));
        }
    }
    labels
}

/// The address of the management controller; the object cannot be without one.
fn controller_address(machine: &Machine<'_>, description: &mut Description<'_>) -> String {
    let name = machine.name();
    let nowhere = || format!("redfish-virtualmedia://{name}-bmc.invalid{FIRST_SYSTEM}");
    let Some(management) = machine.hardware.management.as_ref() else {
        description.note(format!(
            "{name}: the site names no management controller; bmcAddress leads nowhere"
        ));
        return nowhere();
    };
    match controller::address(management, Start::VirtualMedium) {
        Ok(mut address) => {
            if !address.contains("-virtualmedia") {
                description.note(format!(
                    "{name}: the assisted installer wants Redfish with virtual media; the site names another protocol"
                ));
            } else if !management.bare_address().contains("://") {
                description.note(format!(
                    "{name}: the site does not say what its controller calls the machine: {FIRST_SYSTEM} stands for it"
                ));
                address.push_str(FIRST_SYSTEM);
            }
            address
        }
        Err(form) => {
            description.note(format!(
                "{name}: the assisted installer has no driver for a controller that speaks {form}; bmcAddress leads nowhere"
            ));
            nowhere()
        }
    }
}

/// The cards that are known by their hardware addresses, and their addresses, as nmstate has them.
fn network(subject: &Subject<'_>, machine: &Machine<'_>, description: &mut Description<'_>) -> Option<Value> {
    let facts = subject.facts.host(machine.name());
    let mut cards = first_network::cards(subject, machine.host, facts)?;
    cards.retain(|card| card.mac.is_some());
    let has = |address: Ipv4Addr| {
        let start = format!("{address}/");
        cards
            .iter()
            .any(|card| card.addresses.iter().any(|known| known.starts_with(&start)))
    };
    if !has(machine.host.address()) || !has(machine.host.node_address()) {
        return None;
    }
    let (mut interfaces, mut states) = (Vec::new(), Vec::new());
    let (mut routes, mut servers) = (Vec::new(), Vec::new());
    for card in &cards {
        interfaces.push(json!({ "name": card.id, "macAddress": card.mac }));
        let addressed = match card.tag {
            Some(tag) => {
                let off = json!({ "enabled": false });
                states.push(
                    json!({ "name": card.id, "type": "ethernet", "state": "up", "ipv4": off, "ipv6": off }),
                );
                let mut state = state(card, "vlan");
                state["name"] = json!(format!("{}.{tag}", card.id));
                state["vlan"] = json!({ "base-iface": card.id, "id": tag });
                state
            }
            None => state(card, "ethernet"),
        };
        routes.extend(card.gateway.map(|gateway| {
            json!({
                "destination": "0.0.0.0/0", "next-hop-address": gateway, "next-hop-interface": addressed["name"],
                "table-id": 254,
            })
        }));
        for server in &card.servers {
            if !servers.contains(server) {
                servers.push(server.clone());
            }
        }
        states.push(addressed);
    }
    let mut config = json!({ "interfaces": states });
    if routes.is_empty() || servers.is_empty() {
        description.note(format!(
            "{}: the site does not say the router or the name servers of its networks; complete routes and dns-resolver in nodeNetwork",
            machine.name()
        ));
    }
    if !routes.is_empty() {
        config["routes"] = json!({ "config": routes });
    }
    if !servers.is_empty() {
        config["dns-resolver"] = json!({ "config": { "server": servers } });
    }
    Some(json!({ "interfaces": interfaces, "config": config }))
}

/// A card or a tagged network on it with its addresses.
fn state(card: &Card, kind: &str) -> Value {
    let addresses: Vec<Value> = card
        .addresses
        .iter()
        .filter_map(|address| address.parse::<IpNet>().ok())
        .map(|network| json!({ "ip": network.addr(), "prefix-length": network.prefix_len() }))
        .collect();
    json!({
        "name": card.id,
        "type": kind,
        "state": "up",
        "ipv4": { "enabled": true, "dhcp": false, "address": addresses },
        "ipv6": { "enabled": false },
    })
}
