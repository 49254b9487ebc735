//! A site that asks for more than the others: a label and a taint, a second network for the nodes, a Helm release whose
//! pod belongs on the tainted worker; and whether a cluster has all of it.

use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::cut::events;
use super::lab::{Host, Lab};
use super::machine::Machine;
use super::main_job::{apply, pending};

/// What `iec lab up` is told: the other distribution, and hosts with two network cards, of which the nodes use the second.
pub(super) const LAB: &[&str] = &["--distribution", "trixie", "--nics", "2"];

/// The key of the worker's label and of its taint, and the value of both.
const KEY: &str = "example.com/line";
const VALUE: &str = "press";
/// The release, its chart and its Deployment; the namespace that it makes; what the site tells it.
const RELEASE: &str = "gauge";
const NAMESPACE: &str = "gauges";
const UNIT: &str = "bar";
/// What the site tells the chart and nobody else should learn.
pub(super) const PASSWORD: &str = "ptarmigan-vellum-53d9";
/// What kubectl and helm are told on a host: whose they are, and that what they keep is not to stay there.
const SESSION: &str = "\
export KUBECONFIG=/etc/kubernetes/admin.conf
HOME=$(mktemp -d)
export HOME
trap 'rm -rf \"$HOME\"' EXIT
";
/// The files of the chart. Its own unit is not the site's, and its own image is none.
const CHART: [(&str, &str); 3] = [
    (
        "Chart.yaml",
        "apiVersion: v2\nname: gauge\nversion: 1.2.3\nappVersion: \"7\"\n",
    ),
    (
        "values.yaml",
        "unit: psi\nimage: none\nline: none\npassword: none\n",
    ),
    (
        "templates/gauge.yaml",
        r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {unit: {{ .Values.unit }}}}
spec:
  selector: {matchLabels: {app: gauge}}
  template:
    metadata: {labels: {app: gauge}}
    spec:
      nodeSelector: {example.com/line: {{ .Values.line }}}
      tolerations: [{key: example.com/line, value: {{ .Values.line }}, effect: NoSchedule}]
      terminationGracePeriodSeconds: 1
      containers: [{name: gauge, image: {{ .Values.image }}, imagePullPolicy: Never}]
",
    ),
];

/// Writes the chart beside the site file, and what is asked for into it.
///
/// # Errors
/// When a file cannot be written, or the bundle lacks the image.
pub(super) fn ask(lab: &Lab, worker: &Host, machine: &Machine) -> anyhow::Result<()> {
    let chart = lab.site.with_file_name(RELEASE);
    fs::create_dir_all(chart.join("templates"))?;
    for (name, text) in CHART {
        fs::write(chart.join(name), text)?;
    }
    let image = image(machine)?;
    let entry = format!("name: {},", worker.name);
    let more = format!(
        "{entry} labels: {{{KEY}: {VALUE}}}, taints: [{{key: {KEY}, value: {VALUE}, effect: NoSchedule}}],"
    );
    let release = format!(
        "\n  helm: {{releases: [{{name: {RELEASE}, namespace: {NAMESPACE}, chart: ./{RELEASE}, version: 1.2.3, \
         values: {{unit: {UNIT}, password: {PASSWORD}, line: {VALUE}, image: \"{image}\"}}}}]}}\n  accept:"
    );
    let plain = fs::read_to_string(&lab.site)?;
    let asking = plain.replace(&entry, &more).replace("\n  accept:", &release);
    ensure!(
        asking.contains(&more) && asking.contains(&release),
        "the lab's site file is of another form"
    );
    Ok(fs::write(&lab.site, asking)?)
}

/// The bundle's smallest image, which every host has.
fn image(machine: &Machine) -> anyhow::Result<String> {
    let folder = machine.bundle_folder()?;
    let folder = folder.to_str().context("the bundle's path is no plain text")?;
    let told = machine.iec_done("inspect", &["bundle", "inspect", folder, "-o", "json"])?;
    let content: Value = serde_json::from_str(&told)?;
    let items = content["manifest"]["items"]
        .as_array()
        .context("the bundle has items")?;
    let pause = items.iter().find(|item| item["name"] == "pause");
    let reference = pause.and_then(|item| item["kind"]["reference"].as_str());
    reference
        .map(str::to_owned)
        .context("the bundle has no image pause")
}

/// Whether the cluster has all of it: nodes with the addresses of the second network, the worker's label and taint, the
/// release as the site asks for it, and its pod on the worker.
///
/// # Errors
/// When it has not.
pub(super) fn is_there(lab: &Lab, worker: &Host) -> anyhow::Result<()> {
    let control_plane = lab.hosts.first().context("the lab has hosts")?;
    let run = |command: &str| lab.run(control_plane, &format!("{SESSION}{command}"), "");
    let ask = |command: &str| -> anyhow::Result<Value> {
        serde_json::from_str(&run(command)?).with_context(|| format!("{command} does not answer in JSON"))
    };
    let nodes = ask("kubectl get nodes -o json")?;
    for host in &lab.hosts {
        let [reached, own] = &host.addresses[..] else {
            anyhow::bail!("{} has not two addresses", host.name);
        };
        let node = named(&nodes, &host.name)?;
        let told = internal_address(node);
        ensure!(
            reached != own && told == Some(own),
            "{} has the address {told:?}",
            host.name
        );
    }
    let node = named(&nodes, &worker.name)?;
    ensure!(
        node["metadata"]["labels"][KEY] == VALUE,
        "{} has not its label",
        worker.name
    );
    let taint = serde_json::json!([{"key": KEY, "value": VALUE, "effect": "NoSchedule"}]);
    ensure!(
        node["spec"]["taints"] == taint,
        "the taints are {}",
        node["spec"]["taints"]
    );
    run(&format!(
        "kubectl rollout status --timeout 60s -n {NAMESPACE} deployment/{RELEASE}"
    ))?;
    release_is_there(&ask, worker)
}

