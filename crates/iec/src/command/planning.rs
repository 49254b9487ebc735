//! From a site file to what is to be done: content, credentials, facts, plan, and the state of the hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use iec_core::credentials::Credentials;
use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::facts::{Facts, HostAnswer, HostFacts, Reference, preflight, preflight_of_answers};
use iec_core::name::HostName;
use iec_core::observed::{Changes, HostObserved, Observed, Present, State, StepObserved, diff};
use iec_core::plan::{Inputs, Plan, Step, TOKEN_LIFE, lower, plan};
use iec_core::probe::certificate_sha256;
use iec_core::release::Release;
use iec_core::removal;
use iec_core::seed::Seed;
use iec_core::selection::StepSelection;
use iec_core::silence::{Away, Held, hold};
use iec_core::site::{Site, SiteHost};
use iec_host::{Fleet, Observation, Probed, observe, probe};

use super::content::Content;
use super::facts_file;
use super::reach::{HostTrouble, unanswered};
use super::seed::Seeds;
use super::selection::refused;
use super::site_file::SiteFile;
use crate::credentials::{self, Place};
use crate::error::CliError;
use crate::ui::{Ui, count};

/// A plan, and how far the hosts are from it.
pub(super) struct Planned {
    /// What is to be done on every host.
    pub(super) plan: Plan,
    /// What was found on the hosts.
    pub(super) observation: Observation,
    /// The difference.
    pub(super) changes: Changes,
    /// The credentials of the site.
    pub(super) credentials: Credentials,
    /// Whether they were made just now.
    pub(super) made_credentials: bool,
    /// Whether a control plane that answered has a cluster.
    pub(super) has_cluster: bool,
    /// The hosts that did not answer, and why: the plan is without them.
    pub(super) silent: BTreeMap<String, HostTrouble>,
    /// What may not be done without them.
    pub(super) held: Vec<Held>,
    /// What is to be done and was not selected.
    pub(super) unselected: Vec<Held>,
    /// Images that were unpacked elsewhere.
    pub(super) seeds: Seeds,
}

impl Planned {
    /// The credentials of the cluster, where one stands.
    pub(super) fn of_cluster(&self) -> Option<&Credentials> {
        self.has_cluster.then_some(&self.credentials)
    }

    /// That some hosts did not answer, as the end of a command whose other work is done: what `became` of it.
    pub(super) fn silence(&self, became: &str) -> Option<CliError> {
        let hosts = self.silent.iter();
        let error = unanswered(hosts.map(|(host, trouble)| (host.as_str(), trouble.clone())))?;
        let error = error.evidence(became);
        Some(self.held_lines().into_iter().fold(error, CliError::evidence))
    }

    /// The first steps that may not be done, and how many more there are.
    pub(super) fn held_lines(&self) -> Vec<String> {
        let line = |held: &Held| {
            format!(
                "not done on {}: {} ({}), for {}",
                held.host, held.title, held.step, held.reason
            )
        };
        let mut lines: Vec<String> = self.held.iter().take(MOST_HELD).map(line).collect();
        let further = self.held.len().saturating_sub(MOST_HELD);
        if further > 0 {
            lines.push(format!("and {} more", count(further, "step")));
        }
        lines
    }
}

/// How many steps that were not done are named.
const MOST_HELD: usize = 10;

/// What a plan is asked for.
pub(super) struct Asked {
    /// How long a bootstrap token lives that is made now.
    pub(super) token_life: Duration,
    /// Images that were unpacked elsewhere.
    pub(super) seeds: Seeds,
    /// The hosts that the plan is not about: they are asked nothing.
    pub(super) left_out: BTreeSet<HostName>,
    /// The steps that it is about.
    pub(super) selection: StepSelection,
}

