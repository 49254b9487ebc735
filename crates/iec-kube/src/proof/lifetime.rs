//! The life of a verification's namespace: leftovers found, a lease held while at work, everything removed.

use std::time::{Duration, Instant};

use iec_core::report::{Row, Scope};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};

use super::objects::{self, LEASE, LEASE_SECONDS, MANAGED_BY};
use crate::check;
use crate::cluster::{Cluster, within};
use crate::error::KubeError;

/// How often a verification says that it is still at work; several times within its lease.
const RENEWAL: Duration = Duration::from_secs(8);
/// How long a namespace may take to go, on hosts of ordinary speed.
const REMOVAL: Duration = Duration::from_secs(60);
/// How long the controllers may take to fill a new namespace.
const FILLING: Duration = Duration::from_secs(15);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(150);

/// The namespace of one verification.
pub(crate) struct Lifetime<'a> {
    cluster: &'a Cluster,
    client: &'a Client,
    holder: &'a str,
    pub(crate) name: String,
}

impl<'a> Lifetime<'a> {
    /// A namespace that is not yet made.
    pub(crate) fn new(cluster: &'a Cluster, client: &'a Client, holder: &'a str) -> Self {
        Self {
            cluster,
            client,
            holder,
            name: objects::namespace_name(),
        }
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    fn leases(&self, namespace: &str) -> Api<Lease> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes the namespace and the lease in it. Gives the API server's clock, by which leases are judged: the
    /// clocks of two operators' machines may be far apart.
    pub(crate) async fn begin(&self) -> Result<ServerClock, KubeError> {
        let (deadline, parameters) = (self.cluster.call_deadline(), PostParams::default());
        let namespace = objects::namespace(&self.name);
        let namespaces = self.namespaces();
        let asked = Timestamp::now();
        let made = within(
            deadline,
            "making the namespace",
            namespaces.create(&parameters, &namespace),
        )
        .await?;
        let made = made.metadata.creation_timestamp.map_or(asked, |made| made.0);
        let clock = ServerClock {
            ahead: made.duration_since(asked),
        };
        let lease = objects::lease(self.holder, clock.now());
        within(
            deadline,
            "making the lease",
            self.leases(&self.name).create(&parameters, &lease),
        )
        .await?;
        Ok(clock)
    }

    /// Renews the lease for ever. A renewal that fails is made good by the next one.
    pub(crate) async fn keep_alive(&self, clock: ServerClock) {
        let (leases, parameters) = (self.leases(&self.name), PatchParams::default());
        loop {
            tokio::time::sleep(RENEWAL).await;
            let lease = objects::lease(self.holder, clock.now());
            let change = Patch::Merge(&lease);
            let renewal = leases.patch(LEASE, &parameters, &change);
            if let Err(error) = within(self.cluster.call_deadline(), "renewing the lease", renewal).await {
                tracing::debug!(error = error.chain(), "the lease was not renewed");
            }
        }
    }

    /// Waits until the controllers have put into the namespace what pods need.
    pub(crate) async fn wait_until_filled(&self) -> Row {
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

    /// Deletes the namespace and waits until it is gone. It need not exist.
    pub(crate) async fn end(&self) -> Row {
        let start = Instant::now();
        let mut row = match self.remove(&self.name).await {
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
        row
    }

    /// Removes the namespaces of verifications that were killed, and leaves alone those that are at work.
    pub(crate) async fn sweep(&self, clock: ServerClock) -> Row {
        let start = Instant::now();
        let selector = ListParams::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
        let namespaces = self.namespaces();
        let listing = within(
            self.cluster.call_deadline(),
            "listing namespaces",
            namespaces.list(&selector),
        );
        let found = match listing.await {
            Ok(found) => found,
            Err(error) => return check::CLEANUP_LEFTOVERS.could_not_tell(Scope::Cluster, error.chain()),
        };
        let (mut removed, mut busy, mut stuck) = (Vec::new(), Vec::new(), Vec::new());
        for namespace in found {
            let name = namespace.metadata.name.clone().unwrap_or_default();
            if name == self.name {
                continue;
            }
            if self.is_at_work(&namespace, &name, clock).await {
                busy.push(name);
                continue;
            }
            match self.remove(&name).await {
                Ok(()) => removed.push(name),
                Err(Stuck::Held(holding)) => {
                    stuck.extend(holding.iter().map(|line| format!("{name}: {line}")))
                }
                Err(Stuck::Unknown(reason)) => stuck.push(format!("{name}: {reason}")),
            }
        }
        let mut row = if stuck.is_empty() {
            check::CLEANUP_LEFTOVERS.passed(Scope::Cluster)
        } else {
            let found = "a namespace of an earlier verification does not go";
            check::CLEANUP_LEFTOVERS.failed(Scope::Cluster, "no leftovers", found, stuck)
        };
        row.note = sweep_note(&removed, &busy);
        row.seconds = start.elapsed().as_secs_f64();
        row
    }

    /// Whether another verification works in this namespace: its lease holds, or it has had no time to make one.
    async fn is_at_work(&self, namespace: &Namespace, name: &str, clock: ServerClock) -> bool {
        if namespace.metadata.deletion_timestamp.is_some() {
            return false;
        }
        let reading = within(
            self.cluster.call_deadline(),
            "reading a lease",
            self.leases(name).get_opt(LEASE),
        )
        .await;
        let now = clock.now();
        match reading {
            Ok(Some(lease)) => lease_holds(&lease, now),
            Ok(None) => {
                let made = namespace.metadata.creation_timestamp.as_ref();
                made.is_some_and(|made| is_within(made.0, LEASE_SECONDS, now))
            }
            // What cannot be read is not taken away from under somebody.
            Err(_) => true,
        }
    }

    /// Deletes a namespace and waits until it is gone; otherwise what is in the way.
    async fn remove(&self, name: &str) -> Result<(), Stuck> {
        let start = Instant::now();
        let patience = self.cluster.patient(REMOVAL);
        let mut state = self.ask_to_delete(name).await;
        loop {
            match state {
                Ok(None) => return Ok(()),
                Ok(Some(namespace)) if start.elapsed() >= patience => {
                    return Err(Stuck::Held(what_remains(&namespace)));
                }
                Err(error) if start.elapsed() >= patience => return Err(Stuck::Unknown(error.chain())),
                Ok(Some(_)) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
            let reading = self.namespaces();
            let reading = reading.get_opt(name);
            state = match within(self.cluster.call_deadline(), "reading the namespace", reading).await {
                // The first request may have been lost on its way.
                Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_none() => {
                    self.ask_to_delete(name).await
                }
                state => state,
            };
        }
    }

    /// Asks for the namespace's deletion. Gives what is left of it, or nothing if it does not exist.
    ///
    /// Kubernetes waits five seconds before it looks into a namespace that shall go, and looks again later if
    /// there are pods. Pods that are deleted here at once are gone by its first look; none can be made any more.
    async fn ask_to_delete(&self, name: &str) -> Result<Option<Namespace>, KubeError> {
        let namespaces = self.namespaces();
        let parameters = DeleteParams::background();
        let deletion = namespaces.delete(name, &parameters);
        match within(self.cluster.call_deadline(), "deleting the namespace", deletion).await {
            Ok(answer) => {
                let pods: Api<Pod> = Api::namespaced(self.client.clone(), name);
                let every = ListParams::default();
                let deletion = pods.delete_collection(&parameters, &every);
                if let Err(error) = within(self.cluster.call_deadline(), "deleting the pods", deletion).await
                {
                    tracing::debug!(
                        error = error.chain(),
                        "the namespace controller deletes the pods later"
                    );
                }
                Ok(answer.left())
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Why a namespace is not gone.
enum Stuck {
    /// It is there, and Kubernetes says what holds it.
    Held(Vec<String>),
    /// The API server did not say.
    Unknown(String),
}

/// The API server's clock, as far as a whole second tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerClock {
    ahead: SignedDuration,
}

impl ServerClock {
    fn now(self) -> Timestamp {
        Timestamp::now()
            .saturating_add(self.ahead)
            .unwrap_or(Timestamp::MAX)
    }
}

/// Whether a lease still holds at `now`.
fn lease_holds(lease: &Lease, now: Timestamp) -> bool {
    let Some(spec) = &lease.spec else { return false };
    let seconds = spec.lease_duration_seconds.unwrap_or(LEASE_SECONDS);
    let renewed = spec.renew_time.as_ref().or(spec.acquire_time.as_ref());
    renewed.is_some_and(|renewed| is_within(renewed.0, seconds, now))
}

fn is_within(time: Timestamp, seconds: i32, now: Timestamp) -> bool {
    now.duration_since(time) < SignedDuration::from_secs(i64::from(seconds))
}

fn unfilled(
    account: Result<Option<ServiceAccount>, KubeError>,
    ca: Result<Option<ConfigMap>, KubeError>,
) -> Row {
    let (account, ca) = match (account, ca) {
        (Err(error), _) | (_, Err(error)) => {
            return check::WORKLOAD_NAMESPACE.could_not_tell(Scope::Cluster, error.chain());
        }
        (Ok(account), Ok(ca)) => (account, ca),
    };
    let mut missing = Vec::new();
    if account.is_none() {
        missing.push("the service account `default`");
    }
    if ca.is_none() {
        missing.push("the ConfigMap `kube-root-ca.crt`");
    }
    let expected = "a service account and the cluster's CA";
    check::WORKLOAD_NAMESPACE.failed(
        Scope::Cluster,
        expected,
        format!("missing: {}", missing.join(", ")),
        vec![],
    )
}

fn what_remains(namespace: &Namespace) -> Vec<String> {
    let conditions = namespace
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let holding: Vec<String> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| condition.status == "True")
        .map(|condition| {
            format!(
                "{}: {}",
                condition.type_,
                condition.message.as_deref().unwrap_or_default()
            )
        })
        .collect();
    if holding.is_empty() {
        vec!["Kubernetes does not say why".to_owned()]
    } else {
        holding
    }
}

fn sweep_note(removed: &[String], busy: &[String]) -> Option<String> {
    let mut parts = Vec::new();
    if !removed.is_empty() {
        parts.push(format!("removed {}", removed.join(", ")));
    }
    if !busy.is_empty() {
        parts.push(format!("another verification is at work in {}", busy.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;
    use serde_json::json;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_lease_holds_until_its_seconds_are_over() {
        let lease = objects::lease("me", time("2026-11-23T18:00:00Z"));
        assert!(lease_holds(&lease, time("2026-11-23T18:00:29Z")));
        assert!(!lease_holds(&lease, time("2026-11-23T18:00:30Z")));
        assert!(!lease_holds(&Lease::default(), time("2026-11-23T18:00:00Z")));
    }

    #[test]
    fn a_namespace_that_does_not_go_says_what_holds_it() {
        let namespace: Namespace = serde_json::from_value(json!({"status": {"conditions": [
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "all fine"},
            {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"},
        ]}}))
        .expect("a namespace");
        assert_eq!(
            what_remains(&namespace),
            ["NamespaceContentRemaining: pods. has 1 resource instances"]
        );
        assert_eq!(
            what_remains(&Namespace::default()),
            ["Kubernetes does not say why"]
        );
    }

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

    #[test]
    fn the_note_tells_what_was_swept_and_what_is_at_work() {
        assert_eq!(sweep_note(&[], &[]), None);
        let note = sweep_note(&["iec-verify-a".into()], &["iec-verify-b".into()]);
        assert_eq!(
            note.as_deref(),
            Some("removed iec-verify-a; another verification is at work in iec-verify-b")
        );
    }
}
