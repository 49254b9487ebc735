//! Facts that nobody observed, and whole recorded hosts.

use crate::*;

#[test]
fn hosts_without_facts() {
    let mut facts = both(healthy("edge-1", 11), healthy("edge-2", 12));
    let failure = |code: &str| {
        HostAnswer::Failed(ProbeFailure {
            code: code.to_owned(),
            cause: "the host did not answer the probe".to_owned(),
            evidence: "it said `nothing`".to_owned(),
            next: "log in by hand".to_owned(),
        })
    };
    facts.insert("edge-2", failure("IEC1010"));
    let problems = preflight(&site(""), &facts, &reference());
    assert_eq!(
        problems.to_string(),
        "site.yaml:10:14: error[IEC1010]: host edge-2: the host did not answer the probe\n  evidence: it said `nothing`\n  hint: log in by hand"
    );
    facts.insert("edge-2", failure("a code of a later version"));
    assert_eq!(codes(&preflight(&site(""), &facts, &reference())), ["IEC3001"]);
    let mut one = Facts::new(None);
    one.insert("edge-1", HostAnswer::Known(Box::new(healthy("edge-1", 11))));
    assert_eq!(codes(&preflight(&site(""), &one, &reference())), ["IEC3001"]);
}

#[test]
fn assumed_and_old_facts() {
    let mut first = healthy("edge-1", 11);
    first.capacity = Default::default();
    let facts = both(first, healthy("edge-2", 12));
    // A section that nobody observed is not judged, only named.
    assert_eq!(codes(&preflight(&site(""), &facts, &reference())), ["~IEC3111"]);
    let refused = refuse_assumed(&facts);
    assert_eq!(codes(&refused), ["IEC3110"]);
    assert!(
        refused.to_string().contains("evidence: assumed: capacity\n"),
        "{refused}"
    );
    assert!(refuse_assumed(&both(healthy("edge-1", 11), healthy("edge-2", 12))).is_empty());
    let later = Reference {
        now: Some(NOW + 3 * 86_400),
        ..reference()
    };
    let fresh = both(healthy("edge-1", 11), healthy("edge-2", 12));
    assert_eq!(codes(&preflight(&site(""), &fresh, &later)), ["~IEC3112"]);
}

#[test]
fn a_plan_at_a_desk_is_not_refused() {
    let assume = |name: &str| {
        HostFacts::assume(&Assumptions {
            hostname: name.to_owned(),
            ..Assumptions::default()
        })
    };
    let facts = both(assume("edge-1"), assume("edge-2"));
    assert_eq!(
        codes(&preflight(&site(""), &facts, &reference())),
        ["~IEC3111", "~IEC3111"]
    );
}

/// Preflight of one recorded host as the control plane of a site that it fits.
fn recorded(text: &str, address: &str, accept: &str) -> Diagnostics {
    let answer = probe::parse(text.as_bytes()).expect("a recorded answer");
    let text = SITE
        .replace("10.0.0.11", address)
        .replace("10.0.0.12", "10.89.65.99");
    let site = iec_core::site::load(&format!("{text}  accept: [{accept}]\n"), "site.yaml")
        .expect("a valid site")
        .0;
    let mut facts = both(answer.facts, healthy("edge-2", 12));
    let mut other = healthy("edge-2", 12);
    other.network.value_mut().interfaces[0].addresses = vec!["10.89.65.99/24".parse().expect("a network")];
    facts.insert("edge-2", HostAnswer::Known(Box::new(other)));
    preflight(&site, &facts, &reference())
}

#[test]
fn a_recorded_bare_debian_host() {
    let problems = recorded(
        include_str!("../probe/debian-12-container.txt"),
        "10.89.65.11",
        "cgroup-v1, container-host, restricted-capabilities",
    );
    assert_eq!(
        codes(&problems),
        ["~IEC1843", "~IEC3101", "~IEC3102", "~IEC3103"],
        "{problems}"
    );
}

#[test]
fn a_recorded_ubuntu_host_with_everything_in_the_way() {
    let problems = recorded(include_str!("../probe/ubuntu-24.04-docker.txt"), "10.89.65.2", "");
    let expected = [
        "IEC1823", "IEC1861", "IEC1862", "IEC1865", "IEC3101", "IEC3102", "IEC3103", "~IEC1817", "~IEC1834",
        "~IEC1835", "~IEC1842", "~IEC1844", "~IEC1867",
    ];
    assert_eq!(codes(&problems), expected, "{problems}");
}
