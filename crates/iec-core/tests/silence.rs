//! What of a plan is done while a host does not answer, and what is left as it is, with the reason.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed example sites"
)]

#[path = "support/answers.rs"]
mod answers;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use answers::{forget, found};
use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::facts::{Facts, Reference, preflight, preflight_of_answers};
use iec_core::journal::Recorded;
use iec_core::name::HostName;
use iec_core::observed::{Observed, State};
use iec_core::plan::{Plan, StepId};
use iec_core::silence::{Away, Held, hold};
use iec_core::site::{Role, Site};
use support::{facts, parse, plain_host, plan_of, site, site_names};

const SITE: &str = "apiVersion: iec.dev/v1alpha1
kind: Site
metadata: {name: shop}
spec:
  release: \"1.36\"
  access: {user: edge}
  hosts:
    - {name: edge-1, address: 10.0.0.11, role: control-plane}
    - {name: edge-2, address: 10.0.0.12, role: worker, labels: {disk: ssd}, taints: [{key: radio, effect: NoSchedule}]}
    - {name: edge-3, address: 10.0.0.13, role: worker, labels: {disk: hdd}}
    - {name: edge-4, address: 10.0.0.14, role: worker, state: absent}
";

fn silent(names: &[&str]) -> BTreeSet<HostName> {
    names
        .iter()
        .map(|name| HostName::new(*name).expect("a name"))
        .collect()
}

/// Facts in which these hosts have none.
fn facts_without(site: &Site, silent: &BTreeSet<HostName>) -> Facts {
    let mut facts = facts(site, plain_host);
    for host in silent {
        forget(&mut facts, host.as_str());
    }
    facts
}

/// The plan without these hosts, where the steps of the others are in this state, and what is held.
fn planned(
    site: &Site,
    names: &[&str],
    state: impl Fn(&str) -> State,
    change: impl FnOnce(&mut Observed),
) -> (Plan, Observed, Vec<Held>) {
    let silent = silent(names);
    let mut plan = plan_of(site, &facts_without(site, &silent));
    let hosts = plan
        .hosts
        .iter()
        .map(|part| (part.host.to_string(), found(part, true, &state)));
    let mut observed = Observed {
        hosts: hosts.collect(),
        leaving: BTreeMap::new(),
    };
    change(&mut observed);
    let away = Away {
        silent,
        left_out: BTreeSet::new(),
    };
    let held = hold(site, &mut plan, &mut observed, &away);
    (plan, observed, held)
}

/// Whoever plans for one new worker alone: the cluster goes on, but nobody there gives out a token.
#[test]
fn a_host_that_is_left_out_is_well_and_does_nothing() {
    let site = site("three-hosts");
    let left_out = silent(&["edge-1", "edge-3"]);
    let held = |state: &dyn Fn(&str) -> State| {
        let mut plan = plan_of(&site, &facts_without(&site, &left_out));
        let part = plan
            .hosts
            .iter()
            .map(|part| (part.host.to_string(), found(part, true, state)));
        let mut observed = Observed {
            hosts: part.collect(),
            leaving: BTreeMap::new(),
        };
        let away = Away {
            silent: BTreeSet::new(),
            left_out: left_out.clone(),
        };
        hold(&site, &mut plan, &mut observed, &away)
    };
    assert_eq!(
        held(&all_but(&["node.", "system.sysctls"])),
        [],
        "the cluster answers it"
    );
    let new = held(&|_| State::Needed);
    assert!(
        new.iter().any(|held| held.step.as_str() == "join.wait"),
        "{new:?}"
    );
    for held in new {
        assert_eq!(held.reason, "there is nothing to join while edge-1 is left out");
    }
}

fn shown(held: &[Held]) -> Vec<String> {
    held.iter()
        .map(|held| format!("{} {}: {}", held.host, held.step, held.reason))
        .collect()
}

/// Everything is done but what begins so.
fn all_but(beginnings: &'static [&'static str]) -> impl Fn(&str) -> State {
    |id| {
        if beginnings.iter().any(|beginning| id.starts_with(beginning)) {
            State::Needed
        } else {
            State::Done
        }
    }
}

