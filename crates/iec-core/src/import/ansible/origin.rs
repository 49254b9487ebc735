//! Where a value of the site file stands in the inventory, for what is wrong with it.

use crate::diagnostic::{Diagnostic, Label, Place, Severity};
use crate::site::load;

/// Where a value of the site file comes from.
pub(super) struct Origin {
    /// The host's index; `None` for what the site has once.
    host: Option<usize>,
    /// The key in the site file.
    key: &'static str,
    place: Place,
}

impl Origin {
    /// That of a host's value.
    pub(super) fn of_host(index: usize, key: &'static str, place: &Place) -> Self {
        Self {
            host: Some(index),
            key,
            place: place.clone(),
        }
    }

    /// That of a value which the site has once.
    pub(super) fn of_site(key: &'static str, place: &Place) -> Self {
        Self {
            host: None,
            key,
            place: place.clone(),
        }
    }
}

/// What is wrong with values of the inventory, at their places there. What comes from elsewhere is not among it.
pub(super) fn faults(text: &str, origins: &[Origin]) -> Vec<Diagnostic> {
    let Err(problems) = load(text, "site.yaml") else {
        return Vec::new();
    };
    let errors = problems
        .into_iter()
        .filter(|problem| problem.severity == Severity::Error);
    let of_inventory = |mut problem: Diagnostic| {
        problem.place = Some(find(text, problem.place.as_ref()?, origins)?.clone());
        problem.labels = problem
            .labels
            .into_iter()
            .filter_map(|label| {
                let place = find(text, &label.place, origins)?.clone();
                Some(Label { place, ..label })
            })
            .collect();
        Some(problem)
    };
    errors.filter_map(of_inventory).collect()
}

/// The place in the inventory of what stands at this one in the site file.
fn find<'o>(text: &str, place: &Place, origins: &'o [Origin]) -> Option<&'o Place> {
    let mut hosts = 0_usize;
    let mut within = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  #") {
            within = line == "  hosts:";
        }
        if within && line.starts_with("    - ") {
            hosts += 1;
        }
        if number + 1 == place.line {
            let (key, _) = line.trim_start_matches([' ', '-']).split_once(':')?;
            let host = within.then(|| hosts.saturating_sub(1));
            let is_it = |origin: &&Origin| origin.host == host && origin.key == key;
            return origins.iter().find(is_it).map(|origin| &origin.place);
        }
    }
    None
}
