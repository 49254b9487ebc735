//! The processor architectures that a site may have, and what each naming scheme calls them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A processor architecture of a host, a binary or an image.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86, baseline instruction set (`GOAMD64=v1`).
    Amd64,
    /// 64-bit Arm, ARMv8.0 and later.
    Arm64,
}

impl Architecture {
    /// Every architecture that IEC knows, in the order in which it is listed everywhere.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The name that Go, OCI images and Kubernetes use (`GOARCH`, `kubernetes.io/arch`).
    #[must_use]
    pub const fn go_name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The name that `dpkg --print-architecture` prints.
    #[must_use]
    pub const fn debian_name(self) -> &'static str {
        self.go_name()
    }

    /// The name that `uname -m` prints.
    #[must_use]
    pub const fn uname(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }

    /// The GNU triplet: the folder of shared libraries on Debian, and the prefix of cross compilers.
    #[must_use]
    pub const fn gnu_triplet(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// The architecture that `uname -m` calls `name`, if IEC knows it.
    #[must_use]
    pub fn from_uname(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.uname() == name)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.go_name())
    }
}

/// A name that is no known architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown architecture `{0}`: use amd64 or arm64")]
pub struct UnknownArchitecture(pub String);

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    /// Reads the Go or Debian name, or the `uname -m` name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.go_name() == text || architecture.uname() == text)
            .ok_or_else(|| UnknownArchitecture(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_architecture() {
        for architecture in Architecture::ALL {
            assert_eq!(architecture.go_name().parse(), Ok(architecture));
            assert_eq!(architecture.uname().parse(), Ok(architecture));
            assert_eq!(Architecture::from_uname(architecture.uname()), Some(architecture));
            assert_eq!(
                serde_json::to_string(&architecture).unwrap(),
                format!("\"{architecture}\"")
            );
        }
        assert_eq!(
            "riscv64".parse::<Architecture>(),
            Err(UnknownArchitecture("riscv64".into()))
        );
    }
}
