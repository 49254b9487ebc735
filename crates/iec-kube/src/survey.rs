//! Reading the cluster: everything that the declared state is compared with, in one round of requests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use iec_core::plan::EtcdStore;
use iec_core::report::{Outcome, Row, Scope};
use iec_core::site::Datastore;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use crate::calico::CalicoData;
use crate::check::{self, Check};
use crate::cluster::within;
use crate::etcd::EtcdData;
use crate::expected::{Expected, ExpectedDns};
use crate::helm;
use crate::judge::{
    HelmRelease, judge_calico_addresses, judge_control_plane_pods, judge_daemon_set, judge_deployment,
    judge_dns_endpoints, judge_dns_settings, judge_etcd_members, judge_etcd_voters, judge_felix,
    judge_helm_releases, judge_ip_pools, judge_leases, judge_nodes, judge_system_pods,
};
use crate::recorder::Recorder;

/// The namespace of everything that kubeadm and Calico's manifest install.
pub(crate) const SYSTEM: &str = "kube-system";
/// How long to wait before reading again what may yet settle.
const PAUSE: Duration = Duration::from_millis(700);

/// Something that was read, or why it could not be.
pub(crate) type Read<T> = Result<T, String>;

/// The cluster at one moment.
pub(crate) struct Snapshot {
    pub(crate) nodes: Read<Vec<Node>>,
    pub(crate) daemon_sets: Read<Vec<DaemonSet>>,
    pub(crate) deployments: Read<Vec<Deployment>>,
    pub(crate) pods: Read<Vec<Pod>>,
    pub(crate) dns_slices: Read<Vec<EndpointSlice>>,
    pub(crate) calico: Read<CalicoData>,
    pub(crate) releases: Read<Vec<HelmRelease>>,
    pub(crate) dns_configuration: Read<Option<ConfigMap>>,
    pub(crate) etcd: EtcdData,
    /// That of Calico, where it has one of its own.
    pub(crate) calico_etcd: Option<EtcdData>,
    pub(crate) leases: Read<Vec<Lease>>,
    seconds: f64,
}

impl Snapshot {
    /// Reads everything at once. What cannot be read does not keep the rest from being read.
    pub(crate) async fn read(client: &Client, expected: &Expected, deadline: Duration) -> Self {
        let start = Instant::now();
        let all = ListParams::default();
        let dns = ListParams::default().labels("kubernetes.io/service-name=kube-dns");
        let (
            nodes,
            daemon_sets,
            deployments,
            pods,
            dns_slices,
            calico,
            releases,
            dns_configuration,
            etcd,
            calico_etcd,
            leases,
        ) = tokio::join!(
            list(Api::all(client.clone()), &all, "nodes", deadline),
            list(
                Api::namespaced(client.clone(), SYSTEM),
                &all,
                "DaemonSets",
                deadline
            ),
            list(
                Api::namespaced(client.clone(), SYSTEM),
                &all,
                "Deployments",
                deadline
            ),
            list(Api::namespaced(client.clone(), SYSTEM), &all, "pods", deadline),
            list(
                Api::namespaced(client.clone(), SYSTEM),
                &dns,
                "EndpointSlices",
                deadline
            ),
            CalicoData::read(client, expected, deadline),
            helm::read(client, expected, deadline),
            dns_configuration(client, deadline),
            EtcdData::read(client, expected, EtcdStore::Cluster, deadline),
            calico_etcd(client, expected, deadline),
            list(Api::namespaced(client.clone(), SYSTEM), &all, "leases", deadline),
        );
        let seconds = start.elapsed().as_secs_f64();
        Self {
            nodes,
            daemon_sets,
            deployments,
            pods,
            dns_slices,
            calico,
            releases,
            dns_configuration,
            etcd,
            calico_etcd,
            leases,
            seconds,
        }
    }

