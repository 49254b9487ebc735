//! Nothing in the repository names the machine it was written on.

use std::path::{Component, Path};

use super::Problem;
use super::tree::Tree;

/// Words of private package mirrors.
const MIRRORS: [&str; 3] = ["/artifactory/", "/nexus/repository/", "jfrog.io/"];

/// Top folders that mean the same on many machines, so that their names say nothing about this one.
const USUAL: [&str; 14] = [
    "bin", "builds", "etc", "home", "lib", "mnt", "opt", "repo", "root", "src", "srv", "tmp", "usr", "var",
];

/// The lines that name a private mirror or a folder of this machine, whose checkout is at `root`.
pub(super) fn check(tree: &Tree, root: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    let own = own_folder(root);
    // The rule itself has to name what it looks for.
    for (path, text) in tree
        .files()
        .filter(|(path, _)| *path != "xtask/src/tidy/places.rs")
    {
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = MIRRORS.iter().find(|word| line.contains(**word)) {
                problems.push(Problem::at(
                    path,
                    index + 1,
                    format!("names a private mirror ({word})"),
                ));
            }
            if own.as_deref().is_some_and(|folder| names_folder(line, folder)) {
                problems.push(Problem::at(
                    path,
                    index + 1,
                    "names a folder of the machine it was written on",
                ));
            }
        }
    }
    problems
}

/// `/top/`, when the checkout is in a top folder that is special to this machine.
fn own_folder(root: &Path) -> Option<String> {
    let mut parts = root.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let top = parts.next()?;
    parts.next()?;
    (!USUAL.contains(&top)).then(|| format!("/{top}/"))
}

/// Whether the folder is named from its beginning, not as a part of a longer path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}$~*".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_and_its_mirrors_are_found() {
        let tree = Tree::of([
            ("a.md", "see /builder/iec/docs\nand ./builder/x, my/builder/x\n"),
            (
                "Cargo.lock",
                "source = \"https://packages.example.org/artifactory/crates\"\n",
            ),
        ]);
        let found: Vec<String> = check(&tree, Path::new("/builder/iec"))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "Cargo.lock:1: names a private mirror (/artifactory/)",
                "a.md:1: names a folder of the machine it was written on"
            ]
        );
    }

    #[test]
    fn usual_folders_say_nothing() {
        let tree = Tree::of([("a.md", "/home/edge/.kube/config and /iec/x\n")]);
        assert_eq!(check(&tree, Path::new("/home/me/iec")), []);
        assert_eq!(check(&tree, Path::new("/iec")), []);
    }
}
