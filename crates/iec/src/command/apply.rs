//! `iec apply`: makes the hosts what the site file says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use iec_core::content::Digest;
use iec_core::name::HostName;
use iec_core::observed::Observed;
use iec_core::plan::{HostPart, Plan, StoreBlob};
use iec_core::redact::Redaction;
use iec_core::reset::{Stage, leaving};
use iec_core::selection::StepSelection;
use iec_core::site::Role;
use iec_host::{
    Execution, Fleet, HostResult, HostSummary, Patience, Progress, RunName, StageRun, Summary, execute,
    run_stage,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::admission::{left_out, refuse_all_new, refuse_early, refuse_many};
use super::content::Content;
use super::kubeconfig::{self, Target};
use super::operation::{Claims, Operation};
use super::planning::{Asked, Planned, milliseconds, planned};
use super::reach::{block_on, fleet};
use super::run_log::{About, RunLog, logged_at, with_log};
use super::run_result::{host_json, run_error};
use super::run_view::{RunView, watch};
use super::saved_plan::{self, Saved};
use super::seed::{Seeding, Seeds};
use super::selection::selection;
use super::site_file::{self, SiteFile};
use crate::cli::{Apply, SitePath};
use crate::error::{CliError, Outcome};
use crate::kubeconfig::Selection;
use crate::settings::Settings;
use crate::ui::{Document, Ui, count, duration, size};

/// Does what is to be done.
pub(super) fn run(arguments: &Apply, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let saved = saved_plan::read(&arguments.site)?;
    let place = match &saved {
        Some(saved) => saved.site(),
        None => SitePath {
            site: arguments.site.clone(),
        },
    };
    let file = site_file::read(&place)?;
    ui.diagnostics(&file.warnings, &file.text);
    let left_out = left_out(&file, &limit(arguments, saved.as_ref())?)?;
    let selection = selection(&arguments.steps, saved.as_ref())?;
    let content = Content::open(&file, settings, ui)?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?.without(&left_out);
    let path = arguments.kubeconfig.clone();
    let kubeconfig = Target {
        path: path.unwrap_or_else(|| kubeconfig::default_path(&file.path)),
        selection: if arguments.use_context {
            Selection::Select
        } else {
            Selection::Keep
        },
    };
    // What can be seen without the site's credentials is seen before a host is asked anything.
    crate::kubeconfig::read_private(&kubeconfig.path)?;
    let seeds = Seeds::new(Seeding::Do, settings).given(&arguments.seed, &file)?;
    let request = Request {
        kubeconfig: &kubeconfig,
        token_life: arguments.token_ttl.0,
        who: &settings.who,
        claims: arguments.take_over.take_over.into(),
        left_out: &left_out,
        selection: &selection,
        saved: saved.as_ref(),
        max_changes: arguments.max_changes,
        reinstall: arguments.reinstall,
        logs: &settings.runs,
    };
    let applied = block_on(apply(&file, &content, &fleet, (&request, seeds), ui))?;
    ui.result(Document::Apply, &applied.json(&file, &kubeconfig.path), || {
        applied.text(&file, &kubeconfig.path)
    });
    applied.silence.map_or(Ok(Outcome::Done), Err)
}

/// The hosts that the run is about: those of the saved plan, where there is one.
fn limit(arguments: &Apply, saved: Option<&Saved>) -> Result<Vec<String>, CliError> {
    let limit = &arguments.limit.limit;
    match saved {
        None => Ok(limit.clone()),
        Some(saved) if limit.is_empty() => Ok(saved.plan.limit.iter().cloned().collect()),
        Some(_) => Err(
            CliError::refused("IEC4029", "a saved plan says itself which hosts it is about")
                .next("leave --limit out, or make the plan anew with it"),
        ),
    }
}

/// How the site is applied.
pub(super) struct Request<'a> {
    /// Where the administrator's kubeconfig goes.
    pub(super) kubeconfig: &'a Target,
    /// How long a bootstrap token lives that is made now.
    pub(super) token_life: Duration,
    /// Who applies it, for others to read.
    pub(super) who: &'a str,
    /// Whether it may take the site from another run.
    pub(super) claims: Claims,
    /// The hosts that are left out.
    pub(super) left_out: &'a BTreeSet<HostName>,
    /// The steps that are done.
    pub(super) selection: &'a StepSelection,
    /// The plan that was looked at before: nothing else may be done.
    pub(super) saved: Option<&'a Saved>,
    /// The most steps that may be done.
    pub(super) max_changes: Option<usize>,
    /// Whether a site that was installed may be installed on bare hosts.
    pub(super) reinstall: bool,
    /// The folder for logs of runs.
    pub(super) logs: &'a Path,
}

