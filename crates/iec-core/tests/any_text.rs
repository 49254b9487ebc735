//! Whatever text is read as a site file: no panic, and every answer makes sense.

#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the examples; the crate itself stays pure"
)]

use std::fs;
use std::path::Path;

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::{site, spec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn examples() -> Vec<String> {
    let sites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sites");
    let entries = fs::read_dir(sites).expect("the folder is part of the project");
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let files = paths
        .filter(|path| path.is_dir())
        .map(|folder| folder.join("site.yaml"));
    let mut texts: Vec<String> = files
        .map(|file| fs::read_to_string(file).expect("an example is a text"))
        .collect();
    texts.sort();
    texts
}

/// What must hold for every text.
fn check(text: &str) {
    let loaded = site::load(text, "site.yaml");
    let problems = match &loaded {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    assert_eq!(problems.has_errors(), loaded.is_err());
    check_places(text, problems);
    assert_eq!(
        site::load(text, "site.yaml"),
        loaded,
        "the same text, another answer"
    );
    if let Ok(spec) = spec::parse(text, "site.yaml") {
        assert_eq!(site::validate(&spec), loaded);
    }
}

fn check_places(text: &str, problems: &Diagnostics) {
    for problem in problems {
        assert!(problem.hint.is_some(), "{problem}");
        assert!(iec_core::explain::explain(problem.code).is_some(), "{problem}");
        let places = problem
            .place
            .iter()
            .chain(problem.labels.iter().map(|label| &label.place));
        assert!(problem.place.is_some(), "{problem}");
        for place in places {
            let before = text
                .get(..place.span.start)
                .unwrap_or_else(|| panic!("{problem}"));
            assert!(text.get(place.span.clone()).is_some(), "{problem}");
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            assert_eq!((place.line, place.column), (line, column), "{problem}");
        }
        assert!(matches!(problem.severity, Severity::Error | Severity::Warning));
    }
}

/// A change that somebody's hand might make, or somebody's malice.
#[derive(Debug, Clone)]
enum Change {
    Delete(Index),
    Insert(Index, String),
    Swap(Index, Index),
    RepeatLine(Index, Index),
    DropLine(Index),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        select(vec![
            "\t",
            "\n",
            "  ",
            "- ",
            ": ",
            "[",
            "]",
            "{",
            "}",
            "&a ",
            "*a",
            "!!str ",
            "<<: *a",
            "? ",
            "|",
            ">",
            "'",
            "\"",
            "#",
            "%",
            "---\n",
            "...\n",
            "yes",
            "~",
            "022",
            "1e3",
            "::1",
            "10.0.0.0/8",
            "\u{feff}",
            "\0",
            "ä",
            "\r\n",
            "\u{85}",
            "\u{2028}",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop_oneof![
        any::<Index>().prop_map(Change::Delete),
        (any::<Index>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::RepeatLine(from, to)),
        any::<Index>().prop_map(Change::DropLine),
        any::<Index>().prop_map(Change::Cut),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.lines().collect();
    if letters.is_empty() || lines.is_empty() {
        return text.to_owned();
    }
    match change {
        Change::Delete(at) => {
            letters.remove(at.index(letters.len()));
        }
        Change::Insert(at, piece) => {
            let at = at.index(letters.len());
            letters.splice(at..at, piece.chars());
        }
        Change::Swap(one, other) => {
            let (one, other) = (one.index(letters.len()), other.index(letters.len()));
            letters.swap(one, other);
        }
        Change::RepeatLine(from, to) => {
            let line = lines[from.index(lines.len())];
            lines.insert(to.index(lines.len()), line);
            return lines.join("\n");
        }
        Change::DropLine(at) => {
            lines.remove(at.index(lines.len()));
            return lines.join("\n");
        }
        Change::Cut(at) => letters.truncate(at.index(letters.len())),
    }
    letters.into_iter().collect()
}

/// Nothing here may take more than time in proportion to the text, or the test would be noticed.
#[test]
fn large_files() {
    let hosts: String = (0..2000_u32)
        .map(|host| {
            let role = if host == 0 { "control-plane" } else { "worker" };
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0001 + host);
            format!("    - {{name: edge-{host}, address: {address}, role: {role}}}\n")
        })
        .collect();
    let head = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: large}\nspec:\n  release: \"1.36\"\n  access: {user: edge}\n";
    let large = format!("{head}  network: {{pods: 172.20.0.0/14}}\n  hosts:\n{hosts}");
    let (site, _) = site::load(&large, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(site.workers().count(), 1999);
    let alike = large
        .replace("worker", "control-plane")
        .replace("10.0.0.", "10.0.0.1");
    assert!(site::load(&alike, "site.yaml").is_err());
    let unknown: String = (0..45_000).map(|key| format!("relese{key}: 1\n")).collect();
    let problems = site::load(&unknown, "site.yaml").expect_err("nothing is known");
    assert!(problems.len() >= 45_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn text_of_yaml_signs(text in "[-a:?!&*<>|'\"#%@`{}\\[\\], \n\t0~.]{0,80}") {
        check(&text);
    }

    #[test]
    fn changed_examples(text in select(examples()), changes in prop::collection::vec(change(), 1..5)) {
        check(&changes.iter().fold(text, |text, change| changed(&text, change)));
    }

    #[test]
    fn any_value_at_any_key(text in select(examples()), at in any::<Index>(), value in "[ -~]{0,12}") {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let with_value: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(": ")).collect();
        let line = with_value[at.index(with_value.len())];
        let key = lines[line].split(": ").next().unwrap_or_default().to_owned();
        lines[line] = format!("{key}: {value}");
        check(&lines.join("\n"));
    }
}
