//! `iec lab`: hosts on this machine, to try and to test.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use iec_core::architecture::Architecture;
use iec_lab::{
    DiskCache, Distribution, ExecUser, HostKind, LabError, LabEvent, LabHost, LabStatus, Labs, Limits, Nics,
    Places, Removed, UpRequest,
};
use iec_sh::Word;
use serde_json::{Value, json};

use super::lab_host;
use crate::cli::{self, HostGroup, LabDown, LabExec, LabUp};
use crate::error::{CliError, Kind, Outcome};
use crate::settings::Settings;
use crate::ui::{Board, Document, Mark, Ui, count, duration};

/// Runs one of the lab commands.
pub(super) fn run(command: &cli::Lab, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let labs = labs(settings);
    match command {
        cli::Lab::Up(up) => {
            let request = request(up, settings)?;
            if up.install_deps {
                install(&labs, &request.machine_architectures(), ui)?;
            }
            let began = Instant::now();
            let lab = self::up(&labs, &request, ui)?;
            ui.result(Document::Lab, &lab_json(&lab), || lab_text(&lab, began.elapsed()));
            Ok(Outcome::Done)
        }
        cli::Lab::Down(LabDown { name }) => down(&labs, name, ui),
        cli::Lab::List(_) => list(&labs, ui),
        cli::Lab::Exec(exec) => self::exec(&labs, exec, ui),
        cli::Lab::OfHost(command) => lab_host::run(&labs, command, ui),
    }
}

/// The labs of this user.
pub(super) fn labs(settings: &Settings) -> Labs {
    Labs::new(Places {
        labs: settings.labs.clone(),
        cache: settings.cache.join("lab"),
    })
}

/// Installs what this machine lacks for labs.
pub(super) fn install(labs: &Labs, machines: &[Architecture], ui: &Ui) -> Result<(), CliError> {
    let mut board = ui.board("packages");
    let installed = labs.install_dependencies(machines, &mut |event| show(&event, &mut board, ui));
    board.finish();
    let installed = installed.map_err(|error| failed(&error))?;
    if !installed.is_empty() {
        ui.say(&format!("Installed {}.", crate::ui::list(&installed)));
    }
    Ok(())
}

/// Installs these packages on this machine.
pub(super) fn install_packages(labs: &Labs, packages: &[String], ui: &Ui) -> Result<(), CliError> {
    let mut board = ui.board("packages");
    let installed = labs.install_packages(packages, &mut |event| show(&event, &mut board, ui));
    board.finish();
    installed.map_err(|error| failed(&error))?;
    ui.say(&format!("Installed {}.", crate::ui::list(packages)));
    Ok(())
}

/// What whoever makes a lab should know before it is there.
const PRIVILEGED: &str =
    "The lab's containers are privileged: whoever is root on one of them can be root on this machine.";

/// Makes a lab and shows how it comes up.
pub(super) fn up(labs: &Labs, request: &UpRequest, ui: &Ui) -> Result<iec_lab::Lab, CliError> {
    let mut board = ui.board("lab");
    let mut ready = 0;
    let mut told = !request.has_containers();
    let hosts = request.hosts as u64;
    let lab = labs.up(request, &mut |event| {
        if !std::mem::replace(&mut told, true) {
            board.line(Mark::Note, "", PRIVILEGED);
        }
        if matches!(event, LabEvent::HostReady { .. }) {
            ready += 1;
        }
        board.progress(ready, hosts);
        show(&event, &mut board, ui);
    });
    board.finish();
    lab.map_err(|error| failed(&error))
}

fn request(up: &LabUp, settings: &Settings) -> Result<UpRequest, CliError> {
    let kinds = kinds(up)?;
    Ok(UpRequest {
        hosts: kinds.len(),
        kinds,
        control_planes: up.control_planes,
        distribution: match up.distribution {
            cli::Distribution::Bookworm => Distribution::Bookworm,
            cli::Distribution::Trixie => Distribution::Trixie,
        },
        nics: if up.nics == 2 { Nics::Two } else { Nics::One },
        limits: Limits {
            memory_mib: up.memory,
            cpus: up.cpus,
            disk_gib: up.disk,
            second_disk_gib: up.second_disk,
        },
        disk_cache: match up.disk_cache {
            cli::DiskCache::Kept => DiskCache::Kept,
            cli::DiskCache::Lost => DiskCache::Lost,
        },
        release: up.release.clone(),
        bundle: Some(bundle(up, settings)),
        mirror: up.mirror.clone(),
        packages: up.packages.clone(),
        ..UpRequest::new(up.name.as_str())
    })
}

