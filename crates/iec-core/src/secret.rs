//! A value that must never be shown: no `Display`, no `Serialize`, nothing in `Debug`, wiped when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// A secret value. It can be read by [`Secret::expose`] only, so that every use can be found by its name.
///
/// `Secret` has no `Display` and no `Serialize`, and its `Debug` prints no content: a plan, an event or a log
/// line that carries one does not compile or does not show it. The memory is overwritten on drop.
///
/// ```compile_fail
/// let token = iec_core::secret::Secret::new("abcdef".to_owned());
/// println!("{token}");
/// ```
///
/// ```compile_fail
/// let token = iec_core::secret::Secret::new("abcdef".to_owned());
/// serde_json::to_string(&token).expect("no Serialize");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value. Whoever calls this must not keep another copy of it.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself: for the content of a file with mode 0600, or for a program's stdin. Never for an argument.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// A secret made from this one, for example a configuration file that holds a token.
    pub fn map<U: Zeroize>(&self, make: impl FnOnce(&T) -> U) -> Secret<U> {
        Secret(make(&self.0))
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    Secret(…),\n)");
    }

    #[test]
    fn expose_and_map_give_the_value() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(
            secret.map(|value| format!("password: {value}\n")).expose(),
            "password: hunter2\n"
        );
    }

    #[test]
    fn it_can_be_read_from_a_document() {
        let secret: Secret<String> = serde_json::from_str("\"hunter2\"").expect("a JSON string");
        assert_eq!(secret, Secret::new("hunter2".to_owned()));
    }
}
