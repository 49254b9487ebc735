//! Hosts, groups and variables, however they were written.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Place;

/// More hosts than these are no edge site but a mistyped range.
const MAXIMUM_HOSTS: usize = 10_000;

/// An inventory.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// The hosts, in the order in which they are first named.
    pub(super) hosts: Vec<Host>,
    /// The groups by name.
    pub(super) groups: BTreeMap<String, Group>,
}

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    /// Where it is first named.
    pub(super) place: Place,
    pub(super) variables: BTreeMap<String, String>,
}

/// A group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) hosts: BTreeSet<String>,
    pub(super) children: BTreeSet<String>,
    pub(super) variables: BTreeMap<String, String>,
}

impl Inventory {
    /// The host of this name, made if it is new.
    pub(super) fn host(&mut self, name: &str, place: &Place) -> &mut Host {
        let at = self.hosts.iter().position(|host| host.name == name);
        let at = at.unwrap_or_else(|| {
            self.hosts.push(Host {
                name: name.to_owned(),
                place: place.clone(),
                variables: BTreeMap::new(),
            });
            self.hosts.len() - 1
        });
        &mut self.hosts[at]
    }

    /// The group of this name, made if it is new.
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.to_owned()).or_default()
    }

    /// The hosts of these groups and of the groups in them, in the order of the inventory.
    pub(super) fn members(&self, groups: &[&str]) -> Vec<String> {
        let mut within = BTreeSet::new();
        for group in groups {
            self.descend(group, &mut within);
        }
        self.hosts
            .iter()
            .filter(|host| {
                within.iter().any(|group| {
                    self.groups
                        .get(*group)
                        .is_some_and(|group| group.hosts.contains(&host.name))
                })
            })
            .map(|host| host.name.clone())
            .collect()
    }

    fn descend<'i>(&'i self, group: &str, found: &mut BTreeSet<&'i str>) {
        let Some((name, group)) = self.groups.get_key_value(group) else {
            return;
        };
        // A group that is its own descendant is visited once.
        if found.insert(name) {
            for child in &group.children {
                self.descend(child, found);
            }
        }
    }

    /// The value that Ansible would use: the host's own, else that of the smallest group that has one, `all` last.
    /// Values that Ansible would have to work out are none.
    pub(super) fn variable(&self, host: &Host, name: &str) -> Option<String> {
        let own = host.variables.get(name);
        let value = own.or_else(|| {
            let mut groups: Vec<(usize, &Group)> = self
                .groups
                .iter()
                .filter(|(group, _)| *group != "all" && self.members(&[group.as_str()]).contains(&host.name))
                .map(|(group, content)| (self.members(&[group.as_str()]).len(), content))
                .collect();
            groups.sort_by_key(|(size, _)| *size);
            let found = groups
                .into_iter()
                .find_map(|(_, group)| group.variables.get(name));
            found.or_else(|| self.groups.get("all")?.variables.get(name))
        });
        value
            .filter(|value| !value.is_empty() && !value.contains("{{"))
            .cloned()
    }
}

/// The names that a pattern such as `edge-[01:12]` or `rack-[a:c]-[1:9:2]` stands for; `None` where it is no pattern.
pub(super) fn names(pattern: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('[') else {
        return Some(vec![pattern.to_owned()]);
    };
    let (range, after) = rest.split_once(']')?;
    let tails = names(after)?;
    let mut all = Vec::new();
    for middle in range_values(range)? {
        for tail in &tails {
            all.push(format!("{before}{middle}{tail}"));
            if all.len() > MAXIMUM_HOSTS {
                return None;
            }
        }
    }
    Some(all)
}

fn range_values(range: &str) -> Option<Vec<String>> {
    let mut parts = range.split(':');
    let (first, last) = (parts.next()?, parts.next()?);
    let step: usize = parts.next().map_or(Some(1), |step| step.parse().ok())?;
    if parts.next().is_some() || step == 0 {
        return None;
    }
    if let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) {
        // A leading zero gives all numbers the same width.
        let width = if first.starts_with('0') { first.len() } else { 0 };
        let values = (from..=to).step_by(step).take(MAXIMUM_HOSTS + 1);
        return Some(values.map(|number| format!("{number:0width$}")).collect());
    }
    let letter = |text: &str| match text.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(*letter),
        _ => None,
    };
    let values = (letter(first)?..=letter(last)?).step_by(step);
    Some(values.map(|letter| char::from(letter).to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn patterns_stand_for_names() {
        let of = |pattern: &str| names(pattern).unwrap_or_default().join(" ");
        assert_eq!(of("edge-[1:3]"), "edge-1 edge-2 edge-3");
        assert_eq!(of("edge-[08:10].x"), "edge-08.x edge-09.x edge-10.x");
        assert_eq!(of("r[a:b]-[1:5:2]"), "ra-1 ra-3 ra-5 rb-1 rb-3 rb-5");
        assert_eq!(of("plain"), "plain");
        for bad in ["a[1:2", "a[1]", "a[1:2:0]", "a[1:x]", "a[0:99999]"] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }
}
