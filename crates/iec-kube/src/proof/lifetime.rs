//! The life of a verification's own namespace: made with a lease, kept alive while at work, removed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use iec_core::report::{Row, Scope};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};

use super::leftovers::ServerClock;
use super::objects::{self, LEASE, LEASE_SECONDS};
use super::removal::{Stuck, remove};
use crate::check;
use crate::cluster::{Cluster, within};
use crate::error::KubeError;
use crate::expected::Expected;

/// How long the controllers may take to fill a new namespace. After a control plane has died, the new
/// kube-controller-manager waits until the old one's leader lease has ended: 15 s by default, and then its caches fill.
const FILLING: Duration = Duration::from_secs(40);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(150);

/// The namespace of one verification.
pub(super) struct Lifetime<'a> {
    cluster: &'a Cluster,
    client: &'a Client,
    expected: &'a Expected,
    holder: &'a str,
    pub(super) name: String,
    may_exist: AtomicBool,
}

impl<'a> Lifetime<'a> {
    /// A namespace that is not yet made.
    pub(super) fn new(
        cluster: &'a Cluster,
        client: &'a Client,
        expected: &'a Expected,
        holder: &'a str,
    ) -> Self {
        Self {
            cluster,
            client,
            expected,
            holder,
            name: objects::namespace_name(),
            may_exist: AtomicBool::new(false),
        }
    }

    /// Makes the namespace and the lease in it. Gives the API server's clock, by which leases are judged: the
    /// clocks of two operators' machines may be far apart.
    pub(super) async fn begin(&self) -> Result<ServerClock, KubeError> {
        let (deadline, parameters) = (self.cluster.call_deadline(), PostParams::default());
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = objects::namespace(&self.name);
        // An answer that is lost on its way leaves open whether there is one.
        self.may_exist.store(true, Ordering::Relaxed);
        let asked = Timestamp::now();
        let creation = namespaces.create(&parameters, &namespace);
        let made = within(deadline, "making the namespace", creation)
            .await
            .inspect_err(|error| {
                self.may_exist.store(!error.is_denied(), Ordering::Relaxed);
            })?;
        let clock = ServerClock::new(
            made.metadata.creation_timestamp.map_or(asked, |made| made.0),
            asked,
        );
        let (leases, lease) = (self.leases(), self.lease(clock));
        within(deadline, "making the lease", leases.create(&parameters, &lease)).await?;
        Ok(clock)
    }

    /// Renews the lease for ever. A renewal that fails is made good by the next one.
    pub(super) async fn keep_alive(&self, clock: ServerClock) {
        let (leases, parameters) = (self.leases(), PatchParams::default());
        loop {
            tokio::time::sleep(self.lease_duration() / 4).await;
            let lease = self.lease(clock);
            let change = Patch::Merge(&lease);
            let renewal = leases.patch(LEASE, &parameters, &change);
            if let Err(error) = within(self.cluster.call_deadline(), "renewing the lease", renewal).await {
                tracing::debug!(error = error.chain(), "the lease was not renewed");
            }
        }
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    fn lease(&self, clock: ServerClock) -> Lease {
        let seconds = i32::try_from(self.lease_duration().as_secs()).unwrap_or(i32::MAX);
        objects::lease(self.holder, seconds, clock.now())
    }

    fn lease_duration(&self) -> Duration {
        self.cluster
            .patient(Duration::from_secs(u64::from(LEASE_SECONDS.unsigned_abs())))
    }

    /// Waits until the controllers have put into the namespace what pods need.
    pub(super) async fn wait_until_filled(&self) -> Row {
        let start = Instant::now();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.name);
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.name);
        let patience = self.cluster.patient(FILLING);
        let mut row = loop {
            let deadline = self.cluster.call_deadline();
            let (account, ca) = tokio::join!(
                within(
                    deadline,
                    "reading the service account",
                    accounts.get_opt("default")
                ),
                within(
                    deadline,
                    "reading the cluster's CA",
                    maps.get_opt("kube-root-ca.crt")
                ),
            );
            match (account, ca) {
                (Ok(Some(_)), Ok(Some(_))) => break check::WORKLOAD_NAMESPACE.passed(Scope::Cluster),
                (account, ca) if start.elapsed() >= patience => break unfilled(account, ca),
                _ => tokio::time::sleep(PAUSE).await,
            }
        };
        row.seconds = start.elapsed().as_secs_f64();
        row
    }

    /// Deletes the namespace and waits until it is gone. There is no row if it was never made.
    pub(super) async fn end(&self) -> Option<Row> {
        if !self.may_exist.load(Ordering::Relaxed) {
            return None;
        }
        let start = Instant::now();
        let mut row = match remove(self.cluster, self.client, self.expected, &self.name).await {
            Ok(()) => check::CLEANUP_NAMESPACE.passed(Scope::Cluster),
            Err(Stuck::Held(holding)) => {
                let found = format!("namespace {} is still there", self.name);
                check::CLEANUP_NAMESPACE.failed(Scope::Cluster, "the namespace is gone", found, holding)
            }
            Err(Stuck::Unknown(reason)) => {
                let reason = format!("whether namespace {} is gone: {reason}", self.name);
                check::CLEANUP_NAMESPACE.could_not_tell(Scope::Cluster, reason)
            }
        };
        row.seconds = start.elapsed().as_secs_f64();
        Some(row)
    }
}

fn unfilled(
    account: Result<Option<ServiceAccount>, KubeError>,
    ca: Result<Option<ConfigMap>, KubeError>,
) -> Row {
    let check = &check::WORKLOAD_NAMESPACE;
    let (account, ca) = match (account, ca) {
        (Err(error), _) | (_, Err(error)) => return check.could_not_tell(Scope::Cluster, error.chain()),
        (Ok(account), Ok(ca)) => (account, ca),
    };
    let mut missing = Vec::new();
    if account.is_none() {
        missing.push("the service account `default`");
    }
    if ca.is_none() {
        missing.push("the ConfigMap `kube-root-ca.crt`");
    }
    let found = format!("missing: {}", missing.join(", "));
    check.failed(
        Scope::Cluster,
        "a service account and the cluster's CA",
        found,
        vec![],
    )
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;

    #[test]
    fn an_unfilled_namespace_names_what_is_missing() {
        let row = unfilled(Ok(None), Ok(Some(ConfigMap::default())));
        let Outcome::Failed(failure) = row.outcome else {
            panic!("{row:?}")
        };
        assert_eq!(failure.found, "missing: the service account `default`");
        let unreadable = KubeError::Deadline {
            what: "reading".into(),
            deadline: Duration::from_secs(1),
        };
        let row = unfilled(Err(unreadable), Ok(None));
        assert!(matches!(row.outcome, Outcome::CouldNotTell { .. }), "{row:?}");
    }
}
