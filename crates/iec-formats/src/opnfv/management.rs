//! The controller by which a machine is switched on and off, as a Pod Descriptor File describes it.

use iec_core::diagnostic::{Diagnostic, Place};
use iec_core::site::printable;
use iec_core::site::{MacAddress, Management, ManagementProtocol};
use iec_core::spec::Spanned;
use iec_core::spec::tree::Content;

use super::form::{Form, Item, Mapping};
use super::pdf::{REFERENCE, UNKNOWN, known, mac};

/// Where a password is written, without the password.
pub(super) struct Password {
    pub(super) place: Place,
    /// Whether only its owner's key opens it, as with eyaml.
    pub(super) is_encrypted: bool,
}

/// Whether this is what eyaml or Ansible's vault makes of a text.
fn is_encrypted(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("ENC[") || text.starts_with("$ANSIBLE_VAULT")
}

/// The account of the controller, unless it is encrypted.
fn account(given: &Mapping<'_>, form: &mut Form<'_>) -> Option<String> {
    let text = given.text("user", form)?;
    if is_encrypted(&text.value) {
        form.left_out(
            "the account of a management controller",
            given.place,
            "it is encrypted; write `user` into the site file",
        );
        return None;
    }
    known(Some(text.value))
}

fn left_out(reason: &str, given: &Mapping<'_>, form: &mut Form<'_>) {
    form.left_out("a management controller", given.place, reason);
}

/// The controller, and where its password is written if it is.
pub(super) fn management(
    given: &Mapping<'_>,
    macs: &mut Vec<Spanned<MacAddress>>,
    form: &mut Form<'_>,
) -> (Option<Management>, Option<Password>) {
    let spoken = protocol(given, form);
    let word = spoken.as_ref().map(|spoken| spoken.word);
    let address = given.text("address", form);
    let mac = given
        .filled("mac_address", "text", form)
        .and_then(|item| mac(&item, form));
    let mut versions = versions(given, form);
    if versions.is_empty() {
        versions = spoken.map(|spoken| spoken.versions).unwrap_or_default();
    }
    if matches!(word, Some("ipmi" | "amt")) {
        for key in ["versions", "mac_address"]
            .into_iter()
            .filter(|key| given.get(key).is_none())
        {
            let message = format!("the key `{key}` is missing in the management of a machine");
            let hint = format!("add `{key}`: ipmi and amt have one");
            form.deviation("IEC0811", message, &given.place.head(), hint);
        }
    }
    let user = account(given, form);
    let password = given.text("pass", form);
    let credentials = password
        .as_ref()
        .and_then(|text| text.value.strip_prefix(REFERENCE))
        .map(str::to_owned);
    let password = password
        .filter(|text| credentials.is_none() && !text.value.trim().is_empty() && text.value.trim() != UNKNOWN)
        .map(|text| Password {
            is_encrypted: is_encrypted(&text.value),
            place: text.place,
        });
    if let Some(item) = given.some("privilege_level") {
        form.left_out(
            &format!("`{}`", item.way),
            item.place(),
            "IEC switches no machine on or off",
        );
    }
    let port = given.some("port").and_then(|item| item.number(65535, form));
    macs.extend(mac.clone().filter(|mac| !mac.value.is_zero()));
    let address_place = address.as_ref().map(|address| address.place.clone());
    let address = known(address.map(|address| address.value));
    let protocol = match (word, &address) {
        (Some("redfish"), _) => ManagementProtocol::Redfish,
        (Some("libvirt"), Some(address)) if address.starts_with("redfish") => ManagementProtocol::Redfish,
        (Some("libvirt"), _) => ManagementProtocol::Libvirt,
        (Some("amt"), _) => ManagementProtocol::Amt,
        (Some(_), _) => ManagementProtocol::Ipmi,
        (None, _) => {
            left_out("IEC does not know what it speaks", given, form);
            return (None, password);
        }
    };
    if address.is_none() {
        left_out("nobody says where it is", given, form);
    }
    // A site names a Redfish service by its URL; descriptors often have its address alone.
    let address = address.map(|address| match protocol {
        ManagementProtocol::Redfish if !address.contains("://") => {
            let bare = address.split('/').next().unwrap_or_default();
            let url = format!("https://{bare}");
            let message = format!("the Redfish service is taken to be at {}", printable(&url));
            let problem = Diagnostic::warning("IEC0819", message).at(address_place.as_ref());
            form.report(problem.hint("write its URL with the path of the system, if there are several"));
            url
        }
        _ => address,
    });
    let management = address.map(|address| Management {
        protocol,
        versions,
        address,
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0),
        mac: mac.map(|mac| mac.value).filter(|mac| !mac.is_zero()),
        user,
        credentials,
    });
    (management, password)
}

