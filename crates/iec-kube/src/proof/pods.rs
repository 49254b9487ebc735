//! Waiting for the verification's own pods, and saying what keeps those away that do not come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use iec_core::report::{Row, Scope};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client};

use super::objects::{NGINX, PROBE, REPLICAS, Spread};
use crate::check;
use crate::cluster::{Cluster, within};
use crate::expected::{Expected, ExpectedNode};
use crate::judge::{is_pod_ready, node_is_ready, pod_trouble};
use crate::recorder::Recorder;

/// How long pods may take to run, on hosts of ordinary speed and with the image present.
const STARTING: Duration = Duration::from_secs(45);
/// The same for pods on a host that did not answer, and whose node Kubernetes has given up: its kubelet may come back.
const STARTING_LOST: Duration = Duration::from_secs(10);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(300);

/// Reasons for which a container waits that do not go away by waiting.
const HOPELESS: [&str; 5] = [
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "ErrImagePull",
    "ImagePullBackOff",
];

/// A pod of the verification that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) address: String,
}

/// The pods of the verification that run.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunningPods {
    /// The replicas of nginx.
    pub(crate) replicas: Vec<Running>,
    /// The client pods, by node.
    pub(crate) probes: BTreeMap<String, Running>,
}

/// Waits until all pods run, or none of the others can be hoped for, and records what came of each.
pub(crate) async fn wait_for_pods(
    cluster: &Cluster,
    client: &Client,
    namespace: &str,
    expected: &Expected,
    recorder: &Recorder<'_>,
) -> RunningPods {
    let start = Instant::now();
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut seen = Seen::default();
    loop {
        let over = start.elapsed() >= cluster.patient(STARTING);
        let every = ListParams::default();
        match within(
            cluster.call_deadline(),
            "listing the verification's pods",
            api.list(&every),
        )
        .await
        {
            Ok(list) => {
                let pods = list.items;
                let done = seen.update(expected, &pods, start.elapsed().as_secs_f64(), recorder);
                if done {
                    return running(&pods);
                }
                // As long as Kubernetes has not noticed, services lead to the host, and nothing that fails is known to last.
                let lost = match start.elapsed() >= cluster.patient(STARTING_LOST) {
                    true => lost_nodes(cluster, client, expected).await,
                    false => BTreeSet::new(),
                };
                if over || is_hopeless(expected, &pods, &lost) {
                    let events = read_events(cluster, client, namespace).await;
                    seen.give_up(expected, &pods, &events, start.elapsed().as_secs_f64(), recorder);
                    return running(&pods);
                }
            }
            Err(error) if over => {
                seen.give_up_blind(expected, &error.chain(), recorder);
                return RunningPods::default();
            }
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Which rows are recorded already.
#[derive(Default)]
struct Seen {
    probes: BTreeSet<String>,
    replicas: bool,
}

impl Seen {
    /// Records what has come since the last look. Gives whether nothing is missing any more.
    fn update(&mut self, expected: &Expected, pods: &[Pod], seconds: f64, recorder: &Recorder<'_>) -> bool {
        let running = running(pods);
        for node in &expected.nodes {
            if running.probes.contains_key(&node.name) && self.probes.insert(node.name.clone()) {
                recorder.record(timed(
                    check::WORKLOAD_PROBE.passed(Scope::host(&node.name)),
                    seconds,
                ));
            }
        }
        if running.replicas.len() == REPLICAS && !self.replicas {
            self.replicas = true;
            recorder.record(timed(check::WORKLOAD_REPLICAS.passed(Scope::Cluster), seconds));
            recorder.record(timed(judge_spread(expected, &running.replicas), seconds));
        }
        self.replicas && self.probes.len() == expected.nodes.len()
    }

    /// Records what is missing, with what Kubernetes says about it.
    fn give_up(
        &self,
        expected: &Expected,
        pods: &[Pod],
        events: &[Event],
        seconds: f64,
        recorder: &Recorder<'_>,
    ) {
        for node in expected
            .nodes
            .iter()
            .filter(|node| !self.probes.contains(&node.name))
        {
            let evidence = evidence(
                pods_of(pods, PROBE).filter(|pod| is_meant_for(pod, &node.name)),
                events,
            );
            let row = check::WORKLOAD_PROBE.failed(
                Scope::host(&node.name),
                "a pod that runs and is ready",
                evidence
                    .first()
                    .cloned()
                    .unwrap_or_else(|| "no pod was made for this node".to_owned()),
                evidence.into_iter().skip(1).collect(),
            );
            recorder.record(timed(row, seconds));
        }
        if !self.replicas {
            let found = running(pods).replicas;
            let evidence = evidence(pods_of(pods, NGINX).filter(|pod| !is_pod_ready(pod)), events);
            let row = check::WORKLOAD_REPLICAS.failed(
                Scope::Cluster,
                format!("{REPLICAS} replicas that run and are ready"),
                format!("{} of {REPLICAS}", found.len()),
                evidence,
            );
            recorder.record(timed(row, seconds));
            let spread = if expected.workload_nodes() < 2 {
                judge_spread(expected, &found)
            } else {
                check::WORKLOAD_SPREAD.could_not_tell(Scope::Cluster, "there are no two replicas")
            };
            recorder.record(timed(spread, seconds));
        }
    }

    /// Records that nothing is known about what is missing.
    fn give_up_blind(&self, expected: &Expected, reason: &str, recorder: &Recorder<'_>) {
        for node in expected
            .nodes
            .iter()
            .filter(|node| !self.probes.contains(&node.name))
        {
            recorder.record(check::WORKLOAD_PROBE.could_not_tell(Scope::host(&node.name), reason));
        }
        if !self.replicas {
            recorder.record(check::WORKLOAD_REPLICAS.could_not_tell(Scope::Cluster, reason));
            recorder.record(check::WORKLOAD_SPREAD.could_not_tell(Scope::Cluster, reason));
        }
    }
}

fn timed(mut row: Row, seconds: f64) -> Row {
    row.seconds = seconds;
    row
}

/// A row on where the replicas run.
fn judge_spread(expected: &Expected, replicas: &[Running]) -> Row {
    let check = &check::WORKLOAD_SPREAD;
    if expected.workload_nodes() < 2 {
        return check.not_applicable(
            Scope::Cluster,
            "the site has fewer than two nodes that take workloads",
        );
    }
    let mut nodes: Vec<&str> = replicas.iter().map(|pod| pod.node.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    if nodes.len() != REPLICAS {
        return check.failed(Scope::Cluster, "two different nodes", nodes.join(", "), vec![]);
    }
    let mut row = check.passed(Scope::Cluster);
    if Spread::of(expected) == Spread::Architectures {
        let architecture = |name: &str| expected.node(name)?.architecture;
        let known = nodes.iter().map(|name| match architecture(name) {
            Some(architecture) => format!("{name} ({architecture})"),
            None => (*name).to_owned(),
        });
        let known = known.collect::<Vec<_>>().join(" and ");
        if architecture(nodes[0]) == architecture(nodes[1]) {
            return check.failed(Scope::Cluster, "nodes of two architectures", known, vec![]);
        }
        row.note = Some(known);
    }
    row
}

/// The pods that are ready and have an address.
fn running(pods: &[Pod]) -> RunningPods {
    let ready = |app| {
        pods_of(pods, app)
            .filter(|pod| is_pod_ready(pod))
            .filter_map(running_pod)
    };
    RunningPods {
        replicas: ready(NGINX).collect(),
        probes: ready(PROBE).map(|pod| (pod.node.clone(), pod)).collect(),
    }
}

fn running_pod(pod: &Pod) -> Option<Running> {
    Some(Running {
        name: pod.metadata.name.clone()?,
        node: pod.spec.as_ref()?.node_name.clone()?,
        address: pod.status.as_ref()?.pod_ip.clone()?,
    })
}

fn pods_of<'a>(pods: &'a [Pod], app: &'a str) -> impl Iterator<Item = &'a Pod> {
    pods.iter().filter(move |pod| {
        pod.metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get("app"))
            .is_some_and(|value| value == app)
    })
}

/// Whether a pod of a DaemonSet is for this node. Before it is scheduled, only its affinity says so.
fn is_meant_for(pod: &Pod, node: &str) -> bool {
    let Some(spec) = &pod.spec else { return false };
    if spec.node_name.is_some() {
        return spec.node_name.as_deref() == Some(node);
    }
    let required = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| {
            affinity
                .required_during_scheduling_ignored_during_execution
                .as_ref()
        });
    let terms = required
        .into_iter()
        .flat_map(|required| &required.node_selector_terms);
    let mut fields = terms.filter_map(|term| term.match_fields.as_ref()).flatten();
    fields.any(|field| field.values.iter().flatten().any(|value| value == node))
}

/// The nodes of hosts that are away, and of which Kubernetes knows it.
async fn lost_nodes(cluster: &Cluster, client: &Client, expected: &Expected) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    if !expected.nodes.iter().any(ExpectedNode::is_away) {
        return lost;
    }
    let api: Api<Node> = Api::all(client.clone());
    let every = ListParams::default();
    let listing = within(cluster.call_deadline(), "listing nodes", api.list(&every)).await;
    for node in listing.map(|list| list.items).unwrap_or_default() {
        let name = node.metadata.name.clone().unwrap_or_default();
        let is_away = expected.node(&name).is_some_and(ExpectedNode::is_away);
        if is_away && !node_is_ready(&node) {
            lost.insert(name);
        }
    }
    lost
}

/// Whether every pod that does not run waits for something that waiting does not bring, such as one of the nodes that are lost.
/// A pod that has found no node by then finds none without them: its place is on another host than that of its like.
fn is_hopeless(expected: &Expected, pods: &[Pod], lost: &BTreeSet<String>) -> bool {
    let is_unplaced = |pod: &Pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none());
    let is_away =
        |pod: &Pod| !lost.is_empty() && (is_unplaced(pod) || lost.iter().any(|node| is_meant_for(pod, node)));
    let hopeless = |pod: &&Pod| {
        let statuses = pod
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_ref());
        let mut reasons = statuses
            .into_iter()
            .flatten()
            .filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        reasons.any(|reason| HOPELESS.contains(&reason))
    };
    let mut open = pods.iter().filter(|pod| !is_pod_ready(pod)).peekable();
    let all_are_made = pods.len() >= expected.nodes.len() + REPLICAS;
    all_are_made && open.peek().is_some() && open.all(|pod| hopeless(&pod) || is_away(pod))
}

