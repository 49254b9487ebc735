//! Files of other tools, in and out: what they know about a site made into a site file, and a site told to their installers.
//!
//! One module for each tool or family of them; pure, as `iec-core` is.

mod airship;
pub mod ansible;
mod cluster_instance;
mod controller;
mod description;
mod header;
mod machine;
mod mask;
mod metal3;
mod namespace;
pub mod opnfv;

pub use description::{Format, describe};
pub use mask::masked;