/// What an apply did.
pub(super) struct Applied {
    /// What was done on each host; nothing where there was nothing to do.
    summary: Summary,
    took: Duration,
    /// The log of the run, where there was something to do and it could be written.
    log: Option<PathBuf>,
    /// What was not selected and is left as it is, for people.
    unselected: Option<String>,
    /// That some hosts did not answer, where it is so.
    pub(super) silence: Option<CliError>,
}

/// Plans, refuses what must not be begun, executes, and keeps the administrator's kubeconfig.
pub(super) async fn apply(
    file: &SiteFile,
    content: &Content,
    fleet: &Fleet,
    (request, seeds): (&Request<'_>, Seeds),
    ui: &Ui,
) -> Result<Applied, CliError> {
    let mut operation = Operation::new("apply", file, (request.who, request.logs), request.claims);
    let applied = apply_as(&mut operation, content, fleet, (file, request, seeds), ui).await;
    operation.end(applied).await
}

async fn apply_as(
    operation: &mut Operation<'_>,
    content: &Content,
    fleet: &Fleet,
    (file, request, seeds): (&SiteFile, &Request<'_>, Seeds),
    ui: &Ui,
) -> Result<Applied, CliError> {
    operation.take_over(fleet, ui).await?;
    let kubeconfig = request.kubeconfig;
    let began = Instant::now();
    let asked = Asked {
        token_life: request.token_life,
        seeds,
        left_out: request.left_out.clone(),
        selection: request.selection.clone(),
    };
    let planned = planned(file, content, fleet, asked, ui).await?;
    for warning in &planned.plan.warnings {
        ui.warn("IEC3909", warning);
    }
    refuse_early(&planned)?;
    refuse_many(&planned, request.max_changes)?;
    if let Some(saved) = request.saved {
        saved.hold_against(file, &planned)?;
    }
    let credentials = &planned.credentials;
    if !request.reinstall {
        let installed = kubeconfig.has_site(file, fleet, credentials)?;
        let known = installed.then(|| format!("{} has its entries", kubeconfig.path.display()));
        refuse_all_new(file, &planned, known.as_deref())?;
    }
    kubeconfig.refuse(file, fleet, credentials)?;
    let mut summary = Summary::default();
    let mut log = None;
    tracing::debug!(milliseconds = milliseconds(began), "asked and planned");
    if !planned.changes.is_settled() {
        operation.begin(planned.of_cluster(), ui).await?;
        let hashing = Instant::now();
        content.check(&lacking(&planned))?;
        tracing::debug!(milliseconds = milliseconds(hashing), "hashed what is to be sent");
        let logged;
        (summary, logged) = executed(&planned, content, fleet, (file, request, operation), ui).await;
        let error = run_error(
            &summary,
            Some(&planned.plan),
            &format!("iec apply {}", file.word()),
        );
        log = logged.end(error.as_ref());
        if let Some(error) = error {
            let error = without_unused_secrets(error, &planned, &summary, file);
            let error = with_log(error, log.as_deref());
            let silent = planned.silent.iter();
            return Err(silent.fold(error, |error, (host, trouble)| {
                error.evidence(format!("also: host {host}: {} ({})", trouble.cause, trouble.code))
            }));
        }
    }
    planned.seeds.remove();
    // Entries of a cluster that is not there yet would say that the site was installed.
    if planned.makes_the_cluster() {
        kubeconfig.keep(file, fleet, credentials)?;
    }
    Ok(Applied {
        unselected: planned.unselected_line(),
        summary,
        took: began.elapsed(),
        log,
        silence: planned.silence("the other hosts are done"),
    })
}

/// Removes the secrets file that this very run has made, where every host is at work for somebody else: the site is theirs, and
/// so are its secrets.
fn without_unused_secrets(
    error: CliError,
    planned: &Planned,
    summary: &Summary,
    file: &SiteFile,
) -> CliError {
    let mut hosts = summary.hosts.values();
    if !planned.made_credentials || !hosts.all(|host| matches!(host.result, HostResult::Locked { .. })) {
        return error;
    }
    let path = file.secrets().path;
    if std::fs::remove_file(&path).is_err() {
        return error;
    }
    error
        .evidence(format!(
            "{} was made by this run, is of no use and is removed: the other run has the secrets of the site",
            path.display()
        ))
        .next(format!(
            "iec credentials recover {} when that run has ended, or take the secrets file from who began it",
            file.word()
        ))
}

/// The blobs that will be sent to some host.
fn lacking(planned: &Planned) -> BTreeSet<Digest> {
    let observed = &planned.observation.observed.hosts;
    let parts = planned.plan.hosts.iter();
    parts
        .filter_map(|part| Some(observed.get(part.host.as_str())?.missing_blobs(part)))
        .flatten()
        // What a seed is was read from its file a moment ago.
        .filter(|digest| planned.seeds.file_of(digest).is_none())
        .collect()
}

async fn executed(
    planned: &Planned,
    content: &Content,
    fleet: &Fleet,
    (file, request, operation): (&SiteFile, &Request<'_>, &Operation<'_>),
    ui: &Ui,
) -> (Summary, RunLog) {
    let stop = operation.stop();
    let Operation { run, owner, .. } = operation;
    let about = About {
        folder: request.logs,
        site: &planned.plan.site,
        site_file: &file.path,
        run: run.as_str(),
        owner,
    };
    let log = RunLog::begin(&about, Redaction::of(&planned.credentials), ui);
    let mut view = RunView::new(ui, "apply", planned, log).of(operation);
    ui.event(
        Document::Run,
        &json!({ "run": run.as_str(), "site": planned.plan.site }),
    );
    let work = Work {
        planned,
        content,
        fleet,
        owner,
        run,
        stop: &stop,
    };
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let sink = move |host: &str, progress| {
        // Nobody looks any more only when the work is over.
        let _ = sender.send((host.to_owned(), progress));
    };
    let summary = watch(work.stages(&sink), receiver, &stop, &mut view).await;
    (summary, view.finish())
}

/// What all stages of an apply share.
struct Work<'a> {
    planned: &'a Planned,
    content: &'a Content,
    fleet: &'a Fleet,
    owner: &'a str,
    run: &'a RunName,
    stop: &'a CancellationToken,
}

impl Work<'_> {
    /// The hosts of the site, then those that leave it, then what is left to do when all have joined.
    async fn stages(&self, sink: &(dyn Fn(&str, Progress) + Sync)) -> Summary {
        let Planned {
            plan, observation, ..
        } = self.planned;
        let mut summary = self.execute(plan, &observation.observed, sink).await;
        let is_done = |part: &HostPart, summary: &Summary| {
            let host = summary.hosts.get(part.host.as_str());
            host.is_some_and(|host| matches!(host.result, HostResult::Done))
        };
        let mut control_planes = plan.hosts.iter().filter(|part| part.role == Role::ControlPlane);
        // A host is made bare only when its node has left: that is a step of the control plane.
        if control_planes.all(|part| is_done(part, &summary)) {
            for stage in leaving(&observation.observed) {
                if let Some(result) = self.take_back(&stage, sink).await {
                    summary.hosts.insert(stage.host, result);
                }
            }
        }
        if let Some(part) = &plan.after_joins
            && plan.hosts.iter().all(|part| is_done(part, &summary))
        {
            let after = Plan {
                hosts: vec![part.clone()],
                ..plan.clone()
            };
            for (host, result) in self.execute(&after, &Observed::default(), sink).await.hosts {
                merge(&mut summary, host, result);
            }
        }
        summary
    }

    async fn execute(
        &self,
        plan: &Plan,
        observed: &Observed,
        sink: &(dyn Fn(&str, Progress) + Sync),
    ) -> Summary {
        let blob_file = |blob: &StoreBlob| match self.planned.seeds.file_of(&blob.digest) {
            Some(seed) => seed.to_owned(),
            None => self.content.file_of(blob),
        };
        let execution = Execution {
            plan,
            fleet: self.fleet,
            observed,
            owner: self.owner,
            run: self.run,
            blob_file: &blob_file,
            stop: self.stop,
            patience: Patience::default(),
        };
        execute(&execution, sink).await
    }

    async fn take_back(&self, stage: &Stage, sink: &(dyn Fn(&str, Progress) + Sync)) -> Option<HostSummary> {
        let run = StageRun {
            stage,
            host: self.fleet.host(&stage.host)?.as_ref(),
            owner: self.owner,
            run: self.run,
            stop: self.stop,
        };
        Some(run_stage(&run, &|progress| sink(&stage.host, progress)).await)
    }
}

