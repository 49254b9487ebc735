//! The components that a control plane runs as static pods.

use crate::content::Digest;
use crate::site::SiteHost;

/// A component of the control plane, in the order in which they come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The store of the cluster's state.
    Etcd,
    /// What everybody asks.
    ApiServer,
    /// What makes the state of the cluster what it should be.
    ControllerManager,
    /// What gives pods to nodes.
    Scheduler,
}

impl Component {
    /// Every component, in order.
    pub const ALL: [Self; 4] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
    ];

    /// The name of its program, its static pod, and the file of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    /// The words behind `kubeadm init phase` that write its file.
    #[must_use]
    pub const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Etcd => ["etcd", "local"],
            Self::ApiServer => ["control-plane", "apiserver"],
            Self::ControllerManager => ["control-plane", "controller-manager"],
            Self::Scheduler => ["control-plane", "scheduler"],
        }
    }

    /// The file by which the kubelet runs it.
    #[must_use]
    pub fn file(self) -> String {
        format!("/etc/kubernetes/manifests/{}.yaml", self.name())
    }
}

/// Where etcd keeps what it knows, once it has started.
pub(crate) const ETCD_MEMBER: &str = "/var/lib/etcd/member";

/// The line of etcd's manifest by which it starts as the only member, from the data that it has.
pub(crate) const FORCED_ETCD: &str = "    - --force-new-cluster";

/// A static pod of the control plane as kubeadm makes it of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticPod {
    /// The component.
    pub component: Component,
    /// The digest of all that kubeadm makes it from: when it changes, kubeadm writes it anew.
    pub configuration: Digest,
    /// What there is to heed where there are other control planes.
    pub among: Option<Among>,
    /// How its etcd finds others.
    pub etcd: EtcdStart,
}

/// A control plane among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Among {
    /// Its node.
    pub node: String,
    /// Its own API server, as `https://10.0.0.11:6443`: under the endpoint's name another one may answer.
    pub server: String,
    /// How many members of etcd must vote.
    pub quorum: usize,
}

/// How a control plane's etcd starts for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtcdStart {
    /// By itself: others join it.
    Alone,
    /// As a learner of the others' etcd, of which it becomes a voter when it has all of their data.
    Joins {
        /// The node of the first control plane, which is asked about members.
        first: String,
        /// Where other members reach this one, as `https://10.0.0.12:2380`.
        peer: String,
    },
}

/// `etcdctl` in a pod of etcd, with the certificate by which kubeadm asks for its health.
pub const ETCDCTL: [&str; 4] = [
    "etcdctl",
    "--cacert=/etc/kubernetes/pki/etcd/ca.crt",
    "--cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt",
    "--key=/etc/kubernetes/pki/etcd/healthcheck-client.key",
];

/// Where the other members of etcd reach the one of this control plane.
#[must_use]
pub(crate) fn etcd_peer(host: &SiteHost) -> String {
    format!("https://{}:2380", host.node_address())
}
