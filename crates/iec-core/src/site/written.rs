//! What a site says beyond its hosts' addresses and accounts, in the form of the site file: for other tools' files to carry.

use serde_json::{Map, Value, json};

use super::cluster::Endpoint;
use super::rule::endpoint::default_endpoint;
use super::{Calico, Dns, Kubelet, NodeAddress, Site, SiteHost};

/// The further keys of a host: all but name, address, role, account and port.
#[must_use]
pub fn further_of_host(host: &SiteHost) -> Map<String, Value> {
    let mut further = Map::new();
    let mut put = |key: &str, value: Value| drop(further.insert(key.to_owned(), value));
    if host.node_address() != host.address() {
        put("nodeAddress", json!(host.node_address()));
    }
    if !host.labels().is_empty() {
        put("labels", json!(host.labels()));
    }
    if !host.taints().is_empty() {
        put("taints", json!(host.taints()));
    }
    if let Some(key) = host.host_key() {
        put("hostKey", json!(key));
    }
    let assumed = assumed(host);
    if !assumed.is_empty() {
        put("assume", Value::Object(assumed));
    }
    if !host.hardware().is_empty() {
        put("hardware", json!(host.hardware()));
    }
    further
}

fn assumed(host: &SiteHost) -> Map<String, Value> {
    let assume = host.assume();
    let all = json!({
        "architecture": assume.architecture(),
        "distribution": assume.distribution(),
        "cgroup": assume.cgroup(),
        "container": assume.container(),
        "cpus": assume.cpus(),
        "memoryMib": assume.memory_mib(),
        "slowness": assume.slowness(),
        "nameservers": Some(assume.nameservers()).filter(|servers| !servers.is_empty()),
    });
    given(all)
}

/// The further keys of a site's `spec`: all but content, access, hosts and Helm's releases, whose values are secrets.
#[must_use]
pub fn further_of_site(site: &Site) -> Map<String, Value> {
    let mut further = Map::new();
    let mut put = |key: &str, value: Value| drop(further.insert(key.to_owned(), value));
    put("release", json!(site.release()));
    put("controlPlane", control_plane(site));
    let network = site.network();
    let mut networks = given(json!({ "pods": network.pods(), "services": network.services() }));
    if let Some(written) = network.cni().calico().map(calico) {
        networks.insert("cni".to_owned(), json!({ "calico": written }));
    }
    if !network.kube_proxy().is_default() {
        let networks_of_ports =
            Some(network.kube_proxy().node_port_addresses()).filter(|all| !all.is_empty());
        let written = json!({ "mode": network.kube_proxy().mode(), "nodePortAddresses": networks_of_ports });
        networks.insert("kubeProxy".to_owned(), Value::Object(given(written)));
    }
    if !network.dns().is_default() {
        networks.insert("dns".to_owned(), Value::Object(dns(network.dns())));
    }
    put("network", Value::Object(networks));
    if site.runtime().take_over() {
        put("runtime", json!({ "takeOver": true }));
    }
    put("kubelet", kubelet(site.kubelet()));
    if !site.facility().is_empty() {
        put("facility", json!(site.facility()));
    }
    if !site.accept().is_empty() {
        put("accept", json!(site.accept()));
    }
    further
}

fn control_plane(site: &Site) -> Value {
    let control_plane = site.control_plane();
    // The usual one follows the site's name, which may be another one there.
    let endpoint: Option<&Endpoint> =
        Some(control_plane.endpoint()).filter(|endpoint| **endpoint != default_endpoint(site.name()));
    let mut written = given(json!({ "endpoint": endpoint.map(ToString::to_string) }));
    written.insert("schedulable".to_owned(), json!(control_plane.schedulable()));
    if !control_plane.certificate_names().is_empty() {
        let names = json!(control_plane.certificate_names());
        written.insert("certificateNames".to_owned(), names);
    }
    if let Some(address) = control_plane.virtual_address() {
        written.insert("virtualAddress".to_owned(), json!(address));
    }
    for (key, arguments) in [
        ("apiServer", control_plane.api_server()),
        ("controllerManager", control_plane.controller_manager()),
        ("scheduler", control_plane.scheduler()),
    ] {
        if !arguments.is_empty() {
            written.insert(key.to_owned(), json!({ "arguments": arguments }));
        }
    }
    Value::Object(written)
}

fn calico(calico: &Calico) -> Map<String, Value> {
    let node_address = match calico.node_address() {
        NodeAddress::KubernetesInternalIp => json!("kubernetes-internal-ip"),
        NodeAddress::Cidr(networks) => json!({ "cidr": networks }),
        NodeAddress::Interface(interface) => json!({ "interface": interface }),
        NodeAddress::CanReach(destination) => json!({ "can-reach": destination.to_string() }),
    };
    let felix = calico.felix();
    let settings = given(json!({
        "logSeverity": felix.log_severity(),
        "prometheusMetrics": felix.prometheus_metrics(),
        "chainInsertMode": felix.chain_insert_mode(),
    }));
    given(json!({
        "wireguard": calico.wireguard().then_some(true),
        "felix": Some(settings).filter(|settings| !settings.is_empty()),
        "encapsulation": calico.encapsulation(),
        "datastore": calico.datastore(),
        "nodeAddress": node_address,
        "mtu": calico.mtu(),
        "blockSize": calico.block_size(),
    }))
}

fn dns(dns: &Dns) -> Map<String, Value> {
    given(json!({
        "replicas": dns.replicas(),
        "forwarders": Some(dns.forwarders()).filter(|servers| !servers.is_empty()),
        "zones": Some(dns.zones()).filter(|zones| !zones.is_empty()),
    }))
}

fn kubelet(kubelet: &Kubelet) -> Value {
    let eviction = Some(kubelet.eviction_hard()).filter(|signals| !signals.is_empty());
    let reserved = Some(kubelet.system_reserved()).filter(|resources| !resources.is_empty());
    Value::Object(given(json!({
        "maxPods": kubelet.max_pods(),
        "evictionHard": eviction,
        "systemReserved": reserved,
    })))
}

/// The entries of a mapping that have a value.
fn given(mapping: Value) -> Map<String, Value> {
    match mapping {
        Value::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        _ => Map::new(),
    }
}
