//! Who is changing a site now: a Lease in its cluster, held and renewed while a run is at work.
//!
//! It is judged by the API server's own clock, which every answer carries: the clocks of two operators' machines may be far
//! apart.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use iec_core::said::said;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use serde::Serialize;
use serde_json::json;
use tokio::time::sleep;

use crate::cluster::{Cluster, Server, within};
use crate::error::KubeError;

/// The Lease.
const NAME: &str = "iec-operator";
const NAMESPACE: &str = "kube-system";
/// Seconds after which a Lease that is not renewed looks like one of a dead run.
const SECONDS: i32 = 60;
/// How long a dead run is looked at before it is taken for dead: a living one renews its Lease within that time, once there is
/// an API server again.
const LOOKED_AGAIN: Duration = Duration::from_secs(15);
/// How often it is renewed, and how soon that is tried again.
const RENEWED_EVERY: Duration = Duration::from_secs(15);
const TRIED_AGAIN: Duration = Duration::from_secs(5);
/// How long an API server may take for each answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How often it is tried to write what somebody else writes at the same moment.
const ATTEMPTS: usize = 5;

/// Whose run changes the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// What run it is, who began it and on which machine, in the words of the hosts' locks.
    pub holder: String,
    /// Since when, by the API server's clock.
    pub since: Timestamp,
    /// When it was heard of last.
    pub renewed: Timestamp,
    /// Whether that is so long ago that the run is taken for dead.
    pub lapsed: bool,
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.strftime("%Y-%m-%d %H:%M:%S UTC");
        // Whoever may write Leases has chosen these words.
        write!(formatter, "{}, since {since}", said(&self.holder))
    }
}

impl Operator {
    /// Whom this Lease names, if it is held at all. `now` is the API server's time.
    fn of(lease: &Lease, now: Timestamp) -> Option<Self> {
        let spec = lease.spec.as_ref()?;
        let holder = spec
            .holder_identity
            .as_deref()
            .filter(|holder| !holder.is_empty())?;
        let acquired = spec.acquire_time.as_ref().map(|time| time.0);
        let renewed = spec.renew_time.as_ref().map(|time| time.0).or(acquired)?;
        let lasts = SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(SECONDS).into());
        Some(Self {
            holder: holder.to_owned(),
            since: acquired.unwrap_or(renewed),
            renewed,
            lapsed: now.duration_since(renewed) >= lasts,
        })
    }
}

/// From whom the Lease may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim<'a> {
    /// From nobody, or from a run that is taken for dead.
    Free,
    /// From this run too, which then begins no further step.
    From(&'a str),
}

/// What came of an attempt to have the Lease.
pub enum Taking {
    /// It is ours.
    Ours {
        /// The Lease.
        held: HeldLease,
        /// The run that had it and has not given it back.
        former: Option<Operator>,
    },
    /// Somebody else has it.
    Theirs(Operator),
}

/// What one attempt came to.
enum Attempt {
    Over(Taking),
    /// Who has it has not renewed it in time: perhaps because there was no API server for a while, as when a control plane
    /// starts its own again.
    LooksDead {
        renewed: Timestamp,
    },
}

/// How a Lease was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// This run has it now.
    To(Operator),
    /// It is gone: somebody has had it and given it back, or has removed it.
    Gone,
}

/// The Lease as it was read, and the API server's time then.
struct Found {
    lease: Option<Lease>,
    now: Timestamp,
}

impl Cluster {
    /// Who changes the site now, as far as its cluster knows.
    ///
    /// # Errors
    /// When no API server says so.
    pub async fn operator(&self) -> Result<Option<Operator>, KubeError> {
        self.any_server(|server| async move {
            let found = self.read_lease(&server).await?;
            Ok(found.lease.and_then(|lease| Operator::of(&lease, found.now)))
        })
        .await
    }

