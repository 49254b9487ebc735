//! What forbids a run before its first change, on all hosts at once.

use std::collections::BTreeSet;

use iec_core::name::HostName;
use iec_core::observed::Action;
use iec_core::plan::Phase;

use super::planning::Planned;
use super::site_file::SiteFile;
use crate::error::CliError;
use crate::ui::count;

/// Refuses a run on hosts that may not be changed.
///
/// A question that a refusal belongs to begins with its code, such as the one for a link in the way of a file. What else
/// could not be told may be told when its turn comes.
///
/// # Errors
/// With everything that is in the way.
pub(super) fn refuse_early(planned: &Planned) -> Result<(), CliError> {
    let has_code = |missing: &str| {
        missing
            .split_once(": ")
            .is_some_and(|(code, _)| code.starts_with("IEC"))
    };
    let refused: Vec<_> = planned
        .changes
        .steps
        .iter()
        .filter(|change| change.action == Action::Unknown)
        .flat_map(|change| {
            change
                .missing
                .iter()
                .map(move |missing| (change, missing.as_str()))
        })
        .filter(|(change, missing)| change.phase == Phase::Admission || has_code(missing))
        .map(|(change, missing)| (change.host.as_str(), missing))
        .collect();
    let Some((host, first)) = refused.first() else {
        return Ok(());
    };
    let (code, what) = first.split_once(": ").unwrap_or(("IEC4003", first));
    let mut error = CliError::refused(code.to_owned(), format!("host {host} may not be changed: {what}"));
    for (host, what) in &refused[1..] {
        error = error.evidence(format!("{host}: {what}"));
    }
    Err(error.next(format!("iec explain {code} says what to do")))
}

/// Refuses to do more steps than whoever begins the run expects.
///
/// # Errors
/// With the number of steps on each host.
pub(super) fn refuse_many(planned: &Planned, most: Option<usize>) -> Result<(), CliError> {
    let changes = planned
        .changes
        .steps
        .iter()
        .filter(|change| change.action.is_change());
    let hosts: Vec<&str> = changes.map(|change| change.host.as_str()).collect();
    let Some(most) = most.filter(|most| hosts.len() > *most) else {
        return Ok(());
    };
    let cause = format!("{} would be done, more than {most}", count(hosts.len(), "step"));
    let names: BTreeSet<&str> = hosts.iter().copied().collect();
    let error = names
        .iter()
        .fold(CliError::refused("IEC4025", cause), |error, name| {
            let of_host = hosts.iter().filter(|host| *host == name).count();
            error.evidence(format!("{name}: {}", count(of_host, "step")))
        });
    Err(error.next("iec plan shows them; give --max-changes a larger number, or leave it out"))
}

/// Refuses hosts that are all bare where the site was installed: then they are others than those of the site file, or
/// somebody has installed them anew. `installed` says how that it was is known.
///
/// # Errors
/// When no host has anything of IEC.
pub(super) fn refuse_all_new(
    file: &SiteFile,
    planned: &Planned,
    installed: Option<&str>,
) -> Result<(), CliError> {
    let Some(installed) = installed else {
        return Ok(());
    };
    let hosts = &planned.observation.observed.hosts;
    let is_new = hosts
        .values()
        .all(|host| host.leftovers.is_empty() && host.steps.values().all(|step| !step.recorded));
    if hosts.is_empty() || !is_new {
        return Ok(());
    }
    let names: Vec<&str> = hosts.keys().map(String::as_str).collect();
    let cause = format!(
        "the site {} was installed, and none of its hosts has anything of it",
        file.site.name()
    );
    Err(CliError::refused("IEC4026", cause)
        .evidence(installed)
        .evidence(format!("bare: {}", names.join(", ")))
        .next("see that the addresses in the site file are those of the site's hosts")
        .next(format!(
            "iec apply {} --reinstall, where they were made anew",
            file.word()
        )))
}

/// The hosts of the site that a run is not about, where it is about some only.
///
/// # Errors
/// When a name is no host of the site.
pub(super) fn left_out(file: &SiteFile, limit: &[String]) -> Result<BTreeSet<HostName>, CliError> {
    if limit.is_empty() {
        return Ok(BTreeSet::new());
    }
    let hosts = || file.site.hosts().iter().map(|host| host.name());
    let unknown: Vec<&str> = limit
        .iter()
        .map(|name| name.trim())
        .filter(|name| hosts().all(|host| host.as_str() != *name))
        .collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = hosts().map(HostName::as_str).collect();
        let cause = format!("the site {} has no host {}", file.site.name(), unknown.join(", "));
        return Err(
            CliError::refused("IEC4027", cause).evidence(format!("its hosts are {}", known.join(", ")))
        );
    }
    let is_asked = |host: &HostName| limit.iter().any(|name| name.trim() == host.as_str());
    Ok(hosts().filter(|host| !is_asked(host)).cloned().collect())
}
