//! Rules about Helm releases.

use std::collections::BTreeMap;

use super::{Kind, line, name, optional, printable, required};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::name::{HelmReleaseName, NamespaceName};
use crate::site::HelmRelease;
use crate::spec::{HelmReleaseSpec, HelmSpec, Spanned};

/// The Helm releases of a site.
pub(in crate::site) fn releases(given: &HelmSpec, problems: &mut Diagnostics) -> Option<Vec<HelmRelease>> {
    let Some(list) = given.releases.value() else {
        return given.releases.is_absent().then(Vec::new);
    };
    let mut seen: BTreeMap<(NamespaceName, HelmReleaseName), &Place> = BTreeMap::new();
    let mut releases = Vec::new();
    for spanned in &list.items {
        let Some(release) = release(spanned, problems) else {
            continue;
        };
        let key = (release.namespace.clone(), release.name.clone());
        if let Some(first) = seen.get(&key) {
            let message = format!(
                "the Helm release `{}` is there twice in namespace `{}`",
                release.name, release.namespace
            );
            problems.push(
                Diagnostic::error("IEC0602", message)
                    .at(spanned.value.name.place().unwrap_or(&spanned.place))
                    .label(*first, "the first one")
                    .hint("give one of them another name or namespace"),
            );
        } else {
            seen.insert(key, spanned.value.name.place().unwrap_or(&spanned.place));
        }
        releases.push(release);
    }
    (list.complete && releases.len() == list.items.len()).then_some(releases)
}

fn release(given: &Spanned<HelmReleaseSpec>, problems: &mut Diagnostics) -> Option<HelmRelease> {
    let spec = &given.value;
    let release_name = required(&spec.name, "name", &given.place, problems).and_then(|given| {
        name(
            given,
            &Kind {
                code: "IEC0601",
                what: "the name of a Helm release",
                hint: None,
            },
            HelmReleaseName::new,
            problems,
        )
    });
    let default = NamespaceName::new("default").expect("`default` is a label");
    let namespace = optional(&spec.namespace, default, |given| {
        name(
            given,
            &Kind {
                code: "IEC0603",
                what: "the name of a namespace",
                hint: None,
            },
            NamespaceName::new,
            problems,
        )
    });
    let chart =
        required(&spec.chart, "chart", &given.place, problems).and_then(|given| chart(given, problems));
    let version = optional(&spec.version, None, |given| version(given, problems).map(Some));
    let values = optional(&spec.values, serde_json::Map::new(), |given| {
        Some(given.value.clone())
    });
    Some(HelmRelease {
        name: release_name?,
        namespace: namespace?,
        chart: chart?,
        version: version?,
        values: values?,
    })
}

fn chart(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    let chart = line(given, "chart", problems)?;
    if chart.contains("://") {
        let message = format!(
            "`chart` cannot be `{}`: a site installs from files, so that it can do so without a network",
            printable(&chart)
        );
        problems.push(
            Diagnostic::error("IEC0604", message)
                .at(&given.place)
                .hint("run `helm pull` and give the path of the archive"),
        );
        return None;
    }
    Some(chart)
}

/// A version as Helm charts have them: SemVer 2.
fn version(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    let (rest, build) = split_optional(&given.value, '+');
    let (core, pre) = split_optional(rest, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |text: &&str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (*text == "0" || !text.starts_with('0'))
    };
    let suffix = |text: Option<&str>| {
        text.is_none_or(|text| {
            let word = |part: &str| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            text.split('.').all(word)
        })
    };
    if numbers.len() == 3 && numbers.iter().all(number) && suffix(pre) && suffix(build) {
        return Some(given.value.clone());
    }
    let message = format!(
        "`version` is no version of a chart: `{}`",
        printable(&given.value)
    );
    problems.push(
        Diagnostic::error("IEC0605", message)
            .at(&given.place)
            .hint("write the whole version, such as \"1.2.3\", not a range"),
    );
    None
}

fn split_optional(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}
