//! The credentials of a site: made before any host exists, kept beside the site file, readable by its owner only.

mod document;
mod generate;
mod store;

pub use generate::{GenerateError, generate, new_site_id, new_token};
pub use store::{Place, create, load, replace};
