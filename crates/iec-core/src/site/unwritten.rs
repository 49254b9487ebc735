//! Where a value of the site file to be written comes from, for what is wrong with it: nobody can look into a file that does
//! not exist.

use std::collections::BTreeMap;
use std::ops::Range;

use super::rule::printable;
use super::{Site, load};
use crate::diagnostic::{Diagnostic, Diagnostics, Label, Place, Severity};
use crate::spec::source::Source;
use crate::spec::tree::{self, Content, Node};

/// What the file would be called; nobody is told.
const UNWRITTEN: &str = "site.yaml";

/// The places of values by their paths in the site file, such as `spec.hosts[0].address`; each counts for what is below it.
#[derive(Debug, Default)]
pub struct Origins(BTreeMap<String, Option<Place>>);

impl Origins {
    /// A value comes from there.
    pub fn note(&mut self, path: impl Into<String>, place: &Place) {
        self.0.insert(path.into(), Some(place.clone()));
    }

    /// A value comes from no file, whatever is above it.
    pub fn note_nowhere(&mut self, path: impl Into<String>) {
        self.0.insert(path.into(), None);
    }

    /// The place of the nearest value that is this one or has it.
    fn of(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(origin) = self.0.get(path) {
                return origin.as_ref();
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// What is wrong with the text of a site file that is not written yet, at the places where its values come from. What comes
/// from nowhere has the line that would be wrong as evidence.
pub fn faults(text: &str, origins: &Origins) -> Diagnostics {
    let Err(problems) = load(text, UNWRITTEN) else {
        return Diagnostics::new();
    };
    let paths = paths(text);
    let at = |place: &Place| origins.of(path_at(&paths, place.span.start)?).cloned();
    let errors = problems
        .into_iter()
        .filter(|problem| problem.severity == Severity::Error);
    errors
        .map(|problem| {
            let labels = problem.labels.iter().filter_map(|label| {
                let place = at(&label.place)?;
                Some(Label {
                    place,
                    text: label.text.clone(),
                })
            });
            let labels = labels.collect();
            let here = problem.place.clone();
            let mut problem = Diagnostic {
                place: here.as_ref().and_then(at),
                labels,
                ..problem
            };
            if problem.place.is_none() {
                problem.labels.clear();
                problem
                    .evidence
                    .extend(here.and_then(|place| line_of(text, &place)));
            }
            problem
        })
        .collect()
}

/// What is wrong with the text of a site file that comes from the user's answers: a file that nobody can look into.
///
/// # Errors
/// Whatever is wrong with it.
pub fn check(text: &str) -> Result<Site, Diagnostics> {
    match load(text, UNWRITTEN) {
        Ok((site, _)) => Ok(site),
        Err(_) => Err(faults(text, &Origins::default())),
    }
}

fn line_of(text: &str, place: &Place) -> Option<String> {
    let line = text.lines().nth(place.line.checked_sub(1)?)?;
    let line = line.trim().trim_start_matches("- ");
    (!line.is_empty()).then(|| format!("it would be `{}`", printable(line)))
}

/// The stretch of every value with its key, and its path.
fn paths(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    if let Some(root) = tree::parse(&Source::new(text, UNWRITTEN), tree::SITE, &mut Diagnostics::new()) {
        walk(&root, "", &mut found);
    }
    found
}

fn walk(node: &Node, path: &str, found: &mut Vec<(Range<usize>, String)>) {
    match &node.content {
        Content::Mapping(entries) => {
            for entry in entries {
                let path = match path {
                    "" => entry.key.clone(),
                    above => format!("{above}.{}", entry.key),
                };
                let span = entry.key_place.span.start..entry.value.place.span.end;
                found.push((span, path.clone()));
                walk(&entry.value, &path, found);
            }
        }
        Content::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                found.push((item.place.span.clone(), path.clone()));
                walk(item, &path, found);
            }
        }
        Content::Scalar { .. } | Content::Refused => {}
    }
}

/// The path of the smallest value that has this byte.
fn path_at(paths: &[(Range<usize>, String)], byte: usize) -> Option<&str> {
    let having = paths.iter().filter(|(span, _)| span.contains(&byte));
    having
        .min_by_key(|(span, _)| span.len())
        .map(|(_, path)| path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: shop}\nspec:\n  release: \"1.36\"\n  access: {user: edge}\n  hosts:\n    - name: a\n      address: 10.0.0.300\n      role: control-plane\n    - name: b\n      address: 10.0.0.2\n      role: wrecker\n";

    #[test]
    fn what_is_wrong_stands_where_the_value_comes_from_or_nowhere() {
        let source = Source::new("0123456789", "theirs");
        let mut origins = Origins::default();
        origins.note("spec.hosts[0]", &source.place(1..2));
        origins.note("spec.hosts[1]", &source.place(3..4));
        origins.note_nowhere("spec.hosts[1].role");
        let found: Vec<(Option<usize>, Vec<String>)> = faults(TEXT, &origins)
            .into_iter()
            .map(|problem| (problem.place.map(|place| place.span.start), problem.evidence))
            .collect();
        assert_eq!(
            found,
            [
                (Some(1), vec![]),
                (None, vec!["it would be `role: wrecker`".to_owned()])
            ]
        );
    }
}
