//! How IEC logs in to the hosts of a site.

use serde::Serialize;

use crate::name::UserName;

/// How IEC logs in to every host that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    pub(in crate::site) user: UserName,
    pub(in crate::site) identity: Option<String>,
    pub(in crate::site) port: Option<u16>,
}

impl Access {
    /// The account to log in with: root, or one that may use sudo.
    #[must_use]
    pub fn user(&self) -> &UserName {
        &self.user
    }

    /// The file of the private key, as the user wrote it (`~` not yet replaced); without one, the
    /// SSH agent and the user's own SSH configuration are used.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// The port of the SSH server; without one, the user's own SSH configuration decides, then 22.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}
