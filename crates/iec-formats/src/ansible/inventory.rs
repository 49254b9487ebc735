//! Hosts, groups and variables, however they were written.

use std::collections::{BTreeMap, BTreeSet};

use iec_core::diagnostic::{Diagnostics, Place};

use super::variable::{Layers, Variable, Variables};

/// More hosts than these are no edge site but a mistyped range, or many.
const MAXIMUM_NAMED: usize = 20_000;

/// The group that has every host.
const ALL: &str = "all";
/// The group of the hosts that are in no other one.
pub(super) const UNGROUPED: &str = "ungrouped";

/// An inventory that was read: its hosts, its groups, and their variables.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The hosts, in the order in which they are first named.
    pub(super) hosts: Vec<Host>,
    /// The groups by name.
    pub(super) groups: BTreeMap<String, Group>,
    /// The names of all variables, whatever their values.
    pub(super) settings: BTreeSet<String>,
    /// The names of variables whose values are encrypted.
    pub(super) encrypted: BTreeSet<String>,
    /// The files of variables of which all is encrypted.
    pub(super) sealed: Vec<String>,
    /// What somebody should know of reading it.
    pub(super) warnings: Diagnostics,
    /// How many times a host was named.
    named: usize,
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) name: String,
    /// Where it is first named.
    pub(super) place: Place,
    pub(super) variables: Variables,
    /// Those of `host_vars`.
    pub(super) beside: Variables,
}

/// A group.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// Its hosts, and the groups in it, in the order in which they came.
    pub(super) hosts: Vec<String>,
    pub(super) children: Vec<String>,
    pub(super) variables: Variables,
    /// Those of `group_vars`.
    pub(super) beside: Variables,
}

/// Whether `ansible-vault` has made this text.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.trim_start().starts_with("$ANSIBLE_VAULT;")
}

impl Default for Inventory {
    fn default() -> Self {
        let groups = [ALL, UNGROUPED].map(|name| (name.to_owned(), Group::default()));
        Self {
            hosts: Vec::new(),
            groups: groups.into(),
            settings: BTreeSet::new(),
            encrypted: BTreeSet::new(),
            sealed: Vec::new(),
            warnings: Diagnostics::new(),
            named: 0,
        }
    }
}

impl Inventory {
    /// The names of its groups, which may have files in `group_vars`.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// The names of its hosts, which may have files in `host_vars`.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }

