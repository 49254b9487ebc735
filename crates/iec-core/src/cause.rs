//! Which failed rows of a report are likely causes, and which only follow from them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{
    API_ACCESS, API_FROM_POD, API_OWN, API_READY, API_VIRTUAL_ADDRESS, CALICO_ADDRESS, CALICO_CONTROLLERS,
    CALICO_DAEMONSET, CALICO_ETCD_MEMBERS, CALICO_ETCD_PEERS, CALICO_ETCD_VOTER, CLEANUP_NAMESPACE,
    CONTROL_PLANE_PODS, CONTROLLER_LEASES, Check, DNS_DEPLOYMENT, DNS_ENDPOINTS, DNS_NAME, ETCD_MEMBERS,
    ETCD_PEERS, ETCD_VOTER, HELM_RELEASES, NODE_LABELS, NODE_PRESSURE, NODE_READY, NODE_ROLE, NODE_SET,
    NODE_TAINTS, POD_PAIR, POLICY_ALLOW, POLICY_DENY, POLICY_OPEN, POLICY_SELECT, PROXY_DAEMONSET,
    SERVICE_CLUSTER_IP, SERVICE_FROM_POD, SERVICE_NODE_PORT, SERVICE_REPLICAS, SERVICE_UNASSIGNED_FROM_POD,
    SYSTEM_PODS, VIRTUAL_ADDRESS_HOLDER, WORKLOAD_NAMESPACE, WORKLOAD_PROBE, WORKLOAD_REPLICAS,
    WORKLOAD_SPREAD,
};
use crate::facts::{ClosedChain, Facts, HostAnswer};
use crate::report::{Outcome, Report, Row, Scope, Warning};

/// What a check needs: where one of these fails for the same hosts, it cannot pass. What these need in turn counts too.
type Needs = (&'static Check, &'static [&'static Check]);

/// Every check that needs another one. A check that is not in it stands for itself.
static NEEDS: &[Needs] = &[
    (&API_ACCESS, &[&API_READY]),
    (&VIRTUAL_ADDRESS_HOLDER, &[&API_READY]),
    (&API_VIRTUAL_ADDRESS, &[&VIRTUAL_ADDRESS_HOLDER, &API_READY]),
    (&NODE_SET, &[&API_ACCESS]),
    (&NODE_READY, &[&API_READY, &NODE_SET, &NODE_PRESSURE]),
    (&NODE_ROLE, &[&NODE_SET]),
    (&NODE_LABELS, &[&NODE_SET]),
    (&NODE_TAINTS, &[&NODE_SET]),
    (&CONTROL_PLANE_PODS, &[&NODE_READY]),
    (&API_OWN, &[&CONTROL_PLANE_PODS]),
    (&CONTROLLER_LEASES, &[&CONTROL_PLANE_PODS]),
    (&ETCD_MEMBERS, &[&CONTROL_PLANE_PODS]),
    (&ETCD_PEERS, &[&CONTROL_PLANE_PODS]),
    (&ETCD_VOTER, &[&CONTROL_PLANE_PODS]),
    (&CALICO_ETCD_MEMBERS, &[&CONTROL_PLANE_PODS]),
    (&CALICO_ETCD_PEERS, &[&CONTROL_PLANE_PODS]),
    (&CALICO_ETCD_VOTER, &[&CONTROL_PLANE_PODS]),
    (&CALICO_DAEMONSET, &[&NODE_READY]),
    (&PROXY_DAEMONSET, &[&NODE_READY]),
    (&CALICO_CONTROLLERS, &[&CALICO_DAEMONSET, &PROXY_DAEMONSET]),
    (&CALICO_ADDRESS, &[&CALICO_DAEMONSET]),
    (&DNS_DEPLOYMENT, &[&CALICO_DAEMONSET, &PROXY_DAEMONSET]),
    (&DNS_ENDPOINTS, &[&DNS_DEPLOYMENT]),
    (
        &SYSTEM_PODS,
        &[
            &CONTROL_PLANE_PODS,
            &CALICO_DAEMONSET,
            &PROXY_DAEMONSET,
            &CALICO_CONTROLLERS,
            &DNS_DEPLOYMENT,
        ],
    ),
    (
        &HELM_RELEASES,
        &[&CONTROL_PLANE_PODS, &CALICO_DAEMONSET, &PROXY_DAEMONSET],
    ),
    (&WORKLOAD_NAMESPACE, &[&CONTROL_PLANE_PODS]),
    (&WORKLOAD_PROBE, &[&WORKLOAD_NAMESPACE, &CALICO_DAEMONSET]),
    (&WORKLOAD_REPLICAS, &[&WORKLOAD_NAMESPACE, &CALICO_DAEMONSET]),
    (&WORKLOAD_SPREAD, &[&WORKLOAD_REPLICAS]),
    (&POD_PAIR, &[&WORKLOAD_PROBE, &CALICO_ADDRESS]),
    (
        &SERVICE_CLUSTER_IP,
        &[&PROXY_DAEMONSET, &WORKLOAD_REPLICAS, &POD_PAIR],
    ),
    (
        &SERVICE_NODE_PORT,
        &[&PROXY_DAEMONSET, &WORKLOAD_REPLICAS, &POD_PAIR],
    ),
    (
        &SERVICE_FROM_POD,
        &[&PROXY_DAEMONSET, &WORKLOAD_REPLICAS, &POD_PAIR],
    ),
    (
        &SERVICE_REPLICAS,
        &[&SERVICE_CLUSTER_IP, &SERVICE_NODE_PORT, &SERVICE_FROM_POD],
    ),
    (&DNS_NAME, &[&DNS_ENDPOINTS, &SERVICE_FROM_POD]),
    (&API_FROM_POD, &[&PROXY_DAEMONSET, &WORKLOAD_PROBE]),
    (&SERVICE_UNASSIGNED_FROM_POD, &[&WORKLOAD_PROBE]),
    (&POLICY_OPEN, &[&WORKLOAD_REPLICAS, &POD_PAIR]),
    (&POLICY_DENY, &[&POLICY_OPEN]),
    (&POLICY_SELECT, &[&POLICY_DENY]),
    (&POLICY_ALLOW, &[&POLICY_DENY]),
    (&CLEANUP_NAMESPACE, &[&CONTROL_PLANE_PODS]),
];

/// A failed row that nothing else in the report explains, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// The check of the row.
    pub id: String,
    /// What it speaks about.
    pub scope: Scope,
    /// The failed rows that follow from it.
    pub follows: Vec<Consequence>,
}

/// A failed row that follows from another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consequence {
    /// The check of the row.
    pub id: String,
    /// What it speaks about.
    pub scope: Scope,
}

