//! An inventory in the YAML form.

use super::inventory::{Inventory, is_encrypted, names, with_port};
use super::told;
use super::variable::{Value, Variable, Variables};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::site::rule::printable;
use crate::spec::source::Source;
use crate::spec::tree::{self, Content, Entry, Node};

const INVENTORY: tree::Kind = tree::Kind {
    called: "an Ansible inventory",
    one_document: "give the file that has the hosts and their groups",
    merge_keys: true,
    tags: true,
};

/// Reads the groups; what cannot be read is reported.
pub(super) fn read(source: &Source<'_>, inventory: &mut Inventory, problems: &mut Diagnostics) {
    let Some(root) = tree::parse(source, INVENTORY, problems) else {
        return;
    };
    for entry in mapping(&root, "a mapping of groups", problems) {
        group(inventory, entry, problems);
    }
}

fn group(inventory: &mut Inventory, entry: &Entry, problems: &mut Diagnostics) {
    let name = entry.key.as_str();
    inventory.group(name);
    for part in mapping(
        &entry.value,
        "a group with `hosts`, `children` and `vars`",
        problems,
    ) {
        match part.key.as_str() {
            "hosts" => hosts(inventory, name, &part.value, problems),
            "children" => {
                for child in mapping(&part.value, "a mapping of groups", problems) {
                    group(inventory, child, problems);
                    inventory.group(name).children.insert(child.key.clone());
                }
            }
            "vars" => {
                let read = read_variables(&part.value, inventory, problems);
                inventory.group(name).variables.extend(read);
            }
            other => {
                let message = format!(
                    "`{}` of the group {} is left out: a group has `hosts`, `children` and `vars`",
                    printable(other),
                    printable(name)
                );
                let place = told::line(&part.key_place);
                inventory.warnings.push(told::left_out(message).evidence(place));
            }
        }
    }
}

fn hosts(inventory: &mut Inventory, group: &str, node: &Node, problems: &mut Diagnostics) {
    for entry in mapping(node, "a mapping of hosts", problems) {
        let (pattern, port) = with_port(&entry.key);
        let Some(names) = names(pattern) else {
            let message = format!("the range in the name {} is none, or far too long", entry.key);
            problems.push(
                Diagnostic::error("IEC0831", message)
                    .at(&entry.key_place)
                    .hint("a range is `[1:3]`, `[01:12]` or `[a:c]`, the smaller end first"),
            );
            continue;
        };
        let variables = read_variables(&entry.value, inventory, problems);
        for name in names {
            let host = inventory.host(&name, &entry.key_place);
            if let Some(port) = port {
                let port = Variable {
                    value: Value::Text(port.to_owned()),
                    place: entry.key_place.clone(),
                };
                host.variables.insert("ansible_port".to_owned(), port);
            }
            host.variables.extend(variables.clone());
            inventory.group(group).hosts.insert(name);
        }
    }
}

/// Reads a file of `group_vars` or `host_vars`; nothing when it is no YAML.
pub(super) fn variables(
    source: &Source<'_>,
    inventory: &mut Inventory,
    problems: &mut Diagnostics,
) -> Option<Variables> {
    let root = tree::parse(source, INVENTORY, problems)?;
    Some(read_variables(&root, inventory, problems))
}

/// The variables; those that are encrypted are remembered by their names too.
fn read_variables(node: &Node, inventory: &mut Inventory, problems: &mut Diagnostics) -> Variables {
    let mut variables = Variables::new();
    for entry in mapping(node, "a mapping of variables", problems) {
        inventory.settings.insert(entry.key.clone());
        let value = value(&entry.value);
        if matches!(value, Value::Encrypted) {
            inventory.encrypted.insert(entry.key.clone());
        }
        let variable = Variable {
            value,
            place: entry.key_place.clone(),
        };
        variables.insert(entry.key.clone(), variable);
    }
    variables
}

fn value(node: &Node) -> Value {
    match &node.content {
        Content::Scalar { text, plain: true } if is_null(text) => Value::Text(String::new()),
        Content::Scalar { text, .. } if !is_encrypted(text) => Value::Text(text.clone()),
        // Of a tag nobody knows what it makes of the value: a weaker one must not come through.
        Content::Scalar { .. } | Content::Refused => Value::Encrypted,
        Content::Sequence(_) | Content::Mapping(_) => Value::Structure,
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The entries of a mapping; nothing in it is as good as an empty one.
fn mapping<'n>(node: &'n Node, expected: &str, problems: &mut Diagnostics) -> &'n [Entry] {
    match &node.content {
        Content::Mapping(entries) => entries,
        Content::Scalar { text, plain: true } if is_null(text) => &[],
        Content::Refused => &[],
        Content::Scalar { .. } | Content::Sequence(_) => {
            problems.push(
                Diagnostic::error("IEC0831", format!("here the inventory should have {expected}"))
                    .at(&node.place)
                    .hint("ansible-inventory --list -i FILE shows what Ansible reads"),
            );
            &[]
        }
    }
}
