//! Whether this machine's processor runs a virtual machine, or a program emulates it.

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::program::{Input, Invocation, Programs};
use iec_core::architecture::Architecture;

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
    /// The best one that works here for an architecture: asked by starting a machine without a processor's work, because
    /// a `/dev/kvm` that is there need not work.
    ///
    /// # Errors
    /// When QEMU cannot be run at all.
    pub(crate) fn find(programs: &Programs<'_>, architecture: Architecture) -> Result<Self, LabError> {
        if architecture.uname() != std::env::consts::ARCH || !std::path::Path::new("/dev/kvm").exists() {
            return Ok(Self::Emulation);
        }
        let words = [
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-machine",
            super::qemu::board(architecture),
            "-display",
            "none",
            "-nodefaults",
            "-S",
            "-monitor",
            "stdio",
        ];
        let question = Invocation::new(super::qemu::program(architecture), words)
            .input(Input::Bytes(b"quit\n".to_vec()));
        let answer = programs.ask("asking whether KVM works", question)?;
        Ok(if answer.code == Some(0) {
            Self::Kvm
        } else {
            Self::Emulation
        })
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
        let found = Accelerator::find(&Programs::new(&fake), other).expect("known without asking");
        assert_eq!(found, Accelerator::Emulation);
        assert!(fake.asked().is_empty());
    }
}
