//! What hosts that left the site still owe: a reset that nobody could do, or that nobody has done yet.

use iec_core::name::HostName;
use iec_core::site::{Site, SiteHost};
use iec_host::{Fleet, journals};
use serde_json::{Value, json};

/// What one host owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owed {
    host: HostName,
    debt: Debt,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Debt {
    /// The site file calls the host unreachable: nobody has looked.
    Unreachable,
    /// So many steps of IEC are still there.
    Steps(usize),
    /// It could not be asked, for this reason.
    Silent(String),
}

/// Asks the hosts that the site file calls absent what IEC has left there.
pub(super) async fn owed(site: &Site, fleet: &Fleet) -> Vec<Owed> {
    let reachable = site
        .absent_hosts()
        .filter_map(|host| fleet.host(host.name().as_str()).cloned());
    let answers = journals(&Fleet::new(reachable)).await;
    let owes = |host: &SiteHost| {
        let debt = match answers.get(host.name().as_str()) {
            None => Debt::Unreachable,
            Some(Err(error)) => Debt::Silent(error.to_string()),
            Some(Ok(journal)) => {
                let left = journal.undo();
                match left.iter().filter(|step| step.leaves_something()).count() {
                    0 => return None,
                    left => Debt::Steps(left),
                }
            }
        };
        let host = host.name().clone();
        Some(Owed { host, debt })
    };
    site.absent_hosts().filter_map(owes).collect()
}

impl Owed {
    /// For a person: a sentence with what to do.
    pub(super) fn text(&self) -> String {
        let host = &self.host;
        match &self.debt {
            Debt::Unreachable => format!(
                "{host} has left the site, but its reset is owed: take `unreachable` off when it can be reached, and apply."
            ),
            Debt::Steps(1) => {
                format!("{host} is to leave the site, and one step of IEC is still on it: apply.")
            }
            Debt::Steps(left) => {
                format!("{host} is to leave the site, and {left} steps of IEC are still on it: apply.")
            }
            Debt::Silent(reason) => {
                format!("{host} has left the site; whether its reset is owed could not be told: {reason}.")
            }
        }
    }

    /// For a program.
    pub(super) fn json(&self) -> Value {
        let (why, steps) = match &self.debt {
            Debt::Unreachable => ("unreachable", None),
            Debt::Steps(left) => ("steps", Some(left)),
            Debt::Silent(_) => ("could-not-tell", None),
        };
        json!({ "host": self.host, "why": why, "steps": steps, "text": self.text() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(hosts: &str) -> Site {
        let text = format!(
            "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {{name: shop}}\nspec:\n  release: \"1.36\"\n  \
             access: {{user: edge}}\n  hosts:\n    - {{name: edge-1, address: 10.0.0.11, role: control-plane}}\n    {hosts}\n"
        );
        iec_core::site::load(&text, "site.yaml").expect("a valid site").0
    }

    #[tokio::test]
    async fn a_host_that_nobody_can_reach_owes_its_reset() {
        let away =
            site("- {name: edge-2, address: 10.0.0.12, role: worker, state: absent, unreachable: true}");
        let found = owed(&away, &Fleet::new([])).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .text()
                .starts_with("edge-2 has left the site, but its reset is owed")
        );
        assert_eq!(found[0].json()["why"], "unreachable");
        let here = site("- {name: edge-2, address: 10.0.0.12, role: worker}");
        assert_eq!(owed(&here, &Fleet::new([])).await, []);
    }

    #[test]
    fn what_is_left_on_a_host_is_told() {
        let owed = |debt| Owed {
            host: "edge-2".parse().expect("a name"),
            debt,
        };
        assert!(owed(Debt::Steps(1)).text().contains("one step of IEC"));
        assert!(
            owed(Debt::Steps(40))
                .text()
                .contains("40 steps of IEC are still on it")
        );
        assert_eq!(owed(Debt::Steps(40)).json()["steps"], 40);
        assert!(
            owed(Debt::Silent("no".to_owned()))
                .text()
                .ends_with("could not be told: no.")
        );
    }
}
