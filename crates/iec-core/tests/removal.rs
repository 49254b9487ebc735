//! What hosts have recorded and the site no longer asks for: it is taken back, all of it, in order, and nothing else.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed example sites"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use iec_core::facts::{Facts, HostAnswer};
use iec_core::journal::{Journal, Recorded};
use iec_core::observed::{Action, HostObserved, Observed, diff};
use iec_core::plan::{Plan, StepId, journal_script};
use iec_core::removal::refuse;
use iec_core::reset::{leaving, transfers};
use proptest::prelude::*;
use support::{facts, plain_host, plan_of, site, site_names};

fn three_hosts() -> Plan {
    let site = site("three-hosts");
    plan_of(&site, &facts(&site, plain_host))
}

fn recorded(id: &str, undo: &str) -> Recorded {
    Recorded {
        step: StepId::from_record(id),
        title: Some(format!("Do {id}")),
        undo: undo.to_owned(),
    }
}

/// A line of a journal.
fn line(id: &str, rest: &str) -> String {
    format!("{{\"v\":1,\"time\":\"\",\"run\":\"a\",\"step\":\"{id}\",\"digest\":\"1\",{rest}}}\n")
}

/// A host on which every step of the plan is done, and whose journal has these lines beyond them.
fn done_with(plan: &Plan, host: &str, journal: &str) -> HostObserved {
    let mut answer = String::new();
    for step in &plan.host(host).expect("a host").steps {
        let _ = writeln!(answer, "iec\tobserved\t{}\tdone\tknown\t", step.id);
    }
    let lines = base64::engine::general_purpose::STANDARD.encode(journal);
    let _ = write!(answer, "iec\tjournal\t{lines}\niec\tend\t0\n");
    HostObserved::parse(&answer).expect("an answer of the runner")
}

proptest! {
    /// Whatever was begun, done, failed and taken back, in any order: exactly the steps with a living undo go.
    #[test]
    fn exactly_what_is_recorded_and_not_taken_back_goes(lines in prop::collection::vec((0_usize..6, 0_u8..4), 0..40)) {
        let plan = three_hosts();
        let mut journal = String::new();
        let mut alive: Vec<usize> = Vec::new();
        for (step, what) in lines {
            let id = format!("system.old-{step}");
            match what {
                0 => {
                    journal += &line(&id, &format!("\"intent\":\"apply\",\"undo\":\"rm {step}\\n\""));
                    if !alive.contains(&step) {
                        alive.push(step);
                    }
                }
                1 => journal += &line(&id, "\"outcome\":\"changed\""),
                2 => journal += &line(&id, "\"outcome\":\"failed\",\"code\":1"),
                _ => {
                    journal += &line(&id, "\"outcome\":\"undone\"");
                    alive.retain(|one| *one != step);
                }
            }
        }
        let found = done_with(&plan, "edge-2", &journal);
        let expected: Vec<String> = alive.iter().rev().map(|step| format!("system.old-{step}")).collect();
        let removals: Vec<String> = found.removals().into_iter().map(|step| step.id).collect();
        prop_assert_eq!(&removals, &expected);
        let observed = Observed { hosts: BTreeMap::from([("edge-2".to_owned(), found)]), ..Observed::default() };
        let changes = diff(&plan, &observed);
        let gone: BTreeSet<String> = changes.steps.iter()
            .filter(|change| change.action == Action::Remove)
            .map(|change| change.step.to_string())
            .collect();
        prop_assert_eq!(gone, expected.into_iter().collect::<BTreeSet<_>>());
        prop_assert_eq!(changes.is_settled(), alive.is_empty());
    }
}

#[test]
fn a_site_that_is_done_has_nothing_to_remove() {
    for name in site_names() {
        let site = site(&name);
        let plan = plan_of(&site, &facts(&site, plain_host));
        let hosts = plan.hosts.iter().map(|part| part.host.to_string());
        let observed = Observed {
            hosts: hosts
                .map(|host| (host.clone(), done_with(&plan, &host, "")))
                .collect(),
            ..Observed::default()
        };
        assert!(diff(&plan, &observed).is_settled(), "{name}");
        assert!(refuse(&site, &plan, &observed).is_empty(), "{name}");
    }
}

