//! `iec bundle`.

use iec_core::architecture::Architecture;
use iec_core::content::{
    BLOBS, DEBIAN_LOCK_FILE, Digest, Item, Kind, MANIFEST_FILE, MANIFEST_SCHEMA, Manifest, Origin, SUMS_FILE,
    Sums,
};

use crate::run::Sandbox;

/// A small bundle in the folder `bundle`.
pub(crate) fn with_bundle() -> Sandbox {
    let sandbox = Sandbox::new();
    let digest = Digest::of(b"a program");
    sandbox
        .write(&format!("bundle/{}", digest.blob_path()), "a program")
        .write(&format!("bundle/{DEBIAN_LOCK_FILE}"), "");
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        release: "1.36".into(),
        kubernetes: "v1.36.3".into(),
        source_date: "2026-11-20".into(),
        architectures: vec![Architecture::Amd64],
        items: vec![Item {
            name: "kubelet".into(),
            kind: Kind::Binary,
            architecture: Some(Architecture::Amd64),
            digest,
            size: 9,
            origin: vec![Origin::GoModule {
                module: "k8s.io/kubernetes".into(),
                version: "v1.36.3".into(),
                sum: "h1:sum".into(),
            }],
        }],
    };
    let manifest = manifest.to_json();
    sandbox
        .write(&format!("bundle/{MANIFEST_FILE}"), &manifest)
        .write(
            &format!("bundle/{SUMS_FILE}"),
            &Sums::of(manifest.as_bytes(), b"").to_text(),
        );
    sandbox
}

/// The output without how long it took.
fn timeless(shown: &str) -> String {
    let (before, after) = shown.split_once("read in ").unwrap();
    format!("{before}read in [TIME]{}", &after[after.find('.').unwrap() + 4..])
}

#[test]
fn a_whole_bundle_is_said_to_be_whole() {
    insta::assert_snapshot!(timeless(&with_bundle().run(&["bundle", "verify", "bundle"])), @"
    exit code: 0
    ----- stdout -----
    The bundle bundle is whole: 1 item in 1 file, 9 B read in [TIME].
    ");
}

#[test]
fn a_damaged_bundle_fails_and_everything_wrong_is_named() {
    let sandbox = with_bundle();
    let blob = Digest::of(b"a program").blob_path();
    sandbox
        .write(&format!("bundle/{blob}"), "a prograM")
        .write(&format!("bundle/{DEBIAN_LOCK_FILE}"), "schema = 1")
        .write(&format!("bundle/{BLOBS}/stray"), "");
    insta::assert_snapshot!(sandbox.run(&["bundle", "verify", "bundle"]), @"
    exit code: 3
    ----- stderr -----
    error[IEC2023]: the bundle bundle is damaged
      evidence: debian.lock has changed
      evidence: blobs/sha256/d69ea8cda2433733c1ce02de65da8f48e6a3dbba6bb18876a2062908e54ef7cb has changed (needed by kubelet)
      evidence: blobs/sha256/stray does not belong to the bundle
      next: copy the bundle again, or repair it with `iec bundle build --out bundle`
    ");
}

#[test]
fn a_bundle_without_sums_fails_and_is_told_how_to_get_them() {
    let sandbox = with_bundle();
    std::fs::remove_file(sandbox.path().join("bundle").join(SUMS_FILE)).unwrap();
    insta::assert_snapshot!(sandbox.run(&["bundle", "verify", "bundle"]), @"
    exit code: 3
    ----- stderr -----
    error[IEC2023]: the bundle bundle is damaged
      evidence: manifest.sha256 is missing
      next: copy the bundle again, or repair it with `iec bundle build --out bundle`
    ");
}

#[test]
fn a_folder_that_is_no_bundle_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["bundle", "inspect", "."]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2020]: . is not a bundle: it has no manifest.json
      next: name the folder that `iec bundle build` has filled, or build one
    ");
}

#[test]
fn the_default_is_the_bundle_in_the_cache() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["bundle", "verify"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2020]: [FOLDER]/.cache/iec/bundles/1.36 is not a bundle: it has no manifest.json
      next: name the folder that `iec bundle build` has filled, or build one
    ");
}

