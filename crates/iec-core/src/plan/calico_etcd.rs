//! Calico's own etcd: where it is, the configuration by which its certificates are issued, and its static pod.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::plan::document;
use crate::plan::kubeadm::{API, RUNTIME_SOCKET};
use crate::site::{Datastore, Site};

/// The port for Calico, as the founding page's etcd had it.
const CLIENT_PORT: u16 = Datastore::ETCD_PORTS[0];
/// The port for other members, of which there are none yet.
const PEER_PORT: u16 = Datastore::ETCD_PORTS[1];
/// The port for the kubelet's probes.
const PROBE_PORT: u16 = Datastore::ETCD_PORTS[2];

/// Its authority and certificates, below the folder of the cluster's.
pub(super) const PKI: &str = "/etc/kubernetes/pki/calico-etcd";
/// Calico's certificate and key in that folder, without an ending.
pub(super) const CALICO_CLIENT: &str = "apiserver-etcd-client";
/// The name of its pod, before the name of its host.
pub const POD: &str = "calico-etcd";
/// Its static pod.
pub(super) const POD_FILE: &str = "/etc/kubernetes/manifests/calico-etcd.yaml";
/// Its data; `reset` removes it with everything else that the kubelet's containers have made.
pub(super) const DATA: &str = "/var/lib/calico-etcd";
/// The part of it that etcd makes itself, for root only.
pub(super) const MEMBER: &str = "/var/lib/calico-etcd/member";
/// The Secret by which Calico's pods get their certificate.
pub(super) const SECRET: &str = "calico-etcd-secrets";
/// The namespace of Calico.
pub(super) const NAMESPACE: &str = "kube-system";

/// How long certificates are valid: as long as kubeadm makes those of the cluster.
const VALIDITY: &str = "8760h0m0s";
/// A certificate that is valid for fewer seconds is issued anew: three months, in which somebody applies the site.
pub(super) const RENEW_SECONDS: u32 = 90 * 24 * 60 * 60;
/// Where Calico keeps the certificate that it uses on a host, since it came to it from the cluster.
pub(super) const IN_USE: &str = "/etc/cni/net.d/calico-tls/etcd-cert";

/// The command that prints what Calico keeps below `folder`, an object a line, in the container of [`POD`].
#[must_use]
pub fn reading(folder: &str) -> Vec<String> {
    let words = [
        "etcdctl".to_owned(),
        format!("--endpoints=https://127.0.0.1:{CLIENT_PORT}"),
        format!("--cacert={PKI}/etcd/ca.crt"),
        format!("--cert={PKI}/{CALICO_CLIENT}.crt"),
        format!("--key={PKI}/{CALICO_CLIENT}.key"),
        "get".to_owned(),
        "--prefix".to_owned(),
        "--print-value-only".to_owned(),
        format!("/calico/resources/v3/projectcalico.org/{folder}/"),
    ];
    words.to_vec()
}

/// Where Calico on every host finds it: on the control plane.
pub(super) fn endpoint(site: &Site) -> String {
    let address = site.control_planes().next().map(|host| host.node_address());
    let address = address.expect("a site has a control plane, else it is refused");
    format!("https://{address}:{CLIENT_PORT}")
}

/// Where it says on its own host how it is, to anybody and without TLS.
pub(super) fn probe_endpoint() -> String {
    format!("http://127.0.0.1:{PROBE_PORT}")
}

/// kubeadm's configuration for the certificates of this etcd: kubeadm issues them as it issues those of the cluster's
/// own, in another folder and by another authority.
pub(super) fn issue_configuration(node: &str, address: Ipv4Addr, kubernetes: &str) -> String {
    document::documents(&[
        json!({
            "apiVersion": API,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": address, "bindPort": CLIENT_PORT},
            "nodeRegistration": {"name": node, "criSocket": RUNTIME_SOCKET},
        }),
        json!({
            "apiVersion": API,
            "kind": "ClusterConfiguration",
            "kubernetesVersion": kubernetes,
            "certificatesDir": PKI,
            "encryptionAlgorithm": "ECDSA-P256",
            "certificateValidityPeriod": VALIDITY,
        }),
    ])
}

