//! `iec verify`: proves that the cluster is what the site file says, and that it works.

use std::time::Duration;

use iec_core::cause::{SUSPECTED_FILTER, causes, leave_open, name_closed_chains, suspected_filters};
use iec_core::check::Check;
use iec_core::diagnostic::Severity;
use iec_core::facts::{Facts, preflight_of_answers};
use iec_core::pace::Pace;
use iec_core::packet_size;
use iec_core::proxy_mode;
use iec_core::release::Release;
use iec_core::report::{Outcome as RowOutcome, Report, Row, Verdict, Warning};
use iec_core::virtual_address;
use iec_host::{Fleet, probe};
use iec_kube::{Image, VerifyOptions};

use super::certificates::certificates;
use super::cluster::{self, FromHosts};
use super::control_plane_health::control_plane_rows;
use super::planning::found;
use super::reach::{block_on, fleet};
use super::site_file::{self, SiteFile};
use super::{bundle, interrupt};
use crate::cli::Verify;
use crate::error::{CliError, Kind, Outcome};
use crate::settings::Settings;
use crate::ui::{Board, Document, Mark, Ui, count};

/// How long a control plane that is not well is asked again at the end, when all else has settled.
const SETTLING: Duration = Duration::from_secs(30);

/// Verifies and reports.
pub(super) fn run(arguments: &Verify, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    let report = block_on(verify(&file, &fleet, arguments.settle, settings, ui))?;
    print(&report, ui);
    finish(&report)
}

/// Proves the site; the rows are shown as they come.
pub(super) async fn verify(
    file: &SiteFile,
    fleet: &Fleet,
    settle: u64,
    settings: &Settings,
    ui: &Ui,
) -> Result<Report, CliError> {
    let release = bundle::release(file.site.release())?;
    // What a silent host is known by is asked of the cluster and of the others.
    let probed = probe(fleet, None).await;
    let paces = probed.facts.known().map(|(_, host)| Pace::of(host));
    let pace = paces.fold(Pace::ORDINARY, Pace::slower_of);
    let reached = cluster::open(file, &release, fleet, pace.patience()).await?;
    let expected = reached.expected.with_answers(&probed.facts);
    let certificates = certificates(&file.site, fleet).await;
    let image = release.image("nginx").ok_or_else(|| {
        CliError::refused(
            "IEC5007",
            format!("release {} has no nginx image to prove a site with", release.name),
        )
    })?;
    let options = VerifyOptions {
        image: Image {
            reference: image.to_owned(),
            may_pull: false,
        },
        holder: settings.who.clone(),
        host_rows: [packet_size::judge, proxy_mode::judge, virtual_address::judge]
            .into_iter()
            .flat_map(|judge| judge(&file.site, &probed.facts))
            .collect(),
        settle: Duration::from_secs(settle),
    };
    let stop = interrupt::token();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<Row>();
    let sink = move |row: &Row| {
        // Nobody looks any more only when the work is over.
        let _ = sender.send(row.clone());
    };
    let hosts = FromHosts { fleet };
    let mut board = ui.board("verify");
    for row in &certificates.rows {
        show(row, &mut board, ui);
    }
    let mut report = {
        let work = iec_kube::verify(&reached.cluster, &expected, &options, &hosts, &stop, &sink);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(mut row) = receiver.recv() => {
                    complete(&mut row, &probed.facts);
                    show(&row, &mut board, ui);
                }
                report = &mut work => break report,
            }
        }
    };
    while let Ok(mut row) = receiver.try_recv() {
        complete(&mut row, &probed.facts);
        show(&row, &mut board, ui);
    }
    // Asked last: what has just started has settled by now.
    let control_planes = control_plane_rows(&file.site, fleet, SETTLING).await;
    for row in &control_planes {
        show(row, &mut board, ui);
    }
    board.finish();
    report.warnings.extend(suspected_filters(&report, &probed.facts));
    for row in &mut report.rows {
        complete(row, &probed.facts);
    }
    report.notes = accepted(file, &release, &probed.facts);
    certificates.complete(&mut report);
    report.rows.extend(control_planes);
    Ok(report)
}

/// What the hosts say beside the cluster about a row.
fn complete(row: &mut Row, facts: &Facts) {
    leave_open(row, facts);
    name_closed_chains(row, facts);
}

/// What lowers the support of the site and its file accepts, what several hosts have alike once.
fn accepted(file: &SiteFile, release: &Release, facts: &Facts) -> Vec<Warning> {
    let notes = found(file, release, facts, None, preflight_of_answers).of(Severity::Note);
    notes
        .by_kind()
        .iter()
        .map(|kind| Warning {
            code: Some(kind.code.to_owned()),
            text: kind.to_string(),
        })
        .collect()
}

fn show(row: &Row, board: &mut Board<'_>, ui: &Ui) {
    ui.event(Document::VerifyRow, row);
    let text = format!("{} [{}]", row.title, row.scope);
    match &row.outcome {
        RowOutcome::Passed => {
            board.busy("passed", &text);
            board.detail(Mark::Done, "", &text);
        }
        RowOutcome::Failed(failure) => {
            board.line(
                Mark::Failed,
                "",
                &format!("{text}: {} instead of {}", failure.found, failure.expected),
            );
        }
        RowOutcome::CouldNotTell { reason } => {
            board.line(Mark::Note, "", &format!("{text}: could not tell, {reason}"));
        }
        RowOutcome::NotApplicable { reason } => {
            board.detail(Mark::Unchanged, "", &format!("{text}: not applicable, {reason}"));
        }
    }
}

/// Prints a report.
pub(super) fn print(report: &Report, ui: &Ui) {
    ui.result(Document::Report, &report.to_json(), || report.to_text());
}

/// The error with the packet filters that are suspected, and the first likely cause of what failed.
fn with_cause(error: CliError, report: &Report) -> CliError {
    let suspected = report
        .warnings
        .iter()
        .filter(|warning| warning.code.as_deref() == Some(SUSPECTED_FILTER));
    let error = suspected.fold(error, |error, warning| {
        error.evidence(warning.text.clone()).next(format!(
            "iec explain {SUSPECTED_FILTER} says what a packet filter has to let pass"
        ))
    });
    let causes = causes(report);
    let Some(cause) = causes.first() else { return error };
    let check = Check::by_id(&cause.id);
    let code = check.map_or("IEC5008", |check| check.code);
    let follows = match cause.follows.len() {
        0 => String::new(),
        number => format!(
            "; {} from it",
            if number == 1 {
                "another row follows".to_owned()
            } else {
                format!("{number} other rows follow")
            }
        ),
    };
    error
        .evidence(format!(
            "the likely cause is {} [{}]{follows}",
            cause.id, cause.scope
        ))
        .next(format!("iec explain {code} says more about it"))
}

/// A report's verdict as the command's end.
pub(super) fn finish(report: &Report) -> Result<Outcome, CliError> {
    let counts = report.counts();
    let error = match report.verdict() {
        Verdict::Passed => return Ok(Outcome::Done),
        Verdict::Failed => {
            let cause = format!(
                "the site {} is not as it should be: {} failed",
                report.site,
                count(counts.failed, "row")
            );
            CliError::new(Kind::VerificationFailed, "IEC5008", cause)
        }
        Verdict::CouldNotTell if report.stopped => CliError::new(
            Kind::Stopped,
            "IEC5009",
            "the verification was stopped before its end",
        ),
        Verdict::CouldNotTell => {
            let cause = format!("{} could not be told", count(counts.could_not_tell, "row"));
            CliError::new(Kind::CouldNotTell, "IEC5010", cause)
        }
    };
    Err(with_cause(error, report))
}
