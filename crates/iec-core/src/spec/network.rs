//! What a site file says about networks.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::addons::{DnsSpec, KubeProxySpec};
use super::field::{Field, List, Spanned};
use super::read::{Read, Reader, read_mapping};
use super::tree::{Content, Node};

/// The networks of the cluster.
#[derive(Debug, Clone, PartialEq, Default, JsonSchema)]
#[schemars(rename = "Network", rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkSpec {
    /// The network from which pods get their addresses. It must overlap with no network that a host knows, nor with `services`.
    #[schemars(default, extend("default" = "192.168.0.0/16"))]
    pub pods: Field<String>,
    /// The network from which services get their addresses, from /12 to /28. The API server is its first address, the cluster's DNS its tenth.
    #[schemars(default, extend("default" = "172.16.1.0/24"))]
    pub services: Field<String>,
    /// What connects the pods: `calico`, or `calico:` with its settings.
    #[schemars(default)]
    pub cni: Field<CniSpec>,
    /// How kube-proxy makes services of pods.
    #[schemars(default)]
    pub kube_proxy: Field<KubeProxySpec>,
    /// The cluster's DNS. What is not set here is left to whoever runs the cluster.
    #[schemars(default)]
    pub dns: Field<DnsSpec>,
}

read_mapping! {
    NetworkSpec { pods: "pods", services: "services", cni: "cni", kube_proxy: "kubeProxy", dns: "dns" }
}

/// What connects the pods.
#[derive(Debug, Clone, PartialEq)]
pub enum CniSpec {
    /// `calico`, with settings or without.
    Calico(Box<CalicoSpec>),
    /// Something else, by its name.
    Other(String),
}

const CALICO: &str = "calico";

impl Read for CniSpec {
    const WANTED: &'static str = "text or a mapping with the key `calico`";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Scalar { .. } = &node.content {
            let name = String::read(node, reader)?;
            return Some(if name == CALICO {
                Self::Calico(Box::default())
            } else {
                Self::Other(name)
            });
        }
        let entry = reader.only_entry(node, Self::WANTED)?;
        if entry.key != CALICO {
            return Some(Self::Other(entry.key.clone()));
        }
        match reader.entry(entry) {
            Field::Given(Spanned { value, .. }) => Some(Self::Calico(Box::new(value))),
            Field::Absent | Field::Broken => None,
        }
    }
}

