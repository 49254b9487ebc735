//! Rules about one host.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Kind, PORTS, hardware, label, name, network, number, optional, printable, required, word};
use crate::architecture::Architecture;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::facts::CgroupVersion;
use crate::name::{HostName, UserName};
use crate::site::{Assumed, Hardware, HostKey, HostState, Role, SiteHost, Taint, TaintEffect};
use crate::spec::{AssumeSpec, Field, HostSpec, List, Spanned};

/// What is known about a host even if something about it is wrong, for the rules about all hosts together.
pub(in crate::site) struct Seen<'s> {
    pub(in crate::site) place: &'s Place,
    pub(in crate::site) name: Option<(HostName, &'s Place)>,
    pub(in crate::site) address: Option<(Ipv4Addr, &'s Place)>,
    pub(in crate::site) node_address: Option<(Ipv4Addr, &'s Place)>,
    /// No port of its own is `Some(None)`.
    pub(in crate::site) port: Option<Option<u16>>,
    pub(in crate::site) role: Option<Role>,
    pub(in crate::site) state: Option<HostState>,
    pub(in crate::site) unreachable: Option<bool>,
    /// The first of its own taints that keeps pods away, if there is one; nothing where its taints cannot be read.
    pub(in crate::site) closed_by: Option<Option<(Taint, &'s Place)>>,
}

impl Seen<'_> {
    /// Whether the host should be part of the cluster.
    pub(in crate::site) fn is_present(&self) -> bool {
        self.state == Some(HostState::Present)
    }

    /// How a message calls the host.
    pub(in crate::site) fn called(&self) -> String {
        match &self.name {
            Some((name, _)) => format!("host `{name}`"),
            None => format!("the host of line {}", self.place.line),
        }
    }
}

/// Checks one host by itself; the host is there only if nothing about it is wrong.
pub(in crate::site) fn host<'s>(
    given: &'s Spanned<HostSpec>,
    problems: &mut Diagnostics,
) -> (Seen<'s>, Option<SiteHost>) {
    let mut seen = seen(given, problems);
    let HostSpec {
        labels,
        taints: tainted,
        host_key,
        user,
        assume,
        hardware,
        ..
    } = &given.value;
    let labels = optional(labels, BTreeMap::new(), |given| {
        label::labels(&given.value, problems)
    });
    let taints = optional(tainted, Vec::new(), |given| label::taints(&given.value, problems));
    seen.closed_by = taints.as_ref().map(|taints| {
        let closing = taints
            .iter()
            .find(|taint| taint.effect() != TaintEffect::PreferNoSchedule);
        closing.cloned().zip(tainted.place())
    });
    let host_key = optional(host_key, None, |given| host_key_of(given, problems).map(Some));
    let user = optional(user, None, |given| user_name(given, problems).map(Some));
    let assume = optional(assume, Assumed::default(), |given| {
        assumed(&given.value, problems)
    });
    let hardware = optional(hardware, Hardware::default(), |given| {
        hardware::hardware(&given.value, problems)
    });
    let whole = || {
        let (name, place) = seen.name.clone()?;
        Some(SiteHost {
            name,
            address: seen.address?.0,
            node_address: seen.node_address?.0,
            role: seen.role?,
            labels: labels?,
            taints: taints?,
            host_key: host_key?,
            state: seen.state?,
            unreachable: seen.unreachable?,
            user: user?,
            port: seen.port?,
            assume: assume?,
            hardware: hardware?,
            place: place.clone(),
        })
    };
    let whole = whole();
    (seen, whole)
}

/// Checks what the rules about all hosts together need.
fn seen<'s>(given: &'s Spanned<HostSpec>, problems: &mut Diagnostics) -> Seen<'s> {
    let HostSpec {
        name,
        address,
        node_address,
        role,
        state,
        unreachable,
        port,
        ..
    } = &given.value;
    let name = required(name, "name", &given.place, problems)
        .and_then(|given| Some((host_name(given, problems)?, &given.place)));
    let address = required(address, "address", &given.place, problems)
        .and_then(|given| Some((network::address(given, "address", problems)?, &given.place)));
    let node_address = match node_address {
        Field::Absent => address,
        Field::Broken => None,
        Field::Given(given) => {
            network::address(given, "nodeAddress", problems).map(|read| (read, &given.place))
        }
    };
    let role = required(role, "role", &given.place, problems)
        .and_then(|given| word(given, "role", &Role::WORDS, problems));
    let state = optional(state, HostState::Present, |given| {
        word(given, "state", &HostState::WORDS, problems)
    });
    check_unreachable(unreachable, state, problems);
    Seen {
        place: &given.place,
        name,
        address,
        node_address,
        port: optional(port, None, |given| {
            number(given, "port", PORTS, problems).map(Some)
        }),
        role,
        state,
        unreachable: optional(unreachable, false, |given| Some(given.value)),
        closed_by: None,
    }
}

