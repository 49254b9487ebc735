//! `iec render`: what is refused before anything is written.

use iec_core::content::{Digest, MANIFEST_FILE, SUMS_FILE, Sums};

use crate::run::Sandbox;

const SITE: &str = include_str!("../../../../sites/three-hosts/site.yaml");

#[test]
fn a_folder_that_is_not_empty_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", SITE).write("usb/notes.txt", "mine");
    insta::assert_snapshot!(sandbox.run(&["render", "script", "--out", "usb", "--plain-secrets"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC3921]: the output folder usb is not empty
      next: name another folder, or add --force to write over files of the same names and to remove an earlier rendering's secrets
    ");
}

#[test]
fn options_that_a_format_does_not_have_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", SITE);
    insta::assert_snapshot!(
        sandbox.run(&["render", "script", "--out", "usb", "--plain-secrets", "--no-secrets"]),
        @"
    exit code: 1
    ----- stderr -----
    error: the argument '--plain-secrets' cannot be used with '--no-secrets'

    Usage: iec render script --out <FOLDER> --plain-secrets [SITE]

    For more information, try '--help'.
    "
    );
}

#[test]
fn a_description_needs_no_bundle_and_leaves_no_secrets_of_an_earlier_rendering() {
    let sandbox = Sandbox::new();
    sandbox
        .write("site.yaml", SITE)
        .write("out/secrets-edge-9", "ca.key aGVsbG8=\n")
        .write("out/notes.txt", "mine");
    for format in ["pdf-idf", "airship", "metal3", "clusterinstance"] {
        let shown = sandbox.run(&["render", format, "--out", "out", "--force"]);
        assert!(shown.starts_with("exit code: 0\n"), "{format}: {shown}");
        assert_eq!(
            shown.contains("Removed secrets-edge-9, secrets of an earlier rendering."),
            format == "pdf-idf",
            "{shown}"
        );
    }
    assert!(!sandbox.path().join("out/secrets-edge-9").exists());
    assert_eq!(sandbox.read("out/notes.txt"), "mine");
    assert!(
        sandbox
            .read("out/2-cluster.yaml")
            .contains("# - Calico is not in these files")
    );
    assert!(
        sandbox
            .run(&["render", "script", "--out", "usb", "--plain-secrets"])
            .contains("iec bundle build")
    );
}

#[test]
fn a_description_needs_no_bundle_for_its_hosts_either() {
    let sandbox = crate::bundle::with_bundle();
    let arm = "role: worker\n      assume: {architecture: arm64}";
    let site = SITE.replacen("role: worker", arm, 1);
    sandbox.write("site.yaml", &site);
    let shown = sandbox.run(&["render", "pdf-idf", "--out", "out"]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(sandbox.read("out/pdf.yaml").contains("arch: aarch64"));
}

#[test]
fn hosts_fetch_from_an_address_of_the_web_only() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", SITE);
    for url in [
        "file:///etc",
        "http://a/ b",
        "http://a/$(reboot)",
        "-Kfile",
        "http://",
    ] {
        let url = format!("--url={url}");
        let shown = sandbox.run(&["render", "cloud-init", "--out", "out", "--plain-secrets", &url]);
        assert!(shown.contains("error[IEC3933]"), "{url}: {shown}");
    }
}

/// What the plan changes of Calico's manifest.
const CALICO: &str = "\
kind: ConfigMap
apiVersion: v1
metadata: {name: calico-config, namespace: kube-system}
data: {veth_mtu: \"0\"}
---
kind: DaemonSet
apiVersion: apps/v1
metadata: {name: calico-node, namespace: kube-system}
spec: {template: {spec: {containers: [{name: calico-node, env: []}]}}}
";

#[test]
fn calico_comes_from_a_bundle_that_is_for_other_hosts_too() {
    let sandbox = crate::bundle::with_bundle();
    let arm = "role: worker\n      assume: {architecture: arm64}";
    let site = SITE.replacen("role: worker", arm, 1);
    sandbox.write("site.yaml", &site);
    let missing = "# - Calico is not in these files: its manifest is in a bundle";
    assert!(
        sandbox
            .run(&["render", "metal3", "--out", "without"])
            .starts_with("exit code: 0\n")
    );
    assert!(sandbox.read("without/2-cluster.yaml").contains(missing));

    let digest = Digest::of(CALICO.as_bytes());
    let mut manifest: serde_json::Value =
        serde_json::from_str(&sandbox.read(&format!("bundle/{MANIFEST_FILE}"))).unwrap();
    manifest["items"].as_array_mut().unwrap().push(serde_json::json!({
        "name": "calico-vxlan.yaml",
        "kind": { "type": "manifest" },
        "digest": digest.to_string(),
        "size": CALICO.len(),
        "origin": [],
    }));
    let manifest = manifest.to_string();
    sandbox
        .write(&format!("bundle/{}", digest.blob_path()), CALICO)
        .write(&format!("bundle/{MANIFEST_FILE}"), &manifest)
        .write(
            &format!("bundle/{SUMS_FILE}"),
            &Sums::of(manifest.as_bytes(), b"").to_text(),
        );
    let shown = sandbox.run(&["render", "metal3", "--out", "with"]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(!sandbox.read("with/2-cluster.yaml").contains(missing));
    assert!(sandbox.read("with/5-calico.yaml").contains("name: calico-node"));
}
