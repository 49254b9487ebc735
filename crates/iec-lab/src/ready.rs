//! Waiting until a host is up: SSH answers with the pinned key and systemd has finished starting.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::LabError;
use crate::places::Folder;
use crate::podman::HostState;
use crate::program::{Input, Invocation, Programs, last_lines};
use crate::record::{Lab, LabHost};
use crate::request::HostKind;
use crate::vm;

/// How long a container may take to come up; generous, because many of them may share two busy processors.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a virtual machine may take, which may be emulated on such processors.
const MACHINE_PATIENCE: Duration = Duration::from_secs(900);

const PAUSE: Duration = Duration::from_millis(100);

/// Between two questions to a virtual machine: each costs an emulated one seconds, and those that come too fast or are
/// given up too soon keep it from ever answering.
const MACHINE_PAUSE: Duration = Duration::from_secs(3);

/// What a host must have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Every unit is well: a bare host.
    Running,
    /// Starting is over, with failed units or without: a host after something was done to it.
    Started,
}

/// Waits until a host is up.
///
/// # Errors
/// [`LabError::NotReady`] with the last answer and the failed units, or the last lines of a console, when the host takes
/// too long, when its virtual machine has ended, and at once when systemd has finished with failed units and the goal is
/// [`Goal::Running`].
pub(crate) fn wait(programs: &Programs<'_>, lab: &Lab, host: &LabHost, goal: Goal) -> Result<(), LabError> {
    let folder = Folder {
        path: lab.folder.clone(),
    };
    let machine = host.kind != HostKind::Container;
    let patience = if machine { MACHINE_PATIENCE } else { PATIENCE };
    let start = Instant::now();
    let mut last = "no answer on port 22".to_owned();
    while start.elapsed() < patience {
        if machine && vm::state(&folder, host)? != HostState::Running {
            last = "its virtual machine has ended".to_owned();
            break;
        }
        if answers(host) {
            let answer = programs.ask("asking the host by SSH", question(lab, host)?)?;
            let state = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
            match (state.as_str(), goal) {
                ("running", _) | ("degraded", Goal::Started) => return Ok(()),
                ("degraded", Goal::Running) => {
                    last = "systemd has failed units".to_owned();
                    break;
                }
                ("", _) => last = answer.evidence(),
                (other, _) => last = format!("systemd is {other}"),
            }
        }
        std::thread::sleep(if machine { MACHINE_PAUSE } else { PAUSE });
    }
    let more = if machine {
        vm::last_words(&folder, host)
    } else {
        failed_units(programs, host)
    };
    let evidence = format!("{last}\n{more}");
    Err(LabError::NotReady {
        host: host.name.clone(),
        waited: start.elapsed(),
        evidence,
    })
}

/// Whether somebody accepts connections: far cheaper than a try with ssh.
fn answers(host: &LabHost) -> bool {
    host.addresses.first().is_some_and(|address| {
        TcpStream::connect_timeout(&SocketAddr::from((*address, 22)), Duration::from_millis(500)).is_ok()
    })
}

fn question(lab: &Lab, host: &LabHost) -> Result<Invocation, LabError> {
    let mut words = lab.ssh_words(&host.name)?;
    // Without sudo there is no answer: a host has no D-Bus, and systemd's own socket is root's.
    words.extend(["sudo", "-n", "systemctl", "is-system-running"].map(str::to_owned));
    let patience = match host.kind {
        HostKind::Container => ["ConnectTimeout=3", "ServerAliveInterval=3"],
        HostKind::VirtualMachine(_) => ["ConnectTimeout=120", "ServerAliveInterval=60"],
    };
    let options = ["-o", patience[0], "-o", patience[1], "-o", "LogLevel=ERROR"];
    Ok(Invocation::new(
        "ssh",
        options
            .map(str::to_owned)
            .into_iter()
            .chain(words.into_iter().skip(1)),
    ))
}

/// What the host says about its failed units, for an error; nothing when it cannot say.
fn failed_units(programs: &Programs<'_>, host: &LabHost) -> String {
    let words = [
        "exec",
        &host.container,
        "systemctl",
        "--failed",
        "--no-legend",
        "--plain",
    ];
    let asked = Invocation::new("podman", words).input(Input::Nothing);
    programs
        .ask("asking the host for failed units", asked)
        .map(|answer| last_lines(&String::from_utf8_lossy(&answer.stdout), 10))
        .unwrap_or_default()
}