/// Probes the hosts, plans, and asks the hosts for the state of each step. Changes nothing on a host.
///
/// A host that does not answer is left out, with what may not be done without it.
///
/// # Errors
/// When no host can be asked, or when the facts do not allow the site.
pub(super) async fn planned(
    file: &SiteFile,
    content: &Content,
    fleet: &Fleet,
    asked: Asked,
    ui: &Ui,
) -> Result<Planned, CliError> {
    let Asked {
        token_life,
        mut seeds,
        left_out,
        selection,
    } = asked;
    let mut board = ui.board("plan");
    for name in fleet.names() {
        board.busy(name, "is asked what it is");
    }
    let now = jiff::Timestamp::now().as_second();
    let probed = probe(fleet, Some(now)).await;
    board.finish();
    let of_probe = failures(&probed.facts).map(|(host, trouble)| (host.to_owned(), trouble));
    let mut silent: BTreeMap<String, HostTrouble> = of_probe.collect();
    refuse_all_silent(fleet, file, &silent)?;
    let place = file.secrets();
    let known = credentials::load(&place)?;
    if let (None, Some(at_work)) = (&known, at_work(&probed.facts)) {
        return Err(at_work.next(format!(
            "iec credentials recover {} when that run has ended, or take the secrets file from who began it",
            file.word()
        )));
    }
    if known.is_none() {
        refuse_unknown_cluster(file, &silent, &left_out)?;
    }
    let problems = found(
        file,
        &content.release,
        &probed.facts,
        known.as_ref(),
        preflight_of_answers,
    );
    allow(file, problems, ui)?;
    let made_credentials = known.is_none();
    let credentials = credentials_for(known, &place, file, content, &probed.facts, ui)?;
    seeds.prepare(file, content, &probed.facts, ui);
    let mut away = Away {
        silent: names(&silent),
        left_out,
    };
    let plan_now = |away: &Away, seeds: &Seeds| {
        let given = (&probed.facts, &away.hosts(), seeds.by_host());
        plan_with(file, content, given, &credentials, token_life)
    };
    let mut plan = plan_now(&away, &seeds)?;
    let mut board = ui.board("plan");
    for part in &plan.hosts {
        board.busy(
            part.host.as_str(),
            &format!("is asked about {}", count(part.steps.len(), "step")),
        );
    }
    let mut observation = observe(fleet, &plan).await;
    board.finish();
    if !observation.failures.is_empty() {
        let failures = std::mem::take(&mut observation.failures).into_iter();
        silent.extend(failures.map(|(host, error)| (host, HostTrouble::from(&error))));
        refuse_all_silent(fleet, file, &silent)?;
        away.silent = names(&silent);
        plan = plan_now(&away, &seeds)?;
    }
    warn_of_lost_majority(file, &away.silent, ui);
    let problems = removal::refuse(&file.site, &plan, &observation.observed);
    if !problems.is_empty() {
        return Err(refuse(file, problems));
    }
    let known = selection.check_names(&plan, &observation.observed);
    known.map_err(|reason| refused(&selection, reason))?;
    let held = hold(&file.site, &mut plan, &mut observation.observed, &away);
    let selected = selection.apply(&mut plan, &mut observation.observed);
    let unselected = selected.map_err(|reason| refused(&selection, reason))?;
    let changes = diff(&plan, &observation.observed);
    Ok(Planned {
        plan,
        observation,
        changes,
        credentials,
        made_credentials,
        has_cluster: has_cluster(&file.site, &probed.facts),
        silent,
        held,
        unselected,
        seeds,
    })
}

/// Whether a control plane has a cluster.
pub(super) fn has_cluster(site: &Site, facts: &Facts) -> bool {
    let control_planes = site.control_planes().map(|host| host.name().as_str());
    let mut known = facts
        .known()
        .filter(|(_, host)| host.cluster.ca_certificate.is_some());
    let control_planes: BTreeSet<&str> = control_planes.collect();
    known.any(|(name, _)| control_planes.contains(name))
}

fn names(silent: &BTreeMap<String, HostTrouble>) -> BTreeSet<HostName> {
    silent
        .keys()
        .filter_map(|name| HostName::new(name.as_str()).ok())
        .collect()
}

/// Without most of its control planes a cluster does not answer, and no step says why.
fn warn_of_lost_majority(file: &SiteFile, silent: &BTreeSet<HostName>, ui: &Ui) {
    let all = file.site.control_planes().count();
    let names = file.site.control_planes().map(SiteHost::name);
    let lost: Vec<&str> = names
        .filter(|name| silent.contains(*name))
        .map(HostName::as_str)
        .collect();
    if all == 1 || all - lost.len() > all / 2 {
        return;
    }
    ui.warn(
        "IEC3913",
        &format!(
            "{} of {all} control planes do not answer ({}): as long as etcd counts them, the cluster stands still",
            lost.len(),
            lost.join(", ")
        ),
    );
}

