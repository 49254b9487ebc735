//! What a host has recorded and its part no longer asks for is taken back by the real runner, once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use iec_core::name::HostName;
use iec_core::observed::{Action, Changes, Observed, diff};
use iec_core::plan::{FileContent, FileOp, HostPart, Op, Phase, Plan, Require, Step, StepId};
use iec_core::reset::leaving;
use iec_core::site::{Role, load};
use iec_core::undo::{Target, undoing};
use iec_host::{
    Execution, Fleet, Host, HostResult, Patience, RunName, StageRun, execute, journals, observe, run_stage,
};
use iec_sh::{Cmd, Program};
use iec_testkit::{Fault, FaultyHost, Sandbox};
use tokio_util::sync::CancellationToken;

const HOST: &str = "edge-1";

fn step(phase: Phase, name: &str, op: Op) -> Step {
    Step {
        id: StepId::new(phase, name),
        phase,
        host: HostName::new(HOST).expect("a name"),
        title: format!("It's \"{name}\""),
        why: String::new(),
        op,
        pace: iec_core::pace::Pace::ORDINARY,
        estimate_seconds: 0,
    }
}

/// A step that writes its own name into a file of this name.
fn file(sandbox: &Sandbox, name: &str) -> Step {
    let op = Op::File(FileOp {
        path: sandbox.path(name).display().to_string(),
        mode: 0o644,
        content: FileContent::Text(format!("{name}\n")),
    });
    step(Phase::System, name, op)
}

/// Whether the host may be changed.
fn admission(sandbox: &Sandbox) -> Step {
    let closed = sandbox.path("closed").display().to_string();
    let op = Op::Require(Require {
        what: "IEC1704: the host is open".to_owned(),
        ask: iec_sh::Expr::from(Cmd::new(Program::Test).words(["-e", closed.as_str()])).not(),
    });
    step(Phase::Admission, "open", op)
}

fn plan(sandbox: &Sandbox, names: &[&str]) -> Plan {
    let mut steps = vec![admission(sandbox)];
    steps.extend(names.iter().map(|name| file(sandbox, name)));
    Plan {
        site: "test".to_owned(),
        site_id: "0".to_owned(),
        token_id: "abcdef".to_owned(),
        release: "1.36".to_owned(),
        hosts: vec![part(steps)],
        after_joins: None,
        leaving: Vec::new(),
        warnings: Vec::new(),
        accepted: Vec::new(),
    }
}

fn part(steps: Vec<Step>) -> HostPart {
    HostPart {
        host: HostName::new(HOST).expect("a name"),
        role: Role::Worker,
        steps,
        blobs: Vec::new(),
        secrets: BTreeMap::new(),
        assumed: Vec::new(),
        whole: true,
    }
}

async fn observed(fleet: &Fleet, plan: &Plan) -> Observed {
    let observation = observe(fleet, plan).await;
    assert!(observation.failures.is_empty(), "{:?}", observation.failures);
    observation.observed
}

async fn apply(fleet: &Fleet, plan: &Plan, run: &str) -> HostResult {
    let observed = observed(fleet, plan).await;
    let (run, stop) = (RunName::new(run).expect("a name"), CancellationToken::new());
    let execution = Execution {
        plan,
        fleet,
        observed: &observed,
        owner: &format!("somebody, run {run}"),
        run: &run,
        blob_file: &|_| Path::new("/nowhere").to_owned(),
        stop: &stop,
        patience: Patience::default(),
    };
    let mut summary = execute(&execution, &|_, _| {}).await;
    summary.hosts.remove(HOST).expect("the host was worked on").result
}

fn actions(changes: &Changes) -> Vec<String> {
    let change = |change: &iec_core::observed::Change| {
        format!("{} {} {}", change.action.mark(), change.step, change.title)
    };
    changes.steps.iter().map(change).collect()
}

fn fleet(sandbox: &Sandbox) -> Fleet {
    Fleet::new([Arc::new(sandbox.host(HOST)) as Arc<dyn Host>])
}

