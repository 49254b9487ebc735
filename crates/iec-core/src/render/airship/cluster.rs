//! The cluster, as Promenade has it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::document;
use crate::plan::kubeadm::INIT_FILE;
use crate::render::Subject;
use crate::render::header::Description;
use crate::site::{EndpointHost, Role, SiteHost};

/// Where Promenade puts its HAProxy; its own default.
const HAPROXY_PORT: u16 = 6553;

/// Networks, nodes, and the first control plane.
pub(super) fn kubernetes(subject: &Subject<'_>, description: &mut Description<'_>) -> Vec<Value> {
    let site = subject.site;
    let mut documents = vec![network(subject)];
    let first = site.control_planes().next();
    for host in site.present_hosts() {
        let valid = host
            .name()
            .as_str()
            .starts_with(|letter: char| letter.is_ascii_lowercase());
        if !valid || host.name().as_str().len() < 2 {
            description.note(format!("Promenade takes no host name such as {}: it must begin with a letter and have two characters", host.name()));
        }
        if !host.taints().is_empty() {
            description.note(format!("the taints of {} are not in these files", host.name()));
        }
        let mut data = json!({
            "hostname": host.name(),
            "ip": host.node_address(),
            "labels": { "dynamic": labels(host) },
        });
        if let Some(first) = first {
            data["join_ip"] = json!(first.node_address());
        }
        documents.push(document(
            "promenade/KubernetesNode/v1",
            host.name().as_str(),
            &data,
        ));
    }
    documents.extend(first.map(|first| genesis(subject, first, description)));
    documents
}

fn network(subject: &Subject<'_>) -> Value {
    let site = subject.site;
    let network = site.network();
    let mut servers = BTreeSet::new();
    for host in site.present_hosts() {
        servers.extend(host.assume().nameservers().iter().copied());
    }
    for given in &site.facility().networks {
        servers.extend(given.nameservers.iter().copied());
    }
    let mut entries: Vec<Value> = site
        .present_hosts()
        .map(|host| json!({ "ip": host.node_address(), "names": [host.name()] }))
        .collect();
    if let (EndpointHost::Name(name), Some(first)) = (
        site.control_plane().endpoint().host(),
        site.control_planes().next(),
    ) {
        entries.push(json!({ "ip": first.node_address(), "names": [name] }));
    }
    let mut dns = json!({ "cluster_domain": "cluster.local", "service_ip": network.dns_address() });
    if !servers.is_empty() {
        dns["upstream_servers"] = json!(servers);
    }
    let data = json!({
        "dns": dns,
        "kubernetes": {
            "pod_cidr": network.pods(),
            "service_cidr": network.services(),
            "service_ip": network.api_service_address(),
            "apiserver_port": site.control_plane().endpoint().port(),
            "haproxy_port": HAPROXY_PORT,
        },
        "etcd": { "container_port": 2379, "haproxy_port": 2378 },
        "hosts_entries": entries,
    });
    document("promenade/KubernetesNetwork/v1", "kubernetes-network", &data)
}

fn labels(host: &SiteHost) -> Vec<String> {
    let mut labels: Vec<String> = match host.role() {
        Role::ControlPlane => [
            "calico-etcd=enabled",
            "kube-dns=enabled",
            "kubernetes-apiserver=enabled",
            "kubernetes-controller-manager=enabled",
            "kubernetes-etcd=enabled",
            "kubernetes-scheduler=enabled",
            "promenade-genesis=enabled",
        ]
        .map(str::to_owned)
        .to_vec(),
        Role::Worker => Vec::new(),
    };
    labels.extend(host.labels().iter().map(|(key, value)| format!("{key}={value}")));
    labels
}

