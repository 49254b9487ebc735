//! What Ansible knows about a site: inventory, playbook, and the variables of each host.

use serde_json::{Map, Value, json};

use super::file_name;
use crate::plan::HostPart;
use crate::render::{Secrets, Subject};
use crate::site::{Role, SiteHost, further_of_host, further_of_site};
use crate::spec::is_safe_plain;

/// The variable of all hosts that has the further keys of the site file.
pub const SITE_VARIABLE: &str = "iec_site";
/// The variable of a host that has the further keys of its entry in the site file.
pub const HOST_VARIABLE: &str = "iec_host";
/// The key of [`SITE_VARIABLE`] that has the site's name.
pub const SITE_NAME: &str = "name";
/// The key of [`SITE_VARIABLE`] with the names of Helm's releases, which an inventory does not have.
pub const WITHOUT_HELM: &str = "withoutHelm";

/// How ssh knows a host of which the site names the key: by that key and no other.
const PINNED: &str =
    "-o 'UserKnownHostsFile=\"{{ inventory_dir }}/known_hosts\"' -o StrictHostKeyChecking=yes";

/// The hosts by role, with how they are reached; and what Ansible has no word for, so that `iec init --from-ansible` makes
/// the same site of it. Helm's releases are named only: their values may be secrets.
pub(super) fn inventory(subject: &Subject<'_>) -> String {
    let group = |role: Role| {
        let hosts: Map<String, Value> = subject
            .site
            .present_hosts()
            .filter(|host| host.role() == role)
            .map(|host| (host.name().to_string(), reach(subject, host)))
            .collect();
        json!({ "hosts": hosts })
    };
    let mut children = Map::new();
    children.insert("iec_control_planes".to_owned(), group(Role::ControlPlane));
    if subject.site.workers().next().is_some() {
        children.insert("iec_workers".to_owned(), group(Role::Worker));
    }
    let mut own = further_of_site(subject.site);
    own.insert(SITE_NAME.to_owned(), json!(subject.site.name()));
    if !subject.site.helm().is_empty() {
        let releases: Vec<&str> = subject
            .site
            .helm()
            .iter()
            .map(|release| release.name().as_str())
            .collect();
        own.insert(WITHOUT_HELM.to_owned(), json!(releases));
    }
    document(&json!({ "all": { "vars": { SITE_VARIABLE: own }, "children": children } }))
}

/// The keys of the hosts that the site names, as ssh reads them.
pub(super) fn known_hosts(subject: &Subject<'_>) -> String {
    let line = |host: &SiteHost| {
        let key = host.host_key()?;
        let name = match host.port().or(subject.site.access().port()) {
            Some(port) if port != 22 => format!("[{}]:{port}", host.address()),
            _ => host.address().to_string(),
        };
        Some(format!("{name} {key}\n"))
    };
    subject.site.present_hosts().filter_map(line).collect()
}

fn reach(subject: &Subject<'_>, host: &SiteHost) -> Value {
    let access = subject.site.access();
    let mut reach = Map::new();
    reach.insert("ansible_host".to_owned(), json!(host.address().to_string()));
    reach.insert(
        "ansible_user".to_owned(),
        json!(host.user().unwrap_or_else(|| access.user()).as_str()),
    );
    if let Some(port) = host.port().or(access.port()) {
        reach.insert("ansible_port".to_owned(), json!(port));
    }
    if let Some(identity) = access.identity() {
        reach.insert("ansible_ssh_private_key_file".to_owned(), json!(identity));
    }
    if host.host_key().is_some() {
        reach.insert("ansible_ssh_common_args".to_owned(), json!(PINNED));
    }
    let further = further_of_host(host);
    if !further.is_empty() {
        reach.insert(HOST_VARIABLE.to_owned(), Value::Object(further));
    }
    Value::Object(reach)
}

/// The playbook. Hosts go on at their own speed: a worker waits for the control plane by itself.
pub(super) fn playbook(subject: &Subject<'_>, secrets: Secrets) -> String {
    let mut play = json!({
        "name": format!("Install the site {}", subject.site.name()),
        "hosts": "all",
        "become": true,
        "gather_facts": false,
        "strategy": "ansible.builtin.free",
        "roles": ["iec"],
    });
    if secrets == Secrets::Encrypted {
        play["vars_prompt"] = json!([{
            "name": "iec_passphrase",
            "prompt": "Passphrase of the hosts' secrets",
            "private": true,
        }]);
    }
    document(&json!([play]))
}

/// The steps of a host, in order, the files of the bundle that it may ask for, and whether something was assumed of it.
pub(super) fn host_variables(part: &HostPart, assumed: bool) -> String {
    let steps: Vec<Value> = part
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            json!({
                "id": step.id.as_str(),
                "title": step.title,
                "file": file_name(index, step.id.as_str()),
            })
        })
        .collect();
    let blobs = part.blobs.iter();
    let content: Vec<Value> = blobs
        .map(|blob| json!({ "digest": blob.digest.hex(), "size": blob.size }))
        .collect();
    document(&json!({ "iec_assumed": assumed, "iec_content": content, "iec_steps": steps }))
}

/// One YAML document in the form that linters of Ansible ask for.
fn document(value: &Value) -> String {
    let mut text = "---\n".to_owned();
    write(&mut text, value, 0, false);
    text
}

/// Block style, two spaces deeper at each level; texts in double quotes, which JSON and YAML read alike.
fn write(text: &mut String, value: &Value, depth: usize, in_line: bool) {
    let indent = |text: &mut String, first: bool| {
        if !(first && in_line) {
            text.push_str(&"  ".repeat(depth));
        }
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, value)) in map.iter().enumerate() {
                indent(text, index == 0);
                // A host may be called `yes` or `012`, which YAML would take for something else.
                if is_safe_plain(key) {
                    text.push_str(key);
                } else {
                    text.push_str(&Value::from(key.as_str()).to_string());
                }
                text.push(':');
                below(text, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                indent(text, index == 0);
                text.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        text.push(' ');
                        write(text, item, depth + 1, true);
                    }
                    _ => below(text, item, depth),
                }
            }
        }
        // The JSON form of a plain value is its YAML form too.
        plain => {
            text.push_str(&plain.to_string());
            text.push('\n');
        }
    }
}

fn below(text: &mut String, value: &Value, depth: usize) {
    let nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        text.push('\n');
        write(text, value, depth + 1, false);
    } else {
        text.push(' ');
        write(text, value, depth, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_yaml_in_block_style() {
        let value = json!({ "a": [{ "b": 1, "c": "x: y" }], "d": {}, "e": ["f"] });
        assert_eq!(
            document(&value),
            "---\na:\n  - b: 1\n    c: \"x: y\"\nd: {}\ne:\n  - \"f\"\n"
        );
    }

    #[test]
    fn hosts_are_texts_for_every_yaml_reader() {
        for name in ["yes", "no", "1e3", "012", "null", "true", "7", "y"] {
            assert_eq!(document(&json!({ name: {} })), format!("---\n\"{name}\": {{}}\n"));
        }
        assert_eq!(document(&json!({ "edge-1": 1 })), "---\nedge-1: 1\n");
    }
}
