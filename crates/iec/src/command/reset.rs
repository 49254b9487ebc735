//! `iec reset`: from a running site back to bare hosts.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use iec_core::credentials::Credentials;
use iec_core::facts::Facts;
use iec_core::reset::{Stage, remains, stages, transfers};
use iec_host::{Fleet, HostResult, RunName, StageRun, Summary, run_stage};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::kubeconfig::{self, TakenBack};
use super::log;
use super::operation::Operation;
use super::planning::{has_cluster, probed};
use super::reach::{block_on, fleet, home};
use super::run_log::{RunLog, logged_at, with_log};
use super::run_result::{host_json, run_error};
use super::run_view::{RunView, watch};
use super::site_file::{self, SiteFile};
use crate::cli::Reset;
use crate::credentials;
use crate::error::{CliError, Kind, Outcome, unwritable};
use crate::settings::Settings;
use crate::ui::{Document, Ui, count};

/// Takes everything back.
pub(super) fn run(arguments: &Reset, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    let claims = arguments.take_over.take_over.into();
    let mut operation = Operation::new("reset", &file, (&settings.who, &settings.runs), claims);
    block_on(async {
        let reset = reset(arguments, (&file, &fleet), &mut operation, (settings, ui)).await;
        operation.end(reset).await
    })
}

async fn reset(
    arguments: &Reset,
    (file, fleet): (&SiteFile, &Fleet),
    operation: &mut Operation<'_>,
    (settings, ui): (&Settings, &Ui),
) -> Result<Outcome, CliError> {
    let site = file.site.name();
    operation.take_over(fleet, ui).await?;
    let (journals, silent) = log::read(fleet).await;
    if let Some(error) = silent {
        return Err(
            error.next("a host that is gone for good: set `unreachable: true` on it in the site file")
        );
    }
    let facts = probed(fleet).await?.facts;
    refuse_foreign(file, &facts)?;
    let problems = iec_core::reset::refuse(&file.site, &facts);
    if problems.has_errors() {
        let error = CliError::refused("IEC1868", format!("the site {site} is not taken back"));
        return Err(error.with_diagnostics(file.text.clone(), problems));
    }
    let mut stages = stages(&file.site, &journals);
    stages.extend(transfers(&file.site, &journals, &facts));
    if stages.is_empty() {
        if let Some(error) = still_there(file, &facts, Kind::Refused) {
            return Err(error);
        }
        ui.result(Document::Reset, &json!({ "site": site, "stages": [] }), || {
            format!("Nothing to take back: no host of the site {site} has a journal of IEC.")
        });
        return Ok(Outcome::Done);
    }
    ui.event(
        Document::ResetPlan,
        &json!({ "site": site, "stages": stages.iter().map(stage_json).collect::<Vec<_>>() }),
    );
    ui.say(&stages_text(file, &stages));
    if !arguments.yes
        && !ui.confirm(
            &format!("Take the site {site} back? Its cluster and its data will be gone"),
            "--yes",
        )?
    {
        return Err(CliError::new(
            Kind::Stopped,
            "IEC0906",
            "the question was answered with no",
        ));
    }
    let (summary, log) = {
        operation.begin(credentials_of(file, &facts).as_ref(), ui).await?;
        take_back(&stages, fleet, file, ("", operation), (settings, ui)).await?
    };
    // A journal says what was done on a host; whether the cluster is gone, only the host itself can say.
    let facts = probed(fleet).await?.facts;
    if let Some(error) = still_there(file, &facts, Kind::StepFailed) {
        return Err(error);
    }
    let retired = retire(file, fleet, &named_kubeconfigs(arguments, settings), ui)?;
    let hosts: serde_json::Map<String, serde_json::Value> = summary
        .hosts
        .iter()
        .map(|(name, host)| (name.clone(), host_json(host)))
        .collect();
    ui.result(
        Document::Reset,
        &json!({
            "site": site, "hosts": hosts, "removed": retired.removed, "changed": retired.changed,
            "log": log,
        }),
        || {
            format!(
                "The site {site} is taken back: {} bare again.{}\n{}",
                are(summary.hosts.len()),
                retired.text(),
                logged_at(log.as_deref())
            )
        },
    );
    Ok(Outcome::Done)
}

