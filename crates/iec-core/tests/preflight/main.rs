//! Preflight: one bad fact each, and the code that it must give; recorded hosts; facts that nobody observed.

mod later;
mod machines;
mod network;
mod software;
mod unknown;

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::explain;
use iec_core::facts::{
    Ability, Assumptions, Binary, CgroupVersion, ClosedChain, Cluster, Facts, Hook, HostAnswer, HostFacts,
    Interface, Listener, LockHolder, Override, Package, ProbeFailure, Protocol, ProxyVariable, Reference,
    ResolverAnswer, Route, SudoStreams, SwapDevice, Unit, preflight, refuse_assumed,
};
use iec_core::probe;
use iec_core::site::Site;

const NOW: i64 = 1_795_459_153;
const SITE: &str = r#"
apiVersion: iec.dev/v1alpha1
kind: Site
metadata: {name: store-0417}
spec:
  release: "1.36"
  access: {user: edge}
  hosts:
    - {name: edge-1, address: 10.0.0.11, role: control-plane}
    - {name: edge-2, address: 10.0.0.12, role: worker}
"#;

fn site(more: &str) -> Site {
    iec_core::site::load(&format!("{SITE}{more}"), "site.yaml")
        .expect("a valid site")
        .0
}

fn reference() -> Reference<'static> {
    Reference {
        now: Some(NOW),
        content_date: Some(NOW - 86_400),
        site_id: Some("5f2c9a"),
        ca_sha256: Some("aa11"),
    }
}

/// The same facts, observed.
fn observed(facts: &HostFacts) -> HostFacts {
    let text = serde_json::to_string(facts)
        .expect("facts are JSON")
        .replace("\"assumed\":", "\"observed\":");
    serde_json::from_str(&text).expect("facts are JSON")
}

/// A host that nothing can be said against.
fn healthy(name: &str, last: u8) -> HostFacts {
    let mut facts = observed(&HostFacts::assume(&Assumptions {
        hostname: name.to_owned(),
        ..Assumptions::default()
    }));
    facts.identity.value_mut().machine_id = format!("{last:032x}");
    let network = facts.network.value_mut();
    network.interfaces = vec![Interface {
        name: "eth0".to_owned(),
        mac: Some(format!("02:00:00:00:00:{last:02x}")),
        mtu: 1500,
        state: "UP".to_owned(),
        addresses: vec![format!("10.0.0.{last}/24").parse().expect("a network")],
    }];
    network.routes = vec![route("0.0.0.0/0", "eth0"), route("10.0.0.0/24", "eth0")];
    facts.resolver.value_mut().nameservers = vec!["10.0.0.1".to_owned()];
    facts.resolver.value_mut().answers = vec![ResolverAnswer {
        server: "10.0.0.1".to_owned(),
        udp: Ability::Works,
        tcp: Ability::Works,
    }];
    let clock = facts.clock.value_mut();
    (clock.now_millis, clock.ended_millis, clock.synchronised) = (NOW * 1000, NOW * 1000 + 200, Some(true));
    clock.compare(NOW * 1000 - 50, NOW * 1000 + 250);
    facts
}

fn both(first: HostFacts, second: HostFacts) -> Facts {
    let mut facts = Facts::new(Some(NOW - 60));
    facts.insert("edge-1", HostAnswer::Known(Box::new(first)));
    facts.insert("edge-2", HostAnswer::Known(Box::new(second)));
    facts
}

fn route(destination: &str, interface: &str) -> Route {
    Route {
        destination: destination.parse().expect("a network"),
        kind: "unicast".to_owned(),
        gateway: None,
        interface: Some(interface.to_owned()),
        metric: 0,
    }
}

fn listen(protocol: Protocol, port: u16) -> Listener {
    Listener {
        protocol,
        address: "0.0.0.0".to_owned(),
        port,
        process: Some("haproxy".to_owned()),
        pid: Some(7),
    }
}

/// The codes of the problems, warnings with a `~` before them; each error says what to do.
fn codes(problems: &Diagnostics) -> Vec<String> {
    for problem in problems {
        let says = problem.hint.is_some() || problem.severity != Severity::Error;
        assert!(says, "nobody says what to do: {problem}");
    }
    let mark = |severity| if severity == Severity::Error { "" } else { "~" };
    problems
        .iter()
        .map(|problem| format!("{}{}", mark(problem.severity), problem.code))
        .collect()
}

/// What preflight says when the facts of the control plane are changed like this.
fn with(change: impl FnOnce(&mut HostFacts)) -> Diagnostics {
    let mut facts = healthy("edge-1", 11);
    change(&mut facts);
    preflight(&site(""), &both(facts, healthy("edge-2", 12)), &reference())
}

#[track_caller]
fn expect(change: impl FnOnce(&mut HostFacts), expected: &[&str]) {
    let problems = with(change);
    assert_eq!(codes(&problems), expected, "{problems}");
    for problem in &problems {
        assert!(!problem.evidence.is_empty(), "{problem}");
        assert!(problem.hint.is_some() || problem.code == "IEC1806", "{problem}");
        assert!(explain::explain(problem.code).is_some(), "{problem}");
    }
}

#[test]
fn healthy_hosts_give_no_problem() {
    expect(|_| {}, &[]);
}

/// What is said about a site with these lines more, on healthy hosts of 4 GiB and two processors.
fn asked(more: &str, change: impl Fn(&mut HostFacts)) -> Vec<String> {
    let host = |name, last| {
        let mut facts = healthy(name, last);
        let capacity = facts.capacity.value_mut();
        (capacity.cpus, capacity.memory_total) = (2, 4 << 30);
        change(&mut facts);
        facts
    };
    let facts = both(host("edge-1", 11), host("edge-2", 12));
    codes(&preflight(&site(more), &facts, &reference()))
}
