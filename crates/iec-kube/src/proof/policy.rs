//! The NetworkPolicy rows: open, then denied to all, then allowed by label.

use std::time::{Duration, Instant};

use futures::future::join_all;
use iec_core::report::{Row, Scope};

use super::Proof;
use super::objects;
use super::pods::{Running, RunningPods};
use crate::check::{self, Check};
use crate::fetch::{Answer, Fetched};

/// How long Calico may take to put a policy into effect, on hosts of ordinary speed.
const EFFECT: Duration = Duration::from_secs(15);
/// How long a fetch may take that is expected to be blocked.
const BLOCKED_FETCH: Duration = Duration::from_secs(1);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// The checks that every client goes through.
const FOR_EACH_CLIENT: [&Check; 3] = [&check::POLICY_OPEN, &check::POLICY_DENY, &check::POLICY_ALLOW];

/// Who fetches from which replica.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cast {
    target: Running,
    /// A client on another node, if the site has one, then a client on the target's own node.
    clients: Vec<Running>,
    /// A client that is not let through while the first one already is.
    stranger: Option<Running>,
}

/// Chooses a replica that has a client on its own node, and one on another node where there is one. Where there is
/// no second client, the other replica is the stranger.
fn cast(pods: &RunningPods) -> Option<Cast> {
    pods.replicas.iter().find_map(|target| {
        let same_node = pods.probes.get(&target.node)?.clone();
        let other_node = pods.probes.values().find(|client| client.node != target.node);
        let clients: Vec<Running> = other_node.cloned().into_iter().chain([same_node]).collect();
        let other_replica = pods.replicas.iter().find(|replica| replica.name != target.name);
        let stranger = clients.get(1).or(other_replica).cloned();
        Some(Cast {
            target: target.clone(),
            clients,
            stranger,
        })
    })
}

impl Cast {
    fn scope(&self, client: &Running) -> Scope {
        Scope::pair(&client.node, &self.target.node)
    }
}

/// What a client must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Open,
    Blocked,
}

impl Wanted {
    fn is_met_by(self, fetched: &Fetched) -> bool {
        match self {
            Self::Open => fetched.is_nginx(),
            Self::Blocked => fetched.is_blocked(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Open => "nginx's own page",
            Self::Blocked => "no answer",
        }
    }
}

/// The row on the last thing that a client saw.
fn judge(check: &Check, scope: Scope, wanted: Wanted, fetched: &Fetched, waited: Duration) -> Row {
    let mut row = if wanted.is_met_by(fetched) {
        check.passed(scope)
    } else if let Answer::Unknown { reason } = &fetched.answer {
        check.could_not_tell(scope, reason)
    } else {
        let expected = format!("{}, within {} s", wanted.words(), EFFECT.as_secs());
        check.failed(scope, expected, fetched.describe(), vec![])
    };
    row.seconds = waited.as_secs_f64();
    row
}

impl Proof<'_> {
    /// Exercises the policies and records their rows.
    pub(super) async fn prove_policies(&self, pods: &RunningPods) {
        let Some(cast) = cast(pods) else {
            let reason = "no replica runs together with a client on its node";
            for check in FOR_EACH_CLIENT.into_iter().chain([&check::POLICY_SELECT]) {
                self.recorder.record(check.could_not_tell(Scope::Cluster, reason));
            }
            return;
        };
        if cast.clients.len() < 2 {
            self.record_no_other_node();
        }
        if let Err(reason) = self.play(&cast).await {
            self.record_missing(&cast, &reason);
        }
    }

    async fn play(&self, cast: &Cast) -> Result<(), String> {
        self.observe_all(&check::POLICY_OPEN, cast, Wanted::Open).await;
        self.make_policy(&objects::deny_policy()).await?;
        self.observe_all(&check::POLICY_DENY, cast, Wanted::Blocked).await;
        self.make_policy(&objects::allow_policy()).await?;
        for (number, client) in cast.clients.iter().enumerate() {
            self.allow(client).await?;
            let is_let_through = self
                .observe(&check::POLICY_ALLOW, cast, client, Wanted::Open)
                .await;
            if number == 0 {
                self.observe_stranger(cast, is_let_through).await;
            }
        }
        Ok(())
    }

    /// Only once somebody is let through does it mean something that others are not.
    async fn observe_stranger(&self, cast: &Cast, somebody_is_let_through: bool) {
        let check = &check::POLICY_SELECT;
        match &cast.stranger {
            None => {
                let reason = "there is no second client, see workload.replicas";
                self.recorder.record(check.could_not_tell(Scope::Cluster, reason));
            }
            Some(stranger) if somebody_is_let_through => {
                self.observe(check, cast, stranger, Wanted::Blocked).await;
            }
            Some(stranger) => {
                let reason = "the policy that allows is not in effect, see policy.allow";
                self.recorder
                    .record(check.could_not_tell(cast.scope(stranger), reason));
            }
        }
    }

    async fn observe_all(&self, check: &Check, cast: &Cast, wanted: Wanted) {
        let clients = cast.clients.iter();
        join_all(clients.map(|client| self.observe(check, cast, client, wanted))).await;
    }

