//! Walks the tree of a YAML document and collects every value that is not what is wanted there.

use super::field::{Entries, Field, List, Spanned};
use super::scalar;
use super::source::{invisible_in, is_invisible};
use super::tree::{Content, Entry, Node};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::nearest::nearest;
use crate::site::rule::printable;

/// What reading needs to report a problem.
pub(crate) struct Reader<'p> {
    problems: &'p mut Diagnostics,
    /// The way to the value that is being read, such as `spec.hosts[1].address`.
    path: String,
}

/// A type that can be read from a value of the tree.
pub(crate) trait Read: Sized {
    /// What such a value is called in a message.
    const WANTED: &'static str;

    /// Takes the value; `None` after a report of why that cannot be done.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;
}

impl<'p> Reader<'p> {
    pub(crate) fn new(problems: &'p mut Diagnostics) -> Self {
        Self {
            problems,
            path: String::new(),
        }
    }

    pub(crate) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Reads `node` as what stands at `step` (`.key` or `[index]`) below the present way.
    pub(crate) fn step<T: Read>(&mut self, step: &str, node: &Node) -> Field<T> {
        let length = self.path.len();
        self.path.push_str(step);
        if length == 0 && self.path.starts_with('.') {
            self.path.remove(0);
        }
        let value = T::read(node, self);
        self.path.truncate(length);
        value.map_or(Field::Broken, |value| {
            Field::Given(Spanned {
                value,
                place: node.place.clone(),
            })
        })
    }

    /// Reports that `node` is not what is wanted.
    pub(crate) fn wrong_type(&mut self, node: &Node, wanted: &str) {
        if matches!(node.content, Content::Refused) {
            return;
        }
        let found = describe(node);
        let subject = if self.path.is_empty() {
            "the document".to_owned()
        } else {
            format!("`{}`", self.path)
        };
        self.report(
            Diagnostic::error("IEC0005", format!("{subject} must be {wanted}, but is {found}"))
                .at(&node.place)
                .hint(type_hint(node, wanted)),
        );
    }

    /// Reports a plain word that YAML 1.1 and YAML 1.2 read differently; `wanted` is what may stand there.
    pub(crate) fn ambiguous(&mut self, node: &Node, text: &str, wanted: Wanted) {
        let (what, value) = if scalar::is_old_boolean(text) {
            let meant = text.to_ascii_lowercase();
            let meant = meant.starts_with('y') || meant == "on";
            ("a boolean in YAML 1.1 and text in YAML 1.2", meant.to_string())
        } else {
            (
                "an octal number in YAML 1.1 and a decimal one in YAML 1.2",
                without_zeros(text),
            )
        };
        let hint = match wanted {
            Wanted::Text => format!("write \"{text}\""),
            Wanted::Value => format!("write {value}"),
            Wanted::Either => format!("write {value}, or \"{text}\" if text is meant"),
        };
        self.report(
            Diagnostic::error(
                "IEC0006",
                format!("`{}`: the plain word `{text}` is {what}", self.path),
            )
            .at(&node.place)
            .hint(hint),
        );
    }
}

/// What may stand where a word was found that is read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Text alone.
    Text,
    /// A boolean or a number alone.
    Value,
    /// Any of them.
    Either,
}

/// The number without the zeros before it.
fn without_zeros(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.trim_start_matches('+')),
    };
    match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}"),
    }
}

/// What to do about a value that is not what is wanted.
fn type_hint(node: &Node, wanted: &str) -> String {
    match &node.content {
        Content::Scalar { text, plain: true } if scalar::is_null(text) => {
            "give it a value, or remove the key; look at the indentation of what follows".to_owned()
        }
        Content::Scalar { text, plain: true } if wanted.starts_with("text") => {
            format!("put quotes around it: \"{text}\"")
        }
        Content::Scalar { text, plain: false }
            if (wanted == i64::WANTED && text.parse::<i64>().is_ok() && !scalar::has_leading_zero(text))
                || (wanted == bool::WANTED && scalar::boolean(text).is_some()) =>
        {
            "what stands in quotes is text; remove the quotes".to_owned()
        }
        _ if wanted.starts_with("a list") => "begin each item with `- `, on a line of its own".to_owned(),
        _ if wanted.starts_with("a mapping") => "write `key: value` lines below it, indented".to_owned(),
        Content::Sequence(_) => "give one value, without `- ` and brackets".to_owned(),
        _ => format!("give {wanted}"),
    }
}