/// What keeps each of these pods from running: its state, then the newest warning about it.
fn evidence<'a>(pods: impl Iterator<Item = &'a Pod>, events: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    for pod in pods {
        lines.push(pod_trouble(pod));
        let warns = |event: &&Event| {
            event.involved_object.name == pod.metadata.name && event.type_.as_deref() == Some("Warning")
        };
        let warning = events.iter().rfind(warns);
        lines.extend(warning.map(|event| {
            let (reason, message) = (event.reason.as_deref(), event.message.as_deref());
            format!(
                "{}: {}",
                reason.unwrap_or("Warning"),
                message.unwrap_or_default().trim()
            )
        }));
    }
    lines
}

/// The events of the namespace, oldest first. They are evidence only: without them the rows are just shorter.
async fn read_events(cluster: &Cluster, client: &Client, namespace: &str) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let every = ListParams::default();
    let listed = within(cluster.call_deadline(), "listing events", api.list(&every)).await;
    let mut events = listed.map(|list| list.items).unwrap_or_default();
    events.sort_by_key(|event| {
        let last = event.last_timestamp.as_ref().map(|time| time.0);
        last.or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
    });
    events
}

#[cfg(test)]
mod tests {
    use iec_core::architecture::Architecture;
    use iec_core::report::Outcome;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{expected, expected_single, pod_json};

