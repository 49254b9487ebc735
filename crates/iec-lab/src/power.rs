//! The power of a lab's hosts: shut down, cut off, switched on again, and what they say meanwhile.

use std::path::Path;
use std::time::Duration;

use iec_core::architecture::Architecture;

use crate::Labs;
use crate::error::LabError;
use crate::labs::folder_of;
use crate::places::take_lock;
use crate::podman::{HostState, Podman, switch_name};
use crate::program::Programs;
use crate::ready::{self, Goal};
use crate::record::{Lab, LabHost, Record};
use crate::request::HostKind;
use crate::vm::{self, Accelerator, Hardware};

/// How long a power switch waits for another one; starting a host may take a while.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(60);

impl Labs {
    /// Cuts a host's power: kills all its processes at once. Its disk stays, `/run` and `/tmp` do not.
    ///
    /// What a container has written but not yet synced is not lost, as it would be with a real machine: the page cache
    /// is this machine's, and this machine keeps running. A virtual machine loses it.
    ///
    /// # Errors
    /// [`LabError::HostState`] for a host that does not run.
    pub fn kill_host(&self, lab: &Lab, host: &str) -> Result<(), LabError> {
        let host = lab.host(host)?;
        let lock = take_lock(&folder_of(lab).lock(), &lab.name, LOCK_PATIENCE)?;
        self.must_be(lab, host, HostState::Running, "switched off")?;
        match host.kind {
            HostKind::Container => {
                Podman::new(&Programs::new(self.runner()).holding(&lock)).kill(&host.container)
            }
            HostKind::VirtualMachine(_) => vm::kill(&folder_of(lab), &host.name),
        }
    }

    /// Asks a host to shut down, as `poweroff` does, and waits until it is off.
    ///
    /// # Errors
    /// [`LabError::HostState`] for a host that does not run, or does not end in time.
    pub fn stop_host(&self, lab: &Lab, host: &str) -> Result<(), LabError> {
        let host = lab.host(host)?;
        let lock = take_lock(&folder_of(lab).lock(), &lab.name, LOCK_PATIENCE)?;
        self.must_be(lab, host, HostState::Running, "switched off")?;
        match host.kind {
            HostKind::Container => {
                Podman::new(&Programs::new(self.runner()).holding(&lock)).stop(&host.container)
            }
            HostKind::VirtualMachine(_) => vm::stop(&folder_of(lab), &host.name),
        }
    }

    /// Puts a removable medium into a virtual machine, running or not: a copy of this image.
    ///
    /// # Errors
    /// [`LabError::InvalidRequest`] for a container, [`LabError::HostState`] where one is in already.
    pub fn insert(&self, lab: &Lab, host: &str, image: &Path) -> Result<(), LabError> {
        let host = machine(lab, host, "no place for a medium")?;
        let lock = take_lock(&folder_of(lab).lock(), &lab.name, LOCK_PATIENCE)?;
        let programs = Programs::new(self.runner()).holding(&lock);
        vm::insert(&programs, &folder_of(lab), &host.name, image)
    }

    /// Takes the removable medium out of a virtual machine.
    ///
    /// # Errors
    /// [`LabError::InvalidRequest`] for a container, [`LabError::HostState`] where none is in.
    pub fn eject(&self, lab: &Lab, host: &str) -> Result<(), LabError> {
        let host = machine(lab, host, "no place for a medium")?;
        let _lock = take_lock(&folder_of(lab).lock(), &lab.name, LOCK_PATIENCE)?;
        vm::eject(&folder_of(lab), &host.name)
    }

    /// What a virtual machine has printed on its serial console since its first boot, without control characters.
    ///
    /// # Errors
    /// [`LabError::NoSuchHost`], [`LabError::InvalidRequest`] for a container, or a console that cannot be read.
    pub fn console(&self, lab: &Lab, host: &str) -> Result<String, LabError> {
        vm::console(&folder_of(lab), machine(lab, host, "no console")?)
    }

