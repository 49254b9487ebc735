//! What the hosts are: per host values, each `observed` or `assumed`, or the reason why there are none.

mod assume;
mod derive;
mod file;
mod host;
mod machine;
mod network;
mod rule;
mod software;
mod storage;

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

pub use assume::Assumptions;
pub use derive::CgroupDriver;
pub use file::{FORMAT, ParseFactsError};
pub use host::HostFacts;
pub use machine::{
    Ability, BootSysctl, Capacity, Cgroup, CgroupVersion, Distribution, Features, Identity, Kernel, Login,
    Privileges, SudoStreams,
};
pub use network::{Clock, Interface, Listener, Network, Protocol, Resolver, ResolverAnswer, Route};
pub use rule::{Reference, preflight, preflight_of_answers, refuse_assumed};
pub use software::{
    Binary, CalicoPool, ClosedChain, Cluster, Environment, Guards, Hook, LockHolder, Override, Package,
    Previous, ProxyVariable, Software, Unit,
};
pub use storage::{Place, Storage, Swap, SwapDevice};

/// A value with its origin: read from the host, or taken for granted until the host is asked.
///
/// Reads like the value itself (`facts.cgroup.version`). A plan may rest on assumed values, `apply` may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fact<T> {
    /// The host said so.
    Observed(T),
    /// Nobody asked the host: a release default, or what the site file says under `assume`.
    Assumed(T),
}

impl<T> Fact<T> {
    /// Whether nobody asked the host.
    pub const fn is_assumed(&self) -> bool {
        matches!(self, Self::Assumed(_))
    }

    /// The value, for a change in place; its origin stays.
    pub const fn value_mut(&mut self) -> &mut T {
        match self {
            Self::Observed(value) | Self::Assumed(value) => value,
        }
    }
}

impl<T> Deref for Fact<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Observed(value) | Self::Assumed(value) => value,
        }
    }
}

impl<T: Default> Default for Fact<T> {
    /// What a section is that a file or an answer does not have: never an observation.
    fn default() -> Self {
        Self::Assumed(T::default())
    }
}

/// What is known about the hosts of a site, by host name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// When the hosts were asked, in seconds since 1970 by the operator's clock; `None` if they never were.
    pub taken: Option<i64>,
    hosts: BTreeMap<String, HostAnswer>,
}

/// What asking one host gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostAnswer {
    /// Its facts.
    Known(Box<HostFacts>),
    /// It did not answer, or not in a way that can be used.
    Failed(ProbeFailure),
}

/// Why a host has no facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{cause}")]
pub struct ProbeFailure {
    /// The stable code of the failure, as whoever asked the host gave it: `IEC1001`.
    pub code: String,
    /// What went wrong, in one sentence without a full stop.
    pub cause: String,
    /// What was seen: the last lines of the answer, a fingerprint, a message of the host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

impl Facts {
    /// Facts without any host, taken at `taken` (seconds since 1970 by the operator's clock).
    #[must_use]
    pub const fn new(taken: Option<i64>) -> Self {
        Self {
            taken,
            hosts: BTreeMap::new(),
        }
    }

    /// Adds or replaces what is known about one host.
    pub fn insert(&mut self, host: impl Into<String>, answer: HostAnswer) {
        self.hosts.insert(host.into(), answer);
    }

    /// The facts of a host, unless the host is unknown or its probe failed.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostFacts> {
        match self.hosts.get(name) {
            Some(HostAnswer::Known(facts)) => Some(facts),
            Some(HostAnswer::Failed(_)) | None => None,
        }
    }

    /// What asking the host gave, if it was asked.
    #[must_use]
    pub fn answer(&self, name: &str) -> Option<&HostAnswer> {
        self.hosts.get(name)
    }

    /// Every host's answer, by name.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &HostAnswer)> {
        self.hosts.iter().map(|(name, answer)| (name.as_str(), answer))
    }

    /// Every host that has facts, by name.
    pub fn known(&self) -> impl Iterator<Item = (&str, &HostFacts)> {
        self.hosts.iter().filter_map(|(name, answer)| match answer {
            HostAnswer::Known(facts) => Some((name.as_str(), facts.as_ref())),
            HostAnswer::Failed(_) => None,
        })
    }

    /// The sections that nobody observed, as (host, section): `apply` refuses to work while there is one.
    #[must_use]
    pub fn assumed(&self) -> Vec<(&str, &'static str)> {
        self.known()
            .flat_map(|(name, facts)| facts.assumed().into_iter().map(move |section| (name, section)))
            .collect()
    }
}
