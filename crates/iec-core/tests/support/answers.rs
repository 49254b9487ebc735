//! What hosts answer: the state of every step, or nothing.

use std::collections::BTreeMap;

use iec_core::facts::{Facts, HostAnswer, ProbeFailure};
use iec_core::observed::{HostObserved, State, StepObserved};
use iec_core::plan::HostPart;

/// Facts in which this host has none: it did not answer.
pub(crate) fn forget(facts: &mut Facts, host: &str) {
    let failure = ProbeFailure {
        code: "IEC1003".to_owned(),
        cause: "it did not answer".to_owned(),
        evidence: String::new(),
        next: String::new(),
    };
    facts.insert(host, HostAnswer::Failed(failure));
}

/// Every step of a host in the state of its id, known to the journal or not.
pub(crate) fn found(part: &HostPart, recorded: bool, state: impl Fn(&str) -> State) -> HostObserved {
    let steps = part.steps.iter().map(|step| {
        let found = StepObserved {
            state: state(step.id.as_str()),
            recorded,
            missing: Vec::new(),
            present: BTreeMap::new(),
            differences: Vec::new(),
        };
        (step.id.clone(), found)
    });
    HostObserved {
        steps: steps.collect(),
        leftovers: Vec::new(),
    }
}
