//! Several control planes: who does what is done once, what becomes of it when that one changes, and in which order they go.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed example sites"
)]

#[path = "support/answers.rs"]
mod answers;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use answers::{forget, found};
use iec_core::facts::{Facts, HostAnswer};
use iec_core::journal::{Journal, Recorded};
use iec_core::name::HostName;
use iec_core::observed::{HostObserved, Observed, State};
use iec_core::plan::{CalicoEtcdStart, HostPart, Op, Plan, StepId, first_control_plane, is_done_once};
use iec_core::removal::refuse;
use iec_core::reset::stages;
use iec_core::silence::{Away, Held, hold};
use iec_core::site::Site;
use support::{facts, parse, plain_host, plan_of, site, site_names};

/// Facts of a site of which these control planes have the cluster, which edge-1 has made, and these hosts do not answer.
fn facts_of(site: &Site, has_the_cluster: &[&str], silent: &[&str]) -> Facts {
    facts_of_cluster(site, "edge-1", has_the_cluster, silent)
}

/// The same of a cluster that another one has made, or taken over.
fn facts_of_cluster(site: &Site, maker: &str, has_the_cluster: &[&str], silent: &[&str]) -> Facts {
    let mut facts = facts(site, plain_host);
    for name in has_the_cluster {
        let mut host = facts.host(name).expect("a host").clone();
        host.cluster.value_mut().etcd_data = true;
        host.previous.value_mut().joined = *name != maker;
        facts.insert(*name, HostAnswer::Known(Box::new(host)));
    }
    for name in silent {
        forget(&mut facts, name);
    }
    facts
}

fn three() -> Site {
    site("three-control-planes")
}

#[test]
fn the_first_is_the_one_that_has_made_the_cluster_or_taken_it_over() {
    let table: [(&str, &[&str], &[&str], &str); 9] = [
        ("", &[], &[], "edge-1"),
        ("edge-1", &["edge-1", "edge-2", "edge-3"], &[], "edge-1"),
        // The maker was replaced under its name, and is about to join the others.
        ("edge-1", &["edge-2", "edge-3"], &[], "edge-2"),
        ("edge-1", &["edge-3"], &[], "edge-3"),
        // It has joined, and what edge-2 has taken over stays with that one.
        ("edge-2", &["edge-1", "edge-2", "edge-3"], &[], "edge-2"),
        ("edge-2", &["edge-1", "edge-2", "edge-3"], &["edge-1"], "edge-2"),
        // Nobody knows: what it has done once stays its own.
        ("edge-1", &["edge-2", "edge-3"], &["edge-1"], "edge-1"),
        ("edge-2", &["edge-3"], &["edge-2"], "edge-2"),
        ("", &[], &["edge-1"], "edge-1"),
    ];
    for (maker, has_the_cluster, silent, first) in table {
        let site = three();
        let facts = facts_of_cluster(&site, maker, has_the_cluster, silent);
        let found = first_control_plane(&site, &facts).name().to_string();
        assert_eq!(found, first, "{maker} {has_the_cluster:?} {silent:?}");
    }
}

/// The same whose Calico has an etcd of its own.
fn three_with_calicos_etcd() -> Site {
    parse(&text_with_calicos_etcd())
}

fn text_with_calicos_etcd() -> String {
    let path = support::sites().join("three-control-planes/site.yaml");
    let text = std::fs::read_to_string(path).expect("an example");
    let changed = text.replace("    cni: calico\n", "    cni: {calico: {datastore: etcd}}\n");
    assert_ne!(changed, text);
    changed
}

fn ids(plan: &Plan, host: &str) -> BTreeSet<String> {
    let part = plan.host(host).expect("a host");
    part.steps.iter().map(|step| step.id.to_string()).collect()
}

#[test]
fn what_the_first_alone_does_is_done_once_and_nothing_else_is() {
    for site in [three(), three_with_calicos_etcd()] {
        assert_first_alone_does_what_is_done_once(&site);
    }
}

