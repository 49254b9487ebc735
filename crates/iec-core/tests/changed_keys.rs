//! Every key of the site file does on a site that runs what the manual says of it: a changed value of a key that is applied
//! changes the plan, and one of a key that is not leaves every step as it was.

#![expect(
    clippy::disallowed_methods,
    reason = "what other tests share with this one reads the example sites"
)]

#[expect(
    dead_code,
    reason = "other tests read the example sites, and this one has a site of its own"
)]
mod support;

use std::collections::BTreeMap;

use iec_core::content::Digest;
use iec_core::plan::lower;
use iec_core::schema::leaves;
use iec_core::spec::{OnChange, on_change};
use serde_json::{Value, json};
use support::{facts, parse, plain_host, plan_of};

/// A site that has as many keys as can stand beside each other.
fn document() -> Value {
    json!({
        "apiVersion": "iec.dev/v1alpha1",
        "kind": "Site",
        "metadata": {"name": "shop"},
        "spec": {
            "release": "1.36",
            "access": {"user": "edge"},
            "hosts": [
                {"name": "edge-1", "address": "10.0.0.11", "role": "control-plane"},
                {
                    "name": "edge-2", "address": "10.0.0.12", "role": "worker",
                    "labels": {"zone": "a"},
                    "taints": [{"key": "line", "value": "press", "effect": "PreferNoSchedule"}],
                    "hardware": {
                        "management": {"protocol": "ipmi", "address": "10.9.0.12"}, "disks": [{}], "interfaces": [{}],
                    },
                },
                {"name": "edge-3", "address": "10.0.0.13", "role": "worker", "state": "absent"},
            ],
            "controlPlane": {},
            "network": {"cni": {"calico": {"nodeAddress": {"interface": "en.*"}}}},
            "kubelet": {"evictionHard": {}, "systemReserved": {}},
            "helm": {"releases": [
                {"name": "till", "namespace": "store", "chart": "./till.tgz", "version": "1.2.3", "values": {"a": 1}},
            ]},
            "facility": {"networks": [{"name": "admin"}]},
        },
    })
}

/// Another value for each key that a change can reach: the key, where it stands in [`document`], and what stands there
/// instead.
const CHANGES: &str = r#"
spec.access.identity /spec/access/identity "~/.ssh/other"
spec.access.port /spec/access/port 2222
spec.content.bundle /spec/content {"bundle": "./other.iec"}
spec.hosts[].address /spec/hosts/1 {"name": "edge-2", "address": "10.8.0.12", "nodeAddress": "10.0.0.12", "role": "worker", "labels": {"zone": "a"}, "taints": [{"key": "line", "value": "press", "effect": "PreferNoSchedule"}]}
spec.hosts[].labels /spec/hosts/1/labels {"zone": "b"}
spec.hosts[].taints[].key /spec/hosts/1/taints/0/key "belt"
spec.hosts[].taints[].value /spec/hosts/1/taints/0/value "saw"
spec.hosts[].taints[].effect /spec/hosts/1/taints/0/effect "NoExecute"
spec.hosts[].state /spec/hosts/1/state "absent"
spec.hosts[].unreachable /spec/hosts/2/unreachable true
spec.hosts[].port /spec/hosts/1/port 2222
spec.hosts[].assume.cpus /spec/hosts/1/assume {"cpus": 7}
spec.hosts[].hardware.vendor /spec/hosts/1/hardware/vendor "ACME"
spec.hosts[].hardware.memory /spec/hosts/1/hardware/memory "16G"
spec.controlPlane.schedulable /spec/controlPlane/schedulable false
spec.controlPlane.certificateNames /spec/controlPlane/certificateNames ["api.example.org"]
spec.controlPlane.virtualAddress /spec/controlPlane/virtualAddress "10.0.0.10"
spec.controlPlane.apiServer.arguments /spec/controlPlane/apiServer {"arguments": {"profiling": "false"}}
spec.controlPlane.controllerManager.arguments /spec/controlPlane/controllerManager {"arguments": {"profiling": "false"}}
spec.controlPlane.scheduler.arguments /spec/controlPlane/scheduler {"arguments": {"profiling": "false"}}
spec.network.cni.calico.encapsulation /spec/network/cni/calico/encapsulation "VXLANCrossSubnet"
spec.network.cni.calico.mtu /spec/network/cni/calico/mtu 1400
spec.network.cni.calico.nodeAddress.cidr /spec/network/cni/calico/nodeAddress {"cidr": ["10.0.0.0/24"]}
spec.network.cni.calico.nodeAddress.interface /spec/network/cni/calico/nodeAddress {"interface": "eth.*"}
spec.network.cni.calico.nodeAddress.can-reach /spec/network/cni/calico/nodeAddress {"can-reach": "10.0.0.1"}
spec.network.cni.calico.wireguard /spec/network/cni/calico/wireguard true
spec.network.cni.calico.felix.logSeverity /spec/network/cni/calico/felix {"logSeverity": "Debug"}
spec.network.cni.calico.felix.prometheusMetrics /spec/network/cni/calico/felix {"prometheusMetrics": true}
spec.network.cni.calico.felix.chainInsertMode /spec/network/cni/calico/felix {"chainInsertMode": "Append"}
spec.network.kubeProxy.nodePortAddresses /spec/network/kubeProxy {"nodePortAddresses": ["10.0.0.0/24"]}
spec.network.dns.replicas /spec/network/dns {"replicas": 3}
spec.network.dns.forwarders /spec/network/dns {"forwarders": ["10.0.0.1"]}
spec.network.dns.zones[].name /spec/network/dns {"zones": [{"name": "example.org", "forwarders": ["10.0.0.1"]}]}
spec.network.dns.zones[].forwarders /spec/network/dns {"zones": [{"name": "example.org", "forwarders": ["10.0.0.1"]}]}
spec.runtime.takeOver /spec/runtime {"takeOver": true}
spec.kubelet.maxPods /spec/kubelet/maxPods 60
spec.kubelet.evictionHard.memory.available /spec/kubelet/evictionHard/memory.available "200Mi"
spec.kubelet.evictionHard.nodefs.available /spec/kubelet/evictionHard/nodefs.available "7%"
spec.kubelet.evictionHard.nodefs.inodesFree /spec/kubelet/evictionHard/nodefs.inodesFree "7%"
spec.kubelet.evictionHard.imagefs.available /spec/kubelet/evictionHard/imagefs.available "7%"
spec.kubelet.evictionHard.pid.available /spec/kubelet/evictionHard/pid.available "7%"
spec.kubelet.systemReserved.cpu /spec/kubelet/systemReserved/cpu "300m"
spec.kubelet.systemReserved.memory /spec/kubelet/systemReserved/memory "300Mi"
spec.kubelet.systemReserved.ephemeral-storage /spec/kubelet/systemReserved/ephemeral-storage "1Gi"
spec.kubelet.systemReserved.pid /spec/kubelet/systemReserved/pid "300"
spec.helm.releases[].name /spec/helm/releases/0/name "desk"
spec.helm.releases[].namespace /spec/helm/releases/0/namespace "back"
spec.helm.releases[].values /spec/helm/releases/0/values {"a": 2}
spec.facility.contact /spec/facility/contact "edge@example.org"
spec.accept /spec/accept ["container-host"]
"#;

