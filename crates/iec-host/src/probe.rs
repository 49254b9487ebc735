//! Probing: every host is asked what it is, all at once, in one round trip each.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use iec_core::facts::{Facts, HostAnswer, ProbeFailure};
use iec_core::probe::{Misunderstood, SCRIPT, parse};

use crate::ask::ask;
use crate::error::HostError;
use crate::fleet::Fleet;
use crate::host::{Bounds, Host, Script};
use crate::outcome::Privilege;

/// An idle host answers within a second, by some ten kilobytes; an emulated one beside others at work took 100 s.
const PROBE: Bounds = Bounds {
    question: "the probe",
    bytes: 4 << 20,
    time: Duration::from_secs(300),
};

/// What probing gave.
#[derive(Debug, Default)]
pub struct Probed {
    /// The facts of every host of the fleet, or why there are none.
    pub facts: Facts,
    /// Lines of answers that were not understood, by host; they do not keep the rest from being used.
    pub misunderstood: BTreeMap<String, Vec<Misunderstood>>,
}

/// Asks every host of the fleet. `taken` is the time, in seconds since 1970 by the operator's clock.
///
/// A host that cannot be asked is recorded in the facts with the reason; nothing is changed on any host.
pub async fn probe(fleet: &Fleet, taken: Option<i64>) -> Probed {
    let answers = fleet
        .each(fleet.all(), |(name, host)| async move {
            (name.to_owned(), probe_host(host.as_ref()).await)
        })
        .await;
    let mut probed = Probed {
        facts: Facts::new(taken),
        ..Probed::default()
    };
    for (name, (answer, problems)) in answers {
        if !problems.is_empty() {
            probed.misunderstood.insert(name.clone(), problems);
        }
        probed.facts.insert(name, answer);
    }
    probed
}

async fn probe_host(host: &dyn Host) -> (HostAnswer, Vec<Misunderstood>) {
    let asked = now_millis();
    let answer = match ask(host, &Script::new(SCRIPT, PROBE), Privilege::Root).await {
        Ok(answer) => answer,
        Err(error) => return (HostAnswer::Failed(error.into()), Vec::new()),
    };
    let answered = now_millis();
    // The parser keeps what comes before the answer: a login shell that prints is a fact too.
    let text = format!("{}\n{}", answer.chatter, answer.text());
    match parse(text.as_bytes()) {
        Ok(mut answer) => {
            answer.facts.clock.value_mut().compare(asked, answered);
            (HostAnswer::Known(Box::new(answer.facts)), answer.problems)
        }
        Err(bad) => (HostAnswer::Failed(bad.into()), Vec::new()),
    }
}

/// The time by this machine's clock, in milliseconds since 1970.
fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

impl From<HostError> for ProbeFailure {
    fn from(error: HostError) -> Self {
        Self {
            code: error.code().to_owned(),
            cause: error.to_string(),
            evidence: error.causes().join(": "),
            next: error.next(),
        }
    }
}
