//! The commands of every step of the example sites, committed, so that a change of them is read before it runs anywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use iec_core::name::HostName;
use iec_core::plan::{Plan, Step, Undo, lower};
use iec_sh::Expr;
use regex::Regex;

use crate::support::{SEEDED_SECRET, facts, plain_host, plan_of, site, site_names, sites};

/// The site that is written whole; the others have what differs from it.
const FIRST: &str = "three-hosts";

/// Where the commands of a step were written first.
type Written = BTreeMap<String, (String, HostName)>;

/// The plan of a site as the commands of its steps, host after host. What was written before is only referred to.
fn commands(name: &str, plan: &Plan, written: &mut Written) -> String {
    let mut text = String::new();
    for part in plan.hosts.iter().chain(&plan.after_joins) {
        let _ = writeln!(text, "==== {} ({})\n", part.host, part.role);
        for step in &part.steps {
            let own = without_digests(&step_text(step));
            match written.get(&own) {
                Some((site, host)) if site == name => {
                    let _ = writeln!(text, "== {}: as on {host}\n", step.id);
                }
                Some((site, host)) => {
                    let _ = writeln!(text, "== {}: as in {site} on {host}\n", step.id);
                }
                None => {
                    text.push_str(&own);
                    written.insert(own, (name.to_owned(), part.host.clone()));
                }
            }
        }
    }
    text
}

/// The text with a word for each digest, since they change with every release; and what is then said again and again, once.
fn without_digests(text: &str) -> String {
    let digest = Regex::new("[0-9a-f]{64}").expect("a pattern");
    let text = digest.replace_all(text, "DIGEST");
    let lines: Vec<&str> = text.lines().collect();
    let mut short = String::new();
    let mut at = 0;
    while at < lines.len() {
        let (length, times) = repeated(&lines[at..]);
        for line in &lines[at..at + length] {
            let _ = writeln!(short, "{line}");
        }
        if times > 1 {
            let _ = writeln!(short, "[{} times more, with other digests]", times - 1);
        }
        at += length * times;
    }
    short.push('\n');
    short
}

/// How many lines from the first on are one block with digests that comes several times, and how often it does.
fn repeated(lines: &[&str]) -> (usize, usize) {
    let longest = lines.len().min(20);
    let times = |length: usize| {
        let block = &lines[..length];
        lines.chunks(length).take_while(|chunk| *chunk == block).count()
    };
    (1..=longest)
        .filter(|length| lines[..*length].iter().any(|line| line.contains("DIGEST")))
        .map(|length| (length, times(length)))
        .find(|(_, times)| *times > 1)
        .unwrap_or((1, 1))
}

/// What the runner gets of a step.
fn step_text(step: &Step) -> String {
    let lowered = lower(step);
    let runner = lowered.runner_step(step);
    let mut text = format!("== {}: {}\n", step.id, step.title);
    if runner.sensitive {
        text.push_str("Its output is not kept.\n");
    }
    for question in &runner.questions {
        let needed: Vec<String> = question.needed.iter().map(u8::to_string).collect();
        let _ = writeln!(text, "-- asks: {} (needed: {})", question.what, needed.join(" "));
        statements(&mut text, std::slice::from_ref(&question.ask));
    }
    section(&mut text, "keeps", &runner.keep);
    section(&mut text, "does", &runner.apply);
    match &lowered.undo {
        Undo::Commands(commands) => section(&mut text, "takes back", commands),
        Undo::Nothing => {}
        Undo::CoveredBy(other) => {
            let _ = writeln!(text, "-- taken back by {other}");
        }
        Undo::Irreversible(reason) => {
            let _ = writeln!(text, "-- not taken back: {reason}");
        }
    }
    for path in &runner.shows {
        let _ = writeln!(text, "-- shows {path}");
    }
    section(&mut text, "tells how it differs", &runner.differences);
    section(&mut text, "when it fails", &runner.last_words);
    text
}

fn section(text: &mut String, title: &str, commands: &[Expr]) {
    if !commands.is_empty() {
        let _ = writeln!(text, "-- {title}:");
        statements(text, commands);
    }
}

fn statements(text: &mut String, commands: &[Expr]) {
    for command in commands {
        let _ = writeln!(text, "{}", command.page(""));
    }
}

/// `sites/*/commands.txt` has what each step runs; `IEC_BLESS=1 cargo test` writes it anew.
#[test]
fn the_commands_of_the_example_sites_are_as_committed() {
    let mut names = site_names();
    names.sort_by_key(|name| name != FIRST);
    let mut written = Written::new();
    for name in names {
        let site = site(&name);
        let plan = plan_of(&site, &facts(&site, plain_host));
        let text = commands(&name, &plan, &mut written);
        assert!(!text.contains(SEEDED_SECRET), "{name}");
        let path = sites().join(&name).join("commands.txt");
        if std::env::var_os("IEC_BLESS").is_some() {
            std::fs::write(&path, &text).expect("the commands are written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(difference) = first_difference(&text, &committed) {
            panic!(
                "{name}: {difference}\nrun IEC_BLESS=1 cargo test -p iec-core --test lowered committed and read the difference"
            );
        }
    }
}

/// The first line that differs, with its number.
fn first_difference(now: &str, committed: &str) -> Option<String> {
    let (mut now, mut committed) = (now.lines(), committed.lines());
    (1..)
        .map(|line| (line, committed.next(), now.next()))
        .find_map(|pair| match pair {
            (_, None, None) => Some(None),
            (_, Some(old), Some(new)) if old == new => None,
            (line, old, new) => Some(Some(format!(
                "line {line}\n- {}\n+ {}",
                old.unwrap_or_default(),
                new.unwrap_or_default()
            ))),
        })?
}

#[test]
fn blocks_that_differ_in_digests_alone_are_written_once() {
    let digest = |letter: &str| letter.repeat(64);
    let (a, b, c) = (digest("a"), digest("b"), digest("c"));
    let text = format!("begin\nask {a}\nkeep\nask {b}\nkeep\nask {c}\nkeep\nend\nend\n");
    assert_eq!(
        without_digests(&text),
        "begin\nask DIGEST\nkeep\n[2 times more, with other digests]\nend\nend\n\n"
    );
}
