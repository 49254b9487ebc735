//! Some steps of a plan only: which are left, what is told of the others, and what is refused.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed example sites"
)]

#[path = "support/answers.rs"]
mod answers;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use answers::{forget, found};
use iec_core::journal::Recorded;
use iec_core::name::HostName;
use iec_core::observed::{Action, Observed, State, diff};
use iec_core::plan::{Plan, StepId};
use iec_core::selection::{NoSelection, StepSelection};
use iec_core::silence::{Away, Held, hold};
use support::{facts, plain_host, plan_of, site, site_names};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn only(steps: &[&str]) -> StepSelection {
    StepSelection {
        only: names(steps),
        ..StepSelection::default()
    }
}

fn skip(steps: &[&str]) -> StepSelection {
    StepSelection {
        skip: names(steps),
        ..StepSelection::default()
    }
}

fn until(step: &str) -> StepSelection {
    StepSelection {
        until: Some(step.to_owned()),
        ..StepSelection::default()
    }
}

/// The plan of three hosts in this state, and what was found there.
fn planned(state: impl Fn(&str) -> State) -> (Plan, Observed) {
    let site = site("three-hosts");
    let plan = plan_of(&site, &facts(&site, plain_host));
    let hosts = plan
        .hosts
        .iter()
        .map(|part| (part.host.to_string(), found(part, true, &state)));
    let observed = Observed {
        hosts: hosts.collect(),
        leaving: BTreeMap::new(),
    };
    (plan, observed)
}

fn selected(
    selection: &StepSelection,
    state: impl Fn(&str) -> State,
) -> Result<(Plan, Observed, Vec<Held>), NoSelection> {
    let (mut plan, mut observed) = planned(state);
    selection.check_names(&plan, &observed)?;
    let held = selection.apply(&mut plan, &mut observed)?;
    Ok((plan, observed, held))
}

/// What would be done, as `STEP@HOST`.
fn done(plan: &Plan, observed: &Observed) -> Vec<String> {
    let changes = diff(plan, observed).steps.into_iter();
    let changes = changes.filter(|change| change.action != Action::Keep);
    changes
        .map(|change| format!("{}@{}", change.step, change.host))
        .collect()
}

const fn bare(_: &str) -> State {
    State::Needed
}

const fn installed(_: &str) -> State {
    State::Done
}

#[test]
fn up_to_a_phase_every_host_does_it_and_no_more() {
    let (plan, observed, held) = selected(&until("runtime"), bare).expect("it can be");
    for part in &plan.hosts {
        let steps: Vec<&str> = part.steps.iter().map(|step| step.id.as_str()).collect();
        assert!(
            steps.contains(&"runtime.images") && steps.contains(&"admission.mark"),
            "{steps:?}"
        );
        assert_eq!(steps.last(), Some(&"finish.forget"), "no secret stays");
        assert!(
            !steps.iter().any(|step| step.starts_with("kubernetes.")),
            "{steps:?}"
        );
        assert!(!part.blobs.is_empty());
    }
    assert!(
        held.iter()
            .any(|held| held.step.as_str() == "kubernetes.programs")
    );
    assert_eq!(plan.after_joins, None, "hosts have still to join");
    assert!(done(&plan, &observed).contains(&"runtime.images@edge-2".to_owned()));
}

#[test]
fn a_host_without_the_last_step_does_nothing() {
    let (plan, observed, _) = selected(&until("control-plane.kubeconfigs"), bare).expect("it can be");
    assert!(plan.host("edge-2").is_some_and(|part| part.steps.is_empty()));
    assert!(
        done(&plan, &observed)
            .iter()
            .all(|step| step.ends_with("@edge-1"))
    );
}

