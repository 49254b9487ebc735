//! What a site has once and an inventory for each host: the account and the private key.

use super::Wanted;
use super::inventory::Host;
use super::origin::Origin;
use super::told::named;
use super::variable::Layers;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::site::rule::printable;

/// The variables that name the account; the first that is there counts.
pub(super) const USER: [&str; 2] = ["ansible_user", "ansible_ssh_user"];
/// The variables that name the file of the private key.
pub(super) const IDENTITY: [&str; 2] = ["ansible_ssh_private_key_file", "ansible_private_key_file"];

/// The account of the site: the one that most hosts have if each has one, since others can have their own. Where hosts
/// have none, they do not get another host's.
pub(super) fn user(
    hosts: &[&Host],
    names: &[String],
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    origins: &mut Vec<Origin>,
    problems: &mut Diagnostics,
) -> String {
    if let Some(user) = wanted.user {
        return user.to_owned();
    }
    let mut counts: Vec<(&str, &Place, usize)> = Vec::new();
    let mut without = Vec::new();
    for (host, name) in hosts.iter().zip(names) {
        match layers.text(host, &USER) {
            None => without.push(name.as_str()),
            Some((user, place)) => match counts.iter_mut().find(|(known, ..)| *known == user) {
                Some((.., count)) => *count += 1,
                None => counts.push((user, place, 1)),
            },
        }
    }
    if without.is_empty() {
        let most = counts.iter().map(|(.., count)| *count).max();
        if let Some((user, place, _)) = counts.iter().find(|(.., count)| Some(*count) == most) {
            origins.push(Origin::of_site("user", place));
            return (*user).to_owned();
        }
    }
    if !counts.is_empty() {
        let have = if without.len() == 1 { "has" } else { "have" };
        let message = format!(
            "{} {have} no known ansible_user, as others have: IEC logs in there as {}",
            named(&without),
            wanted.usual_user
        );
        problems.push(
            Diagnostic::warning("IEC0819", message)
                .hint("change `access.user` in the site file, or type --user for all hosts"),
        );
    }
    wanted.usual_user.to_owned()
}

/// The private key of the site, if it is that of all hosts.
pub(super) fn identity(
    hosts: &[&Host],
    names: &[String],
    layers: &Layers<'_>,
    wanted: &Wanted<'_>,
    origins: &mut Vec<Origin>,
    problems: &mut Diagnostics,
) -> Option<String> {
    if let Some(identity) = wanted.identity {
        return Some(identity.to_owned());
    }
    let keys: Vec<Option<(&str, &Place)>> = hosts.iter().map(|host| layers.text(host, &IDENTITY)).collect();
    let first = *keys.first()?;
    let text = |key: &Option<(&str, &Place)>| key.map(|(text, _)| text.to_owned());
    if keys.iter().all(|key| text(key) == text(&first)) {
        origins.extend(first.map(|(_, place)| Origin::of_site("identity", place)));
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
