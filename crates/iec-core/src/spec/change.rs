//! What becomes of a site that runs when a key of its file changes.

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// The next `iec apply` brings it about on the hosts that run.
    Applied,
    /// It is what the site was installed with; another value is refused.
    Fixed,
    /// A host keeps what it joined with: it leaves and joins again.
    Joining,
    /// IEC itself goes by it from its next run on; nothing on a host follows from it.
    NextRun,
    /// Only `iec render` reads it.
    Rendered,
}

impl OnChange {
    /// In a few words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Fixed => "refused",
            Self::Joining => "leave and join",
            Self::NextRun => "next run",
            Self::Rendered => "rendered",
        }
    }

    /// What the words mean, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Applied => {
                "the next `iec apply` brings it about on the hosts that run; a key that goes takes back what it made"
            }
            Self::Fixed => {
                "the site was installed with it; another value is refused before anything is touched, with the one that runs"
            }
            Self::Joining => {
                "the host keeps what it joined with; take it out by `state: absent`, apply, and let it join again"
            }
            Self::NextRun => "IEC goes by it from its next run on; nothing on a host follows from it",
            Self::Rendered => "only `iec render` reads it",
        }
    }

    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Applied,
        Self::Fixed,
        Self::Joining,
        Self::NextRun,
        Self::Rendered,
    ];
}

/// Keys by their way, as `spec.hosts[].labels`; a key inside of one of them changes as that one does.
const KEYS: &[(&str, OnChange)] = &[
    ("apiVersion", OnChange::NextRun),
    ("kind", OnChange::NextRun),
    ("metadata", OnChange::Fixed),
    ("spec.release", OnChange::Fixed),
    ("spec.content", OnChange::NextRun),
    ("spec.access", OnChange::NextRun),
    ("spec.hosts", OnChange::Applied),
    ("spec.hosts[].name", OnChange::Joining),
    ("spec.hosts[].address", OnChange::NextRun),
    ("spec.hosts[].nodeAddress", OnChange::Joining),
    ("spec.hosts[].role", OnChange::Joining),
    ("spec.hosts[].hostKey", OnChange::NextRun),
    ("spec.hosts[].user", OnChange::NextRun),
    ("spec.hosts[].port", OnChange::NextRun),
    ("spec.hosts[].assume", OnChange::NextRun),
    ("spec.hosts[].hardware", OnChange::Rendered),
    ("spec.controlPlane", OnChange::Applied),
    ("spec.controlPlane.endpoint", OnChange::Fixed),
    ("spec.network", OnChange::Applied),
    ("spec.network.pods", OnChange::Fixed),
    ("spec.network.services", OnChange::Fixed),
    ("spec.network.cni.calico.datastore", OnChange::Fixed),
    ("spec.network.cni.calico.blockSize", OnChange::Fixed),
    ("spec.runtime", OnChange::NextRun),
    ("spec.kubelet", OnChange::Applied),
    ("spec.helm", OnChange::Applied),
    ("spec.facility", OnChange::Rendered),
    ("spec.accept", OnChange::NextRun),
];

/// When a changed value of the key at this way takes effect; none where nobody has said so yet.
#[must_use]
pub fn on_change(way: &str) -> Option<OnChange> {
    let is_within = |above: &str| {
        way.strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    KEYS.iter()
        .filter(|(above, _)| is_within(above))
        .max_by_key(|(above, _)| above.len())
        .map(|(_, change)| *change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::FIXED_KEYS;

    #[test]
    fn the_nearest_key_above_decides() {
        assert_eq!(on_change("spec.network.cni.calico.mtu"), Some(OnChange::Applied));
        assert_eq!(on_change("spec.network.podsize"), Some(OnChange::Applied));
        assert_eq!(on_change("spec.hosts[].assume.cpus"), Some(OnChange::NextRun));
        assert_eq!(on_change("spec.unheard"), None);
    }

    #[test]
    fn what_the_plan_refuses_is_called_so() {
        for key in FIXED_KEYS {
            assert_eq!(on_change(&format!("spec.{key}")), Some(OnChange::Fixed), "{key}");
        }
    }
}
