//! kubeadm: the phases that are steps, and the configuration (`kubeadm.k8s.io/v1beta4`) they read.

use serde_json::{Value, json};

use crate::content::Digest;
use crate::facts::{CgroupDriver, HostFacts};
use crate::pace::Pace;
use crate::plan::Inputs;
use crate::plan::addons::Addons;
use crate::plan::document;
use crate::plan::static_pod::Component;
use crate::secret::Secret;
use crate::site::{Role, SiteHost};

/// kubeadm's configuration on the first control plane, without any secret.
pub const INIT_FILE: &str = "/etc/iec/kubeadm.yaml";
/// kubeadm's configuration by which a control plane joins the others, without any secret.
pub const JOIN_FILE: &str = "/etc/iec/kubeadm-join.yaml";
/// The folder of patches that make the kubelets' common configuration fit this host.
pub const PATCHES: &str = "/etc/iec/kubeadm-patches";
/// The name server file that pods inherit.
pub const RESOLVER_FILE: &str = "/etc/iec/resolv.conf";
/// Where kubeadm keeps certificates.
pub(super) const PKI: &str = "/etc/kubernetes/pki";
/// The runtime's socket.
pub(super) const RUNTIME_SOCKET: &str = "unix:///run/containerd/containerd.sock";

/// The phases of `kubeadm init` that are steps, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitPhase {
    /// Asks whether the host can become a control plane.
    Preflight,
    /// Certificates from the authorities that are there.
    Certificates {
        /// The digest of the names in the API server's.
        names: Digest,
    },
    /// The kubeconfig files of the components.
    Kubeconfigs,
    /// The kubelet starts, and starts them.
    KubeletStart,
    /// The configuration goes into the cluster.
    UploadConfig {
        /// Its digest, by which the cluster's is known.
        configuration: Digest,
    },
    /// Labels and taints of the node.
    MarkControlPlane {
        /// The node.
        node: String,
    },
    /// The token, and what hosts that join by it may do.
    BootstrapToken,
    /// The kubelet takes its own client certificate.
    KubeletFinalize,
    /// CoreDNS and kube-proxy.
    Addons(Addons),
}

impl InitPhase {
    /// The words behind `kubeadm init phase`.
    #[must_use]
    pub fn words(&self) -> &'static [&'static str] {
        match self {
            Self::Preflight => &["preflight"],
            Self::Certificates { .. } => &["certs", "all"],
            Self::Kubeconfigs => &["kubeconfig", "all"],
            Self::KubeletStart => &["kubelet-start"],
            Self::UploadConfig { .. } => &["upload-config", "all"],
            Self::MarkControlPlane { .. } => &["mark-control-plane"],
            Self::BootstrapToken => &["bootstrap-token", "--skip-token-print"],
            Self::KubeletFinalize => &["kubelet-finalize", "all"],
            Self::Addons(_) => &["addon"],
        }
    }

    /// The folder in which a power cut may have left empty files.
    #[must_use]
    pub fn empty_files(&self) -> std::option::IntoIter<&'static str> {
        match self {
            Self::Certificates { .. } => Some(PKI),
            Self::Kubeconfigs => Some("/etc/kubernetes"),
            _ => None,
        }
        .into_iter()
    }
}

/// The phases of `kubeadm join` of a worker that are steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinPhase {
    /// Asks whether the host can join.
    Preflight,
    /// The kubelet gets its configuration and starts.
    KubeletStart,
    /// Until the kubelet has credentials of its own.
    KubeletWaitBootstrap,
}

impl JoinPhase {
    /// The word behind `kubeadm join phase`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::KubeletStart => "kubelet-start",
            Self::KubeletWaitBootstrap => "kubelet-wait-bootstrap",
        }
    }
}

/// The form of kubeadm's configuration.
pub(super) const API: &str = "kubeadm.k8s.io/v1beta4";

/// What kubeadm's configuration is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The site and everything around it.
    pub(super) inputs: &'a Inputs<'a>,
    /// The host.
    pub(super) host: &'a SiteHost,
    /// What it is.
    pub(super) facts: &'a HostFacts,
    /// How slow it is, or its control plane.
    pub(super) pace: Pace,
}

/// All that kubeadm waits for, on a slow host. From the time for a component's health it also makes how often a static
/// pod may fail its first probes before it is started again.
fn timeouts(pace: Pace) -> Value {
    json!({
        "controlPlaneComponentHealthCheck": pace.minutes(4),
        "kubeletHealthCheck": pace.minutes(4),
        "kubernetesAPICall": pace.minutes(1),
        "etcdAPICall": pace.minutes(2),
        "discovery": pace.minutes(10),
        "tlsBootstrap": pace.minutes(10),
    })
}

/// kubeadm's configuration for the first control plane, without the token.
#[must_use]
pub(super) fn init_configuration(subject: &Subject<'_>) -> String {
    document::documents(&init_documents(subject, json!([])))
}

