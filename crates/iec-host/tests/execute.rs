//! Executing a plan by the real runner: whatever goes wrong on the way, a host ends in the same state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use iec_core::content::Digest;
use iec_core::event::{Event, Failure};
use iec_core::name::HostName;
use iec_core::observed::Observed;
use iec_core::plan::{
    FileContent, FileOp, HostPart, Op, Phase, Plan, Program, ProgramOwner, SecretName, Step, StepId,
    StoreBlob, Wait,
};
use iec_core::secret::Secret;
use iec_core::site::Role;
use iec_host::{
    Ending, Execution, Fleet, Host, HostError, HostResult, HostSummary, Outcome, Patience, Progress, RunName,
    SshClient, SshTarget, Summary, execute, journals, observe, probe,
};
use iec_sh::{Cmd, Program as Command};
use iec_testkit::{Cable, FakeHost, Fault, FaultyHost, Sandbox, Sshd, User};
use tokio_util::sync::CancellationToken;

const HOST: &str = "edge-1";
const TOOL: &[u8] = b"#!/bin/sh\necho a tool\n";
const SECRET: &str = "seeded-secret-5a1c";

fn step(name: &str, op: Op) -> Step {
    Step {
        id: StepId::new(Phase::System, name),
        phase: Phase::System,
        host: HostName::new(HOST).expect("a name"),
        title: name.to_owned(),
        why: String::new(),
        op,
        pace: iec_core::pace::Pace::ORDINARY,
        estimate_seconds: 0,
    }
}

fn file(path: &Path, mode: u32, content: FileContent) -> Op {
    Op::File(FileOp {
        path: path.display().to_string(),
        mode,
        content,
    })
}

/// A part with a blob, a program, a text, somebody else's file, a secret, and the end of what was sent.
fn part(sandbox: &Sandbox) -> HostPart {
    let blob = StoreBlob {
        digest: Digest::of(TOOL),
        size: TOOL.len() as u64,
        name: "tool".to_owned(),
    };
    let tool = Program {
        path: sandbox.path("bin/tool").display().to_string(),
        digest: blob.digest,
    };
    let line = Op::Line {
        path: sandbox.path("hosts").display().to_string(),
        line: "10.0.0.1 api".to_owned(),
        tag: "# IEC".to_owned(),
    };
    let steps = vec![
        step(
            "store",
            Op::Store {
                blobs: vec![blob.clone()],
            },
        ),
        step(
            "tool",
            Op::Programs {
                programs: vec![tool],
                owner: ProgramOwner::Iec,
            },
        ),
        step(
            "text",
            file(
                &sandbox.path("etc/text"),
                0o644,
                FileContent::Text("it's a 'text'\n".to_owned()),
            ),
        ),
        step("line", line),
        step(
            "key",
            file(
                &sandbox.path("etc/key"),
                0o600,
                FileContent::Secret(SecretName::ClusterCaKey),
            ),
        ),
        step("forget", Op::Forget),
    ];
    HostPart {
        host: HostName::new(HOST).expect("a name"),
        role: Role::ControlPlane,
        steps,
        blobs: vec![blob],
        secrets: BTreeMap::from([(SecretName::ClusterCaKey, Secret::new(SECRET.to_owned()))]),
        assumed: Vec::new(),
        whole: true,
    }
}

fn plan(parts: Vec<HostPart>) -> Plan {
    Plan {
        site: "test".to_owned(),
        site_id: "0".to_owned(),
        token_id: "abcdef".to_owned(),
        release: "1.36".to_owned(),
        hosts: parts,
        after_joins: None,
        leaving: Vec::new(),
        warnings: Vec::new(),
        accepted: Vec::new(),
    }
}

/// A plan's execution with what it needs, quick in its retries.
struct Trial {
    plan: Plan,
    fleet: Fleet,
    blob: PathBuf,
    run: RunName,
    stop: CancellationToken,
    seen: Mutex<Vec<Progress>>,
}

