//! What a site has once and an inventory for each host: the account and the private key.

use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::site::printable;
use iec_core::site::unwritten::Origins;

use super::Wanted;
use super::connection::{IDENTITY, USER};
use super::inventory::Host;
use super::told::named;
use super::variable::Layers;

/// The account of the site: the one that most hosts have if each has one, since others can have their own. Where hosts
/// have none, they do not get another host's.
pub(super) fn user(
    hosts: &[&Host],
    names: &[String],
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    origins: &mut Origins,
    problems: &mut Diagnostics,
) -> String {
    if let Some(user) = wanted.user {
        return user.to_owned();
    }
    let mut counts: Vec<(&str, &Place, usize)> = Vec::new();
    let mut without = Vec::new();
    for (host, name) in hosts.iter().zip(names) {
        match layers.text(host, &USER) {
            None => without.push((*host, name.as_str())),
            Some((user, place)) => match counts.iter_mut().find(|(known, ..)| *known == user) {
                Some((.., count)) => *count += 1,
                None => counts.push((user, place, 1)),
            },
        }
    }
    if without.is_empty() {
        let most = counts.iter().map(|(.., count)| *count).max();
        if let Some((user, place, _)) = counts.iter().find(|(.., count)| Some(*count) == most) {
            origins.note("spec.access.user", place);
            return (*user).to_owned();
        }
    }
    problems.push(no_account(&without, hosts.len(), layers, wanted));
    wanted.usual_user.to_owned()
}

/// Says that IEC takes an account of which nobody has spoken.
fn no_account(without: &[(&Host, &str)], all: usize, layers: &Layers<'_>, wanted: &Wanted<'_>) -> Diagnostic {
    let names: Vec<&str> = without.iter().map(|(_, name)| *name).collect();
    let whose = if without.len() == all {
        "any host".to_owned()
    } else {
        named(&names)
    };
    let message = format!(
        "the inventory names no account for {whose} that IEC can read: it logs in as {}",
        wanted.usual_user
    );
    let mut problem = Diagnostic::warning("IEC0837", message).hint(
        "type --user NAME for all hosts, or write ansible_user into the inventory, or change `user` in the site file",
    );
    let mut said = Vec::new();
    for (host, _) in without {
        if let Some((key, variable)) = layers.option(host, &USER) {
            let line = if variable.is_empty() {
                format!("{}: {key} is empty", super::told::line(&variable.place))
            } else {
                variable.shown(key)
            };
            if !said.contains(&line) {
                said.push(line);
            }
        }
    }
    problem.evidence = said;
    problem
}

/// The private key of the site, if it is that of all hosts.
pub(super) fn identity(
    hosts: &[&Host],
    names: &[String],
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    origins: &mut Origins,
    problems: &mut Diagnostics,
) -> Option<String> {
    if let Some(identity) = wanted.identity {
        return Some(identity.to_owned());
    }
    let keys: Vec<Option<(&str, &Place)>> = hosts.iter().map(|host| layers.text(host, &IDENTITY)).collect();
    let first = *keys.first()?;
    let text = |key: &Option<(&str, &Place)>| key.map(|(text, _)| text.to_owned());
    if keys.iter().all(|key| text(key) == text(&first)) {
        if let Some((_, place)) = first {
            origins.note("spec.access.identity", place);
        }
        return text(&first);
    }
    let mut problem = Diagnostic::warning(
        "IEC0819",
        "the hosts have different private keys, a site has one: it names none, and your SSH agent is asked",
    );
    for (name, key) in names.iter().zip(&keys) {
        problem = problem.evidence(match key {
            Some((key, _)) => format!("{name}: {}", printable(key)),
            None => format!("{name}: none, or one that only Ansible knows"),
        });
    }
    problems.push(problem.hint("give the keys to your SSH agent (ssh-add FILE), or type --identity FILE for one that all hosts accept"));
    None
}
