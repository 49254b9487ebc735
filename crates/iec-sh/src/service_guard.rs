//! The program that keeps a host's packets to addresses that no service has from leaving it.

use std::net::Ipv4Addr;

use crate::Word;

const TEXT: &str = include_str!("service_guard.sh");

/// The program for one service network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceGuard {
    /// The network as `ip` and `nft` take and print it: `172.16.1.0/24`.
    pub services: String,
    /// Its last address, which no service ever gets.
    pub nobody: Ipv4Addr,
}

impl ServiceGuard {
    /// The program's text.
    #[must_use]
    pub fn text(&self) -> String {
        TEXT.replace("@SERVICES@", &Word::new(self.services.as_str()).to_string())
            .replace("@NOBODY@", &Word::new(self.nobody.to_string()).to_string())
    }
}
