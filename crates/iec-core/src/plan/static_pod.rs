//! The components that a control plane runs as static pods.

use crate::content::Digest;

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

/// A static pod of the control plane as kubeadm makes it of its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticPod {
    /// The component.
    pub component: Component,
    /// The digest of all that kubeadm makes it from: when it changes, kubeadm writes it anew.
    pub configuration: Digest,
}
