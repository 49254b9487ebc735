//! Values that IEC passes on without looking at them, such as those of Helm charts, as JSON has them.

use super::field::Field;
use super::read::{Read, Reader, Wanted, node_entries};
use super::scalar;
use super::tree::{Content, Node};

impl Read for serde_json::Value {
    const WANTED: &'static str = "a value";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.content {
            Content::Sequence(nodes) => {
                let items = nodes.iter().enumerate();
                let items: Vec<Field<Self>> = items
                    .map(|(index, item)| reader.step(&format!("[{index}]"), item))
                    .collect();
                items
                    .into_iter()
                    .map(|item| item.given().map(|item| item.value.clone()))
                    .collect()
            }
            Content::Mapping(_) => serde_json::Map::read(node, reader).map(Self::Object),
            Content::Refused => None,
            Content::Scalar { text, plain: false } => Some(Self::String(text.clone())),
            Content::Scalar { text, plain: true } => json_scalar(node, text, reader),
        }
    }
}

impl Read for serde_json::Map<String, serde_json::Value> {
    const WANTED: &'static str = "a mapping";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let given = node_entries(node, reader)?;
        let read: Vec<_> = given
            .iter()
            .map(|entry| {
                (
                    entry.key.clone(),
                    reader.step(&format!(".{}", entry.key), &entry.value),
                )
            })
            .collect();
        read.into_iter()
            .map(|(key, value): (String, Field<serde_json::Value>)| match value {
                Field::Given(value) => Some((key, value.value)),
                Field::Absent | Field::Broken => None,
            })
            .collect()
    }
}

/// A plain scalar as JSON has it.
fn json_scalar(node: &Node, text: &str, reader: &mut Reader<'_>) -> Option<serde_json::Value> {
    if scalar::is_old_boolean(text) || scalar::has_leading_zero(text) {
        reader.ambiguous(node, text, Wanted::Either);
        return None;
    }
    if scalar::is_null(text) {
        return Some(serde_json::Value::Null);
    }
    if let Some(value) = scalar::boolean(text) {
        return Some(value.into());
    }
    if !scalar::is_number(text) {
        return Some(text.into());
    }
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| u64::from_str_radix(digits, radix).ok())
    };
    let whole = radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .map(serde_json::Number::from);
    let whole = whole.or_else(|| text.parse::<i64>().ok().map(Into::into));
    let whole = whole.or_else(|| text.parse::<u64>().ok().map(Into::into));
    let number = if scalar::is_integer(text) {
        whole
    } else {
        text.parse().ok().and_then(serde_json::Number::from_f64)
    };
    if number.is_none() {
        reader.wrong_type(node, "text or a number that JSON can hold");
    }
    number.map(serde_json::Value::Number)
}
