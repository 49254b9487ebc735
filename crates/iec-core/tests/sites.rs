//! The examples in `sites/` are documentation, and what IEC makes of each of them is fixed here.

#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the examples; the crate itself stays pure"
)]

use std::fs;
use std::path::{Path, PathBuf};

use iec_core::site::{self, Site};

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sites");
    let entries = fs::read_dir(folder).expect("the folder is part of the project");
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let folders = paths.filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> = folders.map(|folder| folder.join("site.yaml")).collect();
    files.sort();
    files
}

fn load(file: &Path) -> (Site, String) {
    let text = fs::read_to_string(file).expect("an example is a text file");
    let (site, warnings) =
        site::load(&text, "site.yaml").unwrap_or_else(|problems| panic!("{}: {problems}", file.display()));
    (site, warnings.to_string())
}

#[test]
fn every_example_is_introduced() {
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sites/README.md");
    let index = fs::read_to_string(index).expect("the examples have an index");
    for file in examples() {
        let name = file
            .parent()
            .and_then(Path::file_name)
            .expect("an example has a folder")
            .to_string_lossy();
        assert!(
            index.contains(&format!("({name}/site.yaml)")),
            "sites/README.md does not have {name}"
        );
    }
}

#[test]
fn every_example_is_accepted_as_recorded() {
    let examples = examples();
    assert!(examples.len() >= 5, "{examples:?}");
    for file in examples {
        let name = file
            .parent()
            .and_then(Path::file_name)
            .expect("an example has a folder")
            .to_string_lossy()
            .into_owned();
        let (site, warnings) = load(&file);
        let site = serde_json::to_string_pretty(&site).expect("a site is plain data");
        insta::assert_snapshot!(name, format!("{site}\n---\n{warnings}"));
    }
}