/// What each host is made of, in the order in which `--hosts` names them.
fn kinds(up: &LabUp) -> Result<Vec<HostKind>, CliError> {
    let architecture = up.arch.map_or_else(own_architecture, Ok)?;
    let default = match up.kind {
        cli::HostKind::Container => HostKind::Container,
        cli::HostKind::Vm => HostKind::VirtualMachine(architecture),
    };
    if up.kind == cli::HostKind::Container && up.arch.is_some() {
        return Err(failed(&LabError::InvalidRequest(
            "--arch is for virtual machines; containers have this machine's architecture".to_owned(),
        )));
    }
    let kind = |group: &HostGroup| match (group.kind, group.architecture) {
        (None, _) => default,
        (Some(cli::HostKind::Container), _) => HostKind::Container,
        (Some(cli::HostKind::Vm), of) => HostKind::VirtualMachine(of.unwrap_or(architecture)),
    };
    Ok(up
        .hosts
        .iter()
        .flat_map(|group| std::iter::repeat_n(kind(group), group.count))
        .collect())
}

fn own_architecture() -> Result<Architecture, CliError> {
    Architecture::from_uname(std::env::consts::ARCH).ok_or_else(|| {
        let reason = format!("there are no hosts for a machine of {}", std::env::consts::ARCH);
        failed(&LabError::InvalidRequest(reason))
    })
}

/// The bundle of the lab's site file, which lies in another folder than the one where it was named.
fn bundle(up: &LabUp, settings: &Settings) -> PathBuf {
    let named = up.bundle.clone().unwrap_or_else(|| settings.bundle(&up.release));
    std::path::absolute(&named).unwrap_or(named)
}

fn lab_json(lab: &iec_lab::Lab) -> Value {
    let host = |host: &LabHost| {
        json!({
            "name": host.name, "role": host.role, "kind": host.kind.name(), "architecture": host.kind.architecture(),
            "container": host.container, "addresses": host.addresses, "hostKey": host.host_key,
        })
    };
    json!({
        "name": lab.name,
        "state": lab.state,
        "folder": lab.folder,
        "hosts": lab.hosts.iter().map(host).collect::<Vec<_>>(),
        "siteFile": lab.site_file,
        "identityFile": lab.identity_file,
        "knownHostsFile": lab.known_hosts_file,
        "kubeconfigFile": lab.kubeconfig_file,
    })
}

fn lab_text(lab: &iec_lab::Lab, took: Duration) -> String {
    let mut text = format!(
        "The lab {} is up: {} in {}.\n",
        lab.name,
        count(lab.hosts.len(), "host"),
        duration(took)
    );
    let width = lab.hosts.iter().map(|host| host.name.len()).max().unwrap_or(0);
    for host in &lab.hosts {
        let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "  {:width$}  {:13}  {:9}  {}",
            host.name,
            host.role.name(),
            kind_text(host),
            addresses.join(", ")
        );
    }
    let folder = Word::new(lab.folder.to_string_lossy());
    let _ = write!(
        text,
        "\nIts site file is {}\n\n  iec plan {folder}\n  iec apply {folder}\n  iec lab down {}\n",
        lab.site_file.display(),
        lab.name
    );
    text
}

/// What a host is made of, in a word and its architecture.
fn kind_text(host: &LabHost) -> String {
    match host.kind.architecture() {
        None => host.kind.name().to_owned(),
        Some(architecture) => format!("{} {}", host.kind.name(), architecture.go_name()),
    }
}

/// Removes a lab.
pub(super) fn down(labs: &Labs, name: &str, ui: &Ui) -> Result<Outcome, CliError> {
    let removed = remove(labs, name, ui)?;
    ui.result(
        Document::LabRemoved,
        &json!({ "name": name, "removed": removed }),
        || {
            if removed.is_nothing() {
                format!("There is no lab {}: nothing was removed.", name)
            } else {
                format!("The lab {} is removed.", name)
            }
        },
    );
    Ok(Outcome::Done)
}

/// Removes a lab, shows how it goes, and leaves it to the caller to say that it is gone.
pub(super) fn remove(labs: &Labs, name: &str, ui: &Ui) -> Result<Removed, CliError> {
    let mut board = ui.board("lab");
    let removed = labs.down(name, &mut |event| show(&event, &mut board, ui));
    board.finish();
    removed.map_err(|error| failed(&error))
}

fn list(labs: &Labs, ui: &Ui) -> Result<Outcome, CliError> {
    let found = labs.list().map_err(|error| failed(&error))?;
    let labs: Vec<Value> = found.iter().map(status_json).collect();
    ui.result(Document::Labs, &json!({ "labs": labs }), || {
        if found.is_empty() {
            "There is no lab on this machine. Type `iec lab up` to make one.".to_owned()
        } else {
            found.iter().map(status_text).collect()
        }
    });
    Ok(Outcome::Done)
}

