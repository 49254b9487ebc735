//! Asking a host something by a script that changes nothing.

use std::time::Duration;

use tokio::time::timeout;

use crate::error::{HostError, evidence};
use crate::host::{Host, Script};
use crate::outcome::{Ending, Outcome, Privilege};

/// What a host answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The lines of the script's standard output.
    pub lines: Vec<String>,
    /// What the login shell printed before.
    pub chatter: String,
    /// The script's exit status.
    pub status: u8,
}

/// Runs a script that changes nothing, as root; once more where the connection was lost, for asking twice does no harm.
pub(crate) async fn ask(
    host: &dyn Host,
    asking: &'static str,
    script: &Script,
    limit: Duration,
) -> Result<Answer, HostError> {
    match ask_once(host, asking, script, limit).await {
        Err(HostError::Lost { .. }) => ask_once(host, asking, script, limit).await,
        result => result,
    }
}

async fn ask_once(
    host: &dyn Host,
    asking: &'static str,
    script: &Script,
    limit: Duration,
) -> Result<Answer, HostError> {
    let mut lines = Vec::new();
    let mut keep = |line: &str| lines.push(line.to_owned());
    let running = host.run(script, Privilege::Root, &mut keep);
    let outcome = timeout(limit, running).await.map_err(|_| HostError::Timeout {
        address: host.name().to_owned(),
        seconds: limit.as_secs(),
        doing: asking,
    })?;
    let Outcome {
        ending,
        stderr,
        chatter,
    } = outcome;
    match ending {
        Ending::Exited(status) => Ok(Answer {
            lines,
            chatter,
            status,
        }),
        Ending::Killed(signal) => Err(HostError::Ended {
            asking,
            ended: format!("killed by {signal}"),
            evidence: evidence(&stderr, ""),
        }),
        Ending::NeverRan(error) | Ending::Lost(error) => Err(error),
    }
}

impl Answer {
    /// The answer, where its script must end with status 0.
    pub(crate) fn expect_success(self, asking: &'static str) -> Result<Self, HostError> {
        if self.status == 0 {
            return Ok(self);
        }
        Err(HostError::Ended {
            asking,
            ended: format!("exit status {}", self.status),
            evidence: evidence("", &self.lines.join("\n")),
        })
    }

    /// All lines as one text.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}