/// What kubeadm makes a static pod of this control plane from, as text that changes when the pod may.
#[must_use]
pub(super) fn static_pod_is_made_from(component: Component, inputs: &Inputs<'_>, host: &SiteHost) -> String {
    let endpoint = json!({
        "advertiseAddress": host.node_address(),
        "bindPort": inputs.site.control_plane().endpoint().port(),
    });
    let mut cluster = cluster_configuration(inputs, host);
    cluster["apiServer"]["certSANs"] = Value::Null;
    for (other, key) in [
        (Component::ApiServer, "apiServer"),
        (Component::ControllerManager, "controllerManager"),
        (Component::Scheduler, "scheduler"),
    ] {
        if other != component {
            cluster[key] = Value::Null;
        }
    }
    document::documents(&[endpoint, cluster])
}

/// The names of the API server's certificate on this host, as text that changes when they do.
#[must_use]
pub(super) fn certificate_names(inputs: &Inputs<'_>, host: &SiteHost) -> String {
    cluster_configuration(inputs, host)["apiServer"]["certSANs"].to_string()
}

/// The same with the bootstrap token in it.
#[must_use]
pub(super) fn init_configuration_with_token(subject: &Subject<'_>) -> Secret<String> {
    let inputs = subject.inputs;
    inputs.credentials.token.map(|token| {
        let tokens = json!([{
            "token": token,
            "description": "IEC: hosts of this site join by it",
            "ttl": format!("{}s", inputs.token_life.as_secs()),
            "usages": ["signing", "authentication"],
            "groups": ["system:bootstrappers:kubeadm:default-node-token"],
        }]);
        document::documents(&init_documents(subject, tokens))
    })
}

fn init_documents(subject: &Subject<'_>, tokens: Value) -> [Value; 4] {
    let Subject {
        inputs, host, facts, ..
    } = *subject;
    // Every host finds the endpoint at the control plane itself, so the API server listens on the endpoint's port.
    let port = inputs.site.control_plane().endpoint().port();
    let mut init = json!({
        "apiVersion": API,
        "kind": "InitConfiguration",
        "bootstrapTokens": tokens,
        "localAPIEndpoint": {"advertiseAddress": host.node_address(), "bindPort": port},
        "nodeRegistration": node_registration(inputs, host, facts),
        "patches": {"directory": PATCHES},
    });
    if !subject.pace.is_ordinary() {
        init["timeouts"] = timeouts(subject.pace);
    }
    [
        init,
        cluster_configuration(inputs, host),
        kubelet_configuration(inputs),
        proxy_configuration(inputs),
    ]
}

/// The configuration by which a worker joins; it holds the token.
#[must_use]
pub(super) fn join_configuration(subject: &Subject<'_>) -> Secret<String> {
    let Subject {
        inputs, host, facts, ..
    } = *subject;
    let endpoint = inputs.site.control_plane().endpoint().to_string();
    inputs.credentials.token.map(|token| {
        document::documents(&[json!({
            "apiVersion": API,
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "apiServerEndpoint": endpoint,
                    "token": token,
                    "caCertHashes": [inputs.credentials.discovery_hash],
                },
                "tlsBootstrapToken": token,
            },
            "nodeRegistration": node_registration(inputs, host, facts),
            "patches": {"directory": PATCHES},
            "timeouts": if subject.pace.is_ordinary() {
                json!({"discovery": "10m0s", "tlsBootstrap": "10m0s"})
            } else {
                timeouts(subject.pace)
            },
        })])
    })
}

/// The configuration by which a control plane joins the others' etcd: it has the cluster's authorities, so it needs no token.
#[must_use]
pub(super) fn control_plane_join_configuration(subject: &Subject<'_>) -> String {
    let Subject {
        inputs, host, facts, ..
    } = *subject;
    let port = inputs.site.control_plane().endpoint().port();
    let mut join = json!({
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "controlPlane": {"localAPIEndpoint": {"advertiseAddress": host.node_address(), "bindPort": port}},
        "discovery": {"file": {"kubeConfigPath": "/etc/kubernetes/admin.conf"}},
        "nodeRegistration": node_registration(inputs, host, facts),
        "patches": {"directory": PATCHES},
    });
    if !subject.pace.is_ordinary() {
        join["timeouts"] = timeouts(subject.pace);
    }
    document::documents(&[join])
}

