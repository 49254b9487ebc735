//! Rules about what connects the pods.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::host::Seen;
use super::{counted, network, number, optional, pattern, printable, word};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::name::DnsName;
use crate::nearest::nearest;
use crate::site::{Calico, Cni, Datastore, Destination, Encapsulation, Felix, NodeAddress};
use crate::spec::{CalicoSpec, CniSpec, FelixSpec, Field, NodeAddressSpec, Spanned};

/// The settings of Calico where a site gives none.
pub(in crate::site) const DEFAULT_BLOCK_SIZE: u8 = 26;

/// The names under which people ask for Contiv/VPP and OVN-Kubernetes.
const CONTIV: [&str; 4] = ["contiv-vpp", "contivpp", "contiv", "vpp"];
const OVN: [&str; 3] = ["ovn-kubernetes", "ovn", "ovnkubernetes"];

/// What connects the pods.
pub(in crate::site) fn cni(
    field: &Field<CniSpec>,
    hosts: Option<&[Seen<'_>]>,
    problems: &mut Diagnostics,
) -> Option<Cni> {
    match field {
        Field::Absent => calico(&CalicoSpec::default(), hosts, problems).map(Cni::Calico),
        Field::Broken => None,
        Field::Given(Spanned {
            value: CniSpec::Calico(settings),
            ..
        }) => calico(settings, hosts, problems).map(Cni::Calico),
        Field::Given(Spanned {
            value: CniSpec::Other(name),
            place,
        }) => {
            problems.push(refusal(name).at(place));
            None
        }
    }
}

fn refusal(name: &str) -> Diagnostic {
    let lower = name.to_ascii_lowercase().replace(['/', '_'], "-");
    if CONTIV.contains(&lower.as_str()) {
        return Diagnostic::error("IEC0502", "Contiv/VPP is not installed: the project is archived, its last change is of 2020")
            .hint("write `cni: calico`; the successor of Contiv/VPP in the field is Calico's VPP dataplane, which IEC does not install");
    }
    if OVN.contains(&lower.as_str()) {
        return Diagnostic::error(
            "IEC0503",
            "OVN-Kubernetes is not installed: it needs Open vSwitch, which is not part of the bundle, and takes over the \
             interface through which a remote host is reached",
        )
        .hint("write `cni: calico`; Calico enforces network policies on Kubernetes as OVN-Kubernetes does");
    }
    let hint = match nearest(name, ["calico"]) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `cni: calico`".to_owned(),
    };
    Diagnostic::error(
        "IEC0501",
        format!("IEC cannot install the network `{}`", printable(name)),
    )
    .hint(hint)
}

