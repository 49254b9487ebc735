//! `iec check`: is the site file right, and with `--probe`: what are its hosts?

use std::fmt::Write as _;

use iec_core::facts::{Facts, HostAnswer, HostFacts, preflight_of_answers};
use iec_core::site::Site;
use serde_json::json;

use super::bundle;
use super::facts_file;
use super::planning::{allow, failures, found};
use super::reach::{block_on, fleet, unanswered};
use super::site_file::{self, SiteFile};
use crate::cli::Check;
use crate::credentials;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui, count, list, size};

/// Reads the file and reports every problem in it; asks the hosts what they are.
pub(super) fn run(arguments: &Check, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    ui.diagnostics(&file.warnings, &file.text);
    let value = json!({ "file": file.path, "site": file.site, "warnings": file.warnings });
    ui.result(Document::Check, &value, || text(&file));
    if !arguments.probe && arguments.facts_out.is_none() {
        return Ok(Outcome::Done);
    }
    let place = arguments
        .facts_out
        .as_deref()
        .map(facts_file::Place::choose)
        .transpose()?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    let now = jiff::Timestamp::now().as_second();
    let probed = block_on(async { Ok(iec_host::probe(&fleet, Some(now)).await) })?;
    for (host, problems) in &probed.misunderstood {
        for problem in problems {
            ui.warn(
                "IEC1092",
                &format!("a line of {host}'s answer was not understood: {problem}"),
            );
        }
    }
    if let Some(place) = place {
        ui.say(&place.write(&probed.facts)?);
    }
    let value: serde_json::Value =
        serde_json::from_str(&probed.facts.to_json()).expect("a facts file is JSON");
    ui.result(Document::Facts, &value, || facts_text(&probed.facts));
    // A silent host says nothing of the others.
    let release = bundle::release(file.site.release())?;
    let credentials = credentials::load(&file.secrets())?;
    let problems = found(
        &file,
        &release,
        &probed.facts,
        credentials.as_ref(),
        preflight_of_answers,
    );
    allow(&file, problems, ui)?;
    unanswered(failures(&probed.facts)).map_or(Ok(Outcome::Done), Err)
}

fn text(file: &SiteFile) -> String {
    format!(
        "The site file {} has no errors: {}.",
        file.path.display(),
        describe(&file.site)
    )
}

/// A site in a few words: `site store-0417, release 1.36, 1 control plane and 2 workers`.
pub(super) fn describe(site: &Site) -> String {
    let mut roles = vec![count(site.control_planes().count(), "control plane")];
    let workers = site.workers().count();
    if workers > 0 {
        roles.push(count(workers, "worker"));
    }
    format!(
        "site {}, release {}, {}",
        site.name(),
        site.release(),
        list(&roles)
    )
}

fn facts_text(facts: &Facts) -> String {
    let mut text = String::new();
    for (name, answer) in facts.answers() {
        match answer {
            HostAnswer::Known(host) => host_text(&mut text, name, host),
            HostAnswer::Failed(failure) => {
                let _ = writeln!(text, "{name}\n  no answer: {} ({})", failure.cause, failure.code);
            }
        }
    }
    text
}

fn host_text(text: &mut String, name: &str, host: &HostFacts) {
    let machine = if host.privileges.container {
        "a container"
    } else {
        host.privileges.virtualisation.as_str()
    };
    let machine = if machine.is_empty() {
        "a machine of its own"
    } else {
        machine
    };
    let _ = writeln!(
        text,
        "{name}\n  {}, kernel {}, {}, {machine}\n  {}, {} of memory ({} free), cgroup {}",
        host.distribution.name,
        host.kernel.release,
        host.kernel.machine,
        count(host.capacity.cpus as usize, "processor"),
        size(host.capacity.memory_total),
        size(host.capacity.memory_available),
        host.cgroup.version,
    );
    if let Some(route) = host.network.default_route() {
        let address = host
            .network
            .default_interface()
            .map_or("no interface", |interface| interface.name.as_str());
        let via = route
            .gateway
            .map_or_else(|| "directly".to_owned(), |gateway| format!("by {gateway}"));
        let _ = writeln!(text, "  the way out: {address}, {via}");
    }
    let previous = &host.previous;
    if let Some(site) = &previous.site {
        let _ = writeln!(text, "  belongs to the site {site}");
    }
    if let Some(lock) = &previous.lock {
        let _ = writeln!(text, "  somebody works on it now: {}", lock.owner);
    }
}