    /// Switches a host on again, with the same disk and addresses, and waits until it answers by SSH and systemd has
    /// finished starting (failed units or not).
    ///
    /// # Errors
    /// [`LabError::HostState`] for a host that is not switched off, [`LabError::NotReady`].
    pub fn start_host(&self, lab: &Lab, host: &str) -> Result<(), LabError> {
        let host = lab.host(host)?;
        let lock = take_lock(&folder_of(lab).lock(), &lab.name, LOCK_PATIENCE)?;
        self.must_be(lab, host, HostState::Stopped, "switched on")?;
        let programs = Programs::new(self.runner()).holding(&lock);
        match host.kind {
            HostKind::Container => Podman::new(&programs).start(&host.container)?,
            HostKind::VirtualMachine(architecture) => {
                self.start_machine(&programs, lab, host, architecture)?
            }
        }
        ready::wait(&programs, lab, host, Goal::Started)
    }

    /// Switches a virtual machine on again. A restart of this machine has taken its links and the switch away.
    fn start_machine(
        &self,
        programs: &Programs<'_>,
        lab: &Lab,
        host: &LabHost,
        architecture: Architecture,
    ) -> Result<(), LabError> {
        let folder = folder_of(lab);
        let record = Record::read(&folder)?.ok_or_else(|| LabError::NoSuchLab {
            name: lab.name.clone(),
            root: self.places().labs.clone(),
        })?;
        Podman::new(programs).start(&switch_name(&lab.name))?;
        let hardware = Hardware {
            architecture,
            accelerator: Accelerator::find(programs, architecture, &vm::kernel(&folder, &host.name))?,
            networks: &record.networks,
            limits: record.request.limits,
            disk_cache: record.request.disk_cache,
        };
        vm::start(programs, &folder, host, &hardware)
    }

    pub(crate) fn must_be(
        &self,
        lab: &Lab,
        host: &LabHost,
        needed: HostState,
        wanted: &'static str,
    ) -> Result<(), LabError> {
        let state = self.host_state(lab, &host.name)?;
        if state == needed {
            return Ok(());
        }
        Err(LabError::HostState {
            host: host.name.clone(),
            state: state.name().to_owned(),
            wanted,
        })
    }
}

/// The host of this name, if it is a virtual machine.
fn machine<'a>(lab: &'a Lab, host: &str, lack: &str) -> Result<&'a LabHost, LabError> {
    let host = lab.host(host)?;
    match host.kind {
        HostKind::VirtualMachine(_) => Ok(host),
        HostKind::Container => Err(LabError::InvalidRequest(format!(
            "host {} is a container, which has {lack}",
            host.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::labs::tests::{ONE_RUNS, with_lab};
    use crate::program::fake::Fake;

    #[test]
    fn power_goes_only_where_it_can() {
        let (_root, labs, lab) = with_lab(Fake::default().says("podman ps", ONE_RUNS));
        let killed = labs.kill_host(&lab, "edge-2").expect_err("it is off");
        assert_eq!(
            killed.to_string(),
            "host edge-2 is stopped: it cannot be switched off"
        );
        let started = labs.start_host(&lab, "edge-3").expect_err("it is gone");
        assert_eq!(
            started.to_string(),
            "host edge-3 is gone: it cannot be switched on"
        );
    }

    #[test]
    fn only_virtual_machines_have_a_console() {
        let (_root, labs, lab) = with_lab(Fake::default());
        let error = labs.console(&lab, "edge-1").expect_err("it is a container");
        assert_eq!(error.code(), "IEC1904");
    }

    #[test]
    fn a_container_is_shut_down_by_its_own_systemd() {
        let fake = Fake::default()
            .says("podman ps", ONE_RUNS)
            .says("podman stop --time 90 iec.demo.edge-1", "");
        let (_root, labs, lab) = with_lab(fake);
        labs.stop_host(&lab, "edge-1").expect("it shuts down");
        assert_eq!(
            labs.stop_host(&lab, "edge-2").expect_err("it is off").code(),
            "IEC1917"
        );
    }
}
