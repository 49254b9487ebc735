//! What plans write onto hosts that are not alike: control groups, slow processors, small packets.

#![expect(
    clippy::disallowed_methods,
    reason = "what tests share reads the committed example sites"
)]

mod support;

use std::collections::BTreeMap;

use iec_core::facts::{CgroupVersion, HostFacts, Interface};
use iec_core::pace::Pace;
use iec_core::plan::{FileContent, HostPart, Op, Plan, SecretName};
use iec_core::site::Site;
use support::{facts, parse, plain_host, plan_of, site, site_names, sites};

/// The plan for a site whose hosts are plain ones but for this.
fn fitted(site: &Site, change: impl Fn(&mut HostFacts)) -> Plan {
    plan_of(
        site,
        &facts(site, |host| {
            let mut facts = plain_host(host);
            change(&mut facts);
            facts
        }),
    )
}

/// The texts of the files that the plan writes whose names end so.
fn files(plan: &Plan, ending: &str) -> String {
    let steps = plan.hosts.iter().flat_map(|part| &part.steps);
    let texts: Vec<&str> = steps
        .filter_map(|step| match &step.op {
            Op::File(file) if file.path.ends_with(ending) => match &file.content {
                FileContent::Text(text) => Some(text.as_str()),
                FileContent::Secret(_) | FileContent::Changing { .. } => None,
            },
            _ => None,
        })
        .collect();
    assert!(!texts.is_empty(), "the plan writes no {ending}");
    texts.join("\n")
}

#[test]
fn containerd_and_the_kubelet_have_the_driver_that_fits_the_control_groups() {
    for (version, systemd, in_containerd, in_kubelet) in [
        (
            CgroupVersion::V2,
            true,
            "SystemdCgroup = true",
            "cgroupDriver: systemd",
        ),
        (
            CgroupVersion::V2,
            false,
            "SystemdCgroup = false",
            "cgroupDriver: cgroupfs",
        ),
        (
            CgroupVersion::Hybrid,
            true,
            "SystemdCgroup = false",
            "cgroupDriver: cgroupfs",
        ),
        (
            CgroupVersion::V1,
            true,
            "SystemdCgroup = false",
            "cgroupDriver: cgroupfs",
        ),
    ] {
        for name in site_names() {
            let plan = fitted(&site(&name), |facts| {
                facts.cgroup.value_mut().version = version;
                facts.cgroup.value_mut().systemd = systemd;
            });
            let containerd = files(&plan, "/containerd/config.toml");
            assert!(containerd.contains(in_containerd), "{version:?}: {containerd}");
            let kubelet = files(&plan, "+strategic.yaml");
            assert!(kubelet.contains(in_kubelet), "{version:?}: {kubelet}");
            let accepts = kubelet.contains("failCgroupV1: false");
            assert_eq!(accepts, version != CgroupVersion::V2, "{version:?}: {kubelet}");
        }
    }
}

#[test]
fn calicos_probes_wait_on_slow_hosts_and_its_packets_fit_the_interface() {
    let text = std::fs::read_to_string(sites().join("three-hosts/site.yaml")).expect("an example");
    assert!(text.contains("cni: calico"), "{text}");
    for (calico, hash_millis, probes, mtu) in [
        ("cni: calico", Some(10), "periodSeconds: 10", "veth_mtu: '0'"),
        ("cni: calico", None, "periodSeconds: 10", "veth_mtu: '0'"),
        ("cni: calico", Some(500), "periodSeconds: 64", "veth_mtu: '0'"),
        ("cni: calico", Some(2000), "periodSeconds: 256", "veth_mtu: '0'"),
        (
            "cni: {calico: {mtu: 1400}}",
            Some(10),
            "periodSeconds: 10",
            "veth_mtu: '1400'",
        ),
    ] {
        let site = parse(&text.replace("cni: calico", calico));
        let plan = fitted(&site, |facts| {
            facts.capacity.value_mut().hash_millis = hash_millis;
        });
        let manifest = files(&plan, "/calico.yaml").replace('"', "'");
        assert_eq!(manifest.matches(probes).count(), 2, "{hash_millis:?}: {manifest}");
        assert!(manifest.contains(mtu), "{manifest}");
    }
}

/// Seconds of every time-out and deadline in a command, in order.
fn times(text: &str) -> Vec<u64> {
    let marks = ["--request-timeout=", "--timeout=", "$(date +%s) + "];
    let mut found: Vec<(usize, u64)> = Vec::new();
    for mark in marks {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let unit = if rest[digits.len()..].starts_with('m') {
                60
            } else {
                1
            };
            found.push((at, digits.parse::<u64>().expect("a number of seconds") * unit));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, seconds)| seconds).collect()
}