#[tokio::test]
async fn what_is_no_longer_asked_for_is_taken_back_once_and_comes_again() {
    let sandbox = Sandbox::start();
    let fleet = fleet(&sandbox);
    std::fs::write(sandbox.path("b"), "somebody's\n").expect("written");
    let both = plan(&sandbox, &["a", "b"]);
    assert!(matches!(apply(&fleet, &both, "run-1").await, HostResult::Done));
    assert_eq!(std::fs::read_to_string(sandbox.path("b")).expect("a file"), "b\n");

    let one = plan(&sandbox, &["a"]);
    let changes = diff(&one, &observed(&fleet, &one).await);
    assert_eq!(
        actions(&changes),
        [
            "- system.b It's \"b\"",
            "= admission.open It's \"open\"",
            "= system.a It's \"a\""
        ]
    );
    assert!(matches!(apply(&fleet, &one, "run-2").await, HostResult::Done));
    assert_eq!(
        std::fs::read_to_string(sandbox.path("b")).expect("put back"),
        "somebody's\n"
    );
    assert!(sandbox.path("a").exists());
    assert!(diff(&one, &observed(&fleet, &one).await).is_settled());

    // What was taken back is not known as done any more, also where its check says that it is.
    std::fs::write(sandbox.path("b"), "b\n").expect("written");
    let changes = diff(&both, &observed(&fleet, &both).await);
    let b = changes
        .steps
        .iter()
        .find(|change| change.step.as_str() == "system.b");
    assert_eq!(b.map(|change| change.action), Some(Action::Adopt));
    assert!(matches!(apply(&fleet, &both, "run-3").await, HostResult::Done));
    assert!(diff(&both, &observed(&fleet, &both).await).is_settled());
}

/// What only asks comes first: a host that may not be changed keeps what it has.
#[tokio::test]
async fn nothing_is_taken_back_on_a_host_that_may_not_be_changed() {
    let sandbox = Sandbox::start();
    let fleet = fleet(&sandbox);
    let both = plan(&sandbox, &["a", "b"]);
    assert!(matches!(apply(&fleet, &both, "run-1").await, HostResult::Done));
    std::fs::write(sandbox.path("closed"), "").expect("written");
    let one = plan(&sandbox, &["a"]);
    assert!(matches!(
        apply(&fleet, &one, "run-2").await,
        HostResult::Failed { .. }
    ));
    assert!(sandbox.path("b").exists());
}

/// A part that is not all of a host's steps says nothing about the others.
#[tokio::test]
async fn a_part_that_is_not_whole_takes_nothing_back() {
    let sandbox = Sandbox::start();
    let fleet = fleet(&sandbox);
    let both = plan(&sandbox, &["a", "b"]);
    assert!(matches!(apply(&fleet, &both, "run-1").await, HostResult::Done));
    let mut rest = plan(&sandbox, &["c"]);
    rest.hosts[0].whole = false;
    assert!(matches!(apply(&fleet, &rest, "run-2").await, HostResult::Done));
    for name in ["a", "b", "c"] {
        assert!(sandbox.path(name).exists(), "{name}");
    }
}

/// Steps that are recorded and held back are in no part: whoever asks again after a cut must not take them for left over.
#[tokio::test]
async fn what_was_left_out_is_not_taken_back_after_a_lost_connection() {
    let sandbox = Arc::new(Sandbox::start());
    let plain = fleet(&sandbox);
    let both = plan(&sandbox, &["a", "b"]);
    assert!(matches!(apply(&plain, &both, "run-1").await, HostResult::Done));
    let seen = observed(&plain, &plan(&sandbox, &["a", "b", "c"])).await;
    for fault in [Fault::Unreached(0), Fault::LostAfterLine(1)] {
        let host = FaultyHost::new(HOST, Arc::clone(&sandbox), fault);
        let (run, stop) = (RunName::new("run-2").expect("a name"), CancellationToken::new());
        let execution = Execution {
            plan: &plan(&sandbox, &["c"]),
            fleet: &Fleet::new([Arc::new(host) as Arc<dyn Host>]),
            observed: &seen,
            owner: "somebody, run 2",
            run: &run,
            blob_file: &|_| Path::new("/nowhere").to_owned(),
            stop: &stop,
            patience: Patience::default(),
        };
        let summary = execute(&execution, &|_, _| {}).await;
        assert!(
            matches!(summary.hosts[HOST].result, HostResult::Done),
            "{fault:?}"
        );
        for name in ["a", "b", "c"] {
            assert!(sandbox.path(name).exists(), "{fault:?}: {name}");
        }
        std::fs::remove_file(sandbox.path("c")).expect("removed");
    }
}

