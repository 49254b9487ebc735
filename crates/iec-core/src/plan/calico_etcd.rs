//! Calico's own etcd: where its members are, the configuration by which their certificates are issued, and their static pods.

use std::net::Ipv4Addr;

use serde_json::json;

use crate::plan::document;
use crate::plan::kubeadm::{API, RUNTIME_SOCKET};
use crate::site::{Datastore, Site, SiteHost};

/// The port for Calico, as the founding page's etcd had it.
const CLIENT_PORT: u16 = Datastore::ETCD_PORTS[0];
/// The port for other members.
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
/// The argument by which a member is known among the programs that run.
pub(super) const PROCESS: &str = "--data-dir=/var/lib/calico-etcd";
/// What a member has written to it once it belongs to a cluster: its log, for root only.
pub(super) const MEMBER: &str = "/var/lib/calico-etcd/member/wal";
/// The name that is in the certificates of members only. Every host has a certificate of Calico's by the same authority, by
/// which nobody may speak as a member.
const MEMBER_NAME: &str = "member.calico-etcd.iec.internal";
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

/// `etcdctl` in the container of [`POD`], with Calico's certificate.
#[must_use]
pub fn etcdctl() -> Vec<String> {
    let words = [
        "etcdctl".to_owned(),
        format!("--endpoints=https://127.0.0.1:{CLIENT_PORT}"),
        format!("--cacert={PKI}/etcd/ca.crt"),
        format!("--cert={PKI}/{CALICO_CLIENT}.crt"),
        format!("--key={PKI}/{CALICO_CLIENT}.key"),
    ];
    words.to_vec()
}

/// The command that prints what Calico keeps below `folder`, an object a line, in the container of [`POD`].
#[must_use]
pub fn reading(folder: &str) -> Vec<String> {
    let get = [
        "get".to_owned(),
        "--prefix".to_owned(),
        "--print-value-only".to_owned(),
        format!("/calico/resources/v3/projectcalico.org/{folder}/"),
    ];
    etcdctl().into_iter().chain(get).collect()
}

/// Where Calico on every host finds it: on each control plane. A client goes on with the others when one does not answer.
pub(super) fn endpoints(site: &Site) -> String {
    let all: Vec<String> = site
        .control_planes()
        .map(|host| format!("https://{}:{CLIENT_PORT}", host.node_address()))
        .collect();
    all.join(",")
}

/// Where the other members reach the one of this control plane.
pub(crate) fn peer(host: &SiteHost) -> String {
    peer_at(host.node_address())
}

fn peer_at(address: Ipv4Addr) -> String {
    format!("https://{address}:{PEER_PORT}")
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
            "etcd": {"local": {"peerCertSANs": [MEMBER_NAME]}},
        }),
    ])
}

/// With whom a member starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartsWith {
    /// Nobody: it makes a new cluster.
    Nobody,
    /// Those whose data it has. Without data it starts with nobody, since it does not know where they are.
    ItsData,
}

/// The command line of a member's process once it has its data.
pub(super) fn command_line(node: &str, address: Ipv4Addr) -> String {
    command(node, address, StartsWith::ItsData).join(" ")
}

/// The static pod of a member, in the form that kubeadm gives the cluster's etcd.
pub(super) fn pod(node: &str, address: Ipv4Addr, image: &str, start: StartsWith) -> String {
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
                "command": command(node, address, start),
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

fn command(node: &str, address: Ipv4Addr, start: StartsWith) -> Vec<String> {
    let peer = peer_at(address);
    let client = format!("https://{address}:{CLIENT_PORT}");
    let state = match start {
        StartsWith::Nobody => "new",
        StartsWith::ItsData => "existing",
    };
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
        ("initial-cluster-state", state.to_owned()),
        ("listen-metrics-urls", probe_endpoint()),
        ("client-cert-auth", "true".to_owned()),
        ("trusted-ca-file", format!("{PKI}/etcd/ca.crt")),
        ("cert-file", format!("{PKI}/etcd/server.crt")),
        ("key-file", format!("{PKI}/etcd/server.key")),
        ("peer-client-cert-auth", "true".to_owned()),
        ("peer-trusted-ca-file", format!("{PKI}/etcd/ca.crt")),
        ("peer-cert-allowed-hostname", MEMBER_NAME.to_owned()),
        ("peer-cert-file", format!("{PKI}/etcd/peer.crt")),
        ("peer-key-file", format!("{PKI}/etcd/peer.key")),
        // The API server compacts the cluster's etcd; nobody else would compact this one.
        ("auto-compaction-mode", "periodic".to_owned()),
        ("auto-compaction-retention", "1h".to_owned()),
    ];
    std::iter::once("etcd".to_owned())
        .chain(options.map(|(name, value)| format!("--{name}={value}")))
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
        let address = Ipv4Addr::new(10, 0, 0, 11);
        let pods = read(&pod("edge-1", address, "etcd:3", StartsWith::ItsData));
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
    fn a_member_that_has_lost_its_data_does_not_start_as_a_cluster_of_its_own() {
        let address = Ipv4Addr::new(10, 0, 0, 11);
        let line = command_line("edge-1", address);
        assert!(line.contains("--initial-cluster-state=existing"), "{line}");
        let first = pod("edge-1", address, "etcd:3", StartsWith::Nobody);
        assert!(first.contains("--initial-cluster-state=new"), "{first}");
        assert!(
            first.contains("- --initial-cluster=edge-1=https://10.0.0.11:6667\n"),
            "{first}"
        );
    }

    #[test]
    fn only_a_certificate_of_a_member_speaks_as_one() {
        let line = command_line("edge-1", Ipv4Addr::new(10, 0, 0, 11));
        assert!(
            line.contains(&format!("--peer-cert-allowed-hostname={MEMBER_NAME}")),
            "{line}"
        );
        assert!(line.contains("--peer-client-cert-auth=true"), "{line}");
        let documents = read(&issue_configuration(
            "edge-1",
            Ipv4Addr::new(10, 0, 0, 11),
            "v1.36.3",
        ));
        assert_eq!(documents[1]["etcd"]["local"]["peerCertSANs"][0], MEMBER_NAME);
    }

    #[test]
    fn certificates_are_issued_in_a_folder_of_their_own() {
        let text = issue_configuration("edge-1", Ipv4Addr::new(10, 0, 0, 11), "v1.36.3");
        let documents = read(&text);
        assert_eq!(documents[0]["localAPIEndpoint"]["advertiseAddress"], "10.0.0.11");
        assert_eq!(documents[1]["certificatesDir"], PKI);
    }
}
