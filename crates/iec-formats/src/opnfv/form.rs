//! Walks the tree of a descriptor and reports where it is not what its schema says.

use std::net::Ipv4Addr;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::nearest::nearest;
use iec_core::site::printable;
use iec_core::spec::Spanned;
use iec_core::spec::scalar;
use iec_core::spec::tree::{Content, Entry, Node};

use super::Dialect;

/// What reading a descriptor needs to report a problem.
pub(super) struct Form<'p> {
    dialect: Dialect,
    problems: &'p mut Diagnostics,
}

impl<'p> Form<'p> {
    pub(super) fn new(dialect: Dialect, problems: &'p mut Diagnostics) -> Self {
        Self { dialect, problems }
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Reports that the file is not what its schema says: an error, or a warning where the dialect is lenient.
    pub(super) fn deviation(&mut self, code: &'static str, message: String, place: &Place, hint: String) {
        self.problems
            .push(deviation(self.dialect, code, message).at(place).hint(hint));
    }

    /// Reports what IEC makes nothing of.
    pub(super) fn left_out(&mut self, what: &str, place: &Place, reason: &str) {
        self.problems.push(
            Diagnostic::warning("IEC0817", format!("{what} is left out: {reason}"))
                .at(&place.head())
                .hint("keep the descriptor if another tool needs it"),
        );
    }
}

/// As much of a key as may be shown: without a space after the colon a password is part of it.
fn named(key: &str) -> String {
    match key.find([':', '=', ' ']) {
        Some(end) => format!("{}…", printable(&key[..end])),
        None => printable(key),
    }
}

/// A deviation from the schema: an error, or a warning where the dialect is lenient.
pub(super) fn deviation(dialect: Dialect, code: &'static str, message: String) -> Diagnostic {
    match dialect {
        Dialect::Pharos => Diagnostic::error(code, message),
        Dialect::Kuberef => Diagnostic::warning(code, message),
    }
}

/// A value of a descriptor, and the way to it.
#[derive(Clone)]
pub(super) struct Item<'n> {
    pub(super) node: &'n Node,
    pub(super) way: String,
}

/// A mapping of a descriptor, whose keys have been checked.
pub(super) struct Mapping<'n> {
    pub(super) place: &'n Place,
    way: String,
    entries: &'n [Entry],
}

/// What a mapping may and must have.
pub(super) struct Keys {
    /// Those that must be there.
    pub(super) required: &'static [&'static str],
    /// Those that may be there.
    pub(super) optional: &'static [&'static str],
}

impl<'n> Item<'n> {
    pub(super) fn root(node: &'n Node) -> Self {
        Self {
            node,
            way: String::new(),
        }
    }

