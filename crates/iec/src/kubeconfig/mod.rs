//! A kubeconfig as a text: three entries that belong to a site are merged into it and taken out of it, as kubectl would.

mod edit;
mod file;
mod layout;

pub(crate) use file::{Lock, read, read_private, remove, write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iec_core::credentials::KeyPair;
use iec_core::secret::Secret;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::credentials::{Identity, signed_until};

/// The lists of a kubeconfig, and the key under which an item of each has what it says.
const LISTS: [(&str, &str); 3] = [
    ("clusters", "cluster"),
    ("users", "user"),
    ("contexts", "context"),
];
/// The name of the context that is used where none is named.
const CURRENT: &str = "current-context";
/// The first line of a file that IEC has made: by it IEC knows that the file may go when nothing is left in it.
const MADE_HERE: &str = "# Made by `iec apply`; entries of other clusters are kept.\n";
/// A kubeconfig without an entry.
const EMPTY: &str =
    "apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts: []\ncurrent-context: \"\"\n";
/// A certificate that ends sooner is issued anew, in seconds.
const RENEW_BEFORE: i64 = 90 * 24 * 60 * 60;

/// The entries of a site: a cluster, a user and a context, all of its name.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    /// The site's name.
    pub(crate) name: &'a str,
    /// The address of an API server, as `https://address:port`.
    pub(crate) server: String,
    /// The name that its certificate carries.
    pub(crate) server_name: String,
    /// The cluster's authority.
    pub(crate) authority: &'a KeyPair,
}

/// Whether `kubectl` without further words is to mean this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The context that is selected stays so.
    Keep,
    /// The site's context is selected.
    Select,
}

/// Why a kubeconfig is left as it is. None of these shows what it holds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It cannot be read as one.
    #[error("it is no kubeconfig ({0})")]
    Form(String),
    /// An entry of the site's name is somebody else's.
    #[error("its {list} have an entry {name} that is not of this site: {reason}")]
    Foreign {
        /// `clusters`, `users` or `contexts`.
        list: &'static str,
        /// The name.
        name: String,
        /// How one can see it.
        reason: &'static str,
    },
    /// It is laid out in a way that IEC cannot change without touching the rest.
    #[error("it is laid out in a way that IEC cannot change without touching what is not its own")]
    Layout,
}

impl Wanted<'_> {
    /// Whether the entries of this site are in the text as they should be, with a certificate that lasts; `now` in seconds
    /// since 1970.
    ///
    /// # Errors
    /// When the text is no kubeconfig, or has entries of this name that are another's.
    pub(crate) fn is_in(&self, text: &str, selection: Selection, now: i64) -> Result<bool, Refusal> {
        let root = values(text)?;
        let [cluster, user, context] = self.own(&root)?;
        let lasts = user
            .and_then(|user| self.user_until(user))
            .is_some_and(|until| until - now >= RENEW_BEFORE);
        let selected = selection == Selection::Keep || root[CURRENT] == self.name;
        Ok(cluster == Some(&self.cluster()) && lasts && context.is_some() && selected)
    }

    /// The text with the entries of this site; a new file where there is none.
    ///
    /// # Errors
    /// When the text is no kubeconfig, has entries of this name that are another's, or cannot be changed by parts.
    pub(crate) fn merged(
        &self,
        text: Option<&Secret<String>>,
        identity: &Identity,
        selection: Selection,
    ) -> Result<Secret<String>, Refusal> {
        let old = match text.map(|text| text.expose().as_str()) {
            None => format!("{MADE_HERE}{EMPTY}"),
            Some(text) if is_blank(text) => {
                let gap = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    "\n"
                };
                format!("{text}{gap}{EMPTY}")
            }
            Some(text) => text.to_owned(),
        };
        let mut root = values(&old)?;
        let [_, _, context] = self.own(&root)?;
        let mut put = vec![
            (LISTS[0], self.cluster()),
            (LISTS[1], self.user(identity)),
            (LISTS[2], json!({"cluster": self.name, "user": self.name})),
        ];
        // A namespace that somebody has chosen for it stays.
        put.truncate(if context.is_some() { 2 } else { 3 });
        let mut new = old;
        for ((list, key), value) in put {
            let item = json!({"name": self.name, key: value});
            new = edit::put(&new, list, self.name, &item).ok_or(Refusal::Layout)?;
            put_value(&mut root, list, self.name, item);
        }
        if text.is_none() || selection == Selection::Select {
            new = edit::set(&new, CURRENT, self.name).ok_or(Refusal::Layout)?;
            root[CURRENT] = json!(self.name);
        }
        checked(new, &root)
    }

    /// What is left of a text without the entries of this site. Entries of its name that are another's stay.
    ///
    /// # Errors
    /// When the text is no kubeconfig, or cannot be changed by parts.
    pub(crate) fn taken_out(&self, text: &Secret<String>) -> Result<Left, Refusal> {
        let old = text.expose();
        if is_blank(old) {
            return Ok(Left::Unchanged);
        }
        let mut root = values(old)?;
        let mut new = old.clone();
        // A context is of the site only with its cluster, and is asked about before that one goes.
        let own = LISTS.map(|(list, _)| self.own_entry(&root, list).ok().flatten().is_some());
        let mut removed = false;
        for ((list, _), is_own) in LISTS.into_iter().zip(own) {
            if !is_own || (list == "contexts" && !own[0]) {
                continue;
            }
            new = edit::remove(&new, list, self.name).ok_or(Refusal::Layout)?;
            remove_value(&mut root, list, self.name);
            removed = true;
        }
        if !removed {
            return Ok(Left::Unchanged);
        }
        if own[2] && root[CURRENT] == self.name {
            new = edit::set(&new, CURRENT, "").ok_or(Refusal::Layout)?;
            root[CURRENT] = json!("");
        }
        if new == format!("{MADE_HERE}{EMPTY}") {
            return Ok(Left::Nothing);
        }
        checked(new, &root).map(Left::Others)
    }

    fn cluster(&self) -> Value {
        json!({
            "certificate-authority-data": STANDARD.encode(&self.authority.certificate_pem),
            "server": self.server,
            "tls-server-name": self.server_name,
        })
    }

    fn user(&self, identity: &Identity) -> Value {
        json!({
            "client-certificate-data": STANDARD.encode(&identity.certificate_pem),
            "client-key-data": STANDARD.encode(identity.key_pem.expose()),
        })
    }

    /// What the entries of this site's name say.
    fn own<'v>(&self, root: &'v Value) -> Result<[Option<&'v Value>; 3], Refusal> {
        let [cluster, user, context] = LISTS.map(|(list, _)| self.own_entry(root, list));
        Ok([cluster?, user?, context?])
    }

    /// What the entry of this site's name in a list says; nothing where there is none.
    fn own_entry<'v>(&self, root: &'v Value, list: &'static str) -> Result<Option<&'v Value>, Refusal> {
        let foreign = |reason| Refusal::Foreign {
            list,
            name: self.name.to_owned(),
            reason,
        };
        let named = match &root[list] {
            Value::Null => return Ok(None),
            Value::Array(items) => items.iter().filter(|item| item["name"] == self.name),
            _ => return Err(Refusal::Form(format!("{list} is no list"))),
        };
        let mut named = named.collect::<Vec<_>>().into_iter();
        let Some(item) = named.next() else { return Ok(None) };
        if named.next().is_some() {
            return Err(foreign("it is there more than once"));
        }
        let (_, key) = LISTS
            .into_iter()
            .find(|(name, _)| *name == list)
            .expect("a name of the lists");
        let value = &item[key];
        let reason = match list {
            "clusters" if !self.is_own_cluster(value) => "it has another certificate authority",
            "users" if self.user_until(value).is_none() => {
                "it has something else than a certificate of this site's authority"
            }
            "contexts" if value["cluster"] != self.name || value["user"] != self.name => {
                "it means another cluster or user"
            }
            _ => return Ok(Some(value)),
        };
        Err(foreign(reason))
    }

    fn is_own_cluster(&self, cluster: &Value) -> bool {
        let own = CertificateDer::from_pem_slice(self.authority.certificate_pem.as_bytes()).ok();
        own.is_some() && own == certificate_in(&cluster["certificate-authority-data"])
    }

    /// The moment until which a user's certificate is valid, where the site's authority has signed it and the user has
    /// nothing else to log in with.
    fn user_until(&self, user: &Value) -> Option<i64> {
        let fields = user.as_object()?;
        let known = ["client-certificate-data", "client-key-data"];
        if fields.keys().any(|field| !known.contains(&field.as_str())) {
            return None;
        }
        signed_until(&certificate_in(&user[known[0]])?, &self.authority.certificate_pem)
    }
}

