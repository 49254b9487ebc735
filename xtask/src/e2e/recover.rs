//! Most control planes are lost for good: the cluster starts again from one that is left, and takes others in anew.

use std::time::Duration;

use anyhow::ensure;
use serde::Deserialize;

use super::cut::{self, Happening, Moment};
use super::lab::{Host, Lab};
use super::machine::{Machine, answer};
use super::machines::well;
use super::main_job::{apply, inventories, pending};
use super::refusals::Refusal;
use super::site_file::{ABSENT, GIVEN_UP, SiteFile};
use super::steps::Steps;
use super::three_control_planes::{bare_again, voters, watch};

/// How long a site may take to be well by itself after all of its hosts have started.
const PATIENCE: Duration = Duration::from_secs(420);
/// Something that the cluster knew before.
const REMEMBER: &str = "kubectl --kubeconfig /etc/kubernetes/admin.conf create configmap before-the-loss --from-literal=known=yes";
/// And still knows.
const REMEMBERED: &str = "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=20s get configmap \
                          before-the-loss -o 'jsonpath={.data.known}'";

/// The end of `iec recover`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recovered {
    from: String,
    set_aside: Vec<String>,
    lost: Vec<String>,
}

/// Two of three are lost. What is left loses its power in the middle of the recovery. The lost ones come back with their data.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn three(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, "e2e-recover", 3, &["--control-planes", "3"])
    })?;
    let site = lab.site();
    let file = SiteFile::of(&lab)?;
    let left = lab.host("edge-2")?;
    let verify = |log: &str| machine.iec_done(log, &["verify", site, "-o", "json"]);
    let before = steps.run("what the hosts are is noted", || inventories(&lab))?;
    steps.run("apply", || apply(machine, "apply", site, true))?;
    steps.run("a cluster that is well is not recovered", || {
        let refusal = Refusal {
            exit: 1,
            code: "IEC4060",
            says: &["follows a leader"],
        };
        let ended = machine.iec("recover-well", &["recover", site, "--yes", "-o", "json"])?;
        refusal.is_met_by(&ended, &[])
    })?;
    lab.run(left, REMEMBER, "")?;
    steps.run("two of three lose their power for good", || {
        lose(&lab, &["edge-1", "edge-3"])
    })?;
    steps.run("nobody is there to be asked, and nothing is done", || {
        let refusal = Refusal {
            exit: 1,
            code: "IEC0905",
            says: &["--yes", "edge-1 and edge-3"],
        };
        let ended = machine.iec("recover-unasked", &["recover", site, "-o", "json"])?;
        refusal.is_met_by(&ended, &[])
    })?;
    steps.run("the third loses its power while its etcd starts alone", || {
        let moment = Moment {
            host: left.name.clone(),
            step: "control-plane.recovery-start-alone".to_owned(),
        };
        let words = ["recover", site, "--yes", "-o", "json"];
        let ended = cut::run(&lab, machine, "recover-cut", &words, &[(moment, Happening::End)])?;
        ensure!(ended.is_none(), "it ended by itself");
        Ok(())
    })?;
    steps.run("the recovery goes on", || {
        recovered(machine, &lab, ("edge-2", &[], &["edge-1", "edge-3"]))
    })?;
    steps.run("what the cluster knew is known", || remembered(&lab, left))?;
    steps.run("etcd has one voter", || voters(&lab, left, &["edge-2"]))?;
    file.write(&[("edge-1", Some(GIVEN_UP)), ("edge-3", Some(GIVEN_UP))])?;
    steps.run("apply without the lost ones", || {
        apply(machine, "apply-without", site, true)
    })?;
    steps.run("verify with one", || verify("verify-one"))?;

    file.write(&[("edge-1", Some(ABSENT)), ("edge-3", Some(ABSENT))])?;
    steps.run(
        "the lost ones come back with their old data, and become bare",
        || {
            lab.power_on(lab.host("edge-1")?)?;
            lab.power_on(lab.host("edge-3")?)?;
            apply(machine, "apply-bare", site, true)?;
            bare_again(&lab, machine, &before, 0..1)?;
            bare_again(&lab, machine, &before, 2..3)
        },
    )?;
    file.write(&[])?;
    steps.run("they join anew", || apply(machine, "apply-anew", site, true))?;
    steps.run("verify with three", || verify("verify-three"))?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-after", site, Some(0))
    })?;
    steps.run("reset", || {
        machine.iec_done("reset", &["reset", site, "--yes", "-o", "json"])
    })?;
    steps.run("all are as they were", || {
        bare_again(&lab, machine, &before, 0..3)
    })
}

