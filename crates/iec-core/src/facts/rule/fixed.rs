//! Rules about what is fixed at installation: a change of it would be written down and reach nothing that runs.

use super::Subject;
use crate::diagnostic::Diagnostics;
use crate::plan::fixed;

/// A value that the running cluster has and the site file no longer.
pub(super) fn fixed_at_installation(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let cluster = &subject.facts.cluster;
    if cluster.is_assumed() || !subject.is_known() {
        return;
    }
    for (key, wanted) in fixed::values(subject.site) {
        let Some((runs, place)) = running(subject, key) else {
            continue;
        };
        if runs == wanted {
            continue;
        }
        let name = subject.name();
        problems.push(
            subject
                .error(
                    "IEC1874",
                    format!("`{key}` is {wanted} in the site file, and {name} was installed with {runs}"),
                )
                .evidence(format!("{place} on {name}: {runs}"))
                .hint(format!(
                    "write `{runs}` again: it is fixed at installation; only `iec reset` with the old file and a new `iec apply` change it"
                )),
        );
    }
}

/// The value that a key has on the host, and where that was read: from what runs, where it says so.
fn running<'a>(subject: &'a Subject<'_>, key: &str) -> Option<(&'a str, &'static str)> {
    let cluster = &subject.facts.cluster;
    let of_component = match key {
        "network.pods" => cluster
            .pod_range
            .as_deref()
            .map(|range| (range, "/etc/kubernetes/manifests/kube-controller-manager.yaml")),
        "network.services" => cluster
            .service_range
            .as_deref()
            .map(|range| (range, "/etc/kubernetes/manifests/kube-apiserver.yaml")),
        _ => None,
    };
    let recorded = || {
        let line = cluster.installed_with.iter().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            (name == key).then_some(value)
        });
        line.map(|value| (value, fixed::FILE))
    };
    of_component.or_else(recorded)
}
