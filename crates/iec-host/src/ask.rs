//! Asking a host something by a script that changes nothing.

use tokio::time::timeout;

use crate::error::{HostError, evidence};
use crate::host::{Bounds, Host, Script};
use crate::outcome::{Ending, Outcome, Privilege};

/// What a host answered.
#[derive(Debug)]
pub struct Answer {
    /// The lines of the script's standard output.
    pub lines: Vec<String>,
    /// What the login shell printed before.
    pub chatter: String,
    /// The script's exit status.
    pub status: u8,
    /// The last of what the script said on standard error.
    pub stderr: String,
}

/// Runs a script that changes nothing, within its bounds; once more where the connection was lost, for asking twice does
/// no harm.
///
/// # Errors
/// Why there is no answer. An exit status other than 0 is an answer.
pub async fn ask(host: &dyn Host, script: &Script, privilege: Privilege) -> Result<Answer, HostError> {
    match ask_once(host, script, privilege).await {
        Err(HostError::Lost { .. }) => ask_once(host, script, privilege).await,
        result => result,
    }
}

async fn ask_once(host: &dyn Host, script: &Script, privilege: Privilege) -> Result<Answer, HostError> {
    let Bounds { question, time, .. } = script.bounds();
    let mut lines = Vec::new();
    let mut keep = |line: &str| lines.push(line.to_owned());
    let running = host.run(script, privilege, &mut keep);
    // The way to the host has deadlines of its own; a host that holds up all of them is given up all the same.
    let outcome = timeout(time, running).await.map_err(|_| HostError::NoEnd {
        address: host.name().to_owned(),
        question,
        seconds: time.as_secs(),
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
            stderr,
            status,
        }),
        Ending::Killed(signal) => Err(HostError::Ended {
            asking: question,
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
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}