/// Whether `iec verify` finds nothing wrong but the release.
///
/// # Errors
/// When it passes, or finds something else.
pub(super) fn verify_finds_the_release(lab: &Lab, machine: &Machine, log: &str) -> anyhow::Result<()> {
    let words = ["verify", lab.site(), "--settle", "2", "-o", "json"];
    let ended = machine.iec(log, &words)?;
    ensure!(ended.code == Some(3), "{}", machine.failure(log, &words, &ended));
    let objects = ended
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let failed: Vec<Value> = objects
        .filter(|object| object["type"] == "verify.row" && object["result"] == "failed")
        .map(|row| row["id"].clone())
        .collect();
    ensure!(failed == ["helm.releases"], "these rows failed: {failed:?}");
    Ok(())
}

/// Somebody changes how many replicas there are, which is theirs to change, and then removes what Helm has made: `plan`
/// and `verify` find the second, and `apply` makes it again.
///
/// # Errors
/// When they do not.
pub(super) fn is_mended(lab: &Lab, worker: &Host, machine: &Machine) -> anyhow::Result<()> {
    let control_plane = lab.hosts.first().context("the lab has hosts")?;
    let run = |command: &str| {
        lab.run(
            control_plane,
            &format!("{SESSION}kubectl -n {NAMESPACE} {command}"),
            "",
        )
    };
    run(&format!("scale deployment {RELEASE} --replicas 2"))?;
    run(&format!("rollout status --timeout 60s deployment/{RELEASE}"))?;
    pending(machine, "plan-scaled", lab.site(), Some(0))?;
    run(&format!("label --overwrite deployment {RELEASE} unit=psi"))?;
    pending(machine, "plan-changed", lab.site(), Some(5))?;
    run(&format!("delete deployment {RELEASE} --wait"))?;
    verify_finds_the_release(lab, machine, "verify-removed")?;
    apply(machine, "apply-removed", lab.site(), true)?;
    is_there(lab, worker)?;
    pending(machine, "plan-mended", lab.site(), Some(0))
}

/// Whether Helm lists the release, with the site's values and its pod on the worker.
fn release_is_there(ask: &dyn Fn(&str) -> anyhow::Result<Value>, worker: &Host) -> anyhow::Result<()> {
    let releases = ask("helm list --all-namespaces -o json")?;
    let release = &releases[0];
    let deployed = release["name"] == RELEASE
        && release["namespace"] == NAMESPACE
        && release["status"] == "deployed"
        && release["chart"] == "gauge-1.2.3"
        && releases[1].is_null();
    ensure!(deployed, "helm lists {releases}");
    let found = ask(&format!(
        "kubectl get -o json -n {NAMESPACE} deployment {RELEASE}"
    ))?;
    ensure!(
        found["metadata"]["labels"]["unit"] == UNIT,
        "the site's values are not in it: {found}"
    );
    let pods = ask(&format!("kubectl get pods -o json -n {NAMESPACE} -l app=gauge"))?;
    let on = &pods["items"][0]["spec"]["nodeName"];
    ensure!(on == worker.name.as_str(), "the release's pod is on {on}");
    Ok(())
}

fn named<'a>(list: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let items = list["items"].as_array().context("a list has items")?;
    let found = items.iter().find(|item| item["metadata"]["name"] == name);
    found.with_context(|| format!("the cluster has no node {name}"))
}

fn internal_address(node: &Value) -> Option<&str> {
    let addresses = node["status"]["addresses"].as_array()?;
    let internal = addresses.iter().find(|address| address["type"] == "InternalIP")?;
    internal["address"].as_str()
}

/// Whether a reset that printed this took the release back before anything else.
///
/// # Errors
/// When it did not.
pub(super) fn went_first(lines: &str) -> anyhow::Result<()> {
    let begun = events(lines).find(|event| event["event"] == "started");
    let begun = begun.context("the reset did nothing")?;
    ensure!(
        begun["step"] == format!("helm.{NAMESPACE}.{RELEASE}"),
        "{begun} was the first step"
    );
    let undone = events(lines).any(|event| event["event"] == "undone" && event["step"] == begun["step"]);
    ensure!(undone, "the release was not taken back");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: &str, step: &str) -> String {
        format!("{{\"type\":\"run.event\",\"event\":\"{what}\",\"step\":\"{step}\"}}\n")
    }

    #[test]
    fn a_release_goes_before_anything_else() {
        let release = event("started", "helm.gauges.gauge") + &event("undone", "helm.gauges.gauge");
        let node = event("started", "reset.drain-edge-2");
        went_first(&(release.clone() + &node)).expect("it does");
        assert!(went_first(&(node + &release)).is_err());
        assert!(went_first(&event("started", "helm.gauges.gauge")).is_err());
        assert!(went_first("").is_err());
    }

    #[test]
    fn the_address_of_a_node_is_the_internal_one() {
        let node = serde_json::json!({"metadata": {"name": "edge-1"}, "status": {"addresses": [
            {"type": "Hostname", "address": "edge-1"}, {"type": "InternalIP", "address": "10.0.0.1"}]}});
        assert_eq!(internal_address(&node), Some("10.0.0.1"));
        let list = serde_json::json!({"items": [node]});
        named(&list, "edge-1").expect("it is there");
        assert!(named(&list, "edge-2").is_err());
    }
}
