//! The state that a method of installation leaves: files, units, kernel parameters, journal, and every object of the cluster.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::e2e::inventory::{Difference, Inventory, Mask};
use crate::e2e::lab::Lab;
use crate::e2e::machine::Machine;

const CLUSTER: &str = include_str!("cluster.sh");
const JOURNAL: &str = "cat /var/lib/iec/journal.jsonl 2>/dev/null || true";
/// What may be different between two methods, and why.
const MASK: &str = include_str!("mask.txt");

/// The folders of a host whose files are compared.
const FOLDERS: [&str; 4] = ["/etc", "/usr/local", "/opt", "/var/lib/iec"];
/// What else of a host is compared.
const SECTIONS: [&str; 7] = [
    "unit",
    "unit-file",
    "sysctl",
    "module",
    "package",
    "user",
    "group",
];

/// The state of a whole site.
pub(super) struct State {
    /// The addresses of the hosts, which many files hold.
    addresses: Vec<Vec<String>>,
    /// The hosts' own, by name.
    hosts: BTreeMap<String, Inventory>,
    /// The objects of the cluster, field by field.
    cluster: Inventory,
}

/// The mask of the comparison, for a method whose hosts keep a journal, or whose steps `iec apply` adopts afterwards; with
/// what is different by the nature of the method.
pub(super) fn mask(has_journal: bool, own: &str) -> Mask {
    let adopted = if has_journal {
        ""
    } else {
        "outcome *  # adopted: who did it kept no journal\n"
    };
    Mask::parse(&format!("{MASK}{adopted}{own}")).expect("a test reads the mask file")
}

impl State {
    /// Collects the state of a running site.
    ///
    /// # Errors
    /// When a host or the cluster cannot be asked.
    pub(super) fn of(lab: &Lab, machine: &Machine, method: &str) -> anyhow::Result<Self> {
        let mut hosts = BTreeMap::new();
        for host in &lab.hosts {
            let mut own = lab.inventory_below(host, method, &FOLDERS)?;
            own.retain(is_compared);
            for (step, outcome) in outcomes(&lab.run(host, JOURNAL, "")?)? {
                own.insert("step", &step, "recorded");
                own.insert("outcome", &step, &outcome);
            }
            hosts.insert(host.name.clone(), own);
        }
        let control_plane = lab.hosts.iter().find(|host| host.role == "control-plane");
        let control_plane = control_plane.context("a lab has a control plane")?;
        let text = lab.run(control_plane, CLUSTER, "")?;
        fs::write(machine.logs.join(format!("{method}-cluster.json")), &text)?;
        let cluster = objects(&serde_json::from_str(&text)?)?;
        ensure!(
            cluster.len() > 1000,
            "the cluster shows {} fields only",
            cluster.len()
        );
        Ok(Self {
            addresses: lab.hosts.iter().map(|host| host.addresses.clone()).collect(),
            hosts,
            cluster,
        })
    }

    /// How many things were found.
    pub(super) fn len(&self) -> usize {
        self.hosts.values().map(Inventory::len).sum::<usize>() + self.cluster.len()
    }

    /// What is different in another state, but for what the mask allows.
    ///
    /// # Errors
    /// When the two sites cannot be compared, because their hosts have different addresses.
    pub(super) fn differences(&self, other: &Self, mask: &Mask) -> anyhow::Result<Vec<String>> {
        ensure!(
            self.addresses == other.addresses,
            "the two labs have different networks: another lab came or went on this machine meanwhile"
        );
        let mut told = Vec::new();
        for (name, own) in &self.hosts {
            if let Some(others) = other.hosts.get(name) {
                let differences = own.differences(others, mask);
                told.extend(differences.iter().map(|each| format!("{name}: {each}")));
            }
        }
        let differences: Vec<Difference> = self.cluster.differences(&other.cluster, mask);
        told.extend(differences.iter().map(|each| format!("cluster: {each}")));
        Ok(told)
    }
}

fn is_compared(section: &str, name: &str) -> bool {
    match section {
        "path" | "digest" => FOLDERS.iter().any(|folder| {
            name.strip_prefix(folder)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }),
        other => SECTIONS.contains(&other),
    }
}

/// The last outcome of each step in a journal.
fn outcomes(journal: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut outcomes = BTreeMap::new();
    for line in journal.lines() {
        let entry: Value =
            serde_json::from_str(line).with_context(|| format!("no line of a journal: {line}"))?;
        if let (Some(step), Some(outcome)) = (entry["step"].as_str(), entry["outcome"].as_str()) {
            outcomes.insert(step.to_owned(), outcome.to_owned());
        }
    }
    Ok(outcomes)
}

