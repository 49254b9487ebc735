//! What a site keeps from its installation on: no change of it reaches a cluster that runs.

use crate::site::Site;

/// The file on every host that says with what it was installed: a line for each, its key in the site file and its value.
pub(crate) const FILE: &str = "/etc/iec/installed-with";

/// The keys of a site file that are fixed at installation, with their values.
#[must_use]
pub(crate) fn values(site: &Site) -> Vec<(&'static str, String)> {
    let network = site.network();
    let datastore = if network.has_calico_etcd() {
        "etcd"
    } else {
        "kubernetes"
    };
    vec![
        ("network.pods", network.pods().to_string()),
        ("network.services", network.services().to_string()),
        (
            "controlPlane.endpoint",
            site.control_plane().endpoint().to_string(),
        ),
        ("network.cni.calico.datastore", datastore.to_owned()),
    ]
}

/// The same as the file has it.
#[must_use]
pub(crate) fn record(site: &Site) -> String {
    values(site)
        .into_iter()
        .map(|(key, value)| format!("{key} {value}\n"))
        .collect()
}
