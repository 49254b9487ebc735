//! Following a hint cures what it was given for: no hint leads into the next error at the same place.

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use regex::Regex;

use crate::{cases, document, found};

/// Values whose hints once led into the next error: the lines that differ from the good site.
const FURTHER: &[&[(usize, &str)]] = &[
    &[(8, "    - {name: edge-1, address: 10.1, role: control-plane}")],
    &[(8, "    - {name: edge-1, address: 10, role: control-plane}")],
    &[(9, "    - {name: no, address: 10.0.0.12, role: worker}")],
    &[(9, "    - {name: 12, address: 10.0.0.12, role: worker}")],
    &[(9, "    - {name: 1.5, address: 10.0.0.12, role: worker}")],
    &[(9, "    - {name: edge-2, address: 10.0.0.12, role: no}")],
    &[(9, "    - {name: edge-2, address: 10.0.0.12, role: 1, state: off}")],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, labels: {a: no, b: 1, c: 022, d: true}}",
    )],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, unreachable: \"true\", state: absent}",
    )],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, port: 0022}",
    )],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, port: 099999}",
    )],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, port: \"99999\"}",
    )],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, port: \"1.5\"}",
    )],
    &[(
        9,
        "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {memory: 16}}",
    )],
    &[(11, "    pods: 10.1"), (12, "    services: no")],
    &[(13, "    cni: no")],
    &[(14, "  controlPlane: {schedulable: \"yes\"}")],
    &[(14, "  controlPlane: {schedulable: \"true\", endpoint: 6443}")],
    &[(14, "  kubelet: {systemReserved: {cpu: 1, memory: 5}}")],
    &[(
        14,
        "  facility: {contact: 12, networks: [{name: 7, vlan: 5000, cidr: 10.1}]}",
    )],
    &[(14, "  accept: [no, 1]")],
    &[(
        14,
        "  helm: {releases: [{name: no, chart: ./a.tgz, version: 1.2, values: {a: no, b: 012}}]}",
    )],
];

/// What a hint tells to write, and in place of what.
enum Cure {
    /// In place of what is marked.
    Value(String),
    /// In place of the value of this key.
    Key(String, String),
}

/// The change that a hint describes to the letter; most say what only a person can decide.
fn cure(problem: &Diagnostic, marked: &str) -> Option<Cure> {
    let hint = problem.hint.as_deref().expect("every problem has one");
    let part = |pattern: &str| {
        let found = Regex::new(pattern).expect("an expression").captures(hint)?;
        found.get(1).map(|part| part.as_str().to_owned())
    };
    if hint.ends_with("remove the quotes") {
        return Some(Cure::Value(marked.trim_matches('"').to_owned()));
    }
    if let Some(found) = Regex::new("such as `([a-z]+): ([0-9./]+)`")
        .expect("an expression")
        .captures(hint)
    {
        return Some(Cure::Key(found[1].to_owned(), found[2].to_owned()));
    }
    if let Some(found) = Regex::new("^write `[A-Za-z]+: ([^`]+)`$")
        .expect("an expression")
        .captures(hint)
    {
        return Some(Cure::Value(found[1].to_owned()));
    }
    let patterns = [
        "^put quotes around it: (\".*\")$",
        "^write (\"[^\"]*\")$",
        "^write (true|false|-?[0-9]+)(?:,|$)",
        "^did you mean `([^`]+)`\\?$",
        "^`([^`]+)` would do$",
        "^the network is ([0-9./]+)$",
        "^([0-9./]+) would not overlap$",
        "^write its URL, such as (\\S+)$",
        "^write ([0-9.]+), without the prefix length$",
        "^a release is named by its minor version: write (\"[0-9.]+\")$",
        "^known are: ([^,]+)",
        "^write `([^` ]+)` without U\\+",
    ];
    let value = patterns.iter().find_map(|pattern| part(pattern))?;
    // An address with a colon needs quotes in a list in brackets; everybody who writes YAML knows that.
    Some(Cure::Value(if value.contains("://") {
        format!("\"{value}\"")
    } else {
        value
    }))
}

fn codes_at(problems: &Diagnostics, start: usize) -> Vec<&'static str> {
    let here = problems.iter().filter(|problem| {
        problem
            .place
            .as_ref()
            .is_some_and(|place| place.span.start == start)
    });
    here.map(|problem| problem.code).collect()
}

