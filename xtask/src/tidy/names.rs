//! A name says what a thing is: no drawers for odds and ends, and a folder is called like its crate.

use super::Problem;
use super::metadata::Metadata;
use super::source::{code, line_of};
use super::tree::Tree;

/// Module names that say nothing.
const EMPTY: [&str; 8] = [
    "util", "utils", "helper", "helpers", "common", "manager", "misc", "stuff",
];

/// The modules and folders with such names.
pub(super) fn check(tree: &Tree, metadata: &Metadata) -> Vec<Problem> {
    let mut problems: Vec<Problem> = tree
        .ending(".rs")
        .flat_map(|(path, text)| files(path).into_iter().chain(inline(path, text)))
        .collect();
    for package in metadata.members() {
        let folder = package.manifest_path.rsplit('/').nth(1).unwrap_or_default();
        if folder != package.name {
            let text = format!("the crate's folder is called {folder}: name it like the crate");
            problems.push(Problem::in_file(&format!("{} (Cargo.toml)", package.name), text));
        }
    }
    problems
}

fn files(path: &str) -> Option<Problem> {
    let name = path
        .split('/')
        .map(|part| part.trim_end_matches(".rs"))
        .find(|part| EMPTY.contains(part))?;
    Some(Problem::in_file(path, advice(name)))
}

fn inline(path: &str, text: &str) -> Vec<Problem> {
    let code = code(text);
    code.match_indices("mod ")
        .filter_map(|(at, _)| {
            let name = code[at + 4..]
                .split(|character: char| !character.is_alphanumeric() && character != '_')
                .next()?;
            let whole = at == 0 || code[..at].ends_with(char::is_whitespace);
            (whole && EMPTY.contains(&name)).then(|| Problem::at(path, line_of(&code, at), advice(name)))
        })
        .collect()
}

fn advice(name: &str) -> String {
    format!("`{name}` is a drawer for anything: name the one thing that it holds")
}

#[cfg(test)]
mod tests {
    use super::super::metadata::fake::workspace;
    use super::*;

    #[test]
    fn drawers_are_found_as_files_folders_and_inline() {
        let tree = Tree::of([
            ("crates/a/src/utils.rs", ""),
            ("crates/a/src/common/mod.rs", ""),
            (
                "crates/a/src/word.rs",
                "// mod utils\nmod helpers { }\nmod commonplace;\n",
            ),
        ]);
        let found: Vec<(String, Option<usize>)> = check(&tree, &workspace(&[]))
            .into_iter()
            .map(|each| (each.file, each.line))
            .collect();
        let expected = [
            ("crates/a/src/common/mod.rs", None),
            ("crates/a/src/utils.rs", None),
            ("crates/a/src/word.rs", Some(2)),
        ];
        assert_eq!(found, expected.map(|(file, line)| (file.to_owned(), line)));
    }

    #[test]
    fn a_folder_is_called_like_its_crate() {
        let mut metadata = workspace(&["iec-sh:"]);
        assert_eq!(check(&Tree::default(), &metadata), []);
        metadata.packages[0].manifest_path = "/repository/crates/shell/Cargo.toml".to_owned();
        assert_eq!(check(&Tree::default(), &metadata).len(), 1);
    }
}