/// Five, of which two are lost and nobody else misses them; then a third. A new host takes the place of the three.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn five(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, "e2e-five-control-planes", 6, &["--control-planes", "5"])
    })?;
    let site = lab.site();
    let file = SiteFile::of(&lab)?;
    file.write(&[("edge-6", None)])?;
    let left = lab.host("edge-4")?;
    let verify = |log: &str| machine.iec_done(log, &["verify", site, "-o", "json"]);
    steps.run("apply, all five at once", || apply(machine, "apply", site, true))?;
    steps.run("verify", || verify("verify"))?;
    steps.run("a second apply changes nothing", || {
        apply(machine, "apply-again", site, false)
    })?;
    lab.run(left, REMEMBER, "")?;
    steps.run(
        "two of five lose their power, and nobody else misses them",
        || {
            lose(&lab, &["edge-1", "edge-2"])?;
            watch(&lab, left, &["edge-1", "edge-2"])
        },
    )?;
    steps.run("a third loses its power for good", || lose(&lab, &["edge-3"]))?;
    steps.run(
        "the cluster starts again from one of the two that are left",
        || {
            recovered(
                machine,
                &lab,
                ("", &["edge-4", "edge-5"], &["edge-1", "edge-2", "edge-3"]),
            )
        },
    )?;
    let given_up = ["edge-1", "edge-2", "edge-3"].map(|name| (name, Some(GIVEN_UP)));
    file.write(&given_up)?;
    file.role("edge-6", "control-plane")?;
    steps.run("a new host takes the place of the lost ones", || {
        apply(machine, "apply-replaced", site, true)
    })?;
    steps.run("what the cluster knew is known", || remembered(&lab, left))?;
    steps.run("etcd has three voters", || {
        voters(&lab, left, &["edge-4", "edge-5", "edge-6"])
    })?;
    steps.run("verify with three", || {
        well(machine, "verify-three", site, PATIENCE)
    })?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan-after", site, Some(0))
    })
}

fn lose(lab: &Lab, names: &[&str]) -> anyhow::Result<()> {
    names.iter().try_for_each(|name| lab.power_off(lab.host(name)?))
}

fn remembered(lab: &Lab, host: &Host) -> anyhow::Result<()> {
    let known = lab.run(host, REMEMBERED, "")?;
    ensure!(known == "yes", "it says {known:?}");
    Ok(())
}

/// Recovers, and compares from whom, whose data was set aside, and who is lost. Where no host is named, it starts from one of
/// the others, and sets the data of the rest of them aside.
fn recovered(
    machine: &Machine,
    lab: &Lab,
    (from, others, lost): (&str, &[&str], &[&str]),
) -> anyhow::Result<()> {
    let words = ["recover", lab.site(), "--yes", "-o", "json"];
    let ended = machine.iec("recover", &words)?;
    // The lost hosts do not answer: the command says so in its end.
    ensure!(
        ended.code == Some(4),
        "{}",
        machine.failure("recover", &words, &ended)
    );
    let recovered: Recovered = answer("recover", &ended.stdout)?;
    let mut all = recovered.set_aside.clone();
    all.push(recovered.from.clone());
    all.sort();
    let right = if from.is_empty() {
        all == others
    } else {
        recovered.from == from && recovered.set_aside == others
    };
    ensure!(right && recovered.lost == lost, "it recovered {recovered:?}");
    Ok(())
}
