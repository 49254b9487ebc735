//! Calico's own manifest from the bundle, changed by typed patches.

use serde_json::{Map, Value, json};

use crate::plan::document;
use crate::site::{Calico, Destination, Encapsulation, Network, NodeAddress};

/// Bytes that VXLAN adds to a packet over IPv4.
const VXLAN_OVERHEAD: u32 = 50;

/// Why the bundle's manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CalicoError {
    /// It is not YAML.
    #[error("Calico's manifest in the bundle is not YAML: {0}")]
    Syntax(String),
    /// Something that a patch changes is not in it.
    #[error("Calico's manifest in the bundle has no {0}")]
    Missing(&'static str),
}

/// What the patches put into the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    /// Environment variables of calico-node.
    pub(super) environment: Vec<(&'static str, String)>,
    /// The largest packet of pods' links in bytes; 0 lets Calico find it.
    pub(super) mtu: u32,
    /// Seconds between probes and until they give up, on slow hosts.
    pub(super) probe_seconds: Option<u32>,
}

impl Patch {
    /// What the site and the slowest of its hosts ask for. `interface_mtu` is the least among the hosts' node addresses.
    #[must_use]
    pub(super) fn new(network: &Network, calico: &Calico, interface_mtu: Option<u32>, slow: bool) -> Self {
        let vxlan = match calico.encapsulation() {
            Encapsulation::Vxlan => "Always",
            Encapsulation::VxlanCrossSubnet => "CrossSubnet",
            Encapsulation::None => "Never",
        };
        let detection = match calico.node_address() {
            NodeAddress::KubernetesInternalIp => "kubernetes-internal-ip".to_owned(),
            NodeAddress::Cidr(networks) => {
                let list: Vec<String> = networks.iter().map(ToString::to_string).collect();
                format!("cidr={}", list.join(","))
            }
            NodeAddress::Interface(pattern) => format!("interface={pattern}"),
            NodeAddress::CanReach(Destination::Name(name)) => format!("can-reach={name}"),
            NodeAddress::CanReach(Destination::Address(address)) => format!("can-reach={address}"),
        };
        let overhead = if calico.encapsulation() == Encapsulation::None {
            0
        } else {
            VXLAN_OVERHEAD
        };
        let mtu = calico.mtu().map_or_else(
            || interface_mtu.map_or(0, |mtu| mtu.saturating_sub(overhead)),
            u32::from,
        );
        Self {
            environment: vec![
                ("CALICO_IPV4POOL_CIDR", network.pods().to_string()),
                ("CALICO_IPV4POOL_VXLAN", vxlan.to_owned()),
                ("CALICO_IPV4POOL_BLOCK_SIZE", calico.block_size().to_string()),
                ("IP_AUTODETECTION_METHOD", detection),
                // IPv6 is refused by the site's rules.
                ("CALICO_IPV6POOL_VXLAN", "Never".to_owned()),
            ],
            mtu,
            probe_seconds: slow.then_some(60),
        }
    }

    /// The bundle's manifest with this patch, as YAML.
    ///
    /// # Errors
    /// When the manifest is not one that the patch fits.
    pub(super) fn apply(&self, manifest: &str) -> Result<String, CalicoError> {
        let mut objects: Vec<Value> =
            serde_saphyr::from_multiple(manifest).map_err(|error| CalicoError::Syntax(error.to_string()))?;
        objects.retain(|object| !object.is_null());
        let config = find(&mut objects, "ConfigMap", "calico-config")
            .ok_or(CalicoError::Missing("ConfigMap calico-config"))?;
        config["data"]["veth_mtu"] = json!(self.mtu.to_string());
        let daemon_set = find(&mut objects, "DaemonSet", "calico-node")
            .ok_or(CalicoError::Missing("DaemonSet calico-node"))?;
        let container = daemon_set["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .and_then(|containers| {
                containers
                    .iter_mut()
                    .find(|container| container["name"] == "calico-node")
            })
            .and_then(Value::as_object_mut)
            .ok_or(CalicoError::Missing("container calico-node"))?;
        self.patch_container(container)?;
        Ok(document::documents(&objects))
    }

    fn patch_container(&self, container: &mut Map<String, Value>) -> Result<(), CalicoError> {
        let environment = container
            .get_mut("env")
            .and_then(Value::as_array_mut)
            .ok_or(CalicoError::Missing("environment of calico-node"))?;
        for (name, value) in &self.environment {
            environment.retain(|variable| variable["name"] != *name);
            environment.push(json!({"name": name, "value": value}));
        }
        if let Some(seconds) = self.probe_seconds {
            for probe in ["livenessProbe", "readinessProbe"] {
                let probe = container
                    .get_mut(probe)
                    .and_then(Value::as_object_mut)
                    .ok_or(CalicoError::Missing("probes of calico-node"))?;
                probe.insert("periodSeconds".to_owned(), json!(seconds));
                probe.insert("timeoutSeconds".to_owned(), json!(seconds));
            }
        }
        Ok(())
    }
}

fn find<'a>(objects: &'a mut [Value], kind: &str, name: &str) -> Option<&'a mut Value> {
    objects
        .iter_mut()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}