fn assert_first_alone_does_what_is_done_once(site: &Site) {
    let plan = plan_of(site, &facts_of(site, &["edge-1", "edge-2", "edge-3"], &[]));
    let (first, other) = (ids(&plan, "edge-1"), ids(&plan, "edge-2"));
    // What it has of its own: the question whether it is alone, Helm, and files.
    let own = [
        "control-plane.alone",
        "helm.program",
        "network.calico-manifest",
        "network.calico-settings",
    ];
    for id in first.difference(&other).filter(|id| !own.contains(&id.as_str())) {
        let is_line = id.starts_with("system.endpoint-name");
        assert!(is_line || is_done_once(&StepId::from_record(id)), "{id}");
    }
    for id in &other {
        assert!(!is_done_once(&StepId::from_record(id)), "{id}");
    }
}

#[test]
fn every_control_plane_has_a_member_of_calicos_etcd_and_calico_knows_all() {
    let site = three_with_calicos_etcd();
    let plan = plan_of(&site, &facts_of(&site, &[], &[]));
    let members: Vec<_> = plan
        .steps()
        .filter_map(|step| match &step.op {
            Op::CalicoEtcdMember(member) => Some(member),
            _ => None,
        })
        .collect();
    let starts: Vec<_> = members
        .iter()
        .map(|member| match &member.start {
            CalicoEtcdStart::Alone(_) => (member.node.as_str(), ""),
            CalicoEtcdStart::Joins(first) => (member.node.as_str(), first.as_str()),
        })
        .collect();
    assert_eq!(
        starts,
        [("edge-1", ""), ("edge-2", "edge-1"), ("edge-3", "edge-1")]
    );
    for member in &members {
        assert_eq!(member.quorum, Some(2));
        assert!(member.peer.ends_with(":6667"), "{}", member.peer);
    }
    let manifest = plan
        .host("edge-1")
        .expect("a host")
        .texts()
        .find(|(step, ..)| step.id.as_str() == "network.calico-manifest")
        .map(|(_, _, text)| text)
        .expect("a manifest");
    let all = "etcd_endpoints: \"https://10.0.7.11:6666,https://10.0.7.12:6666,https://10.0.7.13:6666\"";
    assert!(
        manifest.contains(all) || manifest.contains(&all.replace('"', "")),
        "{manifest}"
    );
    let waits = |host: &str| ids(&plan, host).contains("network.calico-etcd-first");
    assert_eq!(
        [waits("edge-1"), waits("edge-2"), waits("edge-3")],
        [false, true, true]
    );
    assert!(!ids(&plan, "edge-4").iter().any(|id| id.contains("calico-etcd")));
}

#[test]
fn whoever_becomes_the_first_goes_on_with_the_member_that_it_has() {
    let site = three_with_calicos_etcd();
    let pods = |maker: &str| -> Vec<(String, String)> {
        let facts = facts_of_cluster(&site, maker, &["edge-1", "edge-2", "edge-3"], &[]);
        let plan = plan_of(&site, &facts);
        let pods = plan.steps().filter_map(|step| match &step.op {
            Op::CalicoEtcdMember(member) => Some((member.node.clone(), member.pod.clone())),
            _ => None,
        });
        pods.collect()
    };
    assert_eq!(pods("edge-1"), pods("edge-2"));
}

#[test]
fn a_control_plane_that_leaves_leaves_both_etcds() {
    let text = text_with_calicos_etcd();
    for (text, calico) in [
        (text.replace("datastore: etcd", "datastore: kubernetes"), None),
        (text, Some("https://10.0.7.99:6667")),
    ] {
        let gone = "    - {name: edge-9, address: 10.0.7.99, role: control-plane, state: absent, unreachable: true}\n\n  network:";
        let site = parse(&text.replace("\n  network:", gone));
        let plan = plan_of(&site, &facts_of(&site, &["edge-1"], &[]));
        let leaves: Vec<_> = plan
            .steps()
            .filter_map(|step| match &step.op {
                Op::Leave { member, .. } => member.as_ref(),
                _ => None,
            })
            .collect();
        assert_eq!(leaves.len(), 1);
        assert_eq!(leaves[0].peer, "https://10.0.7.99:2380");
        assert_eq!(leaves[0].calico_peer.as_deref(), calico);
    }
}

