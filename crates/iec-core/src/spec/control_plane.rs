//! What a site file says about its control planes.

use schemars::JsonSchema;

use super::field::{Entries, Field, List};
use super::read::read_mapping;

/// What the control planes have in common.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "ControlPlane", rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlaneSpec {
    /// Where every node finds the API server: `host:port`. The name goes into every host's `/etc/hosts` and into the certificate. By default, `api.<site>.iec.internal:6443`. Fixed at installation.
    #[schemars(default)]
    pub endpoint: Field<String>,
    /// Whether workloads may run on control planes.
    #[schemars(default, extend("default" = true))]
    pub schedulable: Field<bool>,
    /// Further names and addresses in the API server's certificate, for clients that reach it by them.
    #[schemars(default)]
    pub certificate_names: Field<List<String>>,
    /// A free address in the control planes' subnet, for clients outside the site. keepalived gives it to one control plane whose API server answers, and to another one (VRRP) when that ends. Hosts of the site do not need it: they know all control planes by `endpoint`. With one control plane it stays there, until there are others. `iec apply` writes it into the kubeconfig, where the control planes' `address` and `nodeAddress` are the same; `kubectl --server` with the address of any control plane works with the same entries. A packet filter between control planes must let IP protocol 112 pass.
    #[schemars(default)]
    pub virtual_address: Field<String>,
    /// What is asked of the API server.
    #[schemars(default)]
    pub api_server: Field<ComponentSpec>,
    /// What is asked of the controller manager.
    #[schemars(default)]
    pub controller_manager: Field<ComponentSpec>,
    /// What is asked of the scheduler.
    #[schemars(default)]
    pub scheduler: Field<ComponentSpec>,
}

read_mapping! {
    ControlPlaneSpec {
        endpoint: "endpoint",
        schedulable: "schedulable",
        certificate_names: "certificateNames",
        virtual_address: "virtualAddress",
        api_server: "apiServer",
        controller_manager: "controllerManager",
        scheduler: "scheduler",
    }
}

/// What is asked of a component of the control plane.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Component", rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentSpec {
    /// Arguments of its command line beyond kubeadm's own, without the dashes in front: `profiling: "false"`. A component that does not come up with them gets its former ones back. What IEC sets by other keys is refused here.
    #[schemars(default)]
    pub arguments: Field<Entries<String>>,
}

read_mapping! { ComponentSpec { arguments: "arguments" } }