/// The likely causes of what failed, in reading order. A row that follows from several is named with each of them.
#[must_use]
pub fn causes(report: &Report) -> Vec<Cause> {
    let failed: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::Failed(_)))
        .collect();
    let explained: Vec<Vec<usize>> = failed
        .iter()
        .map(|row| {
            let needed = needed(&row.id);
            let explains =
                |other: &Row| needed.contains(other.id.as_str()) && meets(&row.scope, &other.scope);
            (0..failed.len())
                .filter(|&other| explains(failed[other]))
                .collect()
        })
        .collect();
    let is_root = |index: usize| explained[index].is_empty();
    (0..failed.len())
        .filter(|&index| is_root(index))
        .map(|root| Cause {
            id: failed[root].id.clone(),
            scope: failed[root].scope.clone(),
            follows: (0..failed.len())
                .filter(|&index| leads(index, root, &explained))
                .map(|index| Consequence {
                    id: failed[index].id.clone(),
                    scope: failed[index].scope.clone(),
                })
                .collect(),
        })
        .collect()
}

/// Checks that a packet filter between hosts and pods makes fail, or keeps from an answer.
static FILTERED: [&Check; 14] = [
    &API_READY,
    &NODE_READY,
    &CALICO_CONTROLLERS,
    &DNS_DEPLOYMENT,
    &WORKLOAD_PROBE,
    &POD_PAIR,
    &SERVICE_CLUSTER_IP,
    &SERVICE_NODE_PORT,
    &SERVICE_FROM_POD,
    &SERVICE_REPLICAS,
    &DNS_NAME,
    &API_FROM_POD,
    &POLICY_OPEN,
    &POLICY_ALLOW,
];

