//! Rendered scripts when something goes wrong: on the wrong host, killed halfway, with an expired token, after a reset.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::cut::nothing_twice;
use super::lab::{Host, Lab};
use super::machine::Machine;
use super::main_job::{compare, kept, nothing, pending};
use super::rendering;
use super::secrets::Secrets;
use super::steps::Steps;

/// Where the files for a host are put, as on a medium that somebody has brought.
const MEDIUM: &str = "/media/iec";
/// What opens the secrets. It comes to a script by standard input only, so no host may have it on its disk.
const PASSPHRASE: &str = "plover-quartz-9f27-obelisk-tundra";

/// The kills: while containerd takes images in; inside `init`, when the manifests are written and nothing answers yet;
/// and inside `join`, when the kubelet has the token and has not exchanged it yet.
const IN_CONTENT: &str = "runtime.images";
const IN_INIT: &str = "control-plane.wait";
const IN_JOIN: &str = "join.bootstrap";

/// Other files of the same names and lengths in the place of those of the bundle.
const CHANGE_BLOBS: &str = "cd /media/iec && mv blobs kept && mkdir -p blobs/sha256 && cd kept/sha256 && \
    for file in *; do truncate -s \"$(stat -c %s \"$file\")\" \"../../blobs/sha256/$file\" || exit; done";
/// The files of the bundle again; nothing of the others has stayed on the host.
const PUT_BLOBS_BACK: &str = "rm -r /media/iec/blobs && mv /media/iec/kept /media/iec/blobs && \
    test ! -e /var/lib/iec/journal.jsonl && test -z \"$(find /var/lib/iec/incoming -type f)\"";

const EXPIRE: &str = "kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system delete secrets \
    --field-selector type=bootstrap.kubernetes.io/token";

/// All of it, on a control plane and a worker.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let lab = steps.run("bare hosts are up", || Lab::up(machine, "e2e-script-faults", 2))?;
    let (first, worker) = (lab.host("edge-1")?, lab.host("edge-2")?);
    let old = steps.run("scripts are rendered, with encrypted secrets", || {
        rendered(machine, &lab, "scripts", "copy")
    })?;
    let secrets = Secrets::of_site(&lab.site)?.and(&Secrets::only(PASSPHRASE));
    let watch = secrets.watch();
    steps.run("a script on the wrong host changes nothing", || {
        bring(&lab, first, worker, &old)?;
        unchanged(machine, &lab, first, || {
            install(&lab, first, worker)?.is_refused("IEC1701")
        })
    })?;
    steps.run("a script that is killed twice goes on where it was", || {
        bring(&lab, first, first, &old)?;
        bring_blobs(&lab, first, &old)?;
        killed(&lab, first, IN_CONTENT)?;
        killed(&lab, first, IN_INIT)?;
        install(&lab, first, first)?.is_done()?;
        nothing_twice(&lab, first)
    })?;
    steps.run(
        "a script beside files that somebody has changed uses none",
        || {
            bring(&lab, worker, worker, &old)?;
            bring_blobs(&lab, worker, &old)?;
            lab.run(worker, CHANGE_BLOBS, "")?;
            install(&lab, worker, worker)?.is_refused("IEC2910")?;
            lab.run(worker, PUT_BLOBS_BACK, "").map(drop)
        },
    )?;
    steps.run("a script with an expired token says so", || {
        lab.run(first, EXPIRE, "")?;
        install(&lab, worker, worker)?.is_refused("IEC1708")?;
        lab.run(worker, "test ! -e /var/lib/iec/journal.jsonl", "")
            .map(drop)
    })?;
    let new = steps.run(
        "rendered again, the control plane's script brings a new token",
        || {
            let new = rendered(machine, &lab, "scripts-again", "none")?;
            for host in &lab.hosts {
                bring(&lab, host, host, &new)?;
            }
            install(&lab, first, first)?.is_done()?;
            Ok(new)
        },
    )?;
    steps.run(
        "the worker's script is killed while it joins, and goes on",
        || {
            killed(&lab, worker, IN_JOIN)?;
            install(&lab, worker, worker)?.is_done()?;
            nothing_twice(&lab, worker)
        },
    )?;
    steps.run("verify", || {
        machine.iec_done("verify", &["verify", lab.site(), "-o", "json"])
    })?;
    steps.run("plan says that there is nothing to do", || {
        pending(machine, "plan", lab.site(), Some(0))
    })?;
    let shown = watch.end();
    steps.run("no program showed a secret, and no host keeps one", || {
        nothing("these programs showed a secret", &shown)?;
        for host in &lab.hosts {
            lab.run(host, &format!("rm -r {MEDIUM}"), "")?;
        }
        // A new rendering has brought a new token.
        kept(&secrets.and(&Secrets::of_site(&lab.site)?), &lab)
    })?;
    steps.run("a script whose site was reset changes nothing", || {
        machine.iec_done("reset", &["reset", lab.site(), "--yes", "-o", "json"])?;
        bring(&lab, first, first, &new)?;
        unchanged(machine, &lab, first, || {
            install(&lab, first, first)?.is_refused("IEC1707")
        })
    })
}

