//! Ansible's files of the example sites: a task for each step, by the one runner, and no secret in any of them.

#![expect(clippy::disallowed_methods, reason = "a test reads the example sites")]

mod support;

use std::collections::BTreeMap;

use iec_core::plan::lower;
use iec_core::release::Release;
use iec_core::render::{FileContent, Files, Format, Options, Subject, render};
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

#[test]
fn every_step_is_a_task_that_the_runner_does() {
    for name in site_names() {
        let site = site(&name);
        let facts = facts(&site, plain_host);
        let plan = plan_of(&site, &facts);
        let release = Release::bundled(site.release()).expect("a release of the program");
        let content = manifest(&release);
        let subject = Subject {
            site: &site,
            facts: &facts,
            release: &release,
            content: &content,
            plan: &plan,
            moment: "2026-11-23 19:12 UTC",
            who: "alice@laptop",
            run: "run-1",
        };
        let files =
            render(&subject, Format::Ansible, &Options::default()).expect("every site has a playbook");
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
