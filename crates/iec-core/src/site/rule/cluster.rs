//! Rules about access, kubelets, and what a site accepts.

use std::collections::{BTreeMap, BTreeSet};

use super::{PORTS, counted, host, line, number, optional, printable, required};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::nearest::nearest;
use crate::site::{Acceptance, Access, EvictionSignal, Kubelet, ReservedResource};
use crate::spec::{AccessSpec, EvictionHardSpec, Field, KubeletSpec, List, Spanned, SystemReservedSpec};

/// The most pods that kubelet runs on a host, unless a site says otherwise: kubelet's own default.
const DEFAULT_MAX_PODS: u16 = 110;

/// How to log in.
pub(in crate::site) fn access(given: &Spanned<AccessSpec>, problems: &mut Diagnostics) -> Option<Access> {
    let user = required(&given.value.user, "user", &given.place, problems)
        .and_then(|given| host::user_name(given, problems));
    let identity = optional(&given.value.identity, None, |given| {
        line(given, "identity", problems).map(Some)
    });
    let port = optional(&given.value.port, None, |given| {
        number(given, "port", PORTS, problems).map(Some)
    });
    Some(Access {
        user: user?,
        identity: identity?,
        port: port?,
    })
}

/// What is asked of kubelets that are asked nothing.
pub(in crate::site) fn default_kubelet() -> Kubelet {
    Kubelet {
        max_pods: DEFAULT_MAX_PODS,
        eviction_hard: BTreeMap::new(),
        system_reserved: BTreeMap::new(),
    }
}

/// What is asked of every kubelet.
pub(in crate::site) fn kubelet(given: &KubeletSpec, problems: &mut Diagnostics) -> Option<Kubelet> {
    let max_pods = optional(&given.max_pods, DEFAULT_MAX_PODS, |given| {
        number(given, "maxPods", 8..=1000, problems)
    });
    let eviction_hard = optional(&given.eviction_hard, BTreeMap::new(), |given| {
        eviction(&given.value, problems)
    });
    let system_reserved = optional(&given.system_reserved, BTreeMap::new(), |given| {
        reserved(&given.value, problems)
    });
    Some(Kubelet {
        max_pods: max_pods?,
        eviction_hard: eviction_hard?,
        system_reserved: system_reserved?,
    })
}

fn eviction(
    given: &EvictionHardSpec,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<EvictionSignal, String>> {
    let fields = [
        (EvictionSignal::MemoryAvailable, &given.memory_available),
        (EvictionSignal::NodefsAvailable, &given.nodefs_available),
        (EvictionSignal::NodefsInodesFree, &given.nodefs_inodes_free),
        (EvictionSignal::ImagefsAvailable, &given.imagefs_available),
        (EvictionSignal::PidAvailable, &given.pid_available),
    ];
    quantities(
        fields,
        EvictionSignal::as_str,
        |text| is_quantity(text) || is_percentage(text),
        "5%",
        problems,
    )
}

fn reserved(
    given: &SystemReservedSpec,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<ReservedResource, String>> {
    let fields = [
        (ReservedResource::Cpu, &given.cpu),
        (ReservedResource::Memory, &given.memory),
        (ReservedResource::EphemeralStorage, &given.ephemeral_storage),
        (ReservedResource::Pid, &given.pid),
    ];
    quantities(fields, ReservedResource::as_str, is_quantity, "256Mi", problems)
}

fn quantities<K: Ord + Copy, const N: usize>(
    fields: [(K, &Field<String>); N],
    called: impl Fn(K) -> &'static str,
    accepted: impl Fn(&str) -> bool,
    example: &str,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<K, String>> {
    let mut values = BTreeMap::new();
    let mut complete = true;
    for (key, field) in fields {
        let Some(given) = field.given() else {
            complete &= field.is_absent();
            continue;
        };
        if accepted(&given.value) {
            values.insert(key, given.value.clone());
            continue;
        }
        complete = false;
        let message = format!(
            "`{}` is no amount that Kubernetes reads: `{}`",
            called(key),
            printable(&given.value)
        );
        let hint = format!("write a number with a unit, such as \"{example}\"");
        problems.push(Diagnostic::error("IEC0704", message).at(&given.place).hint(hint));
    }
    complete.then_some(values)
}

/// Whether the text is a quantity that is not negative, as Kubernetes writes them.
fn is_quantity(text: &str) -> bool {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let units = [
        "", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    is_decimal(number) && units.contains(&unit)
}

fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

/// Whether the text is a percentage below 100.
fn is_percentage(text: &str) -> bool {
    text.strip_suffix('%')
        .filter(|number| is_decimal(number))
        .and_then(|number| number.parse::<f64>().ok())
        .is_some_and(|number| number < 100.0)
}

/// The degradations that a site accepts.
pub(in crate::site) fn accepted(
    given: &List<String>,
    problems: &mut Diagnostics,
) -> Option<BTreeSet<Acceptance>> {
    let mut accepted: BTreeMap<Acceptance, &Spanned<String>> = BTreeMap::new();
    let mut complete = given.complete;
    for item in &given.items {
        let Some((_, acceptance)) = Acceptance::WORDS.iter().find(|(word, _)| *word == item.value) else {
            complete = false;
            let known = Acceptance::WORDS.iter().map(|(word, _)| *word);
            let hint = match nearest(&item.value, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "{} can be accepted: {}",
                    counted(known.len(), "thing"),
                    known.collect::<Vec<_>>().join(", ")
                ),
            };
            let message = format!(
                "there is nothing to accept that is called `{}`",
                printable(&item.value)
            );
            problems.push(Diagnostic::error("IEC0701", message).at(&item.place).hint(hint));
            continue;
        };
        if let Some(first) = accepted.insert(*acceptance, item) {
            complete = false;
            problems.push(
                Diagnostic::error("IEC0702", format!("`{acceptance}` is accepted twice"))
                    .at(&item.place)
                    .label(&first.place, "the first one")
                    .hint("remove one of the two"),
            );
        }
    }
    complete.then(|| accepted.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_kubernetes() {
        for amount in ["0", "100m", "1.5", "256Mi", "1Gi", "10k"] {
            assert!(is_quantity(amount), "{amount}");
        }
        for text in ["", "Mi", "-1", "1 Gi", "1GB", "1.", ".5", "1e3x", "5%", "1..2"] {
            assert!(!is_quantity(text), "{text}");
        }
        assert!(is_percentage("5%") && is_percentage("0.5%"));
        assert!(
            !is_percentage("100%") && !is_percentage("%") && !is_percentage("-5%") && !is_percentage("5")
        );
    }
}
