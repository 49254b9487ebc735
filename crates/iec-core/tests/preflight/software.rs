//! What is on the hosts already: runtimes, other clusters, earlier sites; hosts compared with each other.

use crate::*;

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

#[test]
fn what_is_fixed_at_installation_is_not_changed() {
    let runs = |change: &dyn Fn(&mut Cluster)| {
        let mut facts = HostFacts::default();
        change(facts.cluster.value_mut());
        let cluster = (*facts.cluster).clone();
        move |facts: &mut HostFacts| {
            let found = facts.cluster.value_mut();
            found.ca_sha256 = Some("aa11".to_owned());
            found.pod_range.clone_from(&cluster.pod_range);
            found.service_range.clone_from(&cluster.service_range);
            found.installed_with.clone_from(&cluster.installed_with);
        }
    };
    let recorded = |line: &str| vec![line.to_owned()];
    let pods = |range: &'static str| runs(&|cluster| cluster.pod_range = Some(range.to_owned()));
    expect(pods("192.168.0.0/16"), &[]);
    expect(pods("10.244.0.0/16"), &["IEC1874"]);
    let services = runs(&|cluster| cluster.service_range = Some("10.96.0.0/12".to_owned()));
    expect(services, &["IEC1874"]);
    let endpoint = |value: &'static str| {
        runs(&|cluster| cluster.installed_with = recorded(&format!("controlPlane.endpoint {value}")))
    };
    expect(endpoint("api.store-0417.iec.internal:6443"), &[]);
    expect(endpoint("old.example:6443"), &["IEC1874"]);
    let datastore = runs(&|cluster| cluster.installed_with = recorded("network.cni.calico.datastore etcd"));
    expect(datastore, &["IEC1874"]);
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
                since: None,
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
fn what_the_owner_has_laid_out_and_would_win() {
    let unit = |name: &str, enabled: &str| Unit {
        name: name.to_owned(),
        active: "inactive".to_owned(),
        enabled: enabled.to_owned(),
    };
    for (name, enabled, codes) in [
        ("containerd.service", "masked", &["IEC1893"][..]),
        ("kubelet.service", "masked-runtime", &["IEC1893"]),
        ("docker.service", "masked", &[]),
        ("containerd.service", "disabled", &[]),
    ] {
        expect(
            |facts| facts.software.value_mut().units = vec![unit(name, enabled)],
            codes,
        );
    }
    let over = |unit: &str, file: &str| Override {
        unit: unit.to_owned(),
        file: format!("/etc/systemd/system/{unit}.d/{file}"),
        line: "ExecStart=/usr/bin/other".to_owned(),
    };
    for (unit, file, codes) in [
        ("containerd.service", "a.conf", &["IEC1892"][..]),
        ("kubelet.service", "20-extra.conf", &["IEC1892"]),
        // IEC's own, and one that IEC's own replaces.
        ("kubelet.service", "10-kubeadm.conf", &[]),
        ("kubelet.service", "05-early.conf", &[]),
    ] {
        expect(
            |facts| facts.software.value_mut().overrides = vec![over(unit, file)],
            codes,
        );
    }
    for (line, codes) in [
        ("KUBELET_EXTRA_ARGS=--network-plugin=cni", &["~IEC1891"][..]),
        ("KUBELET_EXTRA_ARGS=\"\"", &[]),
        ("KUBELET_EXTRA_ARGS=", &[]),
    ] {
        expect(
            |facts| facts.software.value_mut().kubelet_arguments = vec![line.to_owned()],
            codes,
        );
    }
}

#[test]
fn a_sudo_that_reads_along_is_refused() {
    for (reads, writes) in [(true, false), (false, true), (true, true)] {
        expect(
            |facts| {
                facts.login.value_mut().sudo = SudoStreams {
                    reads,
                    writes,
                    settings: vec!["log_input".to_owned()],
                }
            },
            &["IEC1106"],
        );
    }
}
