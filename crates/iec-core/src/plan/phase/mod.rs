//! The phases of an installation, one file each: which steps a host needs, and why.

mod admission;
mod calico_etcd;
mod control_plane;
mod control_plane_join;
mod helm;
mod join;
mod joining;
mod kubernetes;
mod network;
mod node;
mod runtime;
mod system;
mod virtual_address;

pub(super) use admission::admission;
pub(super) use calico_etcd::calico_etcd;
use calico_etcd::{calico_etcd_clients, calico_etcd_secret};
pub(crate) use control_plane::own_server;
pub(super) use control_plane::{api_server, control_plane};
pub(super) use helm::{helm, is_release};
pub(super) use join::join;
pub(super) use joining::{after_joins, spread_dns};
pub(crate) use kubernetes::CLUSTER_CA_FILE;
pub(super) use kubernetes::kubernetes;
pub(super) use network::{network, network_of_host};
pub(super) use node::{node, other_nodes};
pub use runtime::image_names;
pub(super) use runtime::runtime;
pub(super) use system::system;

use super::op::Op;
use super::part::PartBuilder;
use super::step::Phase;

/// Content onto the host: everything that later phases take from the bundle.
pub(super) fn content(part: &mut PartBuilder<'_>) {
    part.store_here();
}

/// Secrets off the host.
pub(super) fn finish(part: &mut PartBuilder<'_>) {
    part.step(
        Phase::Finish,
        "forget",
        "Remove what was sent, secrets first",
        "The token and the keys' copies are needed once; what is not there cannot be stolen.",
        0,
        Op::Forget,
    );
}
