//! The network rows: what hosts and pods fetch from nginx, and what that shows.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use iec_core::reach::HostRequest;
use iec_core::report::{Outcome, Row, Scope};
use k8s_openapi::api::core::v1 as core;

use super::objects::{LARGE_FILE_PORT, NGINX};
use super::pods::{Running, RunningPods};
use super::question::{Question, Wanted};
use crate::check;
use crate::expected::{Expected, ExpectedNode};
use crate::fetch::Fetched;
use crate::recorder::Recorder;

/// How often nginx is fetched through the service from each place; both replicas then answer almost surely.
const SERVICE_FETCHES: usize = 8;
/// How often nginx is fetched through each node's NodePort from each host.
const NODE_PORT_FETCHES: usize = 4;
/// How often a name is looked up from each pod, so that every CoreDNS replica gets a chance.
const NAME_FETCHES: usize = 4;
/// How long to wait before asking again.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// How long to wait before asking again what has failed several times.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How many pods or hosts are asked at the same time. Two cores may have to do all of it.
const AT_ONCE: usize = 4;

/// Where nginx can be reached.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) cluster_ip: Ipv4Addr,
    pub(crate) node_port: u16,
    /// The name by which pods find it.
    pub(crate) name: String,
}

impl Service {
    /// What a pod fetches through the service.
    pub(crate) fn fetches(&self) -> Vec<String> {
        vec![format!("http://{}/", self.cluster_ip); SERVICE_FETCHES]
    }

    /// Where a service that was just made can be reached; nothing if it was given no address or port.
    pub(crate) fn of(made: &core::Service, namespace: &str, expected: &Expected) -> Option<Self> {
        let spec = made.spec.as_ref()?;
        Some(Self {
            cluster_ip: spec.cluster_ip.as_ref()?.parse().ok()?,
            node_port: u16::try_from(spec.ports.as_ref()?.first()?.node_port?).ok()?,
            name: format!("{NGINX}.{namespace}.svc.{}", expected.cluster_domain),
        })
    }
}

/// How patient a round of questions is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long one fetch may take.
    pub(crate) fetch: Duration,
    /// How long a question is asked again that was answered wrongly.
    pub(crate) round: Duration,
    /// The same for one that was merely refused: rules of a new service take a while to reach a busy host.
    pub(crate) rules: Duration,
    /// How long a new service may be unknown to a host without anybody being told of it.
    pub(crate) lag: Duration,
}

/// The questions for one host.
pub(crate) fn host_questions(
    expected: &Expected,
    from: &ExpectedNode,
    service: &Service,
    deadline: Duration,
) -> Vec<Question<HostRequest>> {
    let request = |address, port| HostRequest {
        address,
        port,
        deadline,
    };
    let mut questions = vec![
        Question::new(
            &check::SERVICE_CLUSTER_IP,
            Scope::host(&from.name),
            vec![request(service.cluster_ip, 80); SERVICE_FETCHES],
            Wanted::NginxPage,
        ),
        Question::new(
            &check::SERVICE_UNASSIGNED,
            Scope::host(&from.name),
            vec![request(expected.no_service, 80)],
            Wanted::Refusal,
        ),
    ];
    questions.extend(expected.nodes.iter().map(|to| {
        Question::new(
            &check::SERVICE_NODE_PORT,
            Scope::pair(&from.name, &to.name),
            vec![request(to.address, service.node_port); NODE_PORT_FETCHES],
            Wanted::NginxPage,
        )
    }));
    questions
}

/// The questions for the client pod of one node.
pub(crate) fn pod_questions(
    expected: &Expected,
    from: &str,
    pods: &RunningPods,
    service: &Service,
) -> Vec<Question<String>> {
    let host = || Scope::host(from);
    let mut questions = vec![
        Question::new(
            &check::SERVICE_FROM_POD,
            host(),
            service.fetches(),
            Wanted::NginxPage,
        ),
        Question::new(
            &check::DNS_NAME,
            host(),
            vec![format!("http://{}/", service.name); NAME_FETCHES],
            Wanted::NginxPage,
        ),
        Question::new(
            &check::API_FROM_POD,
            host(),
            vec![format!("https://{}/readyz", expected.api_service)],
            Wanted::ApiServer,
        ),
        Question::new(
            &check::SERVICE_UNASSIGNED_FROM_POD,
            host(),
            vec![format!("http://{}/", expected.no_service)],
            Wanted::Nobody,
        ),
    ];
    let others = pods.probes.values().filter(|target| target.node != from);
    questions.extend(others.map(|target| pair_question(from, target)));
    questions
}