#[test]
fn one_step_of_a_site_that_is_installed_is_done_alone() {
    let drifted = |step: &str| match step {
        "system.sysctls" | "system.resolver" => State::Needed,
        _ => State::Done,
    };
    let (plan, observed, held) = selected(&only(&["system.sysctls@edge-2"]), drifted).expect("it can be");
    assert_eq!(done(&plan, &observed), ["system.sysctls@edge-2"]);
    let left: Vec<String> = held
        .iter()
        .map(|held| format!("{}@{}", held.step, held.host))
        .collect();
    assert!(
        left.contains(&"system.sysctls@edge-1".to_owned())
            && left.contains(&"system.resolver@edge-2".to_owned()),
        "{left:?}"
    );
    let part = plan.host("edge-2").expect("a part");
    assert!(
        part.steps.iter().any(|step| step.id.as_str() == "admission.site"),
        "it is asked who it is"
    );
    assert!(part.blobs.is_empty(), "nothing is sent for nothing");
}

#[test]
fn what_others_need_is_refused_with_their_names_unless_it_is_done() {
    let refused = selected(&skip(&["system.swap"]), bare).expect_err("the kubelet needs it");
    let NoSelection::Needed(needed) = refused else {
        panic!("{refused:?}")
    };
    let hosts: Vec<&str> = needed.iter().map(|needed| needed.host.as_str()).collect();
    assert_eq!(hosts, ["edge-1", "edge-2", "edge-3"]);
    assert_eq!(needed[0].step.as_str(), "system.swap");
    assert!(
        needed[0].by.contains(&"kubernetes.kubelet".to_owned()),
        "{needed:?}"
    );

    let swap_is_off = |step: &str| match step {
        "system.swap" => State::Done,
        _ => State::Needed,
    };
    assert!(selected(&skip(&["system.swap"]), swap_is_off).is_ok());
    // Whether it is done nobody knows: that is not done.
    let who_knows = |step: &str| match step {
        "system.swap" => State::Unknown,
        _ => State::Needed,
    };
    let refused = selected(&skip(&["system.swap"]), who_knows).expect_err("it may be on");
    assert!(matches!(refused, NoSelection::Needed(needed) if needed[0].is_unknown));
    // What nothing rests on may be left out.
    assert!(selected(&skip(&["node", "helm"]), installed).is_ok());
    let refused = selected(&only(&["system.sysctls"]), bare).expect_err("modules bring parameters");
    let NoSelection::Needed(needed) = refused else {
        panic!("{refused:?}")
    };
    let of_first = needed.iter().filter(|needed| needed.host == "edge-1");
    let steps: Vec<&str> = of_first.map(|needed| needed.step.as_str()).collect();
    assert_eq!(
        steps,
        [
            "admission.mark",
            "content.store",
            "system.modules",
            "system.boot-sysctls"
        ]
    );
}

