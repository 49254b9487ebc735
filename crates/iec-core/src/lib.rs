//! What a site should be and what to do about it: pure, without input or output.

pub mod credentials;
pub mod secret;