/// Where no host of the cluster answers there is nothing to plan for.
fn refuse_all_silent(
    fleet: &Fleet,
    file: &SiteFile,
    silent: &BTreeMap<String, HostTrouble>,
) -> Result<(), CliError> {
    let hosts = file.site.present_hosts().map(|host| host.name().as_str());
    let mut asked = hosts.filter(|name| fleet.host(name).is_some());
    if asked.all(|name| silent.contains_key(name)) {
        let silent = silent
            .iter()
            .map(|(host, trouble)| (host.as_str(), trouble.clone()));
        return unanswered(silent).map_or(Ok(()), Err);
    }
    Ok(())
}

/// Without a secrets file only the control planes can tell whether this is a new site: none of them may be silent.
fn refuse_unknown_cluster(
    file: &SiteFile,
    silent: &BTreeMap<String, HostTrouble>,
    left_out: &BTreeSet<HostName>,
) -> Result<(), CliError> {
    if let Some(host) = file
        .site
        .control_planes()
        .find(|host| left_out.contains(host.name()))
    {
        let name = host.name();
        let cause = format!(
            "there is no secrets file of the site, and {name}, which knows whether there is a cluster, is left out"
        );
        return Err(CliError::refused("IEC4028", cause).next(format!("add {name} to --limit")));
    }
    let control_planes = file.site.control_planes().map(|host| host.name().as_str());
    let silent = control_planes.filter_map(|name| Some((name, silent.get(name)?.clone())));
    let path = file.secrets().path;
    let why = format!(
        "there is no secrets file {}: whether the site has a cluster already, a control plane must say",
        path.display()
    );
    unanswered(silent).map_or(Ok(()), |error| Err(error.evidence(why)))
}

/// Plans for bare hosts that are what a facts file says. No host is asked anything.
///
/// # Errors
/// When the file is none, or when the facts do not allow the site.
pub(super) fn planned_for(
    file: &SiteFile,
    content: &Content,
    (facts, seeds, selection): (&Path, Seeds, &StepSelection),
    ui: &Ui,
) -> Result<Planned, CliError> {
    let facts = facts_file::read(facts)?;
    for (host, section) in facts.assumed() {
        ui.say(&format!("Nobody observed {section} of {host}: it is assumed."));
    }
    let credentials = credentials_unasked(file, content, &facts, ui)?;
    let mut plan = plan_of(file, content, &facts, &credentials)?;
    let mut observation = Observation {
        observed: bare(&plan),
        ..Observation::default()
    };
    let known = selection.check_names(&plan, &observation.observed);
    let selected = known.and_then(|()| selection.apply(&mut plan, &mut observation.observed));
    let unselected = selected.map_err(|reason| refused(selection, reason))?;
    let changes = diff(&plan, &observation.observed);
    Ok(Planned {
        plan,
        observation,
        changes,
        credentials,
        made_credentials: false,
        has_cluster: false,
        silent: BTreeMap::new(),
        held: Vec::new(),
        unselected,
        seeds,
    })
}

/// The plan for hosts that are what these facts say, with the site's credentials, which are made if there are none.
///
/// # Errors
/// When the facts do not allow the site.
pub(super) fn planned_unasked(
    file: &SiteFile,
    content: &Content,
    facts: &Facts,
    ui: &Ui,
) -> Result<Plan, CliError> {
    let credentials = credentials_unasked(file, content, facts, ui)?;
    plan_of(file, content, facts, &credentials)
}

fn credentials_unasked(
    file: &SiteFile,
    content: &Content,
    facts: &Facts,
    ui: &Ui,
) -> Result<Credentials, CliError> {
    let place = file.secrets();
    let known = credentials::load(&place)?;
    let problems = found(file, &content.release, facts, known.as_ref(), preflight);
    allow(file, problems, ui)?;
    credentials_for(known, &place, file, content, facts, ui)
}

