//! The steps that a plan or a run is about, from what was typed, and why it cannot be about them.

use iec_core::plan::Phase;
use iec_core::selection::{Needed, NoSelection, StepSelection};

use super::planning::Planned;
use super::saved_plan::Saved;
use crate::cli::Steps;
use crate::error::CliError;
use crate::ui::{count, list};

/// How many of the steps that need another one are named.
const MOST_NAMED: usize = 4;
/// How many steps that others need are named.
const MOST_NEEDED: usize = 20;

/// What was typed; of a saved plan what was typed when it was made.
///
/// # Errors
/// When steps are named beside a saved plan.
pub(super) fn selection(steps: &Steps, saved: Option<&Saved>) -> Result<StepSelection, CliError> {
    let trimmed = |name: &String| name.trim().to_owned();
    let typed = StepSelection {
        from: steps.from.as_ref().map(trimmed),
        until: steps.until.as_ref().map(trimmed),
        only: steps.step.iter().map(trimmed).collect(),
        skip: steps.skip.iter().map(trimmed).collect(),
    };
    match saved {
        None => Ok(typed),
        Some(saved) if typed.is_everything() => Ok(saved.plan.selection.clone()),
        Some(_) => Err(
            CliError::refused("IEC4029", "a saved plan says itself which steps it is about")
                .next(format!("leave {typed} out, or make the plan anew with it")),
        ),
    }
}

/// Why steps cannot be selected, as the end of the command.
pub(super) fn refused(selection: &StepSelection, reason: NoSelection) -> CliError {
    match reason {
        NoSelection::Unknown { name, near } => {
            let error = CliError::refused("IEC4030", format!("no host has a step or a phase {name}"));
            match near {
                Some(near) => error.next(format!("is {near} meant?")),
                None => error.next("iec plan --all names them"),
            }
        }
        NoSelection::Backwards { host } => CliError::refused(
            "IEC4031",
            format!("with {selection} nothing is left: on {host} the last step comes before the first"),
        ),
        NoSelection::Needed(needed) => {
            let cause = format!(
                "with {selection} {} left out that others need, and not done yet",
                match needed.len() {
                    1 => "a step is".to_owned(),
                    many => format!("{} are", count(many, "step")),
                }
            );
            let named = needed.iter().take(MOST_NEEDED);
            let error = named.fold(CliError::refused("IEC4032", cause), |error, needed| {
                error.evidence(line(needed))
            });
            let further = needed.len().saturating_sub(MOST_NEEDED);
            let error = if further > 0 {
                error.evidence(format!("and {} more", count(further, "step")))
            } else {
                error
            };
            error.next("select them too: iec plan without these options shows all that is to be done")
        }
    }
}

fn line(needed: &Needed) -> String {
    let mut by: Vec<String> = needed.by.iter().take(MOST_NAMED).cloned().collect();
    let further = needed.by.len().saturating_sub(MOST_NAMED);
    if further > 0 {
        by.push(format!("{further} more"));
    }
    let state = if needed.is_unknown {
        " (its check could not tell whether it is done)"
    } else {
        ""
    };
    format!(
        "{}: {} is needed by {}{state}",
        needed.host,
        needed.step,
        list(&by)
    )
}

impl Planned {
    /// What is left as it is because it was not selected, for people; nothing where that is nothing.
    pub(super) fn unselected_line(&self) -> Option<String> {
        let first = self.unselected.first()?;
        Some(format!(
            "Not selected, and left as they are: {}, such as {} on {}.",
            count(self.unselected.len(), "step"),
            first.step,
            first.host
        ))
    }

    /// Whether a cluster may be there afterwards: nothing of what makes it was left out.
    pub(super) fn makes_the_cluster(&self) -> bool {
        let mut unselected = self.unselected.iter();
        !unselected.any(|held| Phase::of(&held.step) == Phase::ControlPlane)
    }
}

#[cfg(test)]
mod tests {
    use iec_core::plan::StepId;

    use super::*;

    #[test]
    fn who_needs_a_step_is_named_and_not_everybody() {
        let needed = Needed {
            host: "edge-1".into(),
            step: StepId::from_record("system.swap"),
            is_unknown: true,
            by: (1..=6).map(|number| format!("a.{number}")).collect(),
        };
        let selection = StepSelection {
            skip: ["system.swap".to_owned()].into(),
            ..StepSelection::default()
        };
        let error = refused(&selection, NoSelection::Needed(vec![needed]));
        assert_eq!(
            error.cause,
            "with --skip system.swap a step is left out that others need, and not done yet"
        );
        assert_eq!(
            error.evidence,
            [
                "edge-1: system.swap is needed by a.1, a.2, a.3, a.4 and 2 more (its check could not tell whether it is done)"
            ]
        );
    }
}
