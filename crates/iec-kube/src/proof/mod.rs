//! The proof by real workloads: nginx is run, reached from everywhere, shut off by policy, and removed.

mod leftovers;
mod lifetime;
mod network;
mod objects;
mod pods;
mod policy;
mod probe;
mod question;
mod removal;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use iec_core::reach::HostRequest;
use iec_core::report::{Row, Scope};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use objects::Image;
pub(crate) use objects::SERVED_BY;

use crate::check::{self, Check};
use crate::cluster::{Cluster, within};
use crate::error::{KubeError, Reach, reach_of};
use crate::expected::{Expected, ExpectedNode};
use crate::fetch::{Fetched, HostFetch};
use crate::recorder::Recorder;
use leftovers::{Leftovers, ServerClock};
use lifetime::Lifetime;
use network::{Answered, Patience, a_few_at_a_time, ask};
use pods::{Running, RunningPods, wait_for_pods};

/// How long one fetch may take, on hosts of ordinary speed.
const FETCH: Duration = Duration::from_secs(4);
/// How long it usually takes until every host knows a new service.
const LAG: Duration = Duration::from_secs(3);
/// How long a question is asked again that was answered wrongly.
const ROUND: Duration = Duration::from_secs(8);
/// The same for one that was refused: a host that has no rules for a new service refuses. Rules that kube-proxy could
/// not write at once, as beside Calico on a busy host, it writes again after its sync period: 30 seconds by default.
const RULES: Duration = Duration::from_secs(40);

/// What was seen of other verifications.
pub(crate) struct Others {
    leftovers: Leftovers,
    clock: ServerClock,
}

/// One run of the proof.
pub(crate) struct Proof<'a> {
    cluster: &'a Cluster,
    client: &'a Client,
    expected: &'a Expected,
    image: &'a Image,
    hosts: &'a dyn HostFetch,
    recorder: &'a Recorder<'a>,
    lifetime: Lifetime<'a>,
}

impl<'a> Proof<'a> {
    /// A proof of which nothing is made yet. `holder` tells others who is at work.
    pub(crate) fn new(
        cluster: &'a Cluster,
        client: &'a Client,
        expected: &'a Expected,
        (image, holder): (&'a Image, &'a str),
        hosts: &'a dyn HostFetch,
        recorder: &'a Recorder<'a>,
    ) -> Self {
        let lifetime = Lifetime::new(cluster, client, expected, holder);
        Self {
            cluster,
            client,
            expected,
            image,
            hosts,
            recorder,
            lifetime,
        }
    }

    /// Runs all of it, and removes meanwhile what others have left. The network is proven once the cluster has
    /// `settled`: before, a name that does not resolve says nothing. May be dropped at any point; [`Self::end`] then
    /// still removes everything.
    pub(crate) async fn run(&self, settled: impl Future<Output = ()>) -> Option<Others> {
        let clock = match self.lifetime.begin().await {
            Ok(clock) => clock,
            Err(error) => {
                self.recorder.record(refused(&check::WORKLOAD_NAMESPACE, &error));
                return None;
            }
        };
        let mut leftovers = Leftovers::default();
        let sweep = leftovers.sweep(
            (self.cluster, self.client),
            self.expected,
            &self.lifetime.name,
            clock,
        );
        tokio::select! {
            _ = async { tokio::join!(sweep, self.work(settled)) } => {}
            () = self.lifetime.keep_alive(clock) => {}
        }
        Some(Others { leftovers, clock })
    }

    /// Removes everything that was made and records the row on it. Who seemed to be at work at first may by now turn
    /// out to have been killed, so `others` are looked at again.
    pub(crate) async fn end(&self, others: Option<Others>) {
        if let Some(row) = self.lifetime.end().await {
            self.recorder.record(row);
        }
        if let Some(Others { mut leftovers, clock }) = others {
            if leftovers.may_change() {
                leftovers
                    .sweep(
                        (self.cluster, self.client),
                        self.expected,
                        &self.lifetime.name,
                        clock,
                    )
                    .await;
            }
            self.recorder.record(leftovers.judge());
        }
    }

    async fn work(&self, settled: impl Future<Output = ()>) {
        self.recorder.record(self.lifetime.wait_until_filled().await);
        let service = match self.make_workloads().await {
            Ok(Some(service)) => service,
            Ok(None) => {
                let reason = "the API server gave the service no ClusterIP or no NodePort";
                self.recorder
                    .record(check::WORKLOAD_REPLICAS.could_not_tell(Scope::Cluster, reason));
                return;
            }
            Err(error) => {
                self.recorder.record(refused(&check::WORKLOAD_REPLICAS, &error));
                return;
            }
        };
        let namespace = &self.lifetime.name;
        let waiting = wait_for_pods(self.cluster, self.client, namespace, self.expected, self.recorder);
        let (pods, ()) = tokio::join!(waiting, settled);
        self.prove_network(&pods, &service).await;
        self.prove_policies(&pods).await;
    }

