//! What a host is, as far as anybody could tell from inside: collected twice, compared, and nothing forgotten.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, bail};

/// Collects. Its first argument says what: [`HOST`] or [`FILTERS`].
pub(crate) const SCRIPT: &str = include_str!("collect.sh");
/// Files, users, units, mounts, sysctls, processes, links, routes: asked on the host.
pub(crate) const HOST: &str = "host";
/// nft, ipset and iptables: asked in the host's network namespace.
pub(crate) const FILTERS: &str = "filters";
/// The name that the script must be called by, so that it can leave itself out.
pub(crate) const NAME: &str = "iec-inventory";

/// What the mask file of the reset test allows to be different.
const RESET_MASK: &str = include_str!("reset-mask.txt");
const POWER_MASK: &str = include_str!("power-mask.txt");

/// Everything that was found: section and name, and the values under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    things: BTreeMap<(String, String), Vec<String>>,
}

impl Inventory {
    /// Reads what the script printed.
    ///
    /// # Errors
    /// When a line is of another form, or the script did not reach its end.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut inventory = Self::default();
        let body = text
            .strip_suffix("end\tinventory\tcomplete\n")
            .context("the inventory was cut off before its end")?;
        for line in body.lines() {
            let mut fields = line.splitn(3, '\t');
            let (Some(section), Some(name), Some(value)) = (fields.next(), fields.next(), fields.next())
            else {
                bail!("a line of the inventory is of another form: {line:?}");
            };
            let key = (section.to_owned(), name.to_owned());
            inventory
                .things
                .entry(key)
                .or_default()
                .push(value.trim_end().to_owned());
        }
        Ok(inventory)
    }

    /// Adds what another inventory of the same host has.
    pub(crate) fn extend(&mut self, other: Self) {
        for (key, values) in other.things {
            self.things.entry(key).or_default().extend(values);
        }
    }

    /// Adds one thing.
    pub(crate) fn insert(&mut self, section: &str, name: &str, value: &str) {
        let key = (section.to_owned(), name.to_owned());
        self.things.entry(key).or_default().push(value.to_owned());
    }

    /// Forgets what is not wanted, by section and name.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&str, &str) -> bool) {
        self.things.retain(|(section, name), _| wanted(section, name));
    }

    /// Brings the values under each name into an order of their own, where the one in which they came says nothing.
    pub(crate) fn sort(&mut self) {
        self.things.values_mut().for_each(|values| values.sort());
    }

    /// How many things there are.
    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    /// What is different in `after`, but for what the mask allows.
    pub(crate) fn differences(&self, after: &Self, mask: &Mask) -> Vec<Difference> {
        let mut keys: Vec<_> = self.things.keys().chain(after.things.keys()).collect();
        keys.sort();
        keys.dedup();
        keys.into_iter()
            .filter(|(section, name)| !mask.allows(section, name))
            .filter_map(|key| {
                let (before, after) = (self.things.get(key), after.things.get(key));
                (before != after).then(|| Difference {
                    section: key.0.clone(),
                    name: key.1.clone(),
                    before: before.cloned(),
                    after: after.cloned(),
                })
            })
            .collect()
    }
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    section: String,
    name: String,
    before: Option<Vec<String>>,
    after: Option<Vec<String>>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, name, .. } = self;
        let join = |values: &Vec<String>| values.join(" | ");
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(formatter, "+ {section} {name} {}", join(after)),
            (Some(before), None) => write!(formatter, "- {section} {name} {}", join(before)),
            (Some(before), Some(after)) => {
                write!(
                    formatter,
                    "~ {section} {name} {} -> {}",
                    join(before),
                    join(after)
                )
            }
            (None, None) => Ok(()),
        }
    }
}

/// What may be different, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    /// Section and pattern, in which `*` stands for anything.
    rules: Vec<(String, String)>,
}

impl Mask {
    /// The mask of the comparison before `apply` and after `reset`.
    pub(crate) fn of_reset() -> Self {
        Self::parse(RESET_MASK).expect("a test reads the mask file")
    }

    /// The same where the hosts have lost their power in between.
    pub(crate) fn of_reset_after_power_cuts() -> Self {
        let power = Self::parse(POWER_MASK).expect("a test reads the mask file");
        let mut mask = Self::of_reset();
        mask.rules.extend(power.rules);
        mask
    }

