//! Judging nodes: which there are, and whether each is as declared.

use std::collections::BTreeSet;

use iec_core::report::{Row, Scope};
use iec_core::site::Role;
use k8s_openapi::api::core::v1::{Node, NodeCondition, NodeSystemInfo};

use crate::check;
use crate::expected::{CONTROL_PLANE_KEY, Expected, ExpectedNode};

/// Taints with this prefix are set and removed by Kubernetes itself.
const KUBERNETES_TAINTS: &str = "node.kubernetes.io/";

/// Conditions that must not hold on a node that takes pods.
const TROUBLES: [&str; 4] = [
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

/// Rows on the set of nodes, and on each declared node that exists.
#[must_use]
pub fn judge_nodes(expected: &Expected, nodes: &[Node]) -> Vec<Row> {
    let mut rows = vec![judge_node_set(expected, nodes)];
    for node in nodes {
        if let Some(declared) = expected.node(name_of(node)) {
            rows.extend(judge_node(expected, declared, node));
        }
    }
    rows
}

/// Rows on one node.
#[must_use]
pub fn judge_node(expected: &Expected, declared: &ExpectedNode, node: &Node) -> Vec<Row> {
    let scope = || Scope::host(&declared.name);
    let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
    let kubelet = info.map_or("", |info| info.kubelet_version.as_str());
    vec![
        judge_ready(scope(), node),
        judge_role(scope(), declared, node),
        judge_labels(scope(), declared, node),
        judge_taints(scope(), declared, node),
        judge_address(scope(), declared, node),
        check::NODE_KUBELET.compare(scope(), &expected.kubelet, kubelet, vec![]),
        judge_runtime(scope(), expected, info),
        judge_architecture(scope(), declared, info),
        judge_pressure(scope(), node),
    ]
}

/// Whether the kubelet reports the node as Ready.
pub(crate) fn is_ready(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready.status == "True")
}

/// The role that the node's label tells.
pub(crate) fn role_of(node: &Node) -> Role {
    let labels = node.metadata.labels.as_ref();
    if labels.is_some_and(|labels| labels.contains_key(CONTROL_PLANE_KEY)) {
        Role::ControlPlane
    } else {
        Role::Worker
    }
}

fn name_of(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn describe(condition: &NodeCondition) -> String {
    let reason = condition.reason.as_deref().unwrap_or("no reason given");
    let message = condition.message.as_deref().unwrap_or("no message");
    format!("{}={} ({reason}): {message}", condition.type_, condition.status)
}

fn judge_node_set(expected: &Expected, nodes: &[Node]) -> Row {
    let declared: BTreeSet<&str> = expected.nodes.iter().map(|node| node.name.as_str()).collect();
    let present: BTreeSet<&str> = nodes.iter().map(name_of).collect();
    if declared == present {
        return check::NODE_SET.passed(Scope::Cluster);
    }
    let missing = declared
        .difference(&present)
        .map(|name| format!("missing: {name}"));
    let extra = present
        .difference(&declared)
        .map(|name| format!("not declared: {name}"));
    let evidence = missing.chain(extra).collect();
    check::NODE_SET.failed(Scope::Cluster, list(&declared), list(&present), evidence)
}

fn list(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.iter().copied().collect::<Vec<_>>().join(", ")
    }
}

fn judge_ready(scope: Scope, node: &Node) -> Row {
    let check = &check::NODE_READY;
    let cordoned = node
        .spec
        .as_ref()
        .is_some_and(|spec| spec.unschedulable == Some(true));
    match condition(node, "Ready") {
        Some(ready) if ready.status == "True" && !cordoned => check.passed(scope),
        Some(ready) if ready.status == "True" => check.failed(
            scope,
            "Ready, and open for new pods",
            "Ready, but cordoned (spec.unschedulable)",
            vec![],
        ),
        Some(ready) => check.failed(scope, "Ready=True", describe(ready), vec![]),
        None => check.failed(scope, "Ready=True", "the kubelet has never reported", vec![]),
    }
}

fn judge_role(scope: Scope, declared: &ExpectedNode, node: &Node) -> Row {
    check::NODE_ROLE.compare(scope, declared.role.as_str(), role_of(node).as_str(), vec![])
}

fn judge_labels(scope: Scope, declared: &ExpectedNode, node: &Node) -> Row {
    let present = node.metadata.labels.clone().unwrap_or_default();
    let mut wrong_expected = Vec::new();
    let mut wrong_found = Vec::new();
    for (key, value) in &declared.labels {
        if present.get(key) != Some(value) {
            wrong_expected.push(format!("{key}={value}"));
            wrong_found.push(match present.get(key) {
                Some(other) => format!("{key}={other}"),
                None => format!("no label {key}"),
            });
        }
    }
    if wrong_expected.is_empty() {
        check::NODE_LABELS.passed(scope)
    } else {
        check::NODE_LABELS.failed(scope, wrong_expected.join(", "), wrong_found.join(", "), vec![])
    }
}