fn changes() -> Vec<(&'static str, &'static str, Value)> {
    let lines = CHANGES.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
            let (way, pointer, value) = (word(), word(), word());
            (
                way,
                pointer,
                serde_json::from_str(value).unwrap_or_else(|error| panic!("{line}: {error}")),
            )
        })
        .collect()
}

/// What reaches a host by the chart's archive, which the site file only names, and a key that has one value.
const UNTRIED: [&str; 3] = [
    "spec.helm.releases[].chart",
    "spec.helm.releases[].version",
    "spec.network.kubeProxy.mode",
];

/// Every step with the digest of its commands.
fn steps(document: &Value) -> BTreeMap<String, Digest> {
    let site = parse(&document.to_string());
    // The hosts are what they were.
    let known = parse(&self::document().to_string());
    let plan = plan_of(&site, &facts(&known, plain_host));
    let after = plan.after_joins.iter().flat_map(|part| &part.steps);
    plan.steps()
        .chain(after)
        .map(|step| (format!("{}@{}", step.id, step.host), lower(step).digest()))
        .collect()
}

/// Puts a value where a pointer of JSON leads, below a mapping that is there.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (above, key) = pointer.rsplit_once('/').expect("a pointer");
    let above = document.pointer_mut(above).unwrap_or_else(|| panic!("{pointer}"));
    match above.as_array_mut() {
        Some(list) => list[key.parse::<usize>().expect("a number")] = value,
        None => above[key] = value,
    }
}

#[test]
fn a_changed_value_changes_what_the_manual_says() {
    let before = steps(&document());
    let mut wrong = Vec::new();
    for (way, pointer, value) in changes() {
        let mut changed = document();
        put(&mut changed, pointer, value);
        let now = steps(&changed);
        let applied = on_change(way) == Some(OnChange::Applied);
        if (now != before) != applied {
            let other = now
                .iter()
                .filter(|(step, digest)| before.get(*step) != Some(digest));
            wrong.push(format!(
                "{way}: {:?}",
                other.map(|(step, _)| step).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_key_has_its_place_in_the_manual_and_every_one_that_is_applied_is_tried() {
    let tried: Vec<&str> = changes().iter().map(|(way, ..)| *way).chain(UNTRIED).collect();
    let leaves = leaves();
    let open = leaves.iter().filter(|way| on_change(way).is_none());
    assert_eq!(
        open.collect::<Vec<_>>(),
        [""; 0],
        "nobody says what becomes of these"
    );
    let applied = leaves
        .iter()
        .filter(|way| on_change(way) == Some(OnChange::Applied));
    let untried = applied.filter(|way| !tried.contains(&way.as_str()));
    assert_eq!(
        untried.collect::<Vec<_>>(),
        [""; 0],
        "these are applied, and are not tried"
    );
    let unknown = tried.iter().filter(|way| leaves.iter().all(|leaf| leaf != *way));
    assert_eq!(unknown.collect::<Vec<_>>(), [&""; 0], "there are no such keys");
}
