//! Bundles and secrets files that must not be used, and an operator's disk that is full.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Context as _;

use super::desk::Desk;
use super::{Case, Expect, Refusal, Spoil};

/// The cases.
pub(super) const CASES: [Case; 8] = [
    Case {
        name: "a bundle of another release",
        spoil: Spoil::Desk(|desk| {
            desk.bundle(|manifest| manifest.replace("\"release\": \"1.36\"", "\"release\": \"1.35\""))?;
            Ok(vec![])
        }),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC2903",
            says: &["1.35", "1.36", "iec bundle build"],
        }),
    },
    Case {
        name: "a bundle of another architecture",
        spoil: Spoil::Desk(another_architecture),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC3003",
            says: &["edge-1", "arm64", "amd64"],
        }),
    },
    Case {
        name: "a bundle with a flipped bit",
        spoil: Spoil::Desk(flipped_bit),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC2023",
            says: &["kubelet", "iec bundle build"],
        }),
    },
    Case {
        name: "a bundle that lacks a file",
        spoil: Spoil::Desk(|desk| {
            let bundle = desk.bundle(|manifest| manifest)?;
            let blob = blob_of(&desk_manifest(desk)?, "kubelet")?;
            fs::remove_file(bundle.join("blobs/sha256").join(&blob))?;
            Ok(vec![blob])
        }),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC2023",
            says: &["kubelet", "iec bundle build"],
        }),
    },
    Case {
        name: "a folder that is no bundle",
        spoil: Spoil::Desk(|desk| {
            let bundle = desk.bundle(|manifest| manifest)?;
            fs::remove_file(bundle.join("manifest.json"))?;
            Ok(vec![bundle.display().to_string()])
        }),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC2020",
            says: &["manifest.json"],
        }),
    },
    Case {
        name: "secrets that others can read",
        spoil: Spoil::Desk(|desk| {
            let secrets = desk.make_secrets()?;
            fs::set_permissions(&secrets, Permissions::from_mode(0o644))?;
            Ok(vec![format!("chmod 600 {}", secrets.display())])
        }),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC3901",
            says: &["0644"],
        }),
    },
    Case {
        name: "secrets of another site",
        spoil: Spoil::Desk(|desk| {
            let secrets = desk.make_secrets()?;
            desk.edit(|site| site.replace("name: e2e-refusals", "name: another"))?;
            Ok(vec![secrets.display().to_string()])
        }),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC3902",
            says: &["e2e-refusals", "another"],
        }),
    },
    Case {
        name: "a disk of the operator that is full",
        spoil: Spoil::Around(
            "desk=$1; shift; cp \"$desk/site.yaml\" /tmp/iec-refusals.$$; \
             mount -t tmpfs -o size=32k tmpfs \"$desk\"; mv /tmp/iec-refusals.$$ \"$desk/site.yaml\"; \
             head -c 64k /dev/zero >\"$desk/full\" 2>/dev/null || true; exec \"$@\"",
        ),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC3907",
            says: &["site.secrets.yaml", "No space left on device"],
        }),
    },
];

/// Makes a bundle for arm64 out of the real one: by its manifest alone, since a host of another architecture is
/// refused before anything is read.
fn another_architecture(desk: &Desk) -> anyhow::Result<Vec<String>> {
    desk.bundle(|manifest| manifest.replace("\"amd64\"", "\"arm64\""))?;
    desk.without_worker()?;
    Ok(vec![])
}

/// Flips a bit of the kubelet, in a file of its own: the real bundle stays whole.
fn flipped_bit(desk: &Desk) -> anyhow::Result<Vec<String>> {
    let bundle = desk.bundle(|manifest| manifest)?;
    let blob = blob_of(&desk_manifest(desk)?, "kubelet")?;
    let path = bundle.join("blobs/sha256").join(&blob);
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&path)?;
    fs::write(&path, bytes)?;
    Ok(vec![blob])
}

fn desk_manifest(desk: &Desk) -> anyhow::Result<serde_json::Value> {
    let path = desk.path("bundle/manifest.json");
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

/// The digest of an item in hexadecimal digits, which is the name of its file.
fn blob_of(manifest: &serde_json::Value, name: &str) -> anyhow::Result<String> {
    let items = manifest["items"].as_array().context("a manifest has items")?;
    let item = items.iter().find(|item| item["name"] == name);
    let digest = item.and_then(|item| item["digest"].as_str());
    let digest = digest.with_context(|| format!("the bundle has no {name}"))?;
    Ok(digest.trim_start_matches("sha256:").to_owned())
}
