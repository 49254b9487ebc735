//! Asking the control planes of a site for something that any of them has.

use std::time::Duration;

use iec_core::secret::Secret;
use iec_core::site::{Site, SiteHost};
use iec_host::{Bounds, Ending, Fleet, Privilege, Script, refuse_logging_sudo};
use iec_sh::Expr;

use super::reach::{HostTrouble, unanswered};
use crate::error::CliError;

/// Keys, certificates and kubeconfigs are a few kilobytes each.
const FILES: Bounds = Bounds {
    question: "reading files of a control plane",
    bytes: 1 << 20,
    time: Duration::from_secs(60),
};

/// The output of a question that changes nothing, asked with root's rights, from the first control plane that answers it.
///
/// `none` makes the error of the case that all of them answered and none could; it is given what they said, by host.
///
/// # Errors
/// That one, or why they could not be asked.
pub(super) async fn ask(
    site: &Site,
    fleet: &Fleet,
    question: &Expr,
    none: impl FnOnce(Vec<String>) -> CliError,
) -> Result<(SiteHost, Secret<String>), CliError> {
    let script = Script::new(question.statement(""), FILES);
    let mut silent = Vec::new();
    let mut said = Vec::new();
    for host in site.control_planes() {
        let name = host.name().as_str();
        let Some(reached) = fleet.host(name) else { continue };
        // The answer is a secret.
        if let Err(error) = refuse_logging_sudo(reached.as_ref()).await {
            silent.push((name, HostTrouble::from(&error)));
            continue;
        }
        let mut text = String::new();
        let mut keep = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        let outcome = reached.run(&script, Privilege::Root, &mut keep).await;
        let text = Secret::new(text);
        match &outcome.ending {
            Ending::Exited(0) => return Ok((host.clone(), text)),
            Ending::NeverRan(error) | Ending::Lost(error) => silent.push((name, HostTrouble::from(error))),
            Ending::Exited(_) | Ending::Killed(_) => said.push(format!("{name}: {}", outcome.stderr.trim())),
        }
    }
    Err(unanswered(silent).unwrap_or_else(|| none(said)))
}
