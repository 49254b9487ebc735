//! Ansible's files of the example sites: a task for each step, by the one runner, and no secret in any of them.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the example sites and runs shells"
)]

mod support;

use std::collections::BTreeMap;

use iec_core::facts::{Facts, HostAnswer};
use iec_core::plan::lower;
use iec_core::release::Release;
use iec_core::render::{FileContent, Files, Format, Options, Subject, render};
use iec_core::site::Site;
use iec_sh::{Mode, RunnerScript};
use support::{SEEDED_SECRET, facts, manifest, plain_host, plan_of, site, site_names};

fn texts(files: &Files) -> BTreeMap<&str, &str> {
    files
        .iter()
        .filter_map(|(path, file)| match &file.content {
            FileContent::Text(text) => Some((path.as_str(), text.as_str())),
            FileContent::Secret(_) | FileContent::Blob { .. } => None,
        })
        .collect()
}

fn rendered(site: &Site, facts: &Facts) -> Files {
    let release = Release::bundled(site.release()).expect("a release of the program");
    let subject = Subject {
        site,
        facts,
        release: &release,
        content: &manifest(&release),
        plan: &plan_of(site, facts),
        moment: "2026-11-23 19:12 UTC",
        who: "alice@laptop",
        run: "run-1",
    };
    render(&subject, Format::Ansible, &Options::default()).expect("every site has a playbook")
}

#[test]
fn every_step_is_a_task_that_the_runner_does() {
    for name in site_names() {
        let site = site(&name);
        let facts = facts(&site, plain_host);
        let plan = plan_of(&site, &facts);
        let files = rendered(&site, &facts);
        let texts = texts(&files);
        for (path, text) in &texts {
            assert!(!text.contains(SEEDED_SECRET), "{name} {path}");
        }
        for part in &plan.hosts {
            let variables = texts[format!("host_vars/{}.yml", part.host).as_str()];
            let mut rest = variables;
            for (index, step) in part.steps.iter().enumerate() {
                let file = format!("{:03}-{}", index + 1, step.id);
                let at = rest
                    .find(&format!("    file: \"{file}\"\n"))
                    .unwrap_or_else(|| panic!("{name}: {file} is not in its place"));
                rest = &rest[at..];
                let owner = format!("ansible-playbook for {}, rendered by alice@laptop", part.host);
                let steps = [lower(step).runner_step(step.id.as_str(), &step.title)];
                let script = RunnerScript {
                    home: "/var/lib/iec",
                    owner: &owner,
                    run: "run-1",
                    steps: &steps,
                    admission: 0,
                    whole: false,
                    undo: &[],
                };
                for (word, mode) in [("apply", Mode::Apply), ("check", Mode::Observe)] {
                    let path = format!("steps/{}/{file}.{word}.sh", part.host);
                    assert!(texts[path.as_str()] == script.text(mode), "{name}: {path}");
                }
            }
            assert!(texts["inventory.yml"].contains(&format!("        {}:\n", part.host)));
        }
    }
}

/// The first task of the role, as its text.
fn first_task(tasks: &str) -> &str {
    let start = tasks.find("- name: ").expect("a task");
    let next = tasks[start + 1..].find("\n- name: ").expect("more than one task");
    &tasks[start..=start + next]
}

#[test]
fn a_host_that_nobody_asked_is_compared_first() {
    let site = site("three-hosts");
    let mut unasked = Facts::assume(&site);
    let host = &site.hosts()[0];
    let mut wrong = unasked.host(host.name().as_str()).expect("assumed").clone();
    wrong.resolver.value_mut().nameservers = vec!["192.0.2.53".to_owned()];
    unasked.insert(host.name().as_str(), HostAnswer::Known(Box::new(wrong)));
    let files = rendered(&site, &unasked);
    let texts = texts(&files);
    let task = first_task(texts["roles/iec/tasks/main.yml"]);
    assert!(
        task.contains("'/assumed.sh'") && task.contains("check_mode: false"),
        "{task}"
    );
    for host in site.present_hosts() {
        let variables = texts[format!("host_vars/{}.yml", host.name()).as_str()];
        assert!(variables.contains("iec_assumed: true\n"), "{variables}");
    }
    let script = texts[format!("steps/{}/assumed.sh", host.name()).as_str()];
    for shell in [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        let output = std::process::Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", script])
            .output()
            .expect("a shell");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            told.contains("error[IEC1706]") && told.contains("not so: the name servers are 192.0.2.53"),
            "{shell:?}: {told}"
        );
        assert_eq!(output.status.code(), Some(1), "{shell:?}");
    }
}

#[test]
fn what_was_observed_is_not_asked_again() {
    let site = site("three-hosts");
    let files = rendered(&site, &facts(&site, plain_host));
    assert!(files.keys().all(|path| !path.ends_with("/assumed.sh")));
    let texts = texts(&files);
    assert!(texts["host_vars/edge-1.yml"].contains("iec_assumed: false\n"));
}

#[test]
fn a_host_is_known_by_the_key_that_the_site_names() {
    let mut pinned = 0;
    for name in site_names() {
        let site = site(&name);
        let files = rendered(&site, &facts(&site, plain_host));
        let texts = texts(&files);
        let known = texts.get("known_hosts").copied().unwrap_or_default();
        for host in site.present_hosts() {
            if let Some(key) = host.host_key() {
                assert!(
                    known.contains(&format!("{} {key}\n", host.address())),
                    "{name}: {known}"
                );
                pinned += 1;
            }
        }
        let asked = texts["inventory.yml"].matches("/known_hosts").count();
        assert_eq!(asked, known.lines().count(), "{name}");
    }
    assert!(pinned > 0, "no example site names a key");
}