#[test]
fn a_bundle_is_listed_with_the_origin_of_each_item() {
    insta::assert_snapshot!(with_bundle().run(&["bundle", "inspect", "bundle"]), @"
    exit code: 0
    ----- stdout -----
    bundle: release 1.36 (v1.36.3) of 2026-11-20 for amd64, 9 B

    kubelet  binary    amd64      9 B  d69ea8cda243  k8s.io/kubernetes v1.36.3
    ");
}

#[test]
fn a_list_can_be_json() {
    insta::assert_snapshot!(with_bundle().run(&["bundle", "inspect", "bundle", "-o", "json"]), @r#"
    exit code: 0
    ----- stdout -----
    {"version":1,"type":"bundle.content","folder":"bundle","manifest":{"schema":1,"release":"1.36","kubernetes":"v1.36.3","source_date":"2026-11-20","architectures":["amd64"],"items":[{"name":"kubelet","kind":{"type":"binary"},"architecture":"amd64","digest":"sha256:d69ea8cda2433733c1ce02de65da8f48e6a3dbba6bb18876a2062908e54ef7cb","size":9,"origin":[{"type":"go-module","module":"k8s.io/kubernetes","version":"v1.36.3","sum":"h1:sum"}]}]},"sizes":[{"name":"kubelet","architecture":"amd64","kind":"binary","digest":"sha256:d69ea8cda2433733c1ce02de65da8f48e6a3dbba6bb18876a2062908e54ef7cb","bytes":9,"ownBytes":9}]}
    "#);
}

#[test]
fn an_unknown_release_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["bundle", "build", "--release", "1.12"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2901]: release `1.12` is unknown; this program carries: 1.36
    ");
}

#[test]
fn an_unknown_architecture_is_refused() {
    insta::assert_snapshot!(Sandbox::new().run(&["bundle", "build", "--arch", "amd64,mips"]), @"
    exit code: 1
    ----- stderr -----
    error: invalid value 'mips' for '--arch <ARCH>': unknown architecture `mips`: use amd64 or arm64

    For more information, try '--help'.
    ");
}

#[test]
fn a_machine_without_go_is_told_what_to_install() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .command(&["bundle", "build", "--out", "b"])
        .env("PATH", sandbox.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let shown = sandbox.shown(&output);
    assert!(
        shown.contains("error[IEC2003]") && shown.contains("next: run `apt-get install"),
        "{shown}"
    );
}

#[test]
fn a_damaged_manifest_of_calico_makes_no_plan() {
    let sandbox = with_bundle();
    let digest = Digest::of(b"kind: DaemonSet");
    let mut manifest: serde_json::Value =
        serde_json::from_str(&sandbox.read(&format!("bundle/{MANIFEST_FILE}"))).unwrap();
    manifest["items"].as_array_mut().unwrap().push(serde_json::json!({
        "name": "calico-vxlan.yaml",
        "kind": { "type": "manifest" },
        "digest": digest.to_string(),
        "size": 15,
        "origin": [],
    }));
    let manifest = manifest.to_string();
    let site = include_str!("../../../../sites/three-hosts/site.yaml");
    sandbox
        .write(&format!("bundle/{MANIFEST_FILE}"), &manifest)
        .write(
            &format!("bundle/{SUMS_FILE}"),
            &Sums::of(manifest.as_bytes(), b"").to_text(),
        )
        .write(&format!("bundle/{}", digest.blob_path()), "kind: DeploymenT")
        .write("site.yaml", site);
    insta::assert_snapshot!(sandbox.run(&["render", "runbook", "--out", "book", "--no-secrets"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC2023]: the bundle ./bundle is damaged
      evidence: blobs/sha256/ab096cbfe44dff7c8b12e41f42788dabc540d02c2180e1ff48d8ca805b2e4cb9 has changed (needed by calico-vxlan.yaml)
      next: copy the bundle again, or repair it with `iec bundle build --out ./bundle`
    ");
}
