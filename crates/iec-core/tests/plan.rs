//! Plans of the example sites: what is in them, what must never be, and that every shell can read their scripts.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed plans and runs real shells over the scripts"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use iec_core::plan::{Op, Plan, Undo, lower};
use iec_core::site::{Role, SiteHost};
use iec_sh::Mode;
use support::{SEEDED_SECRET, facts, plain_host, plan_of, site, site_names, sites, try_plan_of};

fn plans() -> Vec<(String, Plan)> {
    site_names()
        .into_iter()
        .map(|name| {
            let site = site(&name);
            let plan = plan_of(&site, &facts(&site, plain_host));
            (name, plan)
        })
        .collect()
}

/// `sites/*/plan.txt` is the plan as a table; `IEC_BLESS=1 cargo test` writes it anew.
#[test]
fn the_plans_of_the_example_sites_are_as_committed() {
    for (name, plan) in plans() {
        let mut text = String::new();
        for part in &plan.hosts {
            let _ = writeln!(text, "{} ({})", part.host, part.role);
            for step in &part.steps {
                let _ = writeln!(text, "  {:36} {}", step.id.as_str(), step.title);
            }
        }
        let path = sites().join(&name).join("plan.txt");
        if std::env::var_os("IEC_BLESS").is_some() {
            std::fs::write(&path, &text).expect("the plan is written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, committed,
            "{name}: run IEC_BLESS=1 cargo test -p iec-core --test plan and read the difference"
        );
    }
}

#[test]
fn ids_are_unique_and_plain() {
    for (name, plan) in plans() {
        for part in &plan.hosts {
            let ids: BTreeSet<&str> = part.steps.iter().map(|step| step.id.as_str()).collect();
            assert_eq!(ids.len(), part.steps.len(), "{name} {}", part.host);
            for id in ids {
                assert!(
                    id.bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b)),
                    "{id}"
                );
            }
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_plan() {
    for ((name, one), (_, two)) in plans().into_iter().zip(plans()) {
        assert!(one == two, "{name}");
    }
}

/// Rule 2 of the design: a control plane that waited for a worker could never be installed alone.
#[test]
fn no_control_plane_waits_for_a_worker() {
    for (name, plan) in plans() {
        let workers: Vec<&str> = plan
            .hosts
            .iter()
            .filter(|part| part.role == Role::Worker)
            .map(|part| part.host.as_str())
            .collect();
        for part in plan.hosts.iter().filter(|part| part.role == Role::ControlPlane) {
            for step in part.steps.iter().filter(|step| matches!(step.op, Op::Wait(_))) {
                let text = format!("{:?}", lower(step));
                assert!(
                    !workers.iter().any(|worker| text.contains(worker)),
                    "{name}: {} names a worker",
                    step.id
                );
            }
        }
    }
}

#[test]
fn every_step_has_a_check_and_says_how_it_is_taken_back() {
    for (name, plan) in plans() {
        for part in &plan.hosts {
            let ids: BTreeSet<&str> = part.steps.iter().map(|step| step.id.as_str()).collect();
            for step in &part.steps {
                let lowered = lower(step);
                assert!(!lowered.check.is_empty(), "{name}: {}", step.id);
                assert!(
                    !step.why.is_empty() && !step.title.ends_with('.'),
                    "{name}: {}",
                    step.id
                );
                match lowered.undo {
                    Undo::Commands(commands) => assert!(!commands.is_empty(), "{}", step.id),
                    Undo::CoveredBy(other) => {
                        let worker = other.replace("control-plane.", "join.");
                        let control_plane = other.replace("join.", "control-plane.");
                        assert!(
                            ids.contains(other)
                                || ids.contains(worker.as_str())
                                || ids.contains(control_plane.as_str()),
                            "{name}: {} is covered by {other}, which is not in the plan",
                            step.id
                        );
                    }
                    Undo::Nothing | Undo::Irreversible(_) => {}
                }
            }
        }
    }
}

/// Rule 11 of the design.
#[test]
fn no_script_and_no_step_shows_a_secret() {
    for (name, plan) in plans() {
        for part in &plan.hosts {
            let script = part.script("alice@laptop", "run-1", Mode::Apply)
                + &part.script("test", "run", Mode::Observe);
            assert!(!script.contains(SEEDED_SECRET), "{name} {}", part.host);
            assert!(
                !format!("{:?}", part.lowered()).contains(SEEDED_SECRET),
                "{name} {}",
                part.host
            );
            assert!(!part.secrets.is_empty());
        }
    }
}

/// Pods have their addresses from where Calico has its data: an empty datastore would give them out a second time.
#[test]
fn calicos_datastore_stays_where_it_is() {
    let installed = |etcd: bool| {
        move |host: &SiteHost| {
            let mut facts = plain_host(host);
            facts.previous.value_mut().site = Some("depot-12".to_owned());
            let cluster = facts.cluster.value_mut();
            cluster.cni_files = vec!["10-calico.conflist".to_owned()];
            cluster.kubernetes_files = vec!["manifests/etcd.yaml".to_owned()];
            if etcd {
                cluster
                    .kubernetes_files
                    .push("manifests/calico-etcd.yaml".to_owned());
            }
            facts
        }
    };
    for (name, etcd, allowed) in [
        ("calico-etcd", true, true),
        ("calico-etcd", false, false),
        ("single-host", true, false),
        ("single-host", false, true),
    ] {
        let site = site(name);
        let planned = try_plan_of(&site, &facts(&site, installed(etcd)));
        match planned {
            Ok(_) => assert!(allowed, "{name}"),
            Err(problems) => {
                assert!(!allowed, "{name}: {problems}");
                assert!(problems.to_string().contains("IEC3007"), "{problems}");
            }
        }
    }
}

/// Keys of authorities go to control planes only.
#[test]
fn workers_get_no_key() {
    for (_, plan) in plans() {
        for part in plan.hosts.iter().filter(|part| part.role == Role::Worker) {
            let script = part.script("alice@laptop", "run-1", Mode::Apply);
            assert!(!script.contains("ca.key") && !script.contains("sa.key"));
            assert_eq!(part.secrets.len(), 1);
        }
    }
}

#[test]
fn a_script_that_only_asks_is_small() {
    for (name, plan) in plans() {
        for part in &plan.hosts {
            let size = part.script("alice@laptop", "run-1", Mode::Observe).len();
            assert!(size <= 64 * 1024, "{name} {}: {size} bytes", part.host);
        }
    }
}

#[test]
fn every_shell_reads_the_scripts() {
    let (_, plan) = plans()
        .into_iter()
        .find(|(name, _)| name == "three-hosts")
        .unwrap();
    for part in &plan.hosts {
        for mode in [Mode::Apply, Mode::Observe] {
            let script = part.script("alice@laptop", "run-1", mode);
            for shell in [
                &["dash", "-n"][..],
                &["bash", "--posix", "-n"],
                &["busybox", "sh", "-n"],
            ] {
                check(shell, &script);
            }
        }
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let (_, plan) = plans()
        .into_iter()
        .find(|(name, _)| name == "three-hosts")
        .unwrap();
    for part in &plan.hosts {
        for mode in [Mode::Apply, Mode::Observe] {
            // 2329: functions are called by composed names. 2016: words in single quotes are meant so.
            // 2034: one prelude serves both modes. 2015: `a && b || c` groups are printed with their meaning kept.
            check(
                &[
                    "shellcheck",
                    "-s",
                    "sh",
                    "-e",
                    "SC2329,SC2317,SC2016,SC2034,SC2015",
                    "-",
                ],
                &part.script("alice@laptop", "run-1", mode),
            );
        }
    }
}

fn check(command: &[&str], script: &str) {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; apt-get install dash bash busybox shellcheck",
                command[0]
            )
        });
    let mut input = child.stdin.take().expect("a piped standard input");
    input.write_all(script.as_bytes()).expect("the shell reads");
    drop(input);
    let output = child.wait_with_output().expect("the shell ends");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text.chars().take(3000).collect::<String>()
    );
}
