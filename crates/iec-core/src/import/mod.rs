//! Descriptions of sites that were written for other tools, made into site files: one module for each source.

pub mod ansible;
mod mask;
pub mod opnfv;
mod origin;

pub use mask::masked;
pub use origin::check_unwritten;
