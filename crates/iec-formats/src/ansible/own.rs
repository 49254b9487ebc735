//! What IEC's own inventories have besides: the further keys of the site file, under names of their own.

use iec_core::diagnostic::{Diagnostics, Place};
use iec_core::render::ansible::{HOST_VARIABLE, SITE_NAME, SITE_VARIABLE, WITHOUT_HELM};
use iec_core::site::unwritten::Origins;
use iec_core::spec::tree::{Content, Node};
use serde_json::{Map, Value};

use super::inventory::Host;
use super::told;
use super::variable::{self, Layers};

/// The further keys of a site.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) name: Option<String>,
    pub(super) release: Option<String>,
    pub(super) pods: Option<String>,
    pub(super) services: Option<String>,
    pub(super) further: Map<String, Value>,
}

impl Own {
    /// What the first host of the site says of it, which every host says.
    pub(super) fn of(
        layers: &Layers<'_>,
        host: &Host,
        origins: &mut Origins,
        problems: &mut Diagnostics,
    ) -> Self {
        let mut further = mapping(layers, host, SITE_VARIABLE, "spec", origins, problems);
        let mut take = |key: &str| match further.remove(key) {
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let (name, release) = (take(SITE_NAME), take("release"));
        if let Some(Value::Array(names)) = further.remove(WITHOUT_HELM) {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            let message = format!("the Helm releases {} are left out", told::named(&names));
            problems.push(
                told::left_out(message)
                    .evidence("a rendering does not have their values, which may be secrets"),
            );
        }
        let mut network = match further.remove("network") {
            Some(Value::Object(network)) => network,
            Some(other) => {
                further.insert("network".to_owned(), other);
                Map::new()
            }
            None => Map::new(),
        };
        let mut take = |key: &str| {
            network
                .remove(key)
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let (pods, services) = (take("pods"), take("services"));
        if !network.is_empty() {
            further.insert("network".to_owned(), Value::Object(network));
        }
        Self {
            name,
            release,
            pods,
            services,
            further,
        }
    }
}

/// The further keys of the host with this index in the site.
pub(super) fn of_host(
    layers: &Layers<'_>,
    host: &Host,
    index: usize,
    origins: &mut Origins,
    problems: &mut Diagnostics,
) -> Map<String, Value> {
    mapping(
        layers,
        host,
        HOST_VARIABLE,
        &format!("spec.hosts[{index}]"),
        origins,
        problems,
    )
}

fn mapping(
    layers: &Layers<'_>,
    host: &Host,
    name: &str,
    path: &str,
    origins: &mut Origins,
    problems: &mut Diagnostics,
) -> Map<String, Value> {
    let Some(variable) = layers.variable(host, name) else {
        return Map::new();
    };
    if let variable::Value::Structure(Some(node)) = &variable.value {
        let read = json(node);
        if let Value::Object(entries) = read {
            note(node, path, origins);
            return entries;
        }
    }
    problems.push(
        told::left_out(format!("{name} is left out: it is no mapping")).evidence(place(&variable.place)),
    );
    Map::new()
}

fn place(place: &Place) -> String {
    told::line(place)
}

/// Where each value stands.
fn note(node: &Node, path: &str, origins: &mut Origins) {
    match &node.content {
        Content::Mapping(entries) => {
            for entry in entries {
                let path = format!("{path}.{}", entry.key);
                origins.note(path.clone(), &entry.key_place);
                note(&entry.value, &path, origins);
            }
        }
        Content::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                origins.note(path.clone(), &item.place);
                note(item, &path, origins);
            }
        }
        Content::Scalar { .. } | Content::Refused => {}
    }
}

/// The value as JSON has it; a plain scalar is what JSON would take it for.
fn json(node: &Node) -> Value {
    match &node.content {
        Content::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.value)))
            .collect::<Map<String, Value>>()
            .into(),
        Content::Sequence(items) => items.iter().map(|item| json(item)).collect(),
        Content::Scalar { text, plain: true } => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
        }
        Content::Scalar { text, plain: false } => Value::from(text.as_str()),
        Content::Refused => Value::Null,
    }
}