#[test]
fn a_member_of_calicos_etcd_is_held_as_a_voter_of_the_clusters_is() {
    let site = three_with_calicos_etcd();
    let (_, held) = held_of(&site, &["edge-3"], &["edge-1", "edge-2"], "network.calico-etcd");
    let members = held
        .iter()
        .filter(|held| held.step.as_str() == "network.calico-etcd");
    let reasons: Vec<_> = members.map(|held| held.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2, "{held:?}");
    assert!(
        reasons
            .iter()
            .all(|reason| reason.starts_with("edge-3 does not answer, and etcd stands still")),
        "{reasons:?}"
    );
    // The first is asked to take the others in.
    let (_, held) = held_of(&site, &["edge-1"], &["edge-2", "edge-3"], "network.calico-etcd");
    let members = held
        .iter()
        .filter(|held| held.step.as_str() == "network.calico-etcd");
    for one in members {
        assert_eq!(
            one.reason,
            "there is nothing to join while edge-1 does not answer"
        );
    }
}

#[test]
fn in_every_site_one_host_does_what_is_done_once() {
    for name in site_names() {
        let site = site(&name);
        let plan = plan_of(&site, &facts(&site, plain_host));
        let first = plan.hosts.iter().filter(|part| part.does_what_is_done_once());
        assert_eq!(first.count(), 1, "{name}");
    }
}

#[test]
fn a_release_is_done_once_and_its_values_are_of_the_host() {
    for (id, once) in [
        ("helm.program", false),
        ("helm.shop", true),
        ("helm.shop-values", false),
        ("helm.default.program", true),
        ("helm.default.program.values", false),
        ("helm.store.values", true),
        ("node.label.disk", false),
        ("node.taint.edge-4.radio-noschedule", true),
    ] {
        assert_eq!(is_done_once(&StepId::from_record(id)), once, "{id}");
    }
}

#[test]
fn every_host_finds_all_control_planes_and_itself_first() {
    let site = three();
    let plan = plan_of(&site, &facts(&site, plain_host));
    let lines = |host: &str| -> Vec<String> {
        let steps = plan.host(host).expect("a host").steps.iter();
        let lines = steps.filter_map(|step| match &step.op {
            Op::Line { line, .. } => line.split(' ').next().map(str::to_owned),
            _ => None,
        });
        lines.collect()
    };
    assert_eq!(lines("edge-1"), ["10.0.7.11", "10.0.7.12", "10.0.7.13"]);
    assert_eq!(lines("edge-3"), ["10.0.7.13", "10.0.7.11", "10.0.7.12"]);
    assert_eq!(lines("edge-4").len(), 3);
}

fn recorded(id: &str) -> Recorded {
    Recorded {
        step: StepId::from_record(id),
        title: None,
        undo: "true\n".to_owned(),
    }
}

#[test]
fn what_was_done_once_stays_when_another_one_does_it_now() {
    let site = three();
    let plan = plan_of(&site, &facts_of(&site, &["edge-1", "edge-2", "edge-3"], &[]));
    let left = HostObserved {
        leftovers: [
            "helm.shop",
            "network.calico",
            "network.calico-manifest",
            "node.taint.edge-4.x",
            "system.old",
        ]
        .map(recorded)
        .to_vec(),
        ..HostObserved::default()
    };
    let remaining = |part: Option<&HostPart>| -> Vec<String> {
        let found = left.clone().without_what_others_do(part);
        found.leftovers.iter().map(|one| one.step.to_string()).collect()
    };
    assert_eq!(remaining(plan.host("edge-1")).len(), 5);
    // Files are of the host that has them.
    let own = ["network.calico-manifest", "system.old"];
    assert_eq!(remaining(plan.host("edge-2")), own);
    assert_eq!(remaining(None), own);
}

/// What was found on the hosts, none of which has a journal: a state for each host and step.
fn observed(plan: &Plan, state: impl Fn(&str, &str) -> State) -> Observed {
    let hosts = plan.hosts.iter().map(|part| {
        let host = part.host.as_str();
        (host.to_owned(), found(part, false, |id| state(host, id)))
    });
    Observed {
        hosts: hosts.collect(),
        leaving: BTreeMap::new(),
    }
}

fn held(silent: &[&str], members: &[&str], needed: &str) -> (Plan, Vec<Held>) {
    held_of(&three(), silent, members, needed)
}

fn held_of(site: &Site, silent: &[&str], members: &[&str], needed: &str) -> (Plan, Vec<Held>) {
    let mut plan = plan_of(site, &facts_of(site, members, silent));
    let mut found = observed(&plan, |host, id| {
        let is_member = members.contains(&host) && !id.starts_with(needed);
        if is_member { State::Done } else { State::Needed }
    });
    let away = Away {
        silent: silent
            .iter()
            .map(|name| HostName::new(*name).expect("a name"))
            .collect(),
        left_out: BTreeSet::new(),
    };
    let held = hold(site, &mut plan, &mut found, &away);
    (plan, held)
}

