//! What hosts of an inventory are called in a site, where their names are addresses, domains or have letters of their own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::name::HostName;
use iec_core::site::tamed;

use super::letters::shown;

/// A name that a site may have for each of these, in their order; those that are others are told.
pub(super) fn site_names(hosts: &[&str], problems: &mut Diagnostics) -> Vec<String> {
    let mut taken: BTreeSet<String> = hosts
        .iter()
        .filter(|name| is_name(name))
        .map(|name| (*name).to_owned())
        .collect();
    let mut names = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        if is_name(host) {
            names.push((*host).to_owned());
            continue;
        }
        let name = derived(host, index, &taken);
        problems.push(
            Diagnostic::warning(
                "IEC0819",
                format!("the host {} of the inventory is called {name} in the site", shown(host)),
            )
            .hint("hosts have small letters, digits and `-` in their names; change `name` in the site file to call it otherwise"),
        );
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

fn is_name(name: &str) -> bool {
    HostName::new(name).is_ok() && name != "localhost"
}

fn derived(host: &str, index: usize, taken: &BTreeSet<String>) -> String {
    let free = |name: &String| is_name(name) && !taken.contains(name);
    let whole = tamed(&host.replace("::", "-").replace('.', "-"));
    if host.parse::<IpAddr>().is_ok() {
        let name = format!("host-{whole}");
        if free(&name) {
            return name;
        }
    }
    let counted = (index + 1..).map(|number| format!("host-{number}"));
    [tamed(host), whole]
        .into_iter()
        .filter(|_| host.parse::<IpAddr>().is_err())
        .chain(counted)
        .find(free)
        .expect("some number is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_gets_a_name_of_its_own() {
        let mut problems = Diagnostics::new();
        let names = site_names(
            &[
                "edge-1",
                "10.0.0.1",
                "node1.a.org",
                "node1.b.org",
                "Edge_1",
                "localhost",
                "ä",
                "edge-1.c.org",
                "yes",
            ],
            &mut problems,
        );
        assert_eq!(
            names,
            [
                "edge-1",
                "host-10-0-0-1",
                "node1",
                "node1-b-org",
                "host-5",
                "host-6",
                "host-7",
                "edge-1-c-org",
                "yes"
            ]
        );
        assert_eq!(problems.len(), 7, "{problems}");
    }
}