/// A host without facts forbids a plan for it, and says nothing of the others.
#[test]
fn the_hosts_that_answer_are_judged_by_themselves() {
    let site = parse(SITE);
    let facts = facts_without(&site, &silent(&["edge-2"]));
    let reference = Reference::default();
    let codes = |problems: Diagnostics| -> Vec<&str> {
        let errors = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        errors.map(|problem| problem.code).collect()
    };
    let mut whole = codes(preflight(&site, &facts, &reference));
    assert!(whole.contains(&"IEC1003"));
    whole.retain(|code| *code != "IEC1003");
    assert_eq!(whole, codes(preflight_of_answers(&site, &facts, &reference)));
}

#[test]
fn nothing_is_held_where_all_answer() {
    let (plan, _, held) = planned(&parse(SITE), &[], all_but(&[""]), |_| {});
    assert_eq!(held, []);
    assert_eq!(plan.hosts.len(), 3);
    assert!(plan.after_joins.is_some());
}

#[test]
fn a_silent_workers_taint_and_what_rests_on_its_facts_stay_and_the_rest_is_done() {
    let changed = all_but(&["node.taint", "network.calico", "system.sysctls"]);
    let (plan, _, held) = planned(&parse(SITE), &["edge-2"], changed, |_| {});
    let hosts: Vec<&str> = plan.hosts.iter().map(|part| part.host.as_str()).collect();
    assert_eq!(hosts, ["edge-1", "edge-3"]);
    assert_eq!(
        shown(&held),
        [
            "edge-1 network.calico-manifest: Calico's settings follow from what all hosts are, and edge-2 did not say",
            "edge-1 network.calico: Calico's settings follow from what all hosts are, and edge-2 did not say",
            "edge-1 node.taint.edge-2.TAINT: edge-2 does not answer",
            "edge-1 control-plane.no-token: edge-2 may still have to join by it",
        ]
        .map(|line| line.replace("TAINT", &taint_name(&held)))
    );
    for part in &plan.hosts {
        assert!(
            part.steps.iter().any(|step| step.id.as_str() == "system.sysctls"),
            "{}",
            part.host
        );
        let ids: Vec<&str> = part.steps.iter().map(|step| step.id.as_str()).collect();
        assert!(
            held.iter().all(|held| !ids.contains(&held.step.as_str())),
            "{ids:?}"
        );
    }
}

/// The last part of a taint's step, which has a digest in it.
fn taint_name(held: &[Held]) -> String {
    let id = held
        .iter()
        .map(|held| held.step.as_str())
        .find(|id| id.starts_with("node.taint."));
    id.expect("a taint")
        .trim_start_matches("node.taint.edge-2.")
        .to_owned()
}

#[test]
fn what_is_done_already_is_not_named() {
    let (plan, _, held) = planned(&parse(SITE), &["edge-2"], |_| State::Done, |_| {});
    assert_eq!(
        shown(&held),
        ["edge-1 control-plane.no-token: edge-2 may still have to join by it"]
    );
    assert!(
        plan.after_joins.is_none(),
        "a silent host may be joining just now"
    );
}

#[test]
fn at_a_first_installation_a_silent_worker_holds_up_nobody() {
    let (plan, _, held) = planned(&parse(SITE), &["edge-3"], |_| State::Needed, |_| {});
    let ids: Vec<String> = plan
        .steps()
        .map(|step| format!("{}@{}", step.id, step.host))
        .collect();
    for id in [
        "network.calico@edge-1",
        "join.kubelet-start@edge-2",
        "node.leave.edge-4@edge-1",
    ] {
        assert!(ids.iter().any(|known| known == id), "{id}: {ids:?}");
    }
    assert_eq!(
        shown(&held),
        ["edge-1 control-plane.no-token: edge-3 may still have to join by it"]
    );
}

#[test]
fn a_host_that_is_to_leave_and_is_silent_stays() {
    let (plan, _, held) = planned(&parse(SITE), &["edge-4"], all_but(&["node.leave"]), |_| {});
    assert!(
        shown(&held)[0].starts_with("edge-1 node.leave.edge-4: edge-4 does not answer"),
        "{held:?}"
    );
    assert!(plan.leaving.is_empty());
    // One that is given up needs no answer.
    let given_up = SITE.replace("state: absent", "state: absent, unreachable: true");
    let (_, _, held) = planned(&parse(&given_up), &["edge-4"], all_but(&["node.leave"]), |_| {});
    assert!(
        held.iter()
            .all(|held| !held.step.as_str().starts_with("node.leave")),
        "{held:?}"
    );
}