/// The chains that may be the reason why a row did not pass, by their hosts.
fn closed_chains<'a>(row: &Row, facts: &'a Facts) -> Vec<(&'a str, &'a [ClosedChain])> {
    let is_open = matches!(row.outcome, Outcome::Failed(_) | Outcome::CouldNotTell { .. });
    if !is_open || !FILTERED.iter().any(|check| check.id == row.id) {
        return Vec::new();
    }
    let meeting = facts
        .known()
        .filter(|(host, _)| meets(&row.scope, &Scope::host(*host)));
    meeting
        .map(|(host, known)| (host, known.guards.closed_chains.as_slice()))
        .filter(|(_, chains)| !chains.is_empty())
        .collect()
}

/// Names the chains of the hosts' packet filters that end what no rule allows, in a row that did not pass where such a chain
/// may be the reason.
pub fn name_closed_chains(row: &mut Row, facts: &Facts) {
    let closed = closed_chains(row, facts);
    if closed.is_empty() {
        return;
    }
    let named = closed
        .iter()
        .flat_map(|(host, chains)| chains.iter().map(move |chain| format!("{host}: {chain}")));
    let named: Vec<String> = named.collect();
    let hosts: Vec<&str> = closed.iter().map(|(host, _)| *host).collect();
    match &mut row.outcome {
        Outcome::Failed(failure) => {
            failure.evidence.extend(named);
            failure.next = format!(
                "Look first whether the packet filter of {} lets it pass (IEC1840 names the ports). {}",
                hosts.join(" and "),
                failure.next
            );
        }
        Outcome::CouldNotTell { reason } => {
            *reason = format!("{reason}; a packet filter may be why: {}", named.join(", "));
        }
        Outcome::Passed | Outcome::NotApplicable { .. } => {}
    }
}

/// The code of what [`suspected_filters`] tells.
pub const SUSPECTED_FILTER: &str = "IEC1840";

/// The packet filters that are the first thing to look at, where rows did not pass for which one may be the reason.
#[must_use]
pub fn suspected_filters(report: &Report, facts: &Facts) -> Option<Warning> {
    let closed = report.rows.iter().flat_map(|row| closed_chains(row, facts));
    let named = closed
        .flat_map(|(host, chains)| chains.iter().map(move |chain| format!("{host}: {chain}")))
        .collect::<BTreeSet<String>>();
    (!named.is_empty()).then(|| Warning {
        code: Some(SUSPECTED_FILTER.to_owned()),
        text: format!(
            "a packet filter may be why: {}",
            named.into_iter().collect::<Vec<_>>().join(", ")
        ),
    })
}

/// Checks of the whole cluster whose pods may be on any host.
static ON_ANY_HOST: [&Check; 14] = [
    &CALICO_DAEMONSET,
    &PROXY_DAEMONSET,
    &CALICO_CONTROLLERS,
    &DNS_DEPLOYMENT,
    &DNS_ENDPOINTS,
    &SYSTEM_PODS,
    &WORKLOAD_REPLICAS,
    &WORKLOAD_SPREAD,
    &SERVICE_REPLICAS,
    &POLICY_OPEN,
    &POLICY_DENY,
    &POLICY_SELECT,
    &POLICY_ALLOW,
    &CLEANUP_NAMESPACE,
];

/// Leaves open what failed and needs a host that does not answer: whether the site is to blame, or that host is merely off,
/// only the host could tell. What was found stays in the reason.
pub fn leave_open(row: &mut Row, facts: &Facts) {
    let Outcome::Failed(failure) = &row.outcome else {
        return;
    };
    let needs = |host: &str| match &row.scope {
        Scope::Cluster => ON_ANY_HOST.iter().any(|check| check.id == row.id),
        scope => meets(scope, &Scope::host(host)),
    };
    let silent = facts.answers().find_map(|(host, answer)| match answer {
        HostAnswer::Failed(why) if needs(host) => Some((host, why)),
        _ => None,
    });
    let Some((host, why)) = silent else {
        return;
    };
    row.outcome = Outcome::CouldNotTell {
        reason: format!("{host} does not answer ({why}); found: {}", failure.found),
    };
}

/// Whether row `index` follows from row `root`, by whatever rows between them.
fn leads(index: usize, root: usize, explained: &[Vec<usize>]) -> bool {
    explained[index]
        .iter()
        .any(|&other| other == root || leads(other, root, explained))
}

/// Everything that a check needs, by ids: what it names, and what that needs.
fn needed(id: &str) -> BTreeSet<&'static str> {
    let mut all = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        let needs = NEEDS.iter().filter(|(check, _)| check.id == id);
        for check in needs.flat_map(|(_, needs)| needs.iter()) {
            if all.insert(check.id) {
                open.push(check.id);
            }
        }
    }
    all
}

