//! An inventory in the YAML form.

use super::inventory::{Inventory, Variables, is_encrypted, names};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::spec::source::Source;
use crate::spec::tree::{self, Content, Entry, Node};

const INVENTORY: tree::Kind = tree::Kind {
    called: "an Ansible inventory",
    one_document: "give the file that has the hosts and their groups",
    merge_keys: true,
    tags: true,
};

/// Reads the groups; `None` when the text is no YAML.
pub(super) fn read(source: &Source<'_>, problems: &mut Diagnostics) -> Option<Inventory> {
    let root = tree::parse(source, INVENTORY, problems)?;
    let mut inventory = Inventory::default();
    for entry in mapping(&root, "a mapping of groups", problems) {
        group(&mut inventory, entry, problems);
    }
    Some(inventory)
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
            _ => {}
        }
    }
}

fn hosts(inventory: &mut Inventory, group: &str, node: &Node, problems: &mut Diagnostics) {
    for entry in mapping(node, "a mapping of hosts", problems) {
        let Some(names) = names(&entry.key) else {
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

/// The variables that are texts; those that are encrypted are remembered by their names.
fn read_variables(node: &Node, inventory: &mut Inventory, problems: &mut Diagnostics) -> Variables {
    let mut variables = Variables::new();
    for entry in mapping(node, "a mapping of variables", problems) {
        inventory.settings.insert(entry.key.clone());
        match scalar(&entry.value) {
            Some(value) if !is_encrypted(&value) => {
                variables.insert(entry.key.clone(), value);
            }
            Some(_) => {
                inventory.encrypted.insert(entry.key.clone());
            }
            None if matches!(entry.value.content, Content::Refused) => {
                inventory.encrypted.insert(entry.key.clone());
                // Of a tag nobody knows what it makes of the value: a weaker one must not come through.
                variables.insert(entry.key.clone(), String::new());
            }
            None => {}
        }
    }
    variables
}

/// The entries of a mapping; nothing in it is as good as an empty one.
fn mapping<'n>(node: &'n Node, expected: &str, problems: &mut Diagnostics) -> &'n [Entry] {
    match &node.content {
        Content::Mapping(entries) => entries,
        Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null") => &[],
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

/// A value that is one text; lists and mappings say nothing to IEC.
fn scalar(node: &Node) -> Option<String> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text.clone()),
        Content::Sequence(_) | Content::Mapping(_) | Content::Refused => None,
    }
}