fn pair_question(from: &str, target: &Running) -> Question<String> {
    let address = &target.address;
    Question::new(
        &check::POD_PAIR,
        Scope::pair(from, &target.node),
        vec![
            format!("http://{address}/"),
            format!("http://{address}:{LARGE_FILE_PORT}/large"),
        ],
        Wanted::PageAndLargeFile {
            pod: target.name.clone(),
        },
    )
}

/// Rows on what cannot be asked because a client or a target is missing, or because the site has no pairs.
pub(crate) fn unasked_pod_rows(expected: &Expected, pods: &RunningPods) -> Vec<Row> {
    let mut rows = Vec::new();
    let missing = |node: &str| format!("no pod of the verification runs on {node}, see workload.probe");
    for from in &expected.nodes {
        let asks = pods.probes.contains_key(&from.name);
        if !asks {
            for check in [
                &check::SERVICE_FROM_POD,
                &check::DNS_NAME,
                &check::API_FROM_POD,
                &check::SERVICE_UNASSIGNED_FROM_POD,
            ] {
                rows.push(check.could_not_tell(Scope::host(&from.name), missing(&from.name)));
            }
        }
        for to in expected.nodes.iter().filter(|to| to.name != from.name) {
            let silent = [from, to]
                .into_iter()
                .find(|node| !pods.probes.contains_key(&node.name));
            if let Some(node) = silent {
                let scope = Scope::pair(&from.name, &to.name);
                rows.push(check::POD_PAIR.could_not_tell(scope, missing(&node.name)));
            }
        }
    }
    if expected.nodes.len() < 2 {
        rows.push(
            check::POD_PAIR.not_applicable(Scope::Cluster, "the site has one host: there are no pairs"),
        );
    }
    rows
}

/// Which pods have answered through the service.
#[derive(Default)]
pub(crate) struct Answered(Mutex<BTreeSet<String>>);

impl Answered {
    /// Takes down who answered.
    pub(crate) fn note(&self, answers: &[Fetched]) {
        let names = answers
            .iter()
            .filter_map(|answer| answer.page()?.served_by.clone());
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(names);
    }

    /// Whether each of these replicas has answered.
    pub(crate) fn has_all(&self, replicas: &[Running]) -> bool {
        let answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        replicas.iter().all(|pod| answered.contains(&pod.name))
    }

    /// A row on whether every replica has answered.
    pub(crate) fn judge(&self, replicas: &[Running]) -> Row {
        let check = &check::SERVICE_REPLICAS;
        let answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = |names: Vec<&str>| {
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        };
        let silent: Vec<&str> = replicas
            .iter()
            .map(|pod| pod.name.as_str())
            .filter(|name| !answered.contains(*name))
            .collect();
        if replicas.len() < 2 {
            return check.could_not_tell(Scope::Cluster, "there are no two replicas, see workload.replicas");
        }
        if silent.is_empty() {
            return check.passed(Scope::Cluster);
        }
        if answered.is_empty() {
            return check.could_not_tell(Scope::Cluster, "nothing answered through the service");
        }
        let expected = names(replicas.iter().map(|pod| pod.name.as_str()).collect());
        let found = format!(
            "answers came only from {}",
            names(answered.iter().map(String::as_str).collect())
        );
        let evidence = vec![format!("silent: {}", names(silent))];
        check.failed(
            Scope::Cluster,
            format!("answers from {expected}"),
            found,
            evidence,
        )
    }
}

