//! Counting what became of steps, over all attempts at one host.

use std::collections::BTreeMap;

use iec_core::event::Event;
use iec_core::plan::StepId;

/// What became of a step in this execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was begun; whether it was finished is not known.
    Begun,
    Changed,
    Adopted,
    Unchanged,
}

/// The fates of a host's steps.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<StepId, Fate>);

impl Tally {
    /// Takes an event in.
    pub(super) fn note(&mut self, event: &Event) {
        let (step, fate) = match event {
            Event::Started { step, .. } => (step, Fate::Begun),
            Event::Changed { step, .. } | Event::Undone { step, .. } => (step, Fate::Changed),
            Event::Adopted { step } => (step, Fate::Adopted),
            Event::Unchanged { step } => (step, Fate::Unchanged),
            Event::Failed { .. } | Event::Stopped { .. } | Event::Locked { .. } | Event::End { .. } => return,
        };
        let before = self.0.get(step).copied();
        let fate = match (before, fate) {
            // What an earlier attempt did stays done by this execution, also where the word of it was lost.
            (Some(Fate::Begun | Fate::Changed), Fate::Unchanged | Fate::Adopted) => Fate::Changed,
            (Some(Fate::Adopted), Fate::Unchanged) => Fate::Adopted,
            (_, fate) => fate,
        };
        self.0.insert(step.clone(), fate);
    }

    fn count(&self, fate: Fate) -> usize {
        self.0.values().filter(|known| **known == fate).count()
    }

    pub(super) fn changed(&self) -> usize {
        self.count(Fate::Changed)
    }

    pub(super) fn adopted(&self) -> usize {
        self.count(Fate::Adopted)
    }

    pub(super) fn unchanged(&self) -> usize {
        self.count(Fate::Unchanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_before_a_cut_counts_as_changed() {
        let step = |name: &str| StepId::from_record(name);
        let mut tally = Tally::default();
        for event in [
            Event::Unchanged { step: step("a") },
            Event::Started {
                step: step("b"),
                missing: vec![],
            },
            Event::Changed {
                step: step("b"),
                milliseconds: 1,
            },
            Event::Started {
                step: step("c"),
                missing: vec![],
            },
            // The connection was lost, and the second attempt finds:
            Event::Unchanged { step: step("a") },
            Event::Unchanged { step: step("b") },
            Event::Unchanged { step: step("c") },
            Event::Adopted { step: step("d") },
        ] {
            tally.note(&event);
        }
        assert_eq!((tally.changed(), tally.adopted(), tally.unchanged()), (2, 1, 1));
    }
}