/// What would be found on hosts that have nothing: no file is there, and all that does something is to be done.
fn bare(plan: &Plan) -> Observed {
    let step = |step: &Step| {
        let lowered = lower(step);
        let found = StepObserved {
            state: if lowered.apply.is_empty() {
                State::Done
            } else {
                State::Needed
            },
            recorded: false,
            missing: Vec::new(),
            differences: Vec::new(),
            present: lowered
                .shows
                .into_iter()
                .map(|shown| (shown.path, Present::Absent))
                .collect(),
        };
        (step.id.clone(), found)
    };
    let hosts = plan.hosts.iter().map(|part| {
        let steps = part.steps.iter().map(step).collect();
        let found = HostObserved {
            steps,
            ..HostObserved::default()
        };
        (part.host.to_string(), found)
    });
    Observed {
        hosts: hosts.collect(),
        ..Observed::default()
    }
}

/// Asks every host what it is.
///
/// # Errors
/// When one of them cannot be asked: a plan rests on what all of them are.
pub(super) async fn probed(fleet: &Fleet) -> Result<Probed, CliError> {
    let now = jiff::Timestamp::now().as_second();
    let probed = probe(fleet, Some(now)).await;
    match unanswered(failures(&probed.facts)) {
        Some(error) => Err(error),
        None => Ok(probed),
    }
}

/// The hosts that have no facts, and why.
pub(super) fn failures(facts: &Facts) -> impl Iterator<Item = (&str, HostTrouble)> {
    facts.answers().filter_map(|(name, answer)| match answer {
        HostAnswer::Failed(failure) => Some((name, HostTrouble::from(failure))),
        HostAnswer::Known(_) => None,
    })
}

/// The plan of a site, whose bootstrap token lives as long as usual.
///
/// # Errors
/// When the facts, the release or the content do not allow the site; all reasons at once.
pub(super) fn plan_of(
    file: &SiteFile,
    content: &Content,
    facts: &Facts,
    credentials: &Credentials,
) -> Result<Plan, CliError> {
    let none = (facts, &BTreeSet::new(), &BTreeMap::new());
    plan_with(file, content, none, credentials, TOKEN_LIFE)
}

fn plan_with(
    file: &SiteFile,
    content: &Content,
    (facts, silent, seeds): (&Facts, &BTreeSet<HostName>, &BTreeMap<HostName, Seed>),
    credentials: &Credentials,
    token_life: Duration,
) -> Result<Plan, CliError> {
    let inputs = Inputs {
        site: &file.site,
        facts,
        silent,
        release: &content.release,
        credentials,
        content: &content.bundle.manifest,
        calico_manifest: content.calico_manifest.as_deref(),
        seeds,
        charts: &content.charts,
        token_life,
    };
    let began = Instant::now();
    let planned = plan(&inputs);
    tracing::debug!(milliseconds = milliseconds(began), "planned");
    planned.map_err(|problems| refuse(file, problems))
}

/// How long it is since then, for the log.
pub(super) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn refuse(file: &SiteFile, problems: Diagnostics) -> CliError {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let number = count(errors, "reason");
    // What the site file accepts keeps nobody from anything.
    let problems = problems
        .into_iter()
        .filter(|problem| problem.severity != Severity::Note)
        .collect();
    CliError::refused(
        "IEC3908",
        format!(
            "the site {} cannot be on these hosts, for {number}",
            file.site.name()
        ),
    )
    .with_diagnostics(file.text.clone(), problems)
}

/// Refuses hosts on which the site cannot be, all reasons at once; says what somebody should know.
pub(super) fn allow(file: &SiteFile, problems: Diagnostics, ui: &Ui) -> Result<(), CliError> {
    if problems.has_errors() {
        return Err(refuse(file, problems));
    }
    ui.host_warnings(&problems);
    Ok(())
}

