//! Rules about the head of a site file: format version, kind, name, release.

use super::{Kind, name, required, word};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::name::SiteName;
use crate::release::Release;
use crate::spec::{Document, Spanned};

/// The version of the site file's format.
pub(in crate::site) const API_VERSION: &str = "iec.dev/v1alpha1";
/// The kind of document that a site file is.
pub(in crate::site) const KIND: &str = "Site";

/// Checks format version and kind.
pub(in crate::site) fn check_format(document: &Document, place: &Place, problems: &mut Diagnostics) {
    for (field, key, code, wanted) in [
        (&document.api_version, "apiVersion", "IEC0010", API_VERSION),
        (&document.kind, "kind", "IEC0011", KIND),
    ] {
        let Some(given) = required(field, key, place, problems) else {
            continue;
        };
        if given.value != wanted {
            let message = format!(
                "`{key}` is `{}`, this version of IEC reads `{wanted}`",
                super::printable(&given.value)
            );
            problems.push(
                Diagnostic::error(code, message)
                    .at(&given.place)
                    .hint(format!("write `{key}: {wanted}`")),
            );
        }
    }
}

/// The name of the site.
pub(in crate::site) fn site_name(
    document: &Document,
    place: &Place,
    problems: &mut Diagnostics,
) -> Option<SiteName> {
    let metadata = required(&document.metadata, "metadata", place, problems)?;
    let given = required(&metadata.value.name, "name", &metadata.place, problems)?;
    name(
        given,
        &Kind {
            code: "IEC0101",
            what: "the name of a site",
            hint: None,
        },
        SiteName::new,
        problems,
    )
}

/// The release to install.
pub(in crate::site) fn release(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    let known: Vec<(&'static str, &'static str)> = Release::names().map(|name| (name, name)).collect();
    let minor = given
        .value
        .trim_start_matches('v')
        .splitn(3, '.')
        .take(2)
        .collect::<Vec<_>>()
        .join(".");
    if known.iter().any(|(name, _)| *name == given.value) {
        return word(given, "release", &known, problems).map(str::to_owned);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let hint = if names.contains(&minor.as_str()) {
        format!("a release is named by its minor version: write \"{minor}\"")
    } else {
        format!("this version of IEC carries: {}", names.join(", "))
    };
    let message = format!("there is no release `{}`", super::printable(&given.value));
    problems.push(Diagnostic::error("IEC0015", message).at(&given.place).hint(hint));
    None
}
