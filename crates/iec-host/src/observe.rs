//! Observing: all checks of a host's part of a plan in one script, and the hosts' journals.

use std::collections::BTreeMap;
use std::time::Duration;

use iec_core::journal::Journal;
use iec_core::observed::{HostObserved, Observed};
use iec_core::output::{KeptOutput, kept_output};
use iec_core::plan::{HOME, HostPart, Plan, StepId, journal_script};
use iec_sh::{Cmd, Expr, Mode, OutputQuestion, Program};

use crate::ask::ask;
use crate::error::HostError;
use crate::fleet::Fleet;
use crate::host::{Bounds, Host, Script};
use crate::outcome::Privilege;

/// Of all checks a slow board needs most of a minute. The answer has the present content of files and a part of the journal.
const CHECKS: Bounds = Bounds {
    question: "the check of all steps",
    bytes: 32 << 20,
    time: Duration::from_secs(300),
};
/// A journal has a few hundred bytes for each step of each run that changed something.
const JOURNAL: Bounds = Bounds {
    question: "reading the journal",
    bytes: 32 << 20,
    time: Duration::from_secs(300),
};
/// Of an output the end is enough; there are three of a step.
const OUTPUT: Bounds = Bounds {
    question: "what a step has printed",
    bytes: 1 << 20,
    time: Duration::from_secs(60),
};
/// How much of the end of an output is read, in bytes.
const OUTPUT_END: usize = 64 << 10;

/// What observing gave.
#[derive(Debug, Default)]
pub struct Observation {
    /// What was found on the hosts that answered.
    pub observed: Observed,
    /// Why the others did not.
    pub failures: BTreeMap<String, HostError>,
}

/// Asks every host of the plan that is in the fleet for the state of its steps, and those that leave for what is recorded
/// there. Nothing is changed on any host.
pub async fn observe(fleet: &Fleet, plan: &Plan) -> Observation {
    let present = plan.hosts.iter().map(|part| (&part.host, Some(part)));
    let leaving = plan.leaving.iter().map(|host| (host, None));
    let asked = present
        .chain(leaving)
        .filter_map(|(name, part)| Some((name, part, fleet.host(name.as_str())?)));
    let answers = fleet
        .each(asked, |(name, part, host)| async move {
            let script = part.map_or_else(journal_script, observe_script);
            (
                name.to_string(),
                part.is_some(),
                ask_state(host.as_ref(), script)
                    .await
                    .map(|found| found.without_what_others_do(part)),
            )
        })
        .await;
    let mut observation = Observation::default();
    let observed = &mut observation.observed;
    for (name, is_present, answer) in answers {
        match answer {
            Ok(found) if is_present => drop(observed.hosts.insert(name, found)),
            Ok(found) => drop(observed.leaving.insert(name, found.leftovers)),
            Err(error) => drop(observation.failures.insert(name, error)),
        }
    }
    observation
}

/// Asks one host for the state of its steps.
pub(crate) async fn observe_host(host: &dyn Host, part: &HostPart) -> Result<HostObserved, HostError> {
    let found = ask_state(host, observe_script(part)).await?;
    Ok(found.without_what_others_do(Some(part)))
}

fn observe_script(part: &HostPart) -> String {
    // Nothing is written, so neither an owner nor a run has to be named.
    part.script("", "observe", Mode::Observe)
}

async fn ask_state(host: &dyn Host, script: String) -> Result<HostObserved, HostError> {
    let script = Script::new(script, CHECKS);
    let answer = ask(host, &script, Privilege::Root).await?;
    let answer = answer.expect_success(CHECKS.question)?;
    HostObserved::parse(&answer.text()).map_err(|error| HostError::Answer { evidence: error.line })
}

/// Reads the journals of all hosts of the fleet; a host without one has an empty one.
pub async fn journals(fleet: &Fleet) -> BTreeMap<String, Result<Journal, HostError>> {
    let journals = fleet.each(fleet.all(), |(name, host)| async move {
        (name.to_owned(), journal(host.as_ref()).await)
    });
    journals.await.into_iter().collect()
}

async fn journal(host: &dyn Host) -> Result<Journal, HostError> {
    let path = format!("{HOME}/journal.jsonl");
    let show = Expr::If {
        condition: Box::new(Cmd::new(Program::Test).words(["-e", path.as_str()]).into()),
        then: vec![Cmd::new(Program::Cat).words(["--", path.as_str()]).into()],
        otherwise: Vec::new(),
    };
    let script = Script::new(show.statement(""), JOURNAL);
    let answer = ask(host, &script, Privilege::Root).await?;
    let answer = answer.expect_success(JOURNAL.question)?;
    let mut text = answer.lines.join("\n");
    // A last line that a power cut has torn comes without its newline; here only its content still tells.
    let is_whole = |line: &String| serde_json::from_str::<serde_json::Value>(line).is_ok();
    if answer.lines.last().is_some_and(is_whole) {
        text.push('\n');
    }
    Ok(Journal::parse(&text))
}

/// Reads what the hosts of this fleet have kept of what a step said.
pub async fn outputs(fleet: &Fleet, step: &StepId) -> BTreeMap<String, Result<Vec<KeptOutput>, HostError>> {
    let outputs = fleet.each(fleet.all(), |(name, host)| async move {
        (name.to_owned(), outputs_of(host.as_ref(), step).await)
    });
    outputs.await.into_iter().collect()
}

async fn outputs_of(host: &dyn Host, step: &StepId) -> Result<Vec<KeptOutput>, HostError> {
    let question = OutputQuestion {
        home: HOME,
        step: step.as_str(),
        most: OUTPUT_END,
    };
    let answer = ask(host, &Script::new(question.text(), OUTPUT), Privilege::Root).await?;
    let answer = answer.expect_success(OUTPUT.question)?;
    let outputs = answer
        .lines
        .iter()
        .filter_map(|line| kept_output(line).transpose());
    let outputs: Result<Vec<KeptOutput>, _> = outputs.collect();
    outputs.map_err(|error| HostError::Answer { evidence: error.line })
}