/// Judges what hosts are like.
type Rules = fn(&Site, &Facts, &Reference<'_>) -> Diagnostics;

/// What the hosts are like, held against the site by these rules.
pub(super) fn found(
    file: &SiteFile,
    release: &Release,
    facts: &Facts,
    credentials: Option<&Credentials>,
    rules: Rules,
) -> Diagnostics {
    let authority = credentials.and_then(|known| certificate_sha256(&known.cluster_ca.certificate_pem));
    let reference = Reference {
        now: Some(jiff::Timestamp::now().as_second()),
        content_date: i64::try_from(release.source_epoch()).ok(),
        site_id: credentials.map(|known| known.site_id.as_str()),
        ca_sha256: authority.as_deref(),
    };
    rules(&file.site, facts, &reference)
}

/// The credentials of the site: those that are there, else new ones, with all that the site wants today.
fn credentials_for(
    known: Option<Credentials>,
    place: &Place,
    file: &SiteFile,
    content: &Content,
    facts: &Facts,
    ui: &Ui,
) -> Result<Credentials, CliError> {
    let credentials = match known {
        Some(credentials) => credentials,
        None => new_credentials(place, file, content, facts, ui)?,
    };
    if file.site.network().has_calico_etcd() {
        return credentials::complete(place, credentials, content.source_date()?);
    }
    Ok(credentials)
}

/// Another run that is at work on the hosts. Without a secrets file it is not ours, and the secrets are where it was begun.
fn at_work(facts: &Facts) -> Option<CliError> {
    let holders = facts
        .known()
        .filter_map(|(host, facts)| Some((host, facts.previous.lock.as_ref()?)));
    let mut holders = holders.map(|(host, lock)| {
        let since = lock
            .since
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            .map(|since| format!(" since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC")));
        format!("{host}{}: {}", since.unwrap_or_default(), lock.owner.trim())
    });
    let first = holders.next()?;
    let cause = format!("a run is at work on {first}; there is no secrets file of the site here");
    Some(holders.fold(CliError::refused("IEC4020", cause), CliError::evidence))
}

/// Makes the credentials of a new site. Where there is a cluster already, they are lost rather than new.
fn new_credentials(
    place: &Place,
    file: &SiteFile,
    content: &Content,
    facts: &Facts,
    ui: &Ui,
) -> Result<Credentials, CliError> {
    let own = file.site.name().as_str();
    let of_site = |host: &HostFacts| host.previous.site.as_deref() == Some(own);
    let marked: Vec<_> = facts.known().filter(|(_, host)| of_site(host)).collect();
    let is_control_plane = |name: &str| {
        file.site
            .control_planes()
            .any(|host| host.name().as_str() == name)
    };
    let has_cluster =
        |(name, host): &&(&str, &HostFacts)| is_control_plane(name) && host.cluster.ca_certificate.is_some();
    if let Some((host, _)) = marked.iter().find(has_cluster) {
        let path = place.path.display();
        let cause = format!("there is a cluster of this site, but no secrets file {path}");
        return Err(CliError::refused("IEC3904", cause)
            .evidence(format!(
                "host {host} belongs to site {own} and has its certificate"
            ))
            .next(format!(
                "iec credentials recover {} rebuilds it from a control plane",
                file.word()
            ))
            .next("or put the secrets file back beside the site file"));
    }
    // Without a control plane of it there is nothing to recover: it was away when its site was reset.
    if let Some((host, _)) = marked.first() {
        let cause = format!("{host} belongs to an earlier site of the name {own}, whose secrets are gone");
        return Err(CliError::refused("IEC1862", cause)
            .evidence(format!(
                "/etc/iec/site of {host}, and no control plane has that cluster"
            ))
            .next(format!("iec reset {} takes back what is left on it", file.word())));
    }
    let credentials = credentials::create(place, content.source_date()?)?;
    ui.say(&format!(
        "Made the credentials of the site: {}. Keep this file.",
        place.path.display()
    ));
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use iec_core::facts::{Fact, LockHolder, Previous};

    use super::*;

    fn with_lock(lock: Option<LockHolder>) -> Facts {
        let previous = Previous {
            lock,
            ..Previous::default()
        };
        let host = HostFacts {
            previous: Fact::Observed(previous),
            ..HostFacts::default()
        };
        let mut facts = Facts::new(None);
        facts.insert("edge-1", HostAnswer::Known(Box::new(host)));
        facts
    }

    #[test]
    fn who_works_on_a_host_without_the_secrets_being_here_is_named_with_the_time() {
        let error = at_work(&with_lock(Some(LockHolder {
            owner: "iec apply by alice@shed (run 20261129-230550-0a1b)\n".to_owned(),
            since: Some(1_795_993_550),
        })));
        let error = error.expect("a run is at work");
        assert_eq!(
            error.cause,
            "a run is at work on edge-1 since 2026-11-29 23:05:50 UTC: iec apply by alice@shed \
             (run 20261129-230550-0a1b); there is no secrets file of the site here"
        );
        assert!(at_work(&with_lock(None)).is_none());
    }
}
