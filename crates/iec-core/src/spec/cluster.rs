//! What a site file says about everything but hosts and networks.

use schemars::JsonSchema;

use super::field::{Field, List};
use super::read::read_mapping;

/// Where the parts come from.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Content", rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentSpec {
    /// The bundle: a folder or an archive, relative to the site file. Without it, the bundle that `iec bundle build` keeps for the release.
    #[schemars(default)]
    pub bundle: Field<String>,
}

read_mapping! { ContentSpec { bundle: "bundle" } }

/// How IEC logs in to the hosts.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Access", rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessSpec {
    /// The account to log in with: root, or one that may use sudo.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$"))]
    pub user: Field<String>,
    /// The file of the private key. Without it, your SSH agent and your own SSH configuration are used.
    #[schemars(default)]
    pub identity: Field<String>,
    /// The port of the SSH servers. Without it, your own SSH configuration decides, then 22.
    #[schemars(default, range(min = 1, max = 65535))]
    pub port: Field<i64>,
}

read_mapping! { AccessSpec { user: "user", identity: "identity", port: "port" } }

/// What to do about a container runtime that is already there.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Runtime", rename_all = "camelCase", deny_unknown_fields)]
pub struct RuntimeSpec {
    /// Take over a Docker or a distribution's containerd that is already there. Otherwise a host that has one is refused.
    #[schemars(default, extend("default" = false))]
    pub take_over: Field<bool>,
}

read_mapping! { RuntimeSpec { take_over: "takeOver" } }

/// What is asked of every kubelet.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Kubelet", rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeletSpec {
    /// The most pods that a host may run.
    #[schemars(default, range(min = 8, max = 1000), extend("default" = 110))]
    pub max_pods: Field<i64>,
    /// Below what is left of a resource kubelet removes pods. What is not named keeps kubelet's own threshold.
    #[schemars(default)]
    pub eviction_hard: Field<EvictionHardSpec>,
    /// What is kept from pods for the host's own services.
    #[schemars(default)]
    pub system_reserved: Field<SystemReservedSpec>,
}

read_mapping! {
    KubeletSpec { max_pods: "maxPods", eviction_hard: "evictionHard", system_reserved: "systemReserved" }
}

/// Below what is left of a resource kubelet removes pods: a quantity (`500Mi`) or a percentage (`5%`).
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "EvictionHard", deny_unknown_fields)]
pub struct EvictionHardSpec {
    /// Memory.
    #[schemars(default, rename = "memory.available")]
    pub memory_available: Field<String>,
    /// Room on the file system of kubelet.
    #[schemars(default, rename = "nodefs.available")]
    pub nodefs_available: Field<String>,
    /// Inodes on the file system of kubelet.
    #[schemars(default, rename = "nodefs.inodesFree")]
    pub nodefs_inodes_free: Field<String>,
    /// Room on the file system of the container runtime.
    #[schemars(default, rename = "imagefs.available")]
    pub imagefs_available: Field<String>,
    /// Process ids.
    #[schemars(default, rename = "pid.available")]
    pub pid_available: Field<String>,
}

read_mapping! {
    EvictionHardSpec {
        memory_available: "memory.available",
        nodefs_available: "nodefs.available",
        nodefs_inodes_free: "nodefs.inodesFree",
        imagefs_available: "imagefs.available",
        pid_available: "pid.available",
    }
}

/// What is kept from pods for the host's own services: quantities in quotes, such as `"500m"` or `"256Mi"`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "SystemReserved", deny_unknown_fields)]
pub struct SystemReservedSpec {
    /// Processor time.
    #[schemars(default)]
    pub cpu: Field<String>,
    /// Memory.
    #[schemars(default)]
    pub memory: Field<String>,
    /// Room on the file system of kubelet.
    #[schemars(default, rename = "ephemeral-storage")]
    pub ephemeral_storage: Field<String>,
    /// Process ids.
    #[schemars(default)]
    pub pid: Field<String>,
}

read_mapping! {
    SystemReservedSpec {
        cpu: "cpu",
        memory: "memory",
        ephemeral_storage: "ephemeral-storage",
        pid: "pid",
    }
}

/// What Helm installs once the cluster stands.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Helm", rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmSpec {
    /// The releases, in the order in which they are installed.
    #[schemars(default)]
    pub releases: Field<List<HelmReleaseSpec>>,
}

read_mapping! { HelmSpec { releases: "releases" } }

/// A Helm release.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "HelmRelease", rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmReleaseSpec {
    /// The name of the release: small letters, digits and `-`, at most 53 characters.
    #[schemars(extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?$"))]
    pub name: Field<String>,
    /// The namespace into which it is installed; made if it is not there.
    #[schemars(default, extend("default" = "default", "pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub namespace: Field<String>,
    /// The chart: a folder or an archive, relative to the site file.
    pub chart: Field<String>,
    /// The version that the chart must have.
    #[schemars(default)]
    pub version: Field<String>,
    /// The values that differ from the chart's own.
    #[schemars(default)]
    pub values: Field<serde_json::Map<String, serde_json::Value>>,
}

read_mapping! {
    HelmReleaseSpec {
        name: "name",
        namespace: "namespace",
        chart: "chart",
        version: "version",
        values: "values",
    }
}