fn status_json(status: &LabStatus) -> Value {
    let states: Vec<Value> = status
        .hosts
        .iter()
        .map(|(host, state)| json!({ "host": host, "state": state.name() }))
        .collect();
    json!({
        "name": status.name, "folder": status.folder, "lab": status.lab.as_ref().map(lab_json), "states": states,
    })
}

fn status_text(status: &LabStatus) -> String {
    let mut text = format!("{}  {}\n", status.name, status.folder.display());
    match &status.lab {
        None => text.push_str("  its record cannot be read: only `iec lab down` is left to do\n"),
        Some(lab) => {
            for (host, (_, state)) in lab.hosts.iter().zip(&status.hosts) {
                let address = host
                    .addresses
                    .first()
                    .map_or_else(|| "no address yet".to_owned(), ToString::to_string);
                let _ = writeln!(
                    text,
                    "  {:8}  {:13}  {:9}  {address:15}  {}",
                    host.name,
                    host.role.name(),
                    kind_text(host),
                    state.name()
                );
            }
        }
    }
    text
}

fn exec(labs: &Labs, exec: &LabExec, ui: &Ui) -> Result<Outcome, CliError> {
    let lab = labs.open(&exec.name).map_err(|error| failed(&error))?;
    let user = if exec.root { ExecUser::Root } else { ExecUser::Edge };
    let answer = labs
        .exec(&lab, &exec.host, user, &exec.command, &[])
        .map_err(|error| failed(&error))?;
    ui.passthrough(Document::LabExec, answer.code, &answer.stdout, &answer.stderr);
    Ok(Outcome::Exited(u8::try_from(answer.code).unwrap_or(u8::MAX)))
}

/// Shows an event: for a person on the board, for a program as JSON.
fn show(event: &LabEvent, board: &mut Board<'_>, ui: &Ui) {
    ui.event(Document::LabEvent, event);
    match event {
        LabEvent::Installing { line } => board.line(Mark::Note, "", line),
        LabEvent::BaseBuilding {
            distribution,
            estimate,
        } => {
            let about = format!(
                "building Debian {distribution} once, about {}",
                duration(*estimate)
            );
            board.line(Mark::Note, "root file system", &about);
        }
        LabEvent::BaseProgress { line } => board.busy("root file system", line),
        LabEvent::BaseBuilt { took, .. } => {
            board.idle("root file system");
            board.line(
                Mark::Done,
                "root file system",
                &format!("built in {}", duration(*took)),
            );
        }
        LabEvent::NetworkReady { network, subnet } => {
            board.line(Mark::Done, network, &format!("the network {subnet} is there"));
        }
        LabEvent::Accelerated {
            architecture,
            accelerator,
        } => {
            let text = format!("virtual machines run by {}", accelerator.name());
            board.line(Mark::Note, architecture.go_name(), &text);
        }
        LabEvent::DiskReady { host, .. } => board.busy(host, "has its disk"),
        LabEvent::HostStarted { host, .. } => board.busy(host, "starts"),
        LabEvent::HostReady { host, .. } => {
            board.idle(host);
            board.line(Mark::Done, host, "is up and answers by SSH");
        }
        LabEvent::TakingBack { because } => {
            board.line(
                Mark::Failed,
                "",
                &format!("taking back what was made, because {because}"),
            );
        }
        LabEvent::Removed { what } => board.line(Mark::Done, "", &format!("removed {what}")),
        // Nothing to show: what comes next follows at once.
        _ => {}
    }
}

/// A lab's error as the command's.
pub(super) fn failed(error: &LabError) -> CliError {
    let kind = match error {
        LabError::NotRoot
        | LabError::MissingPrograms { .. }
        | LabError::InvalidName { .. }
        | LabError::InvalidRequest(_)
        | LabError::Exists { .. }
        | LabError::NoSuchLab { .. }
        | LabError::NoSuchHost { .. }
        | LabError::Busy { .. }
        | LabError::HostState { .. }
        | LabError::SnapshotExists { .. }
        | LabError::NoSuchSnapshot { .. }
        | LabError::NoTap { .. }
        | LabError::NetworkBackend { .. } => Kind::Refused,
        _ => Kind::StepFailed,
    };
    let next = match error {
        LabError::MissingPrograms { .. } => Some("iec lab up --install-deps installs them".to_owned()),
        _ => None,
    };
    let mut failure = CliError::of(kind, error.code(), error).next(error.help());
    failure.next.extend(next);
    failure
}
