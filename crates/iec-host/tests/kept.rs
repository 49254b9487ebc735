//! What a host keeps of each step for those who look later: whose run it was, its commands, and what they printed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use iec_core::name::HostName;
use iec_core::observed::Observed;
use iec_core::output::OutputOf;
use iec_core::plan::{FileContent, FileOp, HostPart, Op, Phase, Plan, SecretName, Step, StepId};
use iec_core::runs::attempts;
use iec_core::secret::Secret;
use iec_core::site::Role;
use iec_host::{Execution, Fleet, Host, HostResult, Patience, RunName, execute, journals, outputs};
use iec_testkit::Sandbox;
use tokio_util::sync::CancellationToken;

const HOST: &str = "edge-1";
const OWNER: &str = "iec apply by \"alice\"@it's\\shed";
const SECRET: &str = "-----BEGIN PRIVATE KEY-----\nvery\n-----END PRIVATE KEY-----\n";

fn file(path: &Path, name: &str, content: FileContent) -> Step {
    Step {
        id: StepId::new(Phase::System, name),
        phase: Phase::System,
        host: HostName::new(HOST).expect("a name"),
        title: format!("Write {name}"),
        why: String::new(),
        op: Op::File(FileOp {
            path: path.join(name).display().to_string(),
            mode: 0o600,
            content,
        }),
        pace: iec_core::pace::Pace::ORDINARY,
        estimate_seconds: 0,
    }
}

async fn apply(fleet: &Fleet, steps: Vec<Step>) -> HostResult {
    let plan = Plan {
        site: "test".to_owned(),
        site_id: "0".to_owned(),
        token_id: "abcdef".to_owned(),
        release: "1.36".to_owned(),
        hosts: vec![HostPart {
            host: HostName::new(HOST).expect("a name"),
            role: Role::ControlPlane,
            steps,
            blobs: Vec::new(),
            secrets: BTreeMap::from([(SecretName::ClusterCaKey, Secret::new(SECRET.to_owned()))]),
            assumed: Vec::new(),
            whole: true,
        }],
        after_joins: None,
        leaving: Vec::new(),
        warnings: Vec::new(),
        accepted: Vec::new(),
    };
    let (run, stop) = (RunName::new("r-1").expect("a name"), CancellationToken::new());
    let execution = Execution {
        plan: &plan,
        fleet,
        observed: &Observed::default(),
        owner: OWNER,
        run: &run,
        blob_file: &|_| Path::new("/nowhere").to_owned(),
        stop: &stop,
        patience: Patience::default(),
    };
    let mut summary = execute(&execution, &|_, _| {}).await;
    summary.hosts.remove(HOST).expect("the host was worked on").result
}

#[tokio::test]
async fn a_step_can_be_looked_at_later_and_shows_no_secret() {
    let sandbox = Sandbox::start();
    let fleet = Fleet::new([Arc::new(sandbox.host(HOST)) as Arc<dyn Host>]);
    let root = sandbox.path("");
    // Where a folder is in its place, the step fails and says why.
    std::fs::create_dir(root.join("taken")).expect("made");
    let long = "a line\n".repeat(100);
    let result = apply(
        &fleet,
        vec![
            file(&root, "long", FileContent::Text(long)),
            file(&root, "key", FileContent::Secret(SecretName::ClusterCaKey)),
            file(&root, "taken", FileContent::Text("text\n".to_owned())),
        ],
    )
    .await;
    assert!(matches!(result, HostResult::Failed { .. }), "{result:?}");

    let journal = journals(&fleet)
        .await
        .remove(HOST)
        .expect("asked")
        .expect("readable");
    assert!(journal.damaged.is_empty(), "{journal:?}");
    let by: Vec<&str> = journal
        .records
        .iter()
        .filter_map(|record| record.by.as_deref())
        .collect();
    assert_eq!(by, [OWNER], "once in a run");
    let commands = |name: &str| {
        let found = attempts(&journal, &StepId::new(Phase::System, name));
        let intent = found
            .last()
            .and_then(|attempt| attempt.intent)
            .expect("it was begun");
        intent.commands.clone().expect("they are recorded")
    };
    assert!(commands("long").contains("(700 bytes)"), "{}", commands("long"));
    assert!(
        commands("key").contains("/var/lib/iec/incoming/secrets/"),
        "{}",
        commands("key")
    );
    let text = serde_json::to_string(&journal.records).expect("text keys");
    assert!(!text.contains("very"), "{text}");
    assert_eq!(journal.undo().len(), 3, "each is taken back by its own record");

    let kept = |name: &str| {
        let (fleet, step) = (&fleet, StepId::new(Phase::System, name));
        async move {
            outputs(fleet, &step)
                .await
                .remove(HOST)
                .expect("asked")
                .expect("readable")
        }
    };
    let failed = kept("taken").await;
    let output = failed
        .iter()
        .find(|output| output.of == OutputOf::Apply)
        .expect("it said why");
    assert!(output.text.contains("taken"), "{output:?}");
    assert_eq!(output.size, u64::try_from(output.text.len()).expect("short"));
    assert!(
        kept("key").await.is_empty(),
        "of what handles a secret nothing is kept"
    );
    assert!(kept("nothing").await.is_empty());
}
