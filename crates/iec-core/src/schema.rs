//! The site file's format as JSON Schema and as a reference manual, both made from the documentation of the types that read it.

use std::fmt::Write as _;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::spec::{Document, OnChange, on_change};

/// Where the schema will be found by editors and other tools.
const ID: &str = "https://iec.dev/schemas/site-v1alpha1.json";

/// The JSON Schema (draft 2020-12) of a site file, as pretty JSON text with a final line break.
#[must_use]
pub fn json_schema() -> String {
    let mut text = serde_json::to_string_pretty(&Value::Object(schema())).expect("a schema is plain data");
    text.push('\n');
    text
}

fn schema() -> Map<String, Value> {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let Value::Object(mut schema) = generator.into_root_schema_for::<Document>().to_value() else {
        unreachable!("the schema of a mapping is an object")
    };
    schema.insert("$id".to_owned(), ID.into());
    schema
}

/// One key of the site file.
struct Key {
    /// The way to it: `spec.hosts[].name`.
    way: String,
    need: Need,
    schema: Map<String, Value>,
}

/// Whether a key must be there.
#[derive(Clone, Copy)]
enum Need {
    Required,
    Optional,
    /// It is one of several keys, of which exactly one must be there.
    OneOf,
}

/// Every key with a way that is known beforehand, mappings before their keys.
fn keys() -> Vec<Key> {
    let root = schema();
    let definitions = root
        .get("$defs")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let mut keys = Vec::new();
    collect(&root, "", None, &definitions, &mut keys);
    keys
}

fn collect(
    schema: &Map<String, Value>,
    way: &str,
    need: Option<Need>,
    definitions: &Map<String, Value>,
    keys: &mut Vec<Key>,
) {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let property = resolved(property, definitions);
        let way = if way.is_empty() {
            name.clone()
        } else {
            format!("{way}.{name}")
        };
        let required = list("required").any(|required| required == name);
        let own = if required { Need::Required } else { Need::Optional };
        keys.push(Key {
            way: way.clone(),
            need: need.unwrap_or(own),
            schema: property.clone(),
        });
        collect(&property, &way, None, definitions, keys);
        if let Some(items) = property.get("items") {
            collect(
                &resolved(items, definitions),
                &format!("{way}[]"),
                None,
                definitions,
                keys,
            );
        }
    }
    for choice in list("oneOf") {
        collect(
            &resolved(choice, definitions),
            way,
            Some(Need::OneOf),
            definitions,
            keys,
        );
    }
}

/// The schema with what it refers to; its own words go before those of the reference.
fn resolved(schema: &Value, definitions: &Map<String, Value>) -> Map<String, Value> {
    let own = schema.as_object().cloned().unwrap_or_default();
    let target = own
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/$defs/"))
        .and_then(|name| definitions.get(name))
        .and_then(Value::as_object);
    let Some(target) = target else { return own };
    let mut merged = target.clone();
    merged.extend(own.into_iter().filter(|(key, _)| key != "$ref"));
    merged
}

/// The ways of all keys that have no further keys in them, such as `spec.hosts[].name`.
#[must_use]
pub fn leaves() -> Vec<String> {
    let ways: Vec<String> = keys().into_iter().map(|key| key.way).collect();
    let has_keys = |way: &String| {
        let within = [format!("{way}."), format!("{way}[].")];
        ways.iter()
            .any(|other| within.iter().any(|above| other.starts_with(above)))
    };
    ways.iter().filter(|way| !has_keys(way)).cloned().collect()
}

/// The mappings that have a key of this name, in words; empty if there are none.
pub(crate) fn mappings_with(key: &str) -> Vec<String> {
    // A file full of unknown keys would make the schema for each of them.
    static WAYS: LazyLock<Vec<String>> = LazyLock::new(|| keys().into_iter().map(|key| key.way).collect());
    let mut found: Vec<String> = WAYS
        .iter()
        .filter_map(|way| match way.rsplit_once('.') {
            Some((mapping, name)) => (name == key).then(|| format!("`{mapping}`")),
            None => (way == key).then(|| "the top of the file".to_owned()),
        })
        .collect();
    found.dedup();
    found
}

