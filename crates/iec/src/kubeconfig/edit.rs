//! Changes to the lists of a kubeconfig's text. Whatever is not changed keeps its bytes: comments, order, unknown fields.
//!
//! Each function gives nothing where the text is laid out in a way that it does not know. Callers compare the values of
//! what they get with those that they want: a change at a wrong place is never written.

use std::ops::Range;

use serde_json::Value;

use super::layout::{Content, Node, parse};

/// Puts an item into a list of the text: over the item of its name, or behind the last one.
pub(super) fn put(text: &str, list: &str, name: &str, item: &Value) -> Option<String> {
    let root = parse(text)?;
    let Content::Map { flow: flow_root, .. } = root.content else {
        return None;
    };
    let Some((key, value)) = root.entry(list) else {
        return Some(if flow_root {
            with_flow_key(text, &root, list, &format!("[{item}]"))
        } else {
            let indentation = column(text, root.start);
            let lines = format!(
                "{}{list}:\n{}",
                " ".repeat(indentation),
                block(item, indentation)?
            );
            with_lines_at(text, text.len(), &lines)
        });
    };
    match &value.content {
        Content::List { items, flow: true } if flow_root || !items.is_empty() => {
            Some(match value.item(name) {
                Some((_, old)) => replaced(text, old.start..old.end, &item.to_string()),
                None => {
                    let comma = if items.is_empty() { "" } else { "," };
                    replaced(text, value.end - 1..value.end - 1, &format!("{comma}{item}"))
                }
            })
        }
        Content::List { items, flow: false } => {
            let lines = item_lines(text, items.first()?)?;
            let indentation = column(text, lines.start + leading_blanks(&text[lines.start..]));
            let new = block(item, indentation)?;
            if let Some((_, old)) = value.item(name) {
                return Some(replaced(text, item_lines(text, old)?, &new));
            }
            let last = item_lines(text, items.last()?)?;
            Some(with_lines_at(text, last.end, &new))
        }
        _ if !is_nothing(value) => None,
        _ if flow_root => Some(replaced(text, value.start..value.end, &format!("[{item}]"))),
        _ => {
            let new = block(item, column(text, root.start))?;
            let text = replaced(text, value_range(text, key, value)?, "");
            let end = line_end(&text, key.end);
            Some(with_lines_at(&text, end, &new))
        }
    }
}

/// Takes the item of this name out of a list of the text.
pub(super) fn remove(text: &str, list: &str, name: &str) -> Option<String> {
    let root = parse(text)?;
    let (key, value) = root.entry(list)?;
    let Content::List { items, flow } = &value.content else {
        return None;
    };
    let (number, old) = value.item(name)?;
    if *flow {
        let range = match (items.get(number + 1), number.checked_sub(1)) {
            (Some(next), _) => old.start..next.start,
            (None, Some(before)) => items[before].end..old.end,
            (None, None) => old.start..old.end,
        };
        return Some(replaced(text, range, ""));
    }
    let shorter = replaced(text, item_lines(text, old)?, "");
    if items.len() > 1 {
        return Some(shorter);
    }
    let colon = colon_of(text, key)?;
    Some(replaced(&shorter, colon..colon, " []"))
}

/// Sets a text at the top of the document.
pub(super) fn set(text: &str, field: &str, new: &str) -> Option<String> {
    let root = parse(text)?;
    let Content::Map { flow, .. } = root.content else {
        return None;
    };
    let new = if flow {
        Value::from(new).to_string()
    } else {
        scalar(new)
    };
    match root.entry(field) {
        Some((key, value)) => match &value.content {
            Content::Scalar(_) if value.start < value.end => {
                Some(replaced(text, value.start..value.end, &new))
            }
            Content::Scalar(_) => {
                let colon = colon_of(text, key)?;
                Some(replaced(text, colon..colon, &format!(" {new}")))
            }
            _ => None,
        },
        None if flow => Some(with_flow_key(text, &root, field, &new)),
        None => {
            let line = format!("{}{field}: {new}\n", " ".repeat(column(text, root.start)));
            Some(with_lines_at(text, text.len(), &line))
        }
    }
}

/// An item of a block list, as lines: texts, and mappings of them.
pub(super) fn block(item: &Value, indentation: usize) -> Option<String> {
    let mut lines = String::new();
    mapping(item, indentation + 2, &mut lines)?;
    lines.replace_range(indentation..indentation + 1, "-");
    Some(lines)
}

fn mapping(value: &Value, indentation: usize, lines: &mut String) -> Option<()> {
    for (key, value) in value.as_object()? {
        lines.push_str(&" ".repeat(indentation));
        lines.push_str(key);
        lines.push(':');
        match value {
            Value::String(text) => {
                lines.push(' ');
                lines.push_str(&scalar(text));
                lines.push('\n');
            }
            other => {
                lines.push('\n');
                mapping(other, indentation + 2, lines)?;
            }
        }
    }
    Some(())
}

/// A text as YAML: as it is where it is read as that text, else in quotes.
fn scalar(text: &str) -> String {
    match serde_saphyr::from_str::<Value>(text) {
        Ok(Value::String(read)) if read == text && !text.starts_with(['"', '\'']) => text.to_owned(),
        _ => Value::from(text).to_string(),
    }
}

fn is_nothing(node: &Node) -> bool {
    match &node.content {
        Content::Scalar(text) => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
        Content::List { items, .. } => items.is_empty(),
        Content::Map { .. } | Content::Alias => false,
    }
}

/// The whole lines of an item of a block list, its dash included.
fn item_lines(text: &str, item: &Node) -> Option<Range<usize>> {
    let start = text[..item.start].rfind('\n').map_or(0, |end| end + 1);
    if text[start..item.start].trim() != "-" {
        return None;
    }
    // A text of several lines ends where the next line begins.
    let end = if item.end > start && text[..item.end].ends_with('\n') {
        item.end
    } else {
        line_end(text, item.end)
    };
    Some(start..end)
}

/// Behind the colon of a key.
fn colon_of(text: &str, key: &Node) -> Option<usize> {
    let rest = &text[key.end..];
    let blanks = leading_blanks(rest);
    rest[blanks..].starts_with(':').then_some(key.end + blanks + 1)
}

/// What stands between a key's colon and the end of its value.
fn value_range(text: &str, key: &Node, value: &Node) -> Option<Range<usize>> {
    let colon = colon_of(text, key)?;
    let end = if value.start < value.end { value.end } else { colon };
    // A value on a line of its own: what stands between may be a comment.
    text[colon..end.max(colon)]
        .find('\n')
        .is_none()
        .then_some(colon..end.max(colon))
}

fn leading_blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

fn column(text: &str, at: usize) -> usize {
    at - text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Behind the end of the line that this byte is in.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

fn replaced(text: &str, range: Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..range.start], &text[range.end..])
}

/// The text with these lines at a place where a line begins, or at its end.
fn with_lines_at(text: &str, at: usize, lines: &str) -> String {
    let gap = if at == 0 || text[..at].ends_with('\n') {
        ""
    } else {
        "\n"
    };
    replaced(text, at..at, &format!("{gap}{lines}"))
}

/// The text with one more key at the end of its outermost mapping, which is in braces.
fn with_flow_key(text: &str, root: &Node, key: &str, value: &str) -> String {
    let is_empty = matches!(&root.content, Content::Map { entries, .. } if entries.is_empty());
    let comma = if is_empty { "" } else { "," };
    let end = root.end - 1;
    replaced(text, end..end, &format!("{comma}\"{key}\":{value}"))
}
