//! The largest packet of pods: what the site and its hosts' interfaces leave for it, and which links keep another one.

use std::collections::BTreeMap;

use crate::check;
use crate::facts::{Facts, HostFacts};
use crate::report::{Row, Scope};
use crate::site::Site;

/// Calico's tunnel between hosts.
const TUNNEL: &str = "vxlan.calico";
/// What the names of pods' links begin with, on the host's side.
const POD_LINK: &str = "cali";
/// So many letters follow, of a digest.
const POD_LINK_LETTERS: usize = 11;

/// The bytes of the largest packet of a pod: the site's own figure, else what the least of its hosts' interfaces leaves.
/// `None` where nobody knows the interfaces; Calico then finds out by itself.
#[must_use]
pub fn of_pods(site: &Site, facts: &Facts) -> Option<u32> {
    let calico = site.network().cni().calico()?;
    let least = site
        .present_hosts()
        .filter_map(|host| {
            let known = facts.host(host.name().as_str())?;
            known.network.mtu_of(host.node_address().into())
        })
        .filter(|mtu| *mtu > 0)
        .min();
    let left = |mtu: u32| mtu.saturating_sub(calico.overhead());
    calico.mtu().map(u32::from).or_else(|| least.map(left))
}

/// The links of a host's pods and its tunnel that do not have this size, with the sizes that they have. One that came or went
/// while the host was asked has told none (0).
#[must_use]
pub fn kept_links(facts: &HostFacts, wanted: u32) -> BTreeMap<&str, u32> {
    let interfaces = facts.network.interfaces.iter();
    interfaces
        .filter(|interface| keeps_another(&interface.name, interface.mtu, wanted))
        .map(|interface| (interface.name.as_str(), interface.mtu))
        .collect()
}

fn keeps_another(link: &str, mtu: u32, wanted: u32) -> bool {
    is_of_pods(link) && mtu != 0 && mtu != wanted
}

fn is_of_pods(link: &str) -> bool {
    let is_pod =
        |rest: &str| rest.len() == POD_LINK_LETTERS && rest.bytes().all(|letter| letter.is_ascii_hexdigit());
    link == TUNNEL || link.strip_prefix(POD_LINK).is_some_and(is_pod)
}

/// The sizes of links in words: `1450 bytes on vxlan.calico and 3 pods' links`.
#[must_use]
pub fn in_words(links: &BTreeMap<&str, u32>) -> String {
    let mut sizes: BTreeMap<u32, (bool, usize)> = BTreeMap::new();
    for (link, size) in links {
        let (tunnel, pods) = sizes.entry(*size).or_default();
        if *link == TUNNEL {
            *tunnel = true;
        } else {
            *pods += 1;
        }
    }
    let words = sizes.iter().map(|(size, (tunnel, pods))| {
        let pods = match pods {
            0 => None,
            1 => Some("one pod's link".to_owned()),
            more => Some(format!("{more} pods' links")),
        };
        let tunnel = tunnel.then(|| TUNNEL.to_owned());
        let places: Vec<String> = tunnel.into_iter().chain(pods).collect();
        format!("{size} bytes on {}", places.join(" and "))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A row for each host whose links are known: a link keeps the size that it was made with, whatever the site says since.
#[must_use]
pub fn judge(site: &Site, facts: &Facts) -> Vec<Row> {
    let Some(wanted) = of_pods(site, facts) else {
        return Vec::new();
    };
    let known = site.present_hosts().filter_map(|host| {
        let name = host.name().as_str();
        Some((name, facts.host(name)?))
    });
    known
        .map(|(name, facts)| {
            let links = kept_links(facts, wanted);
            let scope = Scope::host(name);
            if links.is_empty() {
                return check::CALICO_PACKET_SIZE.passed(scope);
            }
            let evidence = vec![format!(
                "links: {}",
                links.keys().copied().collect::<Vec<_>>().join(", ")
            )];
            let expected = format!("{wanted} bytes");
            check::CALICO_PACKET_SIZE.failed(scope, expected, in_words(&links), evidence)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{in_words, is_of_pods, keeps_another};

    #[test]
    fn a_link_that_is_just_made_keeps_no_other_size() {
        assert!(keeps_another("vxlan.calico", 1400, 1450));
        assert!(!keeps_another("vxlan.calico", 1450, 1450));
        assert!(!keeps_another("vxlan.calico", 0, 1450), "nobody could read it");
        assert!(!keeps_another("eth0", 1500, 1450));
    }

    #[test]
    fn only_links_of_pods_and_the_tunnel_count() {
        for link in ["vxlan.calico", "cali0123456789a"] {
            assert!(is_of_pods(link), "{link}");
        }
        for link in [
            "eth0",
            "cali",
            "california0",
            "vxlan0",
            "cali0123456789ab",
            "docker0",
        ] {
            assert!(!is_of_pods(link), "{link}");
        }
    }

    #[test]
    fn sizes_are_told_once_each() {
        let links = [
            ("vxlan.calico", 1450),
            ("cali00000000001", 1450),
            ("cali00000000002", 1400),
        ]
        .into();
        assert_eq!(
            in_words(&links),
            "1400 bytes on one pod's link, 1450 bytes on vxlan.calico and one pod's link"
        );
    }
}
