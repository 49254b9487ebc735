//! Inventories in INI: groups in any order, hosts and ranges, variables in every notation.

use std::fmt::Write as _;

use super::{GROUPS, ROLES, Writer};

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

impl Writer<'_> {
    pub(super) fn ini(&mut self, whole: bool) -> String {
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
    pub(super) fn range(&mut self) -> String {
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
}