impl JsonSchema for CniSpec {
    fn schema_name() -> Cow<'static, str> {
        "Cni".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What connects the pods.",
            "default": CALICO,
            "oneOf": [
                { "type": "string", "enum": [CALICO] },
                {
                    "type": "object",
                    "properties": { CALICO: generator.subschema_for::<CalicoSpec>() },
                    "required": [CALICO],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

/// The settings of Calico.
#[derive(Debug, Clone, PartialEq, Default, JsonSchema)]
#[schemars(rename = "Calico", rename_all = "camelCase", deny_unknown_fields)]
pub struct CalicoSpec {
    /// How packets between pods of different hosts travel: always in VXLAN, in VXLAN between subnets only, or (with one host only) as they are.
    #[schemars(default, extend("enum" = ["VXLAN", "VXLANCrossSubnet", "None"], "default" = "VXLAN"))]
    pub encapsulation: Field<String>,
    /// Where Calico keeps its data: in the Kubernetes API, or in an etcd of its own with a member on each control plane, against which upstream advises.
    #[schemars(default, extend("enum" = ["kubernetes", "etcd"], "default" = "kubernetes"))]
    pub datastore: Field<String>,
    /// How Calico finds the address of a host: `kubernetes-internal-ip` (it is the address of the Kubernetes node), or one of the searches below.
    #[schemars(default)]
    pub node_address: Field<NodeAddressSpec>,
    /// The size of the largest packet on the interfaces of pods, in bytes. Without it, Calico finds out.
    #[schemars(default, range(min = 1280, max = 9190))]
    pub mtu: Field<i64>,
    /// The prefix length of the blocks of pod addresses that hosts take.
    #[schemars(default, range(min = 20, max = 32), extend("default" = 26))]
    pub block_size: Field<i64>,
    /// Whether packets between hosts are encrypted by WireGuard, for which each host's kernel must have it.
    #[schemars(default, extend("default" = false))]
    pub wireguard: Field<bool>,
    /// Settings of Felix, Calico's agent on each host. What is not set here is left to Calico and to whoever runs the cluster.
    #[schemars(default)]
    pub felix: Field<FelixSpec>,
}

read_mapping! {
    CalicoSpec {
        encapsulation: "encapsulation",
        datastore: "datastore",
        node_address: "nodeAddress",
        mtu: "mtu",
        block_size: "blockSize",
        wireguard: "wireguard",
        felix: "felix",
    }
}

/// Settings of Felix, Calico's agent on each host.
#[derive(Debug, Clone, PartialEq, Default, JsonSchema)]
#[schemars(rename = "Felix", rename_all = "camelCase", deny_unknown_fields)]
pub struct FelixSpec {
    /// The least severity of what it writes into its log.
    #[schemars(default, extend("enum" = ["Debug", "Info", "Warning", "Error", "Fatal"]))]
    pub log_severity: Field<String>,
    /// Whether it offers its figures to Prometheus, on TCP port 9091 of each host.
    #[schemars(default)]
    pub prometheus_metrics: Field<bool>,
    /// Whether its rules come before those of others in the packet filter, or behind them.
    #[schemars(default, extend("enum" = ["Insert", "Append"]))]
    pub chain_insert_mode: Field<String>,
}

read_mapping! {
    FelixSpec {
        log_severity: "logSeverity",
        prometheus_metrics: "prometheusMetrics",
        chain_insert_mode: "chainInsertMode",
    }
}

/// How Calico finds the address of a host.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeAddressSpec {
    /// A method without a parameter.
    Word(String),
    /// `cidr:` one network or a list of them.
    Cidr(Vec<Spanned<String>>),
    /// `interface:` a regular expression.
    Interface(Spanned<String>),
    /// `can-reach:` a name or address.
    CanReach(Spanned<String>),
}

static METHODS: [&str; 3] = ["cidr", "interface", "can-reach"];

impl Read for NodeAddressSpec {
    const WANTED: &'static str = "text or a mapping with one of the keys `cidr`, `interface`, `can-reach`";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Scalar { .. } = &node.content {
            return String::read(node, reader).map(Self::Word);
        }
        let entry = reader.only_entry(node, Self::WANTED)?;
        let value = match entry.key.as_str() {
            "cidr" if matches!(entry.value.content, Content::Sequence(_)) => {
                return match reader.entry::<List<String>>(entry) {
                    Field::Given(Spanned { value: list, .. }) if list.complete => {
                        Some(Self::Cidr(list.items))
                    }
                    _ => None,
                };
            }
            "cidr" | "interface" | "can-reach" => reader.entry::<String>(entry),
            unknown => {
                reader.unknown_key(unknown, &entry.key_place, &METHODS);
                return None;
            }
        };
        let Field::Given(value) = value else { return None };
        Some(match entry.key.as_str() {
            "cidr" => Self::Cidr(vec![value]),
            "interface" => Self::Interface(value),
            _ => Self::CanReach(value),
        })
    }
}

impl JsonSchema for NodeAddressSpec {
    fn schema_name() -> Cow<'static, str> {
        "NodeAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let [cidr, interface, can_reach] = METHODS.map(|method| match method {
            "cidr" => json_schema!({
                "description": "The first address inside one of these networks.",
                "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
            }),
            "interface" => json_schema!({
                "description": "The first address on an interface whose name matches this regular expression.",
                "type": "string",
            }),
            _ => json_schema!({
                "description": "The address from which the host would reach this name or address.",
                "type": "string",
            }),
        });
        let method = |name: &str, schema: Schema| {
            json_schema!({
                "type": "object",
                "properties": { name: schema },
                "required": [name],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "How Calico finds the address of a host.",
            "default": "kubernetes-internal-ip",
            "oneOf": [
                { "type": "string", "enum": ["kubernetes-internal-ip"] },
                method(METHODS[0], cidr),
                method(METHODS[1], interface),
                method(METHODS[2], can_reach),
            ],
        })
    }
}
