//! Whether those are still at work for whom other hosts wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use iec_core::plan::HostPart;
use iec_core::site::Role;
use tokio_util::sync::CancellationToken;

use super::HostResult;

/// The hosts of a run for whom others wait: the control plane that makes the cluster, or where the run is without it, every
/// control plane.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Whether only the one counts that does what is done once for the cluster.
    first_only: bool,
    /// How many of them have not given up.
    at_work: AtomicUsize,
    /// Cancelled when nobody is left to wait for.
    pub(super) gone: CancellationToken,
}

impl Awaited {
    /// All of them among these parts.
    pub(super) fn among(parts: &[&HostPart]) -> Self {
        let first_only = parts.iter().any(|part| part.does_what_is_done_once());
        let is_awaited = |part: &&&HostPart| is_awaited(part, first_only);
        Self {
            first_only,
            at_work: AtomicUsize::new(parts.iter().filter(is_awaited).count()),
            gone: CancellationToken::new(),
        }
    }

    /// Notes how a host has ended.
    pub(super) fn note(&self, part: &HostPart, result: &HostResult) {
        let gives_up = is_awaited(part, self.first_only) && !matches!(result, HostResult::Done);
        // A part of workers alone waits for a cluster that is there already.
        if gives_up && self.at_work.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.gone.cancel();
        }
    }
}

fn is_awaited(part: &HostPart, first_only: bool) -> bool {
    if first_only {
        part.does_what_is_done_once()
    } else {
        part.role == Role::ControlPlane
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use iec_core::name::HostName;
    use iec_core::pace::Pace;
    use iec_core::plan::{Op, Phase, Step, StepId};

    use super::*;

    fn part(name: &str, role: Role, step: &str) -> HostPart {
        let host = HostName::new(name).expect("a name");
        HostPart {
            steps: vec![Step {
                id: StepId::from_record(step),
                phase: Phase::ControlPlane,
                host: host.clone(),
                title: String::new(),
                why: String::new(),
                op: Op::Forget,
                pace: Pace::ORDINARY,
                estimate_seconds: 0,
            }],
            host,
            role,
            blobs: vec![],
            secrets: BTreeMap::new(),
            assumed: vec![],
            whole: true,
        }
    }

    const STOPPED: HostResult = HostResult::Stopped { before: None };

    #[test]
    fn nobody_waits_for_what_the_first_control_plane_will_not_do() {
        let first = part("edge-1", Role::ControlPlane, "control-plane.upload-config");
        let other = part("edge-2", Role::ControlPlane, "control-plane.etcd");
        let worker = part("edge-3", Role::Worker, "join.wait");
        let awaited = Awaited::among(&[&first, &other, &worker]);
        awaited.note(&other, &STOPPED);
        awaited.note(&worker, &STOPPED);
        assert!(!awaited.gone.is_cancelled());
        awaited.note(&first, &STOPPED);
        assert!(awaited.gone.is_cancelled());
    }

    #[test]
    fn without_it_the_last_control_plane_that_gives_up_ends_the_wait() {
        let others = [
            part("edge-2", Role::ControlPlane, "control-plane.etcd"),
            part("edge-3", Role::ControlPlane, "control-plane.etcd"),
        ];
        let awaited = Awaited::among(&[&others[0], &others[1]]);
        awaited.note(&others[0], &HostResult::Done);
        awaited.note(&others[1], &STOPPED);
        assert!(!awaited.gone.is_cancelled());
        let awaited = Awaited::among(&[&others[0]]);
        awaited.note(&others[0], &STOPPED);
        assert!(awaited.gone.is_cancelled());
    }
}
