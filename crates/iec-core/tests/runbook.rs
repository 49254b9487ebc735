//! Runbooks of the example sites: every command in them is one of the plan, and no command of the plan is missing.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the example sites and asks a real shell what it understands"
)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use iec_core::facts::{Facts, HostAnswer};
use iec_core::plan::{HostPart, Plan, lower};
use iec_core::release::Release;
use iec_core::render::runbook::{Block, Part, blocks};
use iec_core::render::{FileContent, Files, Format, Options, Secrets, Subject, assumptions, render};
use iec_core::site::{Role, Site};
use iec_sh::{Expr, PasteStep, Preface, RunnerStep, Word};
use support::{SEEDED_SECRET, facts, manifest, plain_host, plan_of, site, site_names};

struct Rendered {
    plan: Plan,
    files: Files,
}

impl Rendered {
    fn of(site: &Site, facts: &Facts, options: &Options) -> Self {
        let plan = plan_of(site, facts);
        let release = Release::bundled(site.release()).expect("a release of the program");
        let content = manifest(&release);
        let subject = Subject {
            site,
            facts,
            release: &release,
            content: &content,
            plan: &plan,
            moment: "2026-11-23 19:12 UTC",
            who: "alice@laptop",
            run: "run-1",
        };
        let files = render(&subject, Format::Runbook, options);
        Self { plan, files }
    }

