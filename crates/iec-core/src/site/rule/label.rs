//! Rules about labels and taints of nodes.

use std::collections::BTreeMap;

use super::{Kind, name, optional, required, word};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::name::{LabelKey, LabelValue};
use crate::site::{Taint, TaintEffect};
use crate::spec::{Entries, List, Spanned, TaintSpec};

/// Labels that kubelet writes itself; what a site says would be overwritten.
const WRITTEN_BY_KUBELET: [&str; 5] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

/// Labels in the domains of Kubernetes that a kubelet may give its own node.
const FREE: [&str; 6] = [
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

/// Domains of Kubernetes, with all below them, in which a kubelet may give its own node any label.
const FREE_DOMAINS: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// The domains that Kubernetes keeps for itself, with all below them.
const KEPT_DOMAINS: [&str; 2] = ["kubernetes.io", "k8s.io"];

fn inside(prefix: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| {
        prefix == *domain
            || prefix
                .strip_suffix(domain)
                .is_some_and(|below| below.ends_with('.'))
    })
}

/// Why a kubelet may not give its node a label of this key.
fn refusal(key: &LabelKey) -> Option<&'static str> {
    if WRITTEN_BY_KUBELET.contains(&key.as_str()) {
        return Some("kubelet writes it itself");
    }
    let prefix = key.prefix()?;
    let free = FREE.contains(&key.as_str()) || inside(prefix, &FREE_DOMAINS);
    (inside(prefix, &KEPT_DOMAINS) && !free)
        .then_some("Kubernetes keeps this domain for itself, and lets no kubelet set it")
}

/// Part of a label or taint.
const fn kind(what: &'static str) -> Kind {
    Kind {
        code: "IEC0104",
        what,
        hint: Some(
            "Kubernetes takes at most 63 letters, digits, `-`, `_` and `.`; a key may begin with a domain and `/`",
        ),
    }
}

/// The labels of a host.
pub(in crate::site) fn labels(
    given: &Entries<String>,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<LabelKey, LabelValue>> {
    let mut labels = BTreeMap::new();
    let mut complete = true;
    for (key, value) in &given.entries {
        let place = &key.place;
        let key = name(key, &kind("the key of a label"), LabelKey::new, problems);
        let value = name(value, &kind("the value of a label"), LabelValue::new, problems);
        let (Some(key), Some(value)) = (key, value) else {
            complete = false;
            continue;
        };
        if let Some(reason) = refusal(&key) {
            complete = false;
            problems.push(reserved("label", &key, reason, place));
        }
        labels.insert(key, value);
    }
    complete.then_some(labels)
}

fn reserved(what: &str, key: &LabelKey, reason: &str, place: &Place) -> Diagnostic {
    let hint = if key.as_str().starts_with("node-role.kubernetes.io/") {
        "give the host a label of your own domain; IEC marks control planes itself"
    } else {
        "take a key of your own domain, or without a domain"
    };
    Diagnostic::error(
        "IEC0105",
        format!("the {what} `{key}` cannot be set by a site: {reason}"),
    )
    .at(place)
    .hint(hint)
}

/// The taints of a host.
pub(in crate::site) fn taints(given: &List<TaintSpec>, problems: &mut Diagnostics) -> Option<Vec<Taint>> {
    let mut seen: BTreeMap<(LabelKey, TaintEffect), &Place> = BTreeMap::new();
    let mut taints = Vec::new();
    for spanned in &given.items {
        let Some(taint) = taint(spanned, problems) else {
            continue;
        };
        match seen.get(&(taint.key.clone(), taint.effect)) {
            None => {
                seen.insert((taint.key.clone(), taint.effect), &spanned.place);
            }
            Some(first) => problems.push(
                Diagnostic::error(
                    "IEC0106",
                    format!("the taint `{}:{}` is there twice", taint.key, taint.effect),
                )
                .at(&spanned.place)
                .label(*first, "first written here")
                .hint("remove one of the two; a node has one value for a key and an effect"),
            ),
        }
        taints.push(taint);
    }
    (given.complete && taints.len() == given.items.len()).then_some(taints)
}

fn taint(given: &Spanned<TaintSpec>, problems: &mut Diagnostics) -> Option<Taint> {
    let TaintSpec { key, value, effect } = &given.value;
    let key_place = key.place();
    let key = required(key, "key", &given.place, problems)
        .and_then(|key| name(key, &kind("the key of a taint"), LabelKey::new, problems));
    let value = optional(value, LabelValue::default(), |value| {
        name(value, &kind("the value of a taint"), LabelValue::new, problems)
    });
    let effect = required(effect, "effect", &given.place, problems)
        .and_then(|effect| word(effect, "effect", &TaintEffect::WORDS, problems));
    let taint = Taint {
        key: key?,
        value: value?,
        effect: effect?,
    };
    let kept = taint
        .key
        .prefix()
        .is_some_and(|prefix| inside(prefix, &KEPT_DOMAINS));
    if let (true, Some(place)) = (kept, key_place) {
        let role = taint.key.as_str() == "node-role.kubernetes.io/control-plane";
        let hint = if role {
            "write `controlPlane: {schedulable: false}`, which keeps this taint"
        } else {
            "take a key of your own domain, or without a domain"
        };
        let message = format!(
            "the taint `{}` cannot be set by a site: Kubernetes sets and removes it by itself",
            taint.key
        );
        problems.push(Diagnostic::error("IEC0105", message).at(place).hint(hint));
        return None;
    }
    Some(taint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kubelet_may_say_about_its_node() {
        for key in [
            "zone",
            "example.org/zone",
            "topology.kubernetes.io/zone",
            "node.kubernetes.io/rack",
            "x.node.kubernetes.io/a",
            "notkubernetes.io/a",
        ] {
            assert_eq!(refusal(&LabelKey::new(key).expect("valid")), None, "{key}");
        }
        for key in [
            "kubernetes.io/hostname",
            "node-role.kubernetes.io/worker",
            "k8s.io/a",
            "node-restriction.kubernetes.io/a",
            "x.kubernetes.io/a",
        ] {
            assert!(refusal(&LabelKey::new(key).expect("valid")).is_some(), "{key}");
        }
    }
}
