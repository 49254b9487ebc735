//! Judging the pod network as the API shows it: addresses, pools, DNS endpoints.

use iec_core::report::{Row, Scope};
use iec_core::site::Encapsulation;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::Deserialize;

use crate::check;
use crate::expected::{Expected, ExpectedNode};

/// Calico's annotation with the address that a node uses, in the form `10.0.0.11/24`.
const ADDRESS_ANNOTATION: &str = "projectcalico.org/IPv4Address";
/// Calico's annotation with the address of a node's VXLAN device.
const TUNNEL_ANNOTATION: &str = "projectcalico.org/IPv4VXLANTunnelAddr";

/// What Calico says of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CalicoNode {
    /// The address that it uses, in the form `10.0.0.11/24`.
    pub address: Option<String>,
    /// The address of its VXLAN device.
    pub tunnel: Option<String>,
}

impl CalicoNode {
    /// As Calico writes it into the node's annotations when it keeps its data in the Kubernetes API.
    #[must_use]
    pub fn annotated(node: &Node) -> Self {
        let annotation = |key: &str| node.metadata.annotations.as_ref()?.get(key).cloned();
        Self {
            address: annotation(ADDRESS_ANNOTATION),
            tunnel: annotation(TUNNEL_ANNOTATION),
        }
    }
}

/// The fields of Calico's IPPool (`spec` of `crd.projectcalico.org/v1`) that a site decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpPool {
    /// The addresses of the pool.
    pub cidr: String,
    /// When packets are wrapped in VXLAN: `Always`, `CrossSubnet`, `Never`.
    pub vxlan_mode: String,
    /// When packets are wrapped in IPIP, in the same words.
    pub ipip_mode: String,
    /// The prefix length of the blocks that nodes take.
    pub block_size: u8,
    /// Whether no new addresses are given out from it.
    pub disabled: bool,
}

/// One row for each declared node that exists: Calico's address is the declared one. `calico` gives what Calico says of
/// a node.
#[must_use]
pub fn judge_calico_addresses(
    expected: &Expected,
    nodes: &[Node],
    calico: impl Fn(&Node) -> CalicoNode,
) -> Vec<Row> {
    let named = |name: &str| {
        nodes
            .iter()
            .find(|node| node.metadata.name.as_deref() == Some(name))
    };
    expected
        .nodes
        .iter()
        .filter_map(|declared| {
            let found = calico(named(&declared.name)?);
            Some(judge_calico_address(expected, declared, &found))
        })
        .collect()
}

fn judge_calico_address(expected: &Expected, declared: &ExpectedNode, node: &CalicoNode) -> Row {
    let check = &check::CALICO_ADDRESS;
    let scope = Scope::host(&declared.name);
    let wanted = declared.address.to_string();
    let Some(address) = &node.address else {
        let found = "no address: calico-node has not started there";
        return check.failed(scope, wanted, found, vec![]);
    };
    let bare = address.split_once('/').map_or(address.as_str(), |(bare, _)| bare);
    if bare != wanted {
        let evidence = format!("Calico has {address} for {}", declared.name);
        return check.failed(scope, wanted, bare, vec![evidence]);
    }
    if expected.calico.encapsulation != Encapsulation::None && node.tunnel.is_none() {
        let wanted = "an address for the node's VXLAN device";
        return check.failed(scope, wanted, "none", vec![]);
    }
    check.passed(scope)
}

/// A row on Calico's pools: one enabled pool, as the site declares it.
#[must_use]
pub fn judge_ip_pools(expected: &Expected, pools: &[IpPool]) -> Row {
    let check = &check::CALICO_POOL;
    let wanted = describe_pool(
        &expected.pods.to_string(),
        expected.calico.encapsulation.vxlan_mode(),
        "Never",
        expected.calico.block_size,
    );
    let mut enabled: Vec<String> = pools
        .iter()
        .filter(|pool| is_enabled_ipv4(pool))
        .map(describe)
        .collect();
    enabled.sort();
    let found = if enabled.is_empty() {
        "no enabled IPv4 pool".to_owned()
    } else {
        enabled.join("; ")
    };
    check.compare(Scope::Cluster, &wanted, &found, vec![])
}

fn is_enabled_ipv4(pool: &IpPool) -> bool {
    !pool.disabled && !pool.cidr.contains(':')
}

fn describe(pool: &IpPool) -> String {
    let mode = |mode: &str| {
        if mode.is_empty() {
            "Never".to_owned()
        } else {
            mode.to_owned()
        }
    };
    describe_pool(
        &pool.cidr,
        &mode(&pool.vxlan_mode),
        &mode(&pool.ipip_mode),
        pool.block_size,
    )
}

fn describe_pool(cidr: &str, vxlan: &str, ipip: &str, block_size: u8) -> String {
    format!("{cidr}, VXLAN {vxlan}, IPIP {ipip}, blocks of /{block_size}")
}

