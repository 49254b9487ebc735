//! Routes, interfaces, ports, names, proxies and clocks.

use crate::*;

#[test]
fn networks() {
    let interface = |name: &str, address: &str| Interface {
        name: name.to_owned(),
        addresses: vec![address.parse().expect("a network")],
        ..Interface::default()
    };
    let add = |name: &'static str, address: &'static str| {
        move |facts: &mut HostFacts| {
            facts
                .network
                .value_mut()
                .interfaces
                .push(interface(name, address))
        }
    };
    expect(add("docker0", "192.168.3.1/24"), &["IEC1831"]);
    expect(add("docker0", "172.17.0.1/16"), &[]);
    expect(add("vxlan.calico", "192.168.3.0/32"), &[]);
    let lead = |destination: &'static str, interface: &'static str| {
        move |facts: &mut HostFacts| {
            facts
                .network
                .value_mut()
                .routes
                .push(route(destination, interface))
        }
    };
    expect(lead("172.16.0.0/12", "wg0"), &["IEC1831"]);
    expect(lead("192.168.7.0/26", "vxlan.calico"), &[]);
    expect(lead("192.168.7.3/32", "cali12345678901"), &[]);
    expect(lead("fd00::/8", "eth0"), &[]);
    expect(
        |facts| {
            let mut blackhole = route("192.168.7.0/26", "");
            blackhole.kind = "blackhole".to_owned();
            facts.network.value_mut().routes.push(blackhole);
        },
        &[],
    );
    expect(
        |facts| facts.network.value_mut().interfaces[0].addresses.clear(),
        &["IEC1832"],
    );
    expect(|facts| facts.network.value_mut().routes.clear(), &["~IEC1836"]);
    expect(
        |facts| facts.identity.value_mut().hostname = "localhost".to_owned(),
        &["~IEC1834"],
    );
    expect(
        |facts| facts.identity.value_mut().hostname = "edge-1.example.org".to_owned(),
        &[],
    );
    expect(|facts| facts.guards.value_mut().ufw = true, &["~IEC1835"]);
    expect(|facts| facts.guards.value_mut().firewalld = true, &["~IEC1835"]);
    expect(
        |facts| facts.guards.value_mut().network_manager = true,
        &["~IEC1837"],
    );
}

#[test]
fn ports() {
    for port in [6443, 2379, 2380, 10250, 10257, 10259, 10249, 10256, 9099] {
        expect(
            |facts| facts.listeners.value_mut().push(listen(Protocol::Tcp, port)),
            &["IEC1833"],
        );
    }
    expect(
        |facts| facts.listeners.value_mut().push(listen(Protocol::Udp, 4789)),
        &["IEC1833"],
    );
    expect(
        |facts| facts.listeners.value_mut().push(listen(Protocol::Udp, 6443)),
        &[],
    );
    expect(
        |facts| facts.listeners.value_mut().push(listen(Protocol::Tcp, 22)),
        &[],
    );
    let problems = with(|facts| facts.listeners.value_mut().push(listen(Protocol::Tcp, 6443)));
    let problem = problems.iter().next().expect("a problem");
    assert_eq!(problem.evidence, ["haproxy (process 7) listens on 0.0.0.0:6443"]);
}

#[test]
fn calicos_own_etcd_needs_ports_on_the_control_plane() {
    let judge = |more: &str, on_worker: bool| {
        let (mut first, mut second) = (healthy("edge-1", 11), healthy("edge-2", 12));
        let busy = if on_worker { &mut second } else { &mut first };
        let ports = [6666, 6667, 6668].map(|port| listen(Protocol::Tcp, port));
        busy.listeners.value_mut().extend(ports);
        let facts = both(first, second);
        codes(&preflight(&site(more), &facts, &reference()))
    };
    let etcd = "  network: {cni: {calico: {datastore: etcd}}}\n";
    assert_eq!(judge(etcd, false), ["IEC1833", "IEC1833", "IEC1833"]);
    assert_eq!(judge(etcd, true), [""; 0]);
    assert_eq!(judge("", false), [""; 0]);
}

