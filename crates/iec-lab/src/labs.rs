//! The labs of this machine: finding them, their states, power and commands in their hosts.

use std::path::PathBuf;

use iec_core::architecture::Architecture;
use serde::Serialize;

use crate::error::LabError;
use crate::event::LabEvent;
use crate::places::{Folder, Places};
use crate::podman::{Container, HostState, Podman};
use crate::program::{Programs, Runner, System};
use crate::record::{Lab, LabHost, Record, lab_names};
use crate::request::{HostKind, validate_name};
use crate::requirements;
use crate::vm;

/// The labs in one folder of labs.
pub struct Labs {
    places: Places,
    runner: Box<dyn Runner>,
}

/// Who a command runs as in a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExecUser {
    /// The user that IEC logs in as.
    #[default]
    Edge,
    /// The superuser, without sudo.
    Root,
}

/// What a command in a host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code; 137 when it was killed.
    pub code: i32,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its error output.
    pub stderr: Vec<u8>,
}

/// A lab in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabStatus {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The lab; `None` when its record is missing or cannot be read, and only `down` is left to do.
    pub lab: Option<Lab>,
    /// The state of each host, in the lab's order.
    pub hosts: Vec<(String, HostState)>,
}

impl Labs {
    /// The labs in these places.
    #[must_use]
    pub fn new(places: Places) -> Self {
        Self::with_runner(places, Box::new(System))
    }

    pub(crate) fn with_runner(places: Places, runner: Box<dyn Runner>) -> Self {
        Self { places, runner }
    }

    /// Where they are.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) fn runner(&self) -> &dyn Runner {
        self.runner.as_ref()
    }

    /// Whether labs with virtual machines of these architectures can be made here at all: root, and everything
    /// installed.
    ///
    /// # Errors
    /// [`LabError::NotRoot`] or [`LabError::MissingPrograms`].
    pub fn check_machine(&self, machines: &[Architecture]) -> Result<(), LabError> {
        requirements::check_root()?;
        requirements::check(machines)
    }

    /// Installs the Debian packages that labs with virtual machines of these architectures are made with, if some are
    /// missing; gives those it installed.
    ///
    /// # Errors
    /// [`LabError::NotRoot`], or what apt-get said.
    pub fn install_dependencies(
        &self,
        machines: &[Architecture],
        on_event: &mut dyn FnMut(LabEvent),
    ) -> Result<Vec<String>, LabError> {
        requirements::check_root()?;
        requirements::install(&Programs::new(self.runner()), machines, on_event)
    }

    /// Installs these Debian packages on this machine with apt-get.
    ///
    /// # Errors
    /// [`LabError::NotRoot`], or what apt-get said.
    pub fn install_packages(
        &self,
        packages: &[String],
        on_event: &mut dyn FnMut(LabEvent),
    ) -> Result<(), LabError> {
        requirements::check_root()?;
        requirements::install_packages(&Programs::new(self.runner()), packages, on_event)
    }

    /// The lab of this name, as it was recorded.
    ///
    /// # Errors
    /// [`LabError::NoSuchLab`], or a record that cannot be read.
    pub fn open(&self, name: &str) -> Result<Lab, LabError> {
        validate_name(name)?;
        let folder = self.places.lab(name);
        let record = Record::read(&folder)?;
        let missing = || LabError::NoSuchLab {
            name: name.to_owned(),
            root: self.places.labs.clone(),
        };
        record.map(|record| Lab::of(&folder, record)).ok_or_else(missing)
    }

    /// All labs, by name, with the states of their hosts.
    ///
    /// # Errors
    /// [`LabError::NotRoot`], or a podman that does not answer.
    pub fn list(&self) -> Result<Vec<LabStatus>, LabError> {
        let names = lab_names(&self.places)?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        requirements::check_root()?;
        let programs = Programs::new(self.runner());
        let containers = Podman::new(&programs).all_containers()?;
        Ok(names
            .into_iter()
            .map(|name| self.status(name, &containers))
            .collect())
    }

    fn status(&self, name: String, containers: &[Container]) -> LabStatus {
        let folder = self.places.lab(&name);
        // A broken record is a state to show here, not a reason to hide the other labs.
        let lab = self.open(&name).ok();
        let state = |host: &LabHost| {
            // Files that cannot be read are a state to show too: there is no host to use.
            let state = state_of(&folder, host, containers).unwrap_or(HostState::Gone);
            (host.name.clone(), state)
        };
        let hosts = lab.iter().flat_map(|lab| &lab.hosts).map(state).collect();
        LabStatus {
            name,
            folder: folder.path,
            lab,
            hosts,
        }
    }

    /// The state of one host.
    ///
    /// # Errors
    /// [`LabError::NoSuchHost`], or a podman that does not answer.
    pub fn host_state(&self, lab: &Lab, host: &str) -> Result<HostState, LabError> {
        let host = lab.host(host)?;
        let folder = folder_of(lab);
        if host.kind != HostKind::Container {
            return vm::state(&folder, host);
        }
        let programs = Programs::new(self.runner());
        let containers = Podman::new(&programs).containers_of(&folder)?;
        state_of(&folder, host, &containers)
    }

    /// Runs a command in a host and gives what it answered; no shell reads the words, `input` is its standard input.
    ///
    /// It goes by podman or the guest agent, so that it works with a broken network or SSH server too. An exit code of
    /// 125 of a container is podman's own failure and an error here.
    ///
    /// # Errors
    /// [`LabError::NoSuchHost`], [`LabError::HostState`] for a host that does not run, [`LabError::Failed`].
    pub fn exec(
        &self,
        lab: &Lab,
        host: &str,
        user: ExecUser,
        command: &[String],
        input: &[u8],
    ) -> Result<ExecOutput, LabError> {
        let host = lab.host(host)?;
        let programs = Programs::new(self.runner());
        let user = match user {
            ExecUser::Edge => crate::base::USER,
            ExecUser::Root => "root",
        };
        if host.kind != HostKind::Container {
            self.must_be(lab, host, HostState::Running, "asked to run a command")?;
            let answer = vm::exec(&folder_of(lab), host, user, command, input)?;
            return Ok(ExecOutput {
                code: answer.code.unwrap_or(137),
                stdout: answer.stdout,
                stderr: answer.stderr,
            });
        }
        let answer = Podman::new(&programs).exec(&host.container, user, command, input)?;
        // podman says 125 when it failed itself, and 255 for a host that does not run, as a command in it may too.
        if matches!(answer.code, None | Some(125 | 255)) {
            self.must_be(lab, host, HostState::Running, "asked to run a command")?;
        }
        match answer.code {
            Some(code) if code != 125 => Ok(ExecOutput {
                code,
                stdout: answer.stdout,
                stderr: answer.stderr,
            }),
            _ => Err(LabError::Failed {
                doing: "running a command in the host".to_owned(),
                program: "podman".to_owned(),
                status: answer.status(),
                evidence: answer.evidence(),
            }),
        }
    }
}

