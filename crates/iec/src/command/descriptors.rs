//! `iec init --from-pdf`: a site file from OPNFV's descriptors.

use std::path::Path;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use iec_core::release::Release;
use iec_core::site::Role;
use iec_formats::masked;
use iec_formats::opnfv::{Descriptor, Dialect, HostChoice, Wanted, import};

use super::init::{self, DEFAULT_USER};
use crate::cli::{self, Init};
use crate::error::{CliError, Outcome, unreadable};
use crate::text_file;
use crate::ui::{Ui, count};

/// Reads both descriptors, reports everything about them, and writes the site file if nothing is wrong.
pub(super) fn run(arguments: &Init, pdf: &Path, idf: &Path, ui: &Ui) -> Result<Outcome, CliError> {
    let (pdf_file, idf_file) = (pdf.to_string_lossy(), idf.to_string_lossy());
    let pdf = read(pdf, "Pod Descriptor File")?;
    let idf = read(idf, "Installer Descriptor File")?;
    // Only these may be shown: the descriptors themselves have passwords.
    let (shown_pdf, shown_idf) = (masked(&pdf), masked(&idf));
    let usual = init::name_of_folder(arguments);
    let hosts: Vec<HostChoice<'_>> = arguments
        .hosts
        .iter()
        .map(|host| HostChoice {
            name: &host.name,
            address: &host.address,
            role: host.role.map(|role| match role {
                cli::Role::ControlPlane => Role::ControlPlane,
                cli::Role::Worker => Role::Worker,
            }),
        })
        .collect();
    let bundle = arguments.bundle.as_ref().map(|bundle| bundle.to_string_lossy());
    let wanted = Wanted {
        name: arguments.name.as_deref(),
        usual_name: &usual,
        release: Release::names().last().unwrap_or_default(),
        bundle: bundle.as_deref(),
        user: arguments.user.as_deref().unwrap_or(DEFAULT_USER),
        identity: arguments.identity.as_deref(),
        hosts: &hosts,
    };
    let dialect = match arguments.dialect {
        cli::Dialect::Pharos => Dialect::Pharos,
        cli::Dialect::Kuberef => Dialect::Kuberef,
    };
    let pdf = Descriptor {
        text: &pdf,
        file: &pdf_file,
    };
    let idf = Descriptor {
        text: &idf,
        file: &idf_file,
    };
    match import(&pdf, &idf, dialect, &wanted) {
        Ok(imported) => {
            let (of_idf, others): (Vec<Diagnostic>, Vec<Diagnostic>) = imported
                .warnings
                .into_iter()
                .partition(|problem| is_in(problem, &idf_file));
            ui.diagnostics(&others.into_iter().collect(), &shown_pdf);
            ui.diagnostics(&of_idf.into_iter().collect(), &shown_idf);
            init::finish(arguments, imported.text, ui)
        }
        Err(problems) => Err(refuse(problems, shown_pdf, &idf_file, shown_idf)),
    }
}

fn is_in(problem: &Diagnostic, file: &str) -> bool {
    problem.place.as_ref().is_some_and(|place| &*place.file == file)
}

fn read(path: &Path, what: &str) -> Result<String, CliError> {
    text_file::read(path, text_file::DOCUMENT).map_err(|error| unreadable("IEC0820", what, path, &error))
}

fn refuse(problems: Diagnostics, pdf: String, idf_file: &str, idf: String) -> CliError {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let lenient = problems
        .iter()
        .any(|problem| ["IEC0811", "IEC0812", "IEC0813", "IEC0814"].contains(&problem.code));
    let refusal = CliError::refused(
        "IEC0820",
        format!("the descriptors make no site: {}", count(errors, "error")),
    )
    .with_diagnostics(pdf, problems)
    .with_further_text(idf_file, idf);
    if lenient {
        refusal.next(
            "iec init --dialect kuberef reads descriptors that deviate from Pharos' schemas, with warnings",
        )
    } else {
        refusal
    }
}