#[test]
fn a_worker_needs_the_cluster_that_it_joins() {
    let refused = selected(&skip(&["control-plane.kube-apiserver"]), |step| {
        if step.starts_with("control-plane.") || step.starts_with("join.") {
            State::Needed
        } else {
            State::Done
        }
    });
    let Err(NoSelection::Needed(needed)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(needed.len(), 1);
    assert!(
        needed[0].by.contains(&"join.wait@edge-2".to_owned())
            && needed[0].by.contains(&"control-plane.wait".to_owned()),
        "{needed:?}"
    );
    let joining = only(&["join"]);
    assert!(matches!(selected(&joining, bare), Err(NoSelection::Needed(_))));
    let all_but_joined = |step: &str| {
        if step.starts_with("join.") {
            State::Needed
        } else {
            State::Done
        }
    };
    let (plan, observed, _) = selected(&joining, all_but_joined).expect("the cluster is there");
    assert!(
        done(&plan, &observed)
            .iter()
            .all(|step| step.starts_with("join."))
    );
}

#[test]
fn what_the_site_no_longer_asks_for_is_taken_back_where_it_is_named_or_not_skipped() {
    let leftover = || Recorded {
        step: StepId::from_record("node.label.edge-2.zone"),
        title: Some("Label edge-2".to_owned()),
        undo: "true\n".to_owned(),
    };
    let taken_back = |selection: &StepSelection| {
        let (mut plan, mut observed) = planned(installed);
        let host = observed.hosts.get_mut("edge-2").expect("it was asked");
        host.leftovers = vec![leftover()];
        observed.leaving.insert("edge-9".to_owned(), vec![leftover()]);
        selection.check_names(&plan, &observed).expect("it is known");
        let held = selection.apply(&mut plan, &mut observed).expect("it can be");
        (done(&plan, &observed), held.len())
    };
    let own = "node.label.edge-2.zone@edge-2".to_owned();
    assert_eq!(
        taken_back(&only(&["node.label.edge-2.zone"])),
        (vec![own.clone()], 2)
    );
    assert_eq!(taken_back(&skip(&["helm"])), (vec![own], 2));
    assert_eq!(taken_back(&skip(&["node.label.edge-2.zone"])), (vec![], 3));
    assert_eq!(taken_back(&until("runtime")), (vec![], 3));
}

#[test]
fn names_that_nobody_knows_are_refused_with_the_nearest_one() {
    let near = |selection: &StepSelection| match selected(selection, installed) {
        Err(NoSelection::Unknown { near, .. }) => near,
        other => panic!("{other:?}"),
    };
    assert_eq!(near(&only(&["runtime.image"])).as_deref(), Some("runtime.images"));
    assert_eq!(near(&skip(&["runtme"])).as_deref(), Some("runtime"));
    assert_eq!(
        near(&only(&["runtime.images@edge2"])).as_deref(),
        Some("runtime.images@edge-2")
    );
    assert_eq!(near(&until("something.else-entirely")), None);
    let backwards = StepSelection {
        from: Some("runtime".to_owned()),
        until: Some("system".to_owned()),
        ..StepSelection::default()
    };
    assert!(matches!(
        selected(&backwards, installed),
        Err(NoSelection::Backwards { .. })
    ));
}

/// A host that does not answer keeps what needs it from being done, whatever is selected.
#[test]
fn some_steps_of_some_hosts() {
    let site = site("three-hosts");
    let mut known = facts(&site, plain_host);
    forget(&mut known, "edge-1");
    let mut plan = plan_of(&site, &known);
    let hosts = plan
        .hosts
        .iter()
        .map(|part| (part.host.to_string(), found(part, true, bare)));
    let mut observed = Observed {
        hosts: hosts.collect(),
        leaving: BTreeMap::new(),
    };
    let away = Away {
        silent: BTreeSet::from([HostName::new("edge-1").expect("a name")]),
        left_out: BTreeSet::new(),
    };
    let joining = StepSelection {
        from: Some("admission".to_owned()),
        until: Some("join.wait".to_owned()),
        ..StepSelection::default()
    };
    joining
        .check_names(&plan, &observed)
        .expect("what is held has a name too");
    let held = hold(&site, &mut plan, &mut observed, &away);
    assert!(
        held.iter().any(|held| held.step.as_str() == "join.wait"),
        "{held:?}"
    );
    joining
        .apply(&mut plan, &mut observed)
        .expect("nothing needs what is held");
    assert_eq!(done(&plan, &observed), [""; 0]);
}

/// What is left of a plan is done as it was: in the same order, and by the same commands.
#[test]
fn everything_is_selected_where_nothing_is_said() {
    for name in site_names() {
        let site = site(&name);
        let plan = plan_of(&site, &facts(&site, plain_host));
        let mut observed = Observed::default();
        let mut same = plan.clone();
        let held = StepSelection::default()
            .apply(&mut same, &mut observed)
            .expect("it can be");
        assert_eq!((same, held), (plan, vec![]), "{name}");
    }
}

#[test]
fn a_selection_is_written_as_it_is_typed() {
    let selection = StepSelection {
        from: Some("system".to_owned()),
        skip: names(&["helm", "system.swap"]),
        ..StepSelection::default()
    };
    assert_eq!(selection.to_string(), "--from system --skip helm,system.swap");
    assert!(StepSelection::default().is_everything());
}
