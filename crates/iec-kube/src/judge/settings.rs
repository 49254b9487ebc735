//! Judging settings that the site decides and others could change: Felix' and those of the cluster's DNS.

use iec_core::report::{Row, Scope};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Map, Value};

use crate::check;
use crate::expected::{Expected, ExpectedDns};

/// A row on the settings of Felix that the site decides; none where it decides none. `found` is the `spec` of its
/// FelixConfiguration.
#[must_use]
pub fn judge_felix(expected: &Expected, found: &Value) -> Option<Row> {
    let wanted = expected
        .calico
        .felix
        .as_object()
        .filter(|settings| !settings.is_empty())?;
    let own: Map<String, Value> = wanted
        .keys()
        .map(|key| (key.clone(), found[key].clone()))
        .collect();
    let check = &check::CALICO_FELIX;
    Some(check.compare(Scope::Cluster, &in_words(wanted), &in_words(&own), vec![]))
}

fn in_words(settings: &Map<String, Value>) -> String {
    let words: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    words.join(", ")
}

/// A row on what the site decides of the cluster's DNS; none where it decides nothing.
#[must_use]
pub fn judge_dns_settings(
    wanted: &ExpectedDns,
    configuration: Option<&ConfigMap>,
    deployment: Option<&Deployment>,
) -> Option<Row> {
    let check = &check::DNS_SETTINGS;
    if *wanted == ExpectedDns::default() {
        return None;
    }
    let mut differences = Vec::new();
    if let Some(corefile) = &wanted.corefile {
        let data = configuration.and_then(|map| map.data.as_ref());
        let found = data
            .and_then(|data| data.get("Corefile"))
            .map_or("", String::as_str);
        differences.extend(difference(corefile, found));
    }
    if let Some(replicas) = wanted.replicas {
        let spec = deployment.and_then(|deployment| deployment.spec.as_ref());
        let found = spec.and_then(|spec| spec.replicas).unwrap_or_default();
        if found != i32::from(replicas) {
            differences.push(format!("{found} replicas, the site has {replicas}"));
        }
    }
    let Some(first) = differences.first().cloned() else {
        return Some(check.passed(Scope::Cluster));
    };
    let expected = "what `network.dns` of the site file says";
    Some(check.failed(Scope::Cluster, expected, first, differences))
}

/// The lines of a Corefile that are missing and those that nobody asked for.
fn difference(wanted: &str, found: &str) -> Vec<String> {
    let lacks = |line: &&str, text: &str| !text.lines().any(|other| other == *line);
    let missing = wanted
        .lines()
        .filter(|line| lacks(line, found))
        .map(|line| format!("the Corefile lacks `{}`", line.trim()));
    let more = found
        .lines()
        .filter(|line| lacks(line, wanted))
        .map(|line| format!("the Corefile has `{}`", line.trim()));
    let mut all: Vec<String> = missing.chain(more).collect();
    if all.is_empty() && wanted != found {
        all.push("the Corefile has its lines in another order".to_owned());
    }
    all.truncate(8);
    all
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;
    use serde_json::json;

    use super::*;
    use crate::testing::expected;

    fn found(row: Row) -> String {
        match row.outcome {
            Outcome::Failed(failure) => failure.found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn felix_has_what_the_site_decides_and_may_have_more() {
        let mut expected = expected();
        let spec = json!({"logSeverityScreen": "Info", "reportingInterval": "0s"});
        assert!(judge_felix(&expected, &spec).is_none());
        expected.calico.felix = json!({"logSeverityScreen": "Info"});
        assert_eq!(
            judge_felix(&expected, &spec).expect("a row").outcome,
            Outcome::Passed
        );
        expected.calico.felix = json!({"logSeverityScreen": "Info", "wireguardEnabled": true});
        let row = judge_felix(&expected, &spec).expect("a row");
        assert_eq!(found(row), "logSeverityScreen: \"Info\", wireguardEnabled: null");
    }

    #[test]
    fn dns_is_judged_as_far_as_the_site_decides_it() {
        let map = |corefile: &str| -> ConfigMap {
            serde_json::from_value(json!({"data": {"Corefile": corefile}})).expect("a ConfigMap")
        };
        let deployment: Deployment =
            serde_json::from_value(json!({"spec": {"replicas": 2, "selector": {}, "template": {}}}))
                .expect("a Deployment");
        let judge = |wanted: &ExpectedDns, corefile: &str| {
            judge_dns_settings(wanted, Some(&map(corefile)), Some(&deployment))
        };
        assert!(judge(&ExpectedDns::default(), "anything").is_none());
        let wanted = ExpectedDns {
            corefile: Some("forward . 10.0.0.53\nreload\n".to_owned()),
            replicas: Some(2),
        };
        let row = judge(&wanted, "forward . 10.0.0.53\nreload\n").expect("a row");
        assert_eq!(row.outcome, Outcome::Passed);
        let row = judge(&wanted, "forward . /etc/resolv.conf\nreload\n").expect("a row");
        assert_eq!(found(row), "the Corefile lacks `forward . 10.0.0.53`");
        let wanted = ExpectedDns {
            corefile: None,
            replicas: Some(3),
        };
        let row = judge(&wanted, "anything").expect("a row");
        assert_eq!(found(row), "2 replicas, the site has 3");
        assert!(matches!(
            judge_dns_settings(&wanted, None, None).expect("a row").outcome,
            Outcome::Failed(_)
        ));
    }
}
