//! Bases of the cache that no later lab will ask for: found beside a new one, and removed where no lab uses them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{RECIPE, Recipe};
use crate::error::{LabError, at};
use crate::event::LabEvent;
use crate::places::{Places, remove_tree};
use crate::podman::Podman;
use crate::program::Programs;

/// What an older program may have written of a base.
#[derive(Debug, Deserialize)]
struct Written {
    packages: Vec<String>,
    mirror: Option<String>,
    revision: u32,
    boot: Option<(String, u32)>,
}

impl Written {
    /// Whether the program that has this recipe can ask for it no longer: it makes bases otherwise now, or the same one
    /// from other files. Bases with other packages, or from another mirror, may be asked for at any time.
    fn is_outdated_beside(&self, recipe: &Recipe) -> bool {
        let revisions = (self.revision, self.boot.as_ref().map(|(_, revision)| *revision));
        let own = (recipe.revision, recipe.boot.map(|(_, revision)| revision));
        revisions < own
            || (revisions == own && self.packages == recipe.packages && self.mirror == recipe.mirror)
    }
}

/// Removes them; the caller holds the cache's lock, and has just made the base of this recipe.
///
/// # Errors
/// When the cache cannot be read, or a folder stays.
pub(super) fn remove(
    programs: &Programs<'_>,
    places: &Places,
    recipe: &Recipe,
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<(), LabError> {
    let found = beside(&places.cache, recipe)?;
    if found.is_empty() {
        return Ok(());
    }
    // A container may go while podman is asked of all. Then nobody knows, and the next new base finds these again.
    let Ok(used) = Podman::new(programs).create_commands() else {
        return Ok(());
    };
    // Machines have copies of their own; containers have `/usr` of the base itself below their own changes.
    let is_used = |base: &Path| {
        let start = format!("--volume={}/", base.display());
        used.lines().any(|word| word.starts_with(&start))
    };
    for base in found.iter().filter(|base| !is_used(base)) {
        remove_tree(programs, base)?;
        let what = format!("the base root {}, which no lab will ask for", base.display());
        on_event(LabEvent::Removed { what });
    }
    Ok(())
}

/// The outdated bases of the same kind, distribution and architecture.
fn beside(cache: &Path, recipe: &Recipe) -> Result<Vec<PathBuf>, LabError> {
    let (family, own) = (recipe.family(), recipe.key());
    let mut found = Vec::new();
    for entry in fs::read_dir(cache).map_err(at("read", cache))? {
        let entry = entry.map_err(at("read", cache))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == own || !name.starts_with(&family) {
            continue;
        }
        // What cannot be read is none of ours.
        let text = fs::read(entry.path().join(RECIPE)).unwrap_or_default();
        if serde_json::from_slice::<Written>(&text).is_ok_and(|written| written.is_outdated_beside(recipe)) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use iec_core::architecture::Architecture;

    use super::*;
    use crate::program::fake::Fake;
    use crate::request::UpRequest;

    #[test]
    fn outdated_bases_go_where_no_lab_uses_them_and_others_stay() {
        let root = tempfile::tempdir().expect("a folder");
        let places = Places {
            labs: root.path().join("labs"),
            cache: root.path().join("cache"),
        };
        let recipe = Recipe::of(&UpRequest::new("demo"), Architecture::Amd64);
        let text = |revision: u32, packages: &[&str]| {
            let value = serde_json::json!({
                "suite": "bookworm", "architecture": "x86_64", "mirror": null, "packages": packages, "revision": revision,
            });
            value.to_string()
        };
        let packages: Vec<&str> = recipe.packages.iter().map(String::as_str).collect();
        let more = [packages.as_slice(), &["python3"]].concat();
        for (name, written) in [
            (recipe.key(), text(recipe.revision, &packages)),
            ("base-bookworm-x86_64-older".to_owned(), text(1, &more)),
            ("base-bookworm-x86_64-used".to_owned(), text(1, &packages)),
            (
                "base-bookworm-x86_64-other-files".to_owned(),
                text(recipe.revision, &packages),
            ),
            (
                "base-bookworm-x86_64-more".to_owned(),
                text(recipe.revision, &more),
            ),
            (
                "base-bookworm-x86_64-newer".to_owned(),
                text(recipe.revision + 1, &packages),
            ),
            ("base-bookworm-x86_64-unknown".to_owned(), "{}".to_owned()),
            ("base-trixie-x86_64-other".to_owned(), text(1, &packages)),
            ("base-bookworm-aarch64-other".to_owned(), text(1, &packages)),
            ("boot-bookworm-x86_64-other".to_owned(), text(1, &packages)),
        ] {
            let folder = places.cache.join(name);
            fs::create_dir_all(&folder).expect("made");
            fs::write(folder.join(RECIPE), written).expect("written");
        }
        let used = format!(
            "podman\nrun\n--volume={}/root/usr:/usr:O,upperdir=/labs/x/usr\n",
            places.cache.join("base-bookworm-x86_64-used").display()
        );
        let fake = Fake::default()
            .says("podman ps --all", "5a\n7b\n")
            .says("podman container inspect", Box::leak(used.into_boxed_str()));
        let mut events = Vec::new();
        remove(&Programs::new(&fake), &places, &recipe, &mut |event| {
            events.push(event);
        })
        .expect("removed");
        let mut left: Vec<String> = fs::read_dir(&places.cache)
            .expect("the cache")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        left.sort();
        let mut expected = vec![
            recipe.key(),
            "base-bookworm-aarch64-other".to_owned(),
            "base-bookworm-x86_64-more".to_owned(),
            "base-bookworm-x86_64-newer".to_owned(),
            "base-bookworm-x86_64-unknown".to_owned(),
            "base-bookworm-x86_64-used".to_owned(),
            "base-trixie-x86_64-other".to_owned(),
            "boot-bookworm-x86_64-other".to_owned(),
        ];
        expected.sort();
        assert_eq!(left, expected);
        assert_eq!(events.len(), 2);
    }
}
