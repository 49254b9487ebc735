//! The kinds that an API server has to know: Cluster API's from its Go module, others from a checkout, or by name only.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use super::api_server::ApiServer;
use crate::e2e::lab::output;
use crate::e2e::machine::Machine;
use crate::workspace;

/// The module, pinned with its sum in the wrapper of the same name.
const MODULE: &str = "sigs.k8s.io/cluster-api";
const WRAPPER: &str = "xtask/modules/cluster-api";
/// Where it has its schemas.
const FOLDERS: [&str; 3] = [
    "core/config/crd/bases",
    "bootstrap/kubeadm/config/crd/bases",
    "controlplane/kubeadm/config/crd/bases",
];

/// Kinds whose schemas no package registry has: group, version, kind, plural.
const NAMED: [(&str, &str, &str, &str); 6] = [
    ("metal3.io", "v1alpha1", "BareMetalHost", "baremetalhosts"),
    ("ipam.metal3.io", "v1alpha1", "IPPool", "ippools"),
    (
        "infrastructure.cluster.x-k8s.io",
        "v1beta2",
        "Metal3Cluster",
        "metal3clusters",
    ),
    (
        "infrastructure.cluster.x-k8s.io",
        "v1beta2",
        "Metal3MachineTemplate",
        "metal3machinetemplates",
    ),
    (
        "infrastructure.cluster.x-k8s.io",
        "v1beta2",
        "Metal3DataTemplate",
        "metal3datatemplates",
    ),
    (
        "siteconfig.open-cluster-management.io",
        "v1alpha1",
        "ClusterInstance",
        "clusterinstances",
    ),
];

/// Makes the server know them all.
///
/// # Errors
/// When the module cannot be had, or the server does not take a schema.
pub(super) fn apply(machine: &Machine, server: &ApiServer) -> anyhow::Result<()> {
    let module = module()?;
    let folders = FOLDERS.iter().map(|folder| module.join(folder));
    for folder in folders.chain(machine.schemas.clone()) {
        server.apply(&folder, &[])?;
    }
    for (group, version, kind, plural) in NAMED {
        let name = format!("{plural}.{group}");
        if server.has_kind(&name) {
            continue;
        }
        // What is known of it is where it is; names, labels and annotations are looked at all the same.
        let any =
            json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": name },
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": { "kind": kind, "plural": plural },
                "versions": [{ "name": version, "served": true, "storage": true, "schema": any }],
            },
        });
        let file = machine.logs.join(format!("{name}.json"));
        std::fs::write(&file, definition.to_string())?;
        server.apply(&file, &[])?;
    }
    server.wait_for_kinds()
}

/// The folder of the module, which is downloaded where it is not there; Go compares its sum with the wrapper's.
fn module() -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Module {
        dir: PathBuf,
    }
    let mut go = Command::new("go");
    go.current_dir(workspace::root().join(WRAPPER))
        .args(["mod", "download", "-json", MODULE]);
    let module: Module = serde_json::from_str(&output(&mut go, "")?)
        .with_context(|| format!("go does not say where {MODULE} is"))?;
    Ok(module.dir)
}
