//! What a site keeps from its installation on: no change of it reaches a cluster that runs.

use crate::site::Site;

/// The file on every host that says with what it was installed: a line for each, its key in the site file and its value.
pub(crate) const FILE: &str = "/etc/iec/installed-with";

/// The keys of a site file that are fixed at installation, as they are called below `spec`.
pub const KEYS: [&str; 4] = [
    "network.pods",
    "network.services",
    "controlPlane.endpoint",
    "network.cni.calico.datastore",
];

/// The same with their values.
#[must_use]
pub(crate) fn values(site: &Site) -> Vec<(&'static str, String)> {
    let network = site.network();
    let datastore = if network.has_calico_etcd() {
        "etcd"
    } else {
        "kubernetes"
    };
    let values = [
        network.pods().to_string(),
        network.services().to_string(),
        site.control_plane().endpoint().to_string(),
        datastore.to_owned(),
    ];
    KEYS.into_iter().zip(values).collect()
}

/// The same as the file has it.
#[must_use]
pub(crate) fn record(site: &Site) -> String {
    values(site)
        .into_iter()
        .map(|(key, value)| format!("{key} {value}\n"))
        .collect()
}
