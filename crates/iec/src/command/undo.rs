//! `iec undo`: takes back what a run has done.

use std::fmt::Write as _;

use iec_core::runs::{Run, runs};
use iec_core::undo::{NoUndo, Stays, Target, Undoing, Why, put_back, undoing};
use iec_host::Fleet;
use serde_json::{Map, Value, json};

use super::log;
use super::operation::Operation;
use super::planning::probed;
use super::reach::{block_on, fleet};
use super::reset::{credentials_of, refuse_foreign, stage_json, take_back};
use super::run_log::logged_at;
use super::run_result::host_json;
use super::site_file::{self, SiteFile};
use crate::cli::Undo;
use crate::error::{CliError, Kind, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui, count, list};

/// The step whose undo ends every container of a host.
const CONTAINERD: &str = "runtime.containerd";
/// How many paths of a step are named.
const MOST_PATHS: usize = 3;
/// How many steps that stay are named in a refusal.
const MOST_NAMED: usize = 20;

/// Takes it back.
pub(super) fn run(arguments: &Undo, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    let claims = arguments.take_over.take_over.into();
    let mut operation = Operation::new("undo", &file, (&settings.who, &settings.runs), claims);
    block_on(async {
        let undone = undo(arguments, (&file, &fleet), &mut operation, (settings, ui)).await;
        operation.end(undone).await
    })
}

async fn undo(
    arguments: &Undo,
    (file, fleet): (&SiteFile, &Fleet),
    operation: &mut Operation<'_>,
    (settings, ui): (&Settings, &Ui),
) -> Result<Outcome, CliError> {
    let target = match (&arguments.run, &arguments.to) {
        (Some(run), _) => Target::Run(run),
        (None, Some(step)) => Target::To(step),
        (None, None) => Target::LastRun,
    };
    if !arguments.dry_run {
        operation.take_over(fleet, ui).await?;
    }
    let (journals, silent) = log::read(fleet).await;
    if let Some(error) = silent {
        return Err(error.evidence("what was done there, nobody can say"));
    }
    let facts = probed(fleet).await?.facts;
    refuse_foreign(file, &facts)?;
    let undoing = undoing(&file.site, &journals, target).map_err(|reason| refused(file, reason))?;
    if ends_containers(&undoing) {
        let problems = iec_core::reset::refuse(&file.site, &facts);
        if problems.has_errors() {
            let error = CliError::refused("IEC1868", "it is not taken back");
            return Err(error.with_diagnostics(file.text.clone(), problems));
        }
    }
    let known = runs(&journals);
    let run = known.iter().find(|run| Some(&run.run) == undoing.run.as_ref());
    let value = json!({
        "site": file.site.name(), "run": undoing.run, "stays": undoing.stays,
        "stages": undoing.stages.iter().map(stage_json).collect::<Vec<_>>(),
    });
    if arguments.dry_run {
        ui.result(Document::UndoPlan, &value, || text(&undoing, run));
        return Ok(Outcome::Done);
    }
    ui.event(Document::UndoPlan, &value);
    ui.say(&text(&undoing, run));
    if (!undoing.stays.is_empty() && !arguments.partly) || undoing.stages.is_empty() {
        return Err(not_whole(file, &undoing));
    }
    if !arguments.yes && !ui.confirm("Take this back", "--yes")? {
        return Err(CliError::new(
            Kind::Stopped,
            "IEC0906",
            "the question was answered with no",
        ));
    }
    operation.begin(credentials_of(file, &facts).as_ref(), ui).await?;
    let options = options(arguments, &undoing);
    let (summary, log) = take_back(
        &undoing.stages,
        fleet,
        file,
        (&options, operation),
        (settings, ui),
    )
    .await?;
    let hosts = summary.hosts.iter();
    let hosts: Map<String, Value> = hosts
        .map(|(name, host)| (name.clone(), host_json(host)))
        .collect();
    let value = json!({
        "site": file.site.name(), "run": undoing.run, "hosts": hosts, "stays": undoing.stays, "log": log,
    });
    ui.result(Document::Undo, &value, || {
        let steps: usize = undoing.stages.iter().map(|stage| stage.steps.len()).sum();
        format!(
            "Taken back: {} on {}. What the site file still asks for, the next iec apply {} does again.\n{}",
            count(steps, "step"),
            count(summary.hosts.len(), "host"),
            file.word(),
            logged_at(log.as_deref())
        )
    });
    Ok(Outcome::Done)
}

