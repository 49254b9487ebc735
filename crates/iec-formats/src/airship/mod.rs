//! Documents of Airship 1: networks and machines for Drydock, the cluster for Promenade.

mod certificates;
mod cluster;
mod machines;
mod networks;
mod out_of_band;

use iec_core::diagnostic::Diagnostics;
use iec_core::render::{Files, Subject};
use serde_json::{Value, json};

use crate::header::{Description, Header};
use crate::machine::machines;

const HEADER: Header = Header {
    what: "Site documents of Airship 1 (Drydock, Promenade, Deckhand)",
    covers: &[
        "networks, links, host profiles and machines, for Drydock",
        "KubernetesNetwork, KubernetesNode, Genesis and PKICatalog, for Promenade",
    ],
    differs: &[
        "only what belongs to the site is here. Deckhand needs a LayeringPolicy besides; Promenade exactly one Docker, one HostSystem and one Kubelet, and Armada's manifest and charts; Drydock a Region, a HardwareProfile of each name in the host profiles and storage in these, racks and boot actions as your fleet has them",
        "Drydock installs the operating system by MAAS, which knows Ubuntu only",
        "Promenade makes certificates from the catalog; none of IEC's keys are used",
        "Promenade runs HAProxy in front of the API servers and takes Calico and CoreDNS from Armada's charts; IEC's kubeadm configuration, Calico manifest and Helm releases are not used",
        "passwords are deckhand/Passphrase/v1 documents, put in by substitution; they are not in these files",
    ],
};

/// All documents.
///
/// # Errors
/// When a host has a name that Promenade does not take; all of them at once.
pub(crate) fn files(subject: &Subject<'_>) -> Result<Files, Diagnostics> {
    cluster::check_names(subject)?;
    let mut description = Description::new(subject, HEADER);
    let machines = machines(subject);
    let networks = networks::networks(subject, &machines, &mut description);
    let links = networks::links(&networks, &mut description);
    if networks
        .iter()
        .all(|network| network.boot_range(&machines).is_none())
    {
        description.note("no network has a range for DHCP, so that nothing boots by PXE: the site names no free addresses (`range`) of a network without a tag on the card that hosts start from; complete facility.networks, or add a range of the type dhcp");
    }
    let mut documents: Vec<Value> = networks
        .iter()
        .map(|network| network.document(&machines))
        .collect();
    documents.extend(links.iter().map(networks::Link::document));
    description.file("networks.yaml", documents);
    let mut hosts = machines::profiles(subject, &machines, &networks, &mut description);
    hosts.extend(
        machines
            .iter()
            .map(|machine| machines::node(subject, machine, &machines, &networks, &links, &mut description)),
    );
    description.file("baremetal.yaml", hosts);
    let kubernetes = cluster::kubernetes(subject, &mut description);
    description.file("kubernetes.yaml", kubernetes);
    let catalog = certificates::pki_catalog(subject, &mut description);
    description.file("pki-catalog.yaml", vec![catalog]);
    Ok(description.files())
}

/// A document in Deckhand's envelope.
fn document(schema: &str, name: &str, data: &Value) -> Value {
    json!({
        "schema": schema,
        "metadata": {
            "schema": "metadata/Document/v1",
            "name": name,
            "layeringDefinition": { "abstract": false, "layer": "site" },
            "storagePolicy": "cleartext",
        },
        "data": data,
    })
}