    /// Takes the Lease for the run of `holder`, unless somebody else has it from whom it may not be taken.
    ///
    /// # Errors
    /// When no API server can be asked, or it does not let us.
    pub async fn become_operator(&self, holder: &str, claim: Claim<'_>) -> Result<Taking, KubeError> {
        let mut silent_since = None;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let taking = self
                .any_server(|server| async move { self.take(&server, (holder, claim), silent_since).await });
            match taking.await {
                Ok(Attempt::Over(taking)) => return Ok(taking),
                Ok(Attempt::LooksDead { renewed }) => {
                    silent_since = Some(renewed);
                    sleep(self.patient(LOOKED_AGAIN)).await;
                }
                Err(error) if error.is_conflict() && attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn take(
        &self,
        server: &Server,
        (holder, claim): (&str, Claim<'_>),
        silent_since: Option<Timestamp>,
    ) -> Result<Attempt, KubeError> {
        let found = self.read_lease(server).await?;
        let former = found
            .lease
            .as_ref()
            .and_then(|lease| Operator::of(lease, found.now))
            .filter(|former| former.holder != holder);
        if let Some(theirs) = &former
            && claim != Claim::From(&theirs.holder)
        {
            if !theirs.lapsed {
                return Ok(Attempt::Over(Taking::Theirs(theirs.clone())));
            }
            if silent_since != Some(theirs.renewed) {
                return Ok(Attempt::LooksDead {
                    renewed: theirs.renewed,
                });
            }
        }
        let lease = lease(holder, found.now, found.lease.as_ref());
        let leases = leases(server);
        let parameters = PostParams::default();
        if found.lease.is_some() {
            let taking = leases.replace(NAME, &parameters, &lease);
            within(self.patient(ANSWER), "taking the operator's Lease over", taking).await?;
        } else {
            let making = leases.create(&parameters, &lease);
            within(self.patient(ANSWER), "making the operator's Lease", making).await?;
        }
        let held = HeldLease {
            cluster: Arc::new(self.clone()),
            holder: holder.to_owned(),
        };
        Ok(Attempt::Over(Taking::Ours { held, former }))
    }

    /// Asks one API server after the other until one answers.
    async fn any_server<T, A>(&self, ask: impl Fn(Server) -> A) -> Result<T, KubeError>
    where
        A: Future<Output = Result<T, KubeError>>,
    {
        let mut silent = KubeError::NoControlPlane;
        for server in &self.servers {
            match ask(server.clone()).await {
                Err(error) if !error.is_answer() => silent = error,
                answer => return answer,
            }
        }
        Err(silent)
    }

    async fn read_lease(&self, server: &Server) -> Result<Found, KubeError> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}");
        let request = http::Request::get(path)
            .body(kube::client::Body::empty())
            .expect("a constant path makes a request");
        let reading = async {
            let answer = server.client.send(request).await?;
            let now = clock_of(answer.headers());
            let missing = answer.status() == http::StatusCode::NOT_FOUND;
            let is_success = answer.status().is_success();
            let body = answer.into_body().collect().await?.to_bytes();
            let refused = || {
                let status = serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?;
                Err(kube::Error::Api(status))
            };
            let lease = match (is_success, missing) {
                (true, _) => Some(serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?),
                (false, true) => None,
                (false, false) => return refused(),
            };
            Ok(Found { lease, now })
        };
        within(self.patient(ANSWER), "reading the operator's Lease", reading).await
    }
}

/// The Lease of a site, held by a run.
#[derive(Clone)]
pub struct HeldLease {
    cluster: Arc<Cluster>,
    holder: String,
}

impl HeldLease {
    /// Renews the Lease until it is lost. An API server that does not answer is asked again: without one nobody else can
    /// have taken it.
    pub async fn keep(&self) -> Loss {
        self.keep_every(RENEWED_EVERY, TRIED_AGAIN).await
    }

    async fn keep_every(&self, every: Duration, again: Duration) -> Loss {
        let mut wait = every;
        loop {
            sleep(wait).await;
            wait = match self.renew().await {
                Ok(None) => every,
                Ok(Some(loss)) => return loss,
                Err(error) => {
                    tracing::debug!(error = error.chain(), "the operator's Lease was not renewed");
                    again
                }
            };
        }
    }

    /// Renews it once; how it was lost, where it was.
    async fn renew(&self) -> Result<Option<Loss>, KubeError> {
        self.cluster
            .any_server(|server| async move {
                let (own, now) = match self.own(&server).await? {
                    Ok(own) => own,
                    Err(loss) => return Ok(Some(loss)),
                };
                let lease = lease(&self.holder, now, Some(&own));
                let leases = leases(&server);
                let parameters = PostParams::default();
                let renewing = leases.replace(NAME, &parameters, &lease);
                let deadline = self.cluster.patient(ANSWER);
                within(deadline, "renewing the operator's Lease", renewing).await?;
                Ok(None)
            })
            .await
    }