/// Adds what a later stage did on a host. How that ended is how the host ended.
fn merge(summary: &mut Summary, host: String, later: HostSummary) {
    let earlier = summary.hosts.remove(&host);
    let sum = match earlier {
        None => later,
        Some(earlier) => HostSummary {
            result: later.result,
            changed: earlier.changed + later.changed,
            adopted: earlier.adopted + later.adopted,
            unchanged: earlier.unchanged + later.unchanged,
            sent: earlier.sent + later.sent,
        },
    };
    summary.hosts.insert(host, sum);
}

impl Applied {
    fn text(&self, file: &SiteFile, kubeconfig: &Path) -> String {
        let took = duration(self.took);
        if let Some(unselected) = &self.unselected {
            return self.text_of_selected(unselected);
        }
        let site = file.site.name();
        let site = match &self.silence {
            None => format!("the site {site} is"),
            Some(_) => format!("the hosts of the site {site} that answered are"),
        };
        let hosts = self.summary.hosts.values();
        let changed: usize = hosts.clone().map(|host| host.changed).sum();
        let adopted: usize = hosts.clone().map(|host| host.adopted).sum();
        if changed == 0 {
            let recorded = match adopted {
                0 => String::new(),
                some => format!(", {} recorded", count(some, "step")),
            };
            return format!("Nothing to do: {site} as its file says{recorded} ({took}).");
        }
        let kept: usize = hosts.clone().map(|host| host.unchanged).sum::<usize>() + adopted;
        let sent: u64 = hosts.map(|host| host.sent).sum();
        let site = site.replacen("the", "The", 1);
        format!(
            "{site} as its file says: {} done and {kept} kept on {} in {took}, {} sent.\n\
             The administrator's kubeconfig is {}, with the context {}\n{}\n  iec verify {}\n",
            count(changed, "step"),
            count(self.summary.hosts.len(), "host"),
            size(sent),
            kubeconfig.display(),
            file.site.name(),
            logged_at(self.log.as_deref()),
            file.word(),
        )
    }

    /// The same where only some steps were to be done.
    fn text_of_selected(&self, unselected: &str) -> String {
        let hosts = self.summary.hosts.values();
        let changed: usize = hosts.map(|host| host.changed).sum();
        let took = duration(self.took);
        let done = match changed {
            0 => format!("Nothing to do in the steps that were selected ({took})."),
            some => format!(
                "The steps that were selected are done: {} in {took}.",
                count(some, "step")
            ),
        };
        format!("{done}\n{unselected}\n{}", logged_at(self.log.as_deref()))
    }

    fn json(&self, file: &SiteFile, kubeconfig: &Path) -> Value {
        let hosts: serde_json::Map<String, Value> = self
            .summary
            .hosts
            .iter()
            .map(|(name, host)| (name.clone(), host_json(host)))
            .collect();
        json!({
            "site": file.site.name(),
            "changed": self.summary.hosts.values().any(|host| host.changed > 0),
            "seconds": self.took.as_secs_f64(),
            "hosts": hosts,
            "kubeconfig": kubeconfig,
            "context": file.site.name(),
            "log": self.log,
        })
    }
}