/// What a command that goes on with this has to say: the run by its name, since it may no longer be the last one.
fn options(arguments: &Undo, undoing: &Undoing) -> String {
    let what = match (&undoing.run, &arguments.to) {
        (Some(run), _) => format!(" --run {run}"),
        (None, Some(step)) => format!(" --to {step}"),
        (None, None) => String::new(),
    };
    let partly = if arguments.partly { " --partly" } else { "" };
    format!("{what}{partly}")
}

fn ends_containers(undoing: &Undoing) -> bool {
    let mut steps = undoing.stages.iter().flat_map(|stage| &stage.steps);
    steps.any(|recorded| recorded.step.as_str() == CONTAINERD)
}

/// What is taken back and what stays, for people, in the order in which it is done.
fn text(undoing: &Undoing, run: Option<&Run>) -> String {
    let mut text = match run {
        Some(run) => {
            let by = run.by.as_deref().map_or(String::new(), |by| format!(", {by}"));
            format!("To take back the run {} of {}{by}:\n", run.run, run.began)
        }
        None => "To take back:\n".to_owned(),
    };
    for stage in &undoing.stages {
        let bare = if stage.last { ", which is bare then" } else { "" };
        let _ = writeln!(text, "  {} on {}{bare}", stage.title, stage.host);
        for recorded in &stage.steps {
            let paths = put_back(recorded);
            let restores = match paths.as_slice() {
                [] => String::new(),
                paths => format!(": puts back {}, or removes what was not there", some_of(paths)),
            };
            let _ = writeln!(text, "    - {} ({}){restores}", recorded.title(), recorded.step);
        }
    }
    if undoing.stages.is_empty() {
        text.push_str("  nothing\n");
    }
    if !undoing.stays.is_empty() {
        text.push_str("What stays as it is:\n");
    }
    for stays in &undoing.stays {
        let _ = writeln!(text, "    {}", line(stays));
    }
    text
}

fn line(stays: &Stays) -> String {
    let why = match &stays.why {
        Why::ChangedAgain { first } => {
            format!("it was done by the run {first} first; what was there just before this one is not kept")
        }
        Why::ChangedLater { run } => format!("the run {run} has changed it since"),
        Why::StoodUpon { by } => format!("{by} stands on it, was done later, and stays"),
        Why::Covered { by } => format!("it goes only with {by}, which stays"),
        Why::Never { because } => format!("it cannot be taken back: {because}"),
    };
    format!("{}: {} ({}): {why}", stays.host, stays.title, stays.step)
}

/// The first of many.
fn some_of(paths: &[String]) -> String {
    let mut named: Vec<String> = paths.iter().take(MOST_PATHS).cloned().collect();
    let further = paths.len().saturating_sub(MOST_PATHS);
    if further > 0 {
        named.push(format!("{further} more"));
    }
    list(&named)
}

/// That some of it stays, and nobody said that this is all right; or that all of it does.
fn not_whole(file: &SiteFile, undoing: &Undoing) -> CliError {
    let steps = count(undoing.stays.len(), "step");
    let cause = if undoing.stages.is_empty() {
        format!("none of it can be taken back: {steps} would stay as they are")
    } else {
        format!("{steps} of it cannot be taken back")
    };
    let named = undoing.stays.iter().take(MOST_NAMED);
    let error = named.fold(CliError::refused("IEC4042", cause), |error, stays| {
        error.evidence(line(stays))
    });
    let is_changed = |stays: &Stays| matches!(stays.why, Why::ChangedAgain { .. });
    let error = if undoing.stays.iter().any(is_changed) {
        error.next(format!(
            "put the former values into the site file, and iec apply {}",
            file.word()
        ))
    } else {
        error
    };
    if undoing.stages.is_empty() {
        return error;
    }
    error.next("--partly takes back the rest")
}

fn refused(file: &SiteFile, reason: NoUndo) -> CliError {
    match reason {
        NoUndo::Nothing => CliError::refused(
            "IEC4040",
            format!(
                "there is nothing to take back on the hosts of the site {}",
                file.site.name()
            ),
        ),
        NoUndo::UnknownRun(name) => {
            CliError::refused("IEC4041", format!("no host has a run {name}")).next("iec log names the runs")
        }
        NoUndo::UnknownStep { name, near } => {
            let error = CliError::refused("IEC4041", format!("no host has done the step {name}"));
            match near {
                Some(near) => error.next(format!("is {near} meant?")),
                None => error.next("iec log --steps names the steps"),
            }
        }
        NoUndo::WholeCluster { hosts } => {
            let names = list(&hosts);
            CliError::refused("IEC4043", "the cluster itself would be taken back")
                .evidence(format!(
                    "{names} would no longer have it, and no other control plane does"
                ))
                .next(format!("iec reset {} takes the whole site back", file.word()))
        }
    }
}
