//! The pods of the cluster's DNS come to several nodes, where there are several on which they may start.

use iec_core::plan::Op;

use crate::pretend::Pretend;

/// A cluster by what `kubectl` prints of its nodes and of these pods. A pod that is deleted starts again on `edge-2`.
fn cluster(nodes: &str, pods: &str) -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/admin.conf", "{}");
    host.write("/run/nodes", nodes);
    host.write("/run/pods", pods);
    host.stand_in(
        "kubectl",
        "case \" $* \" in
        *' get nodes '*) cat /run/nodes ;;
        *' get pods '*) cat /run/pods ;;
        *' delete pod '*)
          for pod; do :; done
          echo \"$pod\" >>/run/deleted
          sed \"s/.* $pod $/edge-2 $pod-new /\" /run/pods >/run/pods.new
          mv /run/pods.new /run/pods ;;
        *' get --raw /readyz '*) echo ok ;;
        esac",
    );
    host
}

const TOGETHER: &str = "edge-1 dns-a \nedge-1 dns-b \n.";

#[test]
fn one_of_two_goes_elsewhere() {
    let host = cluster("edge-1 True\nedge-2 True\n.", TOGETHER);
    assert_eq!(host.apply("spread", Op::SpreadDns), "changed");
    assert_eq!(host.read("/run/deleted").as_deref(), Some("dns-b\n"));
    assert_eq!(host.apply("spread", Op::SpreadDns), "unchanged");
}

#[test]
fn a_taint_that_they_bear_or_that_is_about_to_go_keeps_none_away() {
    for taint in [
        "node-role.kubernetes.io/control-plane=NoSchedule",
        "node.kubernetes.io/not-ready=NoExecute",
    ] {
        let host = cluster(&format!("edge-1 True {taint}\nedge-2 True {taint}\n."), TOGETHER);
        assert_eq!(host.apply("spread", Op::SpreadDns), "changed", "{taint}");
    }
}

#[test]
fn nothing_is_done_where_there_is_no_place_or_no_need() {
    for (nodes, pods) in [
        ("edge-1 True\nedge-2 False\n.", TOGETHER),
        (
            "edge-1 True\nedge-2 True example.com/only=NoSchedule\n.",
            TOGETHER,
        ),
        ("edge-1 True\nedge-2 True example.com/only=NoExecute\n.", TOGETHER),
        ("edge-1 True\nedge-2 True\n.", "edge-1 dns-a \nedge-2 dns-b \n."),
        ("edge-1 True\nedge-2 True\n.", "edge-1 dns-a \n."),
        // The other has been sent away by another control plane.
        (
            "edge-1 True\nedge-2 True\n.",
            "edge-1 dns-a \nedge-1 dns-b 2026-11-30T19:34:28Z\n.",
        ),
    ] {
        let host = cluster(nodes, pods);
        assert_eq!(host.apply("spread", Op::SpreadDns), "adopted", "{nodes} {pods}");
        assert_eq!(host.read("/run/deleted"), None);
    }
}
