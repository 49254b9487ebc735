//! The credentials of a site: made before any host exists, kept beside the site file, readable by its owner only.

mod administrator;
mod document;
mod generate;
mod store;

pub use administrator::{Identity, administrator, signed_until};
pub use generate::{GenerateError, calico_etcd_authority, generate, new_site_id, new_token};
pub use store::{Place, complete, create, load, replace};

use iec_core::credentials::Credentials;

/// The same credentials with their discovery hash, if all of them belong together.
///
/// # Errors
/// What does not fit, in words that show no secret.
pub fn checked(site: &str, credentials: &Credentials) -> Result<Credentials, String> {
    let text = document::print(site, credentials);
    document::parse(text.expose())
        .map(|document| document.credentials)
        .map_err(|error| error.to_string())
}
