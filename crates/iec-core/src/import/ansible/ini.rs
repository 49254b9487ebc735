//! An inventory in the INI form.

use std::collections::BTreeSet;
use std::ops::Range;

use super::inventory::{Inventory, bracketed, is_encrypted, names, with_port};
use super::variable::{Value, Variable};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::site::rule::printable;
use crate::spec::source::Source;

/// Why an assignment is no name; it is not repeated, because it may be of a password.
const MISPLACED: &str = "variables of a group stand below `[group:vars]`";

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
        group: "ungrouped".to_owned(),
        lines: Lines::Hosts,
        defined: inventory.groups().map(str::to_owned).collect(),
        asked: Vec::new(),
    };
    let mut offset = 0;
    for whole in source.text.split_inclusive('\n') {
        let span = offset..offset + whole.trim_end().len();
        offset += whole.len();
        let line = whole.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Err(reason) = reader.line(line, &span, inventory) {
            problems.push(unreadable(source, span, reason));
        }
    }
    for (group, span) in &reader.asked {
        if !reader.defined.contains(group) {
            let reason = format!("there is no group {}", printable(group));
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
                inventory.group(child);
                inventory.group(&self.group).children.insert(child.to_owned());
                self.asked.push((child.to_owned(), span.clone()));
            }
            Lines::Variables => {
                let (name, value) = pair(without_comment(line))?;
                inventory.settings.insert(name.clone());
                let variable = variable(value, &place);
                inventory.group(&self.group).variables.insert(name, variable);
            }
        }
        Ok(())
    }
}

fn variable(text: String, place: &Place) -> Variable {
    let value = if is_encrypted(&text) {
        Value::Encrypted
    } else {
        Value::Text(text)
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
    let (inside, _) = inside.ok_or("the bracket is not closed")?;
    match inside.split_once(':') {
        None => Ok((inside.to_owned(), Lines::Hosts)),
        Some((name, "children")) => Ok((name.to_owned(), Lines::Children)),
        Some((name, "vars")) => Ok((name.to_owned(), Lines::Variables)),
        Some(_) => Err("behind the colon only `children` and `vars` mean something"),
    }
}

/// The name of a group; a comment may stand behind it.
fn child(line: &str) -> Result<&str, &'static str> {
    let name = without_comment(line);
    if name.contains(char::is_whitespace) {
        return Err("here stands the name of one group");
    }
    if name.contains('=') {
        return Err(MISPLACED);
    }
    Ok(name)
}

/// The line without a comment at its end, which begins with `#` or `;` behind a space; quotes keep it from being one.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '#' | ';') if before.is_whitespace() => return line[..at].trim_end(),
            _ => {}
        }
        before = character;
    }
    line
}

/// A host, or a range of them, with its variables.
fn host(inventory: &mut Inventory, group: &str, line: &str, place: &Place) -> Result<(), &'static str> {
    let words = words(line)?;
    let (pattern, variables) = words.split_first().ok_or("there is no host")?;
    if pattern.contains('=') {
        return Err(MISPLACED);
    }
    let (pattern, port) = with_port(pattern);
    let names = names(pattern).ok_or("the range in its name is none, or far too long")?;
    let pairs = variables
        .iter()
        .map(|word| pair(word))
        .collect::<Result<Vec<_>, _>>()?;
    inventory
        .settings
        .extend(pairs.iter().map(|(name, _)| name.clone()));
    for name in names {
        let host = inventory.host(&name, place);
        let port = port.map(|port| ("ansible_port".to_owned(), port.to_owned()));
        // A port that has a name of its own is stronger than one behind the host's.
        let all = port.into_iter().chain(pairs.iter().cloned());
        host.variables
            .extend(all.map(|(name, value)| (name, variable(value, place))));
        inventory.group(group).hosts.insert(name);
    }
    Ok(())
}

/// `name=value`, with or without spaces and quotes.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("a variable is name=value")?;
    let value = value.trim();
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Ok((name.trim().to_owned(), unquoted.unwrap_or(value).to_owned()))
}

/// The words of a line; spaces in quotes separate nothing, and a comment ends it.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => {
                quote = None;
                word.push(character);
            }
            (None, '"' | '\'') => {
                quote = Some(character);
                word.push(character);
            }
            (None, '#' | ';') if word.is_empty() => break,
            (None, _) if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}
