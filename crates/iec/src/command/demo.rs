//! `iec demo`: all of it on this machine, with nothing prepared.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use iec_bundle::{BuildError, BuildRequest};
use iec_core::architecture::Architecture;
use iec_core::plan::TOKEN_LIFE;
use iec_core::release::Release;
use iec_core::report::Verdict;
use iec_core::selection::StepSelection;
use iec_lab::{HostState, Lab, LabState, LabStatus, Labs, UpRequest};
use iec_sh::Word;
use serde_json::json;

use super::apply::{Request, apply};
use super::bundle::{self, build, this_machine};
use super::content::Content;
use super::kubeconfig::Target;
use super::operation::Claims;
use super::reach::{block_on, fleet};
use super::seed::{Seeding, Seeds};
use super::{interrupt, lab, site_file, verify};
use crate::cli::{Demo, Passwords, Reach, SitePath};
use crate::error::{CliError, Outcome, unwritable};
use crate::kubeconfig::Selection;
use crate::settings::Settings;
use crate::ui::{Document, Ui, duration};

/// The lab of the demonstration.
const LAB: &str = "demo";
/// How long the new cluster may take to settle.
const SETTLE_SECONDS: u64 = 180;

/// Builds what is missing, makes hosts, installs the site, proves it, and says how to use it.
pub(super) fn run(arguments: &Demo, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let labs = lab::labs(settings);
    if arguments.down {
        return lab::down(&labs, LAB, ui);
    }
    let began = Instant::now();
    let architecture = this_machine()?;
    prepare(&labs, architecture, ui)?;
    let release = bundle::release(newest())?;
    let folder = arguments
        .bundle
        .clone()
        .unwrap_or_else(|| settings.bundle(&release.name));
    have_bundle(&folder, release, architecture, settings, ui)?;
    let lab = have_lab(&labs, arguments, &folder, ui)?;

    let file = site_file::read(&SitePath {
        site: lab.site_file.clone(),
    })?;
    let content = Content::open(&file, settings, ui)?;
    let reach = Reach {
        parallel: 32,
        accept_new_host_keys: false,
        ssh_config: None,
        system_ssh: false,
        passwords: Passwords::default(),
    };
    let fleet = fleet(&file.site, &reach, settings)?;
    ui.say("Installing the cluster on the hosts.");
    let report = block_on(async {
        let kubeconfig = Target {
            path: lab.kubeconfig_file.clone(),
            selection: Selection::Keep,
        };
        let request = Request {
            kubeconfig: &kubeconfig,
            token_life: TOKEN_LIFE,
            who: &settings.who,
            claims: Claims::Free,
            left_out: &BTreeSet::new(),
            selection: &StepSelection::default(),
            saved: None,
            max_changes: None,
            // The hosts of a demo are new every time.
            reinstall: true,
            logs: &settings.runs,
        };
        let seeds = Seeds::new(Seeding::Do, settings);
        let applied = apply(&file, &content, &fleet, (&request, seeds), ui).await?;
        if let Some(silence) = applied.silence {
            return Err(silence);
        }
        ui.say("Proving the cluster with a service.");
        verify::verify(&file, &fleet, SETTLE_SECONDS, settings, ui).await
    })?;
    verify::print(&report, ui);
    if report.verdict() != Verdict::Passed {
        return verify::finish(&report);
    }
    let kubectl = take_kubectl(&content, architecture, &lab)?;
    let line = format!(
        "KUBECONFIG={} {} get nodes -o wide",
        word(&lab.kubeconfig_file),
        word(&kubectl)
    );
    let value = json!({
        "lab": lab.name, "siteFile": lab.site_file, "kubeconfig": lab.kubeconfig_file, "kubectl": kubectl,
        "command": line, "seconds": began.elapsed().as_secs_f64(),
    });
    ui.result(Document::Demo, &value, || {
        usage(
            &lab,
            &line,
            &Word::new(settings.program.as_str()),
            began.elapsed(),
        )
    });
    Ok(Outcome::Done)
}