    fn text(&self, path: &str) -> &str {
        match &self.files[path].content {
            FileContent::Text(text) => text,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn blocks(&self) -> Vec<Block> {
        blocks(self.text("runbook.md"))
    }
}

fn every_site() -> impl Iterator<Item = (String, Rendered)> {
    site_names().into_iter().map(|name| {
        let site = site(&name);
        let rendered = Rendered::of(&site, &facts(&site, plain_host), &Options::default());
        (name, rendered)
    })
}

/// What bash understands of commands: the same for two texts only if they do the same.
fn understood(bodies: &[String]) -> Vec<String> {
    let script: String = bodies
        .iter()
        .map(|body| format!("f() {{\n:\n{body}\n}}\ndeclare -f f\nprintf '\\0'\n"))
        .collect();
    let name = format!("iec-runbook-{}-{:x}", std::process::id(), script.len());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, script).expect("written");
    let output = Command::new("bash").arg(&file).output().expect("bash");
    std::fs::remove_file(&file).expect("removed");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("plain text");
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// The lines between the first line of a block and the last one of the step.
fn body(block: &Block) -> String {
    let (first, rest) = block.text.split_once('\n').expect("more than one line");
    let (_, delimiter) = first.split_once("<<").expect("a here-document");
    let delimiter = format!("{}\n", delimiter.trim_matches('\''));
    rest.strip_suffix(&delimiter)
        .expect("the end of the step")
        .to_owned()
}

fn statements(commands: &[Expr]) -> String {
    let lines = commands
        .iter()
        .map(|command| command.statement(" || return") + "\n");
    lines.collect()
}

fn questions(step: &RunnerStep) -> String {
    let mut text = String::new();
    for question in &step.questions {
        let needed: Vec<String> = question.needed.iter().map(u8::to_string).collect();
        text += &question.ask.statement("");
        text += &format!(
            "\nanswer $? {} {}\n",
            Word::new(needed.join(" ")),
            Word::new(question.what.as_str())
        );
    }
    text
}

/// The blocks that a host's plan asks for: step, part and commands.
fn expected(part: &HostPart) -> Vec<(String, Part, String)> {
    let mut expected = Vec::new();
    for step in &part.steps {
        let lowered = lower(step);
        let runner = lowered.runner_step(step);
        let id = step.id.to_string();
        expected.push((id.clone(), Part::Check, questions(&runner)));
        if !lowered.apply.is_empty() {
            let commands = [lowered.keep.as_slice(), &lowered.apply].concat();
            expected.push((id.clone(), Part::Apply, statements(&commands)));
        }
        if !lowered.undo_commands().is_empty() {
            expected.push((id, Part::Undo, statements(lowered.undo_commands())));
        }
    }
    expected.sort();
    expected
}

#[test]
fn the_commands_are_those_of_the_plan_and_no_others() {
    for (name, rendered) in every_site() {
        let blocks = rendered.blocks();
        for part in &rendered.plan.hosts {
            let mut found: Vec<(String, Part, String)> = blocks
                .iter()
                .filter(|block| block.host == part.host.as_str())
                .filter_map(|block| Some((block.step.clone()?, block.part, body(block))))
                .collect();
            found.sort();
            let expected = expected(part);
            let names = |blocks: &[(String, Part, String)]| -> Vec<(String, Part)> {
                blocks
                    .iter()
                    .map(|(step, part, _)| (step.clone(), *part))
                    .collect()
            };
            assert_eq!(names(&found), names(&expected), "{name} {}", part.host);
            let texts = |blocks: Vec<(String, Part, String)>| -> Vec<String> {
                understood(&blocks.into_iter().map(|(_, _, text)| text).collect::<Vec<_>>())
            };
            for (found, expected) in texts(found).iter().zip(texts(expected)) {
                assert_eq!(*found, expected, "{name} {}", part.host);
            }
        }
        let without_step: BTreeSet<Part> = blocks
            .iter()
            .filter(|block| block.step.is_none())
            .map(|block| block.part)
            .collect();
        assert_eq!(
            without_step,
            BTreeSet::from([Part::Preface, Part::Content, Part::Secrets, Part::Leave]),
            "{name}: what belongs to no step only brings things along"
        );
    }
}

#[test]
fn steps_stand_in_the_order_of_the_plan_and_control_planes_come_first() {
    for (name, rendered) in every_site() {
        let blocks = rendered.blocks();
        let mut hosts: Vec<&str> = blocks.iter().map(|block| block.host.as_str()).collect();
        hosts.dedup();
        let first = rendered.plan.host(hosts[0]).expect("a host of the plan");
        assert_eq!(first.role, Role::ControlPlane, "{name}");
        for part in &rendered.plan.hosts {
            let mut numbered: Vec<(usize, String)> = blocks
                .iter()
                .filter(|block| block.host == part.host.as_str() && block.part == Part::Check)
                .map(|block| {
                    let (_, number) = block.number.split_once('.').expect("part and step");
                    (
                        number.parse().expect("a number"),
                        block.step.clone().expect("a step"),
                    )
                })
                .collect();
            numbered.sort();
            let found: Vec<&str> = numbered.iter().map(|(_, step)| step.as_str()).collect();
            let planned: Vec<&str> = part.steps.iter().map(|step| step.id.as_str()).collect();
            assert_eq!(found, planned, "{name} {}", part.host);
        }
    }
}

/// A terminal without line editing takes 4095 characters a line; the rest would be lost without a word.
#[test]
fn no_line_of_a_block_is_longer_than_a_terminal_takes() {
    for (name, rendered) in every_site() {
        for block in rendered.blocks() {
            for line in block.text.lines() {
                assert!(line.len() < 4000, "{name} {:?}: {line}", block.step);
            }
        }
    }
}

/// Rule 11 of the design: the secrets are in files of their own.
#[test]
fn a_book_shows_no_secret_and_asks_for_nothing_from_outside() {
    for (name, rendered) in every_site() {
        for path in ["runbook.md", "runbook.html"] {
            assert!(!rendered.text(path).contains(SEEDED_SECRET), "{name} {path}");
        }
        let html = rendered.text("runbook.html");
        for outside in [
            "<link",
            "<script",
            "<img",
            "src=",
            "url(",
            "@import",
            "href=\"http",
        ] {
            assert!(!html.contains(outside), "{name}: {outside}");
        }
        let secrets = rendered
            .files
            .values()
            .filter(|file| matches!(file.content, FileContent::Secret(_)));
        assert_eq!(secrets.count(), rendered.plan.hosts.len(), "{name}");
    }
}

#[test]
fn a_host_is_brought_its_own_secrets_and_no_other_file() {
    let site = site("three-hosts");
    for (secrets, name) in [
        (Secrets::Encrypted, " secrets-edge-1.enc"),
        (Secrets::Plain, " secrets-edge-1"),
        (Secrets::None, ""),
    ] {
        let options = Options {
            secrets,
            ..Options::default()
        };
        let rendered = Rendered::of(&site, &facts(&site, plain_host), &options);
        let book = rendered.text("runbook.md");
        let line = format!("scp -r blobs{name} edge@10.0.0.11:iec-store-0417/");
        assert!(book.lines().any(|found| found == line), "{line}");
        // A pattern would take edge-10's secrets to edge-1.
        let scp = book.lines().filter(|line| line.starts_with("scp "));
        assert_eq!(
            scp.filter(|line| line.contains(['*', '?'])).collect::<Vec<_>>(),
            Vec::<&str>::new()
        );
    }
}

#[test]
fn the_way_back_is_whole() {
    let site = site("three-hosts");
    let rendered = Rendered::of(&site, &facts(&site, plain_host), &Options::default());
    let book = rendered.text("runbook.md");
    let (_, back) = book.split_once("## The way back").expect("a way back");
    let hosts: Vec<&str> = back.split("\n### ").skip(1).collect();
    for (host, back) in ["edge-3", "edge-2", "edge-1"].into_iter().zip(hosts) {
        assert!(back.starts_with(host), "{host}");
        let drained = back.find(&format!("drain {host} "));
        assert_eq!(drained.is_some(), host != "edge-1", "{host}");
        let first = back.find("iec_undo").expect("steps");
        let last = back.rfind("iec_undo").expect("steps");
        assert!(drained.is_none_or(|drained| drained < first), "{host}");
        assert!(
            back.find("sudo rm -rf /var/lib/iec\n").expect("removal") > last,
            "{host}"
        );
    }
}

#[test]
fn a_range_of_one_step_has_one_number() {
    for (name, rendered) in every_site() {
        let book = rendered.text("runbook.md");
        let form = book.lines().filter(|line| line.ends_with("|  |  |  |"));
        for words in form.flat_map(|line| line.split(' ')) {
            if let Some((first, last)) = words.split_once('–') {
                assert_ne!(first, last, "{name}");
            }
        }
    }
}

#[test]
fn every_link_of_the_page_leads_to_one_place() {
    for (name, rendered) in every_site() {
        let html = rendered.text("runbook.html");
        let after = |mark: &str| -> Vec<&str> {
            html.split(mark)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect()
        };
        let places = after(" id=\"");
        let unique: BTreeSet<&str> = places.iter().copied().collect();
        assert_eq!(places.len(), unique.len(), "{name}");
        for link in after("href=\"#") {
            assert!(unique.contains(link), "{name}: {link}");
        }
    }
}

#[test]
fn what_nobody_observed_stands_on_the_first_page() {
    let site = site("three-hosts");
    let book = Rendered::of(&site, &Facts::assume(&site), &Options::default());
    let text = book.text("runbook.md");
    let first_page = &text[..text.find("## Contents").expect("contents")];
    assert!(
        first_page.contains("Nobody has asked these hosts"),
        "{first_page}"
    );
    assert!(
        first_page.contains("| edge-1, edge-2, edge-3 | debian 12;"),
        "{first_page}"
    );

    let options = Options {
        secrets: Secrets::None,
        ..Options::default()
    };
    let book = Rendered::of(&site, &facts(&site, plain_host), &options);
    assert!(book.text("runbook.md").contains("read from the hosts themselves"));
    assert!(
        book.files
            .values()
            .all(|file| !matches!(file.content, FileContent::Secret(_)))
    );
}

/// The first numbered block of a host, where something was assumed of it.
fn comparison<'b>(blocks: &'b [Block], host: &str) -> Option<&'b Block> {
    blocks
        .iter()
        .find(|block| block.host == host && block.part == Part::Check && block.step.is_none())
}

