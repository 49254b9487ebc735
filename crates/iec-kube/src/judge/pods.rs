//! Judging what runs: DaemonSets, Deployments, static pods and the pods of a namespace.

use iec_core::plan::{CALICO_ETCD_POD, VIRTUAL_ADDRESS_POD};
use iec_core::report::{Row, Scope};
use iec_core::site::Datastore;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::check::{self, Check};
use crate::expected::Expected;

/// The static pods of a control plane, without the name of the node.
const STATIC_PODS: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// A row on a DaemonSet that must have one ready pod, in its present version, on each declared node.
/// `pods` are the pods of its namespace.
#[must_use]
pub fn judge_daemon_set(
    check: &Check,
    expected: &Expected,
    daemon_set: Option<&DaemonSet>,
    pods: &[Pod],
) -> Row {
    let wanted = expected.nodes.len();
    let everywhere = format!("{wanted} of {wanted} pods ready and up to date");
    let Some(daemon_set) = daemon_set else {
        return check.failed(Scope::Cluster, everywhere, "the DaemonSet does not exist", vec![]);
    };
    let status = daemon_set.status.clone().unwrap_or_default();
    let updated = status.updated_number_scheduled.unwrap_or_default();
    let seen = status.observed_generation == daemon_set.metadata.generation;
    let complete = [status.desired_number_scheduled, status.number_ready, updated].map(usize::try_from);
    let own: Vec<&Pod> = pods
        .iter()
        .filter(|pod| is_owned_by(pod, daemon_set.metadata.uid.as_deref()))
        .collect();
    let mut evidence: Vec<String> = expected
        .nodes
        .iter()
        .filter_map(|node| {
            let mut here = own
                .iter()
                .filter(|pod| node_of(pod) == Some(node.name.as_str()))
                .peekable();
            if here.peek().is_none() {
                return Some(format!("{}: no pod", node.name));
            }
            here.find(|pod| !is_pod_ready(pod))
                .map(|pod| format!("{}: {}", node.name, pod_trouble(pod)))
        })
        .collect();
    if complete == [Ok(wanted); 3] && seen && evidence.is_empty() {
        return check.passed(Scope::Cluster);
    }
    if !seen {
        evidence.push("the controller has not yet seen the newest version of the DaemonSet".to_owned());
    }
    let found = format!(
        "desired {}, ready {}, up to date {updated}",
        status.desired_number_scheduled, status.number_ready
    );
    check.failed(Scope::Cluster, everywhere, found, evidence)
}

/// A row on a Deployment that must want at least one replica and have all it wants.
/// `pods` are the pods of its namespace that belong to it.
#[must_use]
pub fn judge_deployment(check: &Check, deployment: Option<&Deployment>, pods: &[&Pod]) -> Row {
    let wanted = "at least one replica, all of them available and up to date";
    let Some(deployment) = deployment else {
        return check.failed(Scope::Cluster, wanted, "the Deployment does not exist", vec![]);
    };
    let replicas = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let available = status.available_replicas.unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    let seen = status.observed_generation == deployment.metadata.generation;
    if replicas > 0 && available == replicas && updated == replicas && seen {
        return check.passed(Scope::Cluster);
    }
    let found = format!("asked for {replicas}, available {available}, up to date {updated}");
    let evidence = pods
        .iter()
        .filter(|pod| !is_pod_ready(pod))
        .map(|pod| pod_trouble(pod))
        .collect();
    check.failed(Scope::Cluster, wanted, found, evidence)
}