#[test]
fn a_taint_that_a_silent_host_no_longer_has_is_not_taken_back() {
    let recorded = |id: &str| Recorded {
        step: StepId::from_record(id),
        title: Some("Taint".to_owned()),
        undo: "kubectl taint\n".to_owned(),
    };
    let (_, observed, held) = planned(
        &parse(SITE),
        &["edge-2"],
        |_| State::Done,
        |observed| {
            let found = observed.hosts.get_mut("edge-1").expect("observed");
            found.leftovers = vec![
                recorded("node.taint.edge-2.old"),
                recorded("node.taint.edge-3.old"),
            ];
        },
    );
    let left = &observed.hosts["edge-1"].leftovers;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].step.as_str(), "node.taint.edge-3.old");
    assert!(shown(&held).contains(&"edge-1 node.taint.edge-2.old: edge-2 does not answer".to_owned()));
}

#[test]
fn without_a_control_plane_workers_do_what_needs_no_cluster() {
    let site = site("three-hosts");
    let joined = all_but(&["node.", "system.sysctls"]);
    let (plan, _, held) = planned(&site, &["edge-1"], joined, |_| {});
    assert!(plan.hosts.iter().all(|part| part.role == Role::Worker));
    assert!(!held.is_empty());
    for held in &held {
        assert!(held.step.as_str().starts_with("node."), "{held:?}");
        assert_eq!(held.reason, "the cluster is asked, and edge-1 does not answer");
    }
    let ids: Vec<&str> = plan.steps().map(|step| step.id.as_str()).collect();
    assert!(
        ids.contains(&"system.sysctls") && !ids.iter().any(|id| id.starts_with("node.label")),
        "{ids:?}"
    );

    // The cluster answers the worker all the same: its label is set.
    let reached = all_but(&["node.label"]);
    let (plan, _, held) = planned(&site, &["edge-1"], reached, |_| {});
    assert_eq!(held, []);
    assert!(
        plan.steps()
            .any(|step| step.id.as_str().starts_with("node.label"))
    );

    // A worker that has not joined gets as far as that.
    let (plan, _, held) = planned(&site, &["edge-1"], |_| State::Needed, |_| {});
    assert!(
        held.iter().any(|held| held.step.as_str() == "join.wait"),
        "{held:?}"
    );
    assert!(plan.steps().any(|step| step.id.as_str() == "kubernetes.kubelet"));
    assert!(!plan.steps().any(|step| step.id.as_str().starts_with("join.")));
}

#[test]
fn no_host_becomes_bare_while_no_control_plane_has_let_it_go() {
    let (_, observed, held) = planned(
        &parse(SITE),
        &["edge-1"],
        |_| State::Done,
        |observed| {
            let recorded = Recorded {
                step: StepId::from_record("join.preflight"),
                title: None,
                undo: "rm\n".to_owned(),
            };
            observed.leaving.insert("edge-4".to_owned(), vec![recorded]);
        },
    );
    assert!(observed.leaving.is_empty());
    assert_eq!(
        shown(&held),
        ["edge-4 join.preflight: edge-4 leaves the cluster first, which edge-1 would have to do"]
    );
}

#[test]
fn whichever_host_of_a_site_is_silent_the_others_have_a_plan_of_their_own() {
    for name in site_names() {
        let site = site(&name);
        // One that is given up is asked nothing.
        for host in site.hosts().iter().filter(|host| !host.unreachable()) {
            let host = host.name().as_str();
            for state in [State::Done, State::Needed, State::Unknown] {
                let (plan, _, held) = planned(&site, &[host], |_| state, |_| {});
                assert!(plan.host(host).is_none(), "{name}");
                let about = |id: &str| id.contains(&format!(".{host}.")) || id.ends_with(&format!(".{host}"));
                for step in plan.steps() {
                    let is_held = held
                        .iter()
                        .any(|held| held.step == step.id && held.host == *step.host.as_str());
                    assert!(!is_held, "{name}: {}", step.id);
                    assert!(
                        state == State::Done || !about(step.id.as_str()),
                        "{name}: {}",
                        step.id
                    );
                }
            }
        }
    }
}