/// The reference manual of the site file, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = "\
# The site file

Made by `UPDATE_DOCS=1 cargo test -p iec-core --test schema` from the documentation of the types in `crates/iec-core/src/spec`.

A site file says what a site should be: its hosts, and what is to be installed on them. It is one YAML 1.2 document.
`iec init` writes a first one, `iec check` reads it, `iec schema` prints its JSON Schema for editors; `sites/` has examples.

It is read strictly. An unknown key, a key that is there twice, a value of the wrong type, an overlap of networks is an
error with file, line, column, a code and a hint, and one run reports all of them. `iec explain CODE` says more about a code.
Text that looks like a number or a boolean needs quotes; plain `yes`, `no`, `on`, `off` are refused.
Anchors and aliases work; tags and merge keys (`<<`) do not.

What becomes of a site that runs when a key changes is in the last column:

"
    .to_owned();
    for change in OnChange::ALL {
        writeln!(text, "- {}: {}", change.words(), change.meaning()).expect("a string takes everything");
    }
    text.push('\n');
    let keys = keys();
    section(&mut text, "The top of the file", "", &keys);
    for key in &keys {
        let list = key.schema.get("items").is_some_and(|_| {
            keys.iter()
                .any(|other| inside(&other.way, &format!("{}[]", key.way)))
        });
        let prefix = if list {
            format!("{}[]", key.way)
        } else {
            key.way.clone()
        };
        if keys.iter().any(|other| inside(&other.way, &prefix)) {
            section(&mut text, &format!("`{prefix}`"), &prefix, &keys);
        }
    }
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

/// Whether `way` is a key of the mapping at `mapping`, and not deeper.
fn inside(way: &str, mapping: &str) -> bool {
    let last = if mapping.is_empty() {
        Some(way)
    } else {
        way.strip_prefix(mapping).and_then(|rest| rest.strip_prefix('.'))
    };
    last.is_some_and(|last| !last.contains("[]") && !is_below(last))
}

/// Whether what remains of a way is more than one key; keys such as `memory.available` have dots of their own.
fn is_below(rest: &str) -> bool {
    rest.contains('.')
        && !["memory.", "nodefs.", "imagefs.", "pid."]
            .iter()
            .any(|signal| rest.starts_with(signal))
}

fn section(text: &mut String, title: &str, mapping: &str, keys: &[Key]) {
    let mut rows = keys.iter().filter(|key| inside(&key.way, mapping)).peekable();
    if rows.peek().is_none() {
        return;
    }
    let start = if mapping.is_empty() { 0 } else { mapping.len() + 1 };
    let mut table = String::from("| key | | value | default | when it changes |\n|---|---|---|---|---|\n");
    for key in rows {
        let name = &key.way[start..];
        let required = match key.need {
            Need::Required => "required",
            Need::OneOf => "one of these",
            Need::Optional => "",
        };
        let description = key
            .schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let default = key
            .schema
            .get("default")
            .map(|value| format!("`{}`", plain(value)))
            .unwrap_or_default();
        let description = sentence(description, &values(&key.schema));
        let change = on_change(&key.way).map_or("", OnChange::words);
        writeln!(
            table,
            "| `{name}` | {required} | {description} | {default} | {change} |"
        )
        .expect("a string takes everything");
    }
    writeln!(text, "## {title}\n\n{table}").expect("a string takes everything");
}

/// The description in one line, followed by the values there are.
fn sentence(description: &str, values: &str) -> String {
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    [description.as_str(), values]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// What a key can be, where the schema says more than its type.
fn values(schema: &Map<String, Value>) -> String {
    let items = schema.get("items").and_then(Value::as_object);
    let words = schema
        .get("enum")
        .or_else(|| items.and_then(|items| items.get("enum")))
        .and_then(Value::as_array);
    if let Some(words) = words {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", plain(word))).collect();
        return format!(
            "{}: {}.",
            if items.is_some() { "Any of" } else { "One of" },
            words.join(", ")
        );
    }
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(minimum), Some(maximum)) => format!("From {} to {}.", plain(minimum), plain(maximum)),
        _ => String::new(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
