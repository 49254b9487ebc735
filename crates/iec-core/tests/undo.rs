//! What of a run is taken back, on which hosts and in which order, and what has to stay, with the reason.

use std::collections::BTreeMap;

use iec_core::journal::{Journal, Recorded};
use iec_core::plan::StepId;
use iec_core::site::{Site, load};
use iec_core::undo::{NoUndo, Target, Undoing, Why, put_back, undoing};

const SITE: &str = "apiVersion: iec.dev/v1alpha1
kind: Site
metadata: {name: shop}
spec:
  release: \"1.36\"
  access: {user: edge}
  hosts:
    - {name: edge-1, address: 10.0.0.11, role: control-plane}
    - {name: edge-2, address: 10.0.0.12, role: worker}
";

fn site() -> Site {
    load(SITE, "site.yaml").expect("a site").0
}

/// Journals of both hosts: `RUN STEP WHAT`, a line each, with what stands behind `WHAT` as further fields.
fn journals(first: &[&str], second: &[&str]) -> BTreeMap<String, Journal> {
    let mut time = 0;
    let mut journal = |lines: &[&str]| {
        let mut text = String::new();
        for line in lines {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            let [run, step, what, rest @ ..] = words.as_slice() else {
                panic!("{line}")
            };
            let rest = rest.first().map_or(String::new(), |rest| format!(",{rest}"));
            let fields = match *what {
                "did" => {
                    format!("\"intent\":\"apply\"{rest},\"title\":\"Do {step}\",\"undo\":\"rm {step}\\n\"")
                }
                "covered" => format!("\"intent\":\"apply\"{rest},\"undo\":\"\""),
                _ => "\"outcome\":\"undone\"".to_owned(),
            };
            time += 1;
            text += &format!(
                "{{\"v\":1,\"time\":\"2026-11-30T10:00:{time:02}Z\",\"run\":\"{run}\",\"step\":\"{step}\",\"digest\":\"1\",{fields}}}\n"
            );
        }
        let journal = Journal::parse(&text);
        assert!(journal.damaged.is_empty(), "{text}");
        journal
    };
    BTreeMap::from([
        ("edge-1".to_owned(), journal(first)),
        ("edge-2".to_owned(), journal(second)),
    ])
}

fn told(undoing: &Undoing) -> Vec<String> {
    let stages = undoing.stages.iter().map(|stage| {
        let steps: Vec<&str> = stage
            .steps
            .iter()
            .map(|recorded| recorded.step.as_str())
            .collect();
        let last = if stage.last { " and is bare" } else { "" };
        format!("{}: {}{last}", stage.host, steps.join(" "))
    });
    let stays = undoing.stays.iter().map(|stays| {
        let why = match &stays.why {
            Why::ChangedAgain { first } => format!("changed again after {first}"),
            Why::ChangedLater { run } => format!("changed by {run}"),
            Why::StoodUpon { by } => format!("{by} stands on it"),
            Why::Covered { by } => format!("goes with {by}"),
            Why::Never { because } => format!("never: {because}"),
        };
        format!("{}: {} stays: {why}", stays.host, stays.step)
    });
    stages.chain(stays).collect()
}

/// A cluster of both hosts, made by the run `r-1`.
const FIRST: [&str; 4] = [
    "r-1 system.hosts did",
    "r-1 runtime.containerd did",
    "r-1 control-plane.preflight did",
    "r-1 control-plane.etcd covered \"covered\":\"control-plane.preflight\"",
];
const SECOND: [&str; 3] = [
    "r-1 system.hosts did",
    "r-1 runtime.containerd did",
    "r-1 join.preflight did",
];

fn after(first: &[&str], second: &[&str]) -> BTreeMap<String, Journal> {
    journals(&[&FIRST[..], first].concat(), &[&SECOND[..], second].concat())
}

#[test]
fn the_last_run_is_taken_back_the_last_step_first() {
    let journals = after(
        &[
            "r-2 helm.program did",
            "r-2 helm.shop did",
            "r-2 node.taint.edge-2.radio did",
        ],
        &["r-2 system.apt-pin did"],
    );
    let undo = undoing(&site(), &journals, Target::LastRun).expect("it can be");
    assert_eq!(undo.run.as_deref(), Some("r-2"));
    assert_eq!(
        told(&undo),
        [
            "edge-1: node.taint.edge-2.radio helm.shop helm.program",
            "edge-2: system.apt-pin"
        ]
    );
    assert!(undo.stages.iter().all(|stage| !stage.gives_up));
}

#[test]
fn what_was_taken_back_is_not_the_last_run_any_more() {
    let journals = after(
        &["r-2 helm.shop did", "r-3 helm.other did", "r-4 helm.other undone"],
        &[],
    );
    let undo = undoing(&site(), &journals, Target::LastRun).expect("it can be");
    assert_eq!(told(&undo), ["edge-1: helm.shop"]);
    let again = Target::Run("r-3");
    assert_eq!(undoing(&site(), &journals, again), Err(NoUndo::Nothing));
}

/// What was there before the second change is not kept: putting the original back would be another state than before.
#[test]
fn what_was_changed_again_stays_and_says_so() {
    let journals = after(
        &["r-2 system.hosts did", "r-2 node.label.edge-1.zone did"],
        &["r-2 system.hosts did"],
    );
    let undo = undoing(&site(), &journals, Target::LastRun).expect("some of it can be");
    assert_eq!(
        told(&undo),
        [
            "edge-1: node.label.edge-1.zone",
            "edge-1: system.hosts stays: changed again after r-1",
            "edge-2: system.hosts stays: changed again after r-1"
        ]
    );
}