#[test]
fn a_host_that_nobody_asked_is_asked_before_its_first_change() {
    for name in site_names() {
        let site = site(&name);
        let assumed = Facts::assume(&site);
        let book = Rendered::of(&site, &assumed, &Options::default());
        let all = book.blocks();
        for (index, part) in book.plan.hosts.iter().enumerate() {
            let host = site.host(&part.host).expect("a host of the site");
            let known = assumed.host(part.host.as_str()).expect("assumed");
            let step = RunnerStep {
                title: String::new(),
                id: String::new(),
                digest: String::new(),
                sensitive: false,
                questions: assumptions(site.access(), host, known)
                    .into_iter()
                    .map(|assumption| assumption.question)
                    .collect(),
                keep: vec![],
                apply: vec![],
                undo: vec![],
                way_back: iec_sh::WayBack::ByItself,
                shows: vec![],
                differences: vec![],
                last_words: vec![],
            };
            let block = comparison(&all, part.host.as_str()).expect("the block");
            assert!(block.number.ends_with(".0"), "{name} {index}: {}", block.number);
            assert_eq!(
                understood(&[body(block)]),
                understood(&[questions(&step)]),
                "{name} {}: the words of the script",
                part.host
            );
            let own: Vec<&Block> = all
                .iter()
                .filter(|block| block.host == part.host.as_str())
                .collect();
            let at = own.iter().position(|other| *other == block).expect("it is there");
            assert!(
                own[..at].iter().all(|before| before.part == Part::Preface),
                "{name}"
            );
        }
        let observed = Rendered::of(&site, &facts(&site, plain_host), &Options::default());
        assert!(
            comparison(&observed.blocks(), site.hosts()[0].name().as_str()).is_none(),
            "{name}"
        );
    }
}

#[test]
fn a_host_that_is_not_what_was_assumed_stops_the_reader() {
    let site = site("single-host");
    let host = &site.hosts()[0];
    let mut facts = Facts::assume(&site);
    let mut wrong = facts.host(host.name().as_str()).expect("assumed").clone();
    wrong.kernel.value_mut().machine = "pdp11".to_owned();
    facts.insert(host.name().as_str(), HostAnswer::Known(Box::new(wrong)));
    let asked = assumptions(
        site.access(),
        host,
        facts.host(host.name().as_str()).expect("assumed"),
    );
    let asked = asked
        .into_iter()
        .find(|assumption| assumption.question.what == "the processor is pdp11");
    let step = RunnerStep {
        title: String::new(),
        id: String::new(),
        digest: String::new(),
        sensitive: false,
        questions: vec![asked.expect("it decides what is installed").question],
        keep: vec![],
        apply: vec![],
        undo: vec![],
        way_back: iec_sh::WayBack::ByItself,
        shows: vec![],
        differences: vec![],
        last_words: vec![],
    };
    let preface = Preface {
        home: "/var/lib/iec",
        folder: "iec-edge",
        iterations: 1,
    };
    let paste = PasteStep {
        step: &step,
        number: "1.0",
    };
    let session = preface.text().replace("iec_sudo=sudo; sudo -v", "iec_sudo=") + &paste.ask();
    for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", &session])
            .output()
            .expect("a shell");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "Step 1.0: STOP HERE.\n  not so, or nobody can tell (exit code 1): the processor is pdp11\n",
            "{shell:?}"
        );
        assert_eq!(output.status.code(), Some(4), "{shell:?}");
    }
}
