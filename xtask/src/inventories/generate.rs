//! Inventories as nobody would write them, and as everybody does: in every form, with variables in every place.

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

/// What Ansible does not read, at the end of an inventory.
const FAULTS_OF_INI: [&str; 14] = [
    "[k8s_cluster:children]\nkube_node#child\n",
    "[k8s_cluster:children]\nnowhere\n",
    "[nowhere:vars]\nrack=r1\n",
    "[rack:what]\n",
    "[rack] ; here\n",
    "[rack\n",
    "[rack:children]\nrack\n",
    "[kube_node:children]\nzoo\n[zoo:children]\nkube_node\n",
    "[rack]\nx ; here\n",
    "[rack]\nx 'open\n",
    "[rack]\nx[3]\n",
    "[rack]\nx[1:]\n",
    "[rack]\nx[01:100]\n",
    "[rack:vars]\nword\n",
];
const FAULTS_OF_YAML: [&str; 6] = [
    "late:\n  hosts: [n1]\n",
    "late:\n  children: {late: {}}\n",
    "late:\n  vars: [a]\n",
    "late:\n\thosts: {}\n",
    "late: {hosts: {x: !what y}}\n",
    "late:\n  hosts: {'x[1:]': {}}\n",
];

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

    // INI ----------------------------------------------------------------------------------------------------------

    fn ini(&mut self, whole: bool) -> String {
        let mut text = String::new();
        if self.one_in(3) {
            for _ in 0..=self.chance.below(2) {
                self.ini_host(&mut text);
            }
        }
        let mut order: Vec<usize> = (0..GROUPS.len()).collect();
        for index in 0..order.len() {
            let other = usize::try_from(self.chance.below(order.len() as u64)).unwrap_or(0);
            order.swap(index, other);
        }
        for index in order {
            self.ini_group(GROUPS[index], &mut text);
            self.ini_children(index, &mut text);
        }
        if whole {
            self.ini_addresses(&mut text);
        }
        if self.one_in(2) {
            text.push_str("[all:vars]\n");
            self.ini_variables(&mut text);
        }
        if self.one_in(12) {
            text.push_str(self.pick(&FAULTS_OF_INI));
        }
        text
    }

    fn ini_group(&mut self, group: &str, text: &mut String) {
        let comment = self.pick(&["", " # here", "\t#", "   "]);
        writeln!(text, "[{group}]{comment}").expect("a string takes everything");
        let hosts = if ROLES.contains(&group) {
            1 + self.chance.below(2)
        } else {
            self.chance.below(3)
        };
        for _ in 0..hosts {
            self.ini_host(text);
        }
        if self.one_in(3) {
            writeln!(text, "[{group}:vars]").expect("a string takes everything");
            self.ini_variables(text);
            if self.one_in(3) {
                writeln!(text, "ansible_group_priority={}", self.chance.below(4))
                    .expect("a string takes everything");
            }
        }
        text.push_str(self.pick(&["", "\n", "# between = \"\n", "; too\n"]));
    }

    fn ini_children(&mut self, index: usize, text: &mut String) {
        if ROLES.contains(&GROUPS[index]) || !self.one_in(2) {
            return;
        }
        writeln!(text, "[{}:children]", GROUPS[index]).expect("a string takes everything");
        for child in GROUPS.iter().skip(index + 1) {
            if self.one_in(2) {
                let comment = self.pick(&["", " # child", "\t# child", "\t"]);
                writeln!(text, "{child}{comment}").expect("a string takes everything");
            }
        }
    }

    fn ini_host(&mut self, text: &mut String) {
        let host = self.host();
        let pattern = match self.chance.below(8) {
            0 => format!("{host}:{}", 1 + self.chance.below(60_000)),
            1 => format!("\"{host}\""),
            2 => self.range(),
            _ => host,
        };
        text.push_str(&pattern);
        for _ in 0..self.chance.below(3) {
            let (name, value) = self.variable();
            let assignment = match self.chance.below(5) {
                0 => format!("\"{name}={value}\""),
                1 => format!("{name}='{value}'"),
                2 => format!("{name}='\"{value}\"'"),
                _ => format!("{name}={value}"),
            };
            write!(text, "{}{assignment}", self.pick(&[" ", "  ", "\t"])).expect("a string takes everything");
        }
        text.push_str(self.pick(&["\n", " # x=\"\n", "#x\n", "\r\n", "  \n"]));
    }

    /// A range over some hosts of the first row.
    fn range(&mut self) -> String {
        let first = self.hosts[0].clone();
        let stem = first.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let width = first.len() - stem.len();
        let begin = if width == 1 && self.one_in(2) {
            String::new()
        } else {
            format!("{:0width$}", 0)
        };
        let step = self.pick(&["", ":1", ":2"]);
        format!("{stem}[{begin}:{:0width$}{step}]", 1)
    }

    fn ini_addresses(&mut self, text: &mut String) {
        text.push_str("[all]\n");
        for (index, host) in self.hosts.clone().iter().enumerate() {
            let name = self.pick(&["ansible_host", "ansible_host", "ansible_ssh_host"]);
            writeln!(text, "{host} {name}=10.0.0.{}", index + 1).expect("a string takes everything");
        }
    }

    fn ini_variables(&mut self, text: &mut String) {
        for _ in 0..=self.chance.below(3) {
            let (name, value) = self.variable();
            let line = match self.chance.below(7) {
                0 => format!("{name} = {value}"),
                1 => format!("{name}=\"{value}\""),
                2 => format!("{name}='{value}' # quoted"),
                3 if value.parse::<u16>().is_ok() && !value.starts_with('0') => {
                    format!("{name}={value} # a number")
                }
                4 => format!("{name}=None"),
                _ => format!("{name}={value}"),
            };
            text.push_str(&line);
            text.push('\n');
        }
    }

    // YAML ---------------------------------------------------------------------------------------------------------

    fn yaml(&mut self, whole: bool) -> String {
        let mut text = "---\n".to_owned();
        let under_all = self.one_in(2);
        let indent = if under_all { 4 } else { 0 };
        if whole || under_all {
            text.push_str("all:\n");
            if whole {
                self.yaml_addresses(&mut text);
            }
            if self.one_in(2) {
                self.yaml_variables("  ", &mut text);
            }
            if under_all {
                text.push_str("  children:\n");
            }
        }
        for index in 0..GROUPS.len() {
            self.yaml_group(index, indent, &mut text);
        }
        if self.one_in(12) {
            text.push_str(self.pick(&FAULTS_OF_YAML));
        }
        text
    }

    fn yaml_addresses(&mut self, text: &mut String) {
        text.push_str("  hosts:\n");
        for (index, host) in self.hosts.clone().iter().enumerate() {
            let name = self.pick(&["ansible_host", "ansible_host", "ansible_ssh_host"]);
            writeln!(text, "    {host}: {{{name}: 10.0.0.{}}}", index + 1)
                .expect("a string takes everything");
        }
    }

    fn yaml_group(&mut self, index: usize, indent: usize, text: &mut String) {
        let group = GROUPS[index];
        let pad = " ".repeat(indent);
        writeln!(text, "{pad}{group}:").expect("a string takes everything");
        let hosts = if ROLES.contains(&group) {
            1 + self.chance.below(2)
        } else {
            self.chance.below(3)
        };
        if hosts > 0 {
            writeln!(text, "{pad}  hosts:").expect("a string takes everything");
            for _ in 0..hosts {
                let host = self.host();
                let pattern = match self.chance.below(6) {
                    0 => format!("{host}:{}", 1 + self.chance.below(60_000)),
                    1 => format!("\"{}\"", self.range()),
                    _ => host,
                };
                let variables: Vec<String> =
                    (0..self.chance.below(3)).map(|_| self.yaml_variable()).collect();
                // The last of two alike counts for Ansible, with a warning.
                writeln!(text, "{pad}    {pattern}: {{{}}}", variables.join(", "))
                    .expect("a string takes everything");
            }
        }
        if self.one_in(3) {
            self.yaml_variables(&format!("{pad}  "), text);
        }
        let children: Vec<usize> = (index + 1..GROUPS.len())
            .filter(|_| !ROLES.contains(&group) && self.chance.below(3) == 0)
            .collect();
        if !children.is_empty() {
            writeln!(text, "{pad}  children:").expect("a string takes everything");
            for child in children {
                let deeper = indent + 4;
                if self.one_in(4) && indent < 12 {
                    self.yaml_group(child, deeper, text);
                } else {
                    writeln!(text, "{pad}    {}:", GROUPS[child]).expect("a string takes everything");
                }
            }
        }
    }

    fn yaml_variables(&mut self, pad: &str, text: &mut String) {
        writeln!(text, "{pad}vars:").expect("a string takes everything");
        for _ in 0..=self.chance.below(3) {
            writeln!(text, "{pad}  {}", self.yaml_variable()).expect("a string takes everything");
        }
        if self.one_in(4) {
            writeln!(text, "{pad}  ansible_group_priority: {}", self.chance.below(4))
                .expect("a string takes everything");
        }
    }

    fn yaml_variable(&mut self) -> String {
        let (name, value) = self.variable();
        match self.chance.below(8) {
            0 => format!("{name}: \"{value}\""),
            1 => format!("{name}: '{value}'"),
            2 => format!("{name}: !unsafe {value}"),
            3 => format!("{name}: null"),
            4 if name.contains("port") => format!(
                "{name}: {}",
                self.pick(&["022", "0x16", "1_022", "0b10110", "22:30"])
            ),
            _ => format!("{name}: {value}"),
        }
    }

    // Beside -------------------------------------------------------------------------------------------------------

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
