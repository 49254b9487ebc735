//! The cluster, as Promenade has it.

use std::collections::BTreeSet;

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::render::Subject;
use iec_core::site::{EndpointHost, Role, SiteHost};
use serde_json::{Value, json};

use super::document;
use crate::header::Description;

/// Where Promenade puts its HAProxy; its own default.
const HAPROXY_PORT: u16 = 6553;

/// What the label of a worker says; Promenade takes a node without any for one whose labels were forgotten.
const WORKER_LABEL: &str = "iec.dev/role=worker";

/// What Promenade's charts and those around them select control planes by.
const CONTROL_PLANE_LABELS: [&str; 6] = [
    "coredns=enabled",
    "kubernetes-apiserver=enabled",
    "kubernetes-controller-manager=enabled",
    "kubernetes-etcd=enabled",
    "kubernetes-scheduler=enabled",
    "ucp-control-plane=enabled",
];
/// The label of a host while the others grow from it.
const GENESIS_LABEL: &str = "promenade-genesis=enabled";

/// Refuses a site with a host whose name Promenade does not take: `^[a-z][a-z0-9-]+$`.
pub(super) fn check_names(subject: &Subject<'_>) -> Result<(), Diagnostics> {
    let mut problems = Diagnostics::default();
    for host in subject.site.present_hosts() {
        let name = host.name().as_str();
        let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
        if !begins || name.len() < 2 {
            let message = format!("Promenade takes no host name such as {name}");
            let problem = Diagnostic::error("IEC3932", message)
                .at(host.place())
                .hint("give the host a name that begins with a letter and has two characters or more");
            problems.push(problem);
        }
    }
    problems.accept(()).map(|_| ())
}

/// Networks, nodes, and the first control plane.
pub(super) fn kubernetes(subject: &Subject<'_>, description: &mut Description<'_>) -> Vec<Value> {
    let site = subject.site;
    let mut documents = vec![network(subject)];
    let first = site.control_planes().next();
    for host in site.present_hosts() {
        if !host.taints().is_empty() {
            description.note(format!("the taints of {} are not in these files", host.name()));
        }
        let mut data = json!({
            "hostname": host.name(),
            "ip": host.node_address(),
            "labels": { "dynamic": labels(subject, host) },
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

/// The labels by which the charts find the nodes that they are for, and the site's own.
fn labels(subject: &Subject<'_>, host: &SiteHost) -> Vec<String> {
    let mut labels: Vec<String> = match host.role() {
        Role::ControlPlane => CONTROL_PLANE_LABELS.map(str::to_owned).to_vec(),
        Role::Worker => vec![WORKER_LABEL.to_owned()],
    };
    if host.role() == Role::ControlPlane && subject.site.network().has_calico_etcd() {
        labels.push("calico-etcd=enabled".to_owned());
    }
    labels.extend(host.labels().iter().map(|(key, value)| format!("{key}={value}")));
    labels
}

/// The first control plane, from which all others grow.
fn genesis(subject: &Subject<'_>, first: &SiteHost, description: &mut Description<'_>) -> Value {
    let image = |name: &str| subject.release.image(name).unwrap_or_default();
    let mut labels = labels(subject, first);
    labels.push(GENESIS_LABEL.to_owned());
    description.note("the image of Armada in Genesis leads nowhere: name the one of your Airship");
    let data = json!({
        "hostname": first.name(),
        "ip": first.node_address(),
        "external_ip": first.address(),
        "apiserver": {
            "arguments": [
                "--authorization-mode=Node,RBAC",
                format!("--service-cluster-ip-range={}", subject.site.network().services()),
            ],
        },
        "labels": { "dynamic": labels },
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