impl Trial {
    fn new(part: HostPart, host: Arc<dyn Host>, folder: &Path, run: &str) -> Self {
        let blob = folder.join("blob");
        std::fs::write(&blob, TOOL).expect("written");
        Self {
            plan: plan(vec![part]),
            fleet: Fleet::new([host]),
            blob,
            run: RunName::new(run).expect("a name"),
            stop: CancellationToken::new(),
            seen: Mutex::default(),
        }
    }

    async fn execute(&self, observed: &Observed) -> HostSummary {
        let execution = Execution {
            plan: &self.plan,
            fleet: &self.fleet,
            observed,
            owner: &format!("somebody, run {}", self.run),
            run: &self.run,
            blob_file: &|_| self.blob.clone(),
            stop: &self.stop,
            patience: Patience {
                away: Duration::from_secs(30),
                first_delay: Duration::from_millis(10),
                longest_delay: Duration::from_millis(100),
                in_vain: Duration::from_millis(100),
            },
        };
        let sink = |_: &str, progress| self.seen.lock().expect("not poisoned").push(progress);
        let mut summary = execute(&execution, &sink).await;
        summary.hosts.remove(HOST).expect("the host was worked on")
    }

    async fn observe(&self) -> Observed {
        let observation = observe(&self.fleet, &self.plan).await;
        assert!(observation.failures.is_empty(), "{:?}", observation.failures);
        observation.observed
    }

    fn events(&self) -> Vec<Event> {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter()
            .filter_map(|progress| match progress {
                Progress::Event(event) => Some(event.clone()),
                _ => None,
            })
            .collect()
    }
}

/// Everything by which two ends can differ: files with modes and content, what was sent, and the last word on each step.
async fn state(sandbox: &Sandbox) -> String {
    let root = sandbox.path("");
    let look = "cd \"$1\" && find . ! -name . -exec stat -c '%n %F %a %U' {} + | sort\n\
        find . -type f -exec sha256sum {} + | sort\n\
        cd /var/lib/iec && find incoming store | sort";
    let found = sandbox.inside("/bin/sh", &["-c", look, "sh", &root.display().to_string()]);
    assert!(
        found.status.success(),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
    let mut text = String::from_utf8(found.stdout).expect("plain names");
    let fleet = Fleet::new([Arc::new(sandbox.host(HOST)) as Arc<dyn Host>]);
    let journal = journals(&fleet)
        .await
        .remove(HOST)
        .expect("asked")
        .expect("readable");
    let last: BTreeMap<_, _> = journal
        .records
        .iter()
        .filter_map(|record| Some((record.step.to_string(), record.outcome.clone()?)))
        .collect();
    // A power cut between act and record leaves a step that is done and unrecorded: it is adopted then.
    for (step, outcome) in last {
        assert!(
            ["changed", "adopted"].contains(&outcome.as_str()),
            "{step}: {outcome}"
        );
        text += &format!("{step} is recorded\n");
    }
    text
}

fn foreign_file(sandbox: &Sandbox) {
    std::fs::write(sandbox.path("hosts"), "127.0.0.1 localhost\n").expect("written");
}

/// Executes with one fault and gives the summary and the host.
async fn with_fault(sandbox: &Arc<Sandbox>, folder: &Path, fault: Fault) -> (HostSummary, Arc<FaultyHost>) {
    sandbox.wipe();
    foreign_file(sandbox);
    let host = Arc::new(FaultyHost::new(HOST, Arc::clone(sandbox), fault));
    let trial = Trial::new(part(sandbox), Arc::clone(&host) as Arc<dyn Host>, folder, "run-1");
    let summary = trial.execute(&Observed::default()).await;
    (summary, host)
}

#[tokio::test]
async fn a_part_is_executed_once_and_a_second_run_touches_nothing() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    foreign_file(&sandbox);
    let host = Arc::new(FaultyHost::new(HOST, Arc::clone(&sandbox), Fault::None));
    let first = Trial::new(
        part(&sandbox),
        Arc::clone(&host) as Arc<dyn Host>,
        folder.path(),
        "run-1",
    );
    let observed = first.observe().await;
    let summary = first.execute(&observed).await;
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
    assert_eq!((summary.changed, summary.adopted, summary.unchanged), (6, 0, 0));
    assert_eq!(summary.sent, (TOOL.len() + SECRET.len()) as u64);
    assert_eq!(first.events().last(), Some(&Event::End { code: 0 }));
    assert_eq!(
        host.calls(),
        5,
        "observe, what has come, the lock, the payload, the part"
    );
    assert_eq!(
        std::fs::read_to_string(sandbox.path("etc/key")).expect("a key"),
        SECRET
    );

    let second = Trial::new(
        part(&sandbox),
        Arc::clone(&host) as Arc<dyn Host>,
        folder.path(),
        "run-2",
    );
    let observed = second.observe().await;
    let before = host.calls();
    let summary = second.execute(&observed).await;
    assert!(matches!(summary.result, HostResult::Done));
    assert_eq!((summary.changed, summary.unchanged, summary.sent), (0, 6, 0));
    assert_eq!(host.calls(), before, "a settled host is not touched");
}

