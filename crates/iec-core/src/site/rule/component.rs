//! Rules about what a site asks of the components of its control planes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::{line, optional, printable};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::name::DnsName;
use crate::spec::{ComponentSpec, Field, List, Spanned};

/// Arguments that follow from other keys of the site file, or without which kubeadm's cluster does not hold together, with
/// what to do instead.
const ELSEWHERE: [(&str, &str); 22] = [
    ("advertise-address", "it is the host's `nodeAddress`"),
    ("allocate-node-cidrs", "kubeadm sets it"),
    ("authentication-kubeconfig", "kubeadm sets it"),
    ("authorization-kubeconfig", "kubeadm sets it"),
    ("bind-address", "kubeadm sets it"),
    ("client-ca-file", "the site's authority is in it"),
    ("cluster-cidr", "it is `network.pods`"),
    ("cluster-signing-cert-file", "the site's authority is in it"),
    ("cluster-signing-key-file", "the site's authority is in it"),
    ("etcd-cafile", "kubeadm sets it"),
    ("etcd-certfile", "kubeadm sets it"),
    ("etcd-keyfile", "kubeadm sets it"),
    ("etcd-servers", "kubeadm sets it"),
    ("kubeconfig", "kubeadm sets it"),
    ("leader-elect", "kubeadm sets it"),
    ("root-ca-file", "the site's authority is in it"),
    ("secure-port", "it is the port of `controlPlane.endpoint`"),
    ("service-account-key-file", "the site's key is in it"),
    ("service-account-private-key-file", "the site's key is in it"),
    ("service-account-signing-key-file", "the site's key is in it"),
    ("service-cluster-ip-range", "it is `network.services`"),
    (
        "tls-cert-file",
        "names of the certificate are `controlPlane.certificateNames`",
    ),
];

/// The arguments of one component.
pub(in crate::site) fn arguments(
    field: &Field<ComponentSpec>,
    problems: &mut Diagnostics,
) -> Option<BTreeMap<String, String>> {
    optional(field, BTreeMap::new(), |given| {
        optional(&given.value.arguments, BTreeMap::new(), |entries| {
            let mut arguments = BTreeMap::new();
            let mut complete = true;
            for (name, value) in &entries.value.entries {
                let is_right = is_argument(name, problems);
                match line(value, &printable(&name.value), problems) {
                    Some(value) if is_right => {
                        arguments.insert(name.value.clone(), value);
                    }
                    _ => complete = false,
                }
            }
            complete.then_some(arguments)
        })
    })
}

fn is_argument(name: &Spanned<String>, problems: &mut Diagnostics) -> bool {
    let text = name.value.as_str();
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let (cause, hint) = if text.is_empty() || text.starts_with('-') || !text.bytes().all(letter) {
        let plain = text.trim_start_matches('-');
        (
            "is no name of an argument".to_owned(),
            format!(
                "small letters, digits and `-`, without the dashes in front: `{}`",
                printable(plain)
            ),
        )
    } else if let Some((_, why)) = ELSEWHERE.iter().find(|(name, _)| *name == text) {
        ("is not for a site to set here".to_owned(), (*why).to_owned())
    } else {
        return true;
    };
    problems.push(
        Diagnostic::error("IEC0218", format!("`{}` {cause}", printable(text)))
            .at(&name.place)
            .hint(hint),
    );
    false
}

/// Further names of the API server's certificate.
pub(in crate::site) fn certificate_names(
    field: &Field<List<String>>,
    problems: &mut Diagnostics,
) -> Option<BTreeSet<String>> {
    optional(field, BTreeSet::new(), |given| {
        let mut names = BTreeSet::new();
        for one in &given.value.items {
            let text = one.value.as_str();
            if text.parse::<Ipv4Addr>().is_ok() || DnsName::new(text).is_ok() {
                names.insert(text.to_owned());
                continue;
            }
            problems.push(
                Diagnostic::error(
                    "IEC0219",
                    format!("`{}` is neither a DNS name nor an IPv4 address", printable(text)),
                )
                .at(&one.place)
                .hint("write names such as `api.example.org`, without port or `https://`"),
            );
        }
        (given.value.complete && names.len() == given.value.items.len()).then_some(names)
    })
}