/// What a release needed in the store and among the images is in nobody's way when the release is gone.
#[test]
fn what_was_brought_for_a_run_keeps_nobody_from_taking_it_back() {
    let journals = journals(
        &[
            "r-1 content.store did",
            "r-1 runtime.containerd did",
            "r-1 control-plane.preflight did",
            "r-2 content.store did",
            "r-2 runtime.images covered \"covered\":\"runtime.containerd\"",
            "r-2 helm.shop did",
        ],
        &[],
    );
    let undo = undoing(&site(), &journals, Target::LastRun).expect("it can be");
    assert_eq!(told(&undo), ["edge-1: helm.shop"]);
}

#[test]
fn a_worker_that_came_leaves_the_cluster_first_and_becomes_bare() {
    let journals = journals(
        &[&FIRST[..], &["r-2 node.taint.edge-2.radio did"]].concat(),
        &[
            "r-2 system.hosts did",
            "r-2 join.preflight did",
            "r-2 node.label.edge-2.zone did",
        ],
    );
    let undo = undoing(&site(), &journals, Target::LastRun).expect("it can be");
    assert_eq!(
        told(&undo),
        [
            "edge-1: node.taint.edge-2.radio",
            "edge-1: reset.drain-edge-2 reset.delete-edge-2",
            "edge-2: node.label.edge-2.zone join.preflight system.hosts and is bare"
        ]
    );
    let gives_up: Vec<bool> = undo.stages.iter().map(|stage| stage.gives_up).collect();
    assert_eq!(gives_up, [false, false, true], "the cluster goes on");
}

#[test]
fn the_cluster_itself_is_for_a_reset() {
    let hosts = vec!["edge-1".to_owned()];
    for target in [Target::Run("r-1"), Target::To("runtime.containerd")] {
        assert_eq!(
            undoing(&site(), &after(&[], &[]), target),
            Err(NoUndo::WholeCluster { hosts: hosts.clone() })
        );
    }
}

#[test]
fn what_others_stand_on_or_have_changed_since_stays() {
    let journals = after(
        &[
            "r-2 system.modules-file did",
            "r-2 helm.shop did",
            "r-3 system.sysctls did",
            "r-3 helm.other did",
            "r-4 helm.shop did",
        ],
        &[],
    );
    let undo = undoing(&site(), &journals, Target::Run("r-2")).expect("it is known");
    assert_eq!(
        told(&undo),
        [
            "edge-1: helm.shop stays: changed by r-4",
            "edge-1: system.modules-file stays: system.sysctls stands on it"
        ]
    );
    let undo = undoing(&site(), &journals, Target::Run("r-3")).expect("it can be");
    assert_eq!(told(&undo), ["edge-1: helm.other", "edge-1: system.sysctls"]);
}

#[test]
fn back_to_a_step_everything_after_it_goes_on_the_hosts_that_have_it() {
    let journals = after(
        &[
            "r-2 network.calico covered \"covered\":\"control-plane.preflight\"",
            "r-3 helm.shop did",
        ],
        &["r-2 system.apt-pin did", "r-3 system.resolver did"],
    );
    let undo = undoing(&site(), &journals, Target::To("system.apt-pin")).expect("it can be");
    assert_eq!(
        (told(&undo), undo.run),
        (vec!["edge-2: system.resolver".to_owned()], None)
    );
    let undo = undoing(&site(), &journals, Target::To("control-plane.etcd")).expect("some of it can be");
    assert_eq!(
        told(&undo),
        [
            "edge-1: helm.shop",
            "edge-1: network.calico stays: goes with control-plane.preflight"
        ]
    );
    let near = undoing(&site(), &journals, Target::To("system.aptpin"));
    assert!(matches!(near, Err(NoUndo::UnknownStep { near: Some(near), .. }) if near == "system.apt-pin"));
    assert!(matches!(
        undoing(&site(), &journals, Target::Run("r-9")),
        Err(NoUndo::UnknownRun(_))
    ));
}

#[test]
fn what_can_never_be_taken_back_says_why() {
    let journals = after(
        &["r-2 node.leave.edge-3 covered \"stays\":\"a host that has left joins again\""],
        &[],
    );
    let undo = undoing(&site(), &journals, Target::LastRun).expect("it is known");
    assert_eq!(
        told(&undo),
        ["edge-1: node.leave.edge-3 stays: never: a host that has left joins again"]
    );
}

#[test]
fn hosts_without_a_journal_have_nothing_to_take_back() {
    assert_eq!(
        undoing(&site(), &journals(&[], &[]), Target::LastRun),
        Err(NoUndo::Nothing)
    );
}

#[test]
fn the_paths_that_are_put_back_are_named() {
    let recorded = Recorded {
        step: StepId::from_record("runtime.containerd-config"),
        title: None,
        undo: "rm -f /etc/containerd/config.toml.iec-new || return\n\
               if { test -e /var/lib/iec/before/runtime.containerd-config/0; }; then rm -f /etc/containerd/config.toml && \
               cp -aT /var/lib/iec/before/runtime.containerd-config/0 /etc/containerd/config.toml; else true; fi || return\n"
            .to_owned(),
    };
    assert_eq!(put_back(&recorded), ["/etc/containerd/config.toml"]);
}