fn commands(part: &HostPart) -> BTreeMap<String, String> {
    let lowered = part.lowered().into_iter().map(|(step, lowered)| {
        let asks = lowered.check.iter().map(|question| &question.ask);
        let all = asks.chain(&lowered.apply).chain(lowered.undo_commands());
        let text: Vec<String> = all.map(|command| command.statement("")).collect();
        (step.id.to_string(), text.join("\n"))
    });
    lowered.collect()
}

/// Twenty times slower than a test machine, which hashes 8 MiB in 25 ms.
const TWENTY_TIMES: Option<u64> = Some(500);

#[test]
fn everything_is_waited_for_longer_on_a_slow_host() {
    for name in site_names() {
        let ordinary = fitted(&site(&name), |_| {});
        let slow = fitted(&site(&name), |facts| {
            facts.capacity.value_mut().hash_millis = TWENTY_TIMES;
        });
        let mut seen = 0;
        for (quick, late) in ordinary.hosts.iter().zip(&slow.hosts) {
            let (before, after) = (commands(quick), commands(late));
            for (id, text) in &before {
                // Files differ by what is in them, and by that the units that read them.
                let (quick, late) = (times(text), times(&after[id]));
                let longer: Vec<u64> = quick.iter().map(|seconds| seconds * 8).collect();
                assert_eq!(longer, late, "{name}: {id}");
                seen += quick.len();
            }
            let new: Vec<&String> = after.keys().filter(|id| !before.contains_key(*id)).collect();
            assert_eq!(new, ["system.pace"], "{name}: {}", late.host);
            assert!(
                late.estimate_seconds() >= quick.estimate_seconds() * 20,
                "{name}: {}",
                late.host
            );
        }
        assert!(seen > 20, "{name}: {seen}");
    }
}

#[test]
fn kubeadm_and_the_kubelet_of_a_slow_host_wait_longer_too() {
    let site = site("three-hosts");
    let secrets = |plan: &Plan, host: &str, name: SecretName| {
        let part = plan.host(host).expect("a host of the site");
        part.secrets[&name].expose().clone()
    };
    let ordinary = fitted(&site, |_| {});
    assert!(!files(&ordinary, "/etc/iec/kubeadm.yaml").contains("timeouts"));
    assert!(!files(&ordinary, "+strategic.yaml").contains("runtimeRequestTimeout"));
    let join = secrets(&ordinary, "edge-2", SecretName::JoinConfiguration);
    assert!(
        join.contains("discovery: 10m0s") && !join.contains("kubernetesAPICall"),
        "{join}"
    );
    let slow = fitted(&site, |facts| {
        facts.capacity.value_mut().hash_millis = TWENTY_TIMES;
    });
    let init = files(&slow, "/etc/iec/kubeadm.yaml");
    for wanted in [
        "controlPlaneComponentHealthCheck: 32m0s",
        "kubeletHealthCheck: 32m0s",
        "kubernetesAPICall: 8m0s",
        "etcdAPICall: 16m0s",
    ] {
        assert!(init.contains(wanted), "{init}");
    }
    let join = secrets(&slow, "edge-2", SecretName::JoinConfiguration);
    assert!(
        join.contains("tlsBootstrap: 80m0s") && join.contains("discovery: 80m0s"),
        "{join}"
    );
    assert!(files(&slow, "+strategic.yaml").contains("runtimeRequestTimeout: 16m0s"));
    assert_eq!(
        files(&slow, "/etc/iec/pace").lines().next(),
        Some("processor 8 disk 1")
    );
}

#[test]
fn a_quick_worker_waits_for_its_slow_control_plane_and_is_not_slow_by_that() {
    let site = site("three-hosts");
    let only = |slow: &'static str| {
        plan_of(
            &site,
            &facts(&site, |host| {
                let mut facts = plain_host(host);
                if host.name().as_str() == slow {
                    facts.capacity.value_mut().hash_millis = TWENTY_TIMES;
                }
                facts
            }),
        )
    };
    let times_of = |plan: &Plan, host: &str| {
        let texts = commands(plan.host(host).expect("a host of the site")).into_values();
        texts.flat_map(|text| times(&text)).sum::<u64>()
    };
    let none = only("nobody");
    let slow_control_plane = only("edge-1");
    assert_eq!(
        times_of(&slow_control_plane, "edge-2"),
        times_of(&none, "edge-2") * 8
    );
    let part = slow_control_plane.host("edge-2").expect("a worker");
    assert!(part.steps.iter().all(|step| step.id.as_str() != "system.pace"));
    let quick = none.host("edge-2").expect("a worker");
    assert_eq!(part.estimate_seconds(), quick.estimate_seconds());
    // A slow worker keeps nobody else waiting.
    let slow_worker = only("edge-3");
    assert_eq!(times_of(&slow_worker, "edge-2"), times_of(&none, "edge-2"));
    assert_eq!(times_of(&slow_worker, "edge-1"), times_of(&none, "edge-1"));
    assert_eq!(times_of(&slow_worker, "edge-3"), times_of(&none, "edge-3") * 8);
}

