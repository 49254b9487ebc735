//! Judging what was read: pure functions from the declared site and Kubernetes objects to rows.

mod etcd;
mod helm;
mod leases;
mod network;
mod node;
mod pods;
mod settings;

pub use etcd::{EtcdHeader, EtcdMember, EtcdStatus, judge_etcd_members, judge_etcd_voters};
pub use helm::{HelmRelease, judge_helm_releases};
pub use leases::judge_leases;
pub use network::{CalicoNode, IpPool, judge_calico_addresses, judge_dns_endpoints, judge_ip_pools};
pub use node::{judge_node, judge_nodes};
pub use pods::{
    judge_control_plane_pods, judge_daemon_set, judge_deployment, judge_system_pods, restarts_of,
};

pub use settings::{judge_dns_settings, judge_felix};

pub(crate) use node::{is_ready as node_is_ready, role_of};
pub(crate) use pods::{is_pod_ready, pod_trouble};