#[test]
fn without_the_first_nobody_joins_and_the_others_do_their_own() {
    let (plan, held) = held(&["edge-1"], &["edge-2"], "kubernetes.kubelet");
    let joins: Vec<&Held> = held.iter().filter(|held| held.host == "edge-3").collect();
    assert!(!joins.is_empty());
    for one in joins {
        assert_eq!(
            one.reason,
            "there is nothing to join while edge-1 does not answer"
        );
    }
    assert!(
        held.iter()
            .any(|one| one.host == "edge-4" && one.reason == "edge-1 lets hosts join, and it does not answer")
    );
    assert!(!held.iter().any(|one| one.host == "edge-2"), "{held:?}");
    assert!(ids(&plan, "edge-2").contains("kubernetes.kubelet"));
}

#[test]
fn no_voter_is_stopped_while_another_one_is_silent() {
    let (_, held) = held(&["edge-3"], &["edge-1", "edge-2"], "control-plane.");
    let etcd: Vec<&Held> = held
        .iter()
        .filter(|held| held.step.as_str() == "control-plane.etcd")
        .collect();
    assert_eq!(etcd.len(), 2, "{held:?}");
    for one in etcd {
        assert!(
            one.reason
                .starts_with("edge-3 does not answer, and etcd stands still"),
            "{one:?}"
        );
    }
    assert!(
        !held
            .iter()
            .any(|held| held.step.as_str() == "control-plane.kube-apiserver")
    );
}

/// A site of so many control planes, of which those that are named have these words too.
fn site_of(count: usize, words: &[(&str, &str)]) -> Site {
    let text = std::fs::read_to_string("../../sites/three-control-planes/site.yaml").expect("a site");
    let (head, tail) = text.split_once("    - {name: edge-1,").expect("hosts");
    let (_, tail) = tail.split_once("role: worker}\n").expect("the last host");
    let hosts = (1..=count).map(|number| {
        let name = format!("edge-{number}");
        let words = words
            .iter()
            .find(|(host, _)| *host == name)
            .map_or("", |(_, words)| words);
        format!("    - {{name: {name}, address: 10.0.7.1{number}, {words}role: control-plane}}\n")
    });
    parse(&format!("{head}{}{tail}", hosts.collect::<String>()))
}

/// The reasons for which members of etcd are held, a step each.
fn held_members(site: &Site, silent: &[&str], members: &[&str], needed: &str) -> Vec<String> {
    let (_, held) = held_of(site, silent, members, needed);
    held.iter()
        .filter(|held| {
            held.step.as_str() == "control-plane.etcd" || held.step.as_str().starts_with("node.leave.")
        })
        .map(|held| format!("{} {}: {}", held.host, held.step, held.reason))
        .collect()
}

#[test]
fn what_would_lose_the_quorum_is_held_with_the_votes_before_and_after() {
    let all = ["edge-1", "edge-2", "edge-3", "edge-4", "edge-5"];
    // Two leave and one does not answer: two of three are left.
    let leave = site_of(5, &[("edge-4", "state: absent, "), ("edge-5", "state: absent, ")]);
    let none: [String; 0] = [];
    assert_eq!(held_members(&leave, &["edge-3"], &all, "node.leave."), none);
    // Two do not answer: one of three would be left.
    let found = held_members(&leave, &["edge-2", "edge-3"], &all, "node.leave.");
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[0],
        "edge-1 node.leave.edge-4: edge-2 and edge-3 do not answer, and etcd stands still while too few of its \
         members vote: of 5 now 3 answer, then 1 of 3, where 2 must"
    );
    // Who is gone for good votes no more, and leaves first.
    let gone = [
        ("edge-4", "state: absent, "),
        ("edge-5", "state: absent, unreachable: true, "),
    ];
    let gone = site_of(5, &gone);
    let plan = plan_of(&gone, &facts_of(&gone, &all, &[]));
    let leaves: Vec<String> = ids(&plan, "edge-1")
        .into_iter()
        .filter(|id| id.starts_with("node.leave."))
        .collect();
    assert_eq!(leaves.len(), 2);
    let steps = plan.host("edge-1").expect("a host").steps.iter();
    let order: Vec<&str> = steps
        .map(|step| step.id.as_str())
        .filter(|id| id.starts_with("node.leave."))
        .collect();
    assert_eq!(order, ["node.leave.edge-5", "node.leave.edge-4"]);

    // New ones join three of which one does not answer: three of four are enough.
    let five = site_of(5, &[]);
    let members = ["edge-1", "edge-2"];
    assert_eq!(
        held_members(&five, &["edge-3"], &members, "nothing of theirs"),
        none
    );
    // A voter of five may start again while another one is away, and none of three.
    assert_eq!(held_members(&five, &["edge-3"], &all, "control-plane.etcd"), none);
    let found = held_members(
        &three(),
        &["edge-3"],
        &["edge-1", "edge-2", "edge-3"],
        "control-plane.etcd",
    );
    assert_eq!(found.len(), 2);
    assert!(
        found[0].ends_with("of 3 now 2 answer, then 1 of 3, where 2 must"),
        "{found:?}"
    );
}