#[tokio::test]
async fn what_came_before_is_not_sent_again_once_it_is_proved_right() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let whole = TOOL.len();
    let spoiled = [b"?", &TOOL[1..9]].concat();
    let too_long = [TOOL, b"more"].concat();
    let wrong = vec![b'x'; whole];
    let cases: [(&str, &[u8], usize); 7] = [
        ("nothing of it", b"", whole),
        ("its beginning", &TOOL[..9], whole - 9),
        ("all but a byte", &TOOL[..whole - 1], 1),
        ("all", TOOL, 0),
        ("a spoiled beginning", &spoiled, whole),
        ("as many bytes of something else", &wrong, whole),
        ("more than it has", &too_long, whole),
    ];
    for (what, there, sent) in cases {
        sandbox.wipe();
        foreign_file(&sandbox);
        let come = sandbox.path("come");
        std::fs::write(&come, there).expect("written");
        let put = "mkdir -p /var/lib/iec/incoming && cp \"$1\" \"/var/lib/iec/incoming/$2\" && rm \"$1\"";
        let (come, name) = (come.display().to_string(), Digest::of(TOOL).hex());
        let put = sandbox.inside("/bin/sh", &["-c", put, "sh", &come, &name]);
        assert!(put.status.success(), "{put:?}");
        let host: Arc<dyn Host> = Arc::new(sandbox.host(HOST));
        let trial = Trial::new(part(&sandbox), host, folder.path(), "run-1");
        let summary = trial.execute(&Observed::default()).await;
        assert!(
            matches!(summary.result, HostResult::Done),
            "{what}: {:?}",
            summary.result
        );
        assert_eq!(summary.sent, (sent + SECRET.len()) as u64, "{what}");
    }
}

