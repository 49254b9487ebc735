//! Every code in the sources of the workspace has an explanation, and every explanation a code that is used.

#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the sources; the crate itself stays pure"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use iec_core::explain;

/// Rust sources and scripts below `folder`, but for the table of codes itself.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("a source folder can be listed").path();
        if path.is_dir() && !path.ends_with("iec-core/src/explain") {
            sources(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "sh")
        {
            found.push(path);
        }
    }
}

/// The codes in a text: `IEC`, four digits, and no further one.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("IEC").filter_map(|(start, _)| {
        let code = text.get(start..start + 7)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let ends = !text[start + 7..].starts_with(|next: char| next.is_ascii_digit());
        (digits(&code[3..]) && ends).then_some(code)
    })
}

/// What a program can report: the sources without their tests, where codes are only examples.
fn used() -> BTreeMap<String, PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for entry in fs::read_dir(crates).expect("the crates are part of the project") {
        let source = entry.expect("the crates can be listed").path().join("src");
        if source.is_dir() {
            sources(&source, &mut files);
        }
    }
    let mut used = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source is a text file");
        let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = program
            .lines()
            .filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("# "));
        for line in lines {
            used.extend(codes(line).map(|code| (code.to_owned(), file.clone())));
        }
    }
    used
}

#[test]
fn every_code_is_explained() {
    let missing: Vec<_> = used()
        .into_iter()
        .filter(|(code, _)| explain::explain(code).is_none())
        .collect();
    assert!(
        missing.is_empty(),
        "add rows to crates/iec-core/src/explain/ for {missing:#?}"
    );
}

#[test]
fn every_explanation_is_of_a_code_that_is_used() {
    let used = used();
    let unused: Vec<&str> = explain::all()
        .map(|row| row.code)
        .filter(|code| !used.contains_key(*code))
        .collect();
    assert!(unused.is_empty(), "nothing reports {unused:?}");
}

#[test]
fn codes_are_found_in_text() {
    assert_eq!(
        codes("\"IEC0001\", IEC00012 IEC12 xIEC9999:").collect::<Vec<_>>(),
        ["IEC0001", "IEC9999"]
    );
}