    /// Every row that follows from it.
    pub(crate) fn judge(&self, expected: &Expected) -> Vec<Row> {
        let mut rows = either(&self.nodes, &check::NODE_SET, |nodes| {
            judge_nodes(expected, nodes)
        });
        rows.extend(self.judge_calico(expected));
        rows.extend(either(&self.dns_slices, &check::DNS_ENDPOINTS, |slices| {
            vec![judge_dns_endpoints(slices)]
        }));
        rows.extend(self.judge_dns_settings(expected));
        rows.extend(either(&self.pods, &check::CONTROL_PLANE_PODS, |pods| {
            judge_control_plane_pods(expected, pods)
        }));
        rows.extend(judge_etcd(
            expected,
            &self.etcd,
            (&check::ETCD_MEMBERS, &check::ETCD_VOTER),
        ));
        let calico = self.calico_etcd.iter();
        rows.extend(calico.flat_map(|etcd| {
            let checks = (&check::CALICO_ETCD_MEMBERS, &check::CALICO_ETCD_VOTER);
            judge_etcd(expected, etcd, checks)
        }));
        rows.extend(either(&self.leases, &check::CONTROLLER_LEASES, |leases| {
            vec![judge_leases(expected, leases)]
        }));
        rows.extend(either(&self.pods, &check::SYSTEM_PODS, |pods| {
            vec![judge_system_pods(pods)]
        }));
        for (check, name) in [
            (&check::CALICO_DAEMONSET, "calico-node"),
            (&check::PROXY_DAEMONSET, "kube-proxy"),
        ] {
            rows.extend(self.judge_daemon_set(expected, check, name));
        }
        for (check, name) in [
            (&check::CALICO_CONTROLLERS, "calico-kube-controllers"),
            (&check::DNS_DEPLOYMENT, "coredns"),
        ] {
            rows.extend(self.judge_deployment(check, name));
        }
        if !expected.releases.is_empty() {
            rows.extend(either(&self.releases, &check::HELM_RELEASES, |releases| {
                vec![judge_helm_releases(releases)]
            }));
        }
        for row in &mut rows {
            row.seconds = self.seconds;
        }
        rows
    }

    fn judge_calico(&self, expected: &Expected) -> Vec<Row> {
        let both = self
            .calico
            .as_ref()
            .and_then(|calico| Ok((calico, self.nodes.as_ref()?)));
        let mut rows = match both {
            Ok((calico, nodes)) => {
                judge_calico_addresses(expected, nodes, |node| calico.node(expected, node))
            }
            Err(reason) => vec![check::CALICO_ADDRESS.could_not_tell(Scope::Cluster, reason)],
        };
        rows.push(match &self.calico {
            Ok(calico) => judge_ip_pools(expected, &calico.pools),
            Err(reason) => check::CALICO_POOL.could_not_tell(Scope::Cluster, reason),
        });
        if let Ok(calico) = &self.calico {
            rows.extend(judge_felix(expected, &calico.felix));
        }
        rows
    }

    fn judge_dns_settings(&self, expected: &Expected) -> Option<Row> {
        let both = self
            .dns_configuration
            .as_ref()
            .and_then(|configuration| Ok((configuration, self.deployments.as_ref()?)));
        match both {
            Ok((configuration, deployments)) => {
                let deployment = deployments
                    .iter()
                    .find(|each| each.metadata.name.as_deref() == Some("coredns"));
                judge_dns_settings(&expected.dns, configuration.as_ref(), deployment)
            }
            Err(_) if expected.dns == ExpectedDns::default() => None,
            Err(reason) => Some(check::DNS_SETTINGS.could_not_tell(Scope::Cluster, reason)),
        }
    }

    fn judge_daemon_set(&self, expected: &Expected, check: &Check, name: &str) -> Vec<Row> {
        let both = self
            .daemon_sets
            .as_ref()
            .and_then(|sets| Ok((sets, self.pods.as_ref()?)));
        match both {
            Ok((sets, pods)) => {
                let daemon_set = sets.iter().find(|set| set.metadata.name.as_deref() == Some(name));
                vec![judge_daemon_set(check, expected, daemon_set, pods)]
            }
            Err(reason) => vec![check.could_not_tell(Scope::Cluster, reason)],
        }
    }

    fn judge_deployment(&self, check: &Check, name: &str) -> Vec<Row> {
        let both = self
            .deployments
            .as_ref()
            .and_then(|all| Ok((all, self.pods.as_ref()?)));
        match both {
            Ok((deployments, pods)) => {
                let deployment = deployments
                    .iter()
                    .find(|each| each.metadata.name.as_deref() == Some(name));
                let prefix = format!("{name}-");
                let own: Vec<&Pod> = pods
                    .iter()
                    .filter(|pod| {
                        pod.metadata
                            .name
                            .as_deref()
                            .is_some_and(|name| name.starts_with(&prefix))
                    })
                    .collect();
                vec![judge_deployment(check, deployment, &own)]
            }
            Err(reason) => vec![check.could_not_tell(Scope::Cluster, reason)],
        }
    }
}

/// CoreDNS' configuration.
async fn dns_configuration(client: &Client, deadline: Duration) -> Read<Option<ConfigMap>> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), SYSTEM);
    let read = within(
        deadline,
        "reading CoreDNS' configuration",
        maps.get_opt("coredns"),
    );
    read.await.map_err(|error| error.chain())
}

/// How long to wait for rows that may yet pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling {
    /// In all.
    pub(crate) patience: Duration,
    /// Since something last changed: a cluster that is still coming up shows it.
    pub(crate) quiet: Duration,
}

impl Settling {
    fn is_over(self, start: Instant, changed: Instant) -> bool {
        start.elapsed() >= self.patience || changed.elapsed() >= self.quiet
    }
}

