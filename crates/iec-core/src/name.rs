//! Names as Kubernetes and Linux allow them, each kind a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is no text at all.
    #[error("it is empty")]
    Empty,
    /// The text is longer than allowed.
    #[error("it has {length} characters; at most {maximum} are allowed")]
    TooLong {
        /// Characters in the text.
        length: usize,
        /// Characters allowed.
        maximum: usize,
    },
    /// A capital letter where only small ones are allowed.
    #[error("it has the capital letter {0:?}; only small letters are allowed")]
    Capital(char),
    /// A dot where the name must be a single label.
    #[error("it has a dot, but must be a single name without a domain")]
    Dot,
    /// A character that is not allowed anywhere in such a name.
    #[error("it has the character {0:?}; {1} are allowed")]
    Character(char, &'static str),
    /// The first or the last character is not allowed there.
    #[error("it begins or ends with {0:?}; only a letter or a digit is allowed there")]
    Edge(char),
    /// A part between dots or before the slash is missing.
    #[error("a part of it is empty")]
    EmptyPart,
}

const LABEL_CHARACTERS: &str = "small letters, digits and `-`";

/// Checks an RFC 1123 label of at most `maximum` characters, in small letters.
fn check_label(text: &str, maximum: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    for character in text.chars() {
        match character {
            'a'..='z' | '0'..='9' | '-' => {}
            'A'..='Z' => return Err(NameError::Capital(character)),
            '.' => return Err(NameError::Dot),
            other => return Err(NameError::Character(other, LABEL_CHARACTERS)),
        }
    }
    check_length(text, maximum)?;
    check_edges(text)
}

fn check_length(text: &str, maximum: usize) -> Result<(), NameError> {
    let length = text.chars().count();
    if length > maximum {
        Err(NameError::TooLong { length, maximum })
    } else {
        Ok(())
    }
}

fn check_edges(text: &str) -> Result<(), NameError> {
    [text.chars().next(), text.chars().next_back()]
        .into_iter()
        .flatten()
        .find(|edge| !edge.is_ascii_alphanumeric())
        .map_or(Ok(()), |edge| Err(NameError::Edge(edge)))
}

/// Checks an RFC 1123 subdomain: labels joined by dots, at most 253 characters.
fn check_subdomain(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    check_length(text, 253)?;
    text.split('.').try_for_each(|part| match check_label(part, 63) {
        Err(NameError::Empty) => Err(NameError::EmptyPart),
        other => other,
    })
}

/// Checks the part of a label key after the slash, and a label value that is not empty.
fn check_qualified_part(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let allowed = |character: &char| character.is_ascii_alphanumeric() || "-_.".contains(*character);
    if let Some(wrong) = text.chars().find(|character| !allowed(character)) {
        return Err(NameError::Character(wrong, "letters, digits, `-`, `_` and `.`"));
    }
    check_length(text, 63)?;
    check_edges(text)
}

/// Checks `name` or `prefix/name`, as Kubernetes wants label and taint keys.
fn check_qualified_name(text: &str) -> Result<(), NameError> {
    match text.split_once('/') {
        Some(("", _)) => Err(NameError::EmptyPart),
        Some((prefix, name)) => check_subdomain(prefix).and_then(|()| check_qualified_part(name)),
        None => check_qualified_part(text),
    }
}

fn check_label_value(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        Ok(())
    } else {
        check_qualified_part(text)
    }
}

/// Checks what `useradd` accepts by default on Debian and Ubuntu, capital letters included.
fn check_user(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let allowed = |character: &char| character.is_ascii_alphanumeric() || "-_.".contains(*character);
    if let Some(wrong) = text.chars().find(|character| !allowed(character)) {
        return Err(NameError::Character(wrong, "letters, digits, `-`, `_` and `.`"));
    }
    check_length(text, 32)?;
    match text.chars().next() {
        Some(first) if first == '-' || first == '.' => Err(NameError::Edge(first)),
        _ => Ok(()),
    }
}

