//! OPNFV's Pod Descriptor File (PDF) and Installer Descriptor File (IDF), made into a site file and of a site.
//!
//! The two belong together: networks of the IDF name interfaces of the PDF by their index, and its lists of nodes
//! are in the order of the PDF's. Everything that is wrong with either is reported in one run.

mod assemble;
mod check;
mod descriptors;
mod form;
mod idf;
mod management;
mod pdf;
mod roles;
mod wanted;

pub(crate) use descriptors::files;
pub use wanted::{HostChoice, Wanted};

use form::Form;
use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::spec::source::Source;
use iec_core::spec::tree;

/// The form that descriptors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Pharos: its schemas decide, and a deviation is an error.
    Pharos,
    /// Kuberef: files much like Pharos', read as far as they can be; a deviation is a warning.
    Kuberef,
}

/// A descriptor: its text, and what diagnostics call it.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor<'d> {
    /// Its text.
    pub text: &'d str,
    /// The name of its file.
    pub file: &'d str,
}

/// What two descriptors became.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The text of the site file. It has no password, and may still break rules of sites: read it before you trust it.
    pub text: String,
    /// The name of the site, if the descriptors or [`Wanted`] have one that a site may have.
    pub name: String,
    /// What somebody should know: deviations, what was chosen, what was left out, where passwords were.
    pub warnings: Diagnostics,
}

/// Makes a site file of two descriptors.
///
/// # Errors
///
/// Everything that is wrong with them, warnings included. No message has a password, but a descriptor's own text does:
/// show it [`crate::masked`] only.
pub fn import(
    pdf: &Descriptor<'_>,
    idf: &Descriptor<'_>,
    dialect: Dialect,
    wanted: &Wanted<'_>,
) -> Result<Imported, Diagnostics> {
    let mut problems = Diagnostics::new();
    let pod = read(pdf, PDF, dialect, &mut problems, pdf::read);
    let installer = read(idf, IDF, dialect, &mut problems, idf::read);
    let (Some(pod), Some(installer)) = (pod, installer) else {
        return Err(problems);
    };
    let made = assemble::assemble(pod, &installer, dialect, wanted, &mut problems);
    let ((text, name), warnings) = problems.accept(made)?;
    Ok(Imported { text, name, warnings })
}

const PDF: tree::Kind = tree::Kind {
    called: "a Pod Descriptor File",
    one_document: "give the file that has `details`, `jumphost` and `nodes`",
    merge_keys: true,
    tags: false,
    repeated: tree::Repeated::Refused,
};

const IDF: tree::Kind = tree::Kind {
    called: "an Installer Descriptor File",
    one_document: "give the file that has `idf`",
    merge_keys: true,
    tags: false,
    repeated: tree::Repeated::Refused,
};

fn read<T>(
    descriptor: &Descriptor<'_>,
    kind: tree::Kind,
    dialect: Dialect,
    problems: &mut Diagnostics,
    walk: impl FnOnce(&tree::Node, &mut Form<'_>) -> Option<T>,
) -> Option<T> {
    let source = Source::new(descriptor.text, descriptor.file);
    let root = tree::parse(&source, kind, problems)?;
    let read = walk(&root, &mut Form::new(dialect, problems));
    if read.is_none() && !problems.has_errors() {
        // A lenient dialect may have told all of it as warnings.
        let message = format!("there is nothing in it that {} needs", kind.called);
        problems.push(
            Diagnostic::error("IEC0815", message)
                .at(&root.place.head())
                .hint(kind.one_document),
        );
    }
    read
}