fn word(path: &Path) -> Word {
    Word::new(path.to_string_lossy())
}

fn usage(lab: &Lab, line: &str, program: &Word, took: Duration) -> String {
    format!(
        "\nA verified cluster runs on {} in this machine, after {}. To use it:\n\n  {line}\n\n\
         To look around:\n\n  {program} status {site}\n  {program} lab exec {} edge-1 -- systemctl status kubelet\n\n\
         To remove all of it:\n\n  {program} demo --down\n",
        crate::ui::count(lab.hosts.len(), "host"),
        duration(took),
        lab.name,
        site = word(&lab.folder),
    )
}

fn newest() -> &'static str {
    Release::names().last().expect("the program carries a release")
}

/// Installs what this machine lacks, for hosts and for building.
fn prepare(labs: &Labs, architecture: Architecture, ui: &Ui) -> Result<(), CliError> {
    lab::install(labs, &[], ui)?;
    match iec_bundle::check_tools(&[architecture]) {
        Err(BuildError::ToolsMissing { packages, .. }) => lab::install_packages(labs, &packages, ui),
        Err(error) => Err(bundle::build_failed(&error)),
        Ok(()) => Ok(()),
    }
}

/// Builds the bundle, unless a whole one is there.
fn have_bundle(
    folder: &Path,
    release: Release,
    architecture: Architecture,
    settings: &Settings,
    ui: &Ui,
) -> Result<(), CliError> {
    let there = iec_bundle::open(folder).is_ok_and(|bundle| {
        bundle.manifest.kubernetes == release.kubernetes()
            && bundle.manifest.architectures.contains(&architecture)
    });
    if there {
        ui.say(&format!("The bundle in {} is used.", folder.display()));
        return Ok(());
    }
    ui.say(&format!(
        "Building the bundle of release {} from source, once.",
        release.name
    ));
    let request = BuildRequest {
        release,
        architectures: vec![architecture],
        output: folder.to_owned(),
        cache: settings.content(),
        trust: settings.trust(),
        relock: false,
        cancel: interrupt::flag(),
    };
    build(&request, ui).map(drop)
}

/// Gives the hosts: those that are there, switched on where they are off, or new ones.
fn have_lab(labs: &Labs, arguments: &Demo, bundle: &Path, ui: &Ui) -> Result<Lab, CliError> {
    let all = labs.list().map_err(|error| lab::failed(&error))?;
    match all.into_iter().find(|status| status.name == LAB).map(fate) {
        None => make_lab(labs, arguments, bundle, ui),
        Some(Fate::Use(lab, off)) => {
            ui.say(&format!("The lab {LAB} is there: its hosts are used."));
            for host in &off {
                ui.say(&format!("The host {host} is off: it is switched on."));
                labs.start_host(&lab, host).map_err(|error| {
                    lab::failed(&error).next("iec demo --down, then iec demo, makes new hosts")
                })?;
            }
            Ok(lab)
        }
        Some(Fate::MakeAnew(why)) => {
            ui.say(&format!("The lab {LAB} is there, but {why}: it is made anew."));
            lab::remove(labs, LAB, ui)?;
            make_lab(labs, arguments, bundle, ui)
        }
    }
}

fn make_lab(labs: &Labs, arguments: &Demo, bundle: &Path, ui: &Ui) -> Result<Lab, CliError> {
    let bundle = std::path::absolute(bundle).unwrap_or_else(|_| bundle.to_owned());
    let request = UpRequest {
        hosts: arguments.hosts,
        bundle: Some(bundle),
        ..UpRequest::new(LAB)
    };
    lab::up(labs, &request, ui)
}

/// What becomes of a lab that is there.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It is used, after these of its hosts were switched on.
    Use(Lab, Vec<String>),
    /// It is of no use, for this reason.
    MakeAnew(&'static str),
}

