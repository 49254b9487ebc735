//! What the user says beside descriptors.

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::site::Role;
use iec_core::site::printable;

use super::pdf::{Pdf, PdfNode};

/// What descriptors do not say, and what the user would have otherwise.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'w> {
    /// The name of the site; without one, the descriptors' own or [`Self::usual_name`].
    pub name: Option<&'w str>,
    /// The name of a site that has none.
    pub usual_name: &'w str,
    /// The release to install.
    pub release: &'w str,
    /// The bundle.
    pub bundle: Option<&'w str>,
    /// The account to log in with.
    pub user: &'w str,
    /// The file of the private key.
    pub identity: Option<&'w str>,
    /// What the user says about hosts, by their names in the descriptors or in the site.
    pub hosts: &'w [HostChoice<'w>],
}

/// What the user says about a host.
#[derive(Debug, Clone, Copy)]
pub struct HostChoice<'w> {
    /// Its name.
    pub name: &'w str,
    /// Its address.
    pub address: &'w str,
    /// What it is to be, if the user says it.
    pub role: Option<Role>,
}

/// Reports what the user says about hosts that are not there.
pub(super) fn check_choices(pdf: &Pdf, names: &[String], wanted: &Wanted<'_>, problems: &mut Diagnostics) {
    for choice in wanted.hosts {
        let known = names.iter().any(|name| name == choice.name)
            || pdf.nodes.iter().any(|node| node.name.value == choice.name);
        if !known {
            let message = format!(
                "--host names `{}`, which is no node of the descriptors",
                printable(choice.name)
            );
            problems.push(
                Diagnostic::error("IEC0815", message)
                    .at(&pdf.nodes_place.head())
                    .hint(format!("the nodes are {}", printable(&names.join(", ")))),
            );
        }
    }
}

/// What the user says about this node.
pub(super) fn choice_of<'w>(node: &PdfNode, name: &str, wanted: &Wanted<'w>) -> Option<HostChoice<'w>> {
    let named = |choice: &&HostChoice<'_>| choice.name == name || choice.name == node.name.value;
    wanted.hosts.iter().find(named).copied()
}
