//! Hosts, groups and variables, however they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use super::variable::{Layers, Variables};
use crate::diagnostic::{Diagnostics, Place};

/// More hosts than these are no edge site but a mistyped range.
const MAXIMUM_HOSTS: usize = 10_000;

/// An inventory that was read: its hosts, its groups, and their variables.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The hosts, in the order in which they are first named.
    pub(super) hosts: Vec<Host>,
    /// The groups by name.
    pub(super) groups: BTreeMap<String, Group>,
    /// The names of all variables, whatever their values.
    pub(super) settings: BTreeSet<String>,
    /// The names of variables whose values are encrypted.
    pub(super) encrypted: BTreeSet<String>,
    /// What somebody should know of reading it.
    pub(super) warnings: Diagnostics,
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
    pub(super) hosts: BTreeSet<String>,
    pub(super) children: BTreeSet<String>,
    pub(super) variables: Variables,
    /// Those of `group_vars`.
    pub(super) beside: Variables,
}

/// Whether `ansible-vault` has made this text.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.trim_start().starts_with("$ANSIBLE_VAULT;")
}

impl Inventory {
    /// The names of its groups, which may have files in `group_vars`.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let given = self.groups.keys().map(String::as_str);
        given.chain(
            ["all", "ungrouped"]
                .into_iter()
                .filter(|name| !self.groups.contains_key(*name)),
        )
    }

    /// The names of its hosts, which may have files in `host_vars`.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }

    /// The host of this name, made if it is new.
    pub(super) fn host(&mut self, name: &str, place: &Place) -> &mut Host {
        let at = self.hosts.iter().position(|host| host.name == name);
        let at = at.unwrap_or_else(|| {
            self.hosts.push(Host {
                name: name.to_owned(),
                place: place.clone(),
                variables: Variables::new(),
                beside: Variables::new(),
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
        let within = self.within(groups);
        self.hosts
            .iter()
            .filter(|host| within.contains(host.name.as_str()))
            .map(|host| host.name.clone())
            .collect()
    }

    /// The names of the hosts of these groups and of the groups in them.
    fn within(&self, groups: &[&str]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for group in groups {
            self.descend(group, &mut found);
        }
        let groups = found.iter().filter_map(|group| self.groups.get(*group));
        groups
            .flat_map(|group| group.hosts.iter().map(String::as_str))
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

    /// The variables of each host as Ansible ranks them: a host's own, then those of its groups, the deepest first, of
    /// groups that are equally deep the last by name, and `all` in the end; files beside the inventory before the inventory.
    pub(super) fn layers(&self) -> Layers<'_> {
        let depths = self.depths();
        let mut groups: Vec<(&str, &Group)> = self
            .groups
            .iter()
            .filter(|(name, _)| *name != "all")
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
        let members: Vec<BTreeSet<&str>> = groups.iter().map(|(name, _)| self.within(&[name])).collect();
        let all = self.groups.get("all");
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
        Layers(layers.collect())
    }

    /// How many groups each group lies in, one in the other.
    fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
        // A group cannot lie in more groups than there are, but in itself.
        for _ in 0..self.groups.len() {
            let mut changed = false;
            for (name, group) in self.groups.iter().filter(|(name, _)| *name != "all") {
                let below = depths.get(name.as_str()).copied().unwrap_or(1) + 1;
                for child in &group.children {
                    let depth = depths.entry(child).or_insert(1);
                    if *depth < below && below <= self.groups.len() {
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

/// The name or pattern, and the port behind it; behind an address of IPv6 one stands only where brackets keep them apart.
pub(super) fn with_port(pattern: &str) -> (&str, Option<&str>) {
    let port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, after)) = bracketed(pattern) {
        return (address, after.strip_prefix(':').filter(|text| port(text)));
    }
    // Colons in brackets are of ranges.
    let mut depth = 0_usize;
    let colons = pattern.chars().filter(|character| {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *character == ':'
    });
    let one = colons.count() == 1;
    match pattern.rsplit_once(':') {
        Some((name, text)) if one && port(text) => (name, Some(text)),
        _ => (pattern, None),
    }
}

/// An address of IPv6 in brackets, and what follows it.
pub(super) fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.strip_prefix('[')?.split_once(']')?;
    inside.parse::<Ipv6Addr>().is_ok().then_some((inside, after))
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

/// What a range stands for; one that runs backwards is none.
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
        return (from <= to).then(|| values.map(|number| format!("{number:0width$}")).collect());
    }
    let letter = |text: &str| match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    };
    let (from, to) = (letter(first)?, letter(last)?);
    let values = (from..=to).step_by(step);
    (from <= to && from.is_ascii_lowercase() == to.is_ascii_lowercase())
        .then(|| values.map(|letter| char::from(letter).to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::{names, with_port};

    #[test]
    fn patterns_stand_for_names() {
        let of = |pattern: &str| names(pattern).unwrap_or_default().join(" ");
        assert_eq!(of("edge-[1:3]"), "edge-1 edge-2 edge-3");
        assert_eq!(of("edge-[08:10].x"), "edge-08.x edge-09.x edge-10.x");
        assert_eq!(of("r[a:b]-[1:5:2]"), "ra-1 ra-3 ra-5 rb-1 rb-3 rb-5");
        assert_eq!(of("R[A:C]"), "RA RB RC");
        assert_eq!(of("plain"), "plain");
        for bad in [
            "a[1:2",
            "a[1]",
            "a[1:2:0]",
            "a[1:x]",
            "a[0:99999]",
            "a[3:1]",
            "a[c:a]",
            "a[A:c]",
        ] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_port_is_what_stands_behind_one_colon_or_behind_brackets() {
        for (pattern, name, port) in [
            ("n1", "n1", None),
            ("n1:2222", "n1", Some("2222")),
            ("10.0.0.1:2222", "10.0.0.1", Some("2222")),
            ("n[1:3]", "n[1:3]", None),
            ("n[1:3]:2222", "n[1:3]", Some("2222")),
            ("2001:db8::1", "2001:db8::1", None),
            ("fe80::22", "fe80::22", None),
            ("[2001:db8::5]:2222", "2001:db8::5", Some("2222")),
            ("[2001:db8::5]", "2001:db8::5", None),
            ("n1:", "n1:", None),
        ] {
            assert_eq!(with_port(pattern), (name, port), "{pattern}");
        }
    }
}