#[tokio::test]
async fn a_transfer_that_is_cut_goes_on_where_it_was() {
    const SIZE: u64 = 24 << 20;
    let sshd = Sshd::start();
    let cable = Cable::to(sshd.port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let target = SshTarget {
        port: Some(cable.port()),
        ..sshd.target(User::Fish)
    };
    let host: Arc<dyn Host> = Arc::new(SshClient::new(sshd.settings()).host(HOST, target));
    // Not to be compressed, and the same each time.
    let content: Vec<u8> = (0..SIZE / 32).flat_map(chance).collect();
    let blob = StoreBlob {
        digest: Digest::of(&content),
        size: SIZE,
        name: "large".to_owned(),
    };
    let store = step(
        "store",
        Op::Store {
            blobs: vec![blob.clone()],
        },
    );
    let part = HostPart {
        steps: vec![store, step("forget", Op::Forget)],
        blobs: vec![blob.clone()],
        ..waiting_part(folder.path())
    };
    let trial = Trial::new(part, host, folder.path(), "run-1");
    std::fs::write(&trial.blob, &content).expect("written");
    let stored = || {
        let size = format!("stat -c %s /var/lib/iec/incoming/{} || echo 0", blob.digest.hex());
        let said = sshd.inside("/bin/sh", &["-c", &size]).stdout;
        String::from_utf8_lossy(&said)
            .trim()
            .parse::<u64>()
            .expect("a number")
    };
    let meddle = async {
        let mut kept = Vec::new();
        for enough in [SIZE / 4, SIZE / 2] {
            while cable.carried() < enough {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            cable.cut();
            tokio::time::sleep(Duration::from_millis(300)).await;
            kept.push(stored());
            cable.mend();
        }
        kept
    };
    let nothing = Observed::default();
    let (summary, kept) = tokio::join!(trial.execute(&nothing), meddle);
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
    assert!(0 < kept[0] && kept[0] < kept[1] && kept[1] < SIZE, "{kept:?}");
    // What was on its way when the cable was cut is lost, each time; nothing else is sent twice.
    let again = cable.carried() - SIZE;
    assert!(
        again < 6 << 20,
        "{again} bytes of {SIZE} went twice; {kept:?} were there"
    );
    let left = sshd.inside(
        "/bin/sh",
        &["-c", "find /var/lib/iec/incoming -mindepth 1 ! -name secrets"],
    );
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

/// 32 bytes that look like chance.
fn chance(number: u64) -> Vec<u8> {
    let hex = Digest::of(&number.to_le_bytes()).hex();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..64).step_by(2).map(byte).collect()
}

#[tokio::test]
async fn after_any_fault_the_host_ends_in_the_same_state() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let (summary, host) = with_fault(&sandbox, folder.path(), Fault::None).await;
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
    let expected = state(&sandbox).await;
    assert!(expected.contains("system.forget is recorded"));
    let (calls, lines) = (host.calls(), host.lines());
    assert!(calls >= 4 && lines >= 14, "{calls} calls, {lines} lines");

    let of_calls = (0..calls).flat_map(|call| [Fault::Unreached(call), Fault::Unanswered(call)]);
    let of_lines = (1..=lines).flat_map(|line| [Fault::LostAfterLine(line), Fault::PowerCutAfterLine(line)]);
    for fault in of_calls.chain(of_lines) {
        let (summary, host) = with_fault(&sandbox, folder.path(), fault).await;
        let last_word = [Fault::LostAfterLine(lines), Fault::PowerCutAfterLine(lines)].contains(&fault);
        assert!(last_word || host.calls() > calls, "{fault:?} went unnoticed");
        assert!(
            matches!(summary.result, HostResult::Done),
            "{fault:?}: {:?}",
            summary.result
        );
        assert_eq!(
            summary.changed + summary.adopted + summary.unchanged,
            6,
            "{fault:?}"
        );
        assert_eq!(state(&sandbox).await, expected, "{fault:?}");
    }
}

/// A part whose only step waits for a file.
fn waiting_part(folder: &Path) -> HostPart {
    let gate = folder.join("gate").display().to_string();
    let wait = Wait {
        what: "the gate is open".to_owned(),
        ask: Cmd::new(Command::Test).words(["-e", gate.as_str()]).into(),
        unless: None,
        every_seconds: 1,
        deadline_seconds: 60,
        units: vec![],
        explains: vec![],
    };
    let text = file(
        &folder.join("after"),
        0o644,
        FileContent::Text("after\n".to_owned()),
    );
    HostPart {
        host: HostName::new(HOST).expect("a name"),
        role: Role::ControlPlane,
        steps: vec![step("wait", Op::Wait(wait)), step("after", text)],
        blobs: Vec::new(),
        secrets: BTreeMap::new(),
        assumed: Vec::new(),
        whole: true,
    }
}

/// Waits until the trial's host has begun a step.
async fn begun(trial: &Trial) {
    while !trial
        .events()
        .iter()
        .any(|event| matches!(event, Event::Started { .. }))
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_second_run_at_the_same_time_is_refused_and_names_the_owner() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let host: Arc<dyn Host> = Arc::new(sandbox.host(HOST));
    let first = Trial::new(
        waiting_part(&sandbox.path("")),
        Arc::clone(&host),
        folder.path(),
        "run-1",
    );
    let second = Trial::new(part(&sandbox), host, folder.path(), "run-2");
    let nothing = Observed::default();
    let intrude = async {
        begun(&first).await;
        let probed = probe(&second.fleet, None).await;
        let lock = probed.facts.host(HOST).expect("facts").previous.lock.clone();
        let lock = lock.expect("a run is at work");
        assert_eq!(lock.owner.trim(), "somebody, run run-1");
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        let since = lock
            .since
            .and_then(|since| u64::try_from(since).ok())
            .expect("a time");
        assert!(now.as_secs().abs_diff(since) < 120, "{since}");
        // With and without having asked before, and nothing may be sent.
        let observed = second.observe().await;
        for observed in [&observed, &nothing] {
            let summary = second.execute(observed).await;
            match &summary.result {
                HostResult::Locked { owner } => assert_eq!(owner, "somebody, run run-1"),
                other => panic!("{other:?}"),
            }
            assert_eq!(summary.sent, 0);
        }
        std::fs::write(sandbox.path("gate"), "").expect("written");
    };
    let (summary, ()) = tokio::join!(first.execute(&nothing), intrude);
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
}

#[tokio::test]
async fn the_wish_to_stop_is_heard_in_a_wait() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let host: Arc<dyn Host> = Arc::new(sandbox.host(HOST));
    let trial = Trial::new(
        waiting_part(&sandbox.path("")),
        Arc::clone(&host),
        folder.path(),
        "run-1",
    );
    let nothing = Observed::default();
    let stop = async {
        begun(&trial).await;
        trial.stop.cancel();
    };
    let (summary, ()) = tokio::join!(trial.execute(&nothing), stop);
    match summary.result {
        HostResult::Stopped { before: Some(step) } => assert_eq!(step.as_str(), "system.wait"),
        other => panic!("{other:?}"),
    }
    assert_eq!(summary.changed, 0);
    assert!(!sandbox.path("after").exists());
    // A host that had not begun does not begin, and a new run goes on.
    assert!(matches!(
        trial.execute(&nothing).await.result,
        HostResult::Stopped { before: None }
    ));
    std::fs::write(sandbox.path("gate"), "").expect("written");
    let again = Trial::new(waiting_part(&sandbox.path("")), host, folder.path(), "run-2");
    let summary = again.execute(&nothing).await;
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
}

