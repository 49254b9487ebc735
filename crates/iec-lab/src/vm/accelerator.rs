//! Whether this machine's processor runs a virtual machine, or a program emulates it.

use std::ffi::OsString;
use std::path::Path;

use iec_core::architecture::Architecture;
use serde::{Deserialize, Serialize};

use super::qemu;
use crate::error::LabError;
use crate::program::{Invocation, Programs};

/// What runs the instructions of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// This machine's processor, by the kernel's KVM.
    Kvm,
    /// QEMU's own emulation: any architecture on any machine, some twenty times slower.
    Emulation,
}

impl Accelerator {
    /// The best one that works here for an architecture: asked by booting its kernel, because a `/dev/kvm` that is there
    /// need not work, and one that runs the firmware of a machine need not run its kernel.
    ///
    /// # Errors
    /// When QEMU cannot be run at all.
    pub(crate) fn find(
        programs: &Programs<'_>,
        architecture: Architecture,
        kernel: &Path,
    ) -> Result<Self, LabError> {
        if architecture.uname() != std::env::consts::ARCH || !Path::new("/dev/kvm").exists() {
            return Ok(Self::Emulation);
        }
        let question = Invocation::new("timeout", trial(architecture, kernel));
        let answer = programs.ask("asking whether KVM works", question)?;
        let said = String::from_utf8_lossy(&answer.stdout).contains(END_OF_TRIAL);
        Ok(if said { Self::Kvm } else { Self::Emulation })
    }

    /// In words, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Emulation => "software emulation",
        }
    }
}

/// What a kernel says that has come as far as it can without a disk.
const END_OF_TRIAL: &str = "VFS: Unable to mount root fs";

/// How long the kernel may take for that; by a KVM that works it takes two seconds.
const PATIENCE: &str = "20";

/// The words after `timeout` that boot a kernel without a disk: it panics, resets, and QEMU ends with that.
fn trial(architecture: Architecture, kernel: &Path) -> Vec<OsString> {
    let line = format!("console={} panic=-1", qemu::serial(architecture));
    let mut words: Vec<OsString> = [
        "--signal=KILL",
        PATIENCE,
        qemu::program(architecture),
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-machine",
        qemu::board(architecture),
        "-m",
        "256M",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-no-reboot",
        "-append",
        &line,
        "-kernel",
    ]
    .map(OsString::from)
    .into();
    words.push(kernel.into());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fake::Fake;

    #[test]
    fn another_architecture_is_emulated_without_a_question() {
        let other = Architecture::ALL
            .into_iter()
            .find(|architecture| architecture.uname() != std::env::consts::ARCH)
            .expect("there are two");
        let fake = Fake::default();
        let kernel = Path::new("/cache/vmlinuz");
        let found = Accelerator::find(&Programs::new(&fake), other, kernel).expect("known without asking");
        assert_eq!(found, Accelerator::Emulation);
        assert!(fake.asked().is_empty());
    }

    #[test]
    fn a_kvm_that_does_not_boot_the_kernel_is_not_used() {
        let own = Architecture::from_uname(std::env::consts::ARCH).expect("tests run on one that is known");
        if !Path::new("/dev/kvm").exists() {
            return; // Then nothing is asked.
        }
        for (said, found) in [
            (
                "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
                Accelerator::Kvm,
            ),
            ("SeaBIOS (version 1.16.2)\n", Accelerator::Emulation),
        ] {
            let fake = Fake::default().says("timeout --signal=KILL 20 qemu-system-", said);
            let kernel = Path::new("/cache/vmlinuz");
            assert_eq!(
                Accelerator::find(&Programs::new(&fake), own, kernel).expect("asked"),
                found
            );
        }
    }
}
