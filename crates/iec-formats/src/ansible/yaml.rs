//! An inventory in the YAML form.

use std::rc::Rc;

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::site::printable;
use iec_core::spec::source::Source;
use iec_core::spec::tree::{self, Content, Entry, Node, Repeated};

use super::inventory::{Inventory, is_encrypted};
use super::letters::shown;
use super::variable::{Value, Variable, Variables};
use super::{literal, pattern, told};

const INVENTORY: tree::Kind = tree::Kind {
    called: "an Ansible inventory",
    one_document: "give the file that has the hosts and their groups",
    merge_keys: true,
    tags: true,
    repeated: Repeated::LastCounts,
};

const VARIABLES: tree::Kind = tree::Kind {
    called: "a file of variables",
    one_document: "Ansible reads one document of it and refuses a second; put all into one",
    ..INVENTORY
};

/// Reads the groups; what cannot be read is reported.
pub(super) fn read(source: &Source<'_>, inventory: &mut Inventory, problems: &mut Diagnostics) {
    let Some(root) = tree::parse(source, INVENTORY, problems) else {
        return;
    };
    let groups = mapping(&root, "a mapping of groups", problems);
    if groups.is_empty() && !problems.has_errors() {
        problems.push(Diagnostic::error("IEC0831", "the inventory is empty").at(&root.place));
    }
    for entry in groups {
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
                for child in named(&part.value, "a mapping of groups", problems) {
                    group(inventory, &child, problems);
                    if let Err(reason) = inventory.add_child(name, &child.key) {
                        let message = format!("{} cannot be in {}: {reason}", shown(&child.key), shown(name));
                        problems.push(Diagnostic::error("IEC0831", message).at(&child.key_place));
                    }
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
                    shown(name)
                );
                let place = told::line(&part.key_place);
                inventory.warnings.push(told::left_out(message).evidence(place));
            }
        }
    }
}

fn hosts(inventory: &mut Inventory, group: &str, node: &Rc<Node>, problems: &mut Diagnostics) {
    for entry in named(node, "a mapping of hosts", problems) {
        let Some((names, port)) = pattern::hosts(&entry.key) else {
            let message = format!(
                "the range in the name {} is none, or far too long",
                shown(&entry.key)
            );
            problems.push(
                Diagnostic::error("IEC0831", message)
                    .at(&entry.key_place)
                    .hint("a range is `[1:3]`, `[01:12]` or `[a:c]`, the smaller end first"),
            );
            continue;
        };
        if let Err(reason) = inventory.count(names.len()) {
            let message = format!("the inventory cannot be read: {reason}");
            problems.push(Diagnostic::error("IEC0831", message).at(&entry.key_place));
            return;
        }
        let variables = read_variables(&entry.value, inventory, problems);
        for name in names {
            let port = port.clone().map(|port| Variable {
                value: Value::Text(port),
                place: entry.key_place.clone(),
            });
            inventory.add_host(&name, port, group, &entry.key_place);
            inventory.set_variables(&name, variables.clone());
        }
    }
}

/// Reads a file of `group_vars` or `host_vars`; nothing when it is no YAML.
pub(super) fn variables(
    source: &Source<'_>,
    inventory: &mut Inventory,
    problems: &mut Diagnostics,
) -> Option<Variables> {
    let root = tree::parse(source, VARIABLES, problems)?;
    // To Ansible an empty list is as good as an empty file.
    if matches!(&root.content, Content::Sequence(items) if items.is_empty()) {
        return None;
    }
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

fn value(node: &Rc<Node>) -> Value {
    match &node.content {
        Content::Scalar { text, .. } if is_encrypted(text) => Value::Encrypted,
        Content::Scalar { text, plain: true } => literal::of_yaml(text),
        Content::Scalar { text, plain: false } => Value::Text(text.clone()),
        Content::Refused => Value::Encrypted,
        Content::Sequence(_) | Content::Mapping(_) => Value::Structure(Some(node.clone())),
    }
}

fn is_null(text: &str) -> bool {
    matches!(literal::of_yaml(text), Value::Null)
}

/// The entries of a mapping, or the one name that stands in its place.
fn named(node: &Rc<Node>, expected: &str, problems: &mut Diagnostics) -> Vec<Entry> {
    match &node.content {
        Content::Scalar { text, plain } if !(*plain && is_null(text)) => vec![Entry {
            key: text.clone(),
            key_place: node.place.clone(),
            value: Rc::new(Node::absent(node.place.clone())),
        }],
        _ => mapping(node, expected, problems).to_vec(),
    }
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
