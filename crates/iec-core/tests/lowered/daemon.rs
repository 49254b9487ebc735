//! What a host has of the cluster's daemons is asked of the host, and what is lost or old comes by its daemon's pod.

use iec_core::plan::Op;

use crate::pretend::Pretend;

const FILES: [&str; 4] = [
    "/opt/cni/bin/calico",
    "/opt/cni/bin/calico-ipam",
    "/etc/cni/net.d/10-calico.conflist",
    "/etc/cni/net.d/calico-kubeconfig",
];

/// A host whose calico-node and kube-proxy work when their pods start: `/run/mtu` and `/run/configuration` are what the
/// cluster gives them. A pod is deleted by the host's own credentials alone.
fn host() -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/kubelet.conf", "the kubelet's\n");
    host.write("/run/mtu", "1450");
    host.write("/run/configuration", configuration("iptables").as_str());
    host.stand_in("sleep", "exit 0");
    host.stand_in("systemctl", "case $1 in show) echo 0 ;; esac");
    // Seconds go by as it is asked for them.
    host.stand_in(
        "date",
        r#"case "$*" in +%s) n=$(cat /run/seconds 2>/dev/null || echo 1000); echo $((n + 30)) >/run/seconds; echo "$n" ;; *) exec /bin/date "$@" ;; esac"#,
    );
    host.stand_in(
        "kubectl",
        r#"echo "kubectl $*" >>/run/calls
        calico() {
          mkdir -p /opt/cni/bin /etc/cni/net.d
          for file in /opt/cni/bin/calico /opt/cni/bin/calico-ipam /etc/cni/net.d/calico-kubeconfig; do echo it >$file; done
          printf '"mtu": %s,\n' "$(cat /run/mtu)" >/etc/cni/net.d/10-calico.conflist
        }
        case "$*" in
        *--server\ http://127.0.0.1:10249*/configz) cat /run/running 2>/dev/null || exit 1 ;;
        */etc/kubernetes/kubelet.conf*\ get\ pods*k8s-app=calico-node*spec.nodeName=edge-1*Initialized*)
          if [ -e /run/initialized ]; then printf True; else calico; : >/run/initialized; fi ;;
        */etc/kubernetes/kubelet.conf*\ delete\ pods*k8s-app=calico-node*spec.nodeName=edge-1*--wait=false) calico ;;
        */etc/kubernetes/kubelet.conf*\ delete\ pods*k8s-app=kube-proxy*spec.nodeName=edge-1*--wait=false)
          cat /run/configuration >/run/running ;;
        *) echo "unexpected: $*" >&2; exit 1 ;;
        esac"#,
    );
    host
}

fn configuration(mode: &str) -> String {
    format!(
        "{{\"kubeproxy.config.k8s.io\":{{\"kind\":\"KubeProxyConfiguration\",\"clusterCIDR\":\"192.168.0.0/16\",\"mode\":\"{mode}\",\
         \"nodePortAddresses\":null}}}}\n"
    )
}

fn calico(mtu: u32) -> Op {
    Op::CalicoOnHost {
        node: "edge-1".to_owned(),
        mtu,
    }
}

fn proxy() -> Op {
    let setting = |text: &str| text.to_owned();
    Op::ProxyOnHost {
        node: "edge-1".to_owned(),
        settings: vec![
            setting("\"mode\":\"iptables\""),
            setting("\"clusterCIDR\":\"192.168.0.0/16\""),
            setting("\"nodePortAddresses\":null"),
        ],
    }
}

fn deletions(host: &Pretend) -> usize {
    let calls = host.read("/run/calls").unwrap_or_default();
    calls.lines().filter(|call| call.contains(" delete ")).count()
}

#[test]
fn calicos_programs_come_with_its_pod_and_come_back() {
    let host = host();
    assert_eq!(host.apply("calico", calico(1450)), "changed");
    assert_eq!(deletions(&host), 0, "a first start is waited for");
    assert_eq!(host.apply("calico", calico(1450)), "unchanged");
    for file in FILES {
        std::fs::remove_file(host.path(file)).expect("it was there");
        let before = deletions(&host);
        assert_eq!(host.apply("calico", calico(1450)), "changed", "without {file}");
        assert!(host.read(file).is_some(), "{file}");
        assert_eq!(deletions(&host), before + 1, "{file}");
    }
}

#[test]
fn another_packet_size_is_on_the_host_before_it_counts_as_done() {
    let host = host();
    host.apply("calico", calico(1450));
    host.write("/run/mtu", "1400");
    let seen = host.observe(vec![("calico", calico(1400))]);
    assert_eq!(seen[0].1, "partial", "the programs are there");
    assert_eq!(host.apply("calico", calico(1400)), "changed");
    let written = host.read("/etc/cni/net.d/10-calico.conflist");
    assert_eq!(written.as_deref(), Some("\"mtu\": 1400,\n"));
}

#[test]
fn a_kube_proxy_that_runs_with_something_else_is_started_anew_and_one_that_does_not_run_is_waited_for() {
    let host = host();
    host.write("/run/running", &configuration("iptables"));
    assert_eq!(host.apply("proxy", proxy()), "adopted");
    host.write("/run/running", &configuration("nftables"));
    assert_eq!(host.observe(vec![("proxy", proxy())])[0].1, "needed");
    assert_eq!(host.apply("proxy", proxy()), "changed");
    assert_eq!(deletions(&host), 1);
    assert_eq!(host.read("/run/running"), Some(configuration("iptables")));

    std::fs::remove_file(host.path("/run/running")).expect("it was there");
    let word = host.apply("proxy", proxy());
    assert!(word.starts_with("failed command"), "{word}");
    assert_eq!(deletions(&host), 1, "there is nothing to start anew");
}
