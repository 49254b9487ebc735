//! What machines are told at their first boot, looked at by kubeadm and cloud-init as if each host read it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value, json};

use super::programs::Programs;
use crate::e2e::lab::output;
use crate::e2e::machine::Machine;

/// The form of kubeadm's configuration.
const API: &str = "kubeadm.k8s.io/v1beta4";
/// Bounds of what a machine fills in by itself.
const OPEN: &str = "{{ ds.meta_data.";
const CLOSE: &str = " }}";

/// Has both look at what every host of these objects is told.
///
/// # Errors
/// When one of them does not take it.
pub(super) fn check(
    machine: &Machine,
    programs: &Programs,
    site: &str,
    objects: &[Value],
) -> anyhow::Result<()> {
    let of = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let mut hosts = 0;
    for host in of("BareMetalHost") {
        let name = host["metadata"]["name"].as_str().context("a host has no name")?;
        let group = host["metadata"]["labels"]["iec.dev/role"]
            .as_str()
            .context("a host has no group")?;
        let told = of("KubeadmControlPlane")
            .map(|object| (object, &object["spec"]["kubeadmConfigSpec"]))
            .chain(of("KubeadmConfigTemplate").map(|object| (object, &object["spec"]["template"]["spec"])))
            .find(|(object, _)| {
                let own = object["metadata"]["name"].as_str();
                own.is_some_and(|own| own.ends_with(&format!("-{group}")))
            });
        let (_, spec) = told.with_context(|| format!("nobody tells {name} anything"))?;
        let spec: Value = serde_json::from_str(&filled_in(&spec.to_string(), host)?)?;
        kubeadm(machine, programs, &format!("{site}-{name}"), &spec)?;
        let data = machine.logs.join(format!("{site}-{name}-user-data"));
        fs::write(&data, format!("#cloud-config\n{}\n", user_data(&spec)))?;
        cloud_init(machine, &data)?;
        hosts += 1;
    }
    ensure!(hosts > 0, "the site has no hosts");
    Ok(())
}

/// Has cloud-init look at a file of user data.
///
/// # Errors
/// When its schema does not allow it.
pub(super) fn cloud_init(machine: &Machine, file: &Path) -> anyhow::Result<()> {
    machine.interrupt.check()?;
    let mut program = Command::new("cloud-init");
    program.args(["schema", "--config-file"]).arg(file);
    output(&mut program, "").with_context(|| file.display().to_string())?;
    Ok(())
}

/// The text with what the machine of this host learns of itself.
fn filled_in(text: &str, host: &Value) -> anyhow::Result<String> {
    let annotation = |name: &str| host["metadata"]["annotations"][name].as_str().unwrap_or_default();
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (key, after) = after.split_once(CLOSE).context("a place to fill in has no end")?;
        let value = match key {
            "name" => host["metadata"]["name"].as_str().unwrap_or_default(),
            "uuid" => "5f9b6e1c-0000-4000-8000-000000000000",
            "nodeAddress" => annotation("iec.dev/node-address"),
            "nodeLabels" => annotation("iec.dev/node-labels"),
            other => anyhow::bail!("nothing says what a machine fills in for {other}"),
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Has kubeadm look at the configurations, each with what Cluster API adds to it.
fn kubeadm(machine: &Machine, programs: &Programs, name: &str, spec: &Value) -> anyhow::Result<()> {
    let token = "abcdef.0123456789abcdef";
    let initial = [
        ("InitConfiguration", "initConfiguration", json!({})),
        (
            "ClusterConfiguration",
            "clusterConfiguration",
            json!({ "kubernetesVersion": "v1.36.0" }),
        ),
    ];
    let join = [(
        "JoinConfiguration",
        "joinConfiguration",
        json!({ "discovery": { "bootstrapToken": {
            "token": token, "apiServerEndpoint": "192.0.2.1:6443", "unsafeSkipCAVerification": true,
        } } }),
    )];
    for (which, kinds) in [("init", &initial[..]), ("join", &join[..])] {
        let mut documents = Vec::new();
        for (kind, key, added) in kinds {
            let Some(given) = spec[*key].as_object() else {
                continue;
            };
            let mut document: Map<String, Value> = given.clone();
            document.insert("apiVersion".to_owned(), json!(API));
            document.insert("kind".to_owned(), json!(kind));
            document.extend(added.as_object().cloned().unwrap_or_default());
            documents.push(Value::Object(document).to_string());
        }
        if documents.is_empty() {
            continue;
        }
        let file = machine.logs.join(format!("{name}-{which}.yaml"));
        fs::write(&file, documents.join("\n---\n"))?;
        let mut kubeadm = Command::new(programs.path("kubeadm"));
        kubeadm.args(["config", "validate", "--config"]).arg(&file);
        output(&mut kubeadm, "").with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// The files and commands as cloud-init gets them.
fn user_data(spec: &Value) -> Value {
    let files: Vec<Value> = spec["files"].as_array().cloned().unwrap_or_default();
    json!({ "write_files": files, "runcmd": spec["preKubeadmCommands"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_fills_in_what_is_its_own() {
        let host = json!({ "metadata": { "name": "edge-1", "annotations": { "iec.dev/node-address": "10.0.0.1" } } });
        let text =
            "a {{ ds.meta_data.name }} b {{ ds.meta_data.nodeAddress }}{{ ds.meta_data.nodeLabels }} c";
        assert_eq!(
            filled_in(text, &host).expect("all is known"),
            "a edge-1 b 10.0.0.1 c"
        );
        assert!(filled_in("{{ ds.meta_data.other }}", &host).is_err());
    }
}
