//! What a site file says about kube-proxy and the cluster's DNS.

use schemars::JsonSchema;

use super::field::{Field, List};
use super::read::read_mapping;

/// How kube-proxy makes services of pods.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "KubeProxy", rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeProxySpec {
    /// By what it does so. `nftables` and `ipvs` are refused, with the reason.
    #[schemars(default, extend("enum" = ["iptables"], "default" = "iptables"))]
    pub mode: Field<String>,
    /// The networks on whose addresses a host takes what is for node ports. Without it, on all of its addresses.
    #[schemars(default)]
    pub node_port_addresses: Field<List<String>>,
}

read_mapping! {
    KubeProxySpec { mode: "mode", node_port_addresses: "nodePortAddresses" }
}

/// The cluster's DNS. What is not set here is left to whoever runs the cluster.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Dns", rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsSpec {
    /// How many pods of CoreDNS there are.
    #[schemars(default, range(min = 1, max = 32))]
    pub replicas: Field<i64>,
    /// The name servers for names outside the cluster: addresses, each with a port behind `:` where that is not 53. Without it, those of the host on which the pod runs.
    #[schemars(default)]
    pub forwarders: Field<List<String>>,
    /// Domains with name servers of their own.
    #[schemars(default)]
    pub zones: Field<List<DnsZoneSpec>>,
}

read_mapping! {
    DnsSpec { replicas: "replicas", forwarders: "forwarders", zones: "zones" }
}

/// A domain with name servers of its own.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "DnsZone", rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsZoneSpec {
    /// The domain.
    pub name: Field<String>,
    /// Its name servers, as in `forwarders` of `dns`.
    pub forwarders: Field<List<String>>,
}

read_mapping! {
    DnsZoneSpec { name: "name", forwarders: "forwarders" }
}