/// A folder of this name with the scripts, by what the hosts are now; content is copied into it, or none.
fn rendered(machine: &Machine, lab: &Lab, name: &str, content: &str) -> anyhow::Result<PathBuf> {
    let passphrase = machine.logs.join("passphrase");
    fs::write(&passphrase, "")?;
    fs::set_permissions(&passphrase, Permissions::from_mode(0o600))?;
    fs::write(&passphrase, format!("{PASSPHRASE}\n"))?;
    let passphrase = passphrase
        .to_str()
        .context("the log folder has a name of plain text")?;
    let words = ["--passphrase-file", passphrase, "--content", content];
    rendering::rendered(machine, lab, "script", name, &words)
}

/// Brings the script and the secrets of one host to a host, which may be another one.
fn bring(lab: &Lab, to: &Host, whose: &Host, folder: &Path) -> anyhow::Result<()> {
    lab.run(to, &format!("install -d -m 0700 -o edge {MEDIUM}"), "")?;
    let script = folder.join(format!("install-{}.sh", whose.name));
    let secrets = folder.join(format!("secrets-{}.enc", whose.name));
    lab.scp(to, &[&script, &secrets], MEDIUM)
}

fn bring_blobs(lab: &Lab, host: &Host, folder: &Path) -> anyhow::Result<()> {
    lab.scp(host, &[&folder.join("blobs")], MEDIUM)
}

/// How a script ended.
struct Ended {
    code: String,
    printed: String,
}

impl Ended {
    fn is_done(&self) -> anyhow::Result<()> {
        ensure!(self.code == "0", "it ended with {}: {}", self.code, self.printed);
        Ok(())
    }

    fn is_refused(&self, code: &str) -> anyhow::Result<()> {
        let said = self.printed.contains(&format!("error[{code}]: "));
        ensure!(
            said && self.code == "1",
            "it did not refuse with {code} but ended with {}: {}",
            self.code,
            self.printed
        );
        Ok(())
    }
}

/// Runs the script of one host on a host, which may be another one.
fn install(lab: &Lab, on: &Host, whose: &Host) -> anyhow::Result<Ended> {
    let text = by_ssh(
        lab,
        on,
        &format!("{}; printf \"exit code %s\" $?", command(whose)),
    )?;
    let (printed, code) = text
        .rsplit_once("exit code ")
        .with_context(|| format!("the script did not end: {text:?}"))?;
    Ok(Ended {
        code: code.to_owned(),
        printed: printed.to_owned(),
    })
}

/// Runs lines of shell, which have no single quote, as root and with the passphrase as their input.
fn by_ssh(lab: &Lab, host: &Host, lines: &str) -> anyhow::Result<String> {
    let words = ["sudo", "-n", "sh", "-c", &format!("'{lines}'")];
    lab.ssh(host, &words, &format!("{PASSPHRASE}\n"))
}

fn command(whose: &Host) -> String {
    let name = &whose.name;
    format!("sh {MEDIUM}/install-{name}.sh --events --move --passphrase-file - 2>&1")
}

/// Runs a host's script and kills all of its processes at once when it has begun a step.
fn killed(lab: &Lab, host: &Host, step: &str) -> anyhow::Result<()> {
    // A program in the background has no input unless it comes by another number.
    let start = format!(
        "exec 3<&0
         setsid {} <&3 >{MEDIUM}/events &
         script=$!
         until grep -q \"^iec\tstarted\t{step}\t\" {MEDIUM}/events; do
           kill -0 $script 2>/dev/null || {{ tail -n 5 {MEDIUM}/events >&2; exit 1; }}
           sleep 0.05
         done
         kill -KILL -$script
         wait $script
         [ $? -eq 137 ] || exit 1
         while kill -0 -$script 2>/dev/null; do sleep 0.05; done",
        command(host)
    );
    by_ssh(lab, host, &start)
        .map(drop)
        .with_context(|| format!("killing it in {step}"))
}

/// Fails when a host is not the same after `work`.
fn unchanged(
    machine: &Machine,
    lab: &Lab,
    host: &Host,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let before = lab.inventory(host, "before")?;
    work()?;
    compare(lab, machine, [(host, &before)])
}
