//! Who has the address that moves between control planes, as the hosts say themselves.

use std::net::IpAddr;

use crate::check;
use crate::facts::Facts;
use crate::report::{Row, Scope};
use crate::site::Site;

/// A row where the site has such an address: exactly one control plane has it, and no other host.
#[must_use]
pub fn judge(site: &Site, facts: &Facts) -> Vec<Row> {
    let Some(address) = site.control_plane().virtual_address() else {
        return vec![];
    };
    let check = &check::VIRTUAL_ADDRESS_HOLDER;
    let has_it = |name: &str| {
        let facts = facts.host(name)?;
        let interface = facts.network.interface_of(IpAddr::V4(address))?;
        Some(format!("{name}, on {}", interface.name))
    };
    let holders: Vec<String> = site
        .present_hosts()
        .filter_map(|host| has_it(host.name().as_str()))
        .collect();
    let on_workers = site.workers().any(|host| has_it(host.name().as_str()).is_some());
    let silent = site
        .control_planes()
        .find(|host| facts.host(host.name().as_str()).is_none());
    let row = match (holders.as_slice(), silent) {
        ([holder], _) if !on_workers => {
            let mut row = check.passed(Scope::Cluster);
            row.note = Some(format!("{address} is on {holder}"));
            row
        }
        ([], Some(silent)) => {
            let reason = format!(
                "no host that answers has {address}, and {} does not answer",
                silent.name()
            );
            check.could_not_tell(Scope::Cluster, reason)
        }
        ([], None) => check.failed(Scope::Cluster, "one control plane has it", "none has it", vec![]),
        (holders, _) => {
            let found = format!("{} hosts have it", holders.len());
            let found = if on_workers {
                "a worker has it".to_owned()
            } else {
                found
            };
            check.failed(
                Scope::Cluster,
                "one control plane has it",
                found,
                holders.to_vec(),
            )
        }
    };
    vec![row]
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::facts::{Facts, HostAnswer, HostFacts, Interface};
    use crate::report::Outcome;
    use crate::site;

    const SITE: &str = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: shop}\nspec:\n  release: \"1.36\"\n  \
                        access: {user: edge}\n  hosts:\n  - {name: a, address: 10.0.0.11, role: control-plane}\n  \
                        - {name: b, address: 10.0.0.12, role: control-plane}\n  \
                        - {name: c, address: 10.0.0.13, role: control-plane}\n  \
                        - {name: w, address: 10.0.0.21, role: worker}\n";

    /// What is found where these hosts have the address, and these answer.
    fn judged(holders: &[&str], answering: &[&str]) -> Outcome {
        let text = format!("{SITE}  controlPlane: {{virtualAddress: 10.0.0.10}}\n");
        let (site, _) = site::load(&text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
        let mut facts = Facts::new(None);
        for name in answering {
            let mut host = HostFacts::default();
            if holders.contains(name) {
                host.network.value_mut().interfaces.push(Interface {
                    name: "eth0".to_owned(),
                    addresses: vec!["10.0.0.10/32".parse().expect("an address")],
                    ..Interface::default()
                });
            }
            facts.insert(*name, HostAnswer::Known(Box::new(host)));
        }
        judge(&site, &facts).remove(0).outcome
    }

    #[test]
    fn one_control_plane_has_it_and_nobody_else() {
        let all = ["a", "b", "c", "w"];
        assert_eq!(judged(&["b"], &all), Outcome::Passed);
        assert_eq!(judged(&["b"], &["b", "c"]), Outcome::Passed);
        assert!(matches!(judged(&[], &["a", "b"]), Outcome::CouldNotTell { .. }));
        for (holders, found) in [
            (&[][..], "none has it"),
            (&["a", "b"], "2 hosts have it"),
            (&["w"], "a worker has it"),
        ] {
            let outcome = judged(holders, &all);
            assert!(
                matches!(&outcome, Outcome::Failed(failure) if failure.found == found),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn a_site_without_one_has_no_row() {
        let (site, _) = site::load(SITE, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(judge(&site, &Facts::new(None)), []);
    }
}