    fn pod(app: &str, name: &str, node: &str, change: impl FnOnce(&mut Value)) -> Pod {
        let mut value = pod_json(name, node);
        value["metadata"]["labels"] = json!({"app": app});
        change(&mut value);
        serde_json::from_value(value).expect("a pod")
    }

    fn all_pods() -> Vec<Pod> {
        let mut pods = vec![
            pod(NGINX, "nginx-a", "edge-2", |_| {}),
            pod(NGINX, "nginx-b", "edge-3", |_| {}),
        ];
        pods.extend(
            ["edge-1", "edge-2", "edge-3"].map(|node| pod(PROBE, &format!("probe-{node}"), node, |_| {})),
        );
        pods
    }

    fn waiting(reason: &'static str) -> impl Fn(&mut Value) {
        move |pod| {
            pod["status"]["conditions"][0]["status"] = json!("False");
            pod["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": reason}});
        }
    }

    fn rows(work: impl FnOnce(&Recorder<'_>)) -> Vec<Row> {
        let recorder = Recorder::new(&|_| {});
        work(&recorder);
        recorder.into_rows()
    }

    #[test]
    fn when_all_pods_run_every_row_passes_once() {
        let rows = rows(|recorder| {
            let mut seen = Seen::default();
            assert!(!seen.update(&expected(), &all_pods()[..3], 1.0, recorder));
            assert!(seen.update(&expected(), &all_pods(), 2.0, recorder));
            assert!(seen.update(&expected(), &all_pods(), 3.0, recorder));
        });
        let passed = rows.iter().filter(|row| row.outcome == Outcome::Passed).count();
        assert_eq!((rows.len(), passed), (5, 5), "{rows:#?}");
        assert!((rows[0].seconds - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_does_not_run_fails_with_its_state_and_the_newest_warning() {
        let mut pods = all_pods();
        pods[4] = pod(PROBE, "probe-edge-3", "edge-3", |pod| {
            waiting("ContainerCreating")(pod)
        });
        pods.remove(1);
        let event = |reason: &str, kind: &str| -> Event {
            serde_json::from_value(json!({
                "metadata": {}, "type": kind, "reason": reason, "message": "no address\n",
                "involvedObject": {"name": "probe-edge-3"},
            }))
            .expect("an event")
        };
        let events = [
            event("Older", "Warning"),
            event("FailedCreatePodSandBox", "Warning"),
            event("Pulled", "Normal"),
        ];
        let rows = rows(|recorder| {
            let mut seen = Seen::default();
            assert!(!seen.update(&expected(), &pods, 1.0, recorder));
            seen.give_up(&expected(), &pods, &events, 45.0, recorder);
        });
        let of = |id: &str, scope: Scope| {
            rows.iter()
                .find(|row| row.id == id && row.scope == scope)
                .unwrap_or_else(|| panic!("{id}"))
        };
        let Outcome::Failed(failure) = &of("workload.probe", Scope::host("edge-3")).outcome else {
            panic!()
        };
        assert_eq!(failure.found, "probe-edge-3: main: ContainerCreating");
        assert_eq!(failure.evidence, ["FailedCreatePodSandBox: no address"]);
        let Outcome::Failed(failure) = &of("workload.replicas", Scope::Cluster).outcome else {
            panic!()
        };
        assert_eq!(failure.found, "1 of 2");
        assert!(matches!(
            of("workload.spread", Scope::Cluster).outcome,
            Outcome::CouldNotTell { .. }
        ));
    }

    #[test]
    fn replicas_on_one_node_fail_unless_the_site_has_no_second() {
        let replica = |node: &str| Running {
            name: "n".into(),
            node: node.into(),
            address: "a".into(),
        };
        let together = [replica("edge-2"), replica("edge-2")];
        assert!(matches!(
            judge_spread(&expected(), &together).outcome,
            Outcome::Failed(_)
        ));
        let apart = [replica("edge-2"), replica("edge-3")];
        assert_eq!(judge_spread(&expected(), &apart).outcome, Outcome::Passed);
        let mut mixed = expected();
        mixed.nodes[2].architecture = Some(Architecture::Arm64);
        let row = judge_spread(&mixed, &apart);
        assert_eq!(row.outcome, Outcome::Passed);
        assert_eq!(row.note.as_deref(), Some("edge-2 (amd64) and edge-3 (arm64)"));
        let same = [replica("edge-1"), replica("edge-2")];
        assert!(matches!(judge_spread(&mixed, &same).outcome, Outcome::Failed(_)));
        let row = judge_spread(&expected_single(), &together);
        assert!(matches!(row.outcome, Outcome::NotApplicable { .. }), "{row:?}");
    }

    #[test]
    fn a_missing_image_is_waited_for_only_while_others_may_still_come() {
        let with = |reason| {
            let mut pods = all_pods();
            pods[4] = pod(PROBE, "probe-edge-3", "edge-3", |pod| {
                waiting("ErrImageNeverPull")(pod)
            });
            pods[3] = pod(PROBE, "probe-edge-2", "edge-2", |pod| waiting(reason)(pod));
            pods
        };
        assert!(is_hopeless(
            &expected(),
            &with("ErrImageNeverPull"),
            &BTreeSet::new()
        ));
        assert!(!is_hopeless(
            &expected(),
            &with("ContainerCreating"),
            &BTreeSet::new()
        ));
        assert!(
            !is_hopeless(&expected(), &with("ErrImageNeverPull")[1..], &BTreeSet::new()),
            "one pod is not made yet"
        );
        assert!(
            !is_hopeless(&expected(), &all_pods(), &BTreeSet::new()),
            "all run"
        );
    }

    #[test]
    fn a_pod_on_a_node_that_is_lost_is_not_waited_for() {
        let pods = |node: usize| {
            let mut pods = all_pods();
            pods[node + 1] = pod(
                PROBE,
                &format!("probe-edge-{node}"),
                &format!("edge-{node}"),
                |pod| waiting("ContainerCreating")(pod),
            );
            pods
        };
        let lost = BTreeSet::from(["edge-3".to_owned()]);
        assert!(is_hopeless(&expected(), &pods(3), &lost));
        assert!(!is_hopeless(&expected(), &pods(2), &lost), "that one is there");
        assert!(
            !is_hopeless(&expected(), &pods(3), &BTreeSet::new()),
            "none is lost"
        );
        let unplaced = || {
            let mut pods = pods(3);
            pods[1] = pod(NGINX, "nginx-b", "edge-2", |pod| {
                waiting("ContainerCreating")(pod);
                pod["spec"]["nodeName"] = json!(null);
            });
            pods
        };
        assert!(is_hopeless(&expected(), &unplaced(), &lost));
        assert!(!is_hopeless(&expected(), &unplaced(), &BTreeSet::new()));
    }

    #[test]
    fn a_pod_that_is_not_scheduled_yet_is_known_by_its_affinity() {
        let pending = pod(PROBE, "p", "edge-3", |pod| {
            pod["spec"] = json!({"containers": [], "affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [
                    {"key": "metadata.name", "operator": "In", "values": ["edge-3"]}]}]}}}});
        });
        assert!(is_meant_for(&pending, "edge-3"));
        assert!(!is_meant_for(&pending, "edge-2"));
    }
}