/// A lab that was cut off while it was made or removed is no lab; hosts that are off, as after a reboot of this
/// machine, have their disks still.
fn fate(status: LabStatus) -> Fate {
    let in_state = |wanted: HostState| {
        let hosts = status.hosts.iter().filter(move |(_, state)| *state == wanted);
        hosts.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let (gone, off) = (in_state(HostState::Gone), in_state(HostState::Stopped));
    match status.lab {
        None => Fate::MakeAnew("nothing says what it was meant to be"),
        Some(lab) => match lab.state {
            LabState::Creating => Fate::MakeAnew("it was cut off while it was made"),
            LabState::Removing => Fate::MakeAnew("it was cut off while it was removed"),
            LabState::Ready if !gone.is_empty() => Fate::MakeAnew("not all of its hosts are"),
            LabState::Ready => Fate::Use(lab, off),
        },
    }
}

/// Takes kubectl out of the bundle, into the lab's folder, so that it goes with the lab.
fn take_kubectl(content: &Content, architecture: Architecture, lab: &Lab) -> Result<PathBuf, CliError> {
    let item = content
        .bundle
        .manifest
        .binary("kubectl", architecture)
        .ok_or_else(|| {
            CliError::refused("IEC2907", format!("the bundle has no kubectl for {architecture}"))
        })?;
    let path = lab.folder.join("bin/kubectl");
    let copy = || {
        std::fs::create_dir_all(lab.folder.join("bin"))?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::copy(content.bundle.path_of(&item.digest), &path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))
    };
    copy().map_err(|error| unwritable("IEC2907", "program kubectl", &path, &error))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use iec_lab::{HostKind, HostRole, LabHost};

    use super::*;

    fn status(state: LabState, hosts: &[(&str, HostState)]) -> LabStatus {
        let folder = PathBuf::from("/labs/demo");
        let host = |(name, _): &(&str, HostState)| LabHost {
            name: (*name).to_owned(),
            role: HostRole::Worker,
            kind: HostKind::Container,
            container: format!("iec.demo.{name}"),
            addresses: Vec::new(),
            host_key: String::new(),
        };
        let states = hosts.iter().map(|(name, state)| ((*name).to_owned(), *state));
        LabStatus {
            name: LAB.to_owned(),
            hosts: states.collect(),
            lab: Some(Lab {
                name: LAB.to_owned(),
                state,
                hosts: hosts.iter().map(host).collect(),
                site_file: folder.join("site.yaml"),
                identity_file: folder.join("identity"),
                known_hosts_file: folder.join("known_hosts"),
                kubeconfig_file: folder.join("kubeconfig"),
                folder: folder.clone(),
            }),
            folder,
        }
    }

    #[test]
    fn hosts_that_are_off_are_switched_on_and_nothing_is_made_anew() {
        let running = status(LabState::Ready, &[("edge-1", HostState::Running)]);
        assert!(matches!(fate(running), Fate::Use(_, off) if off.is_empty()));
        let rebooted = status(
            LabState::Ready,
            &[("edge-1", HostState::Stopped), ("edge-2", HostState::Stopped)],
        );
        assert!(matches!(fate(rebooted), Fate::Use(_, off) if off == ["edge-1", "edge-2"]));
    }

    #[test]
    fn what_was_cut_off_is_made_anew() {
        let whole = [("edge-1", HostState::Running), ("edge-2", HostState::Running)];
        let half = [("edge-1", HostState::Running), ("edge-2", HostState::Gone)];
        let unknown = LabStatus {
            lab: None,
            ..status(LabState::Ready, &[])
        };
        for (status, why) in [
            (status(LabState::Creating, &whole), "while it was made"),
            (status(LabState::Removing, &half), "while it was removed"),
            (status(LabState::Ready, &half), "not all"),
            (unknown, "nothing says"),
        ] {
            let fate = fate(status);
            assert!(
                matches!(fate, Fate::MakeAnew(words) if words.contains(why)),
                "{fate:?}"
            );
        }
    }
}