/// Refuses hosts that belong to a site of another name: a site file that lists them by mistake must not be the end of it.
pub(super) fn refuse_foreign(file: &SiteFile, facts: &Facts) -> Result<(), CliError> {
    let own = file.site.name().as_str();
    let sites = facts
        .known()
        .filter_map(|(host, facts)| Some((host, facts.previous.site.as_deref()?)));
    let foreign: Vec<_> = sites.filter(|(_, site)| *site != own).collect();
    let Some((host, site)) = foreign.first() else {
        return Ok(());
    };
    let error = CliError::refused(
        "IEC1862",
        format!("{host} belongs to the site {site}, not to {own}"),
    );
    let named = |error: CliError, (host, site): &(&str, &str)| {
        error.evidence(format!("{host}: /etc/iec/site names {site}"))
    };
    let error = foreign.iter().fold(error, named);
    Err(error.next("take them out of this site file; `iec reset` with that site's own file takes them back"))
}

fn are(hosts: usize) -> String {
    format!(
        "{} {}",
        count(hosts, "host"),
        if hosts == 1 { "is" } else { "are" }
    )
}

fn stages_text(file: &SiteFile, stages: &[Stage]) -> String {
    let mut text = format!("To take back the site {}:\n", file.site.name());
    for stage in stages {
        let _ = writeln!(
            text,
            "  - {} (on {}, {})",
            stage.title,
            stage.host,
            count(stage.steps.len(), "step")
        );
    }
    text
}

pub(super) fn stage_json(stage: &Stage) -> serde_json::Value {
    let steps: Vec<&str> = stage
        .steps
        .iter()
        .map(|recorded| recorded.step.as_str())
        .collect();
    json!({ "host": stage.host, "title": stage.title, "steps": steps, "last": stage.last })
}

/// The credentials of the cluster, where one stands. A damaged file must not keep hosts from being freed.
pub(super) fn credentials_of(file: &SiteFile, facts: &Facts) -> Option<Credentials> {
    let known = || credentials::load(&file.secrets()).ok().flatten();
    has_cluster(&file.site, facts).then(known).flatten()
}

/// Runs the stages one after the other; the first that does not end well ends the command, which goes on with these options.
pub(super) async fn take_back(
    stages: &[Stage],
    fleet: &Fleet,
    file: &SiteFile,
    (options, operation): (&str, &Operation<'_>),
    (settings, ui): (&Settings, &Ui),
) -> Result<(Summary, Option<PathBuf>), CliError> {
    let Operation {
        command, run, owner, ..
    } = operation;
    let stop = operation.stop();
    let log = RunLog::of_site(file, (run, owner), settings, ui);
    let mut view = RunView::without_estimate(ui, command, log).of(operation);
    let mut summary = Summary::default();
    let run = Run {
        owner,
        run,
        stop: &stop,
    };
    for stage in stages {
        let Some(result) = run.stage(stage, fleet, &mut view).await else {
            continue;
        };
        let ended = !matches!(result.result, HostResult::Done);
        summary.hosts.insert(stage.host.clone(), result);
        if ended || stop.is_cancelled() {
            break;
        }
    }
    let log = view.finish();
    let again = format!("iec {command} {}{options}", file.word());
    let hosts: BTreeSet<&str> = stages.iter().map(|stage| stage.host.as_str()).collect();
    let ended_early = summary.hosts.len() < hosts.len();
    let stopped = || {
        CliError::new(Kind::Stopped, "IEC4007", format!("the {command} was stopped"))
            .next(format!("{again} goes on where it stopped"))
    };
    let error = run_error(&summary, None, &again).or_else(|| ended_early.then(stopped));
    let path = log.end(error.as_ref());
    match error {
        Some(error) => Err(with_log(error, path.as_deref())),
        None => Ok((summary, path)),
    }
}

/// What all stages of a reset share.
struct Run<'a> {
    owner: &'a str,
    run: &'a RunName,
    stop: &'a CancellationToken,
}

