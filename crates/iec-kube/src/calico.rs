//! Calico's own data: read from the Kubernetes API, or from its etcd by that etcd's own client in its pod.

use std::collections::BTreeMap;
use std::time::Duration;

use iec_core::plan::{CALICO_ETCD_POD, calico_etcd_reading};
use iec_core::site::Datastore;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::within;
use crate::exec;
use crate::expected::Expected;
use crate::judge::{CalicoNode, IpPool};
use crate::survey::{Read, SYSTEM};

/// What Calico keeps that a site decides.
#[derive(Debug, Default)]
pub(crate) struct CalicoData {
    /// Its address pools.
    pub(crate) pools: Vec<IpPool>,
    /// Felix' settings for all hosts, where it keeps its data in the Kubernetes API.
    pub(crate) felix: Value,
    /// Its nodes by name, where they are not the nodes of Kubernetes.
    pub(crate) nodes: BTreeMap<String, CalicoNode>,
}

impl CalicoData {
    /// Reads it from where the site says that Calico keeps it.
    pub(crate) async fn read(client: &Client, expected: &Expected, deadline: Duration) -> Read<Self> {
        match expected.calico.datastore {
            Datastore::Kubernetes => {
                let (pools, felix) = tokio::join!(
                    list(client, "IPPool", "ippools", deadline),
                    list(client, "FelixConfiguration", "felixconfigurations", deadline),
                );
                let felix = felix?
                    .into_iter()
                    .find(|object| object.metadata.name.as_deref() == Some("default"));
                Ok(Self {
                    pools: pools?
                        .iter()
                        .map(|object| pool_in(&object.data))
                        .collect::<Read<_>>()?,
                    felix: felix.map_or(Value::Null, |object| object.data["spec"].clone()),
                    nodes: BTreeMap::new(),
                })
            }
            Datastore::Etcd => {
                let (pools, nodes) = tokio::join!(
                    from_etcd(client, expected, "ippools", deadline),
                    from_etcd(client, expected, "nodes", deadline),
                );
                Ok(Self {
                    pools: pools?.iter().map(pool_in).collect::<Read<_>>()?,
                    felix: Value::Null,
                    nodes: nodes?.iter().filter_map(node_in).collect(),
                })
            }
        }
    }

    /// What Calico says of a node of Kubernetes; none if it says nothing.
    pub(crate) fn node(&self, expected: &Expected, node: &Node) -> CalicoNode {
        match expected.calico.datastore {
            Datastore::Kubernetes => CalicoNode::annotated(node),
            Datastore::Etcd => {
                let name = node.metadata.name.as_deref().unwrap_or_default();
                self.nodes.get(name).cloned().unwrap_or_default()
            }
        }
    }
}

/// The objects in a folder of Calico's etcd, by the first of its members that answers.
async fn from_etcd(
    client: &Client,
    expected: &Expected,
    folder: &str,
    deadline: Duration,
) -> Read<Vec<Value>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
    let mut answer = Err("the site has no control plane".to_owned());
    for host in expected.control_planes() {
        let pod = format!("{CALICO_ETCD_POD}-{}", host.name);
        let said = exec::run(&pods, &pod, &calico_etcd_reading(folder), deadline).await;
        answer = said.map_err(|error| error.chain());
        if answer.is_ok() {
            break;
        }
    }
    objects_in(&answer?)
}

/// The objects that etcd's client printed, one a line.
fn objects_in(text: &str) -> Read<Vec<Value>> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_str(line).map_err(|error| format!("reading an object of Calico's etcd: {error}"))
        })
        .collect()
}

fn node_in(object: &Value) -> Option<(String, CalicoNode)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let spec = &object["spec"];
    let node = CalicoNode {
        address: text(&spec["bgp"]["ipv4Address"]),
        tunnel: text(&spec["ipv4VXLANTunnelAddr"]),
    };
    Some((text(&object["metadata"]["name"])?, node))
}

fn pool_in(object: &Value) -> Read<IpPool> {
    IpPool::deserialize(&object["spec"]).map_err(|error| format!("reading a Calico pool: {error}"))
}

/// Objects of one of Calico's own kinds. Where Calico was not installed, the kind does not exist.
async fn list(client: &Client, kind: &str, plural: &str, deadline: Duration) -> Read<Vec<DynamicObject>> {
    let kind = GroupVersionKind::gvk("crd.projectcalico.org", "v1", kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let parameters = ListParams::default();
    match within(
        deadline,
        format!("listing Calico's {plural}"),
        api.list(&parameters),
    )
    .await
    {
        Ok(list) => Ok(list.items),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.chain()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{expected, node_json};

    /// As Calico 3.28 writes them.
    const NODES: &str = r#"{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"edge-1"},"spec":{"bgp":{"ipv4Address":"10.89.64.11/24"},"ipv4VXLANTunnelAddr":"192.168.228.128"},"status":{}}
{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{"name":"edge-2"},"spec":{},"status":{}}
"#;

    #[test]
    fn objects_of_calicos_etcd_are_read_line_by_line() {
        let objects = objects_in(NODES).expect("two objects");
        let nodes: BTreeMap<String, CalicoNode> = objects.iter().filter_map(node_in).collect();
        assert_eq!(nodes["edge-1"].address.as_deref(), Some("10.89.64.11/24"));
        assert_eq!(nodes["edge-1"].tunnel.as_deref(), Some("192.168.228.128"));
        assert_eq!(nodes["edge-2"], CalicoNode::default());
        let pool = json!({"metadata": {"name": "default-ipv4-ippool"},
            "spec": {"cidr": "192.168.0.0/16", "vxlanMode": "Always", "ipipMode": "Never", "blockSize": 26}});
        let pool = pool_in(&objects_in(&pool.to_string()).expect("an object")[0]).expect("a pool");
        assert_eq!(
            (pool.cidr.as_str(), pool.vxlan_mode.as_str()),
            ("192.168.0.0/16", "Always")
        );
        assert!(objects_in("").expect("no object").is_empty());
        assert!(objects_in("Error: context deadline exceeded").is_err());
    }

    #[test]
    fn with_an_etcd_of_its_own_annotations_say_nothing() {
        let mut expected = expected();
        let node: Node = serde_json::from_value(node_json("edge-2")).expect("a node");
        let data = CalicoData::default();
        assert!(data.node(&expected, &node).address.is_some());
        expected.calico.datastore = Datastore::Etcd;
        assert_eq!(data.node(&expected, &node), CalicoNode::default());
    }
}