    /// Reads a mask: on each line a section, a pattern, and behind two blanks and a `#` the reason.
    ///
    /// # Errors
    /// When a line has no reason.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut rules = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        {
            let (rule, reason) = line.split_once("  # ").unwrap_or((line, ""));
            let (section, pattern) = rule
                .trim()
                .split_once(' ')
                .with_context(|| format!("no pattern: {line}"))?;
            if reason.trim().is_empty() {
                bail!("no reason is given: {line}");
            }
            rules.push((section.to_owned(), pattern.trim().to_owned()));
        }
        Ok(Self { rules })
    }

    fn allows(&self, section: &str, name: &str) -> bool {
        self.rules
            .iter()
            .any(|(masked, pattern)| masked == section && matches(pattern, name))
    }
}

/// Whether a name is of a pattern in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(start) else {
        return false;
    };
    (0..=name.len()).any(|at| name.is_char_boundary(at) && matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const END: &str = "end\tinventory\tcomplete\n";

    fn inventory(lines: &str) -> Inventory {
        Inventory::parse(&format!("{lines}{END}")).expect("it can be read")
    }

    fn mask(text: &str) -> Mask {
        Mask::parse(text).expect("it can be read")
    }

    #[test]
    fn what_appeared_vanished_or_changed_is_told() {
        let before = inventory("path\t/a\td 755 0:0\npath\t/b\tf 644 0:0\ndigest\t/b\t11\n");
        let after = inventory("path\t/b\tf 644 0:0\ndigest\t/b\t22\nlink\tcali1:\t<UP>\n");
        let told: Vec<String> = before
            .differences(&after, &mask(""))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "~ digest /b 11 -> 22",
                "+ link cali1: <UP>",
                "- path /a d 755 0:0"
            ]
        );
        assert_eq!(before.differences(&before, &mask("")), []);
    }

    #[test]
    fn the_same_name_twice_is_not_the_same_as_once() {
        let once = inventory("process\tsleep 1\t\n");
        let twice = inventory("process\tsleep 1\t\nprocess\tsleep 1\t\n");
        assert_eq!(once.differences(&twice, &mask("")).len(), 1);
    }

    #[test]
    fn a_mask_hides_what_it_names_and_nothing_else() {
        let before = inventory("");
        let after = inventory("path\t/var/log/a/b\tf\npath\t/var/lib\tf\nunit\t/var/log/a\tx\n");
        let mask = mask("# logs\npath /var/log/*  # it is a log\n");
        let names: Vec<String> = before
            .differences(&after, &mask)
            .into_iter()
            .map(|each| each.name)
            .collect();
        assert_eq!(names, ["/var/lib", "/var/log/a"]);
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a*", "/ab", true),
            ("*.scope", "session-1.scope", true),
            ("*.scope", "session-1.scope.d", false),
            ("/a/*/c", "/a/b/b/c", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn every_line_of_the_mask_of_reset_has_a_reason() {
        assert!(!Mask::of_reset().rules.is_empty());
        assert!(Mask::of_reset_after_power_cuts().allows("path", "/run/sshd.pid"));
        assert!(!Mask::of_reset_after_power_cuts().allows("path", "/etc/kubernetes"));
        assert!(Mask::parse("path /etc/hosts\n").is_err());
        assert!(Mask::parse("path /etc/hosts  # \n").is_err());
    }

    #[test]
    fn an_inventory_that_was_cut_off_is_refused() {
        assert!(Inventory::parse("path\t/a\tf\n").is_err());
        assert!(Inventory::parse(&format!("nonsense\n{END}")).is_err());
    }

    #[test]
    fn the_script_is_posix_and_knows_its_sections() {
        for shell in ["dash", "bash"] {
            let Ok(output) = Command::new(shell).args(["-n", "-c", SCRIPT]).output() else {
                continue;
            };
            assert!(output.status.success(), "{shell}: {output:?}");
        }
        let output = Command::new("sh")
            .args(["-c", SCRIPT, NAME, FILTERS])
            .output()
            .expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout);
        Inventory::parse(&text).expect("whatever this machine has is read");
    }
}
