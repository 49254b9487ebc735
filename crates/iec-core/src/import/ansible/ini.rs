//! An inventory in the INI form.

use std::ops::Range;

use super::inventory::{Inventory, names};
use crate::diagnostic::{Diagnostic, Diagnostics};
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
pub(super) fn read(source: &Source<'_>, problems: &mut Diagnostics) -> Inventory {
    let mut inventory = Inventory::default();
    let mut group = "ungrouped".to_owned();
    let mut lines = Lines::Hosts;
    let mut offset = 0;
    for whole in source.text.split_inclusive('\n') {
        let span = offset..offset + whole.trim_end().len();
        offset += whole.len();
        let line = whole.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let read = if line.starts_with('[') {
            heading(line).map(|(name, kind)| {
                inventory.group(&name);
                (group, lines) = (name, kind);
            })
        } else {
            match lines {
                Lines::Hosts => host(&mut inventory, &group, line, source, span.clone()),
                Lines::Children => child(line).map(|child| {
                    inventory.group(child);
                    inventory.group(&group).children.insert(child.to_owned());
                }),
                Lines::Variables => pair(without_comment(line)).map(|(name, value)| {
                    inventory.settings.insert(name.clone());
                    inventory.group(&group).variables.insert(name, value);
                }),
            }
        };
        if let Err(reason) = read {
            problems.push(unreadable(source, span, reason));
        }
    }
    inventory
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
fn host(
    inventory: &mut Inventory,
    group: &str,
    line: &str,
    source: &Source<'_>,
    span: Range<usize>,
) -> Result<(), &'static str> {
    let words = words(line)?;
    let (pattern, variables) = words.split_first().ok_or("there is no host")?;
    if pattern.contains('=') {
        return Err(MISPLACED);
    }
    let (pattern, port) = port(pattern);
    let names = names(pattern).ok_or("the range in its name is none, or far too long")?;
    let pairs = variables
        .iter()
        .map(|word| pair(word))
        .collect::<Result<Vec<_>, _>>()?;
    let place = source.place(span);
    inventory
        .settings
        .extend(pairs.iter().map(|(name, _)| name.clone()));
    for name in names {
        let host = inventory.host(&name, &place);
        host.variables.extend(pairs.iter().cloned());
        if let Some(port) = port {
            host.variables.insert("ansible_port".to_owned(), port.to_owned());
        }
        inventory.group(group).hosts.insert(name);
    }
    Ok(())
}

/// The port behind a name; a colon in a range is none.
fn port(pattern: &str) -> (&str, Option<&str>) {
    match pattern.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, Some(port))
        }
        _ => (pattern, None),
    }
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