    async fn prove_network(&self, pods: &RunningPods, service: &network::Service) {
        let answered = Answered::default();
        for row in network::unasked_pod_rows(self.expected, pods) {
            self.recorder.record(row);
        }
        let from_pods = a_few_at_a_time(pods.probes.values(), |client| async {
            let questions = network::pod_questions(self.expected, &client.node, pods, service);
            let patience = self.patience();
            let fetch = |urls| self.fetch_from_pod(client, urls, patience.fetch);
            ask(questions, fetch, patience, &answered, self.recorder).await;
        });
        let from_hosts = a_few_at_a_time(&self.expected.nodes, |node| async {
            let patience = self.patience();
            let questions = network::host_questions(self.expected, node, service, patience.fetch);
            let fetch = |requests| self.fetch_from_host(node, requests);
            ask(questions, fetch, patience, &answered, self.recorder).await;
        });
        tokio::join!(from_pods, from_hosts);
        self.ask_until_every_replica_answers(pods, service, &answered)
            .await;
        self.recorder.record(answered.judge(&pods.replicas));
    }

    /// A replica that was ready a moment later than the other is known to the hosts a moment later too.
    async fn ask_until_every_replica_answers(
        &self,
        pods: &RunningPods,
        service: &network::Service,
        answered: &Answered,
    ) {
        let Some(client) = pods.probes.values().next() else {
            return;
        };
        let (start, patience) = (Instant::now(), self.patience());
        while !answered.has_all(&pods.replicas) && start.elapsed() < patience.rules {
            tokio::time::sleep(network::PAUSE).await;
            let answers = self
                .fetch_from_pod(client, service.fetches(), patience.fetch)
                .await;
            answered.note(&answers);
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            fetch: self.cluster.patient(FETCH),
            round: self.cluster.patient(ROUND),
            rules: self.cluster.patient(RULES),
            lag: self.cluster.patient(LAG),
        }
    }

    /// Makes everything at once. Gives where nginx can be reached.
    async fn make_workloads(&self) -> Result<Option<network::Service>, KubeError> {
        let spread = objects::Spread::of(self.expected);
        let (configuration, service) = (objects::configuration(), objects::service());
        let (replicas, probes) = (objects::replicas(self.image, spread), objects::probes(self.image));
        let (_, service, _, _) = tokio::try_join!(
            self.create("making the configuration", &configuration),
            self.create("making the service", &service),
            self.create("making the replication controller", &replicas),
            self.create("making the daemon set", &probes),
        )?;
        Ok(network::Service::of(&service, &self.lifetime.name, self.expected))
    }

    async fn create<K>(&self, what: &str, object: &K) -> Result<K, KubeError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.lifetime.name);
        within(
            self.cluster.call_deadline(),
            what,
            api.create(&PostParams::default(), object),
        )
        .await
    }

    async fn make_policy(&self, policy: &NetworkPolicy) -> Result<(), String> {
        self.create("making a policy", policy)
            .await
            .map(drop)
            .map_err(|error| error.chain())
    }

    /// Gives a client the label that the policy lets through.
    async fn allow(&self, client: &Running) -> Result<(), String> {
        let change = objects::allowed_label();
        let change = Patch::Merge(&change);
        let (pods, parameters) = (self.pods(), PatchParams::default());
        let patch = pods.patch(&client.name, &parameters, &change);
        let patched = within(self.cluster.call_deadline(), "labelling a client", patch).await;
        patched.map(drop).map_err(|error| error.chain())
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.lifetime.name)
    }

    /// Fetches from a client pod: one answer for each URL.
    async fn fetch_from_pod(&self, client: &Running, urls: Vec<String>, limit: Duration) -> Vec<Fetched> {
        let command = probe::command(limit.as_secs(), &urls);
        // Each fetch is within its limit; the rest is for starting the script.
        let rounds = u32::try_from(urls.len().div_ceil(probe::AT_ONCE)).unwrap_or(u32::MAX);
        let deadline = limit.saturating_mul(rounds) + self.cluster.call_deadline();
        match crate::exec::run(&self.pods(), &client.name, &command, deadline).await {
            Ok(output) => probe::parse(&output, urls.len()),
            Err(error) => vec![Fetched::unknown(error.chain()); urls.len()],
        }
    }

    /// Fetches from a host: one answer for each request.
    async fn fetch_from_host(&self, node: &ExpectedNode, requests: Vec<HostRequest>) -> Vec<Fetched> {
        if node.unreachable {
            return vec![
                Fetched::unknown("the site file says that it cannot be reached now");
                requests.len()
            ];
        }
        // All may come to nothing, one after the other; then nobody waits for ever.
        let limit: Duration = requests.iter().map(|request| request.deadline).sum();
        let deadline = limit + self.cluster.call_deadline();
        let Ok(answers) = tokio::time::timeout(deadline, self.hosts.fetch(&node.name, &requests)).await
        else {
            let reason = format!("the host gave no answer within {} s", deadline.as_secs());
            return vec![Fetched::unknown(reason); requests.len()];
        };
        let mut answers: Vec<Fetched> = answers.into_iter().map(Fetched::from).collect();
        answers.resize_with(requests.len(), || {
            Fetched::unknown("the host gave no answer to this request")
        });
        answers
    }
}

/// A row on something that the API did not let be made: certain if it said so, not known if it was silent.
fn refused(check: &Check, error: &KubeError) -> Row {
    match reach_of(error) {
        Reach::Wrong(found) => check.failed(Scope::Cluster, "the API server makes it", found, vec![]),
        Reach::Silent(reason) => check.could_not_tell(Scope::Cluster, reason),
    }
}
