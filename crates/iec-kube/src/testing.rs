//! Fixtures for tests: a declared site of three hosts, and objects that are as declared.

pub(crate) mod api;

use std::collections::{BTreeMap, BTreeSet};

use iec_core::architecture::Architecture;
use iec_core::report::{Outcome, Row};
use iec_core::site::{Datastore, Encapsulation, Role};
use serde_json::{Value, json};

use crate::expected::{CONTROL_PLANE_KEY, Expected, ExpectedCalico, ExpectedDns, ExpectedNode};

/// A site of one control plane, which takes no workloads, and two workers; `edge-2` has a label and a taint.
pub(crate) fn expected() -> Expected {
    let node = |name: &str, last: u8, role: Role| ExpectedNode {
        name: name.into(),
        role,
        address: [192, 0, 2, last].into(),
        operator_address: [10, 0, 0, last].into(),
        architecture: Some(Architecture::Amd64),
        labels: BTreeMap::new(),
        taints: BTreeSet::new(),
        unreachable: false,
        silent: false,
    };
    let mut nodes = vec![
        node("edge-1", 11, Role::ControlPlane),
        node("edge-2", 12, Role::Worker),
        node("edge-3", 13, Role::Worker),
    ];
    nodes[0].taints.insert(format!("{CONTROL_PLANE_KEY}:NoSchedule"));
    nodes[1].labels.insert("zone".into(), "rack-a".into());
    nodes[1].taints.insert("dedicated=camera:PreferNoSchedule".into());
    Expected {
        site: "store-0417".into(),
        release: "1.36".into(),
        nodes,
        api_port: 6443,
        kubelet: "v1.36.3".into(),
        runtime: "containerd://2.4.2".into(),
        pods: "192.168.0.0/16".parse().expect("a network"),
        virtual_address: None,
        api_service: [172, 16, 1, 1].into(),
        no_service: [172, 16, 1, 255].into(),
        cluster_domain: "cluster.local".into(),
        calico: ExpectedCalico {
            datastore: Datastore::Kubernetes,
            encapsulation: Encapsulation::Vxlan,
            block_size: 26,
            felix: json!({}),
        },
        releases: Vec::new(),
        dns: ExpectedDns::default(),
        warnings: Vec::new(),
    }
}

/// A site of one host only, which takes workloads.
pub(crate) fn expected_single() -> Expected {
    let mut expected = expected();
    expected.nodes.truncate(1);
    expected.nodes[0].taints.clear();
    expected
}

/// The node `edge-2` as [`expected`] declares it, under any name.
pub(crate) fn node_json(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name,
            "labels": {"zone": "rack-a", "kubernetes.io/hostname": name},
            "annotations": {
                "projectcalico.org/IPv4Address": "192.0.2.12/24",
                "projectcalico.org/IPv4VXLANTunnelAddr": "192.168.17.0",
            },
        },
        "spec": {"taints": [{"key": "dedicated", "value": "camera", "effect": "PreferNoSchedule"}]},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is ready"},
                {"type": "MemoryPressure", "status": "False"},
                {"type": "NetworkUnavailable", "status": "False", "reason": "CalicoIsUp"},
            ],
            "addresses": [
                {"type": "InternalIP", "address": "192.0.2.12"},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "architecture": "amd64", "bootID": "b", "containerRuntimeVersion": "containerd://2.4.2",
                "kernelVersion": "6.1.0", "kubeProxyVersion": "", "kubeletVersion": "v1.36.3",
                "machineID": "m", "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12", "systemUUID": "u",
            },
        },
    })
}

/// A pod that is ready.
pub(crate) fn pod_json(name: &str, node: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
        "status": {
            "phase": "Running", "podIP": "192.168.17.5",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{
                "name": "main", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-11-23T18:00:00Z"}},
            }],
        },
    })
}

/// The ids of the rows that failed.
pub(crate) fn failed_ids(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .filter(|row| matches!(row.outcome, Outcome::Failed(_)))
        .map(|row| row.id.clone())
        .collect()
}
