//! Inventories in YAML: groups within groups, hosts and ranges, variables in every notation.

use std::fmt::Write as _;

use super::{GROUPS, ROLES, Writer};

/// The same in YAML.
const FAULTS_OF_YAML: [&str; 6] = [
    "late:\n  hosts: [n1]\n",
    "late:\n  children: {late: {}}\n",
    "late:\n  vars: [a]\n",
    "late:\n\thosts: {}\n",
    "late: {hosts: {x: !what y}}\n",
    "late:\n  hosts: {'x[1:]': {}}\n",
];

impl Writer<'_> {
    pub(super) fn yaml(&mut self, whole: bool) -> String {
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

    pub(super) fn yaml_variable(&mut self) -> String {
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
}