    /// Gives the Lease back, or gives how it was lost before.
    ///
    /// # Errors
    /// When no API server can be asked: then it lapses.
    pub async fn give_back(&self) -> Result<Option<Loss>, KubeError> {
        self.cluster
            .any_server(|server| async move {
                let own = match self.own(&server).await? {
                    Ok((own, _)) => own,
                    Err(loss) => return Ok(Some(loss)),
                };
                let parameters = DeleteParams {
                    preconditions: Some(Preconditions {
                        resource_version: own.metadata.resource_version.clone(),
                        uid: own.metadata.uid.clone(),
                    }),
                    ..DeleteParams::default()
                };
                let leases = leases(&server);
                let deletion = leases.delete(NAME, &parameters);
                let deadline = self.cluster.patient(ANSWER);
                within(deadline, "giving the operator's Lease back", deletion).await?;
                Ok(None)
            })
            .await
    }

    /// The Lease as it is, and the API server's time, or how it was lost.
    async fn own(&self, server: &Server) -> Result<Result<(Lease, Timestamp), Loss>, KubeError> {
        let Found { lease, now } = self.cluster.read_lease(server).await?;
        let Some(lease) = lease else {
            return Ok(Err(Loss::Gone));
        };
        Ok(match Operator::of(&lease, now) {
            Some(operator) if operator.holder == self.holder => Ok((lease, now)),
            Some(other) => Err(Loss::To(other)),
            None => Err(Loss::Gone),
        })
    }
}

fn leases(server: &Server) -> Api<Lease> {
    Api::namespaced(server.client.clone(), NAMESPACE)
}

/// The Lease as `holder` has it from `now` on, in the place of the one that is there.
fn lease(holder: &str, now: Timestamp, there: Option<&Lease>) -> Lease {
    let before = there.and_then(|lease| lease.spec.as_ref());
    let same = before.filter(|spec| spec.holder_identity.as_deref() == Some(holder));
    let since = same.and_then(|spec| spec.acquire_time.as_ref());
    let since = since.map_or(now, |time| time.0);
    let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
    let metadata = there.map(|lease| &lease.metadata);
    serde_json::from_value(json!({
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "resourceVersion": metadata.and_then(|metadata| metadata.resource_version.as_deref()),
            "uid": metadata.and_then(|metadata| metadata.uid.as_deref()),
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": SECONDS,
            "leaseTransitions": transitions + i32::from(before.is_some() && same.is_none()),
            // Kubernetes wants exactly six digits after the point.
            "acquireTime": format!("{since:.6}"),
            "renewTime": format!("{now:.6}"),
        },
    }))
    .expect("its fields are of a Lease")
}

