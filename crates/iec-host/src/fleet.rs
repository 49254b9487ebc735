//! The hosts of a site, and work on several of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use iec_core::name::HostName;
use iec_core::site::{Site, SiteHost};

use crate::host::Host;
use crate::ssh::{InvalidHostKey, SshClient, SshTarget};

/// How many hosts are worked on at the same time, where nobody says otherwise.
const PARALLEL: usize = 32;

/// Hosts by name, and how many of them are worked on at the same time.
#[derive(Clone)]
pub struct Fleet {
    hosts: BTreeMap<String, Arc<dyn Host>>,
    parallel: usize,
}

impl Fleet {
    /// These hosts, 32 at a time.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = Arc<dyn Host>>) -> Self {
        let hosts = hosts
            .into_iter()
            .map(|host| (host.name().to_owned(), host))
            .collect();
        Self {
            hosts,
            parallel: PARALLEL,
        }
    }

    /// The hosts of a site that it does not call unreachable, over SSH. `home` is the operator's home directory.
    ///
    /// # Errors
    /// Where a host key of the site is of a kind that this program does not know.
    pub fn over_ssh(site: &Site, client: &SshClient, home: &Path) -> Result<Self, InvalidHostKey> {
        let mut hosts: Vec<Arc<dyn Host>> = Vec::new();
        for host in site.hosts().iter().filter(|host| !host.unreachable()) {
            let target = SshTarget::of(site, host, home)?;
            hosts.push(Arc::new(client.host(host.name().as_str(), target)));
        }
        Ok(Self::new(hosts))
    }

    /// Works on at most `parallel` hosts at the same time (at least one).
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// The same without these hosts.
    #[must_use]
    pub fn without(mut self, hosts: &BTreeSet<HostName>) -> Self {
        for host in hosts {
            self.hosts.remove(host.as_str());
        }
        self
    }

    /// The host of this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Arc<dyn Host>> {
        self.hosts.get(name)
    }

    /// The names of all hosts, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// Does `work` for each of these items, as many at a time as the fleet allows; they are begun in the order in which they come.
    pub(crate) async fn each<I, T, W>(
        &self,
        items: impl IntoIterator<Item = I>,
        work: impl Fn(I) -> W,
    ) -> Vec<T>
    where
        W: Future<Output = T>,
    {
        stream::iter(items.into_iter().map(work))
            .buffer_unordered(self.parallel)
            .collect()
            .await
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Arc<dyn Host>)> {
        self.hosts.iter().map(|(name, host)| (name.as_str(), host))
    }
}

impl SshTarget {
    /// How a host of a site is reached. `home` is the operator's home directory, for an identity that begins with `~/`.
    ///
    /// # Errors
    /// Where the site's host key is of a kind that this program does not know.
    pub fn of(site: &Site, host: &SiteHost, home: &Path) -> Result<Self, InvalidHostKey> {
        let access = site.access();
        let identity = access.identity().map(|path| match path.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => PathBuf::from(path),
        });
        Ok(Self {
            address: host.address().to_string(),
            user: Some(host.user().unwrap_or(access.user()).to_string()),
            port: host.port().or(access.port()),
            identity,
            host_key: host.host_key().map(|key| key.as_str().parse()).transpose()?,
            jumps: None,
        })
    }
}