    /// Counts names that are about to be added.
    ///
    /// # Errors
    /// Where they are too many.
    pub(super) fn count(&mut self, names: usize) -> Result<(), &'static str> {
        self.named = self.named.saturating_add(names);
        if self.is_full() {
            return Err("it names more hosts than any edge site has");
        }
        Ok(())
    }

    /// Whether it names more hosts than are read.
    pub(super) fn is_full(&self) -> bool {
        self.named > MAXIMUM_NAMED
    }

    /// Adds a host to a group. A port behind its name counts only where the host is new.
    pub(super) fn add_host(&mut self, name: &str, port: Option<Variable>, group: &str, place: &Place) {
        if !self.hosts.iter().any(|host| host.name == name) {
            self.hosts.push(Host {
                name: name.to_owned(),
                place: place.clone(),
                variables: port
                    .into_iter()
                    .map(|port| ("ansible_port".to_owned(), port))
                    .collect(),
                beside: Variables::new(),
            });
        }
        let hosts = &mut self.group(group).hosts;
        if !hosts.iter().any(|known| known == name) {
            hosts.push(name.to_owned());
        }
    }

    /// Gives a host variables; where a group has the same name, Ansible gives them to the group.
    pub(super) fn set_variables(&mut self, host: &str, variables: Variables) {
        if let Some(group) = self.groups.get_mut(host) {
            group.variables.extend(variables);
        } else if let Some(host) = self.hosts.iter_mut().find(|known| known.name == host) {
            host.variables.extend(variables);
        }
    }

    /// The group of this name, made if it is new.
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }

    /// Puts a group into another one.
    ///
    /// # Errors
    /// Where it would lie in itself.
    pub(super) fn add_child(&mut self, group: &str, child: &str) -> Result<(), &'static str> {
        if self.descendants(child).contains(&group) || group == child {
            return Err("the group would lie in itself");
        }
        let children = &mut self.group(group).children;
        if !children.iter().any(|known| known == child) {
            children.push(child.to_owned());
        }
        Ok(())
    }

    /// Takes hosts that are in a group out of `ungrouped`, and puts those in that are in none.
    pub(super) fn reconcile(&mut self) {
        let grouped: BTreeSet<&str> = self
            .groups
            .iter()
            .filter(|(name, _)| ![ALL, UNGROUPED].contains(&name.as_str()))
            .flat_map(|(_, group)| group.hosts.iter().map(String::as_str))
            .collect();
        let alone: Vec<String> = self
            .hosts()
            .filter(|name| !grouped.contains(name))
            .map(str::to_owned)
            .collect();
        self.group(UNGROUPED).hosts = alone;
    }

    /// The hosts of these groups and of the groups in them, in the order of the groups.
    pub(super) fn members(&self, groups: &[&str]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let groups = groups.iter().flat_map(|group| self.descendants(group));
        groups
            .flat_map(|group| &self.groups[group].hosts)
            .filter(|host| seen.insert(host.as_str()))
            .cloned()
            .collect()
    }

    /// The group and those in it, level by level.
    fn descendants<'i>(&'i self, group: &str) -> Vec<&'i str> {
        let known = |name: &str| self.groups.get_key_value(name).map(|(name, _)| name.as_str());
        let mut found: Vec<&str> = known(group).into_iter().collect();
        let mut next = 0;
        while let Some(group) = found.get(next) {
            for child in self.groups[*group]
                .children
                .iter()
                .filter_map(|child| known(child))
            {
                if !found.contains(&child) {
                    found.push(child);
                }
            }
            next += 1;
        }
        found
    }

    /// The variables of each host as Ansible ranks them: a host's own, then those of its groups, the deepest first, of
    /// groups that are equally deep the last by name, and `all` in the end; files beside the inventory before the inventory.
    pub(super) fn layers<'i>(&'i self, configuration: &'i Variables) -> Layers<'i> {
        let depths = self.depths();
        let mut groups: Vec<(&str, &Group)> = self
            .groups
            .iter()
            .filter(|(name, _)| *name != ALL)
            .map(|(name, group)| (name.as_str(), group))
            .collect();
        let rank = |(name, group): &(&str, &Group)| {
            let priority = group.variables.get("ansible_group_priority");
            let priority = priority
                .and_then(|variable| variable.text()?.parse::<i64>().ok())
                .unwrap_or(1);
            (depths.get(name).copied().unwrap_or(1), priority)
        };
        groups.sort_by(|one, other| (rank(other), other.0).cmp(&(rank(one), one.0)));
        let members: Vec<BTreeSet<String>> = groups
            .iter()
            .map(|(name, _)| self.members(&[name]).into_iter().collect())
            .collect();
        let all = self.groups.get(ALL);
        let layers = self.hosts.iter().map(|host| {
            let name = host.name.as_str();
            let own: Vec<&Group> = groups
                .iter()
                .zip(&members)
                .filter(|(_, members)| members.contains(name))
                .map(|((_, group), _)| *group)
                .collect();
            let mut layers = vec![&host.beside, &host.variables];
            layers.extend(own.iter().map(|group| &group.beside));
            layers.extend(all.map(|all| &all.beside));
            layers.extend(own.iter().map(|group| &group.variables));
            layers.extend(all.map(|all| &all.variables));
            (name, layers)
        });
        Layers {
            of_hosts: layers.collect(),
            configuration,
        }
    }

    /// How many groups each group lies in, one in the other.
    fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        // No group lies in itself, so this comes to an end.
        for _ in 0..self.groups.len() {
            let mut changed = false;
            for (name, group) in self.groups.iter().filter(|(name, _)| *name != ALL) {
                let below = depths.get(name.as_str()).copied().unwrap_or(1) + 1;
                for child in &group.children {
                    let depth = depths.entry(child).or_insert(1);
                    if *depth < below {
                        *depth = below;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        depths
    }
}
