//! `iec plan`: what would be done.

use std::fmt::Write as _;

use iec_core::plan::TOKEN_LIFE;
use iec_sh::Word;
use serde_json::json;

use super::check::describe;
use super::content::Content;
use super::operation::{operator, operator_line};
use super::planning::{Asked, planned, planned_for};
use super::reach::{block_on, fleet};
use super::seed::{Seeding, Seeds};
use super::selection::selection;
use super::site_file;
use super::{admission, saved_plan};
use crate::cli::Plan;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::plan::{Detail, changes};
use crate::ui::{Document, Ui};

/// Prints the difference between the site file and the hosts.
pub(super) fn run(arguments: &Plan, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    if let Some(path) = &arguments.out {
        saved_plan::refuse_place(path)?;
    }
    let file = site_file::read(&arguments.site)?;
    ui.diagnostics(&file.warnings, &file.text);
    let content = Content::open(&file, settings, ui)?;
    let seeds = Seeds::new(Seeding::Say, settings);
    let left_out = admission::left_out(&file, &arguments.limit.limit)?;
    let selection = selection(&arguments.steps, None)?;
    let planned = match &arguments.facts {
        Some(facts) => planned_for(&file, &content, (facts, seeds, &selection), ui)?,
        None => {
            let fleet = fleet(&file.site, &arguments.reach, settings)?.without(&left_out);
            let asked = Asked {
                token_life: TOKEN_LIFE,
                seeds,
                left_out,
                selection: selection.clone(),
            };
            block_on(planned(&file, &content, &fleet, asked, ui))?
        }
    };
    let operator = match planned.of_cluster() {
        Some(known) => block_on(async { Ok(operator(&file, known).await) })?,
        None => None,
    };
    if let Some(path) = &arguments.out {
        saved_plan::write(
            path,
            &file,
            &planned,
            (&arguments.limit.limit, &selection),
            settings,
        )?;
    }
    let detail = match (arguments.brief, arguments.all) {
        (true, _) => Detail::Brief,
        (false, true) => Detail::Everything,
        (false, false) => Detail::Changes,
    };
    let value = json!({
        "site": planned.plan.site,
        "release": planned.plan.release,
        "warnings": planned.plan.warnings,
        "accepted": planned.plan.accepted,
        "changes": planned.changes,
        "pending": !planned.changes.is_settled(),
        "silent": planned.silent.keys().collect::<Vec<_>>(),
        "held": planned.held,
        "unselected": planned.unselected,
        "operator": operator,
        "file": arguments.out,
    });
    ui.result(Document::Plan, &value, || {
        let mut text = format!(
            "Plan for {}\n\n{}",
            describe(&file.site),
            changes(&planned.changes, detail)
        );
        for warning in &planned.plan.warnings {
            let _ = writeln!(text, "Warning: {warning}.");
        }
        if let Some(operator) = &operator {
            let _ = writeln!(text, "{}", operator_line(operator));
        }
        if planned.silent.is_empty() {
            for line in planned.held_lines() {
                let _ = writeln!(text, "{line}");
            }
        }
        if let Some(line) = planned.unselected_line() {
            let _ = writeln!(text, "{line}");
        }
        if !planned.changes.is_settled() {
            let word = match &arguments.out {
                Some(path) => Word::new(path.to_string_lossy()),
                None => file.word(),
            };
            let limit = match (&arguments.out, arguments.limit.limit.join(",")) {
                (None, hosts) if !hosts.is_empty() => format!(" --limit {hosts}"),
                _ => String::new(),
            };
            let steps = match &arguments.out {
                None if !selection.is_everything() => format!(" {selection}"),
                _ => String::new(),
            };
            let _ = write!(text, "\n  iec apply {word}{limit}{steps}\n");
        }
        text
    });
    match planned.silence("the plan is without it") {
        Some(error) => Err(error),
        None if arguments.detailed_exitcode && !planned.changes.is_settled() => Ok(Outcome::Pending),
        None => Ok(Outcome::Done),
    }
}
