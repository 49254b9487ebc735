//! What the cluster is like now, read only: for people, and for programs as typed data.

use std::time::Instant;

use iec_core::report::Report;
use iec_core::site::Role;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use crate::certificate::read_certificate;
use crate::cluster::{Cluster, Server, within};
use crate::expected::Expected;
use crate::judge::{is_pod_ready, node_is_ready, pod_trouble, restarts_of, role_of};
use crate::operator::Operator;
use crate::recorder::{Recorder, RowSink};
use crate::survey::Snapshot;
use crate::verify::{check_servers, new_report, record_unreachable};

/// What the cluster is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// The API servers, one for each control plane.
    pub servers: Vec<ServerStatus>,
    /// Whose run changes the site now, if one does.
    pub operator: Option<Operator>,
    /// The version that the API server reports, such as `v1.36.3`.
    pub version: Option<String>,
    /// The nodes, by name; none if they could not be read.
    pub nodes: Vec<NodeStatus>,
    /// The pods of kube-system, by name; none if they could not be read.
    pub system_pods: Vec<PodStatus>,
}

/// One API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The host on which it runs.
    pub host: String,
    /// Where it listens, as `address:port`.
    pub address: String,
    /// The last moment at which its certificate is valid, as RFC 3339, if it could be read.
    pub certificate_until: Option<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// What it is in the cluster.
    pub role: Role,
    /// Whether its kubelet reports that it is Ready.
    pub ready: bool,
    /// Whether it is closed for new pods.
    pub cordoned: bool,
    /// Its InternalIP.
    pub address: Option<String>,
    /// The kubelet's version.
    pub kubelet: String,
    /// The container runtime and its version.
    pub runtime: String,
    /// The operating system in its own words.
    pub system: String,
    /// The kernel's version.
    pub kernel: String,
    /// The architecture as Go names it.
    pub architecture: String,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Its name.
    pub name: String,
    /// The node on which it runs.
    pub node: Option<String>,
    /// Whether it is ready.
    pub ready: bool,
    /// What keeps it from being ready.
    pub trouble: Option<String>,
    /// How often its containers were restarted.
    pub restarts: i32,
}

/// Reads the cluster once and compares it with what the site declares. Nothing is made or changed.
pub async fn status(cluster: &Cluster, expected: &Expected, sink: RowSink<'_>) -> (ClusterStatus, Report) {
    let (start, started) = (Instant::now(), Timestamp::now());
    let recorder = Recorder::new(sink);
    let (ready, servers) = tokio::join!(check_servers(cluster, &recorder), read_servers(cluster));
    let mut status = ClusterStatus {
        servers,
        operator: None,
        version: None,
        nodes: Vec::new(),
        system_pods: Vec::new(),
    };
    if let Some(server) = ready {
        let (snapshot, version, operator) = tokio::join!(
            Snapshot::read(&server.client, expected, cluster.call_deadline()),
            read_version(cluster, server),
            cluster.operator(),
        );
        status.operator = operator.unwrap_or_default();
        for row in snapshot.judge(expected) {
            recorder.record(row);
        }
        status.version = version;
        status.nodes = snapshot.nodes.iter().flatten().map(node_status).collect();
        status.system_pods = snapshot.pods.iter().flatten().map(pod_status).collect();
        status.nodes.sort_by(|one, other| one.name.cmp(&other.name));
        status.system_pods.sort_by(|one, other| one.name.cmp(&other.name));
    } else {
        record_unreachable(&recorder);
    }
    let mut report = new_report(expected, started, recorder.into_rows());
    report.seconds = start.elapsed().as_secs_f64();
    (status, report)
}

async fn read_servers(cluster: &Cluster) -> Vec<ServerStatus> {
    let reads = cluster.servers.iter().map(|server| async {
        let certificate = read_certificate(cluster, server).await.ok();
        ServerStatus {
            host: server.host.clone(),
            address: server.address.clone(),
            certificate_until: certificate.map(|validity| format!("{:.0}", validity.not_after)),
        }
    });
    futures::future::join_all(reads).await
}

async fn read_version(cluster: &Cluster, server: &Server) -> Option<String> {
    let asked = within(
        cluster.call_deadline(),
        "asking for the version",
        server.client.apiserver_version(),
    )
    .await;
    asked.ok().map(|version| version.git_version)
}

fn node_status(node: &Node) -> NodeStatus {
    let status = node.status.clone().unwrap_or_default();
    let info = status.node_info.unwrap_or_default();
    let mut addresses = status.addresses.into_iter().flatten();
    NodeStatus {
        name: node.metadata.name.clone().unwrap_or_default(),
        role: role_of(node),
        ready: node_is_ready(node),
        cordoned: node
            .spec
            .as_ref()
            .is_some_and(|spec| spec.unschedulable == Some(true)),
        address: addresses
            .find(|address| address.type_ == "InternalIP")
            .map(|address| address.address),
        kubelet: info.kubelet_version,
        runtime: info.container_runtime_version,
        system: info.os_image,
        kernel: info.kernel_version,
        architecture: info.architecture,
    }
}

fn pod_status(pod: &Pod) -> PodStatus {
    let ready = is_pod_ready(pod);
    PodStatus {
        name: pod.metadata.name.clone().unwrap_or_default(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        ready,
        trouble: (!ready).then(|| pod_trouble(pod)),
        restarts: restarts_of(pod),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{node_json, pod_json};

    #[test]
    fn a_node_is_told_in_typed_words() {
        let node: Node = serde_json::from_value(node_json("edge-2")).expect("a node");
        let status = serde_json::to_value(node_status(&node)).expect("JSON");
        assert_eq!(
            status,
            json!({
                "name": "edge-2", "role": "worker", "ready": true, "cordoned": false, "address": "192.0.2.12",
                "kubelet": "v1.36.3", "runtime": "containerd://2.4.2", "system": "Debian GNU/Linux 12",
                "kernel": "6.1.0", "architecture": "amd64",
            })
        );
    }

    #[test]
    fn a_pod_that_is_not_ready_says_why() {
        let mut value = pod_json("coredns-a", "edge-1");
        assert_eq!(
            pod_status(&serde_json::from_value(value.clone()).expect("a pod")).trouble,
            None
        );
        value["status"]["conditions"][0]["status"] = json!("False");
        value["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        value["status"]["containerStatuses"][0]["restartCount"] = json!(4);
        let status = pod_status(&serde_json::from_value(value).expect("a pod"));
        assert!(!status.ready && status.restarts == 4);
        assert_eq!(
            status.trouble.as_deref(),
            Some("coredns-a: main: CrashLoopBackOff")
        );
    }
}
