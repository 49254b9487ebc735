//! Rules about access, kubelets, and what a site accepts.

use std::collections::{BTreeMap, BTreeSet};

use super::{PORTS, counted, host, line, number, optional, printable, required};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::nearest::nearest;
use crate::quantity::Quantity;
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
        (
            EvictionSignal::MemoryAvailable,
            &given.memory_available,
            Unit::Bytes,
        ),
        (
            EvictionSignal::NodefsAvailable,
            &given.nodefs_available,
            Unit::Bytes,
        ),
        (
            EvictionSignal::NodefsInodesFree,
            &given.nodefs_inodes_free,
            Unit::Pieces,
        ),
        (
            EvictionSignal::ImagefsAvailable,
            &given.imagefs_available,
            Unit::Bytes,
        ),
        (EvictionSignal::PidAvailable, &given.pid_available, Unit::Pieces),
    ];
    amounts(fields, EvictionSignal::as_str, Purpose::Threshold, problems)
}

fn reserved(
    given: &SystemReservedSpec,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<ReservedResource, String>> {
    let fields = [
        (ReservedResource::Cpu, &given.cpu, Unit::Processors),
        (ReservedResource::Memory, &given.memory, Unit::Bytes),
        (
            ReservedResource::EphemeralStorage,
            &given.ephemeral_storage,
            Unit::Bytes,
        ),
        (ReservedResource::Pid, &given.pid, Unit::Pieces),
    ];
    amounts(fields, ReservedResource::as_str, Purpose::Reserve, problems)
}

/// What an amount counts.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Processors,
    Bytes,
    Pieces,
}

/// What an amount is for.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    /// Below it the kubelet acts; a percentage is one too.
    Threshold,
    /// It is kept from pods.
    Reserve,
}

fn amounts<K: Ord + Copy, const N: usize>(
    fields: [(K, &Field<String>, Unit); N],
    called: impl Fn(K) -> &'static str,
    purpose: Purpose,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<K, String>> {
    let mut values = BTreeMap::new();
    let mut complete = true;
    for (key, field, unit) in fields {
        let Some(given) = field.given() else {
            complete &= field.is_absent();
            continue;
        };
        match wrong_amount(&given.value, unit, purpose) {
            None => {
                values.insert(key, given.value.clone());
            }
            Some((code, cause, hint)) => {
                complete = false;
                let message = format!("`{}` {cause}: `{}`", called(key), printable(&given.value));
                problems.push(Diagnostic::error(code, message).at(&given.place).hint(hint));
            }
        }
    }
    complete.then_some(values)
}

/// Why the kubelet would refuse the amount or make nothing sensible of it: a code, the cause, and what to do.
fn wrong_amount(
    text: &str,
    unit: Unit,
    purpose: Purpose,
) -> Option<(&'static str, &'static str, &'static str)> {
    if purpose == Purpose::Threshold && text.ends_with('%') {
        return (!is_percentage(text)).then_some((
            "IEC0704",
            "is no percentage below 100",
            "write a percentage such as \"5%\", or a number with a unit",
        ));
    }
    let Some(amount) = Quantity::parse(text) else {
        let hint = match (unit, purpose) {
            (Unit::Processors, _) => "write a number of processors such as \"500m\", half of one",
            (Unit::Bytes, Purpose::Threshold) => "write a number with a unit, such as \"500Mi\", or \"5%\"",
            (Unit::Bytes, Purpose::Reserve) => "write a number with a unit, such as \"256Mi\"",
            (Unit::Pieces, _) => "write a number, such as \"1000\"",
        };
        return Some(("IEC0704", "is no amount that Kubernetes reads", hint));
    };
    if amount.is_zero() {
        return (purpose == Purpose::Threshold).then_some((
            "IEC0705",
            "cannot be nothing, the kubelet would not start",
            "write \"0%\" to switch the threshold off, or remove the key for the kubelet's own",
        ));
    }
    let little = match unit {
        Unit::Bytes => amount.units() < LEAST_BYTES,
        Unit::Pieces => amount.thousandths() < 1000,
        Unit::Processors => false,
    };
    little.then_some((
        "IEC0705",
        "is next to nothing",
        "`m` stands for thousandths: write `M` or `Mi` for millions of bytes",
    ))
}

/// Fewer bytes than these are a unit that was forgotten or mistaken.
const LEAST_BYTES: u64 = 1 << 20;

/// Whether the text is a percentage below 100.
fn is_percentage(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_suffix('%')
        .filter(|number| match number.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(number),
        })
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
    fn thresholds_may_be_percentages_and_nothing_may_be_next_to_nothing() {
        let code = |text, unit, purpose| wrong_amount(text, unit, purpose).map(|(code, ..)| code);
        for text in ["5%", "0.5%", "0%", "100Mi", "1e9", "1048576"] {
            assert_eq!(code(text, Unit::Bytes, Purpose::Threshold), None, "{text}");
        }
        for text in ["100%", "%", "-5%", "1e1%", "5 %", "100MB", "-1Gi"] {
            assert_eq!(
                code(text, Unit::Bytes, Purpose::Threshold),
                Some("IEC0704"),
                "{text}"
            );
        }
        for text in ["0", "0Mi", "100m", "512", "1k"] {
            assert_eq!(
                code(text, Unit::Bytes, Purpose::Threshold),
                Some("IEC0705"),
                "{text}"
            );
        }
        assert_eq!(code("5%", Unit::Bytes, Purpose::Reserve), Some("IEC0704"));
        assert_eq!(code("256m", Unit::Bytes, Purpose::Reserve), Some("IEC0705"));
        assert_eq!(code("0", Unit::Bytes, Purpose::Reserve), None);
        assert_eq!(code("100m", Unit::Processors, Purpose::Reserve), None);
        assert_eq!(code("500m", Unit::Pieces, Purpose::Reserve), Some("IEC0705"));
    }
}
