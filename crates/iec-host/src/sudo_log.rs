//! Whether `sudo` on a host writes down what it passes on: then no secret may go through it, in either direction.

use std::time::Duration;

use crate::ask::ask;
use crate::error::HostError;
use crate::host::{Bounds, Host, Script};
use crate::outcome::Privilege;

const SUDO: Bounds = Bounds {
    question: "the question whether sudo writes down what it passes on",
    bytes: 1 << 20,
    time: Duration::from_secs(60),
};

/// Refuses a host on which somebody reads along in `sudo`: `log_input` and `log_output` by whatever line or tag of
/// sudoers, or any other plugin that wants the streams.
///
/// It is asked by its effect. `sudo` lends its own standard input and output to the command, unless a plugin wants to see
/// them: then it stands in between with pipes of its own.
///
/// # Errors
/// [`HostError::SudoLogs`], or why the host could not be asked.
pub async fn refuse_logging_sudo(host: &dyn Host) -> Result<(), HostError> {
    let script = Script::new(iec_core::probe::SUDO_QUESTION, SUDO);
    let answer = ask(host, &script, Privilege::Root).await?;
    let answer = answer.expect_success(SUDO.question)?;
    let found = iec_core::probe::sudo_streams(answer.lines.iter().map(String::as_str));
    match found.is_private() {
        true => Ok(()),
        false => Err(HostError::SudoLogs {
            host: host.name().to_owned(),
            streams: found.to_string(),
            evidence: iec_core::said::said(&found.settings.join("; ")),
        }),
    }
}