/// One row for each declared control plane: its static pods exist and are ready.
#[must_use]
pub fn judge_control_plane_pods(expected: &Expected, pods: &[Pod]) -> Vec<Row> {
    expected
        .control_planes()
        .map(|node| {
            let scope = Scope::host(&node.name);
            let own_etcd = (expected.calico.datastore == Datastore::Etcd).then_some(CALICO_ETCD_POD);
            let keepalived = expected.virtual_address.map(|_| VIRTUAL_ADDRESS_POD);
            let further = own_etcd.into_iter().chain(keepalived);
            let components: Vec<&str> = STATIC_PODS.into_iter().chain(further).collect();
            let troubles: Vec<String> = components
                .iter()
                .filter_map(|component| {
                    let name = format!("{component}-{}", node.name);
                    match pods.iter().find(|pod| name_of(pod) == name) {
                        None => Some(format!("{name}: does not exist")),
                        Some(pod) if is_pod_ready(pod) => None,
                        Some(pod) => Some(pod_trouble(pod)),
                    }
                })
                .collect();
            if troubles.is_empty() {
                check::CONTROL_PLANE_PODS.passed(scope)
            } else {
                let found = format!("{} of {} are not", troubles.len(), components.len());
                check::CONTROL_PLANE_PODS.failed(scope, "all static pods are ready", found, troubles)
            }
        })
        .collect()
}

/// A row on all pods of kube-system, with their restarts as a note.
#[must_use]
pub fn judge_system_pods(pods: &[Pod]) -> Row {
    let check = &check::SYSTEM_PODS;
    let living: Vec<&Pod> = pods.iter().filter(|pod| phase_of(pod) != "Succeeded").collect();
    let troubles: Vec<String> = living
        .iter()
        .filter(|pod| !is_pod_ready(pod))
        .map(|pod| pod_trouble(pod))
        .collect();
    let mut row = if living.is_empty() {
        check.failed(
            Scope::Cluster,
            "pods in kube-system, all of them ready",
            "no pods at all",
            vec![],
        )
    } else if troubles.is_empty() {
        check.passed(Scope::Cluster)
    } else {
        let found = format!("{} of {} are not ready", troubles.len(), living.len());
        check.failed(Scope::Cluster, "all pods of kube-system ready", found, troubles)
    };
    let restarted: Vec<String> = living
        .iter()
        .filter(|pod| restarts_of(pod) > 0)
        .map(|pod| format!("{} {}", name_of(pod), restarts_of(pod)))
        .collect();
    if !restarted.is_empty() {
        row.note = Some(format!("restarts: {}", restarted.join(", ")));
    }
    row
}

/// How often the containers of a pod were restarted.
#[must_use]
pub fn restarts_of(pod: &Pod) -> i32 {
    container_statuses(pod).map(|status| status.restart_count).sum()
}

/// Whether the pod's condition Ready holds and it is not being removed.
pub(crate) fn is_pod_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|each| each.type_ == "Ready" && each.status == "True")
}

/// What keeps a pod from being ready, in one line that begins with its name.
pub(crate) fn pod_trouble(pod: &Pod) -> String {
    format!("{}: {}", name_of(pod), trouble_of(pod))
}

fn trouble_of(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "is being removed".to_owned();
    }
    let waiting = container_statuses(pod).find_map(|status| {
        let state = status.state.as_ref()?;
        if let Some(waiting) = &state.waiting {
            let reason = waiting.reason.as_deref().unwrap_or("waiting");
            return Some(join(&status.name, reason, waiting.message.as_deref()));
        }
        let ended = state.terminated.as_ref()?;
        let reason = format!("ended with exit code {}", ended.exit_code);
        Some(join(
            &status.name,
            &reason,
            ended.message.as_deref().or(ended.reason.as_deref()),
        ))
    });
    let unmet = || {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let condition = conditions
            .iter()
            .find(|each| each.status != "True" && each.message.is_some())?;
        Some(join(
            &condition.type_,
            condition.reason.as_deref().unwrap_or("no"),
            condition.message.as_deref(),
        ))
    };
    waiting
        .or_else(unmet)
        .unwrap_or_else(|| format!("phase {}, not ready", phase_of(pod)))
}

fn join(subject: &str, reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{subject}: {reason}: {message}"),
        None => format!("{subject}: {reason}"),
    }
}

fn container_statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let initial = status
        .and_then(|status| status.init_container_statuses.as_ref())
        .into_iter()
        .flatten();
    let initial = initial.filter(|status| !status.ready);
    initial.chain(
        status
            .and_then(|status| status.container_statuses.as_ref())
            .into_iter()
            .flatten(),
    )
}

