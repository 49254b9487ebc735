//! What steps do on a host, by the real runner in a real shell: on a root folder of its own, with stand-ins for what would
//! reach beyond it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs real shells on real files"
)]

mod again;
mod api_away;
mod calico;
mod calico_etcd;
mod cluster;
mod committed;
mod control_plane_health;
mod daemon;
mod disk;
mod drain;
mod gate;
mod kubeconfig;
mod power_cut;
mod pretend;
mod recovery;
mod seed;
mod spread;
mod swap;
mod sysctls;
mod turn;
mod unit_file;
mod values;

#[path = "../support/mod.rs"]
mod support;
