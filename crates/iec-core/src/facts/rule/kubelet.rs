//! Rules about what a site asks of kubelets, compared with what the hosts have.

use super::{Subject, size};
use crate::diagnostic::Diagnostics;
use crate::quantity::Quantity;
use crate::site::{EvictionSignal, Kubelet, ReservedResource};

/// What a host has of a resource, and what the site keeps of it.
struct Share {
    /// The keys of the site file that ask for it.
    keys: Vec<&'static str>,
    kept: u64,
    had: u64,
    shown: fn(u64) -> String,
}

/// Whether something is left for pods once the kubelet has kept what the site tells it to keep.
pub(super) fn reserved(subject: &Subject<'_>, problems: &mut Diagnostics) {
    for share in shares(subject) {
        if share.kept < share.had || share.keys.is_empty() {
            continue;
        }
        problems.push(
            subject
                .error(
                    "IEC1809",
                    format!("the kubelet of {} would leave nothing for pods", subject.name()),
                )
                .evidence(format!(
                    "`{}` of the site: {}, {} has {}",
                    share.keys.join("` and `"),
                    (share.shown)(share.kept),
                    subject.name(),
                    (share.shown)(share.had)
                ))
                .hint("ask for less under `kubelet`, or give the host more"),
        );
    }
}

fn shares(subject: &Subject<'_>) -> Vec<Share> {
    let kubelet = subject.site.kubelet();
    let mut shares = Vec::new();
    let capacity = &subject.facts.capacity;
    if !capacity.is_assumed() {
        let reserved = kubelet.system_reserved().get(&ReservedResource::Cpu);
        if let Some(reserved) = reserved.and_then(|text| Quantity::parse(text)) {
            shares.push(Share {
                keys: vec![ReservedResource::Cpu.as_str()],
                kept: reserved.thousandths(),
                had: u64::from(capacity.cpus) * 1000,
                shown: |thousandths| format!("{thousandths}m of processors"),
            });
        }
        let (keys, kept) = kept(
            kubelet,
            Some(ReservedResource::Memory),
            Some(EvictionSignal::MemoryAvailable),
            capacity.memory_total,
        );
        shares.push(Share {
            keys,
            kept,
            had: capacity.memory_total,
            shown: size,
        });
    }
    let storage = &subject.facts.storage;
    let places = [
        (
            "/var/lib/kubelet",
            Some(ReservedResource::EphemeralStorage),
            EvictionSignal::NodefsAvailable,
        ),
        ("/var/lib/containerd", None, EvictionSignal::ImagefsAvailable),
    ];
    for (path, reserve, signal) in places {
        if let Some(place) = storage.place(path).filter(|_| !storage.is_assumed()) {
            let (keys, kept) = kept(kubelet, reserve, Some(signal), place.total);
            shares.push(Share {
                keys,
                kept,
                had: place.total,
                shown: size,
            });
        }
    }
    shares
}

/// What a site keeps of a resource of which a host has `had`, and the keys by which it does.
fn kept(
    kubelet: &Kubelet,
    reserve: Option<ReservedResource>,
    threshold: Option<EvictionSignal>,
    had: u64,
) -> (Vec<&'static str>, u64) {
    let mut keys = Vec::new();
    let mut sum = 0_u64;
    let reserved = reserve.and_then(|key| Some((key.as_str(), kubelet.system_reserved().get(&key)?)));
    let threshold = threshold.and_then(|key| Some((key.as_str(), kubelet.eviction_hard().get(&key)?)));
    for (key, text) in reserved.into_iter().chain(threshold) {
        let amount = match text.strip_suffix('%') {
            // A percentage below 100 leaves something by itself; thousandths are fine enough for the sum.
            Some(percentage) => Quantity::parse(percentage)
                .map(|percentage| had / 100_000 * percentage.thousandths().min(100_000)),
            None => Quantity::parse(text).map(Quantity::units),
        };
        keys.push(key);
        sum = sum.saturating_add(amount.unwrap_or_default());
    }
    (keys, sum)
}