/// Asks one client all its questions, those that failed again until patience is over, and records a row for each.
/// `fetch` gives one answer for each target. What passed only when asked again, and not soon, says so: an answer that
/// comes now and then is worth knowing.
pub(crate) async fn ask<Target, Fetch, Answers>(
    questions: Vec<Question<Target>>,
    fetch: Fetch,
    patience: Patience,
    answered: &Answered,
    recorder: &Recorder<'_>,
) where
    Target: Clone,
    Fetch: Fn(Vec<Target>) -> Answers,
    Answers: Future<Output = Vec<Fetched>>,
{
    let start = Instant::now();
    let mut pause = PAUSE;
    let mut open: Vec<(Question<Target>, Option<String>)> =
        questions.into_iter().map(|question| (question, None)).collect();
    loop {
        let targets: Vec<Target> = open
            .iter()
            .flat_map(|(question, _)| question.targets.clone())
            .collect();
        let mut answers = fetch(targets).await;
        let mut again = Vec::new();
        for (question, at_first) in open {
            let rest = answers.split_off(question.targets.len().min(answers.len()));
            let own = std::mem::replace(&mut answers, rest);
            if question.goes_through_the_service() {
                answered.note(&own);
            }
            let mut row = question.judge(&own);
            let passed = row.outcome == Outcome::Passed;
            let round = if question.is_merely_refused(&own) {
                patience.rules
            } else {
                patience.round
            };
            if !passed && start.elapsed() < round {
                let at_first = at_first.or_else(|| Some(row.found().to_owned()));
                again.push((question.harder(), at_first));
                continue;
            }
            if let Some(at_first) = at_first {
                row.seconds = start.elapsed().as_secs_f64();
                row.note =
                    (passed && start.elapsed() > patience.lag).then(|| format!("not at first: {at_first}"));
            }
            recorder.record(row);
        }
        if again.is_empty() {
            return;
        }
        open = again;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Runs `work` for each item, a few at a time.
pub(crate) async fn a_few_at_a_time<Item, Work>(
    items: impl IntoIterator<Item = Item>,
    work: impl FnMut(Item) -> Work,
) where
    Work: Future<Output = ()>,
{
    stream::iter(items)
        .map(work)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::fetch::{Answer, NoAnswer, Page};
    use crate::testing::{expected, expected_single};

    fn service() -> Service {
        Service {
            cluster_ip: [172, 16, 1, 77].into(),
            node_port: 30123,
            name: "nginx.n.svc.cluster.local".into(),
        }
    }

    fn running(name: &str, node: &str) -> Running {
        Running {
            name: name.into(),
            node: node.into(),
            address: format!("192.168.0.{}", &node[5..]),
        }
    }

    fn pods(nodes: &[&str]) -> RunningPods {
        RunningPods {
            replicas: vec![running("nginx-a", "edge-2"), running("nginx-b", "edge-3")],
            probes: nodes
                .iter()
                .map(|node| ((*node).to_owned(), running(&format!("probe-{node}"), node)))
                .collect(),
        }
    }

    fn nginx(pod: &str) -> Fetched {
        let page = Page {
            status: 200,
            bytes: 615,
            served_by: Some(pod.into()),
            is_nginx: true,
            head: String::new(),
        };
        Fetched {
            answer: Answer::Http(page),
            seconds: 0.001,
        }
    }

    #[test]
    fn a_service_without_address_or_port_is_none() {
        let made = |spec: serde_json::Value| -> core::Service {
            serde_json::from_value(serde_json::json!({"spec": spec})).expect("a service")
        };
        let ports = serde_json::json!([{"port": 80, "nodePort": 30123}]);
        let whole = made(serde_json::json!({"clusterIP": "172.16.1.77", "ports": ports}));
        let found = Service::of(&whole, "n", &expected()).expect("a service");
        assert_eq!(
            (found.cluster_ip, found.node_port, found.name),
            (service().cluster_ip, 30123, service().name)
        );
        let headless = made(serde_json::json!({"clusterIP": "None", "ports": ports}));
        assert!(Service::of(&headless, "n", &expected()).is_none());
        assert!(Service::of(&core::Service::default(), "n", &expected()).is_none());
    }

    #[test]
    fn every_ordered_pair_of_nodes_is_asked_exactly_once() {
        let (expected, pods) = (expected(), pods(&["edge-1", "edge-2", "edge-3"]));
        let mut pairs: Vec<String> = expected
            .nodes
            .iter()
            .flat_map(|node| pod_questions(&expected, &node.name, &pods, &service()))
            .filter(|question| question.check.id == "pod.pair")
            .map(|question| question.scope.to_string())
            .collect();
        pairs.sort();
        let wanted = [
            "edge-1 -> edge-2",
            "edge-1 -> edge-3",
            "edge-2 -> edge-1",
            "edge-2 -> edge-3",
            "edge-3 -> edge-1",
            "edge-3 -> edge-2",
        ];
        assert_eq!(pairs, wanted);
        assert!(unasked_pod_rows(&expected, &pods).is_empty());
    }

    #[test]
    fn a_host_asks_the_cluster_ip_and_the_node_port_of_every_node() {
        let expected = expected();
        let deadline = Duration::from_secs(4);
        let questions = host_questions(&expected, &expected.nodes[1], &service(), deadline);
        let asked: Vec<String> = questions
            .iter()
            .map(|each| {
                let target = each.targets[0];
                format!(
                    "{} {} {}:{}",
                    each.check.id, each.scope, target.address, target.port
                )
            })
            .collect();
        let wanted = [
            "service.cluster-ip edge-2 172.16.1.77:80",
            "service.unassigned edge-2 172.16.1.255:80",
            "service.node-port edge-2 -> edge-1 192.0.2.11:30123",
            "service.node-port edge-2 -> edge-2 192.0.2.12:30123",
            "service.node-port edge-2 -> edge-3 192.0.2.13:30123",
        ];
        assert_eq!(asked, wanted);
    }

    #[test]
    fn without_a_pod_on_a_node_its_rows_could_not_tell() {
        let rows = unasked_pod_rows(&expected(), &pods(&["edge-1", "edge-2"]));
        assert!(
            rows.iter()
                .all(|row| matches!(row.outcome, Outcome::CouldNotTell { .. }))
        );
        let mut names: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}", row.id, row.scope))
            .collect();
        names.sort();
        let wanted = [
            "api.from-pod edge-3",
            "dns.name edge-3",
            "pod.pair edge-1 -> edge-3",
            "pod.pair edge-2 -> edge-3",
            "pod.pair edge-3 -> edge-1",
            "pod.pair edge-3 -> edge-2",
            "service.from-pod edge-3",
            "service.unassigned-from-pod edge-3",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn one_host_has_no_pairs_and_that_is_not_a_pass() {
        let rows = unasked_pod_rows(&expected_single(), &pods(&["edge-1"]));
        assert_eq!(rows.len(), 1);
        assert!(matches!(rows[0].outcome, Outcome::NotApplicable { .. }));
    }

    #[test]
    fn both_replicas_must_have_answered() {
        let replicas = pods(&[]).replicas;
        let answered = Answered::default();
        assert!(matches!(
            answered.judge(&replicas).outcome,
            Outcome::CouldNotTell { .. }
        ));
        answered.note(&[nginx("nginx-a"), nginx("nginx-a")]);
        let row = answered.judge(&replicas);
        let Outcome::Failed(failure) = row.outcome else {
            panic!("{row:?}")
        };
        assert_eq!(failure.evidence, ["silent: nginx-b"]);
        assert!(!answered.has_all(&replicas));
        answered.note(&[nginx("nginx-b")]);
        assert!(answered.has_all(&replicas));
        assert_eq!(answered.judge(&replicas).outcome, Outcome::Passed);
        assert!(matches!(
            answered.judge(&replicas[..1]).outcome,
            Outcome::CouldNotTell { .. }
        ));
    }

    fn asked_questions() -> Vec<Question<&'static str>> {
        ["first", "second"]
            .map(|target| {
                Question::new(
                    &check::DNS_NAME,
                    Scope::host(target),
                    vec![target; 2],
                    Wanted::NginxPage,
                )
            })
            .to_vec()
    }

    async fn rows_of(round: Duration, lag: Duration, second_works_from: usize) -> (Vec<Row>, usize) {
        let recorder = Recorder::new(&|_| {});
        let calls = AtomicUsize::new(0);
        let fetch = |targets: Vec<&'static str>| {
            let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
            let answer = move |target| match target {
                "second" if call < second_works_from => Fetched {
                    answer: Answer::None {
                        how: NoAnswer::Refused,
                        evidence: "refused".into(),
                    },
                    seconds: 0.1,
                },
                _ => nginx("nginx-a"),
            };
            std::future::ready(targets.into_iter().map(answer).collect())
        };
        let patience = Patience {
            fetch: Duration::from_secs(1),
            round,
            rules: round,
            lag,
        };
        ask(
            asked_questions(),
            fetch,
            patience,
            &Answered::default(),
            &recorder,
        )
        .await;
        (recorder.into_rows(), calls.into_inner())
    }

    #[tokio::test]
    async fn what_failed_is_asked_again_while_there_is_patience() {
        let (rows, calls) = rows_of(Duration::from_secs(60), Duration::ZERO, 3).await;
        assert_eq!(calls, 3);
        assert!(
            rows.len() == 2 && rows.iter().all(|row| row.outcome == Outcome::Passed),
            "{rows:?}"
        );
        assert_eq!(rows[0].note, None);
        assert_eq!(
            rows[1].note.as_deref(),
            Some("not at first: 2 of 2 fetches: no answer: refused")
        );
    }

    #[tokio::test]
    async fn what_came_soon_enough_needs_no_note() {
        let (rows, calls) = rows_of(Duration::from_secs(60), Duration::from_secs(60), 2).await;
        assert_eq!(calls, 2);
        assert!(
            rows.iter()
                .all(|row| row.outcome == Outcome::Passed && row.note.is_none()),
            "{rows:?}"
        );
    }

    #[tokio::test]
    async fn without_patience_left_the_failure_is_told() {
        let (rows, calls) = rows_of(Duration::ZERO, Duration::ZERO, 2).await;
        assert_eq!(calls, 1);
        assert_eq!(rows[0].outcome, Outcome::Passed);
        assert!(matches!(rows[1].outcome, Outcome::Failed(_)), "{rows:?}");
    }
}
