//! Bad site files: for each the codes with line and column, all of them in one run.
//!
//! Every case is the site below with some lines replaced (line 14 and later: added).

mod cures;
mod facility;
mod hosts;
mod networks;
mod parts;
mod reading;
mod values;

use std::fmt::Write as _;

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::site;

const GOOD: [&str; 13] = [
    "apiVersion: iec.dev/v1alpha1",
    "kind: Site",
    "metadata: {name: store-0417}",
    "spec:",
    "  release: \"1.36\"",
    "  access: {user: edge}",
    "  hosts:",
    "    - {name: edge-1, address: 10.0.0.11, role: control-plane}",
    "    - {name: edge-2, address: 10.0.0.12, role: worker}",
    "  network:",
    "    pods: 192.168.0.0/16",
    "    services: 172.16.1.0/24",
    "    cni: calico",
];

/// A name, the lines that differ, and `line:column code` of everything that is found.
type Case = (
    &'static str,
    &'static [(usize, &'static str)],
    &'static [&'static str],
);

fn document(edits: &[(usize, &str)]) -> String {
    let mut lines = GOOD.map(str::to_owned).to_vec();
    for (line, text) in edits {
        if *line > lines.len() {
            lines.push((*text).to_owned());
        } else {
            lines[line - 1] = (*text).to_owned();
        }
    }
    lines.join("\n") + "\n"
}

fn found(text: &str) -> Diagnostics {
    match site::load(text, "site.yaml") {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

fn summary(problems: &Diagnostics) -> Vec<String> {
    let line = |problem: &iec_core::diagnostic::Diagnostic| {
        let place = problem
            .place
            .as_ref()
            .expect("a problem of a site file has a place");
        let mark = if problem.severity == Severity::Warning {
            " warning"
        } else {
            ""
        };
        format!("{}:{} {}{mark}", place.line, place.column, problem.code)
    };
    problems.iter().map(line).collect()
}

/// All of them.
fn cases() -> impl Iterator<Item = &'static Case> {
    [
        reading::CASES,
        hosts::CASES,
        networks::CASES,
        facility::CASES,
        parts::CASES,
        values::CASES,
    ]
    .into_iter()
    .flatten()
}

#[test]
fn the_good_site_is_good() {
    let (_, warnings) =
        site::load(&document(&[]), "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{warnings}");
}

#[test]
fn every_problem_has_its_code_and_place() {
    let mut wrong = String::new();
    for (name, edits, expected) in cases() {
        let found = summary(&found(&document(edits)));
        if found != *expected {
            writeln!(wrong, "{name}: expected {expected:?}, found {found:?}")
                .expect("a string takes everything");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn messages_are_as_recorded() {
    let mut text = String::new();
    for (name, edits, _) in cases() {
        let document = document(edits);
        writeln!(text, "# {name}").expect("a string takes everything");
        for problem in &found(&document) {
            assert!(
                problem.hint.is_some(),
                "{name}: nobody says what to do: {problem}"
            );
            let place = problem
                .place
                .as_ref()
                .expect("a problem of a site file has a place");
            let marked = document[place.span.clone()].lines().next().unwrap_or_default();
            writeln!(text, "{problem}\n  marked: {marked}").expect("a string takes everything");
        }
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}
