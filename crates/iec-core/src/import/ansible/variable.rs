//! Variables of hosts and groups, and which of several of one name counts.

use std::collections::BTreeMap;

use super::inventory::Host;
use super::told;
use crate::diagnostic::Place;
use crate::site::rule::printable;

/// Variables by their names.
pub(super) type Variables = BTreeMap<String, Variable>;

/// A variable, and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What a variable has.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// One text; an empty one where the inventory says that there is none.
    Text(String),
    /// Something that `ansible-vault` has made, or that has a tag.
    Encrypted,
    /// A list or a mapping.
    Structure,
}

/// Words that stand near what nobody else should read.
const SECRET: [&str; 5] = ["pass", "secret", "token", "private key", "pwd"];

impl Variable {
    /// The value, unless only Ansible can work it out.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if !["{{", "{%", "{#", "\n"].iter().any(|mark| text.contains(mark)) => {
                Some(text)
            }
            Value::Text(_) | Value::Encrypted | Value::Structure => None,
        }
    }

    /// Where a variable of this name is written, with its value where that is none that should be kept from others.
    pub(super) fn shown(&self, name: &str) -> String {
        let place = told::line(&self.place);
        match &self.value {
            Value::Text(text) => {
                let small = text.to_lowercase();
                if text.contains('\n') || SECRET.iter().any(|word| small.contains(word)) {
                    place
                } else {
                    format!("{place}: {name} is {}", printable(text))
                }
            }
            Value::Encrypted => format!("{place}: {name} is encrypted, or has a tag"),
            Value::Structure => format!("{place}: {name} is a list or a mapping"),
        }
    }
}

/// The variables of each host, the strongest first.
pub(super) struct Layers<'i>(pub(super) BTreeMap<&'i str, Vec<&'i Variables>>);

impl<'i> Layers<'i> {
    /// The variable that Ansible would use; one without a value is none, whatever weaker ones say.
    pub(super) fn variable(&self, host: &Host, name: &str) -> Option<&'i Variable> {
        let layers = self.0.get(host.name.as_str())?;
        let variable = layers.iter().find_map(|layer| layer.get(name))?;
        let empty = matches!(&variable.value, Value::Text(text) if text.is_empty());
        (!empty).then_some(variable)
    }

    /// The first of these names that has a value.
    pub(super) fn first(&self, host: &Host, names: &[&'static str]) -> Option<(&'static str, &'i Variable)> {
        names
            .iter()
            .find_map(|name| Some((*name, self.variable(host, name)?)))
    }

    /// The value of the first of these names that has one, with where it is written; none if only Ansible knows it.
    pub(super) fn text(&self, host: &Host, names: &[&'static str]) -> Option<(&'i str, &'i Place)> {
        let (_, variable) = self.first(host, names)?;
        Some((variable.text()?, &variable.place))
    }
}