/// The time that an answer carries; our own where it has none.
fn clock_of(headers: &http::HeaderMap) -> Timestamp {
    let date = headers.get(http::header::DATE);
    let parsed = date.and_then(|date| DateTimeParser::new().parse_timestamp(date.as_bytes()).ok());
    parsed.unwrap_or_else(Timestamp::now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::api::FakeApi;

    const ALICE: &str = "iec apply by alice@shed (run 20261130-190000-0a1b)";
    const BOB: &str = "iec apply by bob@van (run 20261130-190500-0c2d)";

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    async fn take(api: &FakeApi, holder: &str, claim: Claim<'_>) -> Taking {
        let taking = api.cluster().become_operator(holder, claim).await;
        taking.expect("the API answers")
    }

    fn ours(taking: Taking) -> (HeldLease, Option<Operator>) {
        match taking {
            Taking::Ours { held, former } => (held, former),
            Taking::Theirs(operator) => panic!("{operator} has it"),
        }
    }

    #[test]
    fn the_words_of_a_lease_do_nothing_to_a_terminal() {
        let lease: Lease = serde_json::from_value(json!({"spec": {
            "holderIdentity": "bob\u{1b}[2J", "renewTime": "2026-11-30T19:00:00.000000Z",
        }}))
        .expect("a lease");
        let operator = Operator::of(&lease, time("2026-11-30T19:00:05Z")).expect("it is held");
        assert_eq!(
            operator.to_string(),
            "bob\\u{1b}[2J, since 2026-11-30 19:00:00 UTC"
        );
    }

    #[tokio::test]
    async fn a_second_operator_is_told_who_changes_the_site_and_since_when() {
        let api = FakeApi::at(time("2026-11-30T19:00:00Z"));
        let (held, former) = ours(take(&api, ALICE, Claim::Free).await);
        assert_eq!(former, None);
        api.passes(45);
        assert_eq!(held.renew().await.expect("an answer"), None);
        api.passes(45);
        let Taking::Theirs(operator) = take(&api, BOB, Claim::Free).await else {
            panic!("a Lease that was renewed is not free");
        };
        assert_eq!(
            operator.to_string(),
            format!("{ALICE}, since 2026-11-30 19:00:00 UTC")
        );
        assert_eq!(operator.renewed, time("2026-11-30T19:00:45Z"));
        assert_eq!(held.give_back().await.expect("an answer"), None);
        assert_eq!(api.cluster().operator().await.expect("an answer"), None);
        assert_eq!(ours(take(&api, BOB, Claim::Free).await).1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_had_no_api_server_for_a_while_is_not_taken_for_dead() {
        let api = FakeApi::at(time("2026-11-30T19:00:00Z"));
        let (held, _) = ours(take(&api, ALICE, Claim::Free).await);
        api.passes(90);
        let renewed = async {
            sleep(TRIED_AGAIN).await;
            held.renew().await.expect("an answer")
        };
        let (taking, loss) = tokio::join!(take(&api, BOB, Claim::Free), renewed);
        assert!(matches!(taking, Taking::Theirs(operator) if operator.holder == ALICE));
        assert_eq!(loss, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_has_lapsed_is_anybodys_and_says_whose_it_was() {
        let api = FakeApi::at(time("2026-11-30T19:00:00Z"));
        let (dead, _) = ours(take(&api, ALICE, Claim::Free).await);
        api.passes(60);
        let seen = api.cluster().operator().await.expect("an answer");
        assert!(seen.is_some_and(|operator| operator.lapsed && operator.holder == ALICE));
        let (held, former) = ours(take(&api, BOB, Claim::Free).await);
        assert_eq!(former.expect("it was not given back").holder, ALICE);
        assert_eq!(api.lease()["spec"]["leaseTransitions"], 1);
        // A laptop that wakes up: it neither takes the Lease back nor removes it.
        let loss = dead.renew().await.expect("an answer").expect("it is lost");
        assert!(matches!(loss, Loss::To(operator) if operator.holder == BOB));
        assert!(matches!(dead.give_back().await, Ok(Some(Loss::To(_)))));
        assert_eq!(api.lease()["spec"]["holderIdentity"], BOB);
        held.give_back().await.expect("an answer");
        assert_eq!(dead.renew().await.expect("an answer"), Some(Loss::Gone));
    }

    #[tokio::test]
    async fn a_living_lease_is_taken_from_the_run_that_was_named_only() {
        let api = FakeApi::at(time("2026-11-30T19:00:00Z"));
        let (held, _) = ours(take(&api, ALICE, Claim::Free).await);
        let other = take(&api, BOB, Claim::From("iec reset by carol@shed (run x)")).await;
        assert!(matches!(other, Taking::Theirs(operator) if operator.holder == ALICE));
        let (_, former) = ours(take(&api, BOB, Claim::From(ALICE)).await);
        assert_eq!(former.map(|operator| operator.holder).as_deref(), Some(ALICE));
        let loss = held.keep_every(Duration::ZERO, Duration::ZERO).await;
        assert!(matches!(loss, Loss::To(operator) if operator.holder == BOB));
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_write_at_once_do_not_both_have_it() {
        let api = FakeApi::at(time("2026-11-30T19:00:00Z"));
        // Both read that there is none; then Bob is first.
        api.before_the_next_write(BOB);
        let lost = take(&api, ALICE, Claim::Free).await;
        assert!(matches!(lost, Taking::Theirs(operator) if operator.holder == BOB));
        api.passes(3600);
        api.before_the_next_write(BOB);
        let lost = take(&api, ALICE, Claim::Free).await;
        assert!(matches!(lost, Taking::Theirs(operator) if operator.holder == BOB));
    }

    #[tokio::test]
    async fn an_api_that_is_away_for_a_while_is_asked_again() {
        let api = FakeApi::at(time("2026-11-30T19:00:00Z"));
        let (held, _) = ours(take(&api, ALICE, Claim::Free).await);
        api.fails(3);
        assert!(api.cluster().operator().await.is_err());
        api.passes(50);
        let keeping = held.keep_every(Duration::ZERO, Duration::ZERO);
        let renewed = async {
            while api.lease()["spec"]["renewTime"] != "2026-11-30T19:00:50.000000Z" {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            loss = keeping => panic!("{loss:?}"),
            () = renewed => {}
        }
    }

    #[test]
    fn a_clock_is_read_from_an_answer() {
        let mut headers = http::HeaderMap::new();
        let date = "Mon, 30 Nov 2026 19:00:45 GMT".parse().expect("a value");
        headers.insert(http::header::DATE, date);
        assert_eq!(clock_of(&headers), time("2026-11-30T19:00:45Z"));
    }
}