fn calico(given: &CalicoSpec, hosts: Option<&[Seen<'_>]>, problems: &mut Diagnostics) -> Option<Calico> {
    let encapsulation = optional(&given.encapsulation, Encapsulation::Vxlan, |given| {
        encapsulation(given, hosts, problems)
    });
    let datastore = optional(&given.datastore, Datastore::Kubernetes, |given| {
        let datastore = word(given, "datastore", &Datastore::WORDS, problems)?;
        if datastore == Datastore::Etcd {
            problems.push(
                Diagnostic::warning(
                    "IEC0506",
                    "Calico with an etcd of its own: its authors advise against it with Kubernetes",
                )
                .at(&given.place)
                .hint("remove `datastore`, unless the site must look like an older one"),
            );
        }
        Some(datastore)
    });
    let node_address = optional(&given.node_address, NodeAddress::KubernetesInternalIp, |given| {
        node_address(given, hosts, problems)
    });
    let mtu = optional(&given.mtu, None, |given| {
        number(given, "mtu", 1280..=9190, problems).map(Some)
    });
    let block_size = optional(&given.block_size, DEFAULT_BLOCK_SIZE, |given| {
        number(given, "blockSize", 20..=32, problems)
    });
    let wireguard = optional(&given.wireguard, false, |given| Some(given.value));
    let settings = optional(&given.felix, Felix::default(), |given| {
        felix(&given.value, problems)
    });
    if datastore == Some(Datastore::Etcd) {
        for (key, place) in [
            ("wireguard", given.wireguard.place()),
            ("felix", given.felix.place()),
        ] {
            if let Some(place) = place {
                problems.push(
                    Diagnostic::error("IEC0514", format!("`{key}` has no effect with `datastore: etcd`"))
                        .at(place)
                        .hint("remove it, or keep Calico's data in the Kubernetes API, where IEC reaches its settings"),
                );
            }
        }
    }
    Some(Calico {
        encapsulation: encapsulation?,
        datastore: datastore?,
        node_address: node_address?,
        mtu: mtu?,
        block_size: block_size?,
        wireguard: wireguard?,
        felix: settings?,
    })
}

fn felix(given: &FelixSpec, problems: &mut Diagnostics) -> Option<Felix> {
    let mut one = |field: &Field<String>, key: &str, words: &[&'static str]| {
        optional(field, None, |given| {
            let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
            word(given, key, &words, problems).map(Some)
        })
    };
    let log_severity = one(&given.log_severity, "logSeverity", &Felix::SEVERITIES);
    let chain_insert_mode = one(
        &given.chain_insert_mode,
        "chainInsertMode",
        &Felix::CHAIN_INSERT_MODES,
    );
    let prometheus_metrics = optional(&given.prometheus_metrics, None, |given| Some(Some(given.value)));
    Some(Felix {
        log_severity: log_severity?,
        prometheus_metrics: prometheus_metrics?,
        chain_insert_mode: chain_insert_mode?,
    })
}

fn encapsulation(
    given: &Spanned<String>,
    hosts: Option<&[Seen<'_>]>,
    problems: &mut Diagnostics,
) -> Option<Encapsulation> {
    let lower = given.value.to_ascii_lowercase();
    if ["ipip", "ipipcrosssubnet", "ip-in-ip", "bgp"].contains(&lower.as_str()) {
        let message = format!(
            "`encapsulation` cannot be `{}`: it needs BGP, and its speaker BIRD is not part of the bundle",
            printable(&given.value)
        );
        let hint = if lower == "ipipcrosssubnet" {
            "VXLANCrossSubnet"
        } else {
            "VXLAN"
        };
        problems.push(
            Diagnostic::error("IEC0504", message)
                .at(&given.place)
                .hint(format!("write `{hint}`")),
        );
        return None;
    }
    let encapsulation = word(given, "encapsulation", &Encapsulation::WORDS, problems)?;
    let present = hosts
        .unwrap_or_default()
        .iter()
        .filter(|host| host.is_present())
        .count();
    if encapsulation == Encapsulation::None && present > 1 {
        let message = format!(
            "without encapsulation {} would not find each other's pods: that needs BGP, and its speaker BIRD is not part of the bundle",
            counted(present, "host")
        );
        let hint = "write `VXLANCrossSubnet`: hosts of one subnet then send packets as they are";
        problems.push(Diagnostic::error("IEC0505", message).at(&given.place).hint(hint));
        return None;
    }
    Some(encapsulation)
}

fn node_address(
    given: &Spanned<NodeAddressSpec>,
    hosts: Option<&[Seen<'_>]>,
    problems: &mut Diagnostics,
) -> Option<NodeAddress> {
    match &given.value {
        NodeAddressSpec::Word(text) => node_address_word(text, &given.place, problems),
        NodeAddressSpec::Cidr(texts) => {
            let networks: Vec<_> = texts
                .iter()
                .map(|text| network::network(text, "cidr", problems))
                .collect();
            let networks: Vec<Ipv4Net> = networks.into_iter().collect::<Option<_>>()?;
            check_hosts_inside(&networks, &given.place, hosts.unwrap_or_default(), problems);
            Some(NodeAddress::Cidr(networks))
        }
        NodeAddressSpec::Interface(pattern) => interface(pattern, problems),
        NodeAddressSpec::CanReach(destination) => can_reach(destination, problems),
    }
}

fn node_address_word(text: &str, place: &Place, problems: &mut Diagnostics) -> Option<NodeAddress> {
    if text == "kubernetes-internal-ip" {
        return Some(NodeAddress::KubernetesInternalIp);
    }
    let hint = match text.split_once('=') {
        Some((method @ ("cidr" | "interface" | "can-reach"), value)) => {
            format!("write `{{{method}: {value}}}`")
        }
        _ => "write `kubernetes-internal-ip`, or one of `cidr:`, `interface:`, `can-reach:` with a value"
            .to_owned(),
    };
    let message = format!("`nodeAddress` of Calico cannot be `{}`", printable(text));
    problems.push(Diagnostic::error("IEC0012", message).at(place).hint(hint));
    None
}

fn check_hosts_inside(networks: &[Ipv4Net], place: &Place, hosts: &[Seen<'_>], problems: &mut Diagnostics) {
    if networks.is_empty() {
        let problem =
            Diagnostic::error("IEC0507", "`cidr` of Calico's node address is an empty list").at(place);
        problems.push(problem.hint("name the network in which the hosts' node addresses are"));
    }
    let outside = hosts
        .iter()
        .filter(|host| host.is_present())
        .filter_map(|host| Some((host, host.node_address?)));
    for (host, (address, host_place)) in outside {
        if networks.iter().any(|network| network.contains(&address)) || networks.is_empty() {
            continue;
        }
        let message = format!(
            "the node address {address} of {} is in none of Calico's networks",
            host.called()
        );
        problems.push(
            Diagnostic::error("IEC0507", message)
                .at(host_place)
                .label(place, "Calico looks for the hosts' addresses here")
                .hint("Calico and the nodes must agree on the address: correct one of the two"),
        );
    }
}

fn interface(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<NodeAddress> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.*+?|()[]^$-".contains(letter);
    let cause = if given.value.is_empty() || given.value.len() > 64 {
        "it has 1 to 64 characters"
    } else if !given.value.chars().all(allowed) {
        "it has characters that no name of an interface and no simple pattern has"
    } else if let Some(reason) = pattern::problem(&given.value) {
        reason
    } else {
        return Some(NodeAddress::Interface(given.value.clone()));
    };
    let message = format!("`interface` cannot be `{}`: {cause}", printable(&given.value));
    problems.push(
        Diagnostic::error("IEC0508", message)
            .at(&given.place)
            .hint("write a name (`eth1`) or a pattern (`eth.*`, `en(o|p).*`)"),
    );
    None
}

fn can_reach(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<NodeAddress> {
    if network::refuse_ipv6(given, "can-reach", problems) {
        return None;
    }
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let reason = match (given.value.parse::<Ipv4Addr>(), DnsName::new(given.value.clone())) {
        (Ok(address), _) => match network::special_range(Ipv4Net::from(address)) {
            None => return Some(NodeAddress::CanReach(Destination::Address(address))),
            Some(what) => format!("the range is for {what}"),
        },
        (Err(_), Ok(_)) if given.value.split('.').all(digits) => "it is no IPv4 address".to_owned(),
        (Err(_), Ok(name)) if name == "localhost" || name.as_str().ends_with(".localhost") => {
            "every host takes this name for itself".to_owned()
        }
        (Err(_), Ok(name)) => return Some(NodeAddress::CanReach(Destination::Name(name))),
        (Err(_), Err(reason)) => reason.to_string(),
    };
    let message = format!("`can-reach` cannot be `{}`: {reason}", printable(&given.value));
    let hint = "write a name or an address to which every host has a route, such as the gateway's";
    problems.push(Diagnostic::error("IEC0509", message).at(&given.place).hint(hint));
    None
}

/// Whether the pod network has a block for every host, and enough for all pods that the hosts may run.
pub(in crate::site) fn check_blocks(
    pods: network::Named<'_>,
    block_size: u8,
    hosts: usize,
    max_pods: u16,
    problems: &mut Diagnostics,
) {
    let prefix = pods.network.prefix_len();
    let blocks: u64 = if prefix > block_size {
        0
    } else {
        1 << (block_size - prefix)
    };
    let addresses: u64 = 1 << (32 - block_size);
    // One more address of each host is its end of the VXLAN tunnel.
    let blocks_of_host = (u64::from(max_pods) + 1).div_ceil(addresses);
    let hosts_count = u64::try_from(hosts).unwrap_or(u64::MAX);
    let wanted = hosts_count.saturating_mul(blocks_of_host);
    let fitting = |blocks: u64| {
        let bits = blocks.max(1).next_power_of_two().trailing_zeros();
        format!("/{}", u32::from(block_size).saturating_sub(bits))
    };
    let room = format!(
        "`pods` {} has room for {} of /{block_size}",
        pods.network,
        counted(blocks, "block")
    );
    if blocks < hosts_count {
        let message = format!("{room}, fewer than the site has hosts ({hosts})");
        let hint = format!("take a {} or larger", fitting(wanted));
        problems.push(Diagnostic::error("IEC0307", message).at(pods.place).hint(hint));
    } else if blocks < wanted {
        let message = format!(
            "{room}, but {} with up to {max_pods} pods each take {wanted}: the last pods will wait for an address, or borrow one",
            counted(hosts, "host")
        );
        let hint = format!("take a {} or larger, or set `kubelet.maxPods`", fitting(wanted));
        problems.push(Diagnostic::warning("IEC0308", message).at(pods.place).hint(hint));
    }
}
