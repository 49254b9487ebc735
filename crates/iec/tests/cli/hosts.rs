//! The commands that work on hosts, as far as they come without any: what they refuse, and what they say of a host
//! that is down.

use std::os::unix::fs::PermissionsExt;

use iec::credentials::{Place, create};
use iec_core::content::{
    DEBIAN_LOCK_FILE, Digest, Item, Kind, MANIFEST_FILE, MANIFEST_SCHEMA, Manifest, SUMS_FILE, Sums,
};
use iec_core::release::Release;

use crate::run::Sandbox;

const SITE: &str = include_str!("../../../../sites/single-host/site.yaml");

/// A site of one host that is down: its address leads to a port of this machine where nobody listens.
fn down() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .write("site.yaml", SITE)
        .write("ssh_config", "Host *\n  HostName 127.0.0.1\n  Port 1\n");
    sandbox
}

/// The same with a bundle of this release where the site looks for it.
fn with_bundle(release: &str) -> Sandbox {
    let sandbox = down();
    let calico = "kind: List\n";
    let digest = Digest::of(calico.as_bytes());
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        release: release.to_owned(),
        kubernetes: Release::bundled("1.36").unwrap().kubernetes().to_owned(),
        source_date: "2026-11-20".into(),
        architectures: Vec::new(),
        items: vec![Item {
            name: "calico-vxlan.yaml".into(),
            kind: Kind::Manifest,
            architecture: None,
            digest,
            size: calico.len() as u64,
            origin: Vec::new(),
        }],
    };
    let manifest = manifest.to_json();
    sandbox
        .write(&format!("bundle/{}", digest.blob_path()), calico)
        .write(&format!("bundle/{DEBIAN_LOCK_FILE}"), "")
        .write(&format!("bundle/{MANIFEST_FILE}"), &manifest)
        .write(
            &format!("bundle/{SUMS_FILE}"),
            &Sums::of(manifest.as_bytes(), b"").to_text(),
        );
    sandbox.write("site.yaml", &with_content(SITE));
    sandbox
}

/// The site with a bundle beside it.
fn with_content(site: &str) -> String {
    if site.contains("bundle: ./bundle") {
        return site.to_owned();
    }
    site.replacen("spec:\n", "spec:\n  content: {bundle: ./bundle}\n", 1)
}

fn run(sandbox: &Sandbox, command: &[&str]) -> String {
    sandbox.run(&[command, &["--ssh-config", "ssh_config"]].concat())
}