/// Questions and waits leave nothing: that they are no longer asked is no change.
#[test]
fn a_step_that_leaves_nothing_behind_does_not_go() {
    let plan = three_hosts();
    let journal = line("control-plane.token", "\"intent\":\"apply\",\"undo\":\"\"");
    let found = done_with(&plan, "edge-1", &journal);
    assert_eq!(found.leftovers.len(), 1);
    let observed = Observed {
        hosts: BTreeMap::from([("edge-1".to_owned(), found)]),
        ..Observed::default()
    };
    assert!(diff(&plan, &observed).is_settled());
}

#[test]
fn a_host_that_leaves_is_made_bare_and_its_steps_are_shown() {
    let plan = three_hosts();
    let steps = vec![
        recorded("join.preflight", "stop\n"),
        recorded("admission.clock", ""),
    ];
    let observed = Observed {
        leaving: BTreeMap::from([("gone".to_owned(), steps.clone()), ("bare".to_owned(), vec![])]),
        ..Observed::default()
    };
    let changes = diff(&plan, &observed);
    let shown: Vec<_> = changes
        .steps
        .iter()
        .map(|change| (change.host.as_str(), change.action.mark(), change.title.as_str()))
        .collect();
    assert_eq!(shown, [("gone", '-', "Do join.preflight")]);
    let stages = leaving(&observed);
    assert_eq!(stages.len(), 1);
    assert!(stages[0].last && stages[0].host == "gone" && stages[0].steps == steps);
    assert!(stages[0].script("somebody", "run-1").contains("iec_retire\n"));
}

/// A transfer that was cut before anything was changed has left files: a reset takes them away, from such hosts only.
#[test]
fn what_a_transfer_has_left_goes_where_no_journal_says_so() {
    let site = site("three-hosts");
    let names: Vec<String> = site.hosts().iter().map(|host| host.name().to_string()).collect();
    let untouched = facts(&site, plain_host);
    assert!(transfers(&site, &BTreeMap::new(), &untouched).is_empty());
    let mut facts = Facts::new(None);
    for (name, known) in untouched.known() {
        let mut known = known.clone();
        known.previous.value_mut().transfer = names[..2].iter().any(|left| left == name);
        facts.insert(name, HostAnswer::Known(Box::new(known)));
    }
    // The second has been worked on: its journal says what is to be taken back.
    let journal = Journal::parse(&line("system.sysctls", "\"intent\":\"apply\",\"undo\":\"x\\n\""));
    assert!(!journal.undo().is_empty());
    let journals = BTreeMap::from([(names[1].clone(), journal)]);
    let stages = transfers(&site, &journals, &facts);
    let hosts: Vec<&str> = stages.iter().map(|stage| stage.host.as_str()).collect();
    assert_eq!(hosts, [names[0].as_str()]);
    assert!(stages[0].script("somebody", "run-1").contains("iec_retire\n"));
}

/// Rule 5 of the design: the data of etcd are removed by `reset` only.
#[test]
fn a_control_plane_is_never_taken_back_by_a_run_that_keeps_the_site() {
    let site = site("three-hosts");
    let plan = three_hosts();
    let codes = |observed: &Observed| -> Vec<&str> {
        refuse(&site, &plan, observed)
            .iter()
            .map(|problem| problem.code)
            .collect()
    };
    let has = |step: &str| HostObserved {
        leftovers: vec![recorded(step, "rm\n")],
        ..HostObserved::default()
    };
    for step in ["control-plane.preflight", "join.preflight"] {
        let observed = Observed {
            hosts: BTreeMap::from([("edge-2".to_owned(), has(step))]),
            ..Observed::default()
        };
        assert_eq!(codes(&observed), ["IEC3021"], "{step}");
    }
    let leaves = |step: &str| Observed {
        leaving: BTreeMap::from([("edge-3".to_owned(), vec![recorded(step, "rm\n")])]),
        ..Observed::default()
    };
    assert_eq!(codes(&leaves("control-plane.preflight")), ["IEC3022"]);
    assert_eq!(codes(&leaves("join.preflight")), Vec::<&str>::new());
    let other = Observed {
        hosts: BTreeMap::from([("edge-2".to_owned(), has("helm.shop"))]),
        ..Observed::default()
    };
    assert_eq!(codes(&other), Vec::<&str>::new());
}

#[test]
fn the_script_that_reads_a_journal_only_is_small() {
    assert!(journal_script().len() < 16 * 1024);
    assert_eq!(Journal::parse("").undo(), []);
}
