//! Judging the Helm releases of the site.

use iec_core::report::{Row, Scope};

use crate::check;

/// A release of the site as it is in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmRelease {
    /// Its namespace and name, as `store/shop`.
    pub name: String,
    /// The state of its newest revision in Helm's words, such as `deployed`; none if Helm knows no such release.
    pub status: Option<String>,
    /// What is wrong with its objects, a line for each.
    pub troubles: Vec<String>,
}

/// A row on all releases that the site file asks for.
#[must_use]
pub fn judge_helm_releases(releases: &[HelmRelease]) -> Row {
    let mut evidence = Vec::new();
    for release in releases {
        match release.status.as_deref() {
            Some("deployed") => {}
            Some(status) => evidence.push(format!("{}: {status}", release.name)),
            None => evidence.push(format!("{}: is not installed", release.name)),
        }
        let troubles = release.troubles.iter();
        evidence.extend(troubles.map(|trouble| format!("{}: {trouble}", release.name)));
    }
    if evidence.is_empty() {
        return check::HELM_RELEASES.passed(Scope::Cluster);
    }
    let bad = releases
        .iter()
        .filter(|each| each.status.as_deref() != Some("deployed") || !each.troubles.is_empty())
        .count();
    check::HELM_RELEASES.failed(
        Scope::Cluster,
        "every release deployed, each of its objects there and its pods ready",
        format!("{bad} of {} are not so", releases.len()),
        evidence,
    )
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;

    #[test]
    fn a_release_that_is_not_as_helm_made_it_fails_and_is_named() {
        let release = |status: Option<&str>, troubles: &[&str]| HelmRelease {
            name: "store/shop".into(),
            status: status.map(Into::into),
            troubles: troubles.iter().map(|&each| each.into()).collect(),
        };
        let whole = release(Some("deployed"), &[]);
        assert!(matches!(
            judge_helm_releases(std::slice::from_ref(&whole)).outcome,
            Outcome::Passed
        ));
        for (bad, says) in [
            (release(None, &[]), "store/shop: is not installed"),
            (
                release(Some("pending-upgrade"), &[]),
                "store/shop: pending-upgrade",
            ),
            (
                release(Some("deployed"), &["Service store/till: does not exist"]),
                "store/shop: Service store/till: does not exist",
            ),
        ] {
            let Outcome::Failed(failure) = judge_helm_releases(&[whole.clone(), bad]).outcome else {
                panic!("{says}")
            };
            assert_eq!(failure.found, "1 of 2 are not so");
            assert_eq!(failure.evidence, [says]);
        }
    }
}
