//! Ansible's files of the example sites: a task for each step, by the one runner, and no secret in any of them.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the example sites and runs shells"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use iec_core::content::Digest;
use iec_core::facts::{Facts, HostAnswer};
use iec_core::plan::lower;
use iec_core::release::Release;
use iec_core::render::{FileContent, Files, Format, Options, SEAL_ITERATIONS, Secrets, Subject, render};
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
    rendered_with(site, facts, Secrets::Encrypted)
}

fn rendered_with(site: &Site, facts: &Facts, secrets: Secrets) -> Files {
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
    let options = Options {
        secrets,
        ..Options::default()
    };
    render(&subject, Format::Ansible, &options)
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
                let steps = [lower(step).runner_step(step)];
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

#[test]
fn only_a_playbook_with_encrypted_secrets_asks_for_a_passphrase() {
    let site = site("three-hosts");
    let facts = facts(&site, plain_host);
    for (secrets, asks) in [
        (Secrets::Encrypted, true),
        (Secrets::Plain, false),
        (Secrets::None, false),
    ] {
        let files = rendered_with(&site, &facts, secrets);
        assert_eq!(
            texts(&files)["site.yml"].contains("vars_prompt"),
            asks,
            "{secrets:?}"
        );
    }
}

/// Has Ansible bring the secrets of edge-1 to this machine, into a folder that stands for the host's. Gives what was shown.
fn brought(folder: &Path, passphrase: &str) -> (bool, String) {
    let play = format!(
        "- hosts: edge-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_role: {{name: iec, tasks_from: secrets}}\n  \
         vars: {{ansible_connection: local, iec_passphrase: {passphrase:?}}}\n"
    );
    std::fs::write(folder.join("secrets.yml"), play).expect("written");
    let output = Command::new("ansible-playbook")
        .args(["-i", "edge-1,", "-vvv", "secrets.yml"])
        .current_dir(folder)
        .env("ANSIBLE_ROLES_PATH", folder.join("roles"))
        .output()
        .expect("ansible-playbook; cargo xtask test installs it");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn ansible_says_why_secrets_do_not_open_and_shows_none() {
    let site = site("three-hosts");
    let files = rendered(&site, &facts(&site, plain_host));
    let folder = tempfile::tempdir().expect("a folder");
    let host = folder.path().join("host");
    for (path, text) in texts(&files) {
        if path.starts_with("roles/") {
            let place = folder.path().join(path);
            std::fs::create_dir_all(place.parent().expect("a role")).expect("made");
            let text = text.replace("/var/lib/iec", host.to_str().expect("plain"));
            std::fs::write(place, text).expect("written");
        }
    }
    let (done, shown) = brought(folder.path(), "");
    assert!(
        !done && shown.contains("secrets-edge-1 is not beside the playbook"),
        "{shown}"
    );
    let seal = format!(
        "s='ca.key c2VlZGVkLXNlY3JldA=='; d=$(printf '%s\\n' \"$s\" | sha256sum); \
         printf '%s\\n%s\\n' \"${{d%% *}}\" \"$s\" | openssl enc -aes-256-cbc -pbkdf2 -iter {SEAL_ITERATIONS} -md sha256 -base64 \
         -pass pass:right-horse -out secrets-edge-1.enc"
    );
    let sealed = Command::new("sh")
        .args(["-c", &seal])
        .current_dir(folder.path())
        .status();
    assert!(sealed.expect("sh").success());
    for (passphrase, expected) in [
        ("", "give the passphrase as iec_passphrase"),
        (
            "wrong-horse",
            "do not open: another passphrase, or a damaged file",
        ),
    ] {
        let (done, shown) = brought(folder.path(), passphrase);
        assert!(!done && shown.contains(expected), "{shown}");
        assert!(!host.join("incoming/secrets/ca.key").exists());
    }
    let (done, shown) = brought(folder.path(), "right-horse");
    assert!(done, "{shown}");
    assert!(
        !shown.contains("seeded-secret") && !shown.contains("c2VlZGVk"),
        "{shown}"
    );
    let brought = std::fs::read_to_string(host.join("incoming/secrets/ca.key"));
    assert_eq!(brought.expect("brought"), "seeded-secret");
}

/// Has Ansible send to this machine, into a folder that stands for the host's, what a host says that it lacks.
fn sent(folder: &Path, says: &[&str], content: &[(&str, usize)]) -> (bool, String) {
    let content: Vec<String> = content
        .iter()
        .map(|(digest, size)| format!("{{digest: \"{digest}\", size: {size}}}"))
        .collect();
    let play = format!(
        "- hosts: edge-1\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_role: {{name: iec, tasks_from: content}}\n  \
         vars:\n    ansible_connection: local\n    iec_piece: 1000\n    iec_missing: {{stdout_lines: {says:?}}}\n    \
         iec_content: [{}]\n",
        content.join(", ")
    );
    std::fs::write(folder.join("content.yml"), play).expect("written");
    let output = Command::new("ansible-playbook")
        .args(["-i", "edge-1,", "content.yml"])
        .current_dir(folder)
        .env("ANSIBLE_ROLES_PATH", folder.join("roles"))
        .env("TMPDIR", folder.join("tmp"))
        .output()
        .expect("ansible-playbook; cargo xtask test installs it");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn ansible_sends_only_what_was_rendered_and_goes_on_where_it_was_cut() {
    let site = site("three-hosts");
    let files = rendered(&site, &facts(&site, plain_host));
    let folder = tempfile::tempdir().expect("a folder");
    let host = folder.path().join("host");
    let put = |path: &str, text: &[u8]| {
        let place = folder.path().join(path);
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("made");
        std::fs::write(place, text).expect("written");
    };
    for (path, text) in texts(&files) {
        if path.starts_with("roles/") {
            put(
                path,
                text.replace("/var/lib/iec", host.to_str().expect("plain"))
                    .as_bytes(),
            );
        }
    }
    put("secrets-edge-1", b"seeded-secret");
    std::fs::create_dir(folder.path().join("tmp")).expect("made");
    let blobs = [vec![b'a'; 7], (0..3500_u32).map(|at| (at % 251) as u8).collect()];
    let names = blobs.each_ref().map(|blob| Digest::of(blob).hex());
    for (name, blob) in names.iter().zip(&blobs) {
        put(&format!("blobs/sha256/{name}"), blob);
    }
    let content = [(names[0].as_str(), 7), (names[1].as_str(), 3500)];
    // A piece that came whole the last time, and one that was damaged since.
    put(&format!("host/incoming/{}.aaaaa", names[1]), &blobs[1][..1000]);
    put(&format!("host/incoming/{}.aaaab", names[1]), b"damaged");
    let whole = host.join(format!("incoming/{}.aaaaa", names[1]));
    std::fs::set_permissions(whole, Permissions::from_mode(0o600)).expect("set");
    let says = ["../../secrets-edge-1", "/etc/passwd", &names[0], &names[1], ""];
    let (done, shown) = sent(folder.path(), &says, &content);
    assert!(done, "{shown}");
    assert!(
        shown.contains("ok: [edge-1] => (item="),
        "the whole piece was sent again: {shown}"
    );
    let mut there: Vec<String> = std::fs::read_dir(host.join("incoming"))
        .expect("read")
        .map(|entry| entry.expect("read").file_name().into_string().expect("plain"))
        .collect();
    there.sort();
    let mut expected = names.to_vec();
    expected.sort();
    assert_eq!(there, expected);
    for (name, blob) in names.iter().zip(&blobs) {
        assert_eq!(
            &std::fs::read(host.join("incoming").join(name)).expect("read"),
            blob
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path().join("tmp"))
            .expect("read")
            .count(),
        0
    );
    // What was changed here is not put on the host.
    put(&format!("blobs/sha256/{}", names[1]), &[b'x'; 3500]);
    let (done, shown) = sent(folder.path(), &[&names[1]], &content);
    assert!(!done && shown.contains("is not what its name says"), "{shown}");
    assert!(!host.join("incoming").join(&names[1]).exists());
}