/// Whether two rows speak about a common host. What speaks about the cluster speaks about all of them.
fn meets(one: &Scope, other: &Scope) -> bool {
    let hosts = |scope: &Scope| match scope {
        Scope::Cluster => None,
        Scope::Host { host } => Some([host.clone(), host.clone()]),
        Scope::Pair { from, to } => Some([from.clone(), to.clone()]),
    };
    match (hosts(one), hosts(other)) {
        (Some(one), Some(other)) => one.iter().any(|host| other.contains(host)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::ALL;
    use crate::facts::ProbeFailure;

    fn failed(check: &Check, scope: Scope) -> Row {
        check.failed(scope, "this", "that", vec![])
    }

    fn report(rows: Vec<Row>) -> Report {
        Report {
            site: "store-0417".to_owned(),
            release: "1.36".to_owned(),
            started: "2026-11-23T18:00:00Z".to_owned(),
            seconds: 1.0,
            stopped: false,
            warnings: vec![],
            notes: vec![],
            rows,
        }
    }

    /// The causes as `id [scope]: number of rows that follow`.
    fn told(rows: Vec<Row>) -> Vec<String> {
        let causes = causes(&report(rows));
        causes
            .iter()
            .map(|cause| format!("{} [{}]: {}", cause.id, cause.scope, cause.follows.len()))
            .collect()
    }

    #[test]
    fn a_check_needs_only_what_a_report_lists_before_it_and_never_itself() {
        let place = |wanted: &str| ALL.iter().position(|check| check.id == wanted);
        let mut seen = BTreeSet::new();
        for (check, needs) in NEEDS {
            assert!(seen.insert(check.id), "{} is there twice", check.id);
            assert!(!needs.is_empty() && place(check.id).is_some(), "{}", check.id);
            assert!(!needed(check.id).contains(check.id), "{} needs itself", check.id);
        }
    }

    #[test]
    fn every_check_is_judged_for_what_it_needs() {
        // These stand for themselves: what they say is read from one place, whatever else works.
        let alone = [
            "api.ready",
            "api.certificate",
            "host.certificates",
            "calico.packet-size",
            "node.address",
            "node.kubelet",
            "node.runtime",
            "node.architecture",
            "node.pressure",
            "calico.pool",
            "calico.felix",
            "dns.settings",
            "proxy.mode",
            "service.unassigned",
            "cleanup.leftovers",
        ];
        for check in ALL {
            let in_table = NEEDS.iter().any(|(known, _)| known.id == check.id);
            assert_ne!(in_table, alone.contains(&check.id), "{}", check.id);
        }
    }

    #[test]
    fn what_needs_a_host_that_does_not_answer_is_left_open_and_nothing_else_is() {
        let silence = ProbeFailure {
            code: "IEC1004".to_owned(),
            cause: "no route".to_owned(),
            evidence: String::new(),
            next: String::new(),
        };
        let mut facts = Facts::default();
        facts.insert("edge-2", HostAnswer::Failed(silence));
        let pair = |from: &str, to: &str| Scope::Pair {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let table = [
            (&WORKLOAD_PROBE, Scope::host("edge-2"), true),
            (&WORKLOAD_PROBE, Scope::host("edge-1"), false),
            (&SERVICE_NODE_PORT, pair("edge-1", "edge-2"), true),
            (&SERVICE_NODE_PORT, pair("edge-1", "edge-3"), false),
            (&WORKLOAD_REPLICAS, Scope::Cluster, true),
            (&CLEANUP_NAMESPACE, Scope::Cluster, true),
            (&API_ACCESS, Scope::Cluster, false),
            (&NODE_SET, Scope::Cluster, false),
        ];
        for (check, scope, open) in table {
            let mut row = failed(check, scope);
            leave_open(&mut row, &Facts::default());
            assert!(matches!(row.outcome, Outcome::Failed(_)), "{}", row.id);
            leave_open(&mut row, &facts);
            let told = match &row.outcome {
                Outcome::CouldNotTell { reason } => reason.as_str(),
                _ => "",
            };
            let expected = if open {
                "edge-2 does not answer (no route); found: that"
            } else {
                ""
            };
            assert_eq!(told, expected, "{} [{}]", row.id, row.scope);
        }
    }

    #[test]
    fn without_kube_proxy_there_is_one_cause_and_all_else_follows() {
        let hosts = ["edge-1", "edge-2", "edge-3"];
        let mut rows = vec![
            failed(&PROXY_DAEMONSET, Scope::Cluster),
            failed(&CALICO_CONTROLLERS, Scope::Cluster),
            failed(&DNS_DEPLOYMENT, Scope::Cluster),
            failed(&DNS_ENDPOINTS, Scope::Cluster),
            failed(&SYSTEM_PODS, Scope::Cluster),
            failed(&SERVICE_REPLICAS, Scope::Cluster),
        ];
        for check in [
            &SERVICE_CLUSTER_IP,
            &SERVICE_NODE_PORT,
            &SERVICE_FROM_POD,
            &DNS_NAME,
            &API_FROM_POD,
        ] {
            rows.extend(hosts.map(|host| failed(check, Scope::host(host))));
        }
        assert_eq!(told(rows), ["proxy.daemonset [cluster]: 20"]);
    }

    #[test]
    fn a_host_that_is_not_ready_explains_its_own_rows_and_no_others() {
        let rows = vec![
            failed(&NODE_READY, Scope::host("edge-2")),
            failed(&WORKLOAD_PROBE, Scope::host("edge-2")),
            failed(&POD_PAIR, Scope::pair("edge-1", "edge-2")),
            failed(&POD_PAIR, Scope::pair("edge-1", "edge-3")),
            failed(&DNS_DEPLOYMENT, Scope::Cluster),
        ];
        assert_eq!(
            told(rows),
            ["node.ready [edge-2]: 3", "pod.pair [edge-1 -> edge-3]: 0"]
        );
    }

    #[test]
    fn a_chain_that_ends_the_rest_is_named_where_packets_did_not_arrive() {
        use crate::facts::{Fact, Guards, Hook, HostFacts};

        let guards = Guards {
            closed_chains: vec![ClosedChain {
                name: "inet filter forward".to_owned(),
                hook: Hook::Forward,
                end: "policy drop".to_owned(),
            }],
            ..Guards::default()
        };
        let host = HostFacts {
            guards: Fact::Observed(guards),
            ..HostFacts::default()
        };
        let mut facts = Facts::new(None);
        facts.insert("edge-2", HostAnswer::Known(Box::new(host)));
        let chain = "edge-2: chain `inet filter forward`, what the host passes on: policy drop";
        let mut unanswered = failed(&API_READY, Scope::host("edge-2"));
        unanswered.outcome = Outcome::CouldNotTell {
            reason: "no answer".to_owned(),
        };
        let mut report = report(vec![
            failed(&POD_PAIR, Scope::pair("edge-1", "edge-2")),
            failed(&POD_PAIR, Scope::pair("edge-1", "edge-3")),
            failed(&NODE_LABELS, Scope::host("edge-2")),
            API_READY.passed(Scope::host("edge-2")),
            unanswered,
        ]);
        let told = suspected_filters(&report, &facts).expect("a filter is suspected");
        assert!(told.text.ends_with(chain), "{}", told.text);
        for row in &mut report.rows {
            name_closed_chains(row, &facts);
        }
        let named: Vec<bool> = report
            .rows
            .iter()
            .map(|row| match &row.outcome {
                Outcome::Failed(failure) => {
                    failure.next.contains("packet filter of edge-2") && failure.evidence == [chain]
                }
                Outcome::CouldNotTell { reason } => {
                    reason.starts_with("no answer; ") && reason.ends_with(chain)
                }
                _ => false,
            })
            .collect();
        assert_eq!(named, [true, false, false, false, true]);
        report.rows.drain(..1);
        report.rows.pop();
        assert!(suspected_filters(&report, &facts).is_none());
    }

    #[test]
    fn what_passed_explains_nothing() {
        let rows = vec![
            PROXY_DAEMONSET.passed(Scope::Cluster),
            failed(&SERVICE_CLUSTER_IP, Scope::host("edge-1")),
        ];
        assert_eq!(told(rows), ["service.cluster-ip [edge-1]: 0"]);
        assert_eq!(
            told(vec![PROXY_DAEMONSET.passed(Scope::Cluster)]),
            Vec::<String>::new()
        );
    }
}