#[test]
fn a_host_that_keeps_its_pace_is_planned_the_same_whatever_is_measured() {
    let site = site("single-host");
    let measured = |hash: u64, disk: u64, installed: bool| {
        fitted(&site, |facts| {
            facts.capacity.value_mut().hash_millis = Some(hash);
            facts.capacity.value_mut().disk_millis = Some(disk);
            if installed {
                facts.previous.value_mut().pace = Pace::from_record("processor 8 disk 4");
            }
        })
    };
    let first = measured(500, 500, false);
    for (hash, disk) in [(20, 10), (390, 2000), (3000, 40)] {
        assert_eq!(measured(hash, disk, true).hosts, first.hosts, "{hash} {disk}");
    }
}

#[test]
fn a_site_file_may_say_that_a_host_is_slow() {
    let text = std::fs::read_to_string(sites().join("mixed-architectures/site.yaml")).expect("an example");
    let slow = text.replace("architecture: arm64", "architecture: arm64\n        slowness: 20");
    assert_ne!(slow, text);
    let site = parse(&slow);
    let facts = iec_core::facts::Facts::assume(&site);
    let pace = |name: &str| Pace::of(facts.host(name).expect("a host of the site"));
    assert!(pace("barn").is_ordinary());
    assert_eq!(pace("gate"), Pace::measured(TWENTY_TIMES, None));
    let plan = plan_of(&site, &facts);
    assert!(files(&plan, "/etc/iec/pace").contains("processor 8"));
}

#[test]
fn a_host_is_asked_the_same_about_itself_before_and_after_its_installation() {
    let card = |name: &str, mac: &str, address: &str| Interface {
        name: name.to_owned(),
        mac: Some(mac.to_owned()),
        mtu: 1500,
        state: "UP".to_owned(),
        addresses: vec![address.parse().expect("a network")],
    };
    let question = |installed: bool, container: bool| {
        let plan = fitted(&site("three-hosts"), |facts| {
            facts.privileges.value_mut().container = container;
            let interfaces = &mut facts.network.value_mut().interfaces;
            interfaces.push(card("eth0", "02:00:00:00:00:0B", "10.0.0.11/24"));
            if installed {
                interfaces.push(card("vxlan.calico", "66:0f:00:00:00:01", "192.168.7.64/32"));
            }
        });
        let step = plan.hosts[0]
            .steps
            .iter()
            .find(|step| step.id.to_string() == "admission.identity");
        format!("{:?}", step.expect("its identity is asked"))
    };
    let machine = question(false, false);
    assert!(machine.contains("02:00:00:00:00:0b"), "{machine}");
    assert_eq!(question(true, false), machine);
    // Its card is another one after each start.
    let container = question(false, true);
    assert!(!container.contains("02:00:00:00:00:0b"), "{container}");
}

#[test]
fn the_api_server_listens_on_the_port_of_the_endpoint() {
    let plain = std::fs::read_to_string("../../sites/three-hosts/site.yaml").expect("an example site");
    let own = "spec:\n  controlPlane: {endpoint: \"api.example.org:443\"}";
    let plan = fitted(&parse(&plain.replacen("spec:", own, 1)), |_| {});
    let text = files(&plan, "/etc/iec/kubeadm.yaml");
    assert!(text.contains("bindPort: 443\n"), "{text}");
    assert!(
        text.contains("controlPlaneEndpoint: api.example.org:443\n"),
        "{text}"
    );
}

#[test]
fn the_api_servers_certificate_has_each_name_once() {
    let plain = std::fs::read_to_string("../../sites/three-hosts/site.yaml").expect("an example site");
    let address = site("three-hosts").hosts()[0].address();
    let own = format!("spec:\n  controlPlane: {{endpoint: \"{address}:6443\"}}");
    let plan = fitted(&parse(&plain.replacen("spec:", &own, 1)), |_| {});
    let text = files(&plan, "/etc/iec/kubeadm.yaml").replace('"', "");
    assert_eq!(text.matches(&format!("- {address}\n")).count(), 1, "{text}");
}
