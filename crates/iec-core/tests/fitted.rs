//! What plans write onto hosts that are not alike: control groups, slow processors, small packets.

#![expect(
    clippy::disallowed_methods,
    reason = "what tests share reads the committed example sites"
)]

mod support;

use iec_core::facts::{CgroupVersion, HostFacts, Interface};
use iec_core::plan::{FileContent, Op, Plan};
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
        ("cni: calico", Some(2000), "periodSeconds: 60", "veth_mtu: '0'"),
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
