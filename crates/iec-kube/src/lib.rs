//! The cluster: reading it and the workloads that prove it.

mod calico;
mod certificate;
mod cluster;
mod error;
mod etcd;
mod exec;
mod expected;
mod fetch;
mod helm;
mod operator;
mod proof;
mod recorder;
mod status;
mod survey;
#[cfg(test)]
mod testing;
mod verify;

pub mod judge;

pub use iec_core::check;

pub use certificate::{HostCertificates, certificates_unknown};
pub use cluster::{Access, Cluster};
pub use error::KubeError;
pub use expected::{CONTROL_PLANE_KEY, Expected, ExpectedCalico, ExpectedNode};
pub use fetch::HostFetch;
pub use iec_core::reach::{HostAnswer, HostRequest};
pub use operator::{Claim, HeldLease, Loss, Operator, Taking};
pub use proof::Image;
pub use recorder::RowSink;
pub use status::{ClusterStatus, NodeStatus, PodStatus, ServerStatus, status};
pub use verify::{VerifyOptions, verify};
