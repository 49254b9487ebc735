//! What plans write onto hosts that are not alike: control groups, slow processors, small packets.

mod support;

use iec_core::facts::{CgroupVersion, HostFacts};
use iec_core::plan::{FileContent, Op, Plan};
use support::{facts, parse, plain_host, plan_of};

/// A site of one host; `calico` is what it says of Calico.
fn site_text(calico: &str) -> String {
    format!(
        "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {{name: shop}}\nspec:\n  release: \"1.36\"\n  \
         access: {{user: edge}}\n  accept: [cgroup-v1]\n  hosts: [{{name: edge-1, address: 10.0.0.11, role: control-plane}}]\n  \
         network: {{pods: 192.168.0.0/16, services: 172.16.1.0/24, cni: {calico} }}\n"
    )
}

/// The plan for that site, whose host is a plain one but for this.
fn fitted(calico: &str, change: impl Fn(&mut HostFacts)) -> Plan {
    let site = parse(&site_text(calico));
    plan_of(
        &site,
        &facts(&site, |host| {
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
                FileContent::Secret(_) => None,
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
        let plan = fitted("calico", |facts| {
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

#[test]
fn calicos_probes_wait_on_slow_hosts_and_its_packets_fit_the_interface() {
    for (calico, hash_millis, probes, mtu) in [
        ("calico", Some(10), "periodSeconds: 10", "veth_mtu: '0'"),
        ("calico", None, "periodSeconds: 10", "veth_mtu: '0'"),
        ("calico", Some(2000), "periodSeconds: 60", "veth_mtu: '0'"),
        (
            "{calico: {mtu: 1400}}",
            Some(10),
            "periodSeconds: 10",
            "veth_mtu: '1400'",
        ),
    ] {
        let plan = fitted(calico, |facts| {
            facts.capacity.value_mut().hash_millis = hash_millis;
        });
        let manifest = files(&plan, "/calico.yaml").replace('"', "'");
        assert_eq!(manifest.matches(probes).count(), 2, "{hash_millis:?}: {manifest}");
        assert!(manifest.contains(mtu), "{manifest}");
    }
}
