//! The method by script: walked through by `site.sh`, and every host's own script at once with nobody there.

use std::path::Path;
use std::thread;

use anyhow::{Context as _, anyhow, ensure};

use super::install::rendered;
use crate::e2e::lab::{Host, Lab};
use crate::e2e::machine::Machine;
use crate::program::Program;

/// Where the files for a host are put, as on a medium that somebody has brought.
const MEDIUM: &str = "/media/iec";

/// `site.sh install`, then `site.sh verify`, over plain ssh.
pub(super) fn walked_through(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "script")?;
    for verb in ["install", "verify"] {
        let log = machine.logs.join(format!("site-{verb}.log"));
        let words = ["site.sh", verb];
        let ended = Program::new(&folder, "sh", words, &machine.interrupt).logged(&log)?;
        ensure!(
            ended.succeeded(),
            "site.sh {verb} did not end well, see {}",
            log.display()
        );
    }
    Ok(())
}

/// Each host gets its own files and starts its script at the same moment as the others; no operator has a part in it.
pub(super) fn alone(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "script")?;
    for host in &lab.hosts {
        bring(lab, host, &folder)?;
    }
    let install = |host: &Host| lab.run(host, &format!("sh {MEDIUM}/install-{}.sh", host.name), "");
    let ended: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = lab
            .hosts
            .iter()
            .map(|host| scope.spawn(move || (host, install(host))))
            .collect();
        running.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    for result in ended {
        let (host, printed) = result.map_err(|_| anyhow!("a thread panicked"))?;
        let printed = printed.with_context(|| format!("the script of {}", host.name))?;
        std::fs::write(machine.logs.join(format!("{}-install.log", host.name)), printed)?;
        lab.run(host, &format!("rm -rf {MEDIUM}"), "")?;
    }
    Ok(())
}

/// Brings the blobs, the host's own script and its own secrets.
fn bring(lab: &Lab, host: &Host, folder: &Path) -> anyhow::Result<()> {
    lab.run(host, &format!("install -d -m 0700 -o edge {MEDIUM}"), "")?;
    let files = [
        folder.join("blobs"),
        folder.join(format!("install-{}.sh", host.name)),
        folder.join(format!("secrets-{}", host.name)),
    ];
    lab.scp(host, &files.each_ref().map(|file| file.as_path()), MEDIUM)
}
