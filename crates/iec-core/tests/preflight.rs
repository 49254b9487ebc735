//! Preflight: one bad fact each, and the code that it must give; recorded hosts; facts that nobody observed.

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::explain;
use iec_core::facts::{
    Ability, Assumptions, Binary, CgroupVersion, Facts, HostAnswer, HostFacts, Interface, Listener,
    LockHolder, Package, ProbeFailure, Protocol, ProxyVariable, Reference, ResolverAnswer, Route, SwapDevice,
    Unit, preflight, refuse_assumed,
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

fn route(destination: &str, interface: &str) -> Route {
    Route {
        destination: destination.parse().expect("a network"),
        kind: "unicast".to_owned(),
        gateway: None,
        interface: Some(interface.to_owned()),
        metric: 0,
    }
}

fn both(first: HostFacts, second: HostFacts) -> Facts {
    let mut facts = Facts::new(Some(NOW - 60));
    facts.insert("edge-1", HostAnswer::Known(Box::new(first)));
    facts.insert("edge-2", HostAnswer::Known(Box::new(second)));
    facts
}

/// The codes of the problems, warnings with a `~` before them; each error says what to do.
fn codes(problems: &Diagnostics) -> Vec<String> {
    for problem in problems {
        let says = problem.hint.is_some() || problem.severity == Severity::Warning;
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

#[test]
fn machines() {
    expect(
        |facts| facts.distribution.value_mut().id = "fedora".to_owned(),
        &["IEC1801"],
    );
    expect(
        |facts| facts.distribution.value_mut().version = "11".to_owned(),
        &["IEC1801"],
    );
    expect(
        |facts| facts.distribution.value_mut().version = "13".to_owned(),
        &[],
    );
    expect(
        |facts| facts.distribution.value_mut().version = String::new(),
        &[],
    );
    let ubuntu = |version: &'static str| {
        move |facts: &mut HostFacts| {
            facts.distribution.value_mut().id = "ubuntu".to_owned();
            facts.distribution.value_mut().version = version.to_owned();
        }
    };
    expect(ubuntu("20.04"), &["IEC1801"]);
    expect(ubuntu("22.04"), &[]);
    expect(
        |facts| facts.kernel.value_mut().machine = "armv7l".to_owned(),
        &["IEC1802"],
    );
    expect(
        |facts| facts.kernel.value_mut().release = "5.4.0-42-generic".to_owned(),
        &["IEC1803"],
    );
    expect(
        |facts| facts.kernel.value_mut().release = "5.10.0-30-arm64".to_owned(),
        &[],
    );
    expect(
        |facts| facts.kernel.value_mut().release = "unknown".to_owned(),
        &["IEC1803"],
    );
    expect(
        |facts| facts.capacity.value_mut().memory_total = 1 << 30,
        &["IEC1804"],
    );
    expect(|facts| facts.capacity.value_mut().cpus = 1, &["IEC1805"]);
    expect(
        |facts| facts.capacity.value_mut().hash_millis = Some(600),
        &["~IEC1806"],
    );
    expect(
        |facts| facts.login.value_mut().kubeconfigs = vec!["/root/.kube/config".to_owned()],
        &["~IEC1808"],
    );
    expect(|facts| facts.login.value_mut().homes.clear(), &["~IEC1808"]);
    expect(
        |facts| facts.login.value_mut().noise = "Welcome!".to_owned(),
        &["~IEC1807"],
    );
}

#[test]
fn a_worker_needs_less() {
    let mut small = healthy("edge-2", 12);
    small.capacity.value_mut().memory_total = 1 << 30;
    small.capacity.value_mut().cpus = 1;
    let facts = both(healthy("edge-1", 11), small);
    assert_eq!(codes(&preflight(&site(""), &facts, &reference())), [""; 0]);
}

#[test]
fn a_small_host_can_be_accepted() {
    let mut small = healthy("edge-1", 11);
    small.capacity.value_mut().memory_total = 1 << 30;
    small.capacity.value_mut().cpus = 1;
    let facts = both(small, healthy("edge-2", 12));
    let accepting = site("  accept: [small-host]\n");
    assert_eq!(
        codes(&preflight(&accepting, &facts, &reference())),
        ["~IEC1804", "~IEC1805"]
    );
}

#[test]
fn storage() {
    let every = |facts: &mut HostFacts, change: fn(&mut iec_core::facts::Place)| {
        facts.storage.value_mut().places.values_mut().for_each(change);
    };
    expect(|facts| every(facts, |place| place.free = 2 << 30), &["IEC1811"]);
    expect(
        |facts| every(facts, |place| place.free_inodes = Some(100)),
        &["IEC1812"],
    );
    expect(|facts| every(facts, |place| place.free = 8 << 30), &["~IEC1813"]);
    expect(|facts| every(facts, |place| place.no_exec = true), &["IEC1814"]);
    expect(|facts| every(facts, |place| place.read_only = true), &["IEC1815"]);
    expect(
        |facts| {
            facts
                .storage
                .value_mut()
                .places
                .get_mut("/tmp")
                .expect("a place")
                .no_exec = true
        },
        &[],
    );
    let containerd = |facts: &mut HostFacts, kind: &str| {
        let place = facts
            .storage
            .value_mut()
            .places
            .get_mut("/var/lib/containerd")
            .expect("a place");
        place.file_system = kind.to_owned();
    };
    expect(|facts| containerd(facts, "overlay"), &["IEC1816"]);
    expect(|facts| containerd(facts, "fuse.sshfs"), &["IEC1816"]);
    expect(|facts| containerd(facts, "xfs"), &[]);
    expect(|facts| facts.swap.value_mut().zram = true, &["~IEC1817"]);
    let device = |path: &str| SwapDevice {
        path: path.to_owned(),
        kind: "partition".to_owned(),
        size: 1 << 30,
    };
    expect(
        |facts| facts.swap.value_mut().active = vec![device("/dev/zram0")],
        &["~IEC1817"],
    );
    expect(
        |facts| facts.swap.value_mut().active = vec![device("/dev/sda2")],
        &[],
    );
}

#[test]
fn space_that_a_first_installation_took_is_not_asked_for_again() {
    expect(
        |facts| {
            facts
                .storage
                .value_mut()
                .places
                .values_mut()
                .for_each(|place| place.free = 2 << 30);
            facts.previous.value_mut().store = 1 << 30;
        },
        &[],
    );
}

#[test]
fn kernel_features() {
    let fails = |name: &'static str| {
        move |facts: &mut HostFacts| {
            let message = Ability::Fails("Error: Unknown device type.".to_owned());
            facts.features.value_mut().tried.insert(name.to_owned(), message);
        }
    };
    expect(fails("namespaces"), &["IEC1821"]);
    for name in ["overlay", "vxlan", "veth", "bridge", "policy-rules", "ipset"] {
        expect(fails(name), &["IEC1822"]);
    }
    expect(fails("iptables-nft"), &[]);
    expect(
        |facts| {
            fails("iptables-nft")(facts);
            fails("iptables-legacy")(facts);
        },
        &["IEC1822"],
    );
    expect(
        |facts| facts.features.value_mut().shared_root = false,
        &["IEC1823"],
    );
    expect(|facts| facts.cgroup.value_mut().systemd = false, &["IEC1824"]);
    expect(
        |facts| {
            facts
                .cgroup
                .value_mut()
                .controllers
                .retain(|name| name != "memory")
        },
        &["IEC1825"],
    );
    expect(
        |facts| facts.privileges.value_mut().capabilities &= !(1 << 21),
        &["IEC1826"],
    );
}

#[test]
fn a_feature_that_cannot_be_tried_is_looked_up_in_the_kernels_configuration() {
    const OPTIONS: [&str; 4] = ["IP_SET", "NF_TABLES", "NETFILTER_XT_SET", "NF_CONNTRACK"];
    // A kernel that has all of them built in, but for one, on a host without tools to try them.
    let untested = |option: &'static str, value: Option<&'static str>, modprobe: bool| {
        move |facts: &mut HostFacts| {
            for tool in ["ipset", "iptables-legacy", "iptables-nft", "nftables"] {
                let reason = Ability::Untested(format!("the host has no {tool}"));
                facts.features.value_mut().tried.insert(tool.to_owned(), reason);
            }
            let kernel = facts.kernel.value_mut();
            kernel.config = OPTIONS
                .iter()
                .map(|name| ((*name).to_owned(), "y".to_owned()))
                .collect();
            match value {
                Some(value) => kernel.config.insert(option.to_owned(), value.to_owned()),
                None => kernel.config.remove(option),
            };
            kernel.modprobe = modprobe;
        }
    };
    for option in OPTIONS {
        expect(untested(option, Some("y"), false), &[]);
        expect(untested(option, Some("m"), true), &[]);
        expect(untested(option, Some("m"), false), &["IEC1822"]);
        expect(untested(option, None, true), &["IEC1822"]);
        let said = with(untested(option, None, true)).to_string();
        assert!(said.contains(option), "{said}");
    }
    let unknown = |facts: &mut HostFacts| {
        untested("IP_SET", None, true)(facts);
        facts.kernel.value_mut().config.clear();
    };
    expect(unknown, &[]);
    // What works is there, whatever the configuration says.
    let legacy = |facts: &mut HostFacts| {
        untested("NF_TABLES", None, true)(facts);
        let tried = &mut facts.features.value_mut().tried;
        tried.insert("iptables-legacy".to_owned(), Ability::Works);
    };
    expect(legacy, &[]);
    let loaded = |facts: &mut HostFacts| {
        untested("NF_CONNTRACK", Some("m"), false)(facts);
        facts.kernel.value_mut().modules.push("nf_conntrack".to_owned());
    };
    expect(loaded, &[]);
}

#[test]
fn the_hint_for_a_missing_module_fits_the_host() {
    let hint = |change: fn(&mut HostFacts)| {
        let problems = with(|facts| {
            facts
                .features
                .value_mut()
                .tried
                .insert("vxlan".to_owned(), Ability::Fails("no".to_owned()));
            change(facts);
        });
        problems
            .iter()
            .find(|problem| problem.code == "IEC1822")
            .and_then(|problem| problem.hint.clone())
            .expect("a hint")
    };
    assert!(hint(|_| {}).contains("modprobe vxlan"));
    assert!(hint(|facts| facts.kernel.value_mut().modprobe = false).contains("package kmod"));
    assert!(hint(|facts| facts.privileges.value_mut().container = true).contains("the machine that runs it"));
    let ubuntu = hint(|facts| {
        facts.kernel.value_mut().module_files = false;
        facts.distribution.value_mut().id = "ubuntu".to_owned();
        facts.distribution.value_mut().version = "24.04".to_owned();
    });
    assert!(ubuntu.contains("linux-modules-extra-6.1.0"), "{ubuntu}");
}

#[test]
fn degradations_are_errors_until_the_site_accepts_them() {
    let degrade = |facts: &mut HostFacts| {
        facts.cgroup.value_mut().version = CgroupVersion::Hybrid;
        facts.privileges.value_mut().container = true;
        facts.privileges.value_mut().capabilities &= !(1 << 24);
    };
    expect(degrade, &["IEC3101", "IEC3102", "IEC3103"]);
    let mut first = healthy("edge-1", 11);
    degrade(&mut first);
    let facts = both(first, healthy("edge-2", 12));
    let accepting = site("  accept: [cgroup-v1, container-host, restricted-capabilities]\n");
    assert_eq!(
        codes(&preflight(&accepting, &facts, &reference())),
        ["~IEC3101", "~IEC3102", "~IEC3103"]
    );
}

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

fn listen(protocol: Protocol, port: u16) -> Listener {
    Listener {
        protocol,
        address: "0.0.0.0".to_owned(),
        port,
        process: Some("haproxy".to_owned()),
        pid: Some(7),
    }
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

#[test]
fn what_is_kept_from_pods_leaves_something() {
    for (kubelet, told) in [
        ("{systemReserved: {cpu: 1900m, memory: 3Gi}}", [""; 0].as_slice()),
        ("{systemReserved: {cpu: \"2\"}}", &["IEC1809", "IEC1809"]),
        ("{systemReserved: {memory: 4Gi}}", &["IEC1809", "IEC1809"]),
        (
            "{systemReserved: {memory: 3Gi}, evictionHard: {memory.available: 1Gi}}",
            &["IEC1809", "IEC1809"],
        ),
        (
            "{systemReserved: {memory: 3Gi}, evictionHard: {memory.available: 30%}}",
            &["IEC1809", "IEC1809"],
        ),
        (
            "{evictionHard: {memory.available: 99%, nodefs.available: 99%}}",
            &[],
        ),
        (
            "{evictionHard: {nodefs.available: 1Pi, imagefs.available: 1Pi}}",
            &["IEC1809", "IEC1809", "IEC1809", "IEC1809"],
        ),
    ] {
        let found = asked(&format!("  kubelet: {kubelet}\n"), |_| {});
        assert_eq!(found, told, "{kubelet}");
    }
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

#[test]
fn what_this_site_installed_is_no_obstacle() {
    let installed = |facts: &mut HostFacts| {
        facts.listeners.value_mut().push(listen(Protocol::Tcp, 6443));
        let containerd = Binary {
            name: "containerd".to_owned(),
            path: "/usr/local/bin/containerd".to_owned(),
            ..Binary::default()
        };
        facts.software.value_mut().binaries.push(containerd);
        let cluster = facts.cluster.value_mut();
        cluster.etcd_data = true;
        cluster.server = Some("https://api.store-0417.iec.internal:6443".to_owned());
        cluster.cni_files.push("00-mine.conf".to_owned());
        cluster.ca_sha256 = Some("aa11".to_owned());
    };
    // Its mark is there, or it was installed by hand and has the site's authority.
    expect(
        |facts| {
            installed(facts);
            facts.previous.value_mut().site = Some("store-0417".to_owned());
            facts.previous.value_mut().site_id = Some("5f2c9a".to_owned());
        },
        &[],
    );
    expect(installed, &[]);
    let joined_as = |facts: &mut HostFacts, address: &str| {
        installed(facts);
        facts.cluster.value_mut().node_address = address.parse().ok();
    };
    expect(|facts| joined_as(facts, "10.0.0.11"), &[]);
    expect(|facts| joined_as(facts, "10.0.0.77"), &["IEC1838"]);
    expect(
        |facts| {
            installed(facts);
            facts.cluster.value_mut().ca_sha256 = Some("bb22".to_owned());
        },
        &["IEC1833", "IEC1863", "IEC1864", "IEC1866"],
    );
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
fn what_is_already_installed() {
    expect(
        |facts| facts.cluster.value_mut().others = vec!["k3s /etc/rancher/k3s".to_owned()],
        &["IEC1861"],
    );
    let unit = |name: &str| Unit {
        name: name.to_owned(),
        active: "active".to_owned(),
        enabled: "enabled".to_owned(),
    };
    expect(
        |facts| facts.software.value_mut().units = vec![unit("rke2-server.service")],
        &["IEC1861"],
    );
    expect(
        |facts| facts.previous.value_mut().site = Some("store-0001".to_owned()),
        &["IEC1862"],
    );
    expect(
        |facts| {
            facts.previous.value_mut().site = Some("store-0417".to_owned());
            facts.previous.value_mut().site_id = Some("other".to_owned());
        },
        &["IEC1862"],
    );
    expect(
        |facts| facts.cluster.value_mut().server = Some("https://10.9.9.9:6443".to_owned()),
        &["IEC1863"],
    );
    expect(|facts| facts.cluster.value_mut().etcd_data = true, &["IEC1863"]);
    expect(
        |facts| facts.cluster.value_mut().kubernetes_files = vec!["manifests/etcd.yaml".to_owned()],
        &["IEC1863"],
    );
    let package = |name: &str| Package {
        name: name.to_owned(),
        version: "1.7.12".to_owned(),
    };
    for name in ["containerd", "containerd.io", "docker.io", "docker-ce", "kubelet"] {
        expect(
            |facts| facts.software.value_mut().packages = vec![package(name)],
            &["IEC1864"],
        );
    }
    expect(
        |facts| facts.software.value_mut().packages = vec![package("podman"), package("runc")],
        &[],
    );
    expect(
        |facts| facts.software.value_mut().docker_containers = 2,
        &["IEC1865"],
    );
    expect(
        |facts| facts.cluster.value_mut().cni_files = vec!["05-cilium.conflist".to_owned()],
        &["IEC1866"],
    );
    expect(
        |facts| facts.cluster.value_mut().cni_files = vec!["87-podman-bridge.conflist".to_owned()],
        &[],
    );
    expect(
        |facts| {
            facts.previous.value_mut().lock = Some(LockHolder {
                owner: "alice@laptop".to_owned(),
            })
        },
        &["~IEC1867"],
    );
}

#[test]
fn a_runtime_is_taken_over_where_the_site_says_so() {
    let mut first = healthy("edge-1", 11);
    first.software.value_mut().packages = vec![Package {
        name: "containerd".to_owned(),
        version: "1.7".to_owned(),
    }];
    let facts = both(first, healthy("edge-2", 12));
    let problems = preflight(&site("  runtime: {takeOver: true}\n"), &facts, &reference());
    assert_eq!(codes(&problems), ["~IEC1864"]);
}

#[test]
fn hosts_are_compared_with_each_other() {
    let other = healthy("edge-2", 12);
    expect(
        |facts| {
            facts
                .identity
                .value_mut()
                .machine_id
                .clone_from(&other.identity.machine_id)
        },
        &["IEC1871"],
    );
    expect(
        |facts| facts.identity.value_mut().machine_id.clear(),
        &["IEC1871"],
    );
    let mac = other.network.interfaces[0].mac.clone();
    expect(
        |facts| facts.network.value_mut().interfaces[0].mac = mac,
        &["IEC1872"],
    );
    expect(
        |facts| {
            facts.network.value_mut().interfaces[0]
                .addresses
                .push("10.0.0.12/24".parse().expect("a network"))
        },
        &["IEC1873"],
    );
}

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
        include_str!("probe/debian-12-container.txt"),
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
    let problems = recorded(include_str!("probe/ubuntu-24.04-docker.txt"), "10.89.65.2", "");
    let expected = [
        "IEC1823", "IEC1861", "IEC1862", "IEC1865", "IEC3101", "IEC3102", "IEC3103", "~IEC1817", "~IEC1834",
        "~IEC1835", "~IEC1842", "~IEC1844", "~IEC1867",
    ];
    assert_eq!(codes(&problems), expected, "{problems}");
}