/// What a value is, in words.
fn describe(node: &Node) -> String {
    match &node.content {
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
        Content::Refused => "something else".to_owned(),
        Content::Scalar { plain: true, text } if scalar::is_null(text) => "empty".to_owned(),
        Content::Scalar { plain: true, text } if scalar::boolean(text).is_some() => {
            format!("the boolean {text}")
        }
        Content::Scalar { plain: true, text } if scalar::is_number(text) => format!("the number {text}"),
        Content::Scalar { text, .. } => {
            let short: String = text.chars().take(40).collect();
            let rest = if short.len() < text.len() { "…" } else { "" };
            format!("the text {:?}", short + rest)
        }
    }
}

impl Read for String {
    const WANTED: &'static str = "text";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.content {
            // What is meant is known all the same: the rules say in the same run whether quotes would be enough.
            Content::Scalar { text, plain: true } if scalar::is_old_boolean(text) => {
                reader.ambiguous(node, text, Wanted::Text);
                Some(text.clone())
            }
            Content::Scalar { text, plain: true } if scalar::is_null(text) => {
                reader.wrong_type(node, Self::WANTED);
                None
            }
            Content::Scalar { text, plain: true }
                if scalar::boolean(text).is_some() || scalar::is_number(text) =>
            {
                reader.wrong_type(node, Self::WANTED);
                Some(text.clone())
            }
            Content::Scalar { text, .. } => Some(text.clone()),
            Content::Sequence(_) | Content::Mapping(_) | Content::Refused => {
                reader.wrong_type(node, Self::WANTED);
                None
            }
        }
    }
}

impl Read for bool {
    const WANTED: &'static str = "true or false";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Scalar { text, plain: true } = &node.content {
            if let Some(value) = scalar::boolean(text) {
                return Some(value);
            }
            if scalar::is_old_boolean(text) {
                reader.ambiguous(node, text, Wanted::Value);
                return None;
            }
        }
        reader.wrong_type(node, Self::WANTED);
        None
    }
}

impl Read for i64 {
    const WANTED: &'static str = "a whole number";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Scalar { text, plain: true } = &node.content {
            if scalar::has_leading_zero(text) {
                reader.ambiguous(node, text, Wanted::Value);
                return text.parse().ok();
            }
            if let Ok(value) = text.parse() {
                return Some(value);
            }
        }
        reader.wrong_type(node, Self::WANTED);
        match &node.content {
            Content::Scalar { text, plain: false } => text.parse().ok(),
            _ => None,
        }
    }
}

impl<T: Read> Read for List<T> {
    const WANTED: &'static str = "a list";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Sequence(nodes) = &node.content else {
            reader.wrong_type(node, Self::WANTED);
            return None;
        };
        let mut list = Self {
            items: Vec::with_capacity(nodes.len()),
            complete: true,
        };
        for (index, item) in nodes.iter().enumerate() {
            match reader.step(&format!("[{index}]"), item) {
                Field::Given(spanned) => list.items.push(spanned),
                Field::Absent | Field::Broken => list.complete = false,
            }
        }
        Some(list)
    }
}

impl<T: Read> Read for Entries<T> {
    const WANTED: &'static str = "a mapping";

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Mapping(nodes) = &node.content else {
            reader.wrong_type(node, Self::WANTED);
            return None;
        };
        let mut entries = Vec::with_capacity(nodes.len());
        for Entry {
            key,
            key_place,
            value,
        } in nodes
        {
            if let Field::Given(value) = reader.step(&format!(".{key}"), value) {
                entries.push((
                    Spanned {
                        value: key.clone(),
                        place: key_place.clone(),
                    },
                    value,
                ));
            }
        }
        Some(Self { entries })
    }
}

pub(crate) fn node_entries<'n>(node: &'n Node, reader: &mut Reader<'_>) -> Option<&'n [Entry]> {
    match &node.content {
        Content::Mapping(entries) => Some(entries),
        Content::Scalar { .. } | Content::Sequence(_) | Content::Refused => {
            reader.wrong_type(node, "a mapping");
            None
        }
    }
}

