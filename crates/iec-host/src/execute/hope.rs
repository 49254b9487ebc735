//! Whether there is still a control plane to wait for.

use std::sync::atomic::{AtomicUsize, Ordering};

use iec_core::plan::HostPart;
use iec_core::site::Role;
use tokio_util::sync::CancellationToken;

use super::HostResult;

/// Goes when every control plane of a run has given up.
#[derive(Debug)]
pub(super) struct Hope {
    control_planes: AtomicUsize,
    /// Cancelled when nobody is left to wait for.
    pub(super) gone: CancellationToken,
}

impl Hope {
    /// There is hope as long as one of the control planes among these parts has not given up.
    pub(super) fn of(parts: &[&HostPart]) -> Self {
        let control_planes = parts
            .iter()
            .filter(|part| part.role == Role::ControlPlane)
            .count();
        Self {
            control_planes: AtomicUsize::new(control_planes),
            gone: CancellationToken::new(),
        }
    }

    /// Notes how a host has ended.
    pub(super) fn note(&self, role: Role, result: &HostResult) {
        let gives_up = role == Role::ControlPlane && !matches!(result, HostResult::Done);
        // A part of workers alone waits for a cluster that is there already.
        if gives_up && self.control_planes.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.gone.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hope(control_planes: usize) -> Hope {
        Hope {
            control_planes: AtomicUsize::new(control_planes),
            gone: CancellationToken::new(),
        }
    }

    #[test]
    fn the_last_control_plane_that_gives_up_takes_hope_away() {
        let stopped = HostResult::Stopped { before: None };
        let hope = hope(3);
        hope.note(Role::ControlPlane, &stopped);
        hope.note(Role::Worker, &stopped);
        hope.note(Role::ControlPlane, &HostResult::Done);
        hope.note(Role::ControlPlane, &stopped);
        assert!(!hope.gone.is_cancelled());
        let hope = self::hope(1);
        hope.note(Role::ControlPlane, &stopped);
        assert!(hope.gone.is_cancelled());
    }
}