#[test]
fn a_site_without_a_bundle_is_refused() {
    let sandbox = down();
    sandbox.write("site.yaml", &with_content(SITE));
    insta::assert_snapshot!(run(&sandbox, &["plan"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2020]: ./bundle is not a bundle: it has no manifest.json
      next: name the folder that `iec bundle build` has filled, or build one
    ");
}

#[test]
fn a_bundle_of_another_release_is_refused() {
    insta::assert_snapshot!(run(&with_bundle("1.35"), &["plan"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2903]: the bundle is of another release than the site
      evidence: ./bundle holds 1.35 (v1.36.3)
      evidence: the site asks for 1.36 (v1.36.3)
      next: iec bundle build --release 1.36 --out ./bundle
    ");
}

#[test]
fn a_bundle_of_an_older_form_is_used_with_a_warning() {
    let sandbox = with_bundle("1.36");
    std::fs::remove_file(sandbox.path().join("bundle").join(SUMS_FILE)).unwrap();
    insta::assert_snapshot!(run(&sandbox, &["plan"]), @"
    exit code: 4
    ----- stderr -----
    warning[IEC2024]: the bundle ./bundle is of an older form: it has no manifest.sha256, so a change to its manifest cannot be noticed; `iec bundle build --out ./bundle` adds it
    could not tell[IEC1002]: host kiosk-7: 127.0.0.1:1 refused the connection
      next: Check that sshd runs there (`systemctl status ssh` on its console), and that the port is right.
    ");
}

#[test]
fn a_bundle_whose_manifest_was_changed_is_refused() {
    let sandbox = with_bundle("1.36");
    let path = sandbox.path().join("bundle").join(MANIFEST_FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    sandbox.write(
        &format!("bundle/{MANIFEST_FILE}"),
        &text.replace("calico-vxlan", "calico-vxlaN"),
    );
    insta::assert_snapshot!(run(&sandbox, &["plan"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2023]: the bundle ./bundle is damaged
      evidence: manifest.json has changed
      next: copy the bundle again, or repair it with `iec bundle build --out ./bundle`
    ");
}

#[test]
fn nothing_is_planned_for_a_host_that_is_down() {
    insta::assert_snapshot!(run(&with_bundle("1.36"), &["plan"]), @"
    exit code: 4
    ----- stderr -----
    could not tell[IEC1002]: host kiosk-7: 127.0.0.1:1 refused the connection
      next: Check that sshd runs there (`systemctl status ssh` on its console), and that the port is right.
    ");
}

#[test]
fn nothing_is_applied_to_a_host_that_is_down_and_no_credentials_are_made() {
    let sandbox = with_bundle("1.36");
    insta::assert_snapshot!(run(&sandbox, &["apply", "-o", "json"]), @r#"
    exit code: 4
    ----- stdout -----
    {"version":1,"type":"error","kind":"could-not-tell","exitCode":4,"code":"IEC1002","message":"host kiosk-7: 127.0.0.1:1 refused the connection","evidence":[],"causes":[],"next":["Check that sshd runs there (`systemctl status ssh` on its console), and that the port is right."]}
    "#);
    assert!(!sandbox.path().join("site.secrets.yaml").exists());
}

#[test]
fn every_other_command_says_the_same_of_a_host_that_is_down() {
    let sandbox = with_bundle("1.36");
    for command in [
        &["verify"][..],
        &["status"],
        &["log"],
        &["log", "show", "runtime.images"],
        &["undo", "--yes"],
        &["reset", "--yes"],
        &["recover", "--yes"],
        &["credentials", "recover"],
    ] {
        let shown = run(&sandbox, command);
        assert!(
            shown.starts_with("exit code: 4\n") && shown.contains("[IEC1002]"),
            "{command:?}\n{shown}"
        );
    }
}

#[test]
fn a_probe_of_a_host_that_is_down_still_writes_the_facts() {
    let sandbox = down();
    let shown = run(&sandbox, &["check", "--facts-out", "facts.json"]);
    assert!(shown.starts_with("exit code: 4\n"), "{shown}");
    assert!(
        sandbox.read("facts.json").contains("\"code\": \"IEC1002\""),
        "{}",
        sandbox.read("facts.json")
    );
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let sandbox = with_bundle("1.36");
    let place = Place::beside(&sandbox.path().join("site.yaml"), &name_of(SITE));
    create(&place, jiff::civil::date(2026, 11, 20)).unwrap();
    std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(run(&sandbox, &["credentials", "recover"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC3901]: the secrets file can be read by others
      evidence: site.secrets.yaml has mode 0644
      next: chmod 600 site.secrets.yaml
    ");
}

#[test]
fn secrets_that_are_there_are_not_replaced() {
    let sandbox = with_bundle("1.36");
    let place = Place::beside(&sandbox.path().join("site.yaml"), &name_of(SITE));
    create(&place, jiff::civil::date(2026, 11, 20)).unwrap();
    insta::assert_snapshot!(run(&sandbox, &["credentials", "recover"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC3910]: the site has its secrets file: site.secrets.yaml
      next: iec credentials recover --force site.yaml replaces it
    ");
}

#[test]
fn a_password_comes_from_a_person_or_from_a_file_of_its_owner() {
    let sandbox = down();
    insta::assert_snapshot!(run(&sandbox, &["status", "--ask-sudo-password"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0905]: an answer is needed and nobody is there to give it
      evidence: the question is: Password for sudo on the hosts
      next: --sudo-password-file answers it beforehand
    ");
    sandbox.write("password", "open sesame\n");
    let file = sandbox.path().join("password");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    insta::assert_snapshot!(run(&sandbox, &["status", "--login-password-file", "password"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC1203]: others can read the password file password
      evidence: its mode is 0640
      next: chmod 600 password
    ");
}

#[test]
fn a_host_that_the_site_does_not_have_is_refused() {
    insta::assert_snapshot!(run(&down(), &["log", "--host", "edge-9"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0908]: the site has no host edge-9
    ");
}

#[test]
fn steps_are_not_named_beside_a_saved_plan_or_in_two_ways() {
    let sandbox = with_bundle("1.36");
    let plan = format!(
        r#"{{"type":"iec-plan","version":1,"origin":{{"site":"kiosk-7","siteFile":"{}/site.yaml",
           "siteDigest":"{}","made":"2026-11-30 08:00 UTC","by":"edge@laptop"}},"limit":[],"steps":[]}}"#,
        sandbox.path().display(),
        Digest::of(b"a site")
    );
    sandbox.write("today.plan", &plan);
    insta::assert_snapshot!(run(&sandbox, &["apply", "today.plan", "--skip", "helm,node"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC4029]: a saved plan says itself which steps it is about
      next: leave --skip helm,node out, or make the plan anew with it
    ");
    let both = run(&sandbox, &["plan", "--step", "helm", "--from", "node"]);
    assert!(
        both.starts_with("exit code: 1\n") && both.contains("cannot be used with"),
        "{both}"
    );
}

fn name_of(site: &str) -> String {
    iec_core::site::load(site, "site.yaml")
        .unwrap()
        .0
        .name()
        .to_string()
}
