//! Three control planes of which two lose their power while they join: one before its etcd votes, and the first one, which the
//! others ask.

use super::cut::{self, Happening, Moment};
use super::lab::Lab;
use super::machine::Machine;
use super::main_job::pending;
use super::steps::Steps;
use super::three_control_planes::voters;

/// All of it.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, "e2e-join-cuts", 3, &["--control-planes", "3"])
    })?;
    let first = lab.host("edge-1")?;
    let joins = |step: &str| Moment {
        host: "edge-2".to_owned(),
        step: step.to_owned(),
    };
    let first_dies = || {
        lab.power_off(first)?;
        lab.power_on(first)
    };
    steps.run(
        "apply, with a member cut off as it joins, and then the first one",
        || {
            let happenings = [
                (joins("control-plane.etcd"), Happening::Blackout),
                (
                    joins("control-plane.kube-apiserver"),
                    Happening::Beside(&first_dies),
                ),
            ];
            let words = ["apply", lab.site(), "-o", "json"];
            let ended = cut::apply(&lab, machine, "apply-cut", &happenings)?;
            // Whether it goes on or gives up is a matter of moments; the next one has to end well.
            if ended.is_none_or(|ended| !ended.succeeded()) {
                machine.iec_done("apply-again", &words)?;
            }
            Ok(())
        },
    )?;
    steps.run("etcd has three voters", || {
        voters(&lab, first, &["edge-1", "edge-2", "edge-3"])
    })?;
    steps.run("verify", || {
        machine.iec_done("verify", &["verify", lab.site(), "-o", "json"])
    })?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan", lab.site(), Some(0))
    })
}