#[test]
fn a_control_plane_leaves_where_another_one_has_the_cluster() {
    let text = std::fs::read_to_string("../../sites/three-control-planes/site.yaml").expect("a site");
    let leaving = text
        .replace("{name: edge-2,", "{name: edge-2, state: absent,")
        .replace("{name: edge-3,", "{name: edge-3, state: absent,");
    let site = parse(&leaving);
    let plan = plan_of(&site, &facts_of(&site, &["edge-1", "edge-2", "edge-3"], &[]));
    let leaves: Vec<&Op> = plan
        .steps()
        .map(|step| &step.op)
        .filter(|op| matches!(op, Op::Leave { member: Some(member), .. } if member.first == "edge-1"))
        .collect();
    assert_eq!(leaves.len(), 2);
    let ids: Vec<&str> = plan
        .steps()
        .map(|step| step.id.as_str())
        .filter(|id| id.starts_with("node.drain.") || id.starts_with("node.leave."))
        .collect();
    assert_eq!(
        ids,
        [
            "node.drain.edge-2",
            "node.drain.edge-3",
            "node.leave.edge-2",
            "node.leave.edge-3"
        ],
        "all are drained while all API servers answer"
    );
    for (state, refused) in [(State::Done, false), (State::Needed, true)] {
        let mut found = observed(&plan, |_, _| state);
        for host in ["edge-2", "edge-3"] {
            found
                .leaving
                .insert(host.to_owned(), vec![recorded("control-plane.preflight")]);
        }
        let problems = refuse(&site, &plan, &found);
        assert_eq!(!problems.is_empty(), refused, "{problems}");
    }
}

#[test]
fn a_reset_keeps_the_control_plane_that_lets_the_others_go_until_the_end() {
    let site = three();
    let journal = |step: &str| {
        Journal::parse(&format!(
            "{{\"v\":1,\"time\":\"\",\"run\":\"a\",\"step\":\"{step}\",\"digest\":\"1\",\"intent\":\"apply\",\"undo\":\"true\\n\"}}\n"
        ))
    };
    let journals: BTreeMap<String, Journal> = [
        ("edge-1", "control-plane.preflight"),
        ("edge-2", "control-plane.preflight"),
        ("edge-3", "control-plane.preflight"),
        ("edge-4", "join.preflight"),
    ]
    .into_iter()
    .map(|(host, step)| (host.to_owned(), journal(step)))
    .collect();
    let order: Vec<(String, bool)> = stages(&site, &journals)
        .into_iter()
        .map(|stage| (format!("{}: {}", stage.host, stage.title), stage.last))
        .collect();
    let expected = [
        ("edge-1: Take edge-4 out of the cluster", false),
        ("edge-4: Make edge-4 bare", true),
        ("edge-1: Take edge-2 out of the cluster", false),
        ("edge-2: Make edge-2 bare", true),
        ("edge-1: Take edge-3 out of the cluster", false),
        ("edge-3: Make edge-3 bare", true),
        ("edge-1: Make edge-1 bare", true),
    ];
    let order: Vec<(&str, bool)> = order
        .iter()
        .map(|(stage, last)| (stage.as_str(), *last))
        .collect();
    assert_eq!(order, expected);
}