fn node_registration(inputs: &Inputs<'_>, host: &SiteHost, facts: &HostFacts) -> Value {
    let taints: Vec<Value> = host
        .taints()
        .iter()
        .map(|taint| json!({"key": taint.key().as_str(), "value": taint.value().as_str(), "effect": taint.effect().as_str()}))
        .chain((host.role() == Role::ControlPlane && !inputs.site.control_plane().schedulable()).then(
            || json!({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}),
        ))
        .collect();
    let mut ignored = Vec::new();
    if !facts.fail_cgroup_v1() {
        // The check that refuses cgroup v1; the site has accepted it, else there would be no plan.
        ignored.push("SystemVerification");
    }
    if facts.is_small_for(host.role()) {
        // kubeadm's own limits for control planes, which the site has accepted to be below.
        ignored.extend(["Mem", "NumCPU"]);
    }
    json!({
        "name": host.name().as_str(),
        "criSocket": RUNTIME_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "ignorePreflightErrors": ignored,
        "kubeletExtraArgs": [{"name": "node-ip", "value": host.node_address()}],
        "taints": taints,
    })
}

fn cluster_configuration(inputs: &Inputs<'_>, host: &SiteHost) -> Value {
    let site = inputs.site;
    // Often two or all three of them are the same.
    let mut names = Vec::new();
    let own = [
        site.control_plane().endpoint().host().to_string(),
        host.node_address().to_string(),
        host.address().to_string(),
    ];
    for name in own
        .into_iter()
        .chain(
            site.control_plane()
                .virtual_address()
                .map(|address| address.to_string()),
        )
        .chain(site.control_plane().certificate_names().iter().cloned())
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut value = json!({
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": site.name().as_str(),
        "kubernetesVersion": inputs.release.kubernetes(),
        "controlPlaneEndpoint": site.control_plane().endpoint().to_string(),
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": site.network().pods(),
            "serviceSubnet": site.network().services(),
        },
        "apiServer": {"certSANs": names},
        "encryptionAlgorithm": "ECDSA-P256",
        "etcd": {"local": {"dataDir": "/var/lib/etcd", "imageTag": image_tag(inputs, "etcd")}},
        "dns": {"imageTag": image_tag(inputs, "coredns")},
    });
    let control_plane = site.control_plane();
    for (component, arguments) in [
        ("apiServer", control_plane.api_server()),
        ("controllerManager", control_plane.controller_manager()),
        ("scheduler", control_plane.scheduler()),
    ] {
        if !arguments.is_empty() {
            let arguments: Vec<Value> = arguments
                .iter()
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            value[component]["extraArgs"] = json!(arguments);
        }
    }
    value
}

/// The tag of a release's image. kubeadm's own default may be an older patch.
fn image_tag<'a>(inputs: &Inputs<'a>, name: &str) -> &'a str {
    let reference = inputs.release.image(name).unwrap_or_default();
    reference.rsplit_once(':').map_or(reference, |(_, tag)| tag)
}

pub(super) fn kubelet_configuration(inputs: &Inputs<'_>) -> Value {
    let kubelet = inputs.site.kubelet();
    let mut value = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "clusterDNS": [inputs.site.network().dns_address()],
        "maxPods": kubelet.max_pods(),
        "resolvConf": RESOLVER_FILE,
        "rotateCertificates": true,
    });
    if !kubelet.eviction_hard().is_empty() {
        value["evictionHard"] = json!(kubelet.eviction_hard());
    }
    if !kubelet.system_reserved().is_empty() {
        value["systemReserved"] = json!(kubelet.system_reserved());
    }
    value
}

pub(super) fn proxy_configuration(inputs: &Inputs<'_>) -> Value {
    let proxy = inputs.site.network().kube_proxy();
    let mut value = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": inputs.site.network().pods(),
        "mode": proxy.mode().word(),
    });
    if !proxy.node_port_addresses().is_empty() {
        value["nodePortAddresses"] = json!(proxy.node_port_addresses());
    }
    // One configuration for all hosts: a host that cannot set the table's size decides.
    if inputs
        .facts
        .known()
        .any(|(_, facts)| !facts.conntrack_sysctl_writable())
    {
        value["conntrack"] = json!({"maxPerCore": 0, "min": 0});
    }
    value
}

/// What is different in the kubelet's configuration on this host, as a patch: kubeadm merges it into the common one.
#[must_use]
pub(super) fn kubelet_patch(facts: &HostFacts, pace: Pace) -> String {
    document::documents(&[kubelet_difference(facts, pace)])
}

/// The same as data.
pub(super) fn kubelet_difference(facts: &HostFacts, pace: Pace) -> Value {
    let driver = match facts.cgroup_driver() {
        CgroupDriver::Systemd => "systemd",
        CgroupDriver::Cgroupfs => "cgroupfs",
    };
    let mut patch = json!({"cgroupDriver": driver});
    if !facts.fail_cgroup_v1() {
        patch["failCgroupV1"] = json!(false);
    }
    if !pace.is_ordinary() {
        // What the kubelet asks of containerd, such as a pod's sandbox, else fails and is begun anew.
        patch["runtimeRequestTimeout"] = json!(pace.minutes(2));
    }
    patch
}