/// Reads the cluster until every row that may settle has passed, or there is no hope for the others, and records each
/// row once.
pub(crate) async fn survey(
    client: &Client,
    expected: &Expected,
    recorder: &Recorder<'_>,
    deadline: Duration,
    settling: Settling,
) {
    let start = Instant::now();
    let mut changed = start;
    let mut open: Vec<Row> = Vec::new();
    let mut recorded: BTreeSet<(String, Scope)> = BTreeSet::new();
    loop {
        let last = settling.is_over(start, changed);
        let mut still_open = Vec::new();
        for mut row in Snapshot::read(client, expected, deadline).await.judge(expected) {
            let key = (row.id.clone(), row.scope.clone());
            if recorded.contains(&key) {
                continue;
            }
            if !last && may_settle(&row) {
                still_open.push(row);
                continue;
            }
            if !recorded.is_empty() {
                row.seconds = start.elapsed().as_secs_f64();
            }
            recorded.insert(key);
            recorder.record(row);
        }
        if still_open.is_empty() {
            return;
        }
        if !are_alike(&open, &still_open) {
            changed = Instant::now();
        }
        open = still_open;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the same rows are open for the same reasons.
fn are_alike(before: &[Row], now: &[Row]) -> bool {
    let facts = |row: &Row| (row.id.clone(), row.scope.clone(), row.outcome.clone());
    before.len() == now.len() && before.iter().map(facts).eq(now.iter().map(facts))
}

fn may_settle(row: &Row) -> bool {
    match row.outcome {
        Outcome::Passed | Outcome::NotApplicable { .. } => false,
        Outcome::CouldNotTell { .. } => true,
        Outcome::Failed(_) => Check::by_id(&row.id).is_some_and(|check| check.settles),
    }
}

/// Rows on the members of an etcd as a whole, and on each of them.
fn judge_etcd(
    expected: &Expected,
    etcd: &EtcdData,
    (members_check, voter_check): (&'static Check, &'static Check),
) -> Vec<Row> {
    let mut rows = either(&etcd.members, members_check, |members| {
        vec![judge_etcd_members(
            members_check,
            expected,
            members,
            &etcd.statuses,
        )]
    });
    rows.extend(judge_etcd_voters(voter_check, expected, &etcd.statuses));
    rows
}

fn either<T>(read: &Read<Vec<T>>, check: &Check, judge: impl FnOnce(&[T]) -> Vec<Row>) -> Vec<Row> {
    match read {
        Ok(items) => judge(items),
        Err(reason) => vec![check.could_not_tell(Scope::Cluster, reason)],
    }
}

/// What Calico's own etcd says, where it has one.
async fn calico_etcd(client: &Client, expected: &Expected, deadline: Duration) -> Option<EtcdData> {
    match expected.calico.datastore {
        Datastore::Kubernetes => None,
        Datastore::Etcd => Some(EtcdData::read(client, expected, EtcdStore::Calico, deadline).await),
    }
}

async fn list<K>(api: Api<K>, parameters: &ListParams, what: &str, deadline: Duration) -> Read<Vec<K>>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    let answer = within(deadline, format!("listing {what}"), api.list(parameters)).await;
    answer.map(|list| list.items).map_err(|error| error.chain())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_later_is_waited_for() {
        let failed = |check: &Check| check.failed(Scope::Cluster, "a", "b", vec![]);
        assert!(may_settle(&failed(&check::NODE_READY)));
        assert!(
            !may_settle(&failed(&check::NODE_KUBELET)),
            "a version does not change by itself"
        );
        assert!(may_settle(
            &check::NODE_KUBELET.could_not_tell(Scope::Cluster, "no answer")
        ));
        assert!(!may_settle(&check::NODE_READY.passed(Scope::Cluster)));
        assert!(!may_settle(
            &check::CALICO_POOL.not_applicable(Scope::Cluster, "none")
        ));
    }

    #[test]
    fn a_change_is_another_row_or_another_finding() {
        let row = |found: &str| check::NODE_READY.failed(Scope::host("edge-1"), "Ready", found, vec![]);
        let mut later = row("not ready");
        later.seconds = 7.0;
        assert!(are_alike(&[row("not ready")], &[later]));
        assert!(!are_alike(&[row("not ready")], &[row("cordoned")]));
        assert!(!are_alike(&[row("not ready")], &[]));
    }

    #[test]
    fn waiting_is_over_when_patience_is_or_when_nothing_changes() {
        let now = Instant::now();
        let settling = |patience, quiet| Settling {
            patience: Duration::from_secs(patience),
            quiet: Duration::from_secs(quiet),
        };
        assert!(!settling(60, 60).is_over(now, now));
        assert!(settling(0, 60).is_over(now, now));
        assert!(settling(60, 0).is_over(now, now));
    }
}