fn judge_taints(scope: Scope, declared: &ExpectedNode, node: &Node) -> Row {
    let taints = node
        .spec
        .as_ref()
        .and_then(|spec| spec.taints.as_ref())
        .into_iter()
        .flatten();
    let present: BTreeSet<String> = taints
        .filter(|taint| !taint.key.starts_with(KUBERNETES_TAINTS))
        .map(|taint| match taint.value.as_deref() {
            None | Some("") => format!("{}:{}", taint.key, taint.effect),
            Some(value) => format!("{}={value}:{}", taint.key, taint.effect),
        })
        .collect();
    if present == declared.taints {
        return check::NODE_TAINTS.passed(scope);
    }
    let names = |taints: &BTreeSet<String>| list(&taints.iter().map(String::as_str).collect());
    check::NODE_TAINTS.failed(scope, names(&declared.taints), names(&present), vec![])
}

fn judge_address(scope: Scope, declared: &ExpectedNode, node: &Node) -> Row {
    let addresses = node
        .status
        .as_ref()
        .and_then(|status| status.addresses.as_ref())
        .into_iter()
        .flatten();
    let internal: Vec<&str> = addresses
        .filter(|address| address.type_ == "InternalIP")
        .map(|address| address.address.as_str())
        .collect();
    let found = if internal.is_empty() {
        "no InternalIP".to_owned()
    } else {
        internal.join(", ")
    };
    check::NODE_ADDRESS.compare(scope, &declared.address.to_string(), &found, vec![])
}

/// A runtime may write its version with or without a leading `v`; both are the same version.
fn judge_runtime(scope: Scope, expected: &Expected, info: Option<&NodeSystemInfo>) -> Row {
    let found = info.map_or("", |info| info.container_runtime_version.as_str());
    check::NODE_RUNTIME.compare(scope, &expected.runtime, &found.replace("://v", "://"), vec![])
}

/// What the kubelet was built for, against what the host's kernel says of its processor.
fn judge_architecture(scope: Scope, declared: &ExpectedNode, info: Option<&NodeSystemInfo>) -> Row {
    let check = &check::NODE_ARCHITECTURE;
    let found = info.map_or("", |info| info.architecture.as_str());
    let Some(architecture) = declared.architecture else {
        // Who only looks at the cluster, as `iec status` does, asks no host.
        return check.not_applicable(
            scope,
            format!("the kubelet says `{found}`, and the host was not asked for its processor"),
        );
    };
    let mut row = check.compare(scope, architecture.go_name(), found, vec![]);
    row.note = Some(found.to_owned()).filter(|found| !found.is_empty());
    row
}