#[tokio::test]
async fn the_wish_to_stop_does_not_cut_a_change_off_that_waits_to_be_accepted() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let host: Arc<dyn Host> = Arc::new(sandbox.host(HOST));
    let trial = Trial::new(waiting_part(&sandbox.path("")), host, folder.path(), "run-1");
    let kept = "mkdir -p /var/lib/iec/former && : >/var/lib/iec/former/kube-apiserver.yaml";
    assert!(sandbox.inside("/bin/sh", &["-c", kept]).status.success());
    let nothing = Observed::default();
    let stop = async {
        begun(&trial).await;
        trial.stop.cancel();
        // Long enough for two questions of the wait after the wish is there.
        let wish = ["-e", "/var/lib/iec/incoming/stop-run-1"];
        while !sandbox.inside("/usr/bin/test", &wish).status.success() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(2500)).await;
        std::fs::write(sandbox.path("gate"), "").expect("written");
    };
    let (summary, ()) = tokio::join!(trial.execute(&nothing), stop);
    match summary.result {
        HostResult::Stopped { before: Some(step) } => assert_eq!(step.as_str(), "system.after"),
        other => panic!("{other:?}"),
    }
    assert_eq!(summary.changed, 1, "the step under way came to its end");
}

#[tokio::test]
async fn a_worker_does_not_wait_for_a_control_plane_that_gave_up() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let worker: Arc<dyn Host> = Arc::new(sandbox.host(HOST));
    let mut trial = Trial::new(waiting_part(&sandbox.path("")), worker, folder.path(), "run-1");
    trial.plan.hosts[0].role = Role::Worker;
    let other = Arc::new(Sandbox::start());
    let mut control_plane = part(&other);
    control_plane.host = HostName::new("edge-0").expect("a name");
    trial.plan.hosts.push(control_plane);
    std::fs::create_dir(other.path("etc")).expect("a folder");
    std::os::unix::fs::symlink("/nowhere", other.path("etc/text")).expect("a link");
    let hosts: [Arc<dyn Host>; 2] = [Arc::new(sandbox.host(HOST)), Arc::new(other.host("edge-0"))];
    trial.fleet = Fleet::new(hosts);
    let summary = trial.execute(&Observed::default()).await;
    match summary.result {
        HostResult::Stopped { before: Some(step) } => assert_eq!(step.as_str(), "system.wait"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_step_that_fails_stops_its_host_and_says_why() {
    let sandbox = Arc::new(Sandbox::start());
    let folder = tempfile::tempdir().expect("a folder");
    let host: Arc<dyn Host> = Arc::new(sandbox.host(HOST));
    // A link in the way of a file step cannot be judged by its check.
    std::fs::create_dir(sandbox.path("etc")).expect("a folder");
    std::os::unix::fs::symlink("/nowhere", sandbox.path("etc/text")).expect("a link");
    foreign_file(&sandbox);
    let trial = Trial::new(part(&sandbox), host, folder.path(), "run-1");
    let summary = trial.execute(&Observed::default()).await;
    match summary.result {
        HostResult::Failed {
            step,
            reason: Failure::Unknown,
            ..
        } => assert_eq!(step.as_str(), "system.text"),
        other => panic!("{other:?}"),
    }
    assert!(!sandbox.path("etc/key").exists());
}

#[tokio::test]
async fn a_full_disk_is_told_from_a_lost_connection() {
    let sandbox = Arc::new(Sandbox::with_space(64));
    let folder = tempfile::tempdir().expect("a folder");
    let trial = Trial::new(
        part(&sandbox),
        Arc::new(sandbox.host(HOST)),
        folder.path(),
        "run-1",
    );
    std::fs::write(&trial.blob, vec![1; 1 << 20]).expect("written");
    let mut large = trial.plan.hosts[0].clone();
    large.blobs[0].size = 1 << 20;
    let trial = Trial {
        plan: plan(vec![large]),
        ..trial
    };
    let summary = trial.execute(&Observed::default()).await;
    match summary.result {
        HostResult::NotStored { output, .. } => assert!(output.contains("tar: "), "{output}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn control_planes_go_first_and_no_more_hosts_at_once_than_allowed() {
    let names = ["worker-1", "worker-2", "control-1"];
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut hosts: Vec<Arc<dyn Host>> = Vec::new();
    let mut parts = Vec::new();
    let sandbox_free = |name: &str| HostPart {
        host: HostName::new(name).expect("a name"),
        role: if name.starts_with("control") {
            Role::ControlPlane
        } else {
            Role::Worker
        },
        steps: vec![step(
            "text",
            file(Path::new("/x"), 0o644, FileContent::Text(String::new())),
        )],
        blobs: Vec::new(),
        secrets: BTreeMap::new(),
        assumed: Vec::new(),
        whole: true,
    };
    for name in names {
        let order = Arc::clone(&order);
        parts.push(sandbox_free(name));
        hosts.push(Arc::new(FakeHost::new(name, move |script| {
            if script.contains("iec_step 0") {
                order.lock().expect("not poisoned").push(name);
                FakeHost::says(&["iec\tchanged\tsystem.text\t5", "iec\tend\t0"])
            } else if script.contains("iec_observe 0") {
                FakeHost::says(&["iec\tobserved\tsystem.text\tneeded\tnew\t", "iec\tend\t0"])
            } else {
                FakeHost::says(&["iec\tend\t0"])
            }
        })));
    }
    let plan = plan(parts);
    let fleet = Fleet::new(hosts).parallel(1);
    let summary = run(&plan, &fleet).await;
    assert!(summary.is_done(), "{summary:?}");
    assert_eq!(
        *order.lock().expect("not poisoned"),
        ["control-1", "worker-1", "worker-2"]
    );
}

async fn run(plan: &Plan, fleet: &Fleet) -> Summary {
    let run = RunName::new("run-1").expect("a name");
    let execution = Execution {
        plan,
        fleet,
        observed: &Observed::default(),
        owner: "somebody",
        run: &run,
        blob_file: &|_| PathBuf::new(),
        stop: &CancellationToken::new(),
        patience: Patience::default(),
    };
    execute(&execution, &|_, _| {}).await
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_away_is_given_up_in_the_end_and_one_that_is_wrong_at_once() {
    let away = || HostError::Refused {
        address: "10.0.0.1:22".to_owned(),
    };
    let wrong = || HostError::SudoPasswordWrong {
        user: "edge".to_owned(),
    };
    for (error, at_least) in [(away as fn() -> HostError, 20), (wrong as fn() -> HostError, 1)] {
        let host = Arc::new(FakeHost::new(HOST, move |_| {
            (Vec::new(), Outcome::new(Ending::NeverRan(error()), String::new()))
        }));
        let part = HostPart {
            host: HostName::new(HOST).expect("a name"),
            role: Role::Worker,
            steps: Vec::new(),
            blobs: Vec::new(),
            secrets: BTreeMap::new(),
            assumed: Vec::new(),
            whole: true,
        };
        let fleet = Fleet::new([Arc::clone(&host) as Arc<dyn Host>]);
        let started = tokio::time::Instant::now();
        let summary = run(&plan(vec![part]), &fleet).await;
        assert!(
            matches!(&summary.hosts[HOST].result, HostResult::Unknown(_)),
            "{summary:?}"
        );
        let asked = host.scripts().len();
        assert!(asked >= at_least && (at_least > 1 || asked == 1), "{asked}");
        assert!(started.elapsed() <= Duration::from_secs(600));
    }
}

#[tokio::test]
async fn a_host_goes_on_alone_over_a_broken_link_and_is_waited_for() {
    let sshd = Sshd::start();
    let folder = tempfile::tempdir().expect("a folder");
    let client = SshClient::new(sshd.settings());
    let host: Arc<dyn Host> = Arc::new(client.host(HOST, sshd.target(User::Fish)));
    let trial = Trial::new(waiting_part(&sshd.path("")), host, folder.path(), "run-1");
    let saw = |wanted: fn(&Progress) -> bool| trial.seen.lock().expect("not poisoned").iter().any(wanted);
    let nothing = Observed::default();
    let meddle = async {
        begun(&trial).await;
        sshd.cut_connections();
        while !saw(|progress| *progress == Progress::Alone) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Nobody listens when the step ends, and the next one is done all the same.
        std::fs::write(sshd.path("gate"), "").expect("written");
    };
    let (summary, ()) = tokio::join!(trial.execute(&nothing), meddle);
    assert!(matches!(summary.result, HostResult::Done), "{:?}", summary.result);
    assert!(saw(|progress| matches!(progress, Progress::Away { .. })));
    assert_eq!(
        summary.changed + summary.adopted + summary.unchanged,
        2,
        "{summary:?}"
    );
    assert_eq!(
        std::fs::read_to_string(sshd.path("after")).expect("written alone"),
        "after\n"
    );
    let journal = journals(&trial.fleet)
        .await
        .remove(HOST)
        .expect("asked")
        .expect("readable");
    let outcomes: Vec<_> = journal
        .records
        .iter()
        .filter_map(|record| record.outcome.as_deref())
        .collect();
    assert_eq!(outcomes, ["changed", "changed"], "one run did it all");
    assert!(
        !trial
            .events()
            .iter()
            .any(|event| matches!(event, Event::Locked { .. }))
    );
}
