//! What a site file may say at one key: nothing, something unreadable, or a value with its place.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::diagnostic::Place;

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// What a site file says at one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The key is not there.
    #[default]
    Absent,
    /// The key is there, but its value cannot be read; this has been reported.
    Broken,
    /// The key is there with this value.
    Given(Spanned<T>),
}

impl<T> Field<T> {
    /// The value and its place, if there is one that can be read.
    #[must_use]
    pub fn given(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Given(spanned) => Some(spanned),
            Self::Absent | Self::Broken => None,
        }
    }

    /// The value, if there is one that can be read.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.given().map(|spanned| &spanned.value)
    }

    /// Where the value is, if there is one that can be read.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.given().map(|spanned| &spanned.place)
    }

    /// Whether the key is missing.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether the key has a value that cannot be read.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }
}

/// A list, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    /// The items that can be read, in their order.
    pub items: Vec<Spanned<T>>,
    /// Whether these are all.
    pub complete: bool,
}

/// A mapping with free keys, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T> {
    /// The entries whose value can be read, in their order.
    pub entries: Vec<(Spanned<String>, Spanned<T>)>,
}

macro_rules! same_schema {
    ($($name:ident as $inner:ty;)*) => {$(
        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool {
                <$inner>::inline_schema()
            }

            fn schema_name() -> Cow<'static, str> {
                <$inner>::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                <$inner>::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$inner>::json_schema(generator)
            }
        }
    )*};
}

same_schema! {
    Field as T;
    List as Vec<T>;
    Entries as std::collections::BTreeMap<String, T>;
}