macro_rules! name_types {
    ($($(#[$documentation:meta])* $name:ident: $check:expr;)*) => {$(
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` as such a name.
            ///
            /// # Errors
            ///
            /// The first reason why `text` is not one.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    )*};
}

name_types! {
    /// The name of a site: an RFC 1123 label of at most 40 characters, because names of things are made from it.
    SiteName: |text| check_label(text, 40);
    /// The name of a host and of its Kubernetes node: an RFC 1123 label, without a domain.
    HostName: |text| check_label(text, 63);
    /// The name of a Kubernetes namespace: an RFC 1123 label.
    NamespaceName: |text| check_label(text, 63);
    /// The name of a Helm release: an RFC 1123 label of at most 53 characters, as Helm wants it.
    HelmReleaseName: |text| check_label(text, 53);
    /// A name that the Domain Name System can hold, in small letters: one label or several joined by dots.
    DnsName: check_subdomain;
    /// The key of a Kubernetes label or taint: `name` or `prefix/name`.
    LabelKey: check_qualified_name;
    /// The value of a Kubernetes label or taint; may be empty.
    LabelValue: check_label_value;
    /// The name of a user account on a host.
    UserName: check_user;
}

impl LabelKey {
    /// The domain before the slash, if the key has one.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.0.split_once('/').map(|(prefix, _)| prefix)
    }
}

impl Default for LabelValue {
    /// The empty value.
    fn default() -> Self {
        Self(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_labels_in_small_letters() {
        assert_eq!(HostName::new("edge-1").map(String::from), Ok("edge-1".to_owned()));
        assert_eq!(HostName::new("7"), HostName::new("7".to_owned()));
        assert_eq!(HostName::new(""), Err(NameError::Empty));
        assert_eq!(HostName::new("Edge"), Err(NameError::Capital('E')));
        assert_eq!(
            HostName::new("edge_1"),
            Err(NameError::Character('_', LABEL_CHARACTERS))
        );
        assert_eq!(HostName::new("edge.lan"), Err(NameError::Dot));
        assert_eq!(HostName::new("-edge"), Err(NameError::Edge('-')));
        assert_eq!(HostName::new("edge-"), Err(NameError::Edge('-')));
        assert_eq!(
            HostName::new("ä"),
            Err(NameError::Character('ä', LABEL_CHARACTERS))
        );
        assert_eq!(
            HostName::new("a".repeat(64)),
            Err(NameError::TooLong {
                length: 64,
                maximum: 63
            })
        );
        assert!(HostName::new("a".repeat(63)).is_ok());
    }

    #[test]
    fn label_keys_may_have_a_prefix() {
        assert_eq!(
            LabelKey::new("example.org/zone").expect("valid").prefix(),
            Some("example.org")
        );
        assert_eq!(LabelKey::new("Zone_1.a").expect("valid").prefix(), None);
        assert_eq!(LabelKey::new("/zone"), Err(NameError::EmptyPart));
        assert_eq!(LabelKey::new("example.org/"), Err(NameError::Empty));
        assert_eq!(
            LabelKey::new("a/b/c"),
            Err(NameError::Character('/', "letters, digits, `-`, `_` and `.`"))
        );
        assert_eq!(LabelKey::new("Example.org/zone"), Err(NameError::Capital('E')));
        assert_eq!(LabelKey::new("example..org/zone"), Err(NameError::EmptyPart));
    }

    #[test]
    fn label_values_may_be_empty() {
        assert!(LabelValue::new("").is_ok());
        assert!(LabelValue::new("rack-A.1_b").is_ok());
        assert_eq!(LabelValue::new("-a"), Err(NameError::Edge('-')));
        assert!(LabelValue::new("a b").is_err());
        assert!(LabelValue::new("a".repeat(64)).is_err());
    }

    #[test]
    fn users_are_not_options() {
        assert!(UserName::new("edge").is_ok());
        assert!(UserName::new("_apt").is_ok());
        assert_eq!(UserName::new("-oProxyCommand"), Err(NameError::Edge('-')));
        assert!(UserName::new("a@b").is_err());
    }

    #[test]
    fn names_survive_serialization() {
        let name = HostName::new("edge-1").expect("valid");
        let text = serde_json::to_string(&name).expect("a string");
        assert_eq!(text, "\"edge-1\"");
        assert_eq!(serde_json::from_str::<HostName>(&text).expect("valid"), name);
        assert!(serde_json::from_str::<HostName>("\"Edge\"").is_err());
    }
}