/// A type that reads a mapping with known keys; a test compares them with the schema.
#[cfg(test)]
pub(crate) trait Mapping {
    const KEYS: &'static [&'static str];
}

/// A mapping with known keys.
pub(crate) struct Keys<'r, 'p, 'n> {
    reader: &'r mut Reader<'p>,
    entries: &'n [Entry],
    /// The known keys that were probably meant by unknown ones.
    meant: Vec<&'static str>,
}

impl<'r, 'p, 'n> Keys<'r, 'p, 'n> {
    /// The mapping that `node` is, after a report of every key that is not known; `None` if it is no mapping.
    pub(crate) fn of(
        node: &'n Node,
        known: &'static [&'static str],
        reader: &'r mut Reader<'p>,
    ) -> Option<Self> {
        let entries = node_entries(node, reader)?;
        let unknown = entries
            .iter()
            .filter(|entry| !known.contains(&entry.key.as_str()));
        let meant = unknown
            .filter_map(|entry| reader.unknown_key(&entry.key, &entry.key_place, known))
            .collect();
        Some(Self {
            reader,
            entries,
            meant,
        })
    }

    /// What the file says at `key`.
    pub(crate) fn take<T: Read>(&mut self, key: &'static str) -> Field<T> {
        match self.entries.iter().find(|entry| entry.key == key) {
            Some(entry) => self.reader.step(&format!(".{key}"), &entry.value),
            // A slip of the hand has been reported as such; that its key is missing is the same problem.
            None if self.meant.contains(&key) => Field::Broken,
            None => Field::Absent,
        }
    }
}

impl Reader<'_> {
    /// Reports a key that is not among the known ones, and answers which of them was probably meant.
    pub(crate) fn unknown_key(
        &mut self,
        key: &str,
        place: &Place,
        known: &'static [&'static str],
    ) -> Option<&'static str> {
        let inside = if self.path.is_empty() {
            String::new()
        } else {
            format!(" in `{}`", self.path)
        };
        let visible: String = key.chars().filter(|letter| !is_invisible(*letter)).collect();
        let near = known.iter().copied().find(|known| *known == visible);
        let near = near.or_else(|| nearest(key, known.iter().copied()));
        let hint = match near {
            Some(near) if visible == near => format!(
                "write `{near}` without {}, which looks like a space or like nothing",
                invisible_in(key)
            ),
            Some(near) => format!("did you mean `{near}`?"),
            None if visible.len() < key.len() => format!(
                "there is {} in it, which looks like a space or like nothing: indent with the space bar",
                invisible_in(key)
            ),
            None => match crate::schema::mappings_with(key) {
                elsewhere if elsewhere.is_empty() => format!("known keys here: {}", known.join(", ")),
                elsewhere => format!(
                    "`{key}` belongs to {}; look at the indentation",
                    elsewhere.join(" or ")
                ),
            },
        };
        let message = format!("unknown key `{}`{inside}", printable(key));
        self.report(Diagnostic::error("IEC0003", message).at(place).hint(hint));
        near
    }

    /// The only entry of a mapping that must have exactly one; `None` after a report.
    pub(crate) fn only_entry<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n Entry> {
        match &node.content {
            Content::Mapping(entries) if entries.len() == 1 => entries.first(),
            _ => {
                self.wrong_type(node, wanted);
                None
            }
        }
    }

    /// Reads the value of an entry.
    pub(crate) fn entry<T: Read>(&mut self, entry: &Entry) -> Field<T> {
        self.step(&format!(".{}", entry.key), &entry.value)
    }
}

/// Reads a mapping with known keys into the struct that has a field for each of them.
macro_rules! read_mapping {
    ($name:ident { $($field:ident: $key:literal),+ $(,)? }) => {
        #[cfg(test)]
        impl $crate::spec::read::Mapping for $name {
            const KEYS: &'static [&'static str] = &[$($key),+];
        }

        impl $crate::spec::read::Read for $name {
            const WANTED: &'static str = "a mapping";

            fn read(node: &$crate::spec::tree::Node, reader: &mut $crate::spec::read::Reader<'_>) -> Option<Self> {
                let mut keys = $crate::spec::read::Keys::of(node, &[$($key),+], reader)?;
                Some(Self { $($field: keys.take($key)),+ })
            }
        }
    };
}
pub(crate) use read_mapping;
