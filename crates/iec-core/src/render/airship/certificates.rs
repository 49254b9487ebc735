//! The certificates that Promenade makes, as its catalog lists them.

use serde_json::{Value, json};

use super::document;
use crate::plan::kubeadm::INIT_FILE;
use crate::render::Subject;
use crate::site::SiteHost;

/// What Promenade calls the first control plane while it is the only one.
const GENESIS: &str = "genesis";

/// The catalog; the names of the API server are those in IEC's kubeadm configuration.
pub(super) fn pki_catalog(subject: &Subject<'_>) -> Value {
    let mut etcd = vec![json!({ "document_name": "apiserver-etcd", "common_name": "apiserver" })];
    etcd.extend(members(subject, ""));
    let data = json!({
        "certificate_authorities": {
            "kubernetes": { "description": "Authority of the Kubernetes components", "certificates": components(subject) },
            "kubernetes-etcd": { "description": "Authority of etcd's servers", "certificates": etcd },
            "kubernetes-etcd-peer": {
                "description": "Authority between etcd's members", "certificates": members(subject, "-peer"),
            },
        },
        "keypairs": [{ "name": "service-account", "description": "Signs the tokens of service accounts" }],
    });
    document("promenade/PKICatalog/v1", "cluster-certificates", &data)
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

/// Those of etcd's members: of each control plane, and once more of the first while it is Genesis. Promenade keeps one
/// certificate for a name, whichever authority lists it, so that each authority has names of its own by this ending.
fn members(subject: &Subject<'_>, ending: &str) -> Vec<Value> {
    let control_planes = || subject.site.control_planes();
    let first = control_planes().next().map(|first| (GENESIS, first));
    let own = control_planes().map(|host| (host.name().as_str(), host));
    first
        .into_iter()
        .chain(own)
        .map(|(name, host)| {
            let name = format!("kubernetes-etcd-{name}{ending}");
            json!({
                "document_name": name,
                "common_name": name,
                "hosts": [
                    host.name().as_str(),
                    &host.node_address().to_string(),
                    "127.0.0.1",
                    "localhost",
                    "kubernetes-etcd.kube-system.svc.cluster.local",
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