fn judge_pressure(scope: Scope, node: &Node) -> Row {
    let holding: Vec<String> = TROUBLES
        .iter()
        .filter_map(|kind| condition(node, kind))
        .filter(|condition| condition.status != "False")
        .map(describe)
        .collect();
    match holding.split_first() {
        None => check::NODE_PRESSURE.passed(scope),
        Some((first, rest)) => {
            check::NODE_PRESSURE.failed(scope, "none of these conditions holds", first, rest.to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use iec_core::architecture::Architecture;
    use iec_core::report::Outcome;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{expected, failed_ids, node_json};

    fn node(change: impl FnOnce(&mut Value)) -> Node {
        let mut value = node_json("edge-2");
        change(&mut value);
        serde_json::from_value(value).expect("a node")
    }

    fn failures(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let expected = expected();
        let declared = expected.node("edge-2").expect("declared");
        failed_ids(&judge_node(&expected, declared, &node(change)))
    }

    #[test]
    fn a_node_as_declared_passes_every_row() {
        let expected = expected();
        let rows = judge_node(
            &expected,
            expected.node("edge-2").expect("declared"),
            &node(|_| {}),
        );
        assert!(rows.iter().all(|row| row.outcome == Outcome::Passed), "{rows:#?}");
        assert_eq!(rows.len(), 9);
    }

    #[test]
    fn a_version_with_a_leading_v_is_the_same_version() {
        let with_v = failures(|node| {
            node["status"]["nodeInfo"]["containerRuntimeVersion"] = json!("containerd://v2.4.2");
        });
        assert_eq!(with_v, Vec::<String>::new());
    }

    #[test]
    fn a_taint_of_kubernetes_itself_is_not_an_undeclared_one() {
        let cordoned = failures(|node| {
            let taints = node["spec"]["taints"].as_array_mut().expect("taints");
            taints.push(json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}));
        });
        assert_eq!(cordoned, Vec::<String>::new());
    }

    #[test]
    fn each_deviation_fails_its_own_row_and_no_other() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change); 15] = [
            ("node.ready", |node| {
                node["status"]["conditions"][0]["status"] = json!("False")
            }),
            ("node.ready", |node| {
                node["status"]["conditions"][0]["status"] = json!("Unknown")
            }),
            ("node.ready", |node| node["spec"]["unschedulable"] = json!(true)),
            ("node.role", |node| {
                node["metadata"]["labels"][CONTROL_PLANE_KEY] = json!("")
            }),
            ("node.labels", |node| {
                node["metadata"]["labels"]["zone"] = json!("rack-b")
            }),
            ("node.labels", |node| {
                node["metadata"]["labels"]
                    .as_object_mut()
                    .expect("labels")
                    .remove("zone");
            }),
            ("node.taints", |node| node["spec"]["taints"] = json!([])),
            ("node.taints", |node| {
                node["spec"]["taints"][0]["value"] = json!("other")
            }),
            ("node.taints", |node| {
                node["spec"]["taints"][0]["effect"] = json!("NoSchedule")
            }),
            ("node.address", |node| {
                node["status"]["addresses"][0]["address"] = json!("10.0.0.12")
            }),
            ("node.address", |node| node["status"]["addresses"] = json!([])),
            ("node.kubelet", |node| {
                node["status"]["nodeInfo"]["kubeletVersion"] = json!("v1.36.2")
            }),
            ("node.runtime", |node| {
                node["status"]["nodeInfo"]["containerRuntimeVersion"] = json!("containerd://2.4.1");
            }),
            ("node.architecture", |node| {
                node["status"]["nodeInfo"]["architecture"] = json!("arm64");
            }),
            ("node.pressure", |node| {
                node["status"]["conditions"][1]["status"] = json!("True")
            }),
        ];
        for (id, change) in cases {
            assert_eq!(failures(change), [id], "{id}");
        }
    }

    #[test]
    fn a_node_that_never_reported_fails_and_says_so() {
        let expected = expected();
        let bare = node(|node| node["status"] = json!({}));
        let rows = judge_node(&expected, expected.node("edge-2").expect("declared"), &bare);
        assert_eq!(
            failed_ids(&rows),
            [
                "node.ready",
                "node.address",
                "node.kubelet",
                "node.runtime",
                "node.architecture"
            ]
        );
    }

    #[test]
    fn each_host_of_a_mixed_site_has_a_row_that_names_its_architecture() {
        let mut expected = expected();
        expected.nodes[1].architecture = Some(Architecture::Arm64);
        let rows: Vec<Row> = [("edge-1", "amd64"), ("edge-2", "arm64"), ("edge-3", "amd64")]
            .into_iter()
            .map(|(name, architecture)| {
                let mut value = node_json(name);
                value["status"]["nodeInfo"]["architecture"] = json!(architecture);
                let node = serde_json::from_value(value).expect("a node");
                judge_node(&expected, expected.node(name).expect("declared"), &node)
            })
            .flat_map(|rows| rows.into_iter().filter(|row| row.id == "node.architecture"))
            .collect();
        let named: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}", row.scope, row.note.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(named, ["edge-1 amd64", "edge-2 arm64", "edge-3 amd64"]);
        assert!(rows.iter().all(|row| row.outcome == Outcome::Passed), "{rows:#?}");
    }

    #[test]
    fn of_a_host_that_nobody_asked_for_its_processor_nothing_is_judged() {
        let mut expected = expected();
        expected.nodes[1].architecture = None;
        let rows = judge_node(
            &expected,
            expected.node("edge-2").expect("declared"),
            &node(|_| {}),
        );
        let row = rows
            .iter()
            .find(|row| row.id == "node.architecture")
            .expect("the row");
        assert!(matches!(&row.outcome, Outcome::NotApplicable { reason } if reason.contains("`amd64`")));
    }

    #[test]
    fn missing_and_undeclared_nodes_are_named() {
        let expected = expected();
        let nodes: Vec<Node> = ["edge-1", "edge-2", "stranger"]
            .iter()
            .map(|name| serde_json::from_value(node_json(name)).expect("a node"))
            .collect();
        let row = judge_node_set(&expected, &nodes);
        let Outcome::Failed(failure) = row.outcome else {
            panic!("{row:?}")
        };
        assert_eq!(failure.evidence, ["missing: edge-3", "not declared: stranger"]);
        assert_eq!(failure.expected, "edge-1, edge-2, edge-3");
        let row = judge_node_set(&expected, &[]);
        assert!(matches!(row.outcome, Outcome::Failed(failure) if failure.found == "none"));
    }
}
