//! The methods without a touch: hosts that are switched on with media attached, and install themselves.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::install::rendered;
use crate::e2e::lab::{Host, Lab, output};
use crate::e2e::machine::Machine;
use crate::e2e::medium::Medium;

/// How long a host may take to start and to install itself, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);
/// Where cloud-init looks for a seed on the host's own disk.
const SEED: &str = "/var/lib/cloud/seed/nocloud";
/// The label of the medium of a site.
const LABEL: &str = "IEC-SEED";
/// The files of the hosts' image for it, and where they belong.
const SEED_FILES: [(&str, &str); 2] = [
    ("iec-seed.sh", "/usr/local/sbin/iec-seed.sh"),
    ("iec-seed.service", "/etc/systemd/system/iec-seed.service"),
];
/// What a forged medium leaves when something of it runs.
const TRACE: &str = "/root/forged";
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

/// The unit of the hosts' image, which knows the media of its site and finds out which host it is on.
pub(super) fn seed(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "seed")?;
    let forged = forged(&folder)?;
    for host in &lab.hosts {
        for (file, place) in SEED_FILES {
            let text = fs::read_to_string(folder.join(file))?;
            lab.run(host, &format!("cat >{place}"), &text)?;
        }
        does_nothing(lab, host, &forged, "IEC3935")?;
    }
    drop(forged);
    let medium = Medium::of(&folder, LABEL)?;
    let links = links(&medium.device, LABEL);
    for host in &lab.hosts {
        lab.run(host, &format!("cat >{LINKS}"), &links)?;
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
        // systemd forgets how a unit ended that has disabled itself: its words stay.
        let ended = "journalctl --unit=iec-seed.service --output=cat --no-pager | \
                     grep -xF 'This host is installed: iec-seed.service is disabled.'";
        lab.run(host, ended, "")?;
        let forget = format!("systemctl disable lab-medium.service && rm {LINKS} && systemctl daemon-reload");
        lab.run(host, &forget, "")?;
        let enabled = lab.run(host, "systemctl is-enabled iec-seed.service || true", "")?;
        ensure!(
            enabled.trim() == "disabled",
            "the unit of {} is {enabled}",
            host.name
        );
    }
    drop(medium);
    let forged = forged_again(&folder)?;
    for host in &lab.hosts {
        does_nothing(lab, host, &forged, "is installed")?;
    }
    Ok(())
}

/// The same medium as somebody else would make it: it leaves a trace when anything of it runs.
fn forged(folder: &Path) -> anyhow::Result<Medium> {
    let copy = folder.with_file_name("seed-forged");
    fs::create_dir(&copy)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), copy.join(entry.file_name()))?;
        }
    }
    fs::write(copy.join("autorun.sh"), format!("touch {TRACE}\n"))?;
    // Whoever changes a file changes the list too; only the signature is not to be had.
    let list = "sha256sum autorun.sh install-*.sh secrets-* >manifest";
    output(Command::new("sh").args(["-c", list]).current_dir(&copy), "")?;
    forged_again(folder)
}

fn forged_again(folder: &Path) -> anyhow::Result<Medium> {
    Medium::of(&folder.with_file_name("seed-forged"), LABEL)
}

/// Attaches a medium to a running host and starts the unit: nothing of the medium may run, and this must be said.
fn does_nothing(lab: &Lab, host: &Host, medium: &Medium, says: &str) -> anyhow::Result<()> {
    let device = &medium.device;
    let start = format!(
        "mkdir -p /dev/disk/by-label && ln -sf {device} /dev/disk/by-label/{LABEL}
         systemctl start iec-seed.service
         rm /dev/disk/by-label/{LABEL}
         journalctl --unit=iec-seed.service --output=cat --no-pager
         test ! -e {TRACE} && echo 'no trace'"
    );
    let said = lab.run(host, &start, "")?;
    ensure!(
        said.contains(says) && said.ends_with("no trace\n"),
        "a foreign medium came to this on {}: {said}",
        host.name
    );
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
