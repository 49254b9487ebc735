//! The controller by which a machine is switched on and off, as a Pod Descriptor File describes it.

use super::form::{Form, Mapping};
use super::pdf::{REFERENCE, UNKNOWN, known, mac};
use crate::diagnostic::Place;
use crate::site::{MacAddress, Management, ManagementProtocol};
use crate::spec::Spanned;
use crate::spec::tree::Content;

/// The controller, and where its password is written if it is.
pub(super) fn management(
    given: &Mapping<'_>,
    macs: &mut Vec<Spanned<MacAddress>>,
    form: &mut Form<'_>,
) -> (Option<Management>, Option<Place>) {
    let word = protocol(given, form);
    let address = given.text("address", form);
    let mac = given
        .filled("mac_address", "text", form)
        .and_then(|item| mac(&item, form));
    let versions = versions(given, form);
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
    let user = known(given.text("user", form).map(|text| text.value));
    let password = given.text("pass", form);
    let credentials = password
        .as_ref()
        .and_then(|text| text.value.strip_prefix(REFERENCE))
        .map(str::to_owned);
    let password = password
        .filter(|text| credentials.is_none() && !text.value.is_empty() && text.value != UNKNOWN)
        .map(|text| text.place);
    if let Some(item) = given.some("privilege_level") {
        form.left_out(
            &format!("`{}`", item.way),
            item.place(),
            "IEC switches no machine on or off",
        );
    }
    let port = given.some("port").and_then(|item| item.number(65535, form));
    macs.extend(mac.clone().filter(|mac| !mac.value.is_zero()));
    let address = known(address.map(|address| address.value));
    let protocol = match (word, &address) {
        (Some("libvirt"), Some(address)) if address.starts_with("redfish") => ManagementProtocol::Redfish,
        (Some("libvirt"), _) => ManagementProtocol::Libvirt,
        (Some("amt"), _) => ManagementProtocol::Amt,
        (Some(_), _) => ManagementProtocol::Ipmi,
        (None, _) => return (None, password),
    };
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

/// What the controller speaks.
fn protocol(given: &Mapping<'_>, form: &mut Form<'_>) -> Option<&'static str> {
    const KNOWN: [&str; 3] = ["ipmi", "amt", "libvirt"];
    let item = given.filled("type", "text", form)?;
    match &item.node.content {
        // Kuberef has a list with one word in it.
        Content::Sequence(words) if words.len() == 1 => {
            let message = format!("`{}` must be text, but is a list", item.way);
            let hint = "give the word without brackets".to_owned();
            form.deviation("IEC0813", message, item.place(), hint);
            item.list(form).first().and_then(|word| word.word(&KNOWN, form))
        }
        _ => item.word(&KNOWN, form),
    }
}

/// The versions of what the controller speaks.
fn versions(given: &Mapping<'_>, form: &mut Form<'_>) -> Vec<String> {
    let mut versions = Vec::new();
    if let Some(item) = given.filled("versions", "a list", form) {
        for version in item.list(form) {
            match version.scalar().and_then(|text| text.value.parse::<f64>().ok()) {
                Some(1.0) => versions.push("1.0".to_owned()),
                Some(2.0) => versions.push("2.0".to_owned()),
                _ => version.not_allowed(form, "1.0 or 2.0"),
            }
        }
    }
    versions
}
