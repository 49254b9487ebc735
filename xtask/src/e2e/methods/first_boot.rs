//! The methods without a touch: hosts that are switched on with media attached, and install themselves.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::install::rendered;
use crate::e2e::lab::{Host, Lab, Machine};
use crate::e2e::medium::Medium;

/// How long a host may take to start and to install itself, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);
/// Where cloud-init looks for a seed on the host's own disk.
const SEED: &str = "/var/lib/cloud/seed/nocloud";
/// The links that udev makes on a machine; a lab's host has no udev.
const LINKS: &str = "/etc/systemd/system/lab-medium.service";

/// The real cloud-init, on the first boot that it sees.
///
/// Its own three files are on the host's disk, as in an image that was made for a site, because not every kernel has
/// the file systems in which cloud-init looks for them; everything else is on the two media.
pub(super) fn cloud_init(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "cloud-init")?;
    let content = Medium::of(&folder.join("content"), "IEC-CONTENT")?;
    for host in &lab.hosts {
        let own = folder.join(&host.name);
        // One label for all hosts, and all of them see the devices of this machine: one host after the other.
        let medium = Medium::of(&own, "CIDATA")?;
        lab.run(
            host,
            &format!("mkdir -p {SEED} && rm /etc/cloud/cloud-init.disabled"),
            "",
        )?;
        for file in ["user-data", "meta-data", "network-config"] {
            let text = fs::read_to_string(own.join(file))?;
            lab.run(host, &format!("cat >{SEED}/{file}"), &text)?;
        }
        lab.power_off(host)?;
        lab.switch_on(host)?;
        lab.await_started(host, PATIENCE)?;
        keep(
            machine,
            lab,
            host,
            "cat /var/log/cloud-init-output.log /var/log/cloud-init.log",
        )?;
        let said = lab.run(
            host,
            "cloud-init status --wait >&2; cat /run/cloud-init/result.json",
            "",
        )?;
        let result: Value = serde_json::from_str(&said)?;
        let errors = result["v1"]["errors"]
            .as_array()
            .context("cloud-init has a result")?;
        ensure!(
            errors.is_empty(),
            "cloud-init of {} ended with {errors:?}",
            host.name
        );
        drop(medium);
    }
    drop(content);
    Ok(())
}

/// The medium's own unit in the image of the hosts, which finds out which host it is on.
pub(super) fn seed(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "seed")?;
    let medium = Medium::of(&folder, "IEC-SEED")?;
    let links = links(&medium.device, "IEC-SEED");
    let unit = fs::read_to_string(folder.join("iec-seed.service"))?;
    for host in &lab.hosts {
        lab.run(host, &format!("cat >{LINKS}"), &links)?;
        lab.run(host, "cat >/etc/systemd/system/iec-seed.service", &unit)?;
        lab.run(host, "systemctl enable lab-medium.service iec-seed.service", "")?;
        lab.power_off(host)?;
    }
    for host in &lab.hosts {
        lab.switch_on(host)?;
    }
    for host in &lab.hosts {
        lab.await_started(host, PATIENCE)?;
        keep(
            machine,
            lab,
            host,
            "journalctl --unit=iec-seed.service --output=cat --no-pager",
        )?;
        let show = "systemctl show --property=Result,ExecMainStatus,ConditionResult iec-seed.service";
        let said = lab.run(host, show, "")?;
        let as_wanted = ["Result=success", "ExecMainStatus=0", "ConditionResult=yes"];
        ensure!(
            as_wanted
                .iter()
                .all(|line| said.lines().any(|each| each == *line)),
            "the seed of {} ended so: {said}",
            host.name
        );
        let forget = format!("systemctl disable lab-medium.service && rm {LINKS} && systemctl daemon-reload");
        lab.run(host, &forget, "")?;
    }
    Ok(())
}

/// The unit that makes the link by which a medium is found.
fn links(device: &str, label: &str) -> String {
    let folder = Path::new("/dev/disk/by-label");
    format!(
        "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n\n[Service]\nType=oneshot\n\
         ExecStart=/bin/mkdir -p {}\nExecStart=/bin/ln -s {device} {}\n\n[Install]\nWantedBy=sysinit.target\n",
        folder.display(),
        folder.join(label).display()
    )
}

/// Keeps what a host tells of its first boot.
fn keep(machine: &Machine, lab: &Lab, host: &Host, command: &str) -> anyhow::Result<()> {
    let told = lab.run(host, command, "")?;
    fs::write(machine.logs.join(format!("{}-first-boot.log", host.name)), told)?;
    Ok(())
}
