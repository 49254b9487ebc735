//! A site told to other installers: which forms there are, and the files of each.

use iec_core::diagnostic::Diagnostics;
use iec_core::render::{Files, Subject};

use crate::{airship, cluster_instance, metal3, opnfv};

/// A form in which a site is told to another installer. It needs no bundle, and has no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OPNFV's Pod Descriptor File and Installer Descriptor File.
    PdfIdf,
    /// Documents of Airship 1.
    Airship,
    /// Objects of Metal3 and Cluster API.
    Metal3,
    /// A `ClusterInstance` of Red Hat's site configuration operator.
    ClusterInstance,
}

impl Format {
    /// What it is called on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PdfIdf => "pdf-idf",
            Self::Airship => "airship",
            Self::Metal3 => "metal3",
            Self::ClusterInstance => "clusterinstance",
        }
    }
}

/// The files of a description, all of them text.
///
/// # Errors
/// When the other installer cannot be told what the site asks for; all reasons at once.
pub fn describe(subject: &Subject<'_>, format: Format) -> Result<Files, Diagnostics> {
    match format {
        Format::PdfIdf => Ok(opnfv::files(subject)),
        Format::Airship => airship::files(subject),
        Format::Metal3 => Ok(metal3::files(subject)),
        Format::ClusterInstance => Ok(cluster_instance::files(subject)),
    }
}
