//! Variables of hosts and groups, and which of several of one name counts.

use std::collections::BTreeMap;
use std::rc::Rc;

use iec_core::diagnostic::Place;
use iec_core::site::printable;
use iec_core::spec::tree::Node;

use super::inventory::Host;
use super::told;

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
    /// One text, which may be empty.
    Text(String),
    /// Nothing, which hides what weaker variables of the same name say.
    Null,
    /// Something that `ansible-vault` has made.
    Encrypted,
    /// A list or a mapping; the INI form's are not taken apart.
    Structure(Option<Rc<Node>>),
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
            Value::Text(_) | Value::Null | Value::Encrypted | Value::Structure(_) => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether it is a text of no letters.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Text(text) if text.is_empty())
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
            Value::Null => format!("{place}: {name} is null"),
            Value::Encrypted => format!("{place}: {name} is encrypted"),
            Value::Structure(_) => format!("{place}: {name} is a list or a mapping"),
        }
    }
}

/// The variables of each host, the strongest first.
pub(super) struct Layers<'i> {
    pub(super) of_hosts: BTreeMap<&'i str, Vec<&'i Variables>>,
    /// What `ansible.cfg` says where no variable does.
    pub(super) configuration: &'i Variables,
}

impl<'i> Layers<'i> {
    /// The variable of this name that Ansible would use.
    pub(super) fn variable(&self, host: &Host, name: &str) -> Option<&'i Variable> {
        let layers = self.of_hosts.get(host.name.as_str())?;
        layers
            .iter()
            .find_map(|layer| layer.get(name))
            .filter(|variable| !variable.is_null())
    }

    /// What Ansible takes for an option of a connection that has these names. The last one counts that is there, however
    /// empty; the configuration has it under the first.
    pub(super) fn option(&self, host: &Host, names: &[&'static str]) -> Option<(&'static str, &'i Variable)> {
        let of_host = names
            .iter()
            .rev()
            .find_map(|name| Some((*name, self.variable(host, name)?)));
        let name = names.first()?;
        of_host.or_else(|| Some((*name, self.configuration.get(*name)?)))
    }

    /// The value of such an option with where it is written; none if it is empty, or only Ansible knows it.
    pub(super) fn text(&self, host: &Host, names: &[&'static str]) -> Option<(&'i str, &'i Place)> {
        let (_, variable) = self.option(host, names)?;
        let text = variable.text().filter(|text| !text.is_empty())?;
        Some((text, &variable.place))
    }
}