const SITE: &str = "apiVersion: iec.dev/v1alpha1
kind: Site
metadata: {name: test}
spec:
  release: \"1.36\"
  access: {user: edge}
  hosts: [{name: edge-1, address: 10.0.0.11, role: control-plane}]
";

/// Takes a run back by the host's own journal, and gives the steps that stay.
async fn undo(fleet: &Fleet, target: Target<'_>, run: &str) -> Vec<String> {
    let site = load(SITE, "site.yaml").expect("a site").0;
    let journals = journals(fleet).await.into_iter();
    let journals = journals
        .map(|(host, journal)| (host, journal.expect("readable")))
        .collect();
    let undoing = undoing(&site, &journals, target).expect("there is something");
    let (run, stop) = (RunName::new(run).expect("a name"), CancellationToken::new());
    for stage in &undoing.stages {
        let stage = StageRun {
            stage,
            host: fleet.host(HOST).expect("the host").as_ref(),
            owner: "somebody, undo",
            run: &run,
            stop: &stop,
        };
        let summary = run_stage(&stage, &|_| {}).await;
        assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
    }
    undoing.stays.iter().map(|stays| stays.step.to_string()).collect()
}

#[tokio::test]
async fn a_run_is_taken_back_and_what_it_found_is_there_again() {
    let sandbox = Sandbox::start();
    let fleet = fleet(&sandbox);
    std::fs::write(sandbox.path("b"), "somebody's\n").expect("written");
    let text = |name: &str| std::fs::read_to_string(sandbox.path(name)).expect("a file");
    assert!(matches!(
        apply(&fleet, &plan(&sandbox, &["a"]), "run-1").await,
        HostResult::Done
    ));
    let both = plan(&sandbox, &["a", "b"]);
    assert!(matches!(apply(&fleet, &both, "run-2").await, HostResult::Done));
    assert_eq!(undo(&fleet, Target::LastRun, "undo-1").await, [""; 0]);
    assert_eq!(
        (text("a"), text("b")),
        ("a\n".to_owned(), "somebody's\n".to_owned())
    );

    // A second change of a step stays: the host has what was there before the first one, which is another state.
    let mut other = plan(&sandbox, &["a", "b"]);
    if let Op::File(file) = &mut other.hosts[0].steps[1].op {
        file.content = FileContent::Text("another\n".to_owned());
    }
    assert!(matches!(apply(&fleet, &other, "run-3").await, HostResult::Done));
    assert_eq!(undo(&fleet, Target::Run("run-3"), "undo-2").await, ["system.a"]);
    assert_eq!(
        (text("a"), text("b")),
        ("another\n".to_owned(), "somebody's\n".to_owned())
    );

    // Back to its first step: the whole way.
    assert_eq!(
        undo(&fleet, Target::To("admission.open"), "undo-3").await,
        [""; 0]
    );
    assert!(!sandbox.path("a").exists());
    assert_eq!(text("b"), "somebody's\n");
}

#[tokio::test]
async fn a_host_that_leaves_becomes_bare_and_has_nothing_more_to_take_back() {
    let sandbox = Sandbox::start();
    let fleet = fleet(&sandbox);
    let both = plan(&sandbox, &["a", "b"]);
    assert!(matches!(apply(&fleet, &both, "run-1").await, HostResult::Done));

    let mut gone = plan(&sandbox, &[]);
    gone.hosts.clear();
    gone.leaving = vec![HostName::new(HOST).expect("a name")];
    let found = observed(&fleet, &gone).await;
    let shown = actions(&diff(&gone, &found));
    assert_eq!(shown, ["- system.b It's \"b\"", "- system.a It's \"a\""]);
    let stages = leaving(&found);
    let run = RunName::new("run-2").expect("a name");
    let stage = StageRun {
        stage: &stages[0],
        host: fleet.host(HOST).expect("the host").as_ref(),
        owner: "somebody",
        run: &run,
        stop: &CancellationToken::new(),
    };
    let summary = run_stage(&stage, &|_| {}).await;
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
    assert!(!sandbox.path("a").exists() && !sandbox.path("b").exists());
    let found = observed(&fleet, &gone).await;
    assert!(diff(&gone, &found).is_settled() && leaving(&found).is_empty());
}