impl Run<'_> {
    async fn stage(
        &self,
        stage: &Stage,
        fleet: &Fleet,
        view: &mut RunView<'_>,
    ) -> Option<iec_host::HostSummary> {
        let host = fleet.host(&stage.host)?;
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let sink = |progress| {
            // Nobody looks any more only when the work is over.
            let _ = sender.send((stage.host.clone(), progress));
        };
        let run = StageRun {
            stage,
            host: host.as_ref(),
            owner: self.owner,
            run: self.run,
            stop: self.stop,
        };
        Some(watch(run_stage(&run, &sink), receiver, self.stop, view).await)
    }
}

/// That the cluster still is on control planes, whatever the journals said: its credentials stay then.
fn still_there(file: &SiteFile, facts: &Facts, kind: Kind) -> Option<CliError> {
    let found = remains(&file.site, facts);
    if found.is_empty() {
        return None;
    }
    let cause = format!(
        "the cluster of the site {} is still on its control plane, and the journal there does not say how it is taken back",
        file.site.name()
    );
    let error = found
        .into_iter()
        .fold(CliError::new(kind, "IEC3960", cause), CliError::evidence);
    Some(
        error
            .evidence(format!("{} is kept", file.secrets().path.display()))
            .next(format!(
                "iec apply {} records again what is on the hosts; then reset",
                file.word()
            )),
    )
}

/// The kubeconfigs that entries of the site are looked for in: the site's own, the user's, and the one that was named.
fn named_kubeconfigs(arguments: &Reset, settings: &Settings) -> Vec<PathBuf> {
    let own = home(settings).join(".kube/config");
    std::iter::once(own).chain(arguments.kubeconfig.clone()).collect()
}

/// What became of the files by which the cluster let somebody in.
#[derive(Debug, Default)]
struct Retired {
    /// They are gone.
    removed: Vec<PathBuf>,
    /// They are there, without the entries of the site.
    changed: Vec<PathBuf>,
}

impl Retired {
    fn text(&self) -> String {
        let names = |paths: &[PathBuf]| {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            crate::ui::list(&names)
        };
        let mut text = String::new();
        if !self.removed.is_empty() {
            let _ = write!(text, " Removed {}.", names(&self.removed));
        }
        if !self.changed.is_empty() {
            let _ = write!(text, " Took its entries out of {}.", names(&self.changed));
        }
        text
    }
}

/// Removes what opened the cluster that is gone: its credentials and its entries in kubeconfigs.
fn retire(file: &SiteFile, fleet: &Fleet, kubeconfigs: &[PathBuf], ui: &Ui) -> Result<Retired, CliError> {
    let mut retired = Retired::default();
    // A control plane that was not reached still runs with these credentials.
    if file
        .site
        .control_planes()
        .any(|host| fleet.host(host.name().as_str()).is_none())
    {
        return Ok(retired);
    }
    let secrets = file.secrets();
    // Without the authority nobody can tell whose the entries are. A damaged file must not keep hosts from being freed.
    match credentials::load(&secrets) {
        Ok(Some(known)) => {
            let own = kubeconfig::default_path(&file.path);
            for path in std::iter::once(&own).chain(kubeconfigs) {
                match kubeconfig::take_back(path, file, fleet, &known) {
                    Ok(TakenBack::Nothing) => {}
                    Ok(TakenBack::File) => retired.removed.push(path.clone()),
                    Ok(TakenBack::Entries) => retired.changed.push(path.clone()),
                    Err(error) => ui.warn(&error.code, &error.cause),
                }
            }
        }
        Ok(None) => {}
        Err(error) => ui.warn(&error.code, &error.cause),
    }
    match std::fs::remove_file(&secrets.path) {
        Ok(()) => retired.removed.insert(0, secrets.path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(unwritable(
                "IEC3907",
                "file of the cluster that is gone",
                &secrets.path,
                &error,
            ));
        }
    }
    Ok(retired)
}
