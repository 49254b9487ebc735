//! Inventories as nobody would write them, and as everybody does: in every form, with variables in every place.

mod ini;
mod yaml;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::e2e::Chance;

/// An inventory with what lies beside it.
pub(super) struct Project {
    pub(super) folder: PathBuf,
    /// What is given to Ansible and to IEC: a file or a folder.
    pub(super) inventory: PathBuf,
    /// The `ansible.cfg` beside it, if there is one.
    pub(super) configuration: Option<PathBuf>,
}

/// The groups, each of which may have the later ones in it.
const GROUPS: [&str; 8] = [
    "zoo",
    "k8s_cluster",
    "rack",
    "edge-sites",
    "a1",
    "kube_control_plane",
    "kube_node",
    "b2",
];
/// The groups that may have no others in them, or all hosts would be control planes.
const ROLES: [&str; 2] = ["kube_control_plane", "kube_node"];
const ACCOUNTS: [&str; 8] = ["core", "ubuntu", "root", "yes", "012", "null", "None", "me_too"];
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];

/// Writes an inventory into this folder.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn project(folder: &Path, chance: &mut Chance) -> anyhow::Result<Project> {
    fs::create_dir_all(folder)?;
    // As a project's root: nothing above it is looked at.
    fs::create_dir_all(folder.join(".git"))?;
    let mut writer = Writer {
        chance,
        hosts: Vec::new(),
    };
    writer.invent_hosts();
    let deep = writer.one_in(3);
    let place = if deep {
        folder.join("inventories/shop")
    } else {
        folder.to_owned()
    };
    fs::create_dir_all(&place)?;
    let inventory = writer.inventory(&place)?;
    writer.variables_beside(&place)?;
    let configuration = writer
        .one_in(4)
        .then(|| writer.configuration(folder))
        .transpose()?;
    Ok(Project {
        folder: folder.to_owned(),
        inventory,
        configuration,
    })
}

struct Writer<'c> {
    chance: &'c mut Chance,
    hosts: Vec<String>,
}

impl Writer<'_> {
    fn one_in(&mut self, times: u64) -> bool {
        self.chance.below(times) == 0
    }

    fn pick(&mut self, all: &[&'static str]) -> &'static str {
        let one: &&'static str = self.chance.one_of(all);
        one
    }

    /// Two to nine hosts, in rows that a range can stand for.
    fn invent_hosts(&mut self) {
        for row in 0..=self.chance.below(2) {
            let stem = self.pick(&["n", "edge-", "w"]);
            let width = usize::try_from(1 + self.chance.below(2)).unwrap_or(1);
            for number in 0..2 + self.chance.below(3) {
                self.hosts.push(format!("{stem}{row}-{number:0width$}"));
            }
        }
    }

    fn host(&mut self) -> String {
        self.chance.one_of(&self.hosts).clone()
    }

    /// One file, or a folder with two of them.
    fn inventory(&mut self, place: &Path) -> anyhow::Result<PathBuf> {
        if self.one_in(6) {
            let folder = place.join("all");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("01-hosts"), self.ini(true))?;
            fs::write(folder.join("02-more.yml"), self.yaml(false))?;
            self.variables_beside(&folder)?;
            return Ok(folder);
        }
        let (name, text) = if self.one_in(2) {
            (
                self.pick(&["hosts", "hosts.ini", "inventory.shop"]),
                self.ini(true),
            )
        } else {
            (self.pick(&["hosts.yml", "hosts.yaml", "hosts"]), self.yaml(true))
        };
        let path = place.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    fn variables_beside(&mut self, place: &Path) -> anyhow::Result<()> {
        let mut owners = vec![
            ("group_vars", "all".to_owned()),
            ("group_vars", "ungrouped".to_owned()),
        ];
        owners.extend(GROUPS.iter().map(|group| ("group_vars", (*group).to_owned())));
        owners.extend(self.hosts.iter().map(|host| ("host_vars", host.clone())));
        for (kind, owner) in owners {
            if !self.one_in(4) {
                continue;
            }
            let folder = place.join(kind);
            fs::create_dir_all(&folder)?;
            if self.one_in(3) {
                let folder = folder.join(&owner);
                fs::create_dir_all(folder.join("deep"))?;
                for name in ["a.yml", "b", "deep/c.yaml", "d.json", "e.txt", ".f.yml", "g.yml~"] {
                    if self.one_in(2) {
                        self.file_of_variables(&folder.join(name))?;
                    }
                }
            }
            for ending in ENDINGS {
                let path = folder.join(format!("{owner}{ending}"));
                if self.one_in(3) && !path.exists() {
                    self.file_of_variables(&path)?;
                }
            }
        }
        Ok(())
    }

    fn file_of_variables(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut text = self.pick(&["", "---\n", "# a comment\n---\n"]).to_owned();
        for _ in 0..self.chance.below(4) {
            let variable = self.yaml_variable();
            text.push_str(&variable);
            text.push('\n');
        }
        fs::write(path, text)?;
        Ok(())
    }

    fn configuration(&mut self, folder: &Path) -> anyhow::Result<PathBuf> {
        let mut text = "[ssh_connection]\nremote_user = nobody\n[defaults]\n".to_owned();
        if self.one_in(2) {
            writeln!(
                text,
                "remote_user = {}",
                self.pick(&["pi", "admin ; me", "cloud"])
            )?;
        }
        if self.one_in(2) {
            writeln!(text, "remote_port: {}", 1 + self.chance.below(60_000))?;
        }
        let path = folder.join("ansible.cfg");
        fs::write(&path, text)?;
        Ok(path)
    }

    /// A variable that says how a host is reached, or one that says nothing of it.
    fn variable(&mut self) -> (&'static str, String) {
        match self.chance.below(8) {
            0 | 1 => ("ansible_user", self.pick(&ACCOUNTS).to_owned()),
            2 => ("ansible_ssh_user", self.pick(&ACCOUNTS).to_owned()),
            3 | 4 => ("ansible_port", (1 + self.chance.below(60_000)).to_string()),
            5 => ("ansible_ssh_port", (1 + self.chance.below(60_000)).to_string()),
            6 if self.one_in(4) => (
                "ansible_ssh_host",
                format!("10.1.{}.{}", self.chance.below(200), 1 + self.chance.below(200)),
            ),
            _ => ("rack", self.pick(&["r1", "r2", "null"]).to_owned()),
        }
    }
}
