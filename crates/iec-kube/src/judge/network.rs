//! Judging the pod network as the API shows it: addresses, pools, DNS endpoints.

use iec_core::report::{Row, Scope};
use iec_core::site::{Datastore, Encapsulation};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::Deserialize;

use crate::check;
use crate::expected::{Expected, ExpectedNode};

/// Calico's annotation with the address that a node uses, in the form `10.0.0.11/24`.
const ADDRESS_ANNOTATION: &str = "projectcalico.org/IPv4Address";
/// Calico's annotation with the address of a node's VXLAN device.
const TUNNEL_ANNOTATION: &str = "projectcalico.org/IPv4VXLANTunnelAddr";

/// Why rows that read Calico's data through the Kubernetes API do not apply.
const OTHER_DATASTORE: &str =
    "Calico keeps its data in an etcd of its own, which the Kubernetes API does not show";

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

/// One row for each declared node that exists: Calico's address is the declared one.
#[must_use]
pub fn judge_calico_addresses(expected: &Expected, nodes: &[Node]) -> Vec<Row> {
    let named = |name: &str| {
        nodes
            .iter()
            .find(|node| node.metadata.name.as_deref() == Some(name))
    };
    expected
        .nodes
        .iter()
        .filter_map(|declared| Some(judge_calico_address(expected, declared, named(&declared.name)?)))
        .collect()
}

fn judge_calico_address(expected: &Expected, declared: &ExpectedNode, node: &Node) -> Row {
    let check = &check::CALICO_ADDRESS;
    let scope = Scope::host(&declared.name);
    if expected.calico.datastore == Datastore::Etcd {
        return check.not_applicable(scope, OTHER_DATASTORE);
    }
    let annotation = |key: &str| node.metadata.annotations.as_ref()?.get(key).map(String::as_str);
    let wanted = declared.address.to_string();
    let Some(address) = annotation(ADDRESS_ANNOTATION) else {
        let found = format!("no annotation {ADDRESS_ANNOTATION}: calico-node has not started there");
        return check.failed(scope, wanted, found, vec![]);
    };
    let bare = address.split_once('/').map_or(address, |(bare, _)| bare);
    if bare != wanted {
        return check.failed(
            scope,
            wanted,
            bare,
            vec![format!("{ADDRESS_ANNOTATION}: {address}")],
        );
    }
    if expected.calico.encapsulation != Encapsulation::None && annotation(TUNNEL_ANNOTATION).is_none() {
        let found = format!("no annotation {TUNNEL_ANNOTATION}");
        return check.failed(scope, "an address for the node's VXLAN device", found, vec![]);
    }
    check.passed(scope)
}

/// A row on Calico's pools: one enabled pool, as the site declares it.
#[must_use]
pub fn judge_ip_pools(expected: &Expected, pools: &[IpPool]) -> Row {
    let check = &check::CALICO_POOL;
    if expected.calico.datastore == Datastore::Etcd {
        return check.not_applicable(Scope::Cluster, OTHER_DATASTORE);
    }
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
        let mut rows = judge_calico_addresses(&expected(), &[node]);
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
        assert!(found(&no_tunnel).contains("VXLANTunnelAddr"), "{no_tunnel:?}");
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
            judge_calico_addresses(&expected, &[node])[0].outcome,
            Outcome::Passed
        );
    }

    #[test]
    fn with_its_own_etcd_calicos_rows_do_not_apply() {
        let mut expected = expected();
        expected.calico.datastore = Datastore::Etcd;
        let node: Node = serde_json::from_value(node_json("edge-2")).expect("a node");
        let rows = judge_calico_addresses(&expected, &[node]);
        assert!(matches!(rows[0].outcome, Outcome::NotApplicable { .. }));
        assert!(matches!(
            judge_ip_pools(&expected, &[]).outcome,
            Outcome::NotApplicable { .. }
        ));
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
