//! What became of a run, as the command's end.

use iec_core::event::Failure;
use iec_core::plan::{Plan, StepId};
use iec_host::{HostResult, HostSummary, Summary};
use serde_json::{Value, json};

use super::reach::HostTrouble;
use crate::error::{CliError, Kind};

/// What one host's end means for the command.
struct End {
    kind: Kind,
    code: String,
    cause: String,
    evidence: Vec<String>,
    next: Option<String>,
}

/// The error of a run, unless every host is done. The worst end of a host decides the exit code. `plan` knows the
/// titles of steps; `again` is what to type to go on.
pub(super) fn run_error(summary: &Summary, plan: Option<&Plan>, again: &str) -> Option<CliError> {
    let mut ends: Vec<(&str, End)> = summary
        .hosts
        .iter()
        .filter_map(|(name, host)| Some((name.as_str(), end_of(name, host, plan)?)))
        .collect();
    ends.sort_by_key(|(_, end)| rank(end.kind));
    let ((_, worst), others) = ends.split_first()?;
    let mut error = CliError::new(worst.kind, worst.code.clone(), worst.cause.clone());
    error.evidence.extend(worst.evidence.iter().cloned());
    for (_, end) in others {
        error = error.evidence(format!("also: {} ({})", end.cause, end.code));
    }
    // A host that stopped on request needs nothing but to be gone on with.
    if worst.kind != Kind::Stopped {
        error.next.extend(worst.next.clone());
    }
    if worst.kind != Kind::Refused {
        error = error.next(format!("{again} goes on where it stopped"));
    }
    Some(error)
}

/// A failed step is worth more attention than a host that did not answer, and that more than a stop on request.
const fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::StepFailed | Kind::VerificationFailed => 0,
        Kind::CouldNotTell => 1,
        Kind::Refused => 2,
        Kind::Stopped => 3,
    }
}

fn end_of(name: &str, host: &HostSummary, plan: Option<&Plan>) -> Option<End> {
    let code = host.result.code()?;
    let (kind, cause, evidence) = match &host.result {
        HostResult::Done => return None,
        HostResult::Failed {
            step,
            reason,
            code,
            output,
        } => {
            let title = title(plan, name, step);
            match reason {
                Failure::Command => (
                    Kind::StepFailed,
                    format!("{name}: {title} failed (exit code {code})"),
                    output,
                ),
                Failure::Effect => (
                    Kind::StepFailed,
                    format!("{name}: {title} did not take effect"),
                    output,
                ),
                Failure::Journal => (
                    Kind::StepFailed,
                    format!("{name}: its journal cannot be written"),
                    output,
                ),
                Failure::Unknown => return Some(unknown(name, &title, output, &host.result)),
            }
        }
        HostResult::NotStored { ended, output } => (
            Kind::StepFailed,
            format!("{name} could not store what was sent ({ended})"),
            output,
        ),
        HostResult::Locked { owner } => (
            Kind::Refused,
            format!("somebody else works on {name}: {owner}"),
            &String::new(),
        ),
        HostResult::Stopped { before } => {
            let place = before
                .as_ref()
                .map_or_else(|| "it began".to_owned(), ToString::to_string);
            (
                Kind::Stopped,
                format!("{name} stopped before {place}"),
                &String::new(),
            )
        }
        HostResult::Unknown(error) => {
            let trouble = HostTrouble::from(error);
            (
                Kind::CouldNotTell,
                format!("host {name}: {}", trouble.cause),
                &trouble.evidence.join("\n"),
            )
        }
    };
    Some(End {
        kind,
        code: code.to_owned(),
        cause,
        evidence: evidence.lines().map(str::to_owned).collect(),
        next: host.result.next(),
    })
}

/// A check without an answer. The questions of an admission carry a code of their own: a refusal.
fn unknown(name: &str, title: &str, output: &str, result: &HostResult) -> End {
    let coded = output
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(code, _)| code.starts_with("IEC")));
    match coded {
        Some((code, what)) => End {
            kind: Kind::Refused,
            code: code.to_owned(),
            cause: format!("host {name} may not be changed: {what}"),
            evidence: Vec::new(),
            next: Some(format!("iec explain {code} says what to do")),
        },
        None => End {
            kind: Kind::CouldNotTell,
            code: "IEC4003".to_owned(),
            cause: format!("{name}: the check of \"{title}\" could not tell"),
            evidence: output.lines().map(str::to_owned).collect(),
            next: result.next(),
        },
    }
}

fn title(plan: Option<&Plan>, host: &str, step: &StepId) -> String {
    let known = plan
        .and_then(|plan| plan.host(host))
        .and_then(|part| part.steps.iter().find(|known| known.id == *step));
    known.map_or_else(
        || format!("step {step}"),
        |known| format!("\"{}\" ({step})", known.title),
    )
}

/// A host's part of a run as JSON.
pub(super) fn host_json(host: &HostSummary) -> Value {
    let (result, detail) = match &host.result {
        HostResult::Done => ("done", Value::Null),
        HostResult::Failed {
            step,
            reason,
            code,
            output,
        } => (
            "failed",
            json!({ "step": step, "reason": reason, "code": code, "output": output }),
        ),
        HostResult::NotStored { ended, output } => {
            ("not-stored", json!({ "ended": ended, "output": output }))
        }
        HostResult::Locked { owner } => ("locked", json!({ "owner": owner })),
        HostResult::Stopped { before } => ("stopped", json!({ "before": before })),
        HostResult::Unknown(error) => (
            "unknown",
            json!({ "code": error.code(), "cause": error.to_string() }),
        ),
    };
    json!({
        "result": result, "detail": detail, "changed": host.changed, "adopted": host.adopted,
        "unchanged": host.unchanged, "sent": host.sent,
    })
}