#[test]
fn packets_of_pods_pass_the_interfaces() {
    let judge = |settings: &str, mtu: u32| {
        asked(
            &format!("  network: {{cni: {{calico: {{{settings}}}}}}}\n"),
            |facts| {
                facts.network.value_mut().interfaces[0].mtu = mtu;
            },
        )
    };
    assert_eq!(judge("mtu: 1450", 1500), [""; 0]);
    assert_eq!(judge("mtu: 1451", 1500), ["IEC1839", "IEC1839"]);
    assert_eq!(judge("mtu: 8950", 9000), [""; 0]);
    let within = "encapsulation: VXLANCrossSubnet, mtu: 1500";
    assert_eq!(judge(within, 1500), ["~IEC1839", "~IEC1839"]);
    assert_eq!(judge(within, 1499), ["IEC1839", "IEC1839"]);
    assert_eq!(judge("blockSize: 26", 1280), [""; 0]);
    let unseen = asked("  network: {cni: {calico: {mtu: 1500}}}\n", |facts| {
        let assumed = HostFacts::assume(&Assumptions::default());
        facts.network = assumed.network;
    });
    assert_eq!(unseen, ["~IEC1839", "~IEC3111", "~IEC1839", "~IEC3111"]);
}

#[test]
fn a_worker_does_not_need_the_control_planes_ports() {
    let mut worker = healthy("edge-2", 12);
    worker
        .listeners
        .value_mut()
        .extend([listen(Protocol::Tcp, 6443), listen(Protocol::Tcp, 2379)]);
    let facts = both(healthy("edge-1", 11), worker);
    assert_eq!(codes(&preflight(&site(""), &facts, &reference())), [""; 0]);
}

/// A host with a proxy and these exceptions from it.
fn proxy(exceptions: &str) -> impl FnOnce(&mut HostFacts) + use<> {
    let variables =
        [("https_proxy", "http://10.0.0.9:3128"), ("NO_PROXY", exceptions)].map(|(name, value)| {
            ProxyVariable {
                name: name.to_owned(),
                value: value.to_owned(),
                origin: "/etc/environment".to_owned(),
            }
        });
    |facts| facts.environment.value_mut().proxies = variables.into()
}

#[test]
fn names_and_proxies() {
    expect(
        |facts| facts.resolver.value_mut().nameservers = vec!["127.0.0.53".to_owned()],
        &["~IEC1841"],
    );
    expect(
        |facts| {
            facts.resolver.value_mut().nameservers = vec!["127.0.0.53".to_owned()];
            facts.resolver.value_mut().upstream = vec!["10.0.0.1".to_owned()];
        },
        &[],
    );
    let refused = || Ability::Fails("Connection refused".to_owned());
    expect(
        |facts| facts.resolver.value_mut().answers[0].udp = refused(),
        &["~IEC1842"],
    );
    expect(
        |facts| facts.resolver.value_mut().answers[0].tcp = refused(),
        &["~IEC1843"],
    );
    expect(proxy("localhost"), &["~IEC1844"]);
    expect(proxy("*"), &[]);
    let hint = |exceptions: &str| {
        let problems = with(proxy(exceptions));
        problems.iter().next().and_then(|problem| problem.hint.clone())
    };
    let missing = "add to NO_PROXY in the same places: 172.16.1.0/24,api.store-0417.iec.internal";
    assert_eq!(hint("192.168.0.0/16,10.0.0.0/24").as_deref(), Some(missing));
    // Programs compare names without asking for their addresses: exceptions for addresses are none for the API's name.
    for (name, enough) in [
        ("api.store-0417.iec.internal", true),
        ("iec.internal", true),
        (".iec.internal", true),
        ("*.iec.internal", true),
        ("API.store-0417.iec.internal", true),
        ("c.internal", false),
        ("10.0.0.11", false),
        ("", false),
        (".", false),
    ] {
        let exceptions = format!("192.168.0.0/16, 172.16.0.0/12,10.0.0.11,10.0.0.12, {name}");
        let missing = "add to NO_PROXY in the same places: api.store-0417.iec.internal";
        assert_eq!(
            hint(&exceptions).as_deref(),
            (!enough).then_some(missing),
            "{name}"
        );
    }
}

#[test]
fn clocks() {
    expect(|facts| facts.clock.value_mut().now_millis = 1000, &["IEC1851"]);
    let skew = |millis: i64| move |facts: &mut HostFacts| facts.clock.value_mut().skew_millis = Some(millis);
    expect(skew(-3_000), &[]);
    expect(skew(-20_000), &["~IEC1853"]);
    expect(skew(90_000), &["~IEC1852", "~IEC1853"]);
    expect(skew(-600_000), &["IEC1853", "~IEC1852"]);
    expect(
        |facts| facts.clock.value_mut().synchronised = Some(false),
        &["~IEC1854"],
    );
    expect(|facts| facts.clock.value_mut().synchronised = None, &["~IEC1854"]);
}