/// Every field of every object: `Kind namespace/name field.path`, and its value.
fn objects(list: &Value) -> anyhow::Result<Inventory> {
    let mut inventory = Inventory::default();
    for object in list["items"].as_array().context("a list has items")? {
        let kind = object["kind"].as_str().context("an object has a kind")?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = format!("{kind} {namespace}/{}", stable_name(object));
        fields(object, &mut |path, value| {
            inventory.insert("object", &format!("{name} {path}"), value);
        });
    }
    inventory.sort();
    Ok(inventory)
}

/// The name of an object without what was drawn at random: a pod is called by its owner, a generated name by its begin.
fn stable_name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let owner = &metadata["ownerReferences"][0];
    if object["kind"] == "Pod" && ["ReplicaSet", "DaemonSet"].contains(&text(&owner["kind"]).as_str()) {
        return format!("{}-…", text(&owner["name"]));
    }
    match metadata["generateName"].as_str() {
        Some(begin) => format!("{begin}…"),
        None => text(&metadata["name"]),
    }
}

/// Calls `tell` with each leaf of a value and its path. The entries of a list are told as a set, each by its own name
/// where it has one, because their order says nothing.
fn fields(value: &Value, tell: &mut impl FnMut(&str, &str)) {
    fn walk(path: &str, value: &Value, tell: &mut impl FnMut(&str, &str)) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    walk(&path, value, tell);
                }
            }
            Value::Array(list) => {
                for value in list {
                    let named = ["name", "type", "key", "ip"]
                        .iter()
                        .find_map(|key| value[*key].as_str());
                    // A word of a command line is called by its flag.
                    let flag = value.as_str().and_then(|word| Some(word.split_once('=')?.0));
                    let named = named.or(flag.filter(|flag| flag.starts_with("--")));
                    walk(&format!("{path}[{}]", named.unwrap_or_default()), value, tell);
                }
            }
            Value::String(text) => tell(path, text),
            other => tell(path, &other.to_string()),
        }
    }
    walk("", value, tell);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::METHODS;
    use super::*;

    #[test]
    fn every_line_of_the_mask_has_a_reason() {
        assert!(!MASK.is_empty());
        assert_ne!(mask(true, ""), mask(false, ""));
        for method in METHODS {
            assert_eq!(mask(true, method.mask) == mask(true, ""), method.mask.is_empty());
        }
    }

    #[test]
    fn only_what_a_method_is_responsible_for_is_compared() {
        for (section, name, expected) in [
            ("path", "/etc", true),
            ("path", "/etc/hosts", true),
            ("path", "/etcetera", false),
            ("digest", "/var/lib/iec/journal.jsonl", true),
            ("digest", "/var/lib/kubelet/config.yaml", false),
            ("unit", "containerd.service", true),
            ("process", "kubelet", false),
        ] {
            assert_eq!(is_compared(section, name), expected, "{section} {name}");
        }
    }

    #[test]
    fn a_word_of_a_command_line_is_called_by_its_flag() {
        let mut told = Vec::new();
        let pod = json!({"command": ["etcd", "--name=edge-2", "--initial-cluster=edge-1=a,edge-2=b"]});
        fields(&pod, &mut |path, value| told.push(format!("{path} {value}")));
        assert_eq!(
            told,
            [
                "command[] etcd",
                "command[--name] --name=edge-2",
                "command[--initial-cluster] --initial-cluster=edge-1=a,edge-2=b",
            ]
        );
    }

    #[test]
    fn the_last_outcome_of_a_step_counts() {
        let journal = r#"{"v":1,"step":"a","intent":"apply"}
{"v":1,"step":"a","outcome":"failed"}
{"v":1,"step":"a","outcome":"changed"}
"#;
        assert_eq!(
            outcomes(journal).expect("a journal"),
            BTreeMap::from([("a".to_owned(), "changed".to_owned())])
        );
        assert!(outcomes("nonsense\n").is_err());
    }

    #[test]
    fn objects_are_compared_field_by_field() {
        let pod = |name: &str, node: &str| {
            json!({"items": [{
                "kind": "Pod",
                "metadata": {
                    "namespace": "kube-system", "name": name, "generateName": "coredns-5d-",
                    "ownerReferences": [{"kind": "ReplicaSet", "name": "coredns-5d"}],
                },
                "spec": {"nodeName": node, "tolerations": [{"key": "b"}, {"key": "a"}]},
            }]})
        };
        let mask = Mask::parse("object Pod *-… metadata.name  # drawn at random\n").expect("a mask");
        let one = objects(&pod("coredns-5d-x1", "edge-1")).expect("objects");
        let other = objects(&pod("coredns-5d-y2", "edge-2")).expect("objects");
        let told: Vec<String> = one
            .differences(&other, &mask)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            ["~ object Pod kube-system/coredns-5d-… spec.nodeName edge-1 -> edge-2"]
        );
    }
}
