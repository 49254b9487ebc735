//! The way to the hosts of a site: over SSH, by the site file and the user's own configuration.

use std::future::Future;
use std::path::{Path, PathBuf};

use iec_core::facts::ProbeFailure;
use iec_core::site::Site;
use iec_host::{Fleet, HostError, NewHostKeys, SshClient, SshSettings, SystemSsh};

use super::passwords;
use crate::cli::Reach;
use crate::error::{CliError, Kind};
use crate::settings::Settings;

/// The hosts of the site. None of them is connected to before it is first asked something.
pub(super) fn fleet(site: &Site, reach: &Reach, settings: &Settings) -> Result<Fleet, CliError> {
    let home = home(settings);
    let mut ssh = SshSettings::new(&home);
    ssh.agent.clone_from(&settings.ssh_agent);
    ssh.configuration.clone_from(&reach.ssh_config);
    if reach.accept_new_host_keys {
        ssh.new_host_keys = NewHostKeys::Accept;
    }
    if reach.system_ssh {
        ssh.system = SystemSsh::Always;
    }
    ssh.interactive = settings.interactive;
    passwords::give(&reach.passwords, settings, &mut ssh)?;
    let fleet = Fleet::over_ssh(site, &SshClient::new(ssh), &home)
        .map_err(|error| CliError::of(Kind::Refused, "IEC1105", &error))?;
    Ok(fleet.parallel(reach.parallel.into()))
}

/// The operator's home.
pub(super) fn home(settings: &Settings) -> PathBuf {
    settings.home.clone().unwrap_or_else(|| PathBuf::from("/"))
}

/// A path as a user writes it in a site file: relative to the file, `~/` for the home.
pub(super) fn path_beside(site_file: &Path, written: &str, settings: &Settings) -> PathBuf {
    match written.strip_prefix("~/") {
        Some(rest) => home(settings).join(rest),
        None => site_file.parent().unwrap_or_else(|| Path::new("")).join(written),
    }
}

/// Runs work that waits for hosts.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::refused("IEC4901", "the program cannot start its threads").caused_by(&error)
        })?;
    let result = runtime.block_on(work);
    // What still reads from a lost connection must not keep the program from ending.
    runtime.shutdown_background();
    result
}

/// Several hosts that could not be asked, as one error.
pub(super) fn unanswered<'a>(failures: impl IntoIterator<Item = (&'a str, HostTrouble)>) -> Option<CliError> {
    let failures: Vec<(&str, HostTrouble)> = failures.into_iter().collect();
    let (first_host, first) = failures.first()?;
    let mut error = match failures.as_slice() {
        [(host, trouble)] => CliError::new(
            Kind::CouldNotTell,
            trouble.code.clone(),
            format!("host {host}: {}", trouble.cause),
        ),
        several => {
            let names: Vec<&str> = several.iter().map(|(host, _)| *host).collect();
            let mut error = CliError::new(
                Kind::CouldNotTell,
                first.code.clone(),
                format!("{} hosts could not be asked: {}", several.len(), names.join(", ")),
            );
            for (host, trouble) in several {
                error = error.evidence(format!("{host}: {} ({})", trouble.cause, trouble.code));
            }
            error
        }
    };
    if failures.len() == 1 {
        error.evidence.extend(first.evidence.iter().cloned());
    }
    error.next.push(if failures.len() == 1 {
        first.next.clone()
    } else {
        format!("{first_host}: {}", first.next)
    });
    Some(error)
}

/// Why one host could not be asked.
#[derive(Debug, Clone)]
pub(super) struct HostTrouble {
    /// The stable code.
    pub(super) code: String,
    /// The cause, without a full stop.
    pub(super) cause: String,
    /// What was seen.
    pub(super) evidence: Vec<String>,
    /// What to do next.
    pub(super) next: String,
}

impl From<&HostError> for HostTrouble {
    fn from(error: &HostError) -> Self {
        Self {
            code: error.code().to_owned(),
            cause: error.to_string(),
            evidence: error.causes(),
            next: error.next(),
        }
    }
}

impl From<&ProbeFailure> for HostTrouble {
    fn from(failure: &ProbeFailure) -> Self {
        Self {
            code: failure.code.clone(),
            cause: failure.cause.clone(),
            evidence: (!failure.evidence.is_empty())
                .then(|| failure.evidence.clone())
                .into_iter()
                .collect(),
            next: failure.next.clone(),
        }
    }
}
