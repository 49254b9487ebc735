//! The keys of a mapping: what can be one, which are there already, and those that are taken over by `<<`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::tree::{Content, Entry, Kind, Node, Repeated};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};

/// A key whose value has not come yet.
pub(super) enum Key {
    Text {
        key: String,
        place: Place,
        /// Whether it was there before, and the new value counts.
        again: bool,
    },
    /// It was reported already; its value is dropped.
    Refused,
    /// `<<`: the value is a mapping, or a list of them, whose keys are taken over.
    Merge,
}

/// The entries with those of merged mappings; the mapping's own come first and win, then the earlier mapping.
pub(super) fn with_merged(
    mut entries: Vec<Entry>,
    merged: &[Rc<Node>],
    problems: &mut Diagnostics,
) -> Vec<Entry> {
    let mut mappings: Vec<&Rc<Node>> = Vec::new();
    for node in merged {
        match &node.content {
            Content::Sequence(items) => mappings.extend(items),
            _ => mappings.push(node),
        }
    }
    let mut own: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for node in mappings {
        match &node.content {
            Content::Mapping(others) => {
                entries.extend(
                    others
                        .iter()
                        .filter(|other| own.insert(other.key.clone()))
                        .cloned(),
                );
            }
            Content::Refused => {}
            Content::Scalar { .. } | Content::Sequence(_) => problems.push(
                Diagnostic::error("IEC0009", "only the keys of a mapping can be taken over by `<<`")
                    .at(&node.place)
                    .hint("name the anchor of a mapping: `<<: *anchor`"),
            ),
        }
    }
    entries
}

/// Takes a node as a key, unless it cannot be one or is there already.
pub(super) fn key_of(
    node: &Node,
    kind: Kind,
    seen: &mut BTreeMap<String, Place>,
    problems: &mut Diagnostics,
) -> Key {
    let (text, plain) = match &node.content {
        Content::Scalar { text, plain } => (text, plain),
        Content::Refused => return Key::Refused,
        Content::Sequence(_) | Content::Mapping(_) => {
            problems.push(
                Diagnostic::error("IEC0009", "a list or a mapping cannot be a key")
                    .at(&node.place)
                    .hint("keys are plain words; look for a missing space after a colon, or a stray `?`"),
            );
            return Key::Refused;
        }
    };
    if *plain && text == "<<" {
        if kind.merge_keys {
            return Key::Merge;
        }
        problems.push(
            Diagnostic::error(
                "IEC0009",
                format!("{} has no merge keys (`<<`), YAML 1.2 dropped them", kind.called),
            )
            .at(&node.place)
            .hint("write the keys out"),
        );
        return Key::Refused;
    }
    if let Some(first) = seen.get(text) {
        let message = format!("the key `{text}` is written twice");
        if kind.repeated == Repeated::Refused {
            problems.push(
                Diagnostic::error("IEC0004", message)
                    .at(&node.place)
                    .label(first, "first written here")
                    .hint("remove one of the two"),
            );
            return Key::Refused;
        }
        // Without a place: what is drawn there might be a password.
        problems.push(
            Diagnostic::warning("IEC0004", message)
                .evidence(format!(
                    "{}, lines {} and {}",
                    first.file.escape_debug(),
                    first.line,
                    node.place.line
                ))
                .hint("the last one counts, as for Ansible; remove one of the two"),
        );
    }
    let again = seen.insert(text.clone(), node.place.clone()).is_some();
    Key::Text {
        key: text.clone(),
        place: node.place.clone(),
        again,
    }
}
