//! An inventory in the INI form.

use std::collections::BTreeSet;
use std::ops::Range;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::spec::source::Source;

use super::inventory::{Inventory, UNGROUPED, is_encrypted};
use super::letters::shown;
use super::pattern::{self, bracketed};
use super::variable::{Value, Variable, Variables};
use super::{literal, words};

/// Why an assignment is no name; it is not repeated, because it may be of a password.
const MISPLACED: &str = "variables of a group stand below `[group:vars]`";

/// What some editors put at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What the lines below a heading are.
#[derive(Clone, Copy)]
enum Lines {
    Hosts,
    Children,
    Variables,
}

/// Reads every line; those that cannot be read are reported.
pub(super) fn read(source: &Source<'_>, inventory: &mut Inventory, problems: &mut Diagnostics) {
    let mut reader = Reader {
        source,
        group: UNGROUPED.to_owned(),
        lines: Lines::Hosts,
        defined: inventory.groups().map(str::to_owned).collect(),
        asked: Vec::new(),
    };
    let mut offset = 0;
    for whole in source.text.split_inclusive('\n') {
        let span = offset..offset + whole.trim_end().len();
        offset += whole.len();
        let line = whole.trim_start_matches(BYTE_ORDER_MARK).trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Err(reason) = reader.line(line, &span, inventory) {
            problems.push(unreadable(source, span, reason));
        }
        if inventory.is_full() {
            return;
        }
    }
    for (group, span) in &reader.asked {
        if !reader.defined.contains(group) {
            let reason = format!("there is no group {}", shown(group));
            problems.push(unreadable(source, span.clone(), &reason));
        }
    }
}

/// What is known of the lines so far.
struct Reader<'r, 't> {
    source: &'r Source<'t>,
    group: String,
    lines: Lines,
    /// The groups that have a heading for their hosts or children.
    defined: BTreeSet<String>,
    /// The groups that should have one, and where they are named.
    asked: Vec<(String, Range<usize>)>,
}

impl Reader<'_, '_> {
    fn line(
        &mut self,
        line: &str,
        span: &Range<usize>,
        inventory: &mut Inventory,
    ) -> Result<(), &'static str> {
        if line.starts_with('[') && bracketed(line).is_none() {
            (self.group, self.lines) = heading(line)?;
            inventory.group(&self.group);
            match self.lines {
                Lines::Hosts | Lines::Children => drop(self.defined.insert(self.group.clone())),
                Lines::Variables => self.asked.push((self.group.clone(), span.clone())),
            }
            return Ok(());
        }
        let place = self.source.place(span.clone());
        match self.lines {
            Lines::Hosts => host(inventory, &self.group, line, &place)?,
            Lines::Children => {
                let child = child(line)?;
                self.asked.push((child.to_owned(), span.clone()));
                inventory.add_child(&self.group, child)?;
            }
            Lines::Variables => {
                let (name, value) = line.split_once('=').ok_or("a variable is name=value")?;
                let (name, value) = (name.trim(), variable(value.trim(), &place));
                inventory.settings.insert(name.to_owned());
                inventory
                    .group(&self.group)
                    .variables
                    .insert(name.to_owned(), value);
            }
        }
        Ok(())
    }
}

fn variable(text: &str, place: &Place) -> Variable {
    let value = if is_encrypted(text) {
        Value::Encrypted
    } else {
        literal::of_ini(text)
    };
    Variable {
        value,
        place: place.clone(),
    }
}

fn unreadable(source: &Source<'_>, span: Range<usize>, reason: &str) -> Diagnostic {
    Diagnostic::error(
        "IEC0831",
        format!("this line of the inventory cannot be read: {reason}"),
    )
    .at(&source.place(span))
    .hint("ansible-inventory --list -i FILE shows what Ansible reads")
}

/// `[group]`, `[group:children]` or `[group:vars]`; a comment may stand behind it.
fn heading(line: &str) -> Result<(String, Lines), &'static str> {
    let inside = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (inside, after) = inside.ok_or("the bracket is not closed")?;
    let after = after.trim_start();
    if !after.is_empty() && !after.starts_with('#') {
        return Err("behind a heading only a comment may stand, which begins with `#`");
    }
    let (name, lines) = match inside.split_once(':') {
        None => (inside, Lines::Hosts),
        Some((name, "children")) => (name, Lines::Children),
        Some((name, "vars")) => (name, Lines::Variables),
        Some((name, "hosts")) => (name, Lines::Hosts),
        Some(_) => return Err("behind the colon only `hosts`, `children` and `vars` mean something"),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err("between the brackets stands the name of a group, without spaces");
    }
    Ok((name.to_owned(), lines))
}

/// The name of a group; a comment may stand behind it, but not right behind: there it is a part of the name.
fn child(line: &str) -> Result<&str, &'static str> {
    let name = line.split(char::is_whitespace).next().unwrap_or_default();
    let after = line[name.len()..].trim_start();
    if name.contains('=') {
        return Err(MISPLACED);
    }
    if !after.is_empty() && !after.starts_with('#') || name.contains([':', ']']) {
        return Err("here stands the name of one group; a comment behind it begins with `#`");
    }
    Ok(name)
}

/// A host, or a range of them, with its variables.
fn host(inventory: &mut Inventory, group: &str, line: &str, place: &Place) -> Result<(), &'static str> {
    let words = words::split(line)?;
    let (pattern, assignments) = words.split_first().ok_or("there is no host")?;
    if pattern.is_empty() {
        return Err("the name of the host is empty");
    }
    if pattern.contains('=') {
        return Err(MISPLACED);
    }
    if pattern == "---" || pattern.ends_with(':') {
        return Err("this looks like YAML, and Ansible reads this file as INI");
    }
    let (names, port) = pattern::hosts(pattern).ok_or("the range in its name is none, or far too long")?;
    inventory.count(names.len())?;
    let mut variables = Variables::new();
    for assignment in assignments {
        let (name, value) = assignment
            .split_once('=')
            .ok_or("a variable is name=value, and a comment begins with `#`")?;
        variables.insert(name.to_owned(), variable(value, place));
    }
    inventory.settings.extend(variables.keys().cloned());
    for name in names {
        let port = port.as_deref().map(|port| variable(port, place));
        inventory.add_host(&name, port, group, place);
        inventory.set_variables(&name, variables.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::child;

    #[test]
    fn a_comment_may_stand_behind_the_name_of_a_child() {
        for (line, name) in [("a", "a"), ("a # b", "a"), ("a#b", "a#b"), ("a-b\t#", "a-b")] {
            assert_eq!(child(line), Ok(name), "{line}");
        }
        for line in ["a b", "a ; b", "a=b", "a:b"] {
            assert!(child(line).is_err(), "{line}");
        }
    }
}
