//! What a site file says about a host.

use schemars::JsonSchema;

use super::field::{Entries, Field, List};
use super::hardware::HardwareSpec;
use super::read::read_mapping;

/// One host of the site.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Host", rename_all = "camelCase", deny_unknown_fields)]
pub struct HostSpec {
    /// The name of the host and of its Kubernetes node: small letters, digits and `-`, no domain, at most 63 characters.
    #[schemars(extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "not" = {"const": "localhost"}))]
    pub name: Field<String>,
    /// The IPv4 address at which IEC reaches the host.
    #[schemars(extend("format" = "ipv4"))]
    pub address: Field<String>,
    /// The IPv4 address that kubelet, API server and Calico use. By default, `address`.
    #[schemars(default, extend("format" = "ipv4"))]
    pub node_address: Field<String>,
    /// What the host is in the cluster.
    #[schemars(extend("enum" = ["control-plane", "worker"]))]
    pub role: Field<String>,
    /// Labels of the node. Labels of `kubernetes.io` and `k8s.io` are for Kubernetes itself, with few exceptions.
    #[schemars(default)]
    pub labels: Field<Entries<String>>,
    /// Taints of the node: pods that do not tolerate them stay away.
    #[schemars(default)]
    pub taints: Field<List<TaintSpec>>,
    /// The SSH host key that the host must show, as in `known_hosts`: algorithm and base64 text. Without it, your `known_hosts` file decides.
    #[schemars(default, extend("pattern" = "^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}( .*)?$"))]
    pub host_key: Field<String>,
    /// `absent` drains the host, removes it from the cluster, and resets it.
    #[schemars(default, extend("enum" = ["present", "absent"], "default" = "present"))]
    pub state: Field<String>,
    /// For a host with `state: absent` that cannot be reached any more: it is removed from the cluster, and its reset stays owed.
    #[schemars(default, extend("default" = false))]
    pub unreachable: Field<bool>,
    /// The account to log in with, where it differs from `access.user`.
    #[schemars(default, extend("pattern" = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$"))]
    pub user: Field<String>,
    /// The port of the SSH server, where it differs from `access.port`.
    #[schemars(default, range(min = 1, max = 65535))]
    pub port: Field<i64>,
    /// What to believe about the host in a plan that is made without looking at it. `iec apply` never believes it.
    #[schemars(default)]
    pub assume: Field<AssumeSpec>,
    /// What installers of whole machines must know about the host. IEC keeps it for `iec render`; installing over SSH needs none of it.
    #[schemars(default)]
    pub hardware: Field<HardwareSpec>,
}

read_mapping! {
    HostSpec {
        name: "name",
        address: "address",
        node_address: "nodeAddress",
        role: "role",
        labels: "labels",
        taints: "taints",
        host_key: "hostKey",
        state: "state",
        unreachable: "unreachable",
        user: "user",
        port: "port",
        assume: "assume",
        hardware: "hardware",
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Taint", rename_all = "camelCase", deny_unknown_fields)]
pub struct TaintSpec {
    /// The key: `name` or `prefix/name`.
    pub key: Field<String>,
    /// The value.
    #[schemars(default, extend("default" = ""))]
    pub value: Field<String>,
    /// What happens to pods that do not tolerate it.
    #[schemars(extend("enum" = ["NoSchedule", "PreferNoSchedule", "NoExecute"]))]
    pub effect: Field<String>,
}

read_mapping! { TaintSpec { key: "key", value: "value", effect: "effect" } }

/// What to believe about a host in a plan that is made without looking at it.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Assume", rename_all = "camelCase", deny_unknown_fields)]
pub struct AssumeSpec {
    /// The processor architecture.
    #[schemars(default, extend("enum" = ["amd64", "arm64"]))]
    pub architecture: Field<String>,
    /// `ID` and `VERSION_ID` of `/etc/os-release`, joined by `-`: `debian-12`, `ubuntu-24.04`.
    #[schemars(default, extend("pattern" = "^(debian-[0-9]+|ubuntu-[0-9]+\\.[0-9]+)$"))]
    pub distribution: Field<String>,
    /// The layout of control groups.
    #[schemars(default, extend("enum" = ["v1", "hybrid", "v2"]))]
    pub cgroup: Field<String>,
    /// Whether the host is itself a container.
    #[schemars(default)]
    pub container: Field<bool>,
    /// The number of processors.
    #[schemars(default, range(min = 1, max = 1024))]
    pub cpus: Field<i64>,
    /// The memory in MiB.
    #[schemars(default, range(min = 256, max = 4_194_304))]
    pub memory_mib: Field<i64>,
    /// How many times slower the processor is than that of an ordinary server: 1 for one, 4 for a Raspberry Pi 4, 20 for
    /// an emulated one. Deadlines, probes and estimates follow from it.
    #[schemars(default, range(min = 1, max = 200))]
    pub slowness: Field<i64>,
    /// The name servers that pods ask for names outside the cluster.
    #[schemars(default)]
    pub nameservers: Field<List<String>>,
}

read_mapping! {
    AssumeSpec {
        architecture: "architecture",
        distribution: "distribution",
        cgroup: "cgroup",
        container: "container",
        cpus: "cpus",
        memory_mib: "memoryMib",
        slowness: "slowness",
        nameservers: "nameservers",
    }
}