#[test]
fn chains_that_end_what_nothing_allows_are_named() {
    let closed = |name: &str, hook| ClosedChain {
        name: name.to_owned(),
        hook,
        end: "policy drop".to_owned(),
    };
    for hook in [Hook::Input, Hook::Forward] {
        expect(
            |facts| facts.guards.value_mut().closed_chains = vec![closed("inet filter x", hook)],
            &["~IEC1840"],
        );
    }
    // ufw makes such chains itself, and is told once.
    expect(
        |facts| {
            facts.guards.value_mut().ufw = true;
            facts.guards.value_mut().closed_chains = vec![closed("ip filter INPUT", Hook::Input)];
        },
        &["~IEC1835"],
    );
}

#[test]
fn an_older_line_with_the_name_of_the_api_server_is_told() {
    let name = "api.store-0417.iec.internal";
    for (line, codes) in [
        (format!("10.9.9.9 old {name}"), &["IEC1890"][..]),
        (format!("127.0.1.1\t{}.", name.to_uppercase()), &["IEC1890"]),
        (format!("10.0.0.11 {name}"), &[]),
        (format!("10.9.9.9 {name} # IEC: API server"), &[]),
        (format!("10.9.9.9 other # {name}"), &[]),
        (format!("10.9.9.9 not-{name}"), &[]),
    ] {
        expect(
            |facts| facts.resolver.value_mut().host_names = vec![line.clone()],
            codes,
        );
    }
}

#[test]
fn interfaces_of_one_network_take_packets_of_one_size() {
    let mtu = |facts: &mut HostFacts| facts.network.value_mut().interfaces[0].mtu = 9000;
    expect(mtu, &["~IEC1894"]);
    let second = |address: &str| Interface {
        name: "eth1".to_owned(),
        mtu: 9000,
        addresses: vec![address.parse().expect("a network")],
        ..Interface::default()
    };
    for (address, codes) in [("10.0.0.77/24", &["~IEC1894"][..]), ("10.7.0.77/24", &[])] {
        expect(
            |facts| facts.network.value_mut().interfaces.push(second(address)),
            codes,
        );
    }
}

#[test]
fn a_virtual_address_is_free_and_in_the_subnet_of_the_control_planes() {
    let judge = |address: &str, change: &dyn Fn(&mut HostFacts, &mut HostFacts)| {
        let (mut first, mut second) = (healthy("edge-1", 11), healthy("edge-2", 12));
        change(&mut first, &mut second);
        let site = site(&format!("  controlPlane: {{virtualAddress: {address}}}\n"));
        codes(&preflight(&site, &both(first, second), &reference()))
    };
    let have = |facts: &mut HostFacts| {
        let addresses = &mut facts.network.value_mut().interfaces[0].addresses;
        addresses.push("10.0.0.10/32".parse().expect("an address"));
    };
    assert_eq!(judge("10.0.0.10", &|_, _| {}), [""; 0]);
    for address in ["10.0.1.10", "10.0.0.0", "10.0.0.255"] {
        assert_eq!(judge(address, &|_, _| {}), ["IEC1849"], "{address}");
    }
    assert_eq!(judge("10.0.0.10", &|_, worker| have(worker)), ["IEC1850"]);
    assert_eq!(judge("10.0.0.10", &|first, _| have(first)), ["IEC1850"]);
    let ours = |first: &mut HostFacts, _: &mut HostFacts| {
        have(first);
        let previous = first.previous.value_mut();
        (previous.site, previous.site_id) = (Some("store-0417".to_owned()), Some("5f2c9a".to_owned()));
    };
    assert_eq!(judge("10.0.0.10", &ours), [""; 0]);
    let problems = {
        let (mut first, second) = (healthy("edge-1", 11), healthy("edge-2", 12));
        first.guards.value_mut().ufw = true;
        preflight(
            &site("  controlPlane: {virtualAddress: 10.0.0.10}\n"),
            &both(first, second),
            &reference(),
        )
    };
    let hint = problems.iter().find_map(|problem| problem.hint.clone());
    assert!(
        hint.as_deref()
            .is_some_and(|hint| hint.contains("IP protocol 112 (VRRP)")),
        "{hint:?}"
    );
}
