//! By what a host is known: what only it has, as far as it was observed or the site says it.

use iec_sh::{Cmd, Expr, Program};

use crate::facts::{Facts, HostFacts};
use crate::site::{Site, SiteHost};

/// Serial numbers shorter than this, and these, are those of many machines.
const LEAST_SERIAL: usize = 4;
const NO_SERIALS: [&str; 7] = [
    "none",
    "default string",
    "not specified",
    "system serial number",
    "to be filled by o.e.m.",
    "0123456789",
    "unknown",
];

/// What only one host of the site has. A new installation changes its machine-id and leaves the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Its machine-id, where it was observed.
    pub(crate) machine_id: Option<String>,
    /// Its serial number, where it was observed.
    pub(crate) serial: Option<String>,
    /// The hardware addresses of its cards, in small letters: those that the site names, and of those that have the
    /// addresses by which the site knows the host.
    pub(crate) macs: Vec<String>,
}

impl Marks {
    /// The marks of a host, without those that another host of the site has too.
    pub(crate) fn of(site: &Site, facts: &Facts, host: &SiteHost) -> Self {
        let marks_of = |host: &SiteHost| own(host, facts.host(host.name().as_str()));
        let others = site.hosts().iter().filter(|other| other.name() != host.name());
        let others: Vec<String> = others.flat_map(|other| marks_of(other).all()).collect();
        let mut marks = marks_of(host);
        marks.serial = marks.serial.filter(|serial| !others.contains(serial));
        marks.macs.retain(|mac| !others.contains(mac));
        marks
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        let own = self.machine_id.iter().chain(&self.serial);
        own.chain(&self.macs).cloned().collect()
    }

    /// What is asked of the host: whether it has one of them. In words, and as shell.
    pub(crate) fn question(&self) -> (Vec<String>, Vec<Expr>) {
        let mut words = Vec::new();
        let mut asks = Vec::new();
        if let Some(id) = &self.machine_id {
            words.push(format!("its machine-id is {id}"));
            asks.push(Expr::from(Cmd::new(Program::Cat).word("/etc/machine-id")).prints(id.as_str()));
        }
        if let Some(serial) = &self.serial {
            words.push(format!("its serial number is {serial}"));
            let grep = Cmd::new(Program::Grep).words(["-qsF", "-e", serial.as_str()]);
            // The device tree has its number with a zero byte behind it, so it is not compared as a line.
            asks.push(
                grep.words([
                    "/sys/class/dmi/id/product_serial",
                    "/proc/device-tree/serial-number",
                ])
                .into(),
            );
        }
        if !self.macs.is_empty() {
            words.push(format!(
                "it has a card with the hardware address {}",
                self.macs.join(" or ")
            ));
            let cards = Cmd::new(Program::Find)
                .words([
                    "/sys/devices",
                    "-path",
                    "*/net/*/address",
                    "-exec",
                    "cat",
                    "{}",
                    "+",
                ])
                .quiet_errors();
            let mut grep = Cmd::new(Program::Grep).word("-qixF");
            for mac in &self.macs {
                grep = grep.words(["-e", mac.as_str()]);
            }
            asks.push(Expr::Pipe(vec![cards, grep]));
        }
        (words, asks)
    }
}

/// What is known of one host by itself.
fn own(host: &SiteHost, facts: Option<&HostFacts>) -> Marks {
    let mut marks = Marks::default();
    let described = host.hardware().interfaces.iter().filter_map(|card| card.mac);
    marks.macs = described
        .filter(|mac| !mac.is_zero())
        .map(|mac| mac.to_string())
        .collect();
    if let Some(facts) = facts {
        let identity = &facts.identity;
        if !identity.is_assumed() {
            marks.machine_id = Some(identity.machine_id.clone()).filter(|id| !id.is_empty());
            // A container shows the serial number of the machine that it shares with others, and has another card each
            // time that it starts.
            let serial = identity.serial.clone().filter(|serial| is_serial(serial));
            marks.serial = serial.filter(|_| !facts.privileges.container);
        }
        if !facts.network.is_assumed() && !facts.privileges.container {
            // Only cards by which the site knows the host: what comes with an installation, such as the pod network's
            // own interface, would make another question of the same host.
            let cards = [host.address(), host.node_address()]
                .into_iter()
                .filter_map(|address| facts.network.interface_of(address.into()));
            marks
                .macs
                .extend(cards.filter_map(|card| card.mac.as_ref().map(|mac| mac.to_lowercase())));
        }
    }
    marks.macs.sort();
    marks.macs.dedup();
    marks
}

fn is_serial(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let all_alike = text.chars().all(|letter| text.starts_with(letter));
    text.len() >= LEAST_SERIAL && !all_alike && !NO_SERIALS.contains(&text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makers_left_empty_is_no_serial_number() {
        for text in [
            "",
            "0",
            "None",
            "00000000",
            "To Be Filled By O.E.M.",
            "Default string",
        ] {
            assert!(!is_serial(text), "{text}");
        }
        assert!(is_serial("S4M9X72") && is_serial("VMware-56 4d 1c"));
    }
}