    pub(super) fn place(&self) -> &'n Place {
        &self.node.place
    }

    fn called(&self) -> String {
        if self.way.is_empty() {
            "the document".to_owned()
        } else {
            format!("`{}`", self.way)
        }
    }

    /// Whether nothing stands here.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.node.content, Content::Scalar { text, plain: true } if scalar::is_null(text))
    }

    fn wrong_type(&self, form: &mut Form<'_>, wanted: &str) {
        let found = match &self.node.content {
            Content::Refused => return,
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
            Content::Scalar { plain: true, text } if scalar::is_null(text) => "empty",
            Content::Scalar { plain: true, text } if scalar::boolean(text).is_some() => "a boolean",
            Content::Scalar { plain: true, text } if scalar::is_number(text) => "a number",
            Content::Scalar { .. } => "text",
        };
        let message = format!("{} must be {wanted}, but is {found}", self.called());
        form.deviation("IEC0813", message, self.place(), format!("give {wanted}"));
    }

    /// The mapping that this is, whatever its keys.
    pub(super) fn any_mapping(&self, form: &mut Form<'_>) -> Option<Mapping<'n>> {
        match &self.node.content {
            Content::Mapping(entries) => Some(Mapping {
                place: &self.node.place,
                way: self.way.clone(),
                entries,
            }),
            _ => {
                self.wrong_type(form, "a mapping");
                None
            }
        }
    }

    /// The mapping that this is, after a report of keys that are missing or unknown.
    pub(super) fn mapping(&self, keys: &Keys, form: &mut Form<'_>) -> Option<Mapping<'n>> {
        let mapping = self.any_mapping(form)?;
        let known = || keys.required.iter().chain(keys.optional).copied();
        let mut meant = Vec::new();
        for entry in mapping
            .entries
            .iter()
            .filter(|entry| !known().any(|key| key == entry.key))
        {
            let near = nearest(&entry.key, known());
            meant.extend(near);
            let hint = near.map_or_else(
                || format!("known keys here: {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("unknown key `{}` in {}", named(&entry.key), self.called());
            form.deviation("IEC0812", message, &entry.key_place, hint);
        }
        for key in keys.required {
            let there = mapping.entries.iter().any(|entry| entry.key == *key);
            if !there && !meant.contains(key) {
                let message = format!("the key `{key}` is missing in {}", self.called());
                let hint = format!("add `{key}`; if it is there, look at its indentation");
                form.deviation("IEC0811", message, &self.place().head(), hint);
            }
        }
        Some(mapping)
    }

    /// The items of a list.
    pub(super) fn list(&self, form: &mut Form<'_>) -> Vec<Item<'n>> {
        let Content::Sequence(nodes) = &self.node.content else {
            self.wrong_type(form, "a list");
            return Vec::new();
        };
        let item = |(index, node): (usize, &'n std::rc::Rc<Node>)| Item {
            node,
            way: format!("{}[{index}]", self.way),
        };
        nodes.iter().enumerate().map(item).collect()
    }

    /// The items of a list, or the one value that stands where a list might.
    pub(super) fn one_or_more(&self, form: &mut Form<'_>) -> Vec<Item<'n>> {
        match &self.node.content {
            Content::Sequence(_) => self.list(form),
            _ => vec![self.clone()],
        }
    }

    /// The text that stands here; what YAML takes for a number is reported, and used all the same.
    pub(super) fn text(&self, form: &mut Form<'_>) -> Option<Spanned<String>> {
        if !self.is_text() {
            self.wrong_type(form, "text");
        }
        self.scalar().filter(|_| !self.is_null())
    }

    /// Whether a schema would take this for a string.
    fn is_text(&self) -> bool {
        match &self.node.content {
            Content::Scalar { plain: false, .. } => true,
            Content::Scalar { plain: true, text } => {
                !scalar::is_null(text) && scalar::boolean(text).is_none() && !scalar::is_number(text)
            }
            _ => false,
        }
    }

    /// The scalar that stands here, as it is written.
    pub(super) fn scalar(&self) -> Option<Spanned<String>> {
        match &self.node.content {
            Content::Scalar { text, .. } => Some(Spanned {
                value: text.clone(),
                place: self.node.place.clone(),
            }),
            _ => None,
        }
    }

    /// The whole number that stands here, at most `most`.
    pub(super) fn number(&self, most: u32, form: &mut Form<'_>) -> Option<u32> {
        let Content::Scalar { text, plain: true } = &self.node.content else {
            self.wrong_type(form, "a number");
            return None;
        };
        if !scalar::is_number(text) {
            self.wrong_type(form, "a number");
            return None;
        }
        let whole = text.strip_suffix(".0").unwrap_or(text);
        let read = whole.parse().ok().filter(|read| *read <= most);
        if read.is_none() {
            self.not_allowed(form, &format!("a whole number, at most {most}"));
        }
        read
    }

    /// Reports a version that is not this one; text in quotes is none, for the schemas want a number.
    pub(super) fn version(&self, wanted: f64, form: &mut Form<'_>) {
        match &self.node.content {
            Content::Scalar { text, plain: true } if scalar::is_number(text) => {
                if text.parse() != Ok(wanted) {
                    self.not_allowed(form, &format!("{wanted:.1}"));
                }
            }
            _ => self.wrong_type(form, "a number"),
        }
    }

    /// One of several known words.
    pub(super) fn word(&self, known: &[&'static str], form: &mut Form<'_>) -> Option<&'static str> {
        let text = self.text(form)?;
        let found = known.iter().copied().find(|word| *word == text.value);
        if found.is_none() {
            self.not_allowed(form, &format!("one of {}", known.join(", ")));
        }
        found
    }

    /// A text in a form that `parse` understands, `what` it is.
    pub(super) fn parsed<T>(
        &self,
        what: &str,
        form: &mut Form<'_>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<Spanned<T>> {
        let text = self.text(form)?;
        let read = parse(&text.value);
        if read.is_none() {
            self.not_allowed(form, what);
        }
        read.map(|value| Spanned {
            value,
            place: text.place,
        })
    }

    /// An IPv4 address.
    pub(super) fn address(&self, form: &mut Form<'_>) -> Option<Spanned<Ipv4Addr>> {
        self.parsed("an IPv4 address", form, |text| text.parse().ok())
    }

    /// Reports a value that is of the right type, but not allowed here.
    pub(super) fn not_allowed(&self, form: &mut Form<'_>, wanted: &str) {
        if let Some(text) = self.scalar() {
            let message = format!("{} cannot be `{}`", self.called(), printable(&text.value));
            form.deviation("IEC0814", message, self.place(), format!("it is {wanted}"));
        }
    }
}

impl<'n> Mapping<'n> {
    /// What stands at `key`.
    pub(super) fn get(&self, key: &str) -> Option<Item<'n>> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| self.item(entry))
    }

    /// What stands at `key`, unless that is nothing.
    pub(super) fn some(&self, key: &str) -> Option<Item<'n>> {
        self.get(key).filter(|item| !item.is_null())
    }

    /// What stands at `key`; nothing there is reported as a wrong type would be, and taken for a missing key.
    pub(super) fn filled(&self, key: &str, wanted: &str, form: &mut Form<'_>) -> Option<Item<'n>> {
        let item = self.get(key)?;
        if item.is_null() {
            item.wrong_type(form, wanted);
            return None;
        }
        Some(item)
    }

    /// The text at `key`; nothing there is reported.
    pub(super) fn text(&self, key: &str, form: &mut Form<'_>) -> Option<Spanned<String>> {
        self.filled(key, "text", form)?.text(form)
    }

    fn item(&self, entry: &'n Entry) -> Item<'n> {
        Item {
            node: &entry.value,
            way: if self.way.is_empty() {
                entry.key.clone()
            } else {
                format!("{}.{}", self.way, entry.key)
            },
        }
    }

    /// Every key with its place and its value.
    pub(super) fn items(&self) -> impl Iterator<Item = (&'n str, &'n Place, Item<'n>)> + '_ {
        self.entries
            .iter()
            .map(|entry| (entry.key.as_str(), &entry.key_place, self.item(entry)))
    }
}
