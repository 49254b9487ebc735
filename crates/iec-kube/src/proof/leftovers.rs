//! What earlier verifications left behind when they were killed: found by label, removed unless somebody is at work.

use std::time::{Duration, Instant};

use iec_core::report::{Row, Scope};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::{Api, Client};

use super::objects::{LEASE, LEASE_SECONDS, MANAGED_BY};
use super::removal::{Stuck, remove};
use crate::check;
use crate::cluster::{Cluster, within};
use crate::expected::Expected;

/// The API server's clock, as far as a whole second tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerClock {
    ahead: SignedDuration,
}

impl ServerClock {
    /// The clock of a server that said `theirs` when it was `ours` here.
    pub(super) fn new(theirs: Timestamp, ours: Timestamp) -> Self {
        Self {
            ahead: theirs.duration_since(ours),
        }
    }

    /// The server's time now.
    pub(super) fn now(self) -> Timestamp {
        Timestamp::now()
            .saturating_add(self.ahead)
            .unwrap_or(Timestamp::MAX)
    }
}

/// What was found of other verifications, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    removed: Vec<String>,
    at_work: Vec<String>,
    stuck: Vec<String>,
    unread: Option<String>,
    spent: Duration,
}

impl Leftovers {
    /// Looks once: removes the namespaces of verifications that were killed, except `own`, and notes those at work.
    pub(super) async fn sweep(
        &mut self,
        (cluster, client): (&Cluster, &Client),
        expected: &Expected,
        own: &str,
        clock: ServerClock,
    ) {
        let start = Instant::now();
        self.at_work.clear();
        let selector = ListParams::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let listing = namespaces.list(&selector);
        match within(cluster.call_deadline(), "listing namespaces", listing).await {
            Ok(found) => {
                self.unread = None;
                for namespace in found {
                    let name = namespace.metadata.name.clone().unwrap_or_default();
                    if name != own {
                        self.treat((cluster, client), expected, name, &namespace, clock)
                            .await;
                    }
                }
            }
            Err(error) => self.unread = Some(error.chain()),
        }
        self.spent += start.elapsed();
    }

    /// Whether a second look may find that somebody who seemed to be at work had been killed.
    pub(super) fn may_change(&self) -> bool {
        !self.at_work.is_empty()
    }

    async fn treat(
        &mut self,
        (cluster, client): (&Cluster, &Client),
        expected: &Expected,
        name: String,
        namespace: &Namespace,
        clock: ServerClock,
    ) {
        if is_at_work(cluster, client, namespace, &name, clock).await {
            self.at_work.push(name);
            return;
        }
        match remove(cluster, client, expected, &name).await {
            Ok(()) => self.removed.push(name),
            Err(Stuck::Held(holding)) => {
                self.stuck
                    .extend(holding.iter().map(|line| format!("{name}: {line}")));
            }
            Err(Stuck::Unknown(reason)) => self.stuck.push(format!("{name}: {reason}")),
        }
    }

    /// The row on all of it.
    pub(super) fn judge(&self) -> Row {
        let check = &check::CLEANUP_LEFTOVERS;
        let mut row = if !self.stuck.is_empty() {
            let found = "a namespace of an earlier verification does not go";
            check.failed(Scope::Cluster, "no leftovers", found, self.stuck.clone())
        } else if let Some(reason) = &self.unread {
            check.could_not_tell(Scope::Cluster, reason)
        } else {
            check.passed(Scope::Cluster)
        };
        row.note = self.note();
        row.seconds = self.spent.as_secs_f64();
        row
    }

    fn note(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.removed.is_empty() {
            parts.push(format!("removed {}", self.removed.join(", ")));
        }
        if !self.at_work.is_empty() {
            parts.push(format!(
                "another verification is at work in {}",
                self.at_work.join(", ")
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Whether a verification works in this namespace: its lease holds, or it has had no time to make one.
async fn is_at_work(
    cluster: &Cluster,
    client: &Client,
    namespace: &Namespace,
    name: &str,
    clock: ServerClock,
) -> bool {
    if namespace.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let leases: Api<Lease> = Api::namespaced(client.clone(), name);
    let reading = leases.get_opt(LEASE);
    match within(cluster.call_deadline(), "reading a lease", reading).await {
        Ok(Some(lease)) => lease_holds(&lease, clock.now()),
        Ok(None) => {
            let made = namespace.metadata.creation_timestamp.as_ref();
            made.is_some_and(|made| is_within(made.0, LEASE_SECONDS, clock.now()))
        }
        // What cannot be read is not taken away from under somebody.
        Err(_) => true,
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

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::super::objects;
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_lease_holds_until_its_seconds_are_over() {
        let lease = objects::lease("me", 15, time("2026-11-23T18:00:00Z"));
        assert!(lease_holds(&lease, time("2026-11-23T18:00:14Z")));
        assert!(!lease_holds(&lease, time("2026-11-23T18:00:15Z")));
        assert!(!lease_holds(&Lease::default(), time("2026-11-23T18:00:00Z")));
    }

    #[test]
    fn the_servers_clock_may_be_far_from_ours() {
        let clock = ServerClock::new(time("2030-01-01T00:00:00Z"), Timestamp::now());
        let ahead = clock.now().duration_since(time("2030-01-01T00:00:00Z"));
        assert!(
            ahead >= SignedDuration::ZERO && ahead < SignedDuration::from_secs(5),
            "{ahead:?}"
        );
    }

    #[test]
    fn the_row_tells_what_was_removed_and_who_is_at_work() {
        assert_eq!(Leftovers::default().judge().note, None);
        let found = Leftovers {
            removed: vec!["iec-verify-a".into()],
            at_work: vec!["iec-verify-b".into()],
            ..Leftovers::default()
        };
        let row = found.judge();
        assert_eq!(row.outcome, Outcome::Passed);
        let note = "removed iec-verify-a; another verification is at work in iec-verify-b";
        assert_eq!(row.note.as_deref(), Some(note));
    }

    #[test]
    fn what_does_not_go_fails_and_what_cannot_be_listed_is_not_known() {
        let stuck = Leftovers {
            stuck: vec!["iec-verify-a: pods remain".into()],
            ..Leftovers::default()
        };
        assert!(matches!(stuck.judge().outcome, Outcome::Failed(_)));
        let unread = Leftovers {
            unread: Some("forbidden".into()),
            ..Leftovers::default()
        };
        assert!(matches!(unread.judge().outcome, Outcome::CouldNotTell { .. }));
    }
}
