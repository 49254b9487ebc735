//! Choosing networks for a lab that overlap nothing on this machine and nothing a site uses by default.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Deserialize;

use crate::error::LabError;

/// Where labs take their networks from, in this order.
const POOLS: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 89, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 29, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
];

/// The first networks of a pool are left to podman, which gives them to networks without a wish.
const LEFT_TO_PODMAN: usize = 64;

/// The default pod and service networks of a site: a host's address inside them would break it.
const RESERVED: [Ipv4Net; 2] = [
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 1, 0), 24),
];

/// The number that the first host's address ends with.
const FIRST_HOST: u8 = 11;

/// The first `count` free networks of 256 addresses.
///
/// # Errors
/// [`LabError::NoFreeSubnet`] when all overlap with something that is taken.
pub(crate) fn free(taken: &[Ipv4Net], count: usize) -> Result<Vec<Ipv4Net>, LabError> {
    let mut tried = 0;
    let candidates = POOLS.iter().flat_map(|pool| {
        pool.subnets(24)
            .expect("24 is longer than each pool's prefix")
            .skip(LEFT_TO_PODMAN)
    });
    let chosen: Vec<Ipv4Net> = candidates
        .inspect(|_| tried += 1)
        .filter(|candidate| {
            !taken
                .iter()
                .chain(&RESERVED)
                .any(|other| overlap(candidate, other))
        })
        .take(count)
        .collect();
    if chosen.len() == count {
        Ok(chosen)
    } else {
        Err(LabError::NoFreeSubnet { tried })
    }
}

/// Whether two networks have an address in common.
pub(crate) fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// The address of this machine in a lab's network.
pub(crate) fn gateway(subnet: Ipv4Net) -> Ipv4Addr {
    address(subnet, 1)
}

/// The address of the host with this index, counted from 0.
pub(crate) fn host(subnet: Ipv4Net, index: usize) -> Ipv4Addr {
    let index = u8::try_from(index).expect("a lab has at most 50 hosts");
    address(subnet, FIRST_HOST + index)
}

fn address(subnet: Ipv4Net, last: u8) -> Ipv4Addr {
    let [first, second, third, _] = subnet.network().octets();
    Ipv4Addr::new(first, second, third, last)
}

#[derive(Deserialize)]
struct Route {
    dst: String,
}

/// The destinations in the answer of `ip -json -4 route show table all`, without the default route.
///
/// # Errors
/// [`LabError::UnknownAnswer`] when it is not of the known form.
pub(crate) fn routed(json: &[u8]) -> Result<Vec<Ipv4Net>, LabError> {
    if json.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let routes: Vec<Route> = serde_json::from_slice(json).map_err(|source| LabError::UnknownAnswer {
        program: "ip route".to_owned(),
        source,
    })?;
    let network = |route: &Route| {
        let whole = route.dst.parse::<Ipv4Net>().ok();
        whole.or_else(|| route.dst.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))
    };
    Ok(routes
        .iter()
        .filter_map(network)
        .filter(|network| network.prefix_len() > 0)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().expect("a network")
    }

    #[test]
    fn the_first_free_ones_are_taken_in_order() {
        let chosen = free(&[net("10.89.64.0/24"), net("10.89.66.7/32")], 3).expect("there are many");
        assert_eq!(
            chosen,
            [net("10.89.65.0/24"), net("10.89.67.0/24"), net("10.89.68.0/24")]
        );
    }

    #[test]
    fn a_wide_route_moves_the_lab_to_another_pool() {
        assert_eq!(
            free(&[net("10.0.0.0/8")], 1).expect("another pool"),
            [net("172.29.64.0/24")]
        );
        let error = free(&[net("0.0.0.0/1"), net("128.0.0.0/1")], 1).expect_err("all is taken");
        assert_eq!(error.code(), "IEC1909");
    }

    #[test]
    fn no_candidate_is_a_default_network_of_a_site() {
        let count = 256 - 64 + 256 - 64 + 512 - 64;
        let all = free(&[], count).expect("all of them");
        assert!(
            all.iter()
                .all(|each| !RESERVED.iter().any(|reserved| overlap(each, reserved)))
        );
    }

    #[test]
    fn addresses_inside() {
        assert_eq!(gateway(net("10.89.70.0/24")), Ipv4Addr::new(10, 89, 70, 1));
        assert_eq!(host(net("10.89.70.0/24"), 0), Ipv4Addr::new(10, 89, 70, 11));
        assert_eq!(host(net("10.89.70.0/24"), 49), Ipv4Addr::new(10, 89, 70, 60));
    }

    #[test]
    fn routes_are_read_and_the_default_is_not_one() {
        let json = br#"[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},
            {"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","flags":[]},
            {"type":"local","dst":"192.0.2.2","dev":"eth0","table":"local","flags":[]},
            {"dst":"fd00::/64","dev":"eth0","flags":[]}]"#;
        assert_eq!(
            routed(json).expect("routes"),
            [net("192.0.2.0/24"), net("192.0.2.2/32")]
        );
        assert_eq!(routed(b"\n").expect("none"), []);
        assert_eq!(routed(b"oops").expect_err("not JSON").code(), "IEC1912");
    }
}
