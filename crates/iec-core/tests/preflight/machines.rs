//! Processors, memory, disks, and what the kernel can do.

use crate::*;

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
        |facts| facts.capacity.value_mut().disk_millis = Some(600),
        &["~IEC1810"],
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
fn wireguard_is_wanted_of_the_kernel_where_the_site_asks_for_it() {
    let without = |facts: &mut HostFacts| {
        let message = Ability::Fails("Error: Unknown device type.".to_owned());
        facts
            .features
            .value_mut()
            .tried
            .insert("wireguard".to_owned(), message);
    };
    let site = "  network: {cni: {calico: {wireguard: true}}}\n";
    assert_eq!(asked(site, without), ["IEC1848", "IEC1848"]);
    assert_eq!(asked(site, |_| {}), [""; 0]);
    assert_eq!(asked("", without), [""; 0]);
    let taken = |facts: &mut HostFacts| facts.listeners.value_mut().push(listen(Protocol::Udp, 51820));
    assert_eq!(asked(site, taken).len(), 2);
    assert_eq!(asked("", taken), [""; 0]);
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