/// A row on the endpoints of the DNS service.
#[must_use]
pub fn judge_dns_endpoints(slices: &[EndpointSlice]) -> Row {
    let endpoints = || slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    let ready = endpoints()
        .filter(|endpoint| {
            endpoint
                .conditions
                .as_ref()
                .and_then(|conditions| conditions.ready)
                != Some(false)
        })
        .count();
    if ready > 0 {
        return check::DNS_ENDPOINTS.passed(Scope::Cluster);
    }
    let found = format!("{} endpoints, none of them ready", endpoints().count());
    check::DNS_ENDPOINTS.failed(
        Scope::Cluster,
        "at least one ready endpoint of kube-dns",
        found,
        vec![],
    )
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{expected, node_json};

    fn address_row(change: impl FnOnce(&mut Value)) -> Row {
        let mut value = node_json("edge-2");
        change(&mut value);
        let node: Node = serde_json::from_value(value).expect("a node");
        let mut rows = judge_calico_addresses(&expected(), &[node], CalicoNode::annotated);
        assert_eq!(rows.len(), 1, "nodes that do not exist are for node.set");
        rows.remove(0)
    }

    fn found(row: &Row) -> &str {
        match &row.outcome {
            Outcome::Failed(failure) => &failure.found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn calico_must_use_the_declared_address_and_have_a_tunnel() {
        assert_eq!(address_row(|_| {}).outcome, Outcome::Passed);
        let other =
            address_row(|node| node["metadata"]["annotations"][ADDRESS_ANNOTATION] = json!("10.0.0.12/24"));
        assert_eq!(found(&other), "10.0.0.12");
        let none = address_row(|node| node["metadata"]["annotations"] = json!({}));
        assert!(found(&none).contains("has not started"), "{none:?}");
        let no_tunnel = address_row(|node| {
            node["metadata"]["annotations"]
                .as_object_mut()
                .expect("annotations")
                .remove(TUNNEL_ANNOTATION);
        });
        assert_eq!(found(&no_tunnel), "none");
    }

    #[test]
    fn without_encapsulation_no_tunnel_is_needed() {
        let mut expected = expected();
        expected.calico.encapsulation = Encapsulation::None;
        let mut value = node_json("edge-2");
        value["metadata"]["annotations"]
            .as_object_mut()
            .expect("annotations")
            .remove(TUNNEL_ANNOTATION);
        let node: Node = serde_json::from_value(value).expect("a node");
        assert_eq!(
            judge_calico_addresses(&expected, &[node], CalicoNode::annotated)[0].outcome,
            Outcome::Passed
        );
    }

    fn pool() -> IpPool {
        IpPool {
            cidr: "192.168.0.0/16".into(),
            vxlan_mode: "Always".into(),
            ipip_mode: "Never".into(),
            block_size: 26,
            disabled: false,
        }
    }

    #[test]
    fn the_only_enabled_pool_must_be_the_declared_one() {
        let disabled = IpPool {
            cidr: "10.9.0.0/16".into(),
            disabled: true,
            ..pool()
        };
        let ipv6 = IpPool {
            cidr: "fd00::/48".into(),
            ..pool()
        };
        let passing = [
            vec![pool()],
            vec![IpPool {
                ipip_mode: String::new(),
                ..pool()
            }],
            vec![disabled.clone(), ipv6, pool()],
        ];
        for pools in passing {
            assert_eq!(
                judge_ip_pools(&expected(), &pools).outcome,
                Outcome::Passed,
                "{pools:?}"
            );
        }
        let failing = [
            vec![],
            vec![disabled],
            vec![IpPool {
                cidr: "10.244.0.0/16".into(),
                ..pool()
            }],
            vec![IpPool {
                vxlan_mode: "CrossSubnet".into(),
                ..pool()
            }],
            vec![IpPool {
                ipip_mode: "Always".into(),
                ..pool()
            }],
            vec![IpPool {
                block_size: 24,
                ..pool()
            }],
            vec![
                pool(),
                IpPool {
                    cidr: "10.9.0.0/16".into(),
                    ..pool()
                },
            ],
        ];
        for pools in failing {
            let row = judge_ip_pools(&expected(), &pools);
            assert!(matches!(row.outcome, Outcome::Failed(_)), "{pools:?}");
        }
    }

    #[test]
    fn a_pool_reads_from_calicos_own_object() {
        let spec = json!({"cidr": "192.168.0.0/16", "ipipMode": "Never", "vxlanMode": "Always", "blockSize": 26,
            "natOutgoing": true, "nodeSelector": "all()", "allowedUses": ["Workload", "Tunnel"]});
        assert_eq!(serde_json::from_value::<IpPool>(spec).expect("a pool"), pool());
    }

    fn slice(endpoints: Value) -> EndpointSlice {
        serde_json::from_value(json!({"addressType": "IPv4", "endpoints": endpoints})).expect("a slice")
    }

    #[test]
    fn dns_needs_a_ready_endpoint() {
        let ready = slice(json!([{"addresses": ["1.1.1.1"], "conditions": {"ready": true}}]));
        let not_ready = slice(json!([{"addresses": ["1.1.1.2"], "conditions": {"ready": false}}]));
        assert_eq!(
            judge_dns_endpoints(&[not_ready.clone(), ready]).outcome,
            Outcome::Passed
        );
        assert_eq!(
            found(&judge_dns_endpoints(&[not_ready])),
            "1 endpoints, none of them ready"
        );
        assert_eq!(
            found(&judge_dns_endpoints(&[])),
            "0 endpoints, none of them ready"
        );
    }
}