/// Follows every hint of this document by itself; how many could be followed to the letter.
#[track_caller]
fn follow(name: &str, text: &str) -> usize {
    let problems = found(text);
    let mut followed = 0;
    for problem in &problems {
        let place = problem
            .place
            .as_ref()
            .expect("a problem of a site file has a place");
        let marked = &text[place.span.clone()];
        let cured = match cure(problem, marked) {
            None => continue,
            Some(Cure::Value(value)) => {
                format!("{}{value}{}", &text[..place.span.start], &text[place.span.end..])
            }
            Some(Cure::Key(key, value)) => {
                let line = Regex::new(&format!("(?m)^    {key}: .*$")).expect("an expression");
                let line_text = format!("    {key}: {value}");
                if line.is_match(text) {
                    line.replace(text, line_text).into_owned()
                } else {
                    text.replace("  network:\n", &format!("  network:\n{line_text}\n"))
                }
            }
        };
        followed += 1;
        let after = found(&cured);
        let same = after
            .iter()
            .any(|other| other.code == problem.code && other.message == problem.message);
        assert!(!same, "{name}: the hint changes nothing: {problem}\n{cured}");
        let before = codes_at(&problems, place.span.start).len();
        let new = codes_at(&after, place.span.start);
        assert!(
            new.len() < before,
            "{name}: {problem}\nthe hint leads to {new:?}:\n{after}\n{cured}"
        );
    }
    followed
}

#[test]
fn following_a_hint_cures() {
    let mut followed = 0;
    for (name, edits, _) in cases() {
        followed += follow(name, &document(edits));
    }
    for edits in FURTHER {
        followed += follow(edits[0].1, &document(edits));
    }
    assert!(
        followed > 60,
        "only {followed} hints could be followed to the letter"
    );
}

#[test]
fn a_hint_about_the_number_of_control_planes_is_true_of_the_next_try() {
    let some = Regex::new("make ([0-9]+) of them workers").expect("an expression");
    for count in [2, 4, 6, 7, 8, 9] {
        let host = |number: usize, role: &str| {
            format!(
                "    - {{name: edge-{number}, address: 10.0.0.{}, role: {role}}}",
                10 + number
            )
        };
        let text = |control_planes: usize| {
            let mut lines: Vec<String> = document(&[]).lines().map(str::to_owned).collect();
            let hosts = (1..=count).map(|number| {
                host(
                    number,
                    if number <= control_planes {
                        "control-plane"
                    } else {
                        "worker"
                    },
                )
            });
            lines.splice(7..9, hosts);
            lines.join("\n") + "\n"
        };
        let problems = found(&text(count));
        let [problem] = problems.iter().collect::<Vec<_>>()[..] else {
            panic!("{problems}")
        };
        let hint = problem.hint.as_deref().expect("a hint");
        let fewer = if hint.starts_with("make one of them a worker") {
            1
        } else if hint.starts_with("make the others workers") {
            count - 1
        } else {
            some.captures(hint).expect("a number")[1].parse().expect("digits")
        };
        let after = found(&text(count - fewer));
        assert!(after.is_empty(), "{count}: {hint}: {after}");
    }
}

#[test]
fn what_looks_like_a_space_is_named() {
    for (letter, point) in [
        ('\u{a0}', "U+00A0"),
        ('\u{202f}', "U+202F"),
        ('\u{200b}', "U+200B"),
        ('\u{3000}', "U+3000"),
    ] {
        // As indentation: at its own line, not at the next one.
        let line = format!("{letter}{letter}{letter}{letter}cni: calico");
        let text = document(&[(13, &line)]);
        let problems = found(&text);
        let problem = problems.iter().next().expect("it is no site");
        assert_eq!(
            problem.place.as_ref().map(|place| place.line),
            Some(13),
            "{problem}"
        );
        assert!(problem.to_string().contains(point), "{problem}");
        // Within a key.
        let line = format!("    cni{letter}: calico");
        let problems = found(&document(&[(13, &line)]));
        assert!(
            problems
                .to_string()
                .contains(&format!("write `cni` without {point}")),
            "{problems}"
        );
    }
}

#[test]
fn deep_nesting_is_not_blamed_on_aliases() {
    let deep: String = (0..80)
        .map(|level| format!("{}a:\n", "  ".repeat(level)))
        .collect();
    let problems = found(&deep);
    assert!(!problems.to_string().contains("alias"), "{problems}");
    let many = format!("a: [{}]\n", "x, ".repeat(110_000));
    let problems = found(&many);
    assert!(!problems.to_string().contains("alias"), "{problems}");
}