/// What a controller speaks, with the versions that stand beside the word.
struct Spoken {
    word: &'static str,
    versions: Vec<String>,
}

/// What the controller speaks.
fn protocol(given: &Mapping<'_>, form: &mut Form<'_>) -> Option<Spoken> {
    let item = given.filled("type", "text", form)?;
    let spoken = |word| Spoken {
        word,
        versions: Vec::new(),
    };
    match &item.node.content {
        // Kuberef has a list with one word in it, or one mapping from the word to its versions.
        Content::Sequence(words) if words.len() == 1 => {
            let message = format!("`{}` must be text, but is a list", item.way);
            let hint = "give the word without brackets".to_owned();
            form.deviation("IEC0813", message, item.place(), hint);
            let first = item.list(form).into_iter().next()?;
            match &first.node.content {
                Content::Mapping(_) => with_versions(&first, form),
                _ => word(&first, form).map(spoken),
            }
        }
        Content::Mapping(_) => {
            let message = format!("`{}` must be text, but is a mapping", item.way);
            form.deviation("IEC0813", message, item.place(), "give the word alone".to_owned());
            with_versions(&item, form)
        }
        _ => word(&item, form).map(spoken),
    }
}

/// The protocol of `{ipmi: [2.0]}`.
fn with_versions(item: &Item<'_>, form: &mut Form<'_>) -> Option<Spoken> {
    let mapping = item.any_mapping(form)?;
    let (key, _, versions) = mapping.items().next()?;
    let word = known_word(key)?;
    let versions = versions.one_or_more(form);
    let versions = versions
        .iter()
        .filter_map(|version| version_of(version, form))
        .collect();
    Some(Spoken { word, versions })
}

/// One of the protocols, in whatever letters; the schema knows three of them, in small ones.
fn word(item: &Item<'_>, form: &mut Form<'_>) -> Option<&'static str> {
    const OF_THE_SCHEMA: [&str; 3] = ["ipmi", "amt", "libvirt"];
    let text = item.text(form)?;
    let known = known_word(&text.value);
    if !OF_THE_SCHEMA.contains(&&*text.value) {
        item.not_allowed(form, &format!("one of {}", OF_THE_SCHEMA.join(", ")));
    }
    known
}

fn known_word(text: &str) -> Option<&'static str> {
    let mut words = ManagementProtocol::WORDS.iter().map(|(word, _)| *word);
    words.find(|word| text.trim().eq_ignore_ascii_case(word))
}

/// The versions of what the controller speaks.
fn versions(given: &Mapping<'_>, form: &mut Form<'_>) -> Vec<String> {
    let mut versions = Vec::new();
    if let Some(item) = given.filled("versions", "a list", form) {
        for version in item.list(form) {
            versions.extend(version_of(&version, form));
        }
    }
    versions
}

fn version_of(item: &Item<'_>, form: &mut Form<'_>) -> Option<String> {
    match item.scalar().and_then(|text| text.value.parse::<f64>().ok()) {
        Some(1.0) => Some("1.0".to_owned()),
        Some(2.0) => Some("2.0".to_owned()),
        _ => {
            item.not_allowed(form, "1.0 or 2.0");
            None
        }
    }
}