fn host_name(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<HostName> {
    if given.value == "localhost" {
        problems.push(
            Diagnostic::error(
                "IEC0102",
                "`localhost` cannot be the name of a host: every host calls itself so",
            )
            .at(&given.place)
            .hint("give it a name of its own, such as `edge-1`"),
        );
        return None;
    }
    name(
        given,
        &Kind {
            code: "IEC0102",
            what: "the name of a host",
            hint: None,
        },
        HostName::new,
        problems,
    )
}

/// The name of an account.
pub(in crate::site) fn user_name(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<UserName> {
    name(
        given,
        &Kind {
            code: "IEC0103",
            what: "the name of an account",
            hint: Some("write the account as in /etc/passwd of the hosts"),
        },
        UserName::new,
        problems,
    )
}

fn check_unreachable(unreachable: &Field<bool>, state: Option<HostState>, problems: &mut Diagnostics) {
    if let Some(given) = unreachable.given()
        && given.value
        && state == Some(HostState::Present)
    {
        problems.push(
            Diagnostic::error(
                "IEC0213",
                "a host that should be part of the cluster cannot be `unreachable`",
            )
            .at(&given.place)
            .hint("add `state: absent` to give the host up, or remove `unreachable`"),
        );
    }
}

/// The algorithms of host keys that OpenSSH still offers.
const ALGORITHMS: [&str; 5] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
];

/// An SSH host key: its text must hold what it says it holds.
fn host_key_of(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<HostKey> {
    let words: Vec<&str> = given.value.split(' ').collect();
    let (cause, hint) = match words[..] {
        _ if given.value.chars().any(char::is_control) => ("it has more than one line", COPY_HINT),
        [algorithm, base64, ..] if ALGORITHMS.contains(&algorithm) => {
            let Ok(key) = STANDARD.decode(base64) else {
                return refuse_key(given, "its second word is not base64 text", COPY_HINT, problems);
            };
            if holds(&key, algorithm) {
                return Some(HostKey(format!("{algorithm} {base64}")));
            }
            (
                "the key inside is cut off, or of another algorithm than its first word says",
                COPY_HINT,
            )
        }
        [_, algorithm, ..] if ALGORITHMS.contains(&algorithm) => (
            "it begins with the name of a host",
            "remove the first word: what remains begins with the algorithm",
        ),
        [first, ..] if first.starts_with("SHA256:") || first.starts_with("MD5:") => (
            "it is a fingerprint",
            "the whole key is wanted; `ssh-keyscan -t ed25519 ADDRESS` prints it",
        ),
        ["ssh-dss", ..] => (
            "DSA keys are no longer accepted by OpenSSH",
            "give the host's ed25519 key",
        ),
        _ => (
            "it does not begin with an algorithm such as `ssh-ed25519`",
            COPY_HINT,
        ),
    };
    refuse_key(given, cause, hint, problems)
}

const COPY_HINT: &str =
    "copy `/etc/ssh/ssh_host_ed25519_key.pub` of the host, without the comment at its end";

fn refuse_key(
    given: &Spanned<String>,
    cause: &str,
    hint: &str,
    problems: &mut Diagnostics,
) -> Option<HostKey> {
    let message = format!("`hostKey` is no SSH host key: {cause}");
    problems.push(Diagnostic::error("IEC0207", message).at(&given.place).hint(hint));
    None
}

/// Whether a key in SSH's wire format is one of `algorithm`, with all its parts and nothing after them.
fn holds(key: &[u8], algorithm: &str) -> bool {
    let mut rest = key;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let Some((length, behind)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((part, behind)) = behind.split_at_checked(length) else {
            return false;
        };
        parts.push(part);
        rest = behind;
    }
    let Some((name, parts)) = parts.split_first() else {
        return false;
    };
    *name == algorithm.as_bytes()
        && match (algorithm.strip_prefix("ecdsa-sha2-"), parts) {
            (Some(curve), [own, point]) => *own == curve.as_bytes() && !point.is_empty(),
            (None, [point]) => algorithm == "ssh-ed25519" && point.len() == 32,
            (None, [exponent, modulus]) => {
                algorithm == "ssh-rsa" && !exponent.is_empty() && modulus.len() >= 128
            }
            _ => false,
        }
}

/// What is assumed about a host.
fn assumed(given: &AssumeSpec, problems: &mut Diagnostics) -> Option<Assumed> {
    let architectures = Architecture::ALL.map(|architecture| (architecture.go_name(), architecture));
    let architecture = optional(&given.architecture, None, |given| {
        word(given, "architecture", &architectures, problems).map(Some)
    });
    let distribution = optional(&given.distribution, None, |given| {
        distribution(given, problems).map(Some)
    });
    let cgroups = [
        ("v1", CgroupVersion::V1),
        ("hybrid", CgroupVersion::Hybrid),
        ("v2", CgroupVersion::V2),
    ];
    let cgroup = optional(&given.cgroup, None, |given| {
        word(given, "cgroup", &cgroups, problems).map(Some)
    });
    let container = optional(&given.container, None, |given| Some(Some(given.value)));
    let cpus = optional(&given.cpus, None, |given| {
        number(given, "cpus", 1..=1024, problems).map(Some)
    });
    let memory_mib = optional(&given.memory_mib, None, |given| {
        number(given, "memoryMib", 256..=4_194_304, problems).map(Some)
    });
    let slowness = optional(&given.slowness, None, |given| {
        number(given, "slowness", 1..=200, problems).map(Some)
    });
    let nameservers = optional(&given.nameservers, Vec::new(), |given| {
        nameservers(&given.value, problems)
    });
    Some(Assumed {
        architecture: architecture?,
        distribution: distribution?,
        cgroup: cgroup?,
        container: container?,
        cpus: cpus?,
        memory_mib: memory_mib?,
        slowness: slowness?,
        nameservers: nameservers?,
    })
}

fn nameservers(given: &List<String>, problems: &mut Diagnostics) -> Option<Vec<Ipv4Addr>> {
    let read: Vec<_> = given
        .items
        .iter()
        .map(|item| network::address(item, "nameservers", problems))
        .collect();
    let read: Option<Vec<_>> = read.into_iter().collect();
    read.filter(|_| given.complete)
}

/// A distribution and its version, as `debian-12`.
fn distribution(given: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let known = match given.value.split_once('-') {
        Some(("debian", version)) => digits(version),
        Some(("ubuntu", version)) => version
            .split_once('.')
            .is_some_and(|(year, month)| digits(year) && digits(month)),
        _ => false,
    };
    if known {
        return Some(given.value.clone());
    }
    problems.push(
        Diagnostic::error(
            "IEC0215",
            format!("`distribution` cannot be `{}`", printable(&given.value)),
        )
        .at(&given.place)
        .hint("write `ID` and `VERSION_ID` of /etc/os-release: `debian-12`, `ubuntu-24.04`"),
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(parts: &[&[u8]]) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).expect("short").to_be_bytes();
        parts
            .iter()
            .flat_map(|part| [&length(part)[..], part].concat())
            .collect()
    }

    #[test]
    fn keys_hold_what_they_say() {
        let ed25519 = |bytes: usize| wire(&[b"ssh-ed25519", &vec![7; bytes]]);
        assert!(holds(&ed25519(32), "ssh-ed25519"));
        assert!(!holds(&ed25519(31), "ssh-ed25519") && !holds(&ed25519(33), "ssh-ed25519"));
        assert!(!holds(&[ed25519(32), vec![0]].concat(), "ssh-ed25519"));
        assert!(!holds(&ed25519(32)[..40], "ssh-ed25519"));
        let rsa = wire(&[b"ssh-rsa", &[1, 0, 1], &[7; 257]]);
        assert!(holds(&rsa, "ssh-rsa") && !holds(&rsa, "ssh-ed25519"));
        let curve = wire(&[b"ecdsa-sha2-nistp256", b"nistp256", &[4; 65]]);
        assert!(holds(&curve, "ecdsa-sha2-nistp256") && !holds(&curve, "ecdsa-sha2-nistp384"));
        assert!(!holds(&[], "ssh-rsa") && !holds(&[255; 4], "ssh-rsa"));
    }
}