fn is_owned_by(pod: &Pod, uid: Option<&str>) -> bool {
    let owners = pod.metadata.owner_references.iter().flatten();
    uid.is_some() && owners.into_iter().any(|owner| Some(owner.uid.as_str()) == uid)
}

fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn phase_of(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{expected, pod_json};

    fn pod(name: &str, node: &str, change: impl FnOnce(&mut Value)) -> Pod {
        let mut value = pod_json(name, node);
        change(&mut value);
        serde_json::from_value(value).expect("a pod")
    }

    fn owned(name: &str, node: &str, change: impl FnOnce(&mut Value)) -> Pod {
        pod(name, node, |pod| {
            pod["metadata"]["ownerReferences"] =
                json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "calico-node", "uid": "u1"}]);
            change(pod);
        })
    }

    fn daemon_set(change: impl FnOnce(&mut Value)) -> DaemonSet {
        let mut value = json!({
            "metadata": {"name": "calico-node", "uid": "u1", "generation": 2},
            "status": {
                "observedGeneration": 2, "desiredNumberScheduled": 3, "currentNumberScheduled": 3,
                "numberReady": 3, "numberMisscheduled": 0, "updatedNumberScheduled": 3,
            },
        });
        change(&mut value);
        serde_json::from_value(value).expect("a DaemonSet")
    }

    fn three_pods() -> Vec<Pod> {
        ["edge-1", "edge-2", "edge-3"]
            .map(|node| owned(&format!("calico-{node}"), node, |_| {}))
            .to_vec()
    }

    fn failure(row: &Row) -> Option<(String, Vec<String>)> {
        match &row.outcome {
            Outcome::Failed(failure) => Some((failure.found.clone(), failure.evidence.clone())),
            _ => None,
        }
    }

    #[test]
    fn a_complete_daemon_set_passes() {
        let row = judge_daemon_set(
            &check::CALICO_DAEMONSET,
            &expected(),
            Some(&daemon_set(|_| {})),
            &three_pods(),
        );
        assert_eq!(row.outcome, Outcome::Passed);
    }

    #[test]
    fn an_incomplete_daemon_set_fails() {
        type Change = fn(&mut Value);
        let changes: [Change; 5] = [
            |set| set["status"]["numberReady"] = json!(2),
            |set| set["status"]["updatedNumberScheduled"] = json!(2),
            |set| set["status"]["desiredNumberScheduled"] = json!(4),
            |set| set["status"]["observedGeneration"] = json!(1),
            |set| set["metadata"]["uid"] = json!("another"),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let row = judge_daemon_set(
                &check::CALICO_DAEMONSET,
                &expected(),
                Some(&daemon_set(change)),
                &three_pods(),
            );
            assert!(failure(&row).is_some(), "change {index}: {row:?}");
        }
        let row = judge_daemon_set(&check::CALICO_DAEMONSET, &expected(), None, &[]);
        assert_eq!(failure(&row).expect("failed").0, "the DaemonSet does not exist");
    }

    #[test]
    fn the_node_without_a_ready_pod_is_named_even_if_the_numbers_look_right() {
        let pods = [
            owned("calico-a", "edge-1", |_| {}),
            owned("calico-b", "edge-2", |pod| {
                pod["status"]["conditions"][0]["status"] = json!("False");
                pod["status"]["containerStatuses"][0]["state"] =
                    json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
            }),
        ];
        let row = judge_daemon_set(
            &check::CALICO_DAEMONSET,
            &expected(),
            Some(&daemon_set(|_| {})),
            &pods,
        );
        let (_, evidence) = failure(&row).expect("failed");
        assert_eq!(
            evidence,
            [
                "edge-2: calico-b: main: CrashLoopBackOff: back-off 10s",
                "edge-3: no pod"
            ]
        );
    }

    fn deployment(replicas: i32, available: i32, updated: i32, observed: i64) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "coredns", "generation": 3},
            "spec": {"replicas": replicas, "selector": {}, "template": {}},
            "status": {"observedGeneration": observed, "availableReplicas": available, "updatedReplicas": updated},
        }))
        .expect("a Deployment")
    }

    #[test]
    fn deployments_pass_only_with_all_of_at_least_one_replica() {
        let cases = [
            ((2, 2, 2, 3), true),
            ((1, 1, 1, 3), true),
            ((0, 0, 0, 3), false),
            ((2, 1, 2, 3), false),
            ((2, 2, 1, 3), false),
            ((2, 2, 2, 2), false),
        ];
        for ((replicas, available, updated, observed), passes) in cases {
            let deployment = deployment(replicas, available, updated, observed);
            let row = judge_deployment(&check::DNS_DEPLOYMENT, Some(&deployment), &[]);
            assert_eq!(row.outcome == Outcome::Passed, passes, "{row:?}");
        }
        let row = judge_deployment(&check::DNS_DEPLOYMENT, None, &[]);
        assert_eq!(failure(&row).expect("failed").0, "the Deployment does not exist");
    }

    #[test]
    fn a_deployment_scaled_to_zero_says_so() {
        let row = judge_deployment(&check::DNS_DEPLOYMENT, Some(&deployment(0, 0, 0, 3)), &[]);
        assert_eq!(
            failure(&row).expect("failed").0,
            "asked for 0, available 0, up to date 0"
        );
    }

    #[test]
    fn static_pods_must_exist_and_be_ready() {
        let all: Vec<Pod> = STATIC_PODS
            .iter()
            .map(|name| pod(&format!("{name}-edge-1"), "edge-1", |_| {}))
            .collect();
        let rows = judge_control_plane_pods(&expected(), &all);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].outcome, Outcome::Passed);
        let rows = judge_control_plane_pods(&expected(), &all[1..]);
        assert_eq!(
            failure(&rows[0]).expect("failed").1,
            ["etcd-edge-1: does not exist"]
        );
        let mut with_etcd = expected();
        with_etcd.calico.datastore = Datastore::Etcd;
        let rows = judge_control_plane_pods(&with_etcd, &all);
        let (found, evidence) = failure(&rows[0]).expect("failed");
        assert_eq!(found, "1 of 5 are not");
        assert_eq!(evidence, ["calico-etcd-edge-1: does not exist"]);
        let mut with_address = expected();
        with_address.virtual_address = Some([10, 0, 0, 10].into());
        let rows = judge_control_plane_pods(&with_address, &all);
        let (_, evidence) = failure(&rows[0]).expect("failed");
        assert_eq!(evidence, ["keepalived-edge-1: does not exist"]);
    }

    #[test]
    fn system_pods_note_restarts_and_name_what_is_not_ready() {
        let restarted = pod("coredns-a", "edge-1", |pod| {
            pod["status"]["containerStatuses"][0]["restartCount"] = json!(3)
        });
        let row = judge_system_pods(std::slice::from_ref(&restarted));
        assert_eq!(row.outcome, Outcome::Passed);
        assert_eq!(row.note.as_deref(), Some("restarts: coredns-a 3"));

        let pending = pod("coredns-b", "edge-1", |pod| {
            pod["status"] = json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]});
        });
        let removed = pod("coredns-c", "edge-1", |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-23T18:00:00Z");
        });
        let done = pod("job", "edge-1", |pod| {
            pod["status"] = json!({"phase": "Succeeded"});
        });
        let row = judge_system_pods(&[restarted, pending, removed, done]);
        let (found, evidence) = failure(&row).expect("failed");
        assert_eq!(found, "2 of 3 are not ready");
        assert_eq!(
            evidence,
            [
                "coredns-b: PodScheduled: Unschedulable: 0/3 nodes",
                "coredns-c: is being removed"
            ]
        );
        assert!(
            failure(&judge_system_pods(&[])).is_some(),
            "no pods at all is not a pass"
        );
    }
}