/// The state of a host, among these containers or by its own process.
fn state_of(folder: &Folder, host: &LabHost, containers: &[Container]) -> Result<HostState, LabError> {
    match host.kind {
        HostKind::Container => Ok(containers
            .iter()
            .find(|container| container.name == host.container)
            .map_or(HostState::Gone, |container| container.state)),
        HostKind::VirtualMachine(_) => vm::state(folder, host),
    }
}

pub(crate) fn folder_of(lab: &Lab) -> Folder {
    Folder {
        path: lab.folder.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::program::fake::Fake;
    use crate::request::UpRequest;

    pub(crate) fn with_lab(fake: Fake) -> (tempfile::TempDir, Labs, Lab) {
        let root = tempfile::tempdir().expect("a folder");
        let places = Places {
            labs: root.path().join("labs"),
            cache: root.path().join("cache"),
        };
        let labs = Labs::with_runner(places, Box::new(fake));
        let folder = labs.places().lab("demo");
        std::fs::create_dir_all(&folder.path).expect("a folder");
        Record::intended(&UpRequest::new("demo"))
            .write(&folder)
            .expect("a record");
        let lab = labs.open("demo").expect("there");
        (root, labs, lab)
    }

    /// A lab of one virtual machine, whose files this machine's own programs copy.
    pub(crate) fn with_system_lab() -> (tempfile::TempDir, Labs, Lab) {
        let root = tempfile::tempdir().expect("a folder");
        let places = Places {
            labs: root.path().join("labs"),
            cache: root.path().join("cache"),
        };
        let labs = Labs::new(places);
        let folder = labs.places().lab("demo");
        let request = UpRequest {
            hosts: 1,
            kinds: vec![HostKind::VirtualMachine(Architecture::Arm64)],
            ..UpRequest::new("demo")
        };
        std::fs::create_dir_all(folder.host("edge-1")).expect("a folder");
        Record::intended(&request).write(&folder).expect("a record");
        let lab = labs.open("demo").expect("there");
        (root, labs, lab)
    }

    pub(crate) const ONE_RUNS: &str = r#"[{"Names":["iec.demo.edge-1"],"State":"running"},
        {"Names":["iec.demo.edge-2"],"State":"exited"}]"#;

    #[test]
    fn states_are_running_stopped_and_gone() {
        let (_root, labs, lab) = with_lab(Fake::default().says("podman ps", ONE_RUNS));
        let state = |host: &str| labs.host_state(&lab, host).expect("known");
        assert_eq!(
            [state("edge-1"), state("edge-2"), state("edge-3")],
            [HostState::Running, HostState::Stopped, HostState::Gone]
        );
    }

    #[test]
    fn a_command_gives_its_own_exit_code_and_podmans_is_an_error() {
        let fake = Fake::default()
            .says("podman ps", ONE_RUNS)
            .fails(
                "podman exec --interactive --user root iec.demo.edge-1 false",
                1,
                "no\n",
            )
            .fails(
                "podman exec --interactive --user edge iec.demo.edge-2",
                125,
                "Error: not running\n",
            );
        let (_root, labs, lab) = with_lab(fake);
        let words = ["false".to_owned()];
        let output = labs
            .exec(&lab, "edge-1", ExecUser::Root, &words, b"")
            .expect("it ran");
        assert_eq!(
            output,
            ExecOutput {
                code: 1,
                stdout: Vec::new(),
                stderr: b"no\n".to_vec()
            }
        );
        let error = labs
            .exec(&lab, "edge-2", ExecUser::Edge, &words, b"")
            .expect_err("it is off");
        assert_eq!(error.code(), "IEC1917");
    }

    #[test]
    fn a_lab_that_is_not_there_is_said_to_be_missing() {
        let (_root, labs, _lab) = with_lab(Fake::default());
        assert_eq!(
            labs.open("other").expect_err("there is only demo").code(),
            "IEC1906"
        );
    }
}
