//! The links by which virtual machines are on a lab's networks, beside its container hosts.

use sha2::{Digest, Sha256};

use crate::error::LabError;
use crate::places::Folder;
use crate::program::{Invocation, Programs};
use crate::record::LabNetwork;

/// The most network cards that a host of a lab has.
const MOST_CARDS: usize = 2;

/// The name of a link on this machine: the same for the same lab, host and card, and nobody else's.
///
/// The kernel takes 15 characters: <https://docs.kernel.org/networking/netdevices.html> (`IFNAMSIZ`).
pub(crate) fn name(lab: &Folder, host: &str, card: usize) -> String {
    let digest = digest(lab, host, card);
    let short: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("iec{short}")
}

/// The hardware address of a card: one of the locally administered ones that QEMU uses.
pub(crate) fn hardware_address(lab: &Folder, host: &str, card: usize) -> String {
    let digest = digest(lab, host, card);
    format!("52:54:00:{:02x}:{:02x}:{:02x}", digest[0], digest[1], digest[2])
}

fn digest(lab: &Folder, host: &str, card: usize) -> Vec<u8> {
    let text = format!("{}\0{host}\0{card}", lab.path.display());
    Sha256::digest(text.as_bytes()).to_vec()
}

/// Makes a card's link and joins it to the network's bridge, anew where one is left.
///
/// # Errors
/// When this machine lets nobody make such links, or the bridge is not there.
pub(crate) fn create(
    programs: &Programs<'_>,
    lab: &Folder,
    host: &str,
    card: usize,
    network: &LabNetwork,
) -> Result<(), LabError> {
    remove(programs, lab, host, card)?;
    let link = name(lab, host, card);
    let ip = |doing: &str, words: &[&str]| {
        programs
            .must(doing, Invocation::new("ip", words.iter().copied()))
            .map(drop)
    };
    let words = ["tuntap", "add", "dev", &link, "mode", "tap"];
    let made = programs.ask("making the virtual machine's link", Invocation::new("ip", words))?;
    if made.code != Some(0) {
        return Err(LabError::NoTap {
            evidence: made.evidence(),
        });
    }
    ip(
        "joining the virtual machine to the lab's network",
        &["link", "set", "dev", &link, "master", &network.bridge, "up"],
    )
}

/// Removes the links of a host; what is not there is no error.
///
/// # Errors
/// When a link stays.
pub(crate) fn remove_all(programs: &Programs<'_>, lab: &Folder, host: &str) -> Result<(), LabError> {
    (0..MOST_CARDS).try_for_each(|card| remove(programs, lab, host, card))
}

fn remove(programs: &Programs<'_>, lab: &Folder, host: &str, card: usize) -> Result<(), LabError> {
    let link = name(lab, host, card);
    if !std::path::Path::new("/sys/class/net").join(&link).exists() {
        return Ok(());
    }
    programs
        .must(
            "removing the virtual machine's link",
            Invocation::new("ip", ["link", "delete", "dev", &link]),
        )
        .map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::program::fake::Fake;
    use crate::record::Record;
    use crate::request::UpRequest;

    #[test]
    fn a_machine_that_makes_no_links_is_told_as_such() {
        let fake = Fake::default().fails("ip tuntap add", 1, "open: Operation not permitted\n");
        let record = Record::intended(&UpRequest::new("demo"));
        let lab = Folder {
            path: PathBuf::from("/labs/demo"),
        };
        let error =
            create(&Programs::new(&fake), &lab, "edge-1", 0, &record.networks[0]).expect_err("refused");
        assert_eq!(error.code(), "IEC1923");
        assert!(
            error.to_string().ends_with(": open: Operation not permitted"),
            "{error}"
        );
    }

    #[test]
    fn links_are_named_after_lab_host_and_card() {
        let lab = |path: &str| Folder {
            path: PathBuf::from(path),
        };
        let one = name(&lab("/labs/demo"), "edge-1", 0);
        assert_eq!(one.len(), 13);
        assert_eq!(one, name(&lab("/labs/demo"), "edge-1", 0));
        for other in [
            name(&lab("/labs/demo"), "edge-1", 1),
            name(&lab("/labs/demo"), "edge-2", 0),
            name(&lab("/other/demo"), "edge-1", 0),
        ] {
            assert_ne!(one, other);
        }
        assert!(hardware_address(&lab("/labs/demo"), "edge-1", 0).starts_with("52:54:00:"));
    }
}