/// What is left of a file without the entries of a site.
#[derive(Debug)]
pub(crate) enum Left {
    /// It had none.
    Unchanged,
    /// Nothing: IEC has made it, and nobody has added anything.
    Nothing,
    /// What others have put there.
    Others(Secret<String>),
}

/// Whether a text has comments and blanks only.
fn is_blank(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    })
}

/// The first certificate of a field that holds PEM in base64.
fn certificate_in(field: &Value) -> Option<CertificateDer<'static>> {
    let pem = STANDARD.decode(field.as_str()?.trim()).ok()?;
    CertificateDer::from_pem_slice(&pem).ok()
}

/// What a text says, if it is a kubeconfig.
fn values(text: &str) -> Result<Value, Refusal> {
    let root: Value = serde_saphyr::from_str(text).map_err(|error| {
        // The error's own text may quote the file, and so a key.
        Refusal::Form(error.location().map_or_else(
            || "it cannot be read as YAML".to_owned(),
            |location| format!("line {}, column {}", location.line(), location.column()),
        ))
    })?;
    let is_config =
        |field: &str, expected: &str| matches!(&root[field], Value::Null) || root[field] == expected;
    if !root.is_object() || !is_config("kind", "Config") || !is_config("apiVersion", "v1") {
        return Err(Refusal::Form("it is something else".to_owned()));
    }
    for (list, _) in LISTS {
        if !matches!(&root[list], Value::Null | Value::Array(_)) {
            return Err(Refusal::Form(format!("{list} is no list")));
        }
    }
    Ok(root)
}

fn put_value(root: &mut Value, list: &str, name: &str, item: Value) {
    if root[list].is_null() {
        root[list] = json!([]);
    }
    let items = root[list].as_array_mut().expect("it was read as a list");
    match items.iter_mut().find(|item| item["name"] == name) {
        Some(old) => *old = item,
        None => items.push(item),
    }
}

fn remove_value(root: &mut Value, list: &str, name: &str) {
    if let Some(items) = root[list].as_array_mut() {
        items.retain(|item| item["name"] != name);
    }
}

/// A changed text, if it says what it should and nothing else.
fn checked(text: String, expected: &Value) -> Result<Secret<String>, Refusal> {
    match values(&text) {
        Ok(read) if read == *expected => Ok(Secret::new(text)),
        Ok(_) | Err(_) => Err(Refusal::Layout),
    }
}

#[cfg(test)]
mod tests;