/// The first control plane, from which all others grow.
fn genesis(subject: &Subject<'_>, first: &SiteHost, description: &mut Description<'_>) -> Value {
    let image = |name: &str| subject.release.image(name).unwrap_or_default();
    description.note("the image of Armada in Genesis leads nowhere: name the one of your Airship");
    let data = json!({
        "hostname": first.name(),
        "ip": first.node_address(),
        "external_ip": first.address(),
        "labels": { "dynamic": labels(first) },
        "images": {
            "armada": "registry.example.invalid/airshipit/armada:latest",
            "kubernetes": {
                "apiserver": image("kube-apiserver"),
                "controller-manager": image("kube-controller-manager"),
                "etcd": image("etcd"),
                "etcdctl": image("etcd"),
                "scheduler": image("kube-scheduler"),
            },
        },
    });
    document("promenade/Genesis/v1", "genesis", &data)
}

/// The certificates that Promenade makes; the names of the API server are those in IEC's kubeadm configuration.
pub(super) fn pki_catalog(subject: &Subject<'_>) -> Value {
    let site = subject.site;
    let mut servers = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        site.network().api_service_address().to_string(),
    ];
    servers.extend(names_of_api_server(subject));
    let mut kubernetes = vec![json!({
        "document_name": "apiserver",
        "description": "Service certificate of the API server",
        "common_name": "apiserver",
        "hosts": servers,
        "kubernetes_service_names": ["kubernetes.default.svc.cluster.local"],
    })];
    let kubelet = |document_name: String, host: &SiteHost| {
        json!({
            "document_name": document_name,
            "common_name": format!("system:node:{}", host.name()),
            "hosts": [host.name().as_str(), &host.node_address().to_string()],
            "groups": ["system:nodes"],
        })
    };
    kubernetes.extend(
        site.control_planes()
            .next()
            .map(|first| kubelet("kubelet-genesis".to_owned(), first)),
    );
    kubernetes.extend(
        site.present_hosts()
            .map(|host| kubelet(format!("kubelet-{}", host.name()), host)),
    );
    for (name, common_name) in [
        ("scheduler", "system:kube-scheduler"),
        ("controller-manager", "system:kube-controller-manager"),
    ] {
        kubernetes.push(json!({ "document_name": name, "common_name": common_name }));
    }
    for name in ["admin", "armada"] {
        kubernetes.push(json!({ "document_name": name, "common_name": name, "groups": ["system:masters"] }));
    }
    let members: Vec<Value> = site
        .control_planes()
        .map(|host| {
            json!({
                "document_name": format!("kubernetes-etcd-{}", host.name()),
                "common_name": format!("kubernetes-etcd-{}", host.name()),
                "hosts": [host.name().as_str(), &host.node_address().to_string(), "127.0.0.1", "localhost", "kubernetes-etcd.kube-system.svc.cluster.local"],
            })
        })
        .collect();
    let mut etcd = vec![json!({ "document_name": "apiserver-etcd", "common_name": "apiserver" })];
    etcd.extend(members.clone());
    let data = json!({
        "certificate_authorities": {
            "kubernetes": { "description": "Authority of the Kubernetes components", "certificates": kubernetes },
            "kubernetes-etcd": { "description": "Authority of etcd's servers", "certificates": etcd },
            "kubernetes-etcd-peer": { "description": "Authority between etcd's members", "certificates": members },
        },
        "keypairs": [{ "name": "service-account", "description": "Signs the tokens of service accounts" }],
    });
    document("promenade/PKICatalog/v1", "cluster-certificates", &data)
}

/// The names that the plan's kubeadm configuration gives to the API server.
fn names_of_api_server(subject: &Subject<'_>) -> Vec<String> {
    let mut texts = subject.plan.hosts.iter().flat_map(|part| part.texts());
    let text = texts
        .find(|(_, file, _)| file.path == INIT_FILE)
        .map(|(.., text)| text);
    let documents: Vec<Value> = text
        .and_then(|text| serde_saphyr::from_multiple(text).ok())
        .unwrap_or_default();
    documents
        .iter()
        .filter_map(|document| document.pointer("/apiServer/certSANs")?.as_array())
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}
