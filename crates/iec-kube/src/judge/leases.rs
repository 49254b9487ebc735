//! Judging whether somebody is at work: of components that every control plane has, one holds a lease and renews it.

use iec_core::check;
use iec_core::report::{Row, Scope};
use k8s_openapi::api::coordination::v1::Lease;

use crate::expected::Expected;

/// The components of which one is at work.
const COMPONENTS: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];
/// Seconds after which a lease that is not renewed is anybody's: kubeadm leaves the 15 seconds of the components' default, and
/// a component may just take it over.
const LATE: i64 = 40;

/// The row about all of them. Renewals are compared with the newest of any lease: the clock of whoever looks may differ.
#[must_use]
pub fn judge_leases(expected: &Expected, leases: &[Lease]) -> Row {
    let newest = leases.iter().filter_map(renewed).max();
    let mut troubles = Vec::new();
    let mut holders = Vec::new();
    for component in COMPONENTS {
        let lease = leases
            .iter()
            .find(|lease| lease.metadata.name.as_deref() == Some(component));
        let holder = lease.and_then(|lease| lease.spec.as_ref()?.holder_identity.as_deref());
        // The name of its host, and something by which two of them on one host differ.
        let holder = holder.map(|holder| holder.rsplit_once('_').map_or(holder, |(host, _)| host));
        let Some(holder) = holder.filter(|holder| !holder.is_empty()) else {
            troubles.push(format!("no {component} is at work"));
            continue;
        };
        if !expected.control_planes().any(|node| node.name == holder) {
            troubles.push(format!(
                "the {component} of {holder} is at work, which is no control plane of the site"
            ));
        }
        let late = newest
            .zip(lease.and_then(renewed))
            .map(|(newest, own)| newest - own);
        if let Some(seconds) = late.filter(|&seconds| seconds > LATE) {
            troubles.push(format!(
                "the {component} of {holder} has not renewed its lease for {seconds} s"
            ));
        }
        holders.push(format!("{component} on {holder}"));
    }
    if troubles.is_empty() {
        let mut row = check::CONTROLLER_LEASES.passed(Scope::Cluster);
        row.note = Some(holders.join(", "));
        return row;
    }
    check::CONTROLLER_LEASES.failed(
        Scope::Cluster,
        "one of each at work, on a control plane",
        troubles.join("; "),
        vec![],
    )
}

/// When a lease was renewed last, in seconds.
fn renewed(lease: &Lease) -> Option<i64> {
    let time = lease.spec.as_ref()?.renew_time.as_ref()?;
    Some(time.0.as_second())
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;
    use crate::testing::expected;

    fn lease(name: &str, holder: &str, renewed: &str) -> Lease {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": name },
            "spec": { "holderIdentity": holder, "renewTime": renewed },
        }))
        .unwrap()
    }

    fn found(leases: &[Lease]) -> String {
        match judge_leases(&expected(), leases).outcome {
            Outcome::Passed => String::new(),
            Outcome::Failed(failure) => failure.found,
            other => panic!("{other:?}"),
        }
    }

    const NOW: &str = "2026-11-30T10:01:00.000000Z";
    const BEFORE: &str = "2026-11-30T10:00:00.000000Z";

    #[test]
    fn one_of_each_is_at_work_on_a_control_plane() {
        let manager = lease("kube-controller-manager", "edge-1_a1b2", NOW);
        let scheduler = lease("kube-scheduler", "edge-1_c3d4", NOW);
        let row = judge_leases(&expected(), &[manager.clone(), scheduler.clone()]);
        assert_eq!(row.outcome, Outcome::Passed);
        assert_eq!(
            row.note.as_deref(),
            Some("kube-controller-manager on edge-1, kube-scheduler on edge-1")
        );
        assert_eq!(
            found(std::slice::from_ref(&manager)),
            "no kube-scheduler is at work"
        );
        let nobody = lease("kube-scheduler", "", NOW);
        assert_eq!(found(&[manager.clone(), nobody]), "no kube-scheduler is at work");
        let stranger = lease("kube-scheduler", "edge-9_c3d4", NOW);
        assert!(found(&[manager.clone(), stranger]).contains("no control plane of the site"));
        let late = lease("kube-scheduler", "edge-1_c3d4", BEFORE);
        assert_eq!(
            found(&[manager, late]),
            "the kube-scheduler of edge-1 has not renewed its lease for 60 s"
        );
    }
}
