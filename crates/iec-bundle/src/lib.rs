//! Content: building, verifying and reading bundles.
//!
//! [`build()`] makes a bundle from Go modules and Debian packages, [`verify`] proves that a folder is the bundle that its
//! manifest describes, [`open`] finds the blobs of one.
//! [`MediumWriter`] puts files into an image that becomes a medium.

mod assemble;
mod build;
mod bundle;
mod cache;
mod chart;
mod debian;
mod elf;
mod error;
mod folder;
mod found;
mod golang;
mod host_tools;
mod images;
mod jobs;
mod layer;
mod machine;
mod medium;
mod modules;
mod native;
mod problem;
mod process;
mod roots;
mod seed;
mod space;
mod toolchain;
mod tree;
mod trust;
mod verify;

pub use self::build::{BuildRequest, build, check_tools};
pub use self::bundle::{Bundle, ItemSize, inspect, open, unbundled};
pub use self::chart::{Chart, ChartError, chart};
pub use self::error::BuildError;
pub use self::jobs::{BuildEvent, How};
pub use self::medium::{MediumError, MediumWriter};
pub use self::problem::{BundleError, Problem};
pub use self::seed::{SeedError, SeedRequest, make_seed, read_seed};
pub use self::trust::Trust;
pub use self::verify::{VerifyReport, verify};