/// The static pod, in the form that kubeadm gives the cluster's etcd.
pub(super) fn pod(node: &str, address: Ipv4Addr, image: &str) -> String {
    let (data, pki) = ("calico-etcd-data", "calico-etcd-certificates");
    let probe = |path: &str, failures: u32| {
        json!({
            "httpGet": {"host": "127.0.0.1", "path": path, "port": PROBE_PORT, "scheme": "HTTP"},
            "failureThreshold": failures,
            "periodSeconds": 5,
            "timeoutSeconds": 15,
        })
    };
    let folder = |name: &str, path: &str| json!({"name": name, "hostPath": {"path": path, "type": "DirectoryOrCreate"}});
    document::documents(&[json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": POD,
            "namespace": NAMESPACE,
            "labels": {"component": POD, "tier": "control-plane"},
        },
        "spec": {
            "hostNetwork": true,
            "priorityClassName": "system-node-critical",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "etcd",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": command(node, address),
                "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}},
                "startupProbe": probe("/readyz", 48),
                "livenessProbe": probe("/livez", 12),
                "readinessProbe": probe("/readyz", 3),
                "volumeMounts": [
                    {"name": data, "mountPath": DATA},
                    {"name": pki, "mountPath": PKI, "readOnly": true},
                ],
            }],
            "volumes": [folder(data, DATA), folder(pki, PKI)],
        },
    })])
}

fn command(node: &str, address: Ipv4Addr) -> Vec<Value> {
    let peer = format!("https://127.0.0.1:{PEER_PORT}");
    let client = format!("https://{address}:{CLIENT_PORT}");
    let options = [
        ("name", node.to_owned()),
        ("data-dir", DATA.to_owned()),
        (
            "listen-client-urls",
            format!("https://127.0.0.1:{CLIENT_PORT},{client}"),
        ),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("{node}={peer}")),
        ("listen-metrics-urls", probe_endpoint()),
        ("client-cert-auth", "true".to_owned()),
        ("trusted-ca-file", format!("{PKI}/etcd/ca.crt")),
        ("cert-file", format!("{PKI}/etcd/server.crt")),
        ("key-file", format!("{PKI}/etcd/server.key")),
        // No other member is there yet: nothing beside this host can speak as one.
        ("peer-client-cert-auth", "true".to_owned()),
        ("peer-trusted-ca-file", format!("{PKI}/etcd/ca.crt")),
        ("peer-cert-file", format!("{PKI}/etcd/server.crt")),
        ("peer-key-file", format!("{PKI}/etcd/server.key")),
        // The API server compacts the cluster's etcd; nobody else would compact this one.
        ("auto-compaction-mode", "periodic".to_owned()),
        ("auto-compaction-retention", "1h".to_owned()),
    ];
    std::iter::once(json!("etcd"))
        .chain(options.map(|(name, value)| json!(format!("--{name}={value}"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> Vec<Value> {
        serde_saphyr::from_multiple(text).expect("it is YAML")
    }

    #[test]
    fn the_pod_serves_by_tls_only_and_keeps_its_ports_and_data_apart() {
        let pods = read(&pod("edge-1", Ipv4Addr::new(10, 0, 0, 11), "etcd:3"));
        let spec = &pods[0]["spec"];
        let command: Vec<&str> = spec["containers"][0]["command"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert!(command.contains(&"--listen-client-urls=https://127.0.0.1:6666,https://10.0.0.11:6666"));
        assert!(
            command.contains(&"--client-cert-auth=true") && command.contains(&"--peer-client-cert-auth=true")
        );
        // What speaks without TLS is for this host only.
        let open: Vec<_> = command.iter().filter(|word| word.contains("=http://")).collect();
        assert_eq!(open, [&"--listen-metrics-urls=http://127.0.0.1:6668"]);
        for port in ["2379", "2380", "2381"] {
            assert!(
                !command.iter().any(|word| word.contains(port)),
                "{port} is the cluster's"
            );
        }
        assert!(!command.iter().any(|word| word.contains("/var/lib/etcd")));
        assert_eq!(spec["hostNetwork"], true);
    }

    #[test]
    fn certificates_are_issued_in_a_folder_of_their_own() {
        let text = issue_configuration("edge-1", Ipv4Addr::new(10, 0, 0, 11), "v1.36.3");
        let documents = read(&text);
        assert_eq!(documents[0]["localAPIEndpoint"]["advertiseAddress"], "10.0.0.11");
        assert_eq!(documents[1]["certificatesDir"], PKI);
    }
}