    /// Fetches until the client sees what it must, or the deadline is over; records the row and gives whether it passed.
    async fn observe(&self, check: &Check, cast: &Cast, client: &Running, wanted: Wanted) -> bool {
        let start = Instant::now();
        let url = format!("http://{}/", cast.target.address);
        let fetch = match wanted {
            Wanted::Open => self.patience().fetch,
            Wanted::Blocked => self.cluster.patient(BLOCKED_FETCH),
        };
        loop {
            let mut answers = self.fetch_from_pod(client, vec![url.clone()], fetch).await;
            let fetched = answers
                .pop()
                .unwrap_or_else(|| Fetched::unknown("nothing was fetched"));
            let met = wanted.is_met_by(&fetched);
            if met || start.elapsed() >= self.cluster.patient(EFFECT) {
                let scope = cast.scope(client);
                self.recorder
                    .record(judge(check, scope, wanted, &fetched, start.elapsed()));
                return met;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn record_no_other_node(&self) {
        for check in FOR_EACH_CLIENT {
            self.recorder.record(if self.expected.nodes.len() < 2 {
                let reason = "the site has one host: there is no client on another node";
                check.not_applicable(Scope::Cluster, reason)
            } else {
                check.could_not_tell(
                    Scope::Cluster,
                    "no client runs on a node other than the replica's",
                )
            });
        }
    }

    /// Rows that could not come because the API refused a policy or a label.
    fn record_missing(&self, cast: &Cast, reason: &str) {
        let for_clients = cast
            .clients
            .iter()
            .flat_map(|client| FOR_EACH_CLIENT.map(|check| (check, client)));
        let for_stranger = cast
            .stranger
            .iter()
            .map(|stranger| (&check::POLICY_SELECT, stranger));
        for (check, client) in for_clients.chain(for_stranger) {
            let scope = cast.scope(client);
            if !self.recorder.has(check, &scope) {
                self.recorder.record(check.could_not_tell(scope, reason));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;
    use crate::fetch::{NoAnswer, Page};

    fn running(name: &str, node: &str) -> Running {
        Running {
            name: name.into(),
            node: node.into(),
            address: "192.168.0.1".into(),
        }
    }

    fn pods(replicas: &[&str], probes: &[&str]) -> RunningPods {
        RunningPods {
            replicas: replicas.iter().map(|node| running("nginx", node)).collect(),
            probes: probes
                .iter()
                .map(|node| ((*node).to_owned(), running("probe", node)))
                .collect(),
        }
    }

    #[test]
    fn a_client_on_another_node_comes_before_one_on_the_same() {
        let cast = cast(&pods(&["b", "c"], &["a", "b", "c"])).expect("a cast");
        let nodes: Vec<&str> = cast.clients.iter().map(|client| client.node.as_str()).collect();
        assert_eq!((cast.target.node.as_str(), nodes), ("b", vec!["a", "b"]));
        assert_eq!(cast.stranger, Some(running("probe", "b")));
    }

    #[test]
    fn the_replica_without_a_client_on_its_node_is_passed_over() {
        let cast = cast(&pods(&["b", "c"], &["a", "c"])).expect("a cast");
        assert_eq!(cast.target.node, "c");
        assert_eq!(super::cast(&pods(&["b"], &["a"])), None);
        assert_eq!(super::cast(&pods(&[], &["a"])), None);
    }

    #[test]
    fn on_a_single_host_the_only_client_is_on_the_same_node_and_the_other_replica_is_the_stranger() {
        let mut pods = pods(&["a", "a"], &["a"]);
        pods.replicas[1].name = "nginx-b".into();
        let cast = cast(&pods).expect("a cast");
        assert_eq!(cast.clients, [running("probe", "a")]);
        assert_eq!(cast.stranger, Some(running("nginx-b", "a")));
        pods.replicas.truncate(1);
        assert_eq!(super::cast(&pods).expect("a cast").stranger, None);
    }

    #[test]
    fn only_silence_is_blocked_and_only_the_page_is_open() {
        let page = Page {
            status: 200,
            bytes: 1,
            served_by: None,
            is_nginx: true,
            head: String::new(),
        };
        let none = |how| Answer::None {
            how,
            evidence: "curl".into(),
        };
        let cases = [
            (Answer::Http(page.clone()), true, false),
            (Answer::Http(Page { status: 500, ..page }), false, false),
            (none(NoAnswer::TimedOut), false, true),
            (none(NoAnswer::Refused), false, true),
            (none(NoAnswer::Other), false, false),
            (
                Answer::Unknown {
                    reason: "exec failed".into(),
                },
                false,
                false,
            ),
        ];
        for (answer, open, blocked) in cases {
            let fetched = Fetched { answer, seconds: 0.1 };
            assert_eq!(Wanted::Open.is_met_by(&fetched), open, "{fetched:?}");
            assert_eq!(Wanted::Blocked.is_met_by(&fetched), blocked, "{fetched:?}");
        }
    }

    #[test]
    fn a_failing_exec_is_never_taken_for_a_policy_that_blocks() {
        let row = judge(
            &check::POLICY_DENY,
            Scope::Cluster,
            Wanted::Blocked,
            &Fetched::unknown("the kubelet is away"),
            EFFECT,
        );
        assert!(matches!(row.outcome, Outcome::CouldNotTell { .. }), "{row:?}");
    }
}
