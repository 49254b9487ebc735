//! The certificates that Promenade makes, as its catalog lists them.

use std::net::Ipv4Addr;

use iec_core::plan::kubeadm::INIT_FILE;
use iec_core::render::Subject;
use iec_core::site::SiteHost;
use serde_json::{Value, json};

use super::document;
use crate::header::Description;

/// What Promenade calls the first control plane while it is the only one.
const GENESIS: &str = "genesis";
/// The authorities of the two etcds; each has a second one for its members among themselves, with this ending.
const ETCD: &str = "kubernetes-etcd";
const CALICO_ETCD: &str = "calico-etcd";
const PEER: &str = "-peer";
/// Which address of the service network Calico's etcd gets, counted from the network's own; the last one in smaller networks.
const CALICO_ETCD_NUMBER: u32 = 136;

/// The catalog; the names of the API server are those in IEC's kubeadm configuration.
pub(super) fn pki_catalog(subject: &Subject<'_>, description: &mut Description<'_>) -> Value {
    let service = calico_etcd_service(subject);
    description.note(format!(
        "the certificates of Calico's etcd are for the service address {service}: charts of Calico with an etcd must have it as theirs; those without one do not use these certificates"
    ));
    let mut etcd = vec![json!({ "document_name": "apiserver-etcd", "common_name": "apiserver" })];
    etcd.push(anchor(ETCD));
    etcd.extend(members(subject, ETCD, ""));
    let mut calico = vec![anchor(CALICO_ETCD)];
    calico.extend(members(subject, CALICO_ETCD, ""));
    calico.push(named("calico-node"));
    let mut calico_peer = members(subject, CALICO_ETCD, PEER);
    calico_peer.push(named("calico-node-peer"));
    let data = json!({
        "certificate_authorities": {
            "kubernetes": { "description": "Authority of the Kubernetes components", "certificates": components(subject) },
            ETCD: { "description": "Authority of etcd's servers", "certificates": etcd },
            format!("{ETCD}{PEER}"): {
                "description": "Authority between etcd's members", "certificates": members(subject, ETCD, PEER),
            },
            CALICO_ETCD: { "description": "Authority of the servers of Calico's etcd", "certificates": calico },
            format!("{CALICO_ETCD}{PEER}"): {
                "description": "Authority between members of Calico's etcd", "certificates": calico_peer,
            },
        },
        "keypairs": [{ "name": "service-account", "description": "Signs the tokens of service accounts" }],
    });
    document("promenade/PKICatalog/v1", "cluster-certificates", &data)
}

/// The certificate of what puts an etcd's members where they belong; a client only.
fn anchor(etcd: &str) -> Value {
    json!({ "document_name": format!("{etcd}-anchor"), "description": "anchor", "common_name": "anchor" })
}

/// A client by its name.
fn named(name: &str) -> Value {
    json!({ "document_name": name, "common_name": name })
}

/// Where Calico's etcd is reached; nothing else of the site has this address.
fn calico_etcd_service(subject: &Subject<'_>) -> Ipv4Addr {
    let services = subject.site.network().services();
    let last = services.broadcast().to_bits().saturating_sub(1);
    let own = services.network().to_bits().saturating_add(CALICO_ETCD_NUMBER);
    Ipv4Addr::from_bits(own.min(last))
}

/// Those of the Kubernetes components.
fn components(subject: &Subject<'_>) -> Vec<Value> {
    let site = subject.site;
    let mut servers = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        site.network().api_service_address().to_string(),
    ];
    for name in names_of_api_server(subject) {
        if !servers.contains(&name) {
            servers.push(name);
        }
    }
    let mut certificates = vec![json!({
        "document_name": "apiserver",
        "description": "Service certificate of the API server",
        "common_name": "apiserver",
        "hosts": servers,
        "kubernetes_service_names": ["kubernetes.default.svc.cluster.local"],
    })];
    let kubelet = |name: &str, host: &SiteHost| {
        json!({
            "document_name": format!("kubelet-{name}"),
            "common_name": format!("system:node:{}", host.name()),
            "hosts": [host.name().as_str(), &host.node_address().to_string()],
            "groups": ["system:nodes"],
        })
    };
    let first = site.control_planes().next();
    certificates.extend(first.map(|first| kubelet(GENESIS, first)));
    certificates.extend(
        site.present_hosts()
            .map(|host| kubelet(host.name().as_str(), host)),
    );
    for (name, common_name) in [
        ("scheduler", "system:kube-scheduler"),
        ("controller-manager", "system:kube-controller-manager"),
    ] {
        certificates.push(json!({ "document_name": name, "common_name": common_name }));
    }
    for name in ["admin", "armada"] {
        certificates
            .push(json!({ "document_name": name, "common_name": name, "groups": ["system:masters"] }));
    }
    certificates
}

/// Those of an etcd's members: of each control plane, and of Kubernetes' own once more of the first while it is Genesis.
/// Promenade keeps one certificate for a name, whichever authority lists it, so that each authority has names of its own by
/// this ending.
fn members(subject: &Subject<'_>, etcd: &str, ending: &str) -> Vec<Value> {
    let control_planes = || subject.site.control_planes();
    let service = if etcd == CALICO_ETCD {
        calico_etcd_service(subject).to_string()
    } else {
        format!("{etcd}.kube-system.svc.cluster.local")
    };
    let first = control_planes().next().filter(|_| etcd == ETCD);
    let first = first.map(|first| (GENESIS, first));
    let own = control_planes().map(|host| (host.name().as_str(), host));
    first
        .into_iter()
        .chain(own)
        .map(|(name, host)| {
            let name = format!("{etcd}-{name}{ending}");
            json!({
                "document_name": name,
                "common_name": name,
                "hosts": [
                    host.name().as_str(),
                    &host.node_address().to_string(),
                    "127.0.0.1",
                    "localhost",
                    &service,
                ],
            })
        })
        .collect()
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
